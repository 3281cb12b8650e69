// `tracker.your-lab.your-method`: clipped centre of mass, with a radial profile. The method to put yours in the place of;
// the rest (who it is, its parameters, the memory of one thread) stays.
//
// Every pixel weighs |value - mean of the ROI|, or nothing when that is below `clip_sd` standard deviations, so that the
// flat background does not pull the centre to the middle of the ROI. The profile is the mean value over rings of 1 px.
#include "tetherscope.hpp"

namespace {

using namespace tetherscope;

// What one thread needs: all memory is taken here, none in `track`.
class Worker : public TrackerWorker {
public:
  Worker(double clip_sd, const ts_worker_config &config, uint32_t n_bins)
      : clip_sd_(clip_sd), config_(config), sums_(n_bins), counts_(n_bins) {}

  void track(const Batch &batch, TrackRows &rows) override {
    for (uint32_t i = 0; i < batch.size(); i++) {
      const Roi roi = batch.roi(i);
      if (roi.w_px() != config_.w_px || roi.h_px() != config_.h_px) {
        throw Error::invalid("the batch has another shape than the worker was made for");
      }
      TrackRow row = rows.row(i);
      center_of_mass(roi, row.fix);
      const bool profile_wanted = !row.profile.empty() || !row.weights.empty();
      if (profile_wanted && !std::isnan(row.fix.x_px)) {
        radial_profile(roi, row);
      }
    }
  }

private:
  // Fills the position; leaves it NaN and sets a flag when there is nothing to see.
  void center_of_mass(const Roi &roi, ts_fix &fix) const {
    double sum = 0, squares = 0;
    for (uint32_t y = 0; y < roi.h_px(); y++) {
      for (uint32_t x = 0; x < roi.w_px(); x++) {
        const double v = roi(x, y);
        sum += v;
        squares += v * v;
        if (v >= config_.saturation_adu) { // false while the level is unknown (NaN)
          fix.flags |= TS_FLAG_SATURATED;
        }
      }
    }
    const double n = static_cast<double>(roi.w_px()) * roi.h_px();
    const double mean = sum / n;
    const double clip = clip_sd_ * std::sqrt(std::max(squares / n - mean * mean, 0.0));
    double mass = 0, mass_x = 0, mass_y = 0;
    for (uint32_t y = 0; y < roi.h_px(); y++) {
      for (uint32_t x = 0; x < roi.w_px(); x++) {
        const double weight = std::fabs(roi(x, y) - mean);
        if (weight >= clip) {
          mass += weight;
          mass_x += weight * x;
          mass_y += weight * y;
        }
      }
    }
    if (!(mass > 0)) {
      fix.flags |= TS_FLAG_NO_SIGNAL;
      return;
    }
    fix.x_px = mass_x / mass;
    fix.y_px = mass_y / mass;
  }

  // Mean value over rings of 1 px round the bead; NaN where a ring has no pixel.
  void radial_profile(const Roi &roi, TrackRow &row) {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    std::fill(counts_.begin(), counts_.end(), 0u);
    for (uint32_t y = 0; y < roi.h_px(); y++) {
      for (uint32_t x = 0; x < roi.w_px(); x++) {
        const double dx = x - row.fix.x_px, dy = y - row.fix.y_px;
        const auto ring = static_cast<size_t>(std::sqrt(dx * dx + dy * dy));
        if (ring < sums_.size()) {
          sums_[ring] += roi(x, y);
          counts_[ring] += 1;
        }
      }
    }
    for (size_t k = 0; k < row.profile.size(); k++) {
      row.profile[k] = counts_[k] > 0 ? sums_[k] / counts_[k] : std::numeric_limits<double>::quiet_NaN();
    }
    for (size_t k = 0; k < row.weights.size(); k++) {
      row.weights[k] = static_cast<float>(counts_[k]);
    }
  }

  double clip_sd_;
  ts_worker_config config_;
  std::vector<double> sums_; // per ring
  std::vector<uint32_t> counts_;
};

// The method with its parameters. Never changes: another value is another instance.
class YourMethod : public Tracker {
public:
  static Descriptor describe() {
    Descriptor d;
    d.id = "tracker.your-lab.your-method";
    d.name = "Your method";
    d.summary = "Centre of mass of what differs from the mean of the ROI, with a radial profile.";
    d.source = "textbook";
    d.licence = "MIT OR Apache-2.0";
    d.capabilities = {"profile", "mono8", "mono16"};
    d.parameters = {
        Parameter::real("clip_sd", "Pixels nearer to the mean than this many standard deviations do not count", 2.0)
            .range(0.0, 10.0)
            .step(0.1)
            .invalidates_zlut(),
    };
    return d;
  }

  YourMethod(const Library &, const Values &values) : clip_sd_(values.real("clip_sd")) {}

  std::unique_ptr<TrackerWorker> worker(const ts_worker_config &config, ts_profile_layout &layout) const override {
    const uint32_t shorter = std::min(config.w_px, config.h_px);
    if (shorter < 4) {
      throw Error::invalid("a ROI needs at least 4 x 4 px");
    }
    layout.kind = TS_PROFILE_RADIAL;
    layout.n_bins = shorter / 2;
    layout.first_radius_px = 0.5;
    layout.step_px = 1.0;
    return std::make_unique<Worker>(clip_sd_, config, layout.n_bins);
  }

private:
  double clip_sd_;
};

} // namespace

TETHERSCOPE_PLUGIN(YourMethod);
