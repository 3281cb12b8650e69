/* The camera through a whole run: settings, frames with their true position, the end of the data, a stop, a second run. */
#include "mini_host.h"

#define N_SLOTS 2
static uint8_t memory[N_SLOTS][128 * 64];
static uint8_t *slots[N_SLOTS] = {memory[0], memory[1]};
static int lent[N_SLOTS];
static uint32_t n_frames, n_ended;

static int32_t lend(void *ctx, int64_t timeout_ns) {
  (void)ctx;
  for (int32_t i = 0; i < N_SLOTS; i++) {
    if (!lent[i]) {
      lent[i] = 1;
      return i;
    }
  }
  clock_ns += timeout_ns;
  return -1;
}
static ts_status give_back(void *ctx, int32_t slot) {
  (void)ctx;
  CHECK(lent[slot]);
  lent[slot] = 0;
  return TS_STATUS_OK;
}
/* The brightest pixel must lie where the channels say that the blob is. */
static ts_status commit(void *ctx, int32_t slot, const ts_frame_info *info, const double *channels) {
  size_t brightest = 0;
  for (size_t i = 0; i < sizeof memory[0]; i++) {
    brightest = memory[slot][i] > memory[slot][brightest] ? i : brightest;
  }
  CHECK(fabs((double)(brightest % 128) - channels[0]) <= 1.0);
  CHECK(fabs((double)(brightest / 128) - channels[1]) <= 1.0);
  CHECK(info->device_frame_id == n_frames);
  n_frames++;
  return give_back(ctx, slot);
}
static ts_status push(void *ctx, const uint8_t *payload, uint64_t len, const ts_frame_info *info, const double *channels) {
  (void)ctx, (void)payload, (void)len, (void)info, (void)channels;
  return TS_STATUS_UNSUPPORTED;
}
static void lost(void *ctx, uint64_t count, uint32_t reason) {
  (void)ctx, (void)count, (void)reason;
  CHECK(!"nothing is lost offline");
}
static void ended(void *ctx, uint32_t reason, ts_str why) {
  (void)ctx, (void)why;
  CHECK(reason == TS_ENDED_END_OF_DATA);
  n_ended++;
}

int main(void) {
  void *context, *camera;
  const ts_camera_table *t = (const ts_camera_table *)open_plugin(TS_KIND_CAMERA, &context);
  OK(t->enumerate(context, writer(&written), error_writer()));
  OK(t->open(context, str(""), params(NULL, 0), &camera, error_writer()));
  const ts_param values[] = {int_param("width_px", 128), int_param("height_px", 64), int_param("n_frames", 5)};
  OK(t->set(camera, params(values, 3), error_writer()));
  const ts_param wrong[] = {int_param("width_px", 1)};
  CHECK(t->set(camera, params(wrong, 1), error_writer()) == TS_STATUS_INVALID_ARGUMENT);
  OK(t->settings(camera, writer(&written), error_writer()));
  ts_camera_format format;
  OK(t->format(camera, &format, error_writer()));
  CHECK(format.width_px == 128 && format.height_px == 64 && format.payload_bytes <= sizeof memory[0]);
  CHECK(format.n_frames == 5 && format.n_channel_values == 2);

  const ts_camera_sink sink = {sizeof(ts_camera_sink), 1,    NULL,      slots, N_SLOTS, 2,    sizeof memory[0],
                               lend,                   commit, give_back, push,  lost,    ended};
  OK(t->stop(camera, error_writer())); /* harmless when not running */
  for (int run = 0; run < 2; run++) {
    n_frames = n_ended = 0;
    OK(t->start(camera, &sink, error_writer()));
    CHECK(t->set(camera, params(values, 1), error_writer()) == TS_STATUS_BUSY);
    while (n_ended == 0) {
      OK(t->poll(camera, 1000000, error_writer()));
    }
    CHECK(n_frames == 5 && n_ended == 1);
    OK(t->stop(camera, error_writer()));
    CHECK(t->poll(camera, 1000000, error_writer()) == TS_STATUS_CANCELLED && n_frames == 5);
    CHECK(!lent[0] && !lent[1]);
  }
  t->close(camera);
  close_plugin(context);
  puts("ok");
  return 0;
}
