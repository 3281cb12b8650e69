// `finder.your-lab.your-method`: beads are spots that differ from the background, whether brighter or darker. The method to
// put yours in the place of; it needs even illumination.
//
// |value - median of the frame| is averaged over a square of the bead's size. Maxima that stand out from the noise (told by
// the differences of neighbouring pixels, so that a crowded frame does not hide its beads) and from the strongest one are
// taken, the strongest first; those within a diameter of a stronger one are dropped. The centre of mass of what deviates
// then gives the position.
#include "tetherscope.hpp"

namespace {

using namespace tetherscope;

// Standard deviation of normal noise per median absolute difference of two pixels.
constexpr double kSdPerDifference = 1.0484;
// Mean absolute deviation of normal noise per standard deviation.
constexpr double kDeviationOfNoise = 0.7979;
// Noise that every image has by its whole numbers, in ADU.
constexpr double kRounding = 0.29;

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// A grey image of doubles.
struct Grey {
  size_t w, h;
  std::vector<double> at;
  Grey(size_t width, size_t height) : w(width), h(height), at(width * height) {}
};

// The standard deviation of the noise, from the differences of neighbours in a row.
double noise_of(const Grey &image) {
  std::vector<double> differences;
  differences.reserve(image.at.size());
  for (size_t i = 0; i + 1 < image.at.size(); i++) {
    if ((i + 1) % image.w != 0) {
      differences.push_back(std::fabs(image.at[i + 1] - image.at[i]));
    }
  }
  return differences.empty() ? kRounding : std::max(kSdPerDifference * median(std::move(differences)), kRounding);
}

// The mean over squares of side 2 * half + 1, cut at the edges: sums of rows and columns of all before.
Grey box_mean(const Grey &from, size_t half, const FindJob &job) {
  std::vector<double> sums((from.w + 1) * (from.h + 1));
  for (size_t y = 0; y < from.h; y++) {
    double row = 0;
    for (size_t x = 0; x < from.w; x++) {
      row += from.at[y * from.w + x];
      sums[(y + 1) * (from.w + 1) + x + 1] = sums[y * (from.w + 1) + x + 1] + row;
    }
  }
  Grey out(from.w, from.h);
  for (size_t y = 0; y < from.h; y++) {
    job.check_cancelled();
    const size_t top = y > half ? y - half : 0, bottom = std::min(y + half + 1, from.h);
    for (size_t x = 0; x < from.w; x++) {
      const size_t left = x > half ? x - half : 0, right = std::min(x + half + 1, from.w), n = from.w + 1;
      const double sum = sums[bottom * n + right] - sums[top * n + right] - sums[bottom * n + left] + sums[top * n + left];
      out.at[y * from.w + x] = sum / static_cast<double>((bottom - top) * (right - left));
    }
  }
  return out;
}

class YourMethod : public BeadFinder {
public:
  static Descriptor describe() {
    Descriptor d;
    d.id = "finder.your-lab.your-method";
    d.name = "Your method";
    d.summary = "Spots that differ from an even background, the strongest first.";
    d.source = "textbook";
    d.licence = "MIT OR Apache-2.0";
    d.capabilities = {"mono8", "mono16"};
    d.parameters = {
        Parameter::integer("diameter_px", "Size of a bead with its rings; a seed's size is taken instead", 24)
            .unit("px")
            .range(3, 512),
        Parameter::real("threshold_sd",
                        "How far a bead deviates more than noise does, in standard deviations of the noise", 1.0)
            .range(0.1, 1000.0),
        Parameter::real("least_of_best", "How strong a bead is at least, as a part of the strongest", 0.5).range(0.0, 1.0),
    };
    return d;
  }

  YourMethod(const Library &, const Values &values)
      : diameter_px_(values.integer("diameter_px")), threshold_sd_(values.real("threshold_sd")),
        least_of_best_(values.real("least_of_best")) {}

  std::vector<ts_hit> find(const Roi &image, const ts_rect *seed, const FindJob &job) const override {
    const size_t diameter = seed != nullptr ? std::max<size_t>(std::min(seed->w_px, seed->h_px), 3)
                                            : static_cast<size_t>(diameter_px_);
    Grey deviation(image.w_px(), image.h_px());
    if (deviation.at.empty()) {
      return {};
    }
    for (uint32_t y = 0; y < image.h_px(); y++) {
      for (uint32_t x = 0; x < image.w_px(); x++) {
        deviation.at[y * deviation.w + x] = image(x, y);
      }
    }
    const double noise = noise_of(deviation);
    const double background = median(deviation.at);
    for (double &v : deviation.at) {
      v = std::fabs(v - background);
    }
    job.progress(0.2);
    Grey score = box_mean(deviation, diameter / 2, job);
    for (double &v : score.at) {
      v = v / noise - kDeviationOfNoise;
    }
    job.progress(0.5);
    std::vector<ts_hit> hits = candidates(score, job);
    job.progress(0.8);
    return strongest(std::move(hits), deviation, diameter, job);
  }

private:
  // Maxima among their neighbours that stand out, the strongest first. The score says how far the deviation round a pixel
  // is above that of noise alone, in standard deviations of the noise.
  std::vector<ts_hit> candidates(const Grey &score, const FindJob &job) const {
    const double best = *std::max_element(score.at.begin(), score.at.end());
    const double threshold = std::max(threshold_sd_, least_of_best_ * best);
    std::vector<ts_hit> hits;
    for (size_t y = 0; y < score.h; y++) {
      job.check_cancelled();
      for (size_t x = 0; x < score.w; x++) {
        const double here = score.at[y * score.w + x];
        if (here >= threshold && is_maximum(score, x, y)) {
          hits.push_back({static_cast<double>(x), static_cast<double>(y), here, 0, 0});
        }
      }
    }
    std::stable_sort(hits.begin(), hits.end(), [](const ts_hit &a, const ts_hit &b) { return a.score > b.score; });
    return hits;
  }

  static bool is_maximum(const Grey &score, size_t x, size_t y) {
    const double here = score.at[y * score.w + x];
    for (size_t v = y > 0 ? y - 1 : 0; v < std::min(y + 2, score.h); v++) {
      for (size_t u = x > 0 ? x - 1 : 0; u < std::min(x + 2, score.w); u++) {
        if (score.at[v * score.w + u] > here) {
          return false;
        }
      }
    }
    return true;
  }

  // Keeps hits that have no stronger one within a diameter, each moved to the centre of mass of what deviates.
  static std::vector<ts_hit> strongest(std::vector<ts_hit> hits, const Grey &deviation, size_t diameter, const FindJob &job) {
    std::vector<ts_hit> kept;
    std::vector<std::pair<double, double>> taken;
    const auto d = static_cast<double>(diameter);
    for (const ts_hit &hit : hits) {
      job.check_cancelled();
      const auto near = [&](const auto &p) { return std::hypot(p.first - hit.x_px, p.second - hit.y_px) < d; };
      if (std::any_of(taken.begin(), taken.end(), near)) {
        continue;
      }
      taken.emplace_back(hit.x_px, hit.y_px);
      kept.push_back(centred(hit, deviation, diameter / 2));
    }
    return kept;
  }

  static ts_hit centred(ts_hit hit, const Grey &deviation, size_t half) {
    const auto x0 = static_cast<size_t>(hit.x_px), y0 = static_cast<size_t>(hit.y_px);
    double mass = 0, mass_x = 0, mass_y = 0;
    for (size_t y = y0 > half ? y0 - half : 0; y < std::min(y0 + half + 1, deviation.h); y++) {
      for (size_t x = x0 > half ? x0 - half : 0; x < std::min(x0 + half + 1, deviation.w); x++) {
        const double v = deviation.at[y * deviation.w + x];
        mass += v;
        mass_x += v * static_cast<double>(x);
        mass_y += v * static_cast<double>(y);
      }
    }
    const bool at_border = x0 < half || y0 < half || x0 + half >= deviation.w || y0 + half >= deviation.h;
    hit.flags = at_border ? TS_FLAG_AT_BORDER : 0;
    if (mass > 0) {
      hit.x_px = mass_x / mass;
      hit.y_px = mass_y / mass;
    }
    return hit;
  }

  int64_t diameter_px_;
  double threshold_sd_, least_of_best_;
};

} // namespace

TETHERSCOPE_PLUGIN(YourMethod);
