/* `finder.your-lab.your-method`: beads are spots that differ from the background, whether brighter or darker. The method
 * to put yours in the place of; it needs even illumination.
 *
 * |value - median of the frame| is averaged over a square of the bead's size. Maxima that stand out from the noise (told by
 * the differences of neighbouring pixels, so that a crowded frame does not hide its beads) and from the strongest one are
 * taken, the strongest first; those within a diameter of a stronger one are dropped. The centre of mass of what deviates
 * then gives the position.
 */
#include "tetherscope.h"

#include <math.h>
#include <stdlib.h>

/* Standard deviation of normal noise per median absolute difference of two pixels. */
#define SD_PER_DIFFERENCE 1.0484
/* Mean absolute deviation of normal noise per standard deviation. */
#define DEVIATION_OF_NOISE 0.7979
/* Noise that every image has by its whole numbers, in ADU. */
#define ROUNDING 0.29

typedef struct finder {
  const ts_host *host;
  int64_t diameter_px;
  double threshold_sd, least_of_best;
} finder;

/* One search: a grey image of doubles, and scratch of the same size. */
typedef struct search {
  const finder *self;
  size_t w, h, diameter;
  double noise;
  double *deviation, *mean, *scratch, *sums;
  ts_hit *hits;
  size_t n_hits, room;
} search;

static int cancelled(const finder *self) {
  return TS_HAS(self->host, cancelled) && self->host->cancelled(self->host->ctx) != 0;
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int by_score(const void *a, const void *b) {
  const ts_hit *x = a, *y = b;
  if (x->score != y->score) {
    return x->score < y->score ? 1 : -1;
  }
  /* Equal ones in the order of the rows, so that the result never depends on the sort. */
  return x->y_px != y->y_px ? (x->y_px > y->y_px) - (x->y_px < y->y_px) : (x->x_px > y->x_px) - (x->x_px < y->x_px);
}

/* The median; sorts `values`. */
static double median(double *values, size_t n) {
  qsort(values, n, sizeof *values, by_value);
  return values[n / 2];
}

/* The first and one past the last index of a window, cut at the edges. */
static size_t from(size_t at, size_t half) { return at > half ? at - half : 0; }
static size_t until(size_t at, size_t half, size_t size) { return at + half + 1 < size ? at + half + 1 : size; }

/* The mean of `deviation` over squares, cut at the edges: sums of rows and columns of all before. */
static ts_status box_mean(search *s) {
  const size_t n = s->w + 1, half = s->diameter / 2;
  for (size_t y = 0; y < s->h; y++) {
    double row = 0;
    for (size_t x = 0; x < s->w; x++) {
      row += s->deviation[y * s->w + x];
      s->sums[(y + 1) * n + x + 1] = s->sums[y * n + x + 1] + row;
    }
  }
  for (size_t y = 0; y < s->h; y++) {
    if (cancelled(s->self)) {
      return TS_STATUS_CANCELLED;
    }
    const size_t top = from(y, half), bottom = until(y, half, s->h);
    for (size_t x = 0; x < s->w; x++) {
      const size_t left = from(x, half), right = until(x, half, s->w);
      const double sum =
          s->sums[bottom * n + right] - s->sums[top * n + right] - s->sums[bottom * n + left] + s->sums[top * n + left];
      s->mean[y * s->w + x] = sum / (double)((bottom - top) * (right - left));
    }
  }
  return TS_STATUS_OK;
}

static int is_maximum(const search *s, size_t x, size_t y) {
  for (size_t v = from(y, 1); v < until(y, 1, s->h); v++) {
    for (size_t u = from(x, 1); u < until(x, 1, s->w); u++) {
      if (s->mean[v * s->w + u] > s->mean[y * s->w + x]) {
        return 0;
      }
    }
  }
  return 1;
}

/* How far the deviation round a pixel is above that of noise alone, in standard deviations of the noise. */
static double score_at(const search *s, size_t i) { return s->mean[i] / s->noise - DEVIATION_OF_NOISE; }

/* Maxima among their neighbours that stand out, the strongest first. */
static ts_status candidates(search *s) {
  double best = 0;
  for (size_t i = 0; i < s->w * s->h; i++) {
    best = score_at(s, i) > best ? score_at(s, i) : best;
  }
  const double least = s->self->least_of_best * best;
  const double threshold = least > s->self->threshold_sd ? least : s->self->threshold_sd;
  for (size_t y = 0; y < s->h; y++) {
    if (cancelled(s->self)) {
      return TS_STATUS_CANCELLED;
    }
    for (size_t x = 0; x < s->w; x++) {
      const double score = score_at(s, y * s->w + x);
      if (score < threshold || !is_maximum(s, x, y)) {
        continue;
      }
      if (s->n_hits == s->room) {
        s->room = s->room * 2 + 64;
        ts_hit *more = realloc(s->hits, s->room * sizeof *more);
        if (more == NULL) {
          return TS_STATUS_OUT_OF_MEMORY;
        }
        s->hits = more;
      }
      const ts_hit hit = {(double)x, (double)y, score, 0, 0};
      s->hits[s->n_hits++] = hit;
    }
  }
  if (s->n_hits > 0) {
    qsort(s->hits, s->n_hits, sizeof *s->hits, by_score);
  }
  return TS_STATUS_OK;
}

static ts_hit centred(const search *s, ts_hit hit) {
  const size_t half = s->diameter / 2, x0 = (size_t)hit.x_px, y0 = (size_t)hit.y_px;
  double mass = 0, mass_x = 0, mass_y = 0;
  for (size_t y = from(y0, half); y < until(y0, half, s->h); y++) {
    for (size_t x = from(x0, half); x < until(x0, half, s->w); x++) {
      const double v = s->deviation[y * s->w + x];
      mass += v;
      mass_x += v * (double)x;
      mass_y += v * (double)y;
    }
  }
  const int at_border = x0 < half || y0 < half || x0 + half >= s->w || y0 + half >= s->h;
  hit.flags = at_border ? TS_FLAG_AT_BORDER : 0u;
  if (mass > 0) {
    hit.x_px = mass_x / mass;
    hit.y_px = mass_y / mass;
  }
  return hit;
}

/* Writes the hits that have no stronger one within a diameter. Those that were kept move to the front. */
static ts_status write_strongest(search *s, ts_writer hits) {
  size_t kept = 0;
  for (size_t i = 0; i < s->n_hits; i++) {
    if (cancelled(s->self)) {
      return TS_STATUS_CANCELLED;
    }
    int alone = 1;
    for (size_t k = 0; k < kept && alone; k++) {
      alone = hypot(s->hits[k].x_px - s->hits[i].x_px, s->hits[k].y_px - s->hits[i].y_px) >= (double)s->diameter;
    }
    if (alone) {
      s->hits[kept++] = s->hits[i];
      const ts_hit found = centred(s, s->hits[i]);
      const ts_status status = ts_write(hits, &found, sizeof found);
      if (status != TS_STATUS_OK) {
        return status;
      }
    }
  }
  return TS_STATUS_OK;
}

static double pixel(const ts_image *image, size_t x, size_t y) {
  const uint8_t *row = image->base + y * image->row_stride_bytes;
  if (image->pixel_format == TS_PIXEL_MONO8) {
    return row[x];
  }
  uint16_t value;
  memcpy(&value, row + 2 * x, sizeof value);
  return value;
}

static void tell(ts_writer progress, double fraction) { (void)ts_write(progress, &fraction, sizeof fraction); }

static ts_status run(search *s, const ts_image *image, ts_writer progress, ts_writer hits) {
  const size_t n = s->w * s->h;
  for (size_t y = 0; y < s->h; y++) {
    for (size_t x = 0; x < s->w; x++) {
      s->deviation[y * s->w + x] = pixel(image, x, y);
    }
  }
  size_t n_pairs = 0;
  for (size_t i = 0; i + 1 < n; i++) {
    if ((i + 1) % s->w != 0) {
      s->scratch[n_pairs++] = fabs(s->deviation[i + 1] - s->deviation[i]);
    }
  }
  const double noise = n_pairs > 0 ? SD_PER_DIFFERENCE * median(s->scratch, n_pairs) : 0.0;
  s->noise = noise > ROUNDING ? noise : ROUNDING;
  memcpy(s->scratch, s->deviation, n * sizeof *s->scratch);
  const double background = median(s->scratch, n);
  for (size_t i = 0; i < n; i++) {
    s->deviation[i] = fabs(s->deviation[i] - background);
  }
  tell(progress, 0.2);
  ts_status status = box_mean(s);
  tell(progress, 0.5);
  if (status == TS_STATUS_OK) {
    status = candidates(s);
  }
  tell(progress, 0.8);
  return status == TS_STATUS_OK ? write_strongest(s, hits) : status;
}

/* ---- The finder's functions ---- */

static ts_status find(void *instance, const ts_image *image, const ts_rect *seed, ts_writer progress, ts_writer hits,
                      ts_writer error) {
  const finder *self = instance;
  if (image->pixel_format != TS_PIXEL_MONO8 && image->pixel_format != TS_PIXEL_MONO16) {
    return ts_fail(error, TS_STATUS_UNSUPPORTED, "only 8 and 16 bits per pixel are read");
  }
  search s;
  memset(&s, 0, sizeof s);
  s.self = self;
  s.w = image->width_px;
  s.h = image->height_px;
  s.diameter = (size_t)self->diameter_px;
  if (seed != NULL) {
    const size_t side = seed->w_px < seed->h_px ? seed->w_px : seed->h_px;
    s.diameter = side > 3 ? side : 3;
  }
  const size_t n = s.w * s.h;
  if (n == 0) {
    return TS_STATUS_OK;
  }
  s.deviation = malloc(n * sizeof *s.deviation);
  s.mean = malloc(n * sizeof *s.mean);
  s.scratch = malloc(n * sizeof *s.scratch);
  s.sums = calloc((s.w + 1) * (s.h + 1), sizeof *s.sums);
  const int room = s.deviation != NULL && s.mean != NULL && s.scratch != NULL && s.sums != NULL;
  const ts_status status = room ? run(&s, image, progress, hits) : TS_STATUS_OUT_OF_MEMORY;
  free(s.deviation);
  free(s.mean);
  free(s.scratch);
  free(s.sums);
  free(s.hits);
  switch (status) {
  case TS_STATUS_OK:
    return status;
  case TS_STATUS_CANCELLED:
    return ts_fail(error, status, "cancelled");
  case TS_STATUS_OUT_OF_MEMORY:
    return ts_fail(error, status, "no memory for an image of this size");
  default:
    return ts_fail(error, status, "the host took no more hits");
  }
}

static ts_status create(void *context, ts_params params, void **instance, ts_writer error) {
  const ts_param *diameter = ts_find_param(params, "diameter_px");
  const ts_param *threshold = ts_find_param(params, "threshold_sd");
  const ts_param *least = ts_find_param(params, "least_of_best");
  if (diameter == NULL || diameter->kind != TS_PARAM_INT || diameter->int_value < 3 || threshold == NULL ||
      threshold->kind != TS_PARAM_FLOAT || least == NULL || least->kind != TS_PARAM_FLOAT) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "a parameter is missing, or no such number: see the descriptor");
  }
  finder *self = malloc(sizeof *self);
  if (self == NULL) {
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for a finder");
  }
  self->host = context;
  self->diameter_px = diameter->int_value;
  self->threshold_sd = threshold->float_value;
  self->least_of_best = least->float_value;
  *instance = self;
  return TS_STATUS_OK;
}

static void destroy(void *instance) { free(instance); }

static const ts_finder_table finder_table = {
    sizeof(ts_finder_table), 0, create, destroy, find,
};

/* ---- The library ---- */

/* The context is the host itself: a search asks it whether the user gave up. */
static ts_status open_library(const ts_host *host, void **context, ts_writer error) {
  (void)error;
  *context = (void *)(uintptr_t)host;
  return TS_STATUS_OK;
}

static void close_library(void *context) { (void)context; }

static uint32_t n_components(void *context) {
  (void)context;
  return 1;
}

static uint32_t kind(void *context, uint32_t index) {
  (void)context;
  return index == 0 ? TS_KIND_FINDER : 0;
}

static const void *table(void *context, uint32_t index) {
  (void)context;
  return index == 0 ? &finder_table : NULL;
}

static ts_status describe(void *context, uint32_t index, ts_writer out, ts_writer error) {
  (void)context;
  if (index != 0) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "there is no such component");
  }
  return ts_write_text(
      out, "{\"id\": \"finder.your-lab.your-method\", \"name\": \"Your method\", \"version\": \"0.1.0\", "
           "\"summary\": \"Spots that differ from an even background, the strongest first.\", "
           "\"source\": \"textbook\", \"licence\": \"MIT OR Apache-2.0\", \"isolation\": \"any\", "
           "\"capabilities\": [\"mono8\", \"mono16\"], \"parameters\": ["
           "{\"key\": \"diameter_px\", \"type\": \"int\", \"default\": 24, \"min\": 3, \"max\": 512, \"unit\": \"px\", "
           "\"help\": \"Size of a bead with its rings; a seed's size is taken instead\"}, "
           "{\"key\": \"threshold_sd\", \"type\": \"float\", \"default\": 1.0, \"min\": 0.1, \"max\": 1000.0, "
           "\"help\": \"How far a bead deviates more than noise does, in standard deviations of the noise\"}, "
           "{\"key\": \"least_of_best\", \"type\": \"float\", \"default\": 0.5, \"min\": 0.0, \"max\": 1.0, "
           "\"help\": \"How strong a bead is at least, as a part of the strongest\"}"
           "]}");
}

static const ts_library_table library = {
    sizeof(ts_library_table), 0, open_library, close_library, n_components, kind, table, describe,
};

TS_PLUGIN_ENTRY(library);
