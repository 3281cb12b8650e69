/* A frame with simulated beads at known places, and an empty one with noise: the finder must find those and nothing else. */
#include "mini_host.h"

#define W 200u
#define H 150u
#define N 4u
#define TOLERANCE_PX 1.5

static uint8_t frame[W * H];

static uint32_t find(const ts_finder_table *t, void *instance, ts_hit *found, uint32_t most) {
  const ts_image image = {frame, sizeof frame, W, W, H, TS_PIXEL_MONO8, 8, {0, 0}};
  static text progress;
  OK(t->find(instance, &image, NULL, writer(&progress), writer(&written), error_writer()));
  const uint32_t n = (uint32_t)(written.len / sizeof(ts_hit));
  memcpy(found, written.bytes, sizeof(ts_hit) * (n < most ? n : most));
  return n;
}

/* A grey of 60 with noise of a fixed seed. */
static void noise(void) {
  uint32_t state = 1;
  for (uint32_t i = 0; i < W * H; i++) {
    state = state * 1664525u + 1013904223u;
    frame[i] = (uint8_t)(57 + (state >> 24) % 7);
  }
}

int main(void) {
  const double at[N][2] = {{40, 30}, {150.4, 40.2}, {60, 110}, {160, 120}};
  void *context, *instance;
  const ts_finder_table *t = (const ts_finder_table *)open_plugin(TS_KIND_FINDER, &context);
  const ts_param values[] = {int_param("diameter_px", 24), float_param("threshold_sd", 1.0),
                             float_param("least_of_best", 0.5)};
  OK(t->create(context, params(values, 3), &instance, error_writer()));

  ts_hit found[N];
  noise();
  CHECK(find(t, instance, found, N) == 0);
  for (uint32_t i = 0; i < N; i++) {
    draw_bead(frame, W, H, at[i][0], at[i][1], 1.5);
  }
  CHECK(find(t, instance, found, N) == N);
  for (uint32_t i = 0; i < N; i++) {
    uint32_t near = 0;
    for (uint32_t k = 0; k < N; k++) {
      near += hypot(found[k].x_px - at[i][0], found[k].y_px - at[i][1]) < TOLERANCE_PX;
    }
    CHECK(near == 1);
    CHECK(i == 0 || found[i].score <= found[i - 1].score);
  }
  t->destroy(instance);
  close_plugin(context);
  puts("ok");
  return 0;
}
