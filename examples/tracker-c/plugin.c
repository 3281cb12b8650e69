/* `tracker.example.clipped`: clipped centre of mass, with a radial profile. The method to put yours in the place of;
 * the rest (who it is, its parameters, the memory of one thread) stays. It reads 8 and 16 bits and any strides, and takes
 * no memory while it tracks.
 *
 * Every pixel weighs |value - mean of the ROI|, or nothing when that is below `clip_sd` standard deviations, so that the
 * flat background does not pull the centre to the middle of the ROI. The profile is the mean value over rings of 1 px.
 */
#include "tetherscope.h"

#include <math.h>
#include <stdlib.h>

typedef struct tracker {
  double clip_sd;
} tracker;

typedef struct worker {
  double clip_sd;
  uint32_t w_px, h_px, pixel_format, n_bins;
  double saturation_adu;
  /* Sum and number of the pixels of each ring. */
  double *sums;
  uint32_t *counts;
} worker;

/* ---- Numbers from pixels ---- */

typedef struct roi {
  const uint8_t *first;
  const ts_batch *batch;
} roi;

static double pixel(roi at, uint32_t x, uint32_t y) {
  const uint8_t *p = at.first + y * at.batch->row_stride_bytes + (uint64_t)x * at.batch->pixel_stride_bytes;
  if (at.batch->pixel_format == TS_PIXEL_MONO8) {
    return *p;
  }
  uint16_t value;
  memcpy(&value, p, sizeof value);
  return value;
}

/* Fills the position; leaves it NaN and sets a flag when there is nothing to see. */
static void center_of_mass(const worker *self, roi at, ts_fix *fix) {
  const double n = (double)self->w_px * self->h_px;
  double sum = 0, squares = 0;
  for (uint32_t y = 0; y < self->h_px; y++) {
    for (uint32_t x = 0; x < self->w_px; x++) {
      const double v = pixel(at, x, y);
      sum += v;
      squares += v * v;
      if (v >= self->saturation_adu) { /* false while the level is unknown (NaN) */
        fix->flags |= TS_FLAG_SATURATED;
      }
    }
  }
  const double mean = sum / n;
  const double variance = squares / n - mean * mean;
  const double clip = self->clip_sd * sqrt(variance > 0 ? variance : 0);
  double mass = 0, mass_x = 0, mass_y = 0;
  for (uint32_t y = 0; y < self->h_px; y++) {
    for (uint32_t x = 0; x < self->w_px; x++) {
      const double weight = fabs(pixel(at, x, y) - mean);
      if (weight >= clip) {
        mass += weight;
        mass_x += weight * x;
        mass_y += weight * y;
      }
    }
  }
  if (!(mass > 0)) {
    fix->flags |= TS_FLAG_NO_SIGNAL;
    return;
  }
  fix->x_px = mass_x / mass;
  fix->y_px = mass_y / mass;
}

/* Mean value over rings of 1 px round (x0, y0); NaN where a ring has no pixel. */
static void radial_profile(worker *self, roi at, double x0, double y0, double *profile, float *weights) {
  for (uint32_t k = 0; k < self->n_bins; k++) {
    self->sums[k] = 0;
    self->counts[k] = 0;
  }
  for (uint32_t y = 0; y < self->h_px; y++) {
    for (uint32_t x = 0; x < self->w_px; x++) {
      const double r = sqrt((x - x0) * (x - x0) + (y - y0) * (y - y0));
      if (r < self->n_bins) {
        self->sums[(uint32_t)r] += pixel(at, x, y);
        self->counts[(uint32_t)r] += 1;
      }
    }
  }
  for (uint32_t k = 0; k < self->n_bins; k++) {
    if (profile != NULL) {
      profile[k] = self->counts[k] > 0 ? self->sums[k] / self->counts[k] : (double)NAN;
    }
    if (weights != NULL) {
      weights[k] = (float)self->counts[k];
    }
  }
}

/* ---- The tracker's functions ---- */

static ts_status create(void *context, ts_params params, void **instance, ts_writer error) {
  (void)context;
  const ts_param *clip = ts_find_param(params, "clip_sd");
  if (clip == NULL || clip->kind != TS_PARAM_FLOAT) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "`clip_sd` is missing or no number");
  }
  tracker *self = malloc(sizeof *self);
  if (self == NULL) {
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for a tracker");
  }
  self->clip_sd = clip->float_value;
  *instance = self;
  return TS_STATUS_OK;
}

static void destroy(void *instance) { free(instance); }

static void free_worker(void *made) {
  worker *self = made;
  free(self->sums);
  free(self->counts);
  free(self);
}

static ts_status make_worker(void *instance, const ts_worker_config *config, void **made, ts_profile_layout *layout,
                             ts_writer error) {
  const uint32_t shorter = config->w_px < config->h_px ? config->w_px : config->h_px;
  if (shorter < 4) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "a ROI needs at least 4 x 4 px");
  }
  if (config->pixel_format != TS_PIXEL_MONO8 && config->pixel_format != TS_PIXEL_MONO16) {
    return ts_fail(error, TS_STATUS_UNSUPPORTED, "only 8 and 16 bits per pixel are read");
  }
  worker *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for a worker");
  }
  self->clip_sd = ((const tracker *)instance)->clip_sd;
  self->w_px = config->w_px;
  self->h_px = config->h_px;
  self->pixel_format = config->pixel_format;
  self->saturation_adu = config->saturation_adu;
  self->n_bins = shorter / 2;
  self->sums = calloc(self->n_bins, sizeof *self->sums);
  self->counts = calloc(self->n_bins, sizeof *self->counts);
  if (self->sums == NULL || self->counts == NULL) {
    free_worker(self);
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for the rings");
  }
  memset(layout, 0, sizeof *layout);
  layout->n_bins = self->n_bins;
  layout->kind = TS_PROFILE_RADIAL;
  layout->first_radius_px = 0.5;
  layout->step_px = 1.0;
  *made = self;
  return TS_STATUS_OK;
}

static ts_status track(void *made, const ts_batch *batch, const ts_track_output *output, ts_writer error) {
  worker *self = made;
  if (batch->w_px != self->w_px || batch->h_px != self->h_px || batch->pixel_format != self->pixel_format) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "the batch has another shape than the worker was made for");
  }
  for (uint32_t i = 0; i < batch->n_rois; i++) {
    const roi at = {batch->base + batch->offsets[i], batch};
    ts_fix *fix = &output->fixes[i];
    center_of_mass(self, at, fix);
    if (isnan(fix->x_px) || (output->profiles == NULL && output->weights == NULL)) {
      continue;
    }
    const size_t row = (size_t)i * output->n_bins;
    radial_profile(self, at, fix->x_px, fix->y_px, output->profiles != NULL ? output->profiles + row : NULL,
                   output->weights != NULL ? output->weights + row : NULL);
  }
  return TS_STATUS_OK;
}

static const ts_tracker_table tracker_table = {
    sizeof(ts_tracker_table), 0, create, destroy, make_worker, free_worker, track, NULL,
};

/* ---- The library ---- */

static ts_status open_library(const ts_host *host, void **context, ts_writer error) {
  (void)host;
  (void)error;
  *context = NULL;
  return TS_STATUS_OK;
}

static void close_library(void *context) { (void)context; }

static uint32_t n_components(void *context) {
  (void)context;
  return 1;
}

static uint32_t kind(void *context, uint32_t index) {
  (void)context;
  return index == 0 ? TS_KIND_TRACKER : 0;
}

static const void *table(void *context, uint32_t index) {
  (void)context;
  return index == 0 ? &tracker_table : NULL;
}

static ts_status describe(void *context, uint32_t index, ts_writer out, ts_writer error) {
  (void)context;
  (void)index;
  (void)error;
  return ts_write_text(
      out, "{\"id\": \"tracker.example.clipped\", \"name\": \"Clipped\", \"version\": \"0.1.0\", "
           "\"summary\": \"Centre of mass of what differs from the mean of the ROI, with a radial profile.\", "
           "\"source\": \"textbook\", \"licence\": \"MIT OR Apache-2.0\", \"isolation\": \"any\", "
           "\"capabilities\": [\"profile\", \"mono8\", \"mono16\"], \"parameters\": ["
           "{\"key\": \"clip_sd\", \"type\": \"float\", \"help\": \"Pixels nearer to the mean than this many standard "
           "deviations do not count\", \"default\": 2.0, \"min\": 0.0, \"max\": 10.0, \"step\": 0.1, "
           "\"invalidates\": [\"zlut\"]}]}");
}

static const ts_library_table library = {
    sizeof(ts_library_table), 0, open_library, close_library, n_components, kind, table, describe,
};

TS_PLUGIN_ENTRY(library);
