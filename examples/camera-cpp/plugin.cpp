// `camera.example.pattern`: a test pattern instead of a device: a bright blob that runs round in a circle on a slope of
// grey, with its true position beside each frame. Put your vendor's SDK in the place of `draw` and of the clock.
//
// Live, frame k is there at k / frame_rate_hz; one that finds no free slot until the next is due is told as lost. Offline
// (`lossless`) it waits for slots and drops nothing. `stop` may come while `poll` waits, and wakes it.
#include "tetherscope.hpp"

#include <condition_variable>
#include <mutex>

namespace {

using namespace tetherscope;
using std::chrono::nanoseconds;

// `lend` does not hear `stop`, so it is asked in short turns.
constexpr nanoseconds kTurn = std::chrono::milliseconds(5);
constexpr double kBlobSdPx = 3.0;

struct Options {
  int64_t width_px = 256, height_px = 128, n_frames = 0;
  double frame_rate_hz = 100.0;
  int64_t period_ns() const { return static_cast<int64_t>(1e9 / frame_rate_hz); }
};

class PatternMethod : public Camera {
public:
  static Descriptor describe() {
    Descriptor d;
    d.id = "camera.example.pattern";
    d.name = "Pattern";
    d.summary = "A test pattern: a blob that runs round in a circle, with its true position.";
    d.source = "none, a simulation";
    d.licence = "MIT OR Apache-2.0";
    return d;
  }

  static std::vector<Device> enumerate(const Library &) { return {{"pattern", "Test pattern", ""}}; }

  PatternMethod(const Library &library, const std::string &device, const Values &) : host_(library.host) {
    if (!device.empty() && device != "pattern") {
      throw Error::invalid("there is no device `" + device + "`: open `pattern`");
    }
  }

  Settings settings() const override {
    const Options o;
    const auto side = [](const char *key, const char *help, int64_t standard) {
      return Parameter::integer(key, help, standard).unit("px").range(16, 4096).change(Change::rearm).invalidates_geometry();
    };
    const auto n_frames = Parameter::integer("n_frames", "Frames until it ends by itself; 0 never", o.n_frames);
    const auto rate = Parameter::real("frame_rate_hz", "Frames per second of a live run", o.frame_rate_hz);
    return {revision_,
            {{side("width_px", "Width of the frames", o.width_px), Value::of(options_.width_px)},
             {side("height_px", "Height of the frames", o.height_px), Value::of(options_.height_px)},
             {Parameter(n_frames).range(0, 1e9).change(Change::rearm), Value::of(options_.n_frames)},
             {Parameter(rate).unit("Hz").range(0.1, 10000), Value::of(options_.frame_rate_hz)}}};
  }

  void set(const Values &values) override {
    Options next = options_;
    const bool shape = values.has("width_px") || values.has("height_px") || values.has("n_frames");
    if (shape && running_) {
      throw Error::busy("size and number of frames cannot change while the camera runs: stop it first");
    }
    next.width_px = values.has("width_px") ? values.integer("width_px") : next.width_px;
    next.height_px = values.has("height_px") ? values.integer("height_px") : next.height_px;
    next.n_frames = values.has("n_frames") ? values.integer("n_frames") : next.n_frames;
    next.frame_rate_hz = values.has("frame_rate_hz") ? values.real("frame_rate_hz") : next.frame_rate_hz;
    options_ = next;
    revision_++;
  }

  ts_camera_format format() const override {
    const auto w = static_cast<uint32_t>(options_.width_px), h = static_cast<uint32_t>(options_.height_px);
    ts_camera_format f = packed_format(w, h, TS_PIXEL_MONO8, 8);
    f.time_instant = TS_TIME_EXPOSURE_START;
    f.ns_per_tick = 1.0;
    f.device_id_bits = 64;
    f.n_channel_values = 2;
    f.n_frames = static_cast<uint64_t>(options_.n_frames);
    f.flags = options_.n_frames > 0 ? TS_FORMAT_FINITE : 0u;
    return f;
  }

  std::vector<Channel> channels() const override { return {{"blob_x_px", "px", 1}, {"blob_y_px", "px", 1}}; }

  void start(FrameSink sink) override {
    if (running_) {
      throw Error::busy("the camera runs already: stop it first");
    }
    if (sink.slot_bytes() < format().payload_bytes) {
      throw Error::invalid("the host's slots are smaller than a frame");
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    sink_ = sink;
    next_ = 0;
    due_ns_ = host_.now_ns();
    ended_ = false;
    stopping_ = false;
    running_ = true;
  }

  Polled poll(nanoseconds timeout) override {
    const std::lock_guard<std::mutex> in_use(polling_); // held as long as the sink is used: `stop` waits for it
    if (!running_) {
      return Polled::cancelled;
    }
    const int64_t deadline = host_.now_ns() + timeout.count();
    const auto late = [](int64_t when, int64_t now) { return nanoseconds(std::max<int64_t>(when - now, 0)); };
    if (ended_) {
      return wait(timeout) ? Polled::cancelled : Polled::timed_out;
    }
    if (!sink_.lossless()) {
      if (wait(late(std::min(due_ns_, deadline), host_.now_ns()))) {
        return Polled::cancelled;
      }
      if (host_.now_ns() < due_ns_) {
        return Polled::timed_out;
      }
    }
    while (true) {
      if (wait(nanoseconds(0))) {
        return Polled::cancelled;
      }
      const int64_t now = host_.now_ns();
      if (Slot slot = sink_.lend(std::min(late(deadline, now), kTurn))) {
        deliver(std::move(slot));
        return Polled::delivered;
      }
      if (!sink_.lossless() && host_.now_ns() >= due_ns_ + options_.period_ns()) {
        sink_.lost(1, TS_LOST_UNDERRUN);
        go_on();
        return Polled::delivered;
      }
      if (host_.now_ns() >= deadline) {
        return Polled::timed_out;
      }
    }
  }

  void stop() override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    bell_.notify_all();
    const std::lock_guard<std::mutex> in_use(polling_);
    running_ = false;
  }

private:
  // Waits that long, or until `stop` comes; true when it came.
  bool wait(nanoseconds time) {
    std::unique_lock<std::mutex> lock(mutex_);
    return bell_.wait_for(lock, std::min<nanoseconds>(time, std::chrono::hours(1)), [this] { return stopping_; });
  }

  void deliver(Slot slot) {
    const double angle = 0.1 * static_cast<double>(next_);
    const double radius = 0.25 * static_cast<double>(std::min(options_.width_px, options_.height_px));
    const double at[2] = {0.5 * static_cast<double>(options_.width_px) + radius * std::cos(angle),
                          0.5 * static_cast<double>(options_.height_px) + radius * std::sin(angle)};
    draw(slot.bytes(), at[0], at[1]);
    slot.commit(frame_info(next_, static_cast<int64_t>(next_) * options_.period_ns()), at, 2);
    go_on();
  }

  void draw(Span<uint8_t> bytes, double x0, double y0) const {
    const auto w = static_cast<size_t>(options_.width_px), h = static_cast<size_t>(options_.height_px);
    const Span<uint8_t> image = bytes.part(0, w * h);
    for (size_t y = 0; y < h; y++) {
      for (size_t x = 0; x < w; x++) {
        const double dx = static_cast<double>(x) - x0, dy = static_cast<double>(y) - y0;
        const double blob = 150.0 * std::exp(-(dx * dx + dy * dy) / (2.0 * kBlobSdPx * kBlobSdPx));
        const double slope = 20.0 + 20.0 * static_cast<double>(x) / static_cast<double>(w);
        image.begin()[y * w + x] = static_cast<uint8_t>(slope + blob + 0.5);
      }
    }
  }

  // The next frame; a live camera that fell far behind begins to count anew instead of hurrying after.
  void go_on() {
    next_++;
    due_ns_ = std::max(due_ns_ + options_.period_ns(), host_.now_ns() - options_.period_ns());
    if (next_ == static_cast<uint64_t>(options_.n_frames)) {
      ended_ = true;
      sink_.ended(TS_ENDED_END_OF_DATA, "");
    }
  }

  Host host_;
  Options options_;
  uint64_t revision_ = 0;
  FrameSink sink_;
  uint64_t next_ = 0;
  int64_t due_ns_ = 0;
  bool ended_ = false;
  std::atomic<bool> running_{false};
  std::mutex polling_;
  std::mutex mutex_; // guards stopping_
  std::condition_variable bell_;
  bool stopping_ = false;
};

} // namespace

TETHERSCOPE_PLUGIN(PatternMethod);
