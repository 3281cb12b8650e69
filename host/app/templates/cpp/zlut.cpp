// `zlut.your-lab.your-method`: the plane whose profile is nearest, and a parabola through the distances of it and its two
// neighbours. The method to put yours in the place of.
//
// Profiles are compared whatever their brightness and contrast: each is shifted and scaled to mean 0 and variance 1. The
// distance is the mean squared difference: 0 for the same profile, 2 for one that has nothing to do with it. The innermost
// bin has a few pixels only and would bring the most noise: it is left out.
#include "tetherscope.hpp"

namespace {

using namespace tetherscope;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kFewestBins = 4;
constexpr size_t kFewestPlanes = 3;

// Shifts and scales the finite bins to mean 0 and variance 1, the innermost to none; false when there are too few, or they
// are all the same.
bool normalise(Span<const double> from, double *to) {
  double sum = 0, squares = 0;
  size_t n = 0;
  for (size_t k = 1; k < from.size(); k++) {
    const double v = from[k];
    if (std::isfinite(v)) {
      sum += v;
      n++;
    }
  }
  const double mean = sum / static_cast<double>(n);
  for (size_t k = 1; k < from.size(); k++) {
    const double v = from[k];
    squares += std::isfinite(v) ? (v - mean) * (v - mean) : 0.0;
  }
  if (n < kFewestBins || !(squares > 0)) {
    return false;
  }
  const double scale = 1.0 / std::sqrt(squares / static_cast<double>(n));
  to[0] = kNan;
  for (size_t k = 1; k < from.size(); k++) {
    to[k] = std::isfinite(from[k]) ? (from[k] - mean) * scale : kNan;
  }
  return true;
}

// Mean squared difference over the bins that both have; infinite when these are too few.
double distance(const double *a, const double *b, size_t n_bins) {
  double sum = 0;
  size_t n = 0;
  for (size_t k = 0; k < n_bins; k++) {
    const double d = a[k] - b[k];
    if (!std::isnan(d)) {
      sum += d * d;
      n++;
    }
  }
  return n >= kFewestBins ? sum / static_cast<double>(n) : std::numeric_limits<double>::infinity();
}

// The planes as they were recorded, and the same normalised.
class Table : public ZlutTable {
public:
  Table(std::vector<double> z_nm, std::vector<double> profiles, size_t n) : n_bins(n), normalised(profiles.size()) {
    if (n_bins < kFewestBins || z_nm.size() < kFewestPlanes || profiles.size() != z_nm.size() * n_bins) {
      throw Error::invalid("a Z-LUT needs 3 planes of 4 bins at least, and as many values as planes times bins");
    }
    for (size_t i = 0; i < z_nm.size(); i++) {
      if (!std::isfinite(z_nm[i]) || (i > 0 && z_nm[i] <= z_nm[i - 1])) {
        throw Error::invalid("z of the Z-LUT must be finite and rise from plane to plane");
      }
      if (!normalise({&profiles[i * n_bins], n_bins}, &normalised[i * n_bins])) {
        throw Error::invalid("a plane of the Z-LUT has no contrast: record the sweep again, with a bead in the ROI");
      }
    }
    saved.z_nm = std::move(z_nm);
    saved.profiles = std::move(profiles);
  }
  SavedTable save() const override { return saved; }

  SavedTable saved;
  size_t n_bins;
  std::vector<double> normalised;
};

class Worker : public ZlutWorker {
public:
  Worker(double max_distance, size_t n_bins) : max_distance_(max_distance), profile_(n_bins) {}

  void lookup(const Batch &, LookupRows &rows) override {
    for (uint32_t i = 0; i < rows.size(); i++) {
      const LookupRow row = rows.row(i);
      const Table &table = row.table<Table>();
      if (row.profile.size() != profile_.size() || table.n_bins != profile_.size()) {
        throw Error::invalid("profile and Z-LUT differ in length: record the Z-LUT with the ROI size of the measurement");
      }
      if (!std::isnan(row.fix.x_px) && !std::isnan(row.fix.y_px)) {
        lookup_one(row, table);
      }
    }
  }

private:
  void lookup_one(const LookupRow &row, const Table &table) {
    if (!normalise(row.profile, profile_.data())) {
      row.fix.flags |= TS_FLAG_LOW_CONTRAST;
      return;
    }
    const std::vector<double> &z = table.saved.z_nm;
    const auto to_plane = [&](size_t i) { return distance(profile_.data(), &table.normalised[i * table.n_bins], table.n_bins); };
    size_t best = 0;
    double nearest = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < z.size(); i++) {
      const double d = to_plane(i);
      if (d < nearest) {
        nearest = d;
        best = i;
      }
    }
    row.fix.quality = static_cast<float>(std::max(1.0 - nearest / 2.0, 0.0));
    if (!(nearest <= max_distance_)) {
      row.fix.flags |= TS_FLAG_LOW_CONTRAST;
      return;
    }
    if (best == 0 || best + 1 == z.size()) {
      row.fix.flags |= TS_FLAG_OUTSIDE_ZLUT;
      return;
    }
    // The parabola through three points that need not be equally far apart.
    const double left = z[best - 1] - z[best], right = z[best + 1] - z[best];
    const double at_left = (to_plane(best - 1) - nearest) / left, at_right = (to_plane(best + 1) - nearest) / right;
    const double curvature = (at_right - at_left) / (right - left);
    const double z_nm = z[best] - (at_left - curvature * left) / (2.0 * curvature);
    if (!(curvature > 0) || !(z_nm >= z[best - 1] && z_nm <= z[best + 1])) {
      row.fix.flags |= TS_FLAG_NOT_CONVERGED;
      return;
    }
    row.fix.z_nm = z_nm;
  }

  double max_distance_;
  std::vector<double> profile_;
};

class YourMethod : public ZlutStrategy {
public:
  static Descriptor describe() {
    Descriptor d;
    d.id = "zlut.your-lab.your-method";
    d.name = "Your method";
    d.summary = "The plane whose profile is nearest, and a parabola through the distances of its neighbours.";
    d.source = "textbook";
    d.licence = "MIT OR Apache-2.0";
    d.parameters = {
        Parameter::real("max_distance", "A profile farther than this from every plane has no z; 0 same, 2 unrelated", 0.5)
            .range(0.0, 4.0)
            .step(0.05),
    };
    return d;
  }

  YourMethod(const Library &, const Values &values) : max_distance_(values.real("max_distance")) {}

  // The plain mean of the tracked frames of each plane.
  std::unique_ptr<ZlutTable> build(const Sweep &sweep) const override {
    const size_t n_bins = sweep.layout.n_bins;
    std::vector<double> z_nm, profiles, sums(n_bins);
    std::vector<size_t> counts(n_bins);
    const std::vector<size_t> order = sweep.by_focus();
    for (size_t first = 0; first < order.size();) {
      const double z = sweep.focus_nm[order[first]];
      std::fill(sums.begin(), sums.end(), 0.0);
      std::fill(counts.begin(), counts.end(), size_t{0});
      bool tracked = false;
      for (; first < order.size() && sweep.focus_nm[order[first]] == z; first++) {
        const Span<const double> profile = sweep.profile(order[first]);
        if (std::isnan(sweep.fixes[order[first]].x_px)) {
          continue;
        }
        tracked = true;
        for (size_t k = 0; k < profile.size(); k++) {
          if (std::isfinite(profile[k])) {
            sums[k] += profile[k];
            counts[k]++;
          }
        }
      }
      if (tracked) {
        z_nm.push_back(z);
        for (size_t k = 0; k < n_bins; k++) {
          profiles.push_back(counts[k] > 0 ? sums[k] / static_cast<double>(counts[k]) : kNan);
        }
      }
    }
    return std::make_unique<Table>(std::move(z_nm), std::move(profiles), n_bins);
  }

  std::unique_ptr<ZlutTable> load(const TableParts &parts) const override {
    return std::make_unique<Table>(std::vector<double>(parts.z_nm.begin(), parts.z_nm.end()),
                                   std::vector<double>(parts.profiles.begin(), parts.profiles.end()), parts.layout.n_bins);
  }

  std::unique_ptr<ZlutWorker> worker(const ts_worker_config &, const ts_profile_layout &layout) const override {
    if (layout.n_bins < kFewestBins) {
      throw Error::invalid("the tracker makes profiles of fewer than 4 bins: take one that makes profiles");
    }
    return std::make_unique<Worker>(max_distance_, layout.n_bins);
  }

private:
  double max_distance_;
};

} // namespace

TETHERSCOPE_PLUGIN(YourMethod);
