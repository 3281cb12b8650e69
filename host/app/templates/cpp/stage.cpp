// `stage.your-lab.your-method`: a simulated focus axis that moves at constant speed in the time of the host's clock. Put
// your controller in the place of `Axle`.
//
// The axle belongs to the library, not to who opened it: a stage that is opened again stands where it stood. `stop` may
// come while another call runs, so everything goes through one mutex.
#include "tetherscope.hpp"

#include <mutex>

namespace {

using namespace tetherscope;

constexpr double kLimitNm = 10000.0;

// What all stages of the library share: the one thing that moves.
class Axle {
  // Runs `f` while nobody else touches the axle.
  template <class F> auto with(F &&f) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return f();
  }

public:
  explicit Axle(const Host &host) : host_(host) {}

  bool take() { return with([this] { return std::exchange(taken_, true) == false; }); }
  void give_back() {
    stop();
    with([this] { return taken_ = false; });
  }
  double position() {
    return with([this] { return now(); });
  }
  bool moving() {
    return with([this] { return now() != target_; });
  }
  double speed() {
    return with([this] { return speed_; });
  }
  void go(double target) {
    with([&] { return begin(now(), target, speed_); });
  }
  void set_speed(double speed) {
    with([&] { return begin(now(), target_, speed); });
  }
  void stop() {
    with([this] { return begin(now(), now(), speed_); });
  }

private:
  double now() const {
    const double gone = speed_ * static_cast<double>(host_.now_ns() - since_ns_) / 1e9, way = target_ - from_;
    return gone >= std::fabs(way) ? target_ : from_ + std::copysign(gone, way);
  }
  bool begin(double from, double target, double speed) {
    from_ = from;
    target_ = target;
    speed_ = speed;
    since_ns_ = host_.now_ns();
    return true;
  }

  Host host_;
  std::mutex mutex_;
  bool taken_ = false;
  double from_ = 0, target_ = 0, speed_ = 0;
  int64_t since_ns_ = 0;
};

Parameter speed_parameter() {
  return Parameter::real("speed_nm_per_s", "Speed of moves; a change holds for a move under way too", 10000.0)
      .unit("nm/s")
      .range(1.0, 100000.0);
}

class YourMethod : public Stage {
public:
  static Descriptor describe() {
    Descriptor d;
    d.id = "stage.your-lab.your-method";
    d.name = "Your method";
    d.summary = "A simulated focus axis that moves at constant speed.";
    d.source = "none, a simulation";
    d.licence = "MIT OR Apache-2.0";
    d.parameters = {speed_parameter()};
    return d;
  }

  static std::vector<Device> enumerate(const Library &) { return {{"axis", "Simulated axis", ""}}; }

  YourMethod(const Library &library, const std::string &device, const Values &values) : axle_(library.context<Axle>()) {
    if (!device.empty() && device != "axis") {
      throw Error::invalid("there is no device `" + device + "`: open `axis`");
    }
    if (!axle_.take()) {
      throw Error::busy("the axis is in use: close it where it was opened first");
    }
    axle_.set_speed(values.real("speed_nm_per_s"));
  }
  ~YourMethod() override { axle_.give_back(); }

  std::vector<Axis> axes() const override { return {{"focus", "nm", -kLimitNm, kLimitNm, 100000.0}}; }

  Settings settings() const override { return {revision_, {{speed_parameter(), Value::of(axle_.speed())}}}; }

  void set(const Values &values) override {
    if (values.has("speed_nm_per_s")) {
      axle_.set_speed(values.real("speed_nm_per_s"));
      revision_++;
    }
  }

  void move_to(uint32_t axis, double position) override {
    check(axis);
    if (!(position >= -kLimitNm && position <= kLimitNm)) {
      throw Error::invalid("the axis goes from -10000 to 10000 nm: choose a position between");
    }
    axle_.go(position);
  }
  double position(uint32_t axis) const override { return check(axis), axle_.position(); }
  bool moving(uint32_t axis) const override { return check(axis), axle_.moving(); }
  void stop() override { axle_.stop(); }

private:
  static void check(uint32_t axis) {
    if (axis != 0) {
      throw Error::invalid("there is one axis: use axis 0");
    }
  }

  Axle &axle_;
  uint64_t revision_ = 0;
};

} // namespace

TETHERSCOPE_PLUGIN_WITH_CONTEXT(Axle, YourMethod);
