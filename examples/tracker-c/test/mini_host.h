/* A host of one page, for the tests of a plugin: opens the library that is linked with the test, collects what it writes,
 * hands it parameters, and draws a simulated bead. C11 and C++17. Not part of the plugin.
 */
#ifndef MINI_HOST_H
#define MINI_HOST_H

#include "tetherscope.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The library under test. */
TS_EXTERN_C const ts_plugin_entry tetherscope_plugin_entry;

#define CHECK(condition)                                                                                               \
  do {                                                                                                                 \
    if (!(condition)) {                                                                                                \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);                                        \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

/* Stops the test with the plugin's own words. */
#define OK(call)                                                                                                       \
  do {                                                                                                                 \
    said.len = 0;                                                                                                      \
    const ts_status status_ = (call);                                                                                  \
    if (status_ != TS_STATUS_OK) {                                                                                     \
      fprintf(stderr, "%s:%d: status %d: %.*s\n", __FILE__, __LINE__, status_, (int)said.len, (const char *)said.bytes); \
      exit(1);                                                                                                         \
    }                                                                                                                  \
  } while (0)

/* ---- What the plugin writes ---- */

typedef struct text {
  size_t len;
  uint8_t bytes[65536];
} text;

static text said;    /* error texts */
static text written; /* everything else */

static ts_status take(void *ctx, const uint8_t *ptr, uint64_t len) {
  text *into = (text *)ctx;
  if (len > sizeof into->bytes - into->len) {
    return TS_STATUS_OUT_OF_MEMORY;
  }
  memcpy(into->bytes + into->len, ptr, (size_t)len);
  into->len += (size_t)len;
  return TS_STATUS_OK;
}

static inline ts_writer writer(text *into) {
  const ts_writer made = {into, take};
  into->len = 0;
  return made;
}

static inline ts_writer error_writer(void) {
  const ts_writer made = {&said, take};
  return made;
}

static inline ts_str str(const char *s) {
  const ts_str made = {(const uint8_t *)s, strlen(s)};
  return made;
}

/* ---- The host ---- */

/* A clock that the test puts forward, so that nothing depends on how busy the machine is. */
static int64_t clock_ns = 0;

static void host_log(void *ctx, uint32_t level, ts_str line) {
  (void)ctx;
  fprintf(stderr, "log %u: %.*s\n", (unsigned)level, (int)line.len, (const char *)line.ptr);
}
static int64_t host_now_ns(void *ctx) {
  (void)ctx;
  return clock_ns;
}
static void host_parallel_for(void *ctx, uint64_t n, void (*task)(void *arg, uint64_t index), void *arg) {
  (void)ctx;
  for (uint64_t i = 0; i < n; i++) {
    task(arg, i);
  }
}
static uint32_t host_cancelled(void *ctx) {
  (void)ctx;
  return 0;
}

/* Opens the library and gives the function table of its first component, which must be of this kind. */
static inline const void *open_plugin(uint32_t kind, void **context) {
  static const ts_host host = {sizeof(ts_host),  TS_ABI_MAJOR,      TS_ABI_MINOR,  NULL, host_log,
                               host_now_ns,      host_parallel_for, host_cancelled};
  const ts_library_table *library = tetherscope_plugin_entry.library;
  CHECK(tetherscope_plugin_entry.magic == TS_MAGIC);
  OK(library->open(&host, context, error_writer()));
  CHECK(library->n_components(*context) == 1);
  CHECK(library->kind(*context, 0) == kind);
  OK(library->describe(*context, 0, writer(&written), error_writer()));
  CHECK(written.len > 2 && written.bytes[0] == '{' && written.bytes[written.len - 1] == '}');
  return library->table(*context, 0);
}

static inline void close_plugin(void *context) { tetherscope_plugin_entry.library->close(context); }

/* ---- Parameters ---- */

static inline ts_param int_param(const char *key, int64_t value) {
  const ts_param made = {str(key), TS_PARAM_INT, 0, value, 0, {NULL, 0}};
  return made;
}
static inline ts_param float_param(const char *key, double value) {
  const ts_param made = {str(key), TS_PARAM_FLOAT, 0, 0, value, {NULL, 0}};
  return made;
}
static inline ts_params params(const ts_param *first, uint64_t len) {
  const ts_params made = {first, len};
  return made;
}

/* ---- Simulated beads ---- */

/* A bead with rings round (x0, y0) on a grey of 60, the wider the rings the larger `spread`. */
static inline void draw_bead(uint8_t *image, uint32_t w, uint32_t h, double x0, double y0, double spread) {
  for (uint32_t y = 0; y < h; y++) {
    for (uint32_t x = 0; x < w; x++) {
      const double r = sqrt((x - x0) * (x - x0) + (y - y0) * (y - y0)) / spread;
      const double v = image[y * w + x] + 120.0 * exp(-r * r / 8.0) * cos(r);
      image[y * w + x] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5);
    }
  }
}

static inline ts_worker_config mono8_config(uint32_t w, uint32_t h, uint32_t max_rois) {
  ts_worker_config c;
  memset(&c, 0, sizeof c);
  c.w_px = w;
  c.h_px = h;
  c.pixel_format = TS_PIXEL_MONO8;
  c.significant_bits = 8;
  c.max_rois = max_rois;
  c.saturation_adu = 255.0;
  c.gain_e_per_adu = c.offset_adu = c.read_noise_e = c.nm_per_px = (double)NAN;
  return c;
}

/* A row before a call: NaN everywhere, no flag. */
static inline ts_fix empty_fix(void) {
  const ts_fix made = {(double)NAN, (double)NAN, (double)NAN, (float)NAN, (float)NAN, (float)NAN, (float)NAN, 0, 0};
  return made;
}

#endif
