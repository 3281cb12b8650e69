/* `stage.your-lab.your-method`: a simulated focus axis that moves at constant speed in the time of the host's clock. Put
 * your controller in the place of `axle`.
 *
 * The axle belongs to the library, not to who opened it: a stage that is opened again stands where it stood. `stop` may
 * come while another call runs, so everything goes through one lock, held for a few instructions.
 */
#include "tetherscope.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT_NM 10000.0
#define MIN_SPEED 1.0
#define MAX_SPEED 100000.0

/* What all stages of the library share: the one thing that moves. */
typedef struct axle {
  const ts_host *host;
  atomic_flag lock;
  int taken;
  double from_nm, target_nm, speed_nm_per_s;
  int64_t since_ns;
  uint64_t revision;
} axle;

static void lock(axle *self) {
  while (atomic_flag_test_and_set(&self->lock)) {
  }
}

static void unlock(axle *self) { atomic_flag_clear(&self->lock); }

/* Where it is at `now`; the lock is held. */
static double place(const axle *self, int64_t now) {
  const double gone = self->speed_nm_per_s * (double)(now - self->since_ns) / 1e9;
  const double way = self->target_nm - self->from_nm;
  return gone >= fabs(way) ? self->target_nm : self->from_nm + copysign(gone, way);
}

static int64_t now_ns(const axle *self) { return self->host->now_ns(self->host->ctx); }

/* Goes on from where it is, to there, at that speed; NaN keeps what holds. */
static void go(axle *self, double target_nm, double speed_nm_per_s) {
  lock(self);
  const int64_t now = now_ns(self);
  self->from_nm = place(self, now);
  self->since_ns = now;
  if (!isnan(target_nm)) {
    self->target_nm = target_nm;
  }
  if (!isnan(speed_nm_per_s)) {
    self->speed_nm_per_s = speed_nm_per_s;
    self->revision++;
  }
  unlock(self);
}

static void halt(axle *self) {
  lock(self);
  const int64_t now = now_ns(self);
  self->from_nm = self->target_nm = place(self, now);
  self->since_ns = now;
  unlock(self);
}

/* ---- The stage's functions; an open stage is the axle ---- */

static ts_status enumerate(void *context, ts_writer out, ts_writer error) {
  (void)context;
  (void)error;
  return ts_write_text(out, "[{\"device\": \"axis\", \"name\": \"Simulated axis\", \"serial\": \"\"}]");
}

/* The speed among the parameters; NaN without, or when it is outside its range. */
static double speed_of(ts_params values) {
  const ts_param *p = ts_find_param(values, "speed_nm_per_s");
  const int fits = p != NULL && p->kind == TS_PARAM_FLOAT && p->float_value >= MIN_SPEED && p->float_value <= MAX_SPEED;
  return fits ? round(p->float_value * 1000.0) / 1000.0 : (double)NAN;
}

static ts_status open_stage(void *context, ts_str device, ts_params params, void **made, ts_writer error) {
  axle *self = context;
  if (device.len != 0 && (device.len != 4 || memcmp(device.ptr, "axis", 4) != 0)) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "there is no such device: open `axis`");
  }
  const double speed = speed_of(params);
  if (isnan(speed)) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "`speed_nm_per_s` is missing or outside its range");
  }
  lock(self);
  const int was_taken = self->taken;
  self->taken = 1;
  unlock(self);
  if (was_taken) {
    return ts_fail(error, TS_STATUS_BUSY, "the axis is in use: close it where it was opened first");
  }
  go(self, (double)NAN, speed);
  *made = self;
  return TS_STATUS_OK;
}

static void close_stage(void *made) {
  axle *self = made;
  halt(self);
  lock(self);
  self->taken = 0;
  unlock(self);
}

static ts_status axes(void *made, ts_writer out, ts_writer error) {
  (void)made;
  (void)error;
  return ts_write_text(out, "[{\"role\": \"focus\", \"unit\": \"nm\", \"min\": -10000, \"max\": 10000, "
                            "\"max_speed_per_s\": 100000}]");
}

/* Thousandths, so that no locale puts a comma where JSON wants a point. */
static ts_status settings(void *made, ts_writer out, ts_writer error) {
  (void)error;
  axle *self = made;
  lock(self);
  const unsigned long long revision = self->revision;
  const long long speed = llround(self->speed_nm_per_s * 1000.0);
  unlock(self);
  char text[512];
  (void)snprintf(text, sizeof text,
                 "{\"revision\": %llu, \"settings\": [{\"key\": \"speed_nm_per_s\", \"type\": \"float\", \"help\": "
                 "\"Speed of moves; a change holds for a move under way too\", \"default\": 10000.0, \"unit\": \"nm/s\", "
                 "\"min\": 1.0, \"max\": 100000.0, \"value\": %lld.%03lld, \"access\": \"rw\"}]}",
                 revision, speed / 1000, speed % 1000);
  return ts_write_text(out, text);
}

static ts_status set(void *made, ts_params values, ts_writer error) {
  const double speed = speed_of(values);
  if (values.len > 0 && isnan(speed)) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "`speed_nm_per_s` is the only setting, from 1 to 100000 nm/s");
  }
  go(made, (double)NAN, speed);
  return TS_STATUS_OK;
}

static ts_status check_axis(uint32_t axis, ts_writer error) {
  return axis == 0 ? TS_STATUS_OK : ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "there is one axis: use axis 0");
}

static ts_status move_to(void *made, uint32_t axis, double position, ts_writer error) {
  const ts_status status = check_axis(axis, error);
  if (status != TS_STATUS_OK) {
    return status;
  }
  if (!(position >= -LIMIT_NM && position <= LIMIT_NM)) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "the axis goes from -10000 to 10000 nm: choose a position between");
  }
  go(made, position, (double)NAN);
  return TS_STATUS_OK;
}

static ts_status position(void *made, uint32_t axis, double *at, ts_writer error) {
  axle *self = made;
  lock(self);
  *at = place(self, now_ns(self));
  unlock(self);
  return check_axis(axis, error);
}

static ts_status moving(void *made, uint32_t axis, uint32_t *is_moving, ts_writer error) {
  axle *self = made;
  lock(self);
  *is_moving = place(self, now_ns(self)) != self->target_nm;
  unlock(self);
  return check_axis(axis, error);
}

static ts_status stop(void *made, ts_writer error) {
  (void)error;
  halt(made);
  return TS_STATUS_OK;
}

static const ts_stage_table stage_table = {
    sizeof(ts_stage_table), 0,       enumerate, open_stage, close_stage, axes, settings, set,
    move_to,                position, moving,    stop,       NULL,
};

/* ---- The library ---- */

static ts_status open_library(const ts_host *host, void **context, ts_writer error) {
  if (!TS_HAS(host, now_ns)) {
    return ts_fail(error, TS_STATUS_UNSUPPORTED, "this plugin needs a host with a clock");
  }
  axle *self = calloc(1, sizeof *self);
  if (self == NULL) {
    return ts_fail(error, TS_STATUS_OUT_OF_MEMORY, "no memory for the axle");
  }
  self->host = host;
  atomic_flag_clear(&self->lock);
  *context = self;
  return TS_STATUS_OK;
}

static void close_library(void *context) { free(context); }

static uint32_t n_components(void *context) {
  (void)context;
  return 1;
}

static uint32_t kind(void *context, uint32_t index) {
  (void)context;
  return index == 0 ? TS_KIND_STAGE : 0;
}

static const void *table(void *context, uint32_t index) {
  (void)context;
  return index == 0 ? &stage_table : NULL;
}

static ts_status describe(void *context, uint32_t index, ts_writer out, ts_writer error) {
  (void)context;
  if (index != 0) {
    return ts_fail(error, TS_STATUS_INVALID_ARGUMENT, "there is no such component");
  }
  return ts_write_text(
      out, "{\"id\": \"stage.your-lab.your-method\", \"name\": \"Your method\", \"version\": \"0.1.0\", "
           "\"summary\": \"A simulated focus axis that moves at constant speed.\", "
           "\"source\": \"none, a simulation\", \"licence\": \"MIT OR Apache-2.0\", \"isolation\": \"any\", "
           "\"capabilities\": [], \"parameters\": ["
           "{\"key\": \"speed_nm_per_s\", \"type\": \"float\", \"default\": 10000.0, \"min\": 1.0, \"max\": 100000.0, \"unit\": \"nm/s\", "
           "\"help\": \"Speed of moves; a change holds for a move under way too\"}"
           "]}");
}

static const ts_library_table library = {
    sizeof(ts_library_table), 0, open_library, close_library, n_components, kind, table, describe,
};

TS_PLUGIN_ENTRY(library);
