/* Simulated beads at known places: the tracker must find them, whatever lies beside them in the batch. */
#include "mini_host.h"

#define W 40u
#define N 4u
/* How far a centre of mass may be off: only some tens of pixels pass the clip, so their grid shows. */
#define TOLERANCE_PX 0.3

int main(void) {
  const double at[N][2] = {{19.5, 19.5}, {20.25, 18.75}, {18.5, 20.1}, {0, 0}};
  static uint8_t frame[N * W * W];
  memset(frame, 60, sizeof frame);
  for (uint32_t i = 0; i + 1 < N; i++) { /* the last ROI stays empty */
    draw_bead(frame + i * W * W, W, W, at[i][0], at[i][1], 1.5);
  }
  const uint64_t offsets[N] = {0, W * W, 2 * W * W, 3 * W * W}, frames[N] = {0, 0, 0, 0};
  const uint32_t beads[N] = {0, 1, 2, 3};
  const ts_batch batch = {frame, sizeof frame, offsets, W, 1, N, W, W, TS_PIXEL_MONO8, 0, beads, frames, {0, 0, 0, 0}};

  void *context, *instance, *worker;
  const ts_tracker_table *t = (const ts_tracker_table *)open_plugin(TS_KIND_TRACKER, &context);
  const ts_param values[] = {float_param("clip_sd", 2.0)};
  OK(t->create(context, params(values, 1), &instance, error_writer()));
  const ts_worker_config config = mono8_config(W, W, N);
  ts_profile_layout layout;
  OK(t->worker(instance, &config, &worker, &layout, error_writer()));
  CHECK(layout.n_bins == W / 2);

  ts_fix fixes[N];
  static double profiles[N * W / 2];
  static float weights[N * W / 2];
  for (uint32_t i = 0; i < N; i++) {
    fixes[i] = empty_fix();
  }
  const ts_track_output output = {fixes, profiles, weights, layout.n_bins, N, {0, 0}};
  OK(t->track(worker, &batch, &output, error_writer()));
  for (uint32_t i = 0; i + 1 < N; i++) {
    printf("bead %u: (%.3f, %.3f), is at (%.3f, %.3f)\n", i, fixes[i].x_px, fixes[i].y_px, at[i][0], at[i][1]);
    CHECK(fabs(fixes[i].x_px - at[i][0]) < TOLERANCE_PX && fabs(fixes[i].y_px - at[i][1]) < TOLERANCE_PX);
    CHECK(fixes[i].flags == 0);
    CHECK(profiles[i * layout.n_bins] > 120 && weights[i * layout.n_bins + 5] > 20);
  }
  CHECK(isnan(fixes[N - 1].x_px) && fixes[N - 1].flags == TS_FLAG_NO_SIGNAL);

  t->free_worker(worker);
  t->destroy(instance);
  close_plugin(context);
  puts("ok");
  return 0;
}
