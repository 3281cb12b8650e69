/* `zlut.your-lab.your-method`: the plane whose profile is nearest, and a parabola through the distances of it and its two
 * neighbours. The method to put yours in the place of.
 *
 * Profiles are compared whatever their brightness and contrast: each is shifted and scaled to mean 0 and variance 1. The
 * distance is the mean squared difference: 0 for the same profile, 2 for one that has nothing to do with it. The innermost
 * bin has a few pixels only and would bring the most noise: it is left out.
 */
#include "tetherscope.h"

#include <math.h>
#include <stdlib.h>

#define FEWEST_BINS 4
#define FEWEST_PLANES 3

typedef struct strategy {
  double max_distance;
} strategy;

/* Planes rising in z: the profiles as they were recorded, and the same normalised. */
typedef struct z_table {
  uint32_t n_planes, n_bins;
  double *z_nm, *profiles, *normalised;
} z_table;

typedef struct worker {
  double max_distance;
  uint32_t n_bins;
  double *profile;
} worker;

/* ---- Numbers from profiles ---- */

/* Shifts and scales the finite bins to mean 0 and variance 1, the innermost to none; 0 when there are too few, or they are
 * all the same.
 */
static int normalise(const double *from, double *to, uint32_t n_bins) {
  double sum = 0, squares = 0;
  uint32_t n = 0;
  for (uint32_t k = 1; k < n_bins; k++) {
    if (isfinite(from[k])) {
      sum += from[k];
      n++;
    }
  }
  const double mean = sum / n;
  for (uint32_t k = 1; k < n_bins; k++) {
    squares += isfinite(from[k]) ? (from[k] - mean) * (from[k] - mean) : 0.0;
  }
  if (n < FEWEST_BINS || !(squares > 0)) {
    return 0;
  }
  to[0] = (double)NAN;
  const double scale = 1.0 / sqrt(squares / n);
  for (uint32_t k = 1; k < n_bins; k++) {
    to[k] = isfinite(from[k]) ? (from[k] - mean) * scale : (double)NAN;
  }
  return 1;
}

/* Mean squared difference over the bins that both have; infinite when these are too few. */
static double distance(const double *a, const double *b, uint32_t n_bins) {
  double sum = 0;
  uint32_t n = 0;
  for (uint32_t k = 0; k < n_bins; k++) {
    const double d = a[k] - b[k];
    if (!isnan(d)) {
      sum += d * d;
      n++;
    }
  }
  return n >= FEWEST_BINS ? sum / n : (double)INFINITY;
}

static double to_plane(const worker *self, const z_table *planes, uint32_t i) {
  return distance(self->profile, &planes->normalised[(size_t)i * planes->n_bins], planes->n_bins);
}

/* Fills z and quality; leaves z NaN and sets a flag where there is none. */
static void lookup_one(worker *self, const z_table *planes, const double *profile, ts_fix *fix) {
  if (!normalise(profile, self->profile, self->n_bins)) {
    fix->flags |= TS_FLAG_LOW_CONTRAST;
    return;
  }
  uint32_t best = 0;
  double nearest = (double)INFINITY;
  for (uint32_t i = 0; i < planes->n_planes; i++) {
    const double d = to_plane(self, planes, i);
    if (d < nearest) {
      nearest = d;
      best = i;
    }
  }
  fix->quality = nearest < 2.0 ? (float)(1.0 - nearest / 2.0) : 0.0f;
  if (!(nearest <= self->max_distance)) {
    fix->flags |= TS_FLAG_LOW_CONTRAST;
    return;
  }
  if (best == 0 || best + 1 == planes->n_planes) {
    fix->flags |= TS_FLAG_OUTSIDE_ZLUT;
    return;
  }
  /* The parabola through three points that need not be equally far apart. */
  const double *z = &planes->z_nm[best];
  const double left = z[-1] - z[0], right = z[1] - z[0];
  const double at_left = (to_plane(self, planes, best - 1) - nearest) / left;
  const double at_right = (to_plane(self, planes, best + 1) - nearest) / right;
  const double curvature = (at_right - at_left) / (right - left);
  const double z_nm = z[0] - (at_left - curvature * left) / (2.0 * curvature);
  if (!(curvature > 0) || !(z_nm >= z[-1] && z_nm <= z[1])) {
    fix->flags |= TS_FLAG_NOT_CONVERGED;
    return;
  }
  fix->z_nm = z_nm;
}

/* ---- Tables ---- */

static void free_table(void *made) {
  z_table *self = made;
  if (self != NULL) {
    free(self->z_nm);
    free(self->profiles);
    free(self->normalised);
    free(self);
  }
}

static z_table *new_table(uint32_t n_planes, uint32_t n_bins) {
  z_table *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return NULL;
  }
  const size_t n = (size_t)n_planes * n_bins;
  self->n_planes = n_planes;
  self->n_bins = n_bins;
  self->z_nm = calloc(n_planes + 1u, sizeof *self->z_nm);
  self->profiles = calloc(n + 1, sizeof *self->profiles);
  self->normalised = calloc(n + 1, sizeof *self->normalised);
  if (self->z_nm == NULL || self->profiles == NULL || self->normalised == NULL) {
    free_table(self);
    return NULL;
  }
  return self;
}

/* Checks a table whose planes are filled and makes it ready; frees it when something is wrong. */
static ts_status finish_table(z_table *self, void **made, ts_writer error) {
  const char *wrong = NULL;
  if (self->n_bins < FEWEST_BINS || self->n_planes < FEWEST_PLANES) {
    wrong = "a Z-LUT needs 3 planes of 4 bins at least: record more of the sweep";
  }
  for (uint32_t i = 0; i < self->n_planes && wrong == NULL; i++) {
    const size_t row = (size_t)i * self->n_bins;
    if (!isfinite(self->z_nm[i]) || (i > 0 && self->z_nm[i] <= self->z_nm[i - 1])) {
      wrong = "z of the Z-LUT must be finite and rise from plane to plane";
    } else if (!normalise(&self->profiles[row], &self->normalised[row], self->n_bins)) {
      wrong = "a plane of the Z-LUT has no contrast: record the sweep again, with a bead in the ROI";
    }
  }
  if (wrong != NULL) {
    free_table(self);
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, wrong);
  }
  *made = self;
  return TS_STATUS_OK;
}

/* Adds an entry's profile to the plane `into`, and counts per bin. */
static void add_profile(double *into, uint32_t *counts, const double *profile, uint32_t n_bins) {
  for (uint32_t k = 0; k < n_bins; k++) {
    if (isfinite(profile[k])) {
      into[k] += profile[k];
      counts[k]++;
    }
  }
}

/* The smallest focus above `than`; `than` itself when there is none. */
static double next_focus(const ts_sweep *sweep, double than) {
  double next = (double)INFINITY;
  for (uint32_t i = 0; i < sweep->batch.n_rois; i++) {
    if (sweep->focus_nm[i] > than && sweep->focus_nm[i] < next) {
      next = sweep->focus_nm[i];
    }
  }
  return isfinite(next) ? next : than;
}

/* The plain mean of the tracked frames of each plane. */
static ts_status build(void *instance, const ts_sweep *sweep, void **made, ts_writer error) {
  (void)instance;
  const uint32_t n = sweep->batch.n_rois, n_bins = sweep->layout.n_bins;
  if (sweep->profiles == NULL) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "the sweep has no profiles: take a tracker that makes profiles");
  }
  z_table *self = new_table(n, n_bins);
  uint32_t *counts = calloc(n_bins + 1u, sizeof *counts);
  if (self == NULL || counts == NULL) {
    free_table(self);
    free(counts);
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for the planes");
  }
  self->n_planes = 0;
  double focus = next_focus(sweep, -(double)INFINITY);
  for (double last = -(double)INFINITY; focus > last; last = focus, focus = next_focus(sweep, focus)) {
    double *plane = &self->profiles[(size_t)self->n_planes * n_bins];
    memset(counts, 0, n_bins * sizeof *counts);
    int tracked = 0;
    for (uint32_t i = 0; i < n; i++) {
      if (sweep->focus_nm[i] == focus && !isnan(sweep->fixes[i].x_px)) {
        add_profile(plane, counts, &sweep->profiles[(size_t)i * n_bins], n_bins);
        tracked = 1;
      }
    }
    if (tracked) {
      for (uint32_t k = 0; k < n_bins; k++) {
        plane[k] = counts[k] > 0 ? plane[k] / counts[k] : (double)NAN;
      }
      self->z_nm[self->n_planes++] = focus;
    }
  }
  free(counts);
  return finish_table(self, made, error);
}

static ts_status load(void *instance, const ts_table_parts *parts, void **made, ts_writer error) {
  (void)instance;
  if (parts->z_nm == NULL || parts->profiles == NULL) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "the Z-LUT has no planes: record it again");
  }
  z_table *self = new_table(parts->n_planes, parts->layout.n_bins);
  if (self == NULL) {
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for the planes");
  }
  const size_t n = (size_t)self->n_planes * self->n_bins;
  memcpy(self->z_nm, parts->z_nm, self->n_planes * sizeof *self->z_nm);
  memcpy(self->profiles, parts->profiles, n * sizeof *self->profiles);
  return finish_table(self, made, error);
}

static ts_status save(const void *made, const ts_table_sink *sink, ts_writer error) {
  const z_table *self = made;
  ts_status status = ts_write(sink->z_nm, self->z_nm, self->n_planes * sizeof *self->z_nm);
  if (status == TS_STATUS_OK) {
    status = ts_write(sink->profiles, self->profiles, (size_t)self->n_planes * self->n_bins * sizeof *self->profiles);
  }
  return status == TS_STATUS_OK ? status : ts_fail(error, status, "the host took no more of the table");
}

/* ---- Instance and worker ---- */

static ts_status create(void *context, ts_params params, void **instance, ts_writer error) {
  (void)context;
  const ts_param *most = ts_find_param(params, "max_distance");
  if (most == NULL || most->kind != TS_PARAM_FLOAT) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "`max_distance` is missing or no number");
  }
  strategy *self = malloc(sizeof *self);
  if (self == NULL) {
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for a strategy");
  }
  self->max_distance = most->float_value;
  *instance = self;
  return TS_STATUS_OK;
}

static void destroy(void *instance) { free(instance); }

static void free_worker(void *made) {
  worker *self = made;
  free(self->profile);
  free(self);
}

static ts_status make_worker(void *instance, const ts_worker_config *config, const ts_profile_layout *layout,
                             void **made, ts_writer error) {
  (void)config;
  if (layout->n_bins < FEWEST_BINS) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "the tracker makes profiles of fewer than 4 bins: take another");
  }
  worker *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for a worker");
  }
  self->max_distance = ((const strategy *)instance)->max_distance;
  self->n_bins = layout->n_bins;
  self->profile = calloc(self->n_bins, sizeof *self->profile);
  if (self->profile == NULL) {
    free_worker(self);
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for a profile");
  }
  *made = self;
  return TS_STATUS_OK;
}

static ts_status lookup(void *made, const ts_batch *batch, const ts_lookup *rows, ts_writer error) {
  (void)batch;
  worker *self = made;
  for (uint32_t i = 0; i < rows->n_rois; i++) {
    const z_table *planes = rows->tables[i];
    if (rows->profiles == NULL || rows->n_bins != self->n_bins || planes->n_bins != self->n_bins) {
      return ts_fail(error, TS_STATUS_INVALID_ARGUMENT,
                     "profile and Z-LUT differ in length: record the Z-LUT with the ROI size of the measurement");
    }
    if (!isnan(rows->fixes[i].x_px) && !isnan(rows->fixes[i].y_px)) {
      lookup_one(self, planes, &rows->profiles[(size_t)i * rows->n_bins], &rows->fixes[i]);
    }
  }
  return TS_STATUS_OK;
}

static const ts_zlut_strategy_table zlut_table = {
    sizeof(ts_zlut_strategy_table), 0,          create,      destroy,     build,  load, save,
    free_table,                     make_worker, free_worker, lookup,      NULL,
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
  return index == 0 ? TS_KIND_ZLUT : 0;
}

static const void *table(void *context, uint32_t index) {
  (void)context;
  return index == 0 ? &zlut_table : NULL;
}

static ts_status describe(void *context, uint32_t index, ts_writer out, ts_writer error) {
  (void)context;
  if (index != 0) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "there is no such component");
  }
  return ts_write_text(
      out, "{\"id\": \"zlut.your-lab.your-method\", \"name\": \"Your method\", \"version\": \"0.1.0\", "
           "\"summary\": \"The plane whose profile is nearest, and a parabola through the distances of its neighbours.\", "
           "\"source\": \"textbook\", \"licence\": \"MIT OR Apache-2.0\", \"isolation\": \"any\", "
           "\"capabilities\": [], \"parameters\": ["
           "{\"key\": \"max_distance\", \"type\": \"float\", \"default\": 0.5, \"min\": 0.0, \"max\": 4.0, \"step\": 0.05, "
           "\"help\": \"A profile farther than this from every plane has no z; 0 same, 2 unrelated\"}"
           "]}");
}

static const ts_library_table library = {
    sizeof(ts_library_table), 0, open_library, close_library, n_components, kind, table, describe,
};

TS_PLUGIN_ENTRY(library);
