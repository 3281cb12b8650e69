/* A sweep of simulated profiles whose z is known: the strategy must find z between the planes, refuse what does not fit,
 * and give the same after a save and a load.
 */
#include "mini_host.h"

#define N_BINS 20u
#define N_PLANES 21u
#define STEP_NM 50.0
/* A parabola through planes 50 nm apart is not the true curve, but nearer than this. */
#define TOLERANCE_NM 5.0

/* The profile of a bead at z: rings that move outwards as it goes out of focus. */
static void profile_at(double z_nm, double *profile) {
  for (uint32_t k = 0; k < N_BINS; k++) {
    profile[k] = 100.0 + 50.0 * cos((k + 0.5) * (0.4 + z_nm / 5000.0)) * exp(-(double)k / 12.0);
  }
}

static double look_up(const ts_zlut_strategy_table *t, void *worker, const void *table, const double *profile, uint32_t *flags) {
  ts_fix fix = empty_fix();
  fix.x_px = fix.y_px = 20.0;
  ts_batch batch;
  memset(&batch, 0, sizeof batch);
  batch.n_rois = 1;
  const ts_lookup lookup = {&table, &fix, profile, NULL, N_BINS, 1, {0, 0}};
  OK(t->lookup(worker, &batch, &lookup, error_writer()));
  *flags = fix.flags;
  return fix.z_nm;
}

int main(void) {
  /* Two frames of each plane, from the last to the first; one of them was not tracked. */
  static double focus[2 * N_PLANES], profiles[2 * N_PLANES * N_BINS];
  static ts_fix fixes[2 * N_PLANES];
  for (uint32_t i = 0; i < 2 * N_PLANES; i++) {
    focus[i] = STEP_NM * (N_PLANES - 1 - i / 2);
    profile_at(focus[i], profiles + i * N_BINS);
    fixes[i] = empty_fix();
    fixes[i].x_px = fixes[i].y_px = i == 5 ? (double)NAN : 20.0;
  }
  ts_sweep sweep;
  memset(&sweep, 0, sizeof sweep);
  sweep.batch.n_rois = 2 * N_PLANES;
  sweep.focus_nm = focus;
  sweep.fixes = fixes;
  sweep.profiles = profiles;
  const ts_profile_layout layout = {N_BINS, TS_PROFILE_RADIAL, 0.5, 1.0, {0, 0}};
  sweep.layout = layout;
  sweep.config = mono8_config(40, 40, 1);

  void *context, *instance, *table, *worker;
  const ts_zlut_strategy_table *t = (const ts_zlut_strategy_table *)open_plugin(TS_KIND_ZLUT, &context);
  const ts_param values[] = {float_param("max_distance", 0.5)};
  OK(t->create(context, params(values, 1), &instance, error_writer()));
  OK(t->build(instance, &sweep, &table, error_writer()));
  OK(t->worker(instance, &sweep.config, &layout, &worker, error_writer()));

  double profile[N_BINS];
  uint32_t flags;
  for (double z = 60.0; z < 950.0; z += 77.0) {
    profile_at(z, profile);
    for (uint32_t k = 0; k < N_BINS; k++) { /* brighter light changes nothing */
      profile[k] = 1.7 * profile[k] + 12.0;
    }
    const double found = look_up(t, worker, table, profile, &flags);
    printf("z %.1f nm, found %.1f nm\n", z, found);
    CHECK(fabs(found - z) < TOLERANCE_NM && flags == 0);
  }
  profile_at(-400.0, profile);
  CHECK(isnan(look_up(t, worker, table, profile, &flags)) && flags == TS_FLAG_OUTSIDE_ZLUT);
  memset(profile, 0, sizeof profile);
  CHECK(isnan(look_up(t, worker, table, profile, &flags)) && flags == TS_FLAG_LOW_CONTRAST);

  static text z_nm, planes, variance, bytes;
  const ts_table_sink sink = {writer(&z_nm), writer(&planes), writer(&variance), writer(&bytes), {0, 0, 0, 0}};
  OK(t->save(table, &sink, error_writer()));
  CHECK(z_nm.len == N_PLANES * sizeof(double) && planes.len == N_PLANES * N_BINS * sizeof(double));
  static double saved_z[N_PLANES], saved_profiles[N_PLANES * N_BINS];
  memcpy(saved_z, z_nm.bytes, sizeof saved_z);
  memcpy(saved_profiles, planes.bytes, sizeof saved_profiles);
  ts_table_parts parts;
  memset(&parts, 0, sizeof parts);
  parts.z_nm = saved_z;
  parts.profiles = saved_profiles;
  parts.n_planes = N_PLANES;
  parts.layout = layout;
  parts.config = sweep.config;
  void *loaded;
  OK(t->load(instance, &parts, &loaded, error_writer()));
  profile_at(333.0, profile);
  CHECK(look_up(t, worker, loaded, profile, &flags) == look_up(t, worker, table, profile, &flags));
  saved_z[3] = saved_z[2];
  void *refused;
  CHECK(t->load(instance, &parts, &refused, error_writer()) == TS_STATUS_INVALID_ARGUMENT);

  t->free_worker(worker);
  t->free_table(loaded);
  t->free_table(table);
  t->destroy(instance);
  close_plugin(context);
  puts("ok");
  return 0;
}
