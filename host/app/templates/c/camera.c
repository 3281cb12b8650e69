/* `camera.your-lab.your-method`: a test pattern instead of a device: a bright blob that runs round in a circle on a slope
 * of grey, with its true position beside each frame. Put your vendor's SDK in the place of `draw` and of the clock.
 *
 * Live, frame k is there at k / frame_rate_hz; one that finds no free slot until the next is due is told as lost. Offline
 * (`lossless`) it waits for slots and drops nothing. `stop` may come while `poll` waits, and ends it within 2 ms.
 */
/* For nanosleep, which C11 alone does not have. */
#define _POSIX_C_SOURCE 200809L

#include "tetherscope.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#if defined(_WIN32)
#include <windows.h>
static void sleep_ms(uint32_t ms) { Sleep(ms); }
#else
#include <time.h>
static void sleep_ms(uint32_t ms) {
  const struct timespec span = {0, (long)ms * 1000000L};
  (void)nanosleep(&span, NULL);
}
#endif

/* Longest wait that does not look whether `stop` came. */
#define TURN_MS 2
#define TURN_NS (TURN_MS * INT64_C(1000000))
#define BLOB_SD_PX 3.0

typedef struct camera {
  const ts_host *host;
  /* The settings. */
  int64_t width_px, height_px, n_frames;
  double frame_rate_hz;
  uint64_t revision;
  /* The run. */
  const ts_camera_sink *sink;
  uint64_t next;
  int64_t due_ns;
  int running, ended;
  /* `stop` sets the first and waits for the second to fall; `poll` raises the second and then looks at the first. */
  atomic_int stopping, in_poll;
} camera;

static int64_t now_ns(const camera *self) { return self->host->now_ns(self->host->ctx); }

static int64_t period_ns(const camera *self) { return (int64_t)(1e9 / self->frame_rate_hz); }

/* ---- Devices and settings ---- */

static ts_status enumerate(void *context, ts_writer out, ts_writer error) {
  (void)context;
  (void)error;
  return ts_write_text(out, "[{\"device\": \"pattern\", \"name\": \"Test pattern\", \"serial\": \"\"}]");
}

static ts_status open_camera(void *context, ts_str device, ts_params params, void **made, ts_writer error) {
  (void)params;
  if (device.len != 0 && (device.len != 7 || memcmp(device.ptr, "pattern", 7) != 0)) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "there is no such device: open `pattern`");
  }
  camera *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for a camera");
  }
  self->host = context;
  self->width_px = 256;
  self->height_px = 128;
  self->frame_rate_hz = 100.0;
  *made = self;
  return TS_STATUS_OK;
}

static void close_camera(void *made) { free(made); }

/* Thousandths, so that no locale puts a comma where JSON wants a point. */
static ts_status settings(void *made, ts_writer out, ts_writer error) {
  (void)error;
  const camera *self = made;
  const int64_t milli_hz = llround(self->frame_rate_hz * 1000.0);
  char text[1400];
  (void)snprintf(
      text, sizeof text,
      "{\"revision\": %llu, \"settings\": ["
      "{\"key\": \"width_px\", \"type\": \"int\", \"help\": \"Width of the frames\", \"default\": 256, \"unit\": \"px\", "
      "\"min\": 16, \"max\": 4096, \"change\": \"rearm\", \"invalidates\": [\"geometry\"], \"value\": %lld, "
      "\"access\": \"rw\"}, "
      "{\"key\": \"height_px\", \"type\": \"int\", \"help\": \"Height of the frames\", \"default\": 128, \"unit\": "
      "\"px\", \"min\": 16, \"max\": 4096, \"change\": \"rearm\", \"invalidates\": [\"geometry\"], \"value\": %lld, "
      "\"access\": \"rw\"}, "
      "{\"key\": \"n_frames\", \"type\": \"int\", \"help\": \"Frames until it ends by itself; 0 never\", \"default\": 0, "
      "\"min\": 0, \"max\": 1000000000, \"change\": \"rearm\", \"value\": %lld, \"access\": \"rw\"}, "
      "{\"key\": \"frame_rate_hz\", \"type\": \"float\", \"help\": \"Frames per second of a live run\", \"default\": "
      "100.0, \"unit\": \"Hz\", \"min\": 0.1, \"max\": 10000.0, \"step\": 0.001, \"value\": %lld.%03lld, \"access\": "
      "\"rw\"}]}",
      (unsigned long long)self->revision, (long long)self->width_px, (long long)self->height_px,
      (long long)self->n_frames, (long long)(milli_hz / 1000), (long long)(milli_hz % 1000));
  return ts_write_text(out, text);
}

/* Takes an integer setting over, if it is among the values; 0 when it is outside its range. */
static int take_integer(ts_params values, const char *key, int64_t min, int64_t max, int64_t *into, int *changed) {
  const ts_param *p = ts_find_param(values, key);
  if (p == NULL) {
    return 1;
  }
  *changed = 1;
  *into = p->int_value;
  return p->kind == TS_PARAM_INT && p->int_value >= min && p->int_value <= max;
}

static ts_status set(void *made, ts_params values, ts_writer error) {
  camera *self = made;
  int64_t width = self->width_px, height = self->height_px, n_frames = self->n_frames;
  double rate = self->frame_rate_hz;
  int shape = 0;
  int fits = take_integer(values, "width_px", 16, 4096, &width, &shape) &&
             take_integer(values, "height_px", 16, 4096, &height, &shape) &&
             take_integer(values, "n_frames", 0, 1000000000, &n_frames, &shape);
  const ts_param *p = ts_find_param(values, "frame_rate_hz");
  if (p != NULL) {
    rate = round(p->float_value * 1000.0) / 1000.0;
    fits = fits && p->kind == TS_PARAM_FLOAT && rate >= 0.1 && rate <= 10000.0;
  }
  if (!fits) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "a setting is outside its range: see the settings");
  }
  if (shape && self->running) {
    return ts_fail(error, TS_STATUS_BUSY, "size and number of frames cannot change while the camera runs: stop it first");
  }
  self->width_px = width;
  self->height_px = height;
  self->n_frames = n_frames;
  self->frame_rate_hz = rate;
  self->revision++;
  return TS_STATUS_OK;
}

static ts_status format(void *made, ts_camera_format *f, ts_writer error) {
  (void)error;
  const camera *self = made;
  memset(f, 0, sizeof *f);
  f->width_px = (uint32_t)self->width_px;
  f->height_px = (uint32_t)self->height_px;
  f->pixel_format = TS_PIXEL_MONO8;
  f->significant_bits = 8;
  f->row_stride_bytes = (uint64_t)self->width_px;
  f->payload_bytes = (uint64_t)(self->width_px * self->height_px);
  f->alignment_bytes = 1;
  f->slots_wanted = 4;
  f->time_instant = TS_TIME_EXPOSURE_START;
  f->ns_per_tick = 1.0;
  f->device_id_bits = 64;
  f->n_channel_values = 2;
  f->n_frames = (uint64_t)self->n_frames;
  f->flags = self->n_frames > 0 ? TS_FORMAT_FINITE : 0u;
  return TS_STATUS_OK;
}

static ts_status channels(void *made, ts_writer out, ts_writer error) {
  (void)made;
  (void)error;
  return ts_write_text(out, "[{\"key\": \"blob_x_px\", \"unit\": \"px\", \"length\": 1}, "
                            "{\"key\": \"blob_y_px\", \"unit\": \"px\", \"length\": 1}]");
}

/* ---- Frames ---- */

static void draw(const camera *self, uint8_t *image, double x0, double y0) {
  for (int64_t y = 0; y < self->height_px; y++) {
    for (int64_t x = 0; x < self->width_px; x++) {
      const double dx = (double)x - x0, dy = (double)y - y0;
      const double blob = 150.0 * exp(-(dx * dx + dy * dy) / (2.0 * BLOB_SD_PX * BLOB_SD_PX));
      const double slope = 20.0 + 20.0 * (double)x / (double)self->width_px;
      image[y * self->width_px + x] = (uint8_t)(slope + blob + 0.5);
    }
  }
}

/* The next frame; a live camera that fell far behind begins to count anew instead of hurrying after. */
static void go_on(camera *self) {
  const int64_t earliest = now_ns(self) - period_ns(self);
  self->next++;
  self->due_ns += period_ns(self);
  if (self->due_ns < earliest) {
    self->due_ns = earliest;
  }
  if (self->next == (uint64_t)self->n_frames) {
    const ts_str nothing = {NULL, 0};
    self->ended = 1;
    self->sink->ended(self->sink->ctx, TS_ENDED_END_OF_DATA, nothing);
  }
}

static ts_status deliver(camera *self, int32_t slot, ts_writer error) {
  const double angle = 0.1 * (double)self->next;
  const double radius = 0.25 * (double)(self->width_px < self->height_px ? self->width_px : self->height_px);
  const double at[2] = {0.5 * (double)self->width_px + radius * cos(angle),
                        0.5 * (double)self->height_px + radius * sin(angle)};
  draw(self, self->sink->slots[slot], at[0], at[1]);
  const ts_frame_info info = {self->next, (int64_t)self->next * period_ns(self), -1, 0, 0, {0, 0}};
  const ts_status status = self->sink->commit(self->sink->ctx, slot, &info, at);
  if (status != TS_STATUS_OK) {
    return ts_fail(error, status, "the host refused the frame");
  }
  go_on(self);
  return TS_STATUS_OK;
}

/* Sleeps until then in short turns; 1 when `stop` came. */
static int wait_until(camera *self, int64_t then_ns) {
  while (!atomic_load(&self->stopping)) {
    const int64_t left = then_ns - now_ns(self);
    if (left <= 0) {
      return 0;
    }
    sleep_ms(left >= TURN_NS ? TURN_MS : (uint32_t)(left / 1000000 + 1));
  }
  return 1;
}

static ts_status poll_running(camera *self, int64_t timeout_ns, ts_writer error) {
  const int64_t begun = now_ns(self);
  const int64_t deadline = timeout_ns < INT64_MAX - begun ? begun + timeout_ns : INT64_MAX;
  const int lossless = self->sink->lossless != 0;
  if (self->ended) {
    return wait_until(self, deadline) ? TS_STATUS_CANCELLED : TS_STATUS_TIMED_OUT;
  }
  if (!lossless) {
    if (wait_until(self, self->due_ns < deadline ? self->due_ns : deadline)) {
      return TS_STATUS_CANCELLED;
    }
    if (now_ns(self) < self->due_ns) {
      return TS_STATUS_TIMED_OUT;
    }
  }
  while (!atomic_load(&self->stopping)) {
    const int64_t left = deadline - now_ns(self);
    const int32_t slot = self->sink->lend(self->sink->ctx, left < 0 ? 0 : left < TURN_NS ? left : TURN_NS);
    if (slot >= 0) {
      return deliver(self, slot, error);
    }
    if (!lossless && now_ns(self) >= self->due_ns + period_ns(self)) {
      self->sink->lost(self->sink->ctx, 1, TS_LOST_UNDERRUN);
      go_on(self);
      return TS_STATUS_OK;
    }
    if (now_ns(self) >= deadline) {
      return TS_STATUS_TIMED_OUT;
    }
  }
  return TS_STATUS_CANCELLED;
}

static ts_status start(void *made, const ts_camera_sink *sink, ts_writer error) {
  camera *self = made;
  if (self->running) {
    return ts_fail(error, TS_STATUS_BUSY, "the camera runs already: stop it first");
  }
  if (sink->slot_bytes < (uint64_t)(self->width_px * self->height_px)) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "the host's slots are smaller than a frame");
  }
  self->sink = sink;
  self->next = 0;
  self->due_ns = now_ns(self);
  self->ended = 0;
  self->running = 1;
  atomic_store(&self->stopping, 0);
  return TS_STATUS_OK;
}

static ts_status poll(void *made, int64_t timeout_ns, ts_writer error) {
  camera *self = made;
  atomic_store(&self->in_poll, 1);
  const int stopped = atomic_load(&self->stopping) || !self->running;
  const ts_status status = stopped ? TS_STATUS_CANCELLED : poll_running(self, timeout_ns, error);
  atomic_store(&self->in_poll, 0);
  return status;
}

static ts_status stop(void *made, ts_writer error) {
  (void)error;
  camera *self = made;
  atomic_store(&self->stopping, 1);
  while (atomic_load(&self->in_poll)) {
    sleep_ms(1);
  }
  self->running = 0;
  return TS_STATUS_OK;
}

static const ts_camera_table camera_table = {
    sizeof(ts_camera_table), 0,   enumerate, open_camera, close_camera, settings, set, format, channels, start, poll,
    stop,
};

/* ---- The library ---- */

/* The context is the host itself: its clock is what this library needs of it. */
static ts_status open_library(const ts_host *host, void **context, ts_writer error) {
  if (!TS_HAS(host, now_ns)) {
    return ts_fail(error, TS_STATUS_UNSUPPORTED, "this plugin needs a host with a clock");
  }
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
  return index == 0 ? TS_KIND_CAMERA : 0;
}

static const void *table(void *context, uint32_t index) {
  (void)context;
  return index == 0 ? &camera_table : NULL;
}

static ts_status describe(void *context, uint32_t index, ts_writer out, ts_writer error) {
  (void)context;
  if (index != 0) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "there is no such component");
  }
  return ts_write_text(
      out, "{\"id\": \"camera.your-lab.your-method\", \"name\": \"Your method\", \"version\": \"0.1.0\", "
           "\"summary\": \"A test pattern: a blob that runs round in a circle, with its true position.\", "
           "\"source\": \"none, a simulation\", \"licence\": \"MIT OR Apache-2.0\", \"isolation\": \"any\", "
           "\"capabilities\": [], \"parameters\": ["
           "]}");
}

static const ts_library_table library = {
    sizeof(ts_library_table), 0, open_library, close_library, n_components, kind, table, describe,
};

TS_PLUGIN_ENTRY(library);
