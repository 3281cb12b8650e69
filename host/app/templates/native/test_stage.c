/* The stage on a clock that the test puts forward: it arrives, stops on the way, keeps to its limits and its place. */
#include "mini_host.h"

static const ts_stage_table *t;
static void *stage;

static double position(void) {
  double at = (double)NAN;
  OK(t->position(stage, 0, &at, error_writer()));
  return at;
}
static uint32_t moving(void) {
  uint32_t is = 7;
  OK(t->moving(stage, 0, &is, error_writer()));
  return is;
}

int main(void) {
  void *context;
  t = (const ts_stage_table *)open_plugin(TS_KIND_STAGE, &context);
  const ts_param speed[] = {float_param("speed_nm_per_s", 1000.0)};
  OK(t->open(context, str(""), params(speed, 1), &stage, error_writer()));
  OK(t->axes(stage, writer(&written), error_writer()));
  CHECK(position() == 0 && !moving());

  OK(t->move_to(stage, 0, 500.0, error_writer()));
  CHECK(moving());
  clock_ns += 250000000;
  CHECK(fabs(position() - 250.0) < 1e-6 && moving());
  clock_ns += 250000000;
  CHECK(position() == 500.0 && !moving());

  OK(t->move_to(stage, 0, -500.0, error_writer()));
  clock_ns += 100000000;
  OK(t->stop(stage, error_writer()));
  clock_ns += 100000000;
  CHECK(fabs(position() - 400.0) < 1e-6 && !moving());
  CHECK(t->move_to(stage, 0, 1e6, error_writer()) == TS_STATUS_INVALID_ARGUMENT && !moving());
  CHECK(t->move_to(stage, 1, 0.0, error_writer()) == TS_STATUS_INVALID_ARGUMENT);

  OK(t->settings(stage, writer(&written), error_writer()));
  void *second;
  CHECK(t->open(context, str(""), params(speed, 1), &second, error_writer()) == TS_STATUS_BUSY);
  t->close(stage);
  OK(t->open(context, str(""), params(speed, 1), &stage, error_writer()));
  CHECK(fabs(position() - 400.0) < 1e-6);
  t->close(stage);
  close_plugin(context);
  puts("ok");
  return 0;
}
