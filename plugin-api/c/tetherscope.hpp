// Tetherscope's plugin interface in C++17: base classes over tetherscope.h for all five kinds of plugins. Licensed under
// MIT or Apache-2.0, at your option.
//
// A method is a class that derives from Tracker, ZlutStrategy, Camera, Stage or BeadFinder; TETHERSCOPE_PLUGIN(...) at the
// file's end exports it. Exceptions end at the boundary and become a status and a sentence: throw Error where you know
// better than the guard. Objects that the host asked for (instances, workers, tables, slots) are owned and freed here, and
// pixels are read through views with checked bounds. Who calls what, how often and on which thread stands in tetherscope.h.
//
// Rules of the live path, for `track`, `lookup` and `poll`: no allocating, no waiting for others, no printing. Take memory
// in the worker's constructor. "No result" is NaN and a flag, never a plausible number.

#ifndef TETHERSCOPE_HPP
#define TETHERSCOPE_HPP

#include "tetherscope.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <exception>
#include <limits>
#include <locale>
#include <memory>
#include <new>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace tetherscope {

// ---- Errors ----

// Why a function failed: a status for the host's decisions, a sentence for people. Say the cause and, where there is one,
// the mend; the host adds who said it.
class Error : public std::runtime_error {
public:
  Error(ts_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
  static Error invalid(const std::string &message) { return {TS_STATUS_INVALID_ARGUMENT, message}; }
  static Error unsupported(const std::string &message) { return {TS_STATUS_UNSUPPORTED, message}; }
  static Error busy(const std::string &message) { return {TS_STATUS_BUSY, message}; }
  static Error cancelled() { return {TS_STATUS_CANCELLED, "cancelled"}; }
  static Error disconnected(const std::string &message) { return {TS_STATUS_DISCONNECTED, message}; }
  static Error io(const std::string &message) { return {TS_STATUS_IO, message}; }
  ts_status status() const noexcept { return status_; }

private:
  ts_status status_;
};

namespace detail {

// Runs `f`; what it throws goes to the writer as text and to the caller as a status.
template <class F> ts_status guard(ts_writer error, F &&f) noexcept {
  const auto fail = [&error](ts_status status, const char *before, const char *what) {
    (void)ts_write_text(error, before);
    (void)ts_write_text(error, what);
    return status;
  };
  try {
    return f();
  } catch (const Error &e) {
    return fail(e.status(), "", e.what());
  } catch (const std::bad_alloc &) {
    return fail(TS_STATUS_OUT_OF_MEMORY, "", "memory could not be had");
  } catch (const std::exception &e) {
    return fail(TS_STATUS_PANICKED, "the plugin threw: ", e.what());
  } catch (...) {
    return fail(TS_STATUS_INTERNAL, "", "the plugin threw something that is no std::exception");
  }
}

inline void write_all(ts_writer to, const void *bytes, size_t len) {
  const ts_status status = ts_write(to, bytes, len);
  if (status != TS_STATUS_OK) {
    throw Error(status, "the host took no more output");
  }
}

inline void write_text(ts_writer to, const std::string &text) { write_all(to, text.data(), text.size()); }

inline std::string text_of(ts_str s) {
  return s.ptr != nullptr ? std::string(reinterpret_cast<const char *>(s.ptr), static_cast<size_t>(s.len)) : std::string();
}

inline ts_str str_of(const char *text) { return {reinterpret_cast<const uint8_t *>(text), std::strlen(text)}; }

// The shortest decimal number that reads back as `value`, with a point whatever the locale; what JSON cannot say is null.
inline std::string number(double value) {
  if (!std::isfinite(value)) {
    return "null";
  }
  std::string text;
  for (int digits = 15; digits <= 17; digits++) {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    out.precision(digits);
    out << value;
    text = out.str();
    std::istringstream in(text);
    in.imbue(std::locale::classic());
    double back = 0;
    if (in >> back && back == value) {
      break;
    }
  }
  return text;
}

inline std::string quoted(const std::string &text) {
  static const char *const hex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (code < 0x20) {
      out += std::string("\\u00") + hex[code >> 4] + hex[code & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

template <class Items, class Write> std::string array(const Items &items, Write &&write) {
  std::string out = "[";
  for (const auto &item : items) {
    out += (out.size() > 1 ? "," : "") + write(item);
  }
  return out + ']';
}

} // namespace detail

// ---- Parameters and settings ----

// One value: an integer, a number, a switch, a text or a choice.
struct Value {
  uint32_t kind = TS_PARAM_TEXT; // TS_PARAM_*
  int64_t integer = 0;           // integers and switches
  double real = 0;
  std::string text; // texts and choices

  static Value of(int64_t v) { return {TS_PARAM_INT, v, 0, {}}; }
  static Value of(double v) { return {TS_PARAM_FLOAT, 0, v, {}}; }
  static Value of(bool v) { return {TS_PARAM_BOOL, v ? 1 : 0, 0, {}}; }
  static Value of(const std::string &v) { return {TS_PARAM_TEXT, 0, 0, v}; }
  static Value choice(const std::string &v) { return {TS_PARAM_CHOICE, 0, 0, v}; }

  std::string json() const {
    switch (kind) {
    case TS_PARAM_INT:
      return std::to_string(integer);
    case TS_PARAM_FLOAT:
      return detail::number(real);
    case TS_PARAM_BOOL:
      return integer != 0 ? "true" : "false";
    default:
      return detail::quoted(text);
    }
  }
};

// When a parameter may change.
enum class Change { live, idle, rearm };

// One parameter of a schema: made by integer() and its siblings, refined by what follows.
class Parameter {
public:
  static Parameter integer(std::string key, std::string help, int64_t standard) {
    return {std::move(key), std::move(help), Value::of(standard)};
  }
  static Parameter real(std::string key, std::string help, double standard) {
    return {std::move(key), std::move(help), Value::of(standard)};
  }
  static Parameter flag(std::string key, std::string help, bool standard) {
    return {std::move(key), std::move(help), Value::of(standard)};
  }
  static Parameter text(std::string key, std::string help, const std::string &standard) {
    return {std::move(key), std::move(help), Value::of(standard)};
  }
  static Parameter choice(std::string key, std::string help, std::vector<std::string> choices, const std::string &standard) {
    Parameter p(std::move(key), std::move(help), Value::choice(standard));
    p.choices_ = std::move(choices);
    return p;
  }

  // Unit of the value: `nm`, `px`, `ms`.
  Parameter &unit(std::string unit) { return unit_ = std::move(unit), *this; }
  // Smallest and largest value, both allowed.
  Parameter &range(double min, double max) { return min_ = min, max_ = max, *this; }
  Parameter &step(double step) { return step_ = step, *this; }
  // Shown on request only.
  Parameter &expert() { return expert_ = true, *this; }
  Parameter &change(Change change) { return change_ = change, *this; }
  // Tables made with another value must not be used.
  Parameter &invalidates_zlut() { return invalidates_.emplace_back("zlut"), *this; }
  // The shape of frames, ROIs or profiles changes with it.
  Parameter &invalidates_geometry() { return invalidates_.emplace_back("geometry"), *this; }
  // A name that the key had in earlier versions.
  Parameter &old_name(std::string name) { return old_names_.push_back(std::move(name)), *this; }
  // What older versions did before the key existed.
  Parameter &value_before(Value value) { return before_ = {std::move(value)}, *this; }

  const std::string &key() const { return key_; }
  const Value &standard() const { return standard_; }

  // Type, range and choices; the error names the key and what is allowed.
  void check(const Value &v) const {
    if (v.kind != standard_.kind) {
      throw Error::invalid("`" + key_ + "` is " + type_name(standard_.kind) + ", not " + type_name(v.kind));
    }
    const bool is_number = v.kind == TS_PARAM_INT || v.kind == TS_PARAM_FLOAT;
    const double at = v.kind == TS_PARAM_INT ? static_cast<double>(v.integer) : v.real;
    if (is_number && !((std::isnan(min_) || at >= min_) && (std::isnan(max_) || at <= max_) && !std::isnan(at))) {
      throw Error::invalid("`" + key_ + "` is " + v.json() + ", allowed is " + detail::number(min_) + " to " +
                           detail::number(max_) + " " + unit_);
    }
    if (v.kind == TS_PARAM_CHOICE && std::find(choices_.begin(), choices_.end(), v.text) == choices_.end()) {
      throw Error::invalid("`" + key_ + "` is `" + v.text + "`, which is none of its choices");
    }
  }

  // The parameter as a JSON object, with `more` before its closing brace.
  std::string json(const std::string &more = "") const {
    using detail::quoted;
    std::string out = "{\"key\":" + quoted(key_) + ",\"type\":\"" + type_name(standard_.kind) + "\",\"help\":" +
                      quoted(help_) + ",\"default\":" + standard_.json();
    out += unit_.empty() ? "" : ",\"unit\":" + quoted(unit_);
    out += std::isnan(min_) ? "" : ",\"min\":" + detail::number(min_);
    out += std::isnan(max_) ? "" : ",\"max\":" + detail::number(max_);
    out += std::isnan(step_) ? "" : ",\"step\":" + detail::number(step_);
    out += choices_.empty() ? "" : ",\"choices\":" + detail::array(choices_, quoted);
    out += expert_ ? ",\"level\":\"expert\"" : ",\"level\":\"basic\"";
    static const char *const changes[] = {"live", "idle", "rearm"};
    out += std::string(",\"change\":\"") + changes[static_cast<int>(change_)] + '"';
    out += invalidates_.empty() ? "" : ",\"invalidates\":" + detail::array(invalidates_, quoted);
    out += old_names_.empty() ? "" : ",\"old_names\":" + detail::array(old_names_, quoted);
    out += before_.empty() ? "" : ",\"value_before\":" + before_.front().json();
    return out + more + '}';
  }

private:
  Parameter(std::string key, std::string help, Value standard)
      : key_(std::move(key)), help_(std::move(help)), standard_(std::move(standard)) {}

  static std::string type_name(uint32_t kind) {
    static const char *const names[] = {"nothing", "int", "float", "bool", "text", "choice"};
    return names[kind <= TS_PARAM_CHOICE ? kind : 0];
  }

  static constexpr double none = std::numeric_limits<double>::quiet_NaN();
  std::string key_, help_;
  Value standard_;
  std::string unit_;
  double min_ = none, max_ = none, step_ = none;
  std::vector<std::string> choices_, invalidates_, old_names_;
  std::vector<Value> before_; // none or one
  bool expert_ = false;
  Change change_ = Change::live;
};

// Values as a plugin reads them: checked against the schema.
class Values {
public:
  Values() = default;

  // Every entry must be in the schema, of its type and in its range. With `fill`, missing ones get their default.
  Values(ts_params params, const std::vector<Parameter> &schema, bool fill) {
    for (uint64_t i = 0; i < params.len; i++) {
      const ts_param &p = params.ptr[i];
      const std::string key = detail::text_of(p.key);
      const auto spec = std::find_if(schema.begin(), schema.end(), [&](const Parameter &s) { return s.key() == key; });
      if (spec == schema.end()) {
        throw Error::invalid("there is no parameter `" + key + "`");
      }
      const Value value{p.kind, p.int_value, p.float_value, detail::text_of(p.text_value)};
      spec->check(value);
      entries_.emplace_back(key, value);
    }
    for (const Parameter &spec : schema) {
      if (fill && !has(spec.key())) {
        entries_.emplace_back(spec.key(), spec.standard());
      }
    }
  }

  // Whatever was sent, unchecked: parameters of another component.
  explicit Values(ts_params params) {
    for (uint64_t i = 0; i < params.len; i++) {
      const ts_param &p = params.ptr[i];
      entries_.emplace_back(detail::text_of(p.key), Value{p.kind, p.int_value, p.float_value, detail::text_of(p.text_value)});
    }
  }

  bool has(const std::string &key) const { return find(key) != nullptr; }
  int64_t integer(const std::string &key) const { return get(key, TS_PARAM_INT).integer; }
  double real(const std::string &key) const { return get(key, TS_PARAM_FLOAT).real; }
  bool flag(const std::string &key) const { return get(key, TS_PARAM_BOOL).integer != 0; }
  // A text or a choice.
  std::string text(const std::string &key) const {
    const Value *v = find(key);
    return v != nullptr && v->kind == TS_PARAM_CHOICE ? v->text : get(key, TS_PARAM_TEXT).text;
  }

private:
  const Value *find(const std::string &key) const {
    const Value *found = nullptr;
    for (const auto &entry : entries_) {
      found = entry.first == key ? &entry.second : found;
    }
    return found;
  }
  const Value &get(const std::string &key, uint32_t kind) const {
    const Value *v = find(key);
    if (v == nullptr || v->kind != kind) {
      throw Error(TS_STATUS_INTERNAL, "parameter `" + key + "` was asked for, but there is none of that name and type");
    }
    return *v;
  }

  std::vector<std::pair<std::string, Value>> entries_;
};

// What a component says of itself.
struct Descriptor {
  std::string id;                // `kind.lab.method`, never renamed
  std::string name;              // for people
  std::string version = "0.1.0"; // semver; a change of results is a new minor or major version
  std::string summary;           // one or two sentences
  std::string source;            // the paper or system that the method comes from
  std::string licence;           // SPDX expression
  bool isolate = false;          // true: only in a process of its own, since it may crash or hang
  std::vector<std::string> capabilities;
  std::vector<Parameter> parameters;

  std::string json() const {
    using detail::quoted;
    return "{\"id\":" + quoted(id) + ",\"name\":" + quoted(name) + ",\"version\":" + quoted(version) + ",\"summary\":" +
           quoted(summary) + ",\"source\":" + quoted(source) + ",\"licence\":" + quoted(licence) + ",\"isolation\":" +
           (isolate ? "\"process\"" : "\"any\"") + ",\"capabilities\":" + detail::array(capabilities, quoted) +
           ",\"parameters\":" + detail::array(parameters, [](const Parameter &p) { return p.json(); }) + '}';
  }
};

// One setting of a device: its schema as it is now, and its value as read back.
struct Setting {
  Parameter parameter;
  Value value;
  bool writable = true;
};

// All settings of a device. `revision` rises with every change.
struct Settings {
  uint64_t revision = 0;
  std::vector<Setting> settings;

  std::string json() const {
    return "{\"revision\":" + std::to_string(revision) + ",\"settings\":" + detail::array(settings, [](const Setting &s) {
             return s.parameter.json(",\"value\":" + s.value.json() + ",\"access\":" + (s.writable ? "\"rw\"" : "\"r\""));
           }) + '}';
  }

  // What the host wants to change, checked against the settings as they are now.
  Values changes(ts_params params) const {
    std::vector<Parameter> schema;
    for (const Setting &s : settings) {
      schema.push_back(s.parameter);
    }
    const Values values(params, schema, false);
    for (const Setting &s : settings) {
      if (!s.writable && values.has(s.parameter.key())) {
        throw Error::unsupported("`" + s.parameter.key() + "` can only be read");
      }
    }
    return values;
  }
};

// ---- The host, and what a library's components share ----

// What the host offers. Copied freely, used from any thread.
class Host {
public:
  explicit Host(const ts_host *table = nullptr) : table_(table) {}

  // One line for the log, with one of the TS_LOG_* levels. Never from the live path.
  void log(uint32_t level, const char *text) const {
    if (table_ != nullptr && TS_HAS(table_, log)) {
      table_->log(table_->ctx, level, detail::str_of(text));
    }
  }
  // The host's monotonic clock in ns; without one, this process' own.
  int64_t now_ns() const {
    if (table_ != nullptr && TS_HAS(table_, now_ns)) {
      return table_->now_ns(table_->ctx);
    }
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  }
  // True when the user gave up the job that this thread works on: throw Error::cancelled() then.
  bool cancelled() const { return table_ != nullptr && TS_HAS(table_, cancelled) && table_->cancelled(table_->ctx) != 0; }

  // Calls `task(i)` for each i in 0..n, perhaps in parallel. The first exception is thrown on after the loop.
  template <class Task> void parallel_for(uint64_t n, Task &&task) const {
    if (table_ == nullptr || !TS_HAS(table_, parallel_for)) {
      for (uint64_t i = 0; i < n; i++) {
        task(i);
      }
      return;
    }
    struct Job {
      std::remove_reference_t<Task> *task;
      std::atomic_flag threw;
      std::exception_ptr first;
    };
    Job job{&task, {}, nullptr};
    job.threw.clear();
    const auto run = [](void *arg, uint64_t i) {
      Job &j = *static_cast<Job *>(arg);
      try {
        (*j.task)(i);
      } catch (...) {
        if (!j.threw.test_and_set()) {
          j.first = std::current_exception();
        }
      }
    };
    table_->parallel_for(table_->ctx, n, run, &job);
    if (job.first) {
      std::rethrow_exception(job.first);
    }
  }

private:
  const ts_host *table_;
};

// For libraries whose components share nothing.
struct NoContext {
  explicit NoContext(const Host &) {}
};

// What each component gets: the host, and what TETHERSCOPE_PLUGIN_WITH_CONTEXT's class made of it.
class Library {
public:
  Host host;
  // The shared context; `Context` must be the class that the macro names.
  template <class Context> Context &context() const { return *static_cast<Context *>(shared_.get()); }

  Library(const Host &h, std::shared_ptr<void> shared) : host(h), shared_(std::move(shared)) {}

private:
  std::shared_ptr<void> shared_;
};

// ---- Views: memory of the host, valid during one call ----

// A block of values with checked bounds; empty where the host sent or wants none.
template <class T> class Span {
public:
  Span(T *data, size_t size) : data_(data), size_(data != nullptr ? size : 0) {}
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T &operator[](size_t i) const {
    if (i >= size_) {
      throw std::out_of_range("a value beyond the end of a block was asked for");
    }
    return data_[i];
  }
  T *begin() const { return data_; }
  T *end() const { return data_ + size_; }
  // Values from `first` on; empty if the block is.
  Span part(size_t first, size_t count) const {
    if (empty()) {
      return {nullptr, 0};
    }
    if (first + count > size_) {
      throw std::out_of_range("a part beyond the end of a block was asked for");
    }
    return {data_ + first, count};
  }

private:
  T *data_;
  size_t size_;
};

// One grey image in place, 8 or 16 bits per pixel, any strides. That it lies in its memory was checked when it was made.
class Roi {
public:
  Roi(const uint8_t *base, uint64_t len_bytes, uint64_t offset, uint64_t row_stride, uint64_t pixel_stride, uint32_t w,
      uint32_t h, uint32_t format)
      : first_(base), row_stride_(row_stride), pixel_stride_(pixel_stride), w_(w), h_(h), wide_(format != TS_PIXEL_MONO8) {
    if (base == nullptr) {
      throw Error::invalid("there are no pixels");
    }
    if (format != TS_PIXEL_MONO8 && format != TS_PIXEL_MONO16) {
      throw Error::unsupported("only 8 and 16 bits per pixel are read");
    }
    if (w == 0 || h == 0) {
      return;
    }
    // Each term is checked before it is added, so that nothing wraps.
    const uint64_t size = wide_ ? 2 : 1, last_row = h - 1, last_pixel = w - 1;
    const bool fits = offset <= len_bytes && (last_row == 0 || row_stride <= (len_bytes - offset) / last_row) &&
                      last_pixel * pixel_stride + size <= len_bytes - offset - last_row * row_stride;
    if (!fits) {
      throw Error::invalid("an image lies outside its memory");
    }
    first_ += offset;
  }
  uint32_t w_px() const { return w_; }
  uint32_t h_px() const { return h_; }
  // The value of column x, row y.
  double operator()(uint32_t x, uint32_t y) const {
    if (x >= w_ || y >= h_) {
      throw std::out_of_range("a pixel outside the image was asked for");
    }
    const uint8_t *p = first_ + y * row_stride_ + x * pixel_stride_;
    if (!wide_) {
      return *p;
    }
    uint16_t value;
    std::memcpy(&value, p, sizeof value);
    return value;
  }

private:
  const uint8_t *first_;
  uint64_t row_stride_, pixel_stride_;
  uint32_t w_, h_;
  bool wide_;
};

// ROIs of one size.
class Batch {
public:
  explicit Batch(const ts_batch &raw) : raw_(&raw) {}
  uint32_t size() const { return raw_->n_rois; }
  uint32_t w_px() const { return raw_->w_px; }
  uint32_t h_px() const { return raw_->h_px; }
  bool has_pixels() const { return raw_->base != nullptr; }
  uint32_t bead_id(uint32_t i) const { return Span<const uint32_t>(raw_->bead_ids, size())[i]; }
  uint64_t frame_index(uint32_t i) const { return Span<const uint64_t>(raw_->frame_indices, size())[i]; }
  Roi roi(uint32_t i) const {
    const uint64_t offset = Span<const uint64_t>(raw_->offsets, size())[i];
    return {raw_->base,      raw_->len_bytes, offset,     raw_->row_stride_bytes, raw_->pixel_stride_bytes,
            raw_->w_px,      raw_->h_px,      raw_->pixel_format};
  }

private:
  const ts_batch *raw_;
};

// Takes the named arrays of an `explain`.
class Arrays {
public:
  explicit Arrays(ts_array_sink sink) : sink_(sink) {}
  // One array: shape slowest axis first, its product the number of values.
  void add(const char *name, const char *unit, const std::vector<uint64_t> &shape, const std::vector<double> &values) {
    const uint64_t n = std::accumulate(shape.begin(), shape.end(), uint64_t{1}, std::multiplies<uint64_t>());
    if (n != values.size()) {
      throw Error(TS_STATUS_INTERNAL, std::string("array `") + name + "`: shape and number of values differ");
    }
    const auto axes = static_cast<uint32_t>(shape.size());
    if (sink_.array != nullptr &&
        sink_.array(sink_.ctx, detail::str_of(name), detail::str_of(unit), shape.data(), axes, values.data()) != TS_STATUS_OK) {
      throw Error(TS_STATUS_INTERNAL, "the host took no more arrays");
    }
  }

private:
  ts_array_sink sink_;
};

// ---- Tracker ----

// One ROI's row: all NaN and without flags at first. Profile and weights are empty when nobody wants them.
struct TrackRow {
  ts_fix &fix;
  Span<double> profile;
  Span<float> weights;
};

class TrackRows {
public:
  explicit TrackRows(const ts_track_output &raw) : raw_(&raw) {}
  uint32_t size() const { return raw_->n_rois; }
  TrackRow row(uint32_t i) const {
    const size_t n = raw_->n_bins, all = n * size();
    return {Span<ts_fix>(raw_->fixes, size())[i], Span<double>(raw_->profiles, all).part(i * n, n),
            Span<float>(raw_->weights, all).part(i * n, n)};
  }

private:
  const ts_track_output *raw_;
};

// Scratch memory of one caller. Moved between threads, never called twice at once.
class TrackerWorker {
public:
  virtual ~TrackerWorker() = default;
  // The live path. A bad ROI is NaN and a flag in its own row; an exception spoils the whole batch.
  virtual void track(const Batch &batch, TrackRows &rows) = 0;
  virtual void explain(const Batch &, Arrays &) { throw Error::unsupported("this tracker explains nothing"); }
};

// A tracking method: an immutable set of parameters that makes workers. A class of yours also has
// `static Descriptor describe()` and a constructor `(const Library &, const Values &)`.
class Tracker {
public:
  static constexpr uint32_t kind = TS_KIND_TRACKER;
  virtual ~Tracker() = default;
  // A worker for ROIs of one shape; fills the layout of its profiles, which is zero (none) at first.
  virtual std::unique_ptr<TrackerWorker> worker(const ts_worker_config &config, ts_profile_layout &layout) const = 0;
};

// ---- Z-LUT strategy ----

// A recorded sweep: entry i of everything is one ROI of one frame. Equal focus values are one plane.
struct Sweep {
  Batch batch;
  Span<const double> focus_nm;
  Span<const ts_fix> fixes;
  Span<const double> profiles; // [entries × n_bins]
  Span<const float> weights;
  ts_profile_layout layout;
  ts_worker_config config;
  std::string tracker_id, tracker_version;
  Values tracker_params;

  explicit Sweep(const ts_sweep &raw)
      : batch(raw.batch), focus_nm(raw.focus_nm, raw.batch.n_rois), fixes(raw.fixes, raw.batch.n_rois),
        profiles(raw.profiles, size_t{raw.batch.n_rois} * raw.layout.n_bins),
        weights(raw.weights, size_t{raw.batch.n_rois} * raw.layout.n_bins), layout(raw.layout), config(raw.config),
        tracker_id(detail::text_of(raw.tracker_id)), tracker_version(detail::text_of(raw.tracker_version)),
        tracker_params(raw.tracker_params) {}
  Span<const double> profile(size_t i) const { return profiles.part(i * layout.n_bins, layout.n_bins); }
  // The entries, rising in focus; those without a finite one are left out.
  std::vector<size_t> by_focus() const {
    std::vector<size_t> order;
    for (size_t i = 0; i < focus_nm.size(); i++) {
      if (std::isfinite(focus_nm[i])) {
        order.push_back(i);
      }
    }
    std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) { return focus_nm[a] < focus_nm[b]; });
    return order;
  }
};

// The parts of a table, as it is saved. `bytes` are the strategy's own: little-endian, versioned, equal on every CPU.
struct SavedTable {
  std::vector<double> z_nm, profiles, variance;
  std::vector<uint8_t> bytes;
};

// The parts of a table, as it is loaded: not to be trusted.
struct TableParts {
  Span<const double> z_nm, profiles, variance;
  Span<const uint8_t> bytes;
  ts_profile_layout layout;
  ts_worker_config config;

  explicit TableParts(const ts_table_parts &raw)
      : z_nm(raw.z_nm, raw.n_planes), profiles(raw.profiles, size_t{raw.n_planes} * raw.layout.n_bins),
        variance(raw.variance, size_t{raw.n_planes} * raw.layout.n_bins),
        bytes(raw.bytes, static_cast<size_t>(raw.len_bytes)), layout(raw.layout), config(raw.config) {}
};

// What is looked up in: immutable, shared by all workers.
class ZlutTable {
public:
  virtual ~ZlutTable() = default;
  virtual SavedTable save() const = 0;
};

// One ROI's row: the bead's table, the tracker's result (out: with z), and its profile.
struct LookupRow {
  const ZlutTable &any_table;
  ts_fix &fix;
  Span<const double> profile;
  Span<const float> weights;
  // The table as the class that this strategy's `build` and `load` make.
  template <class Table> const Table &table() const { return static_cast<const Table &>(any_table); }
};

class LookupRows {
public:
  explicit LookupRows(const ts_lookup &raw) : raw_(&raw) {}
  uint32_t size() const { return raw_->n_rois; }
  LookupRow row(uint32_t i) const {
    const size_t n = raw_->n_bins, all = n * size();
    const void *table = Span<const void *const>(raw_->tables, size())[i];
    if (table == nullptr) {
      throw Error::invalid("a ROI has no table");
    }
    return {*static_cast<const ZlutTable *>(table), Span<ts_fix>(raw_->fixes, size())[i],
            Span<const double>(raw_->profiles, all).part(i * n, n), Span<const float>(raw_->weights, all).part(i * n, n)};
  }

private:
  const ts_lookup *raw_;
};

class ZlutWorker {
public:
  virtual ~ZlutWorker() = default;
  // The live path. The batch has pixels only if the strategy says `needs_pixels`. Rows without x and y stay NaN.
  virtual void lookup(const Batch &batch, LookupRows &rows) = 0;
  virtual void explain(const Batch &, LookupRows &, Arrays &) { throw Error::unsupported("this strategy explains nothing"); }
};

// A way from profiles (or pixels) to z. A class of yours also has `static Descriptor describe()` and a constructor
// `(const Library &, const Values &)`.
class ZlutStrategy {
public:
  static constexpr uint32_t kind = TS_KIND_ZLUT;
  virtual ~ZlutStrategy() = default;
  virtual std::unique_ptr<ZlutTable> build(const Sweep &sweep) const = 0;
  // Cut or altered parts throw.
  virtual std::unique_ptr<ZlutTable> load(const TableParts &parts) const = 0;
  virtual std::unique_ptr<ZlutWorker> worker(const ts_worker_config &config, const ts_profile_layout &layout) const = 0;
};

// ---- Camera and stage ----

// A device that could be opened: `device` is the text for opening it.
struct Device {
  std::string device, name, serial;
};

// What comes with every frame besides the image.
struct Channel {
  std::string key, unit;
  uint32_t length = 1;
};

// A format without gaps, ids, clock and channels; refine the fields that differ.
inline ts_camera_format packed_format(uint32_t width_px, uint32_t height_px, uint32_t pixel_format, uint32_t bits) {
  ts_camera_format f;
  std::memset(&f, 0, sizeof f);
  f.width_px = width_px;
  f.height_px = height_px;
  f.pixel_format = pixel_format;
  f.significant_bits = bits;
  f.alignment_bytes = pixel_format == TS_PIXEL_MONO8 ? 1 : 2;
  f.row_stride_bytes = uint64_t{width_px} * f.alignment_bytes;
  f.payload_bytes = f.row_stride_bytes * height_px;
  f.slots_wanted = 4;
  f.time_instant = TS_TIME_UNKNOWN;
  return f;
}

// A whole frame with the device's id and time.
inline ts_frame_info frame_info(uint64_t id = TS_NO_DEVICE_FRAME_ID, int64_t time_ticks = TS_NO_DEVICE_TIME) {
  return {id, time_ticks, -1, 0, 0, {0, 0}};
}

// A lent slot: the bytes of one frame. Given back unless it was committed.
class Slot {
public:
  Slot(const ts_camera_sink *sink, int32_t index) : sink_(sink), index_(index) {}
  Slot(Slot &&other) noexcept : sink_(other.sink_), index_(std::exchange(other.index_, -1)) {}
  Slot &operator=(Slot &&) = delete;
  ~Slot() {
    if (index_ >= 0) {
      (void)sink_->give_back(sink_->ctx, index_);
    }
  }
  // False when none became free in time.
  explicit operator bool() const { return index_ >= 0; }
  Span<uint8_t> bytes() const {
    return {index_ >= 0 ? sink_->slots[index_] : nullptr, static_cast<size_t>(sink_->slot_bytes)};
  }
  // Gives the slot to the host as the next frame. `n_channels` values, as the format announced, or none.
  void commit(const ts_frame_info &info, const double *channels = nullptr, size_t n_channels = 0) {
    if (index_ < 0 || (channels != nullptr && n_channels != sink_->n_channel_values)) {
      throw Error(TS_STATUS_INTERNAL, "a frame without a slot, or with other channels than the format announced");
    }
    const int32_t index = std::exchange(index_, -1);
    const ts_status status = sink_->commit(sink_->ctx, index, &info, channels);
    if (status != TS_STATUS_OK) {
      throw Error(status, "the host refused the frame");
    }
  }

private:
  const ts_camera_sink *sink_;
  int32_t index_;
};

// Where frames go. Copied freely, used from any thread, between `start` and the return of `stop`.
class FrameSink {
public:
  explicit FrameSink(const ts_camera_sink *table = nullptr) : table_(table) {}
  // True offline: wait for slots, drop nothing.
  bool lossless() const { return table_->lossless != 0; }
  uint64_t slot_bytes() const { return table_->slot_bytes; }
  Span<uint8_t *const> slots() const { return {table_->slots, table_->n_slots}; }
  Slot lend(std::chrono::nanoseconds timeout) const { return {table_, table_->lend(table_->ctx, timeout.count())}; }
  // For SDKs that own their memory: copies. False when no slot was free; the host counted it.
  bool push(Span<const uint8_t> payload, const ts_frame_info &info, const double *channels = nullptr) const {
    const ts_status status = table_->push(table_->ctx, payload.begin(), payload.size(), &info, channels);
    if (status != TS_STATUS_OK && status != TS_STATUS_BUSY) {
      throw Error(status, "the host refused the frame");
    }
    return status == TS_STATUS_OK;
  }
  void lost(uint64_t count, uint32_t reason) const { table_->lost(table_->ctx, count, reason); }
  void ended(uint32_t reason, const char *why) const { table_->ended(table_->ctx, reason, detail::str_of(why)); }

private:
  const ts_camera_sink *table_;
};

// How a `poll` ended that did not fail.
enum class Polled : ts_status { delivered = TS_STATUS_OK, timed_out = TS_STATUS_TIMED_OUT, cancelled = TS_STATUS_CANCELLED };

// A camera driver. One caller at a time, except `stop`, which may come while another call runs: guard what it touches.
// A class of yours also has `static Descriptor describe()`, `static std::vector<Device> enumerate(const Library &)` and a
// constructor `(const Library &, const std::string &device, const Values &)`.
class Camera {
public:
  static constexpr uint32_t kind = TS_KIND_CAMERA;
  virtual ~Camera() = default;
  virtual Settings settings() const = 0;
  // Values are checked against `settings` before. Error::busy for one that cannot change now.
  virtual void set(const Values &values) = 0;
  virtual ts_camera_format format() const = 0;
  virtual std::vector<Channel> channels() const { return {}; }
  virtual void start(FrameSink sink) = 0;
  virtual Polled poll(std::chrono::nanoseconds timeout) = 0;
  // After it the sink is not used. Harmless when not running.
  virtual void stop() = 0;
};

// One axis; its place in the list names it elsewhere.
struct Axis {
  std::string role; // focus, magnet_height, magnet_rotation, x or y
  std::string unit;
  double min, max, max_speed_per_s;
};

// A stage driver: the rules and the static members of a camera's class. No function waits for a move to end; nothing moves
// by being opened.
class Stage {
public:
  static constexpr uint32_t kind = TS_KIND_STAGE;
  virtual ~Stage() = default;
  virtual std::vector<Axis> axes() const = 0;
  virtual Settings settings() const { return {}; }
  virtual void set(const Values &) { throw Error::unsupported("this stage has no settings"); }
  // Outside the limits: Error::invalid, and nothing moves.
  virtual void move_to(uint32_t axis, double position) = 0;
  virtual double position(uint32_t axis) const = 0;
  virtual bool moving(uint32_t axis) const = 0;
  virtual void stop() = 0;
  virtual void home(uint32_t) { throw Error::unsupported("this axis knows its position and needs no homing"); }
};

// ---- Bead finder ----

// A search under way.
class FindJob {
public:
  FindJob(const Host &h, ts_writer progress) : host(h), progress_(progress) {}
  Host host;
  // How far the search is, 0 to 1.
  void progress(double fraction) const { (void)ts_write(progress_, &fraction, sizeof fraction); }
  // Throws when the user gave up; ask at least ten times a second.
  void check_cancelled() const {
    if (host.cancelled()) {
      throw Error::cancelled();
    }
  }

private:
  ts_writer progress_;
};

// A way to find beads, called by several threads at once. A class of yours also has `static Descriptor describe()` and a
// constructor `(const Library &, const Values &)`.
class BeadFinder {
public:
  static constexpr uint32_t kind = TS_KIND_FINDER;
  virtual ~BeadFinder() = default;
  // The beads, the surest first. `seed` is an example chosen by the user, or null.
  virtual std::vector<ts_hit> find(const Roi &image, const ts_rect *seed, const FindJob &job) const = 0;
};

// ---- The function tables that the host sees ----

namespace detail {

// Makes an instance or device: the base's pointer is what crosses, whatever the class.
template <class Base, class T, class... Args> void *make(Args &&...args) {
  std::unique_ptr<Base> made = std::make_unique<T>(std::forward<Args>(args)...);
  return made.release();
}

template <class Base> void free_as(void *made) { delete static_cast<Base *>(made); }

template <class Base, class T>
ts_status create(void *context, ts_params params, void **instance, ts_writer error) noexcept {
  return guard(error, [&] {
    const Values values(params, T::describe().parameters, true);
    *instance = make<Base, T>(*static_cast<const Library *>(context), values);
    return TS_STATUS_OK;
  });
}

template <class Base> ts_status explain(void *worker, const ts_batch *batch, ts_array_sink sink, ts_writer error) noexcept {
  return guard(error, [&] {
    Arrays arrays(sink);
    static_cast<Base *>(worker)->explain(Batch(*batch), arrays);
    return TS_STATUS_OK;
  });
}

template <class T> struct TrackerGlue {
  static ts_status worker(void *instance, const ts_worker_config *config, void **made, ts_profile_layout *layout,
                          ts_writer error) noexcept {
    return guard(error, [&] {
      std::memset(layout, 0, sizeof *layout);
      *made = static_cast<const Tracker *>(instance)->worker(*config, *layout).release();
      return TS_STATUS_OK;
    });
  }
  static ts_status track(void *worker, const ts_batch *batch, const ts_track_output *output, ts_writer error) noexcept {
    return guard(error, [&] {
      TrackRows rows(*output);
      static_cast<TrackerWorker *>(worker)->track(Batch(*batch), rows);
      return TS_STATUS_OK;
    });
  }
  static constexpr ts_tracker_table table() {
    return {sizeof(ts_tracker_table), 0,     create<Tracker, T>,    free_as<Tracker>, worker, free_as<TrackerWorker>,
            track,                    explain<TrackerWorker>};
  }
};

template <class T> struct ZlutGlue {
  static ts_status build(void *instance, const ts_sweep *sweep, void **table, ts_writer error) noexcept {
    return guard(error, [&] {
      *table = static_cast<const ZlutStrategy *>(instance)->build(Sweep(*sweep)).release();
      return TS_STATUS_OK;
    });
  }
  static ts_status load(void *instance, const ts_table_parts *parts, void **table, ts_writer error) noexcept {
    return guard(error, [&] {
      *table = static_cast<const ZlutStrategy *>(instance)->load(TableParts(*parts)).release();
      return TS_STATUS_OK;
    });
  }
  static ts_status save(const void *table, const ts_table_sink *sink, ts_writer error) noexcept {
    return guard(error, [&] {
      const SavedTable saved = static_cast<const ZlutTable *>(table)->save();
      write_all(sink->z_nm, saved.z_nm.data(), saved.z_nm.size() * sizeof(double));
      write_all(sink->profiles, saved.profiles.data(), saved.profiles.size() * sizeof(double));
      write_all(sink->variance, saved.variance.data(), saved.variance.size() * sizeof(double));
      write_all(sink->bytes, saved.bytes.data(), saved.bytes.size());
      return TS_STATUS_OK;
    });
  }
  static ts_status worker(void *instance, const ts_worker_config *config, const ts_profile_layout *layout, void **made,
                          ts_writer error) noexcept {
    return guard(error, [&] {
      *made = static_cast<const ZlutStrategy *>(instance)->worker(*config, *layout).release();
      return TS_STATUS_OK;
    });
  }
  static ts_status lookup(void *worker, const ts_batch *batch, const ts_lookup *raw, ts_writer error) noexcept {
    return guard(error, [&] {
      LookupRows rows(*raw);
      static_cast<ZlutWorker *>(worker)->lookup(Batch(*batch), rows);
      return TS_STATUS_OK;
    });
  }
  static ts_status explain_lookup(void *worker, const ts_batch *batch, const ts_lookup *raw, ts_array_sink sink,
                                  ts_writer error) noexcept {
    return guard(error, [&] {
      LookupRows rows(*raw);
      Arrays arrays(sink);
      static_cast<ZlutWorker *>(worker)->explain(Batch(*batch), rows, arrays);
      return TS_STATUS_OK;
    });
  }
  static constexpr ts_zlut_strategy_table table() {
    return {sizeof(ts_zlut_strategy_table),
            0,
            create<ZlutStrategy, T>,
            free_as<ZlutStrategy>,
            build,
            load,
            save,
            free_as<ZlutTable>,
            worker,
            free_as<ZlutWorker>,
            lookup,
            explain_lookup};
  }
};

// What cameras and stages have in common.
template <class Base, class T> struct DeviceGlue {
  static ts_status enumerate(void *context, ts_writer out, ts_writer error) noexcept {
    return guard(error, [&] {
      write_text(out, array(T::enumerate(*static_cast<const Library *>(context)), [](const Device &d) {
                   return "{\"device\":" + quoted(d.device) + ",\"name\":" + quoted(d.name) + ",\"serial\":" +
                          quoted(d.serial) + '}';
                 }));
      return TS_STATUS_OK;
    });
  }
  static ts_status open(void *context, ts_str device, ts_params params, void **made, ts_writer error) noexcept {
    return guard(error, [&] {
      const Values values(params, T::describe().parameters, true);
      *made = make<Base, T>(*static_cast<const Library *>(context), text_of(device), values);
      return TS_STATUS_OK;
    });
  }
  static ts_status settings(void *device, ts_writer out, ts_writer error) noexcept {
    return guard(error, [&] {
      write_text(out, static_cast<const Base *>(device)->settings().json());
      return TS_STATUS_OK;
    });
  }
  static ts_status set(void *device, ts_params params, ts_writer error) noexcept {
    return guard(error, [&] {
      Base &self = *static_cast<Base *>(device);
      self.set(self.settings().changes(params));
      return TS_STATUS_OK;
    });
  }
  static ts_status stop(void *device, ts_writer error) noexcept {
    return guard(error, [&] {
      static_cast<Base *>(device)->stop();
      return TS_STATUS_OK;
    });
  }
};

template <class T> struct CameraGlue : DeviceGlue<Camera, T> {
  using Shared = DeviceGlue<Camera, T>;
  static ts_status format(void *camera, ts_camera_format *format, ts_writer error) noexcept {
    return guard(error, [&] {
      *format = static_cast<const Camera *>(camera)->format();
      return TS_STATUS_OK;
    });
  }
  static ts_status channels(void *camera, ts_writer out, ts_writer error) noexcept {
    return guard(error, [&] {
      write_text(out, array(static_cast<const Camera *>(camera)->channels(), [](const Channel &c) {
                   return "{\"key\":" + quoted(c.key) + ",\"unit\":" + quoted(c.unit) + ",\"length\":" +
                          std::to_string(c.length) + '}';
                 }));
      return TS_STATUS_OK;
    });
  }
  static ts_status start(void *camera, const ts_camera_sink *sink, ts_writer error) noexcept {
    return guard(error, [&] {
      static_cast<Camera *>(camera)->start(FrameSink(sink));
      return TS_STATUS_OK;
    });
  }
  static ts_status poll(void *camera, int64_t timeout_ns, ts_writer error) noexcept {
    return guard(error, [&] {
      const std::chrono::nanoseconds timeout(std::max<int64_t>(timeout_ns, 0));
      return static_cast<ts_status>(static_cast<Camera *>(camera)->poll(timeout));
    });
  }
  static constexpr ts_camera_table table() {
    return {sizeof(ts_camera_table), 0,      Shared::enumerate, Shared::open, free_as<Camera>, Shared::settings, Shared::set,
            format,                  channels, start,           poll,         Shared::stop};
  }
};

template <class T> struct StageGlue : DeviceGlue<Stage, T> {
  using Shared = DeviceGlue<Stage, T>;
  static ts_status axes(void *stage, ts_writer out, ts_writer error) noexcept {
    return guard(error, [&] {
      write_text(out, array(static_cast<const Stage *>(stage)->axes(), [](const Axis &a) {
                   return "{\"role\":" + quoted(a.role) + ",\"unit\":" + quoted(a.unit) + ",\"min\":" + number(a.min) +
                          ",\"max\":" + number(a.max) + ",\"max_speed_per_s\":" + number(a.max_speed_per_s) + '}';
                 }));
      return TS_STATUS_OK;
    });
  }
  static ts_status move_to(void *stage, uint32_t axis, double position, ts_writer error) noexcept {
    return guard(error, [&] {
      static_cast<Stage *>(stage)->move_to(axis, position);
      return TS_STATUS_OK;
    });
  }
  static ts_status position(void *stage, uint32_t axis, double *position, ts_writer error) noexcept {
    return guard(error, [&] {
      *position = static_cast<const Stage *>(stage)->position(axis);
      return TS_STATUS_OK;
    });
  }
  static ts_status moving(void *stage, uint32_t axis, uint32_t *moving, ts_writer error) noexcept {
    return guard(error, [&] {
      *moving = static_cast<const Stage *>(stage)->moving(axis) ? 1 : 0;
      return TS_STATUS_OK;
    });
  }
  static ts_status home(void *stage, uint32_t axis, ts_writer error) noexcept {
    return guard(error, [&] {
      static_cast<Stage *>(stage)->home(axis);
      return TS_STATUS_OK;
    });
  }
  static constexpr ts_stage_table table() {
    return {sizeof(ts_stage_table), 0,        Shared::enumerate, Shared::open, free_as<Stage>, axes, Shared::settings,
            Shared::set,            move_to,  position,          moving,       Shared::stop,   home};
  }
};

template <class T> struct FinderGlue {
  // An instance with the library that it belongs to, since a search asks the host whether it was cancelled.
  struct Instance {
    std::unique_ptr<BeadFinder> finder;
    Host host;
  };
  static ts_status make_instance(void *context, ts_params params, void **instance, ts_writer error) noexcept {
    return guard(error, [&] {
      const Library &library = *static_cast<const Library *>(context);
      const Values values(params, T::describe().parameters, true);
      *instance = new Instance{std::make_unique<T>(library, values), library.host};
      return TS_STATUS_OK;
    });
  }
  static ts_status find(void *instance, const ts_image *image, const ts_rect *seed, ts_writer progress, ts_writer hits,
                        ts_writer error) noexcept {
    return guard(error, [&] {
      const Instance &self = *static_cast<const Instance *>(instance);
      const uint64_t pixel_stride = image->pixel_format == TS_PIXEL_MONO8 ? 1 : 2;
      const Roi view(image->base, image->len_bytes, 0, image->row_stride_bytes, pixel_stride, image->width_px,
                     image->height_px, image->pixel_format);
      const std::vector<ts_hit> found = self.finder->find(view, seed, FindJob(self.host, progress));
      write_all(hits, found.data(), found.size() * sizeof(ts_hit));
      return TS_STATUS_OK;
    });
  }
  static constexpr ts_finder_table table() {
    return {sizeof(ts_finder_table), 0, make_instance, free_as<Instance>, find};
  }
};

// The glue of a component, by the class that it derives from.
template <class T> constexpr auto table_of() {
  if constexpr (std::is_base_of_v<Tracker, T>) {
    return TrackerGlue<T>::table();
  } else if constexpr (std::is_base_of_v<ZlutStrategy, T>) {
    return ZlutGlue<T>::table();
  } else if constexpr (std::is_base_of_v<Camera, T>) {
    return CameraGlue<T>::table();
  } else if constexpr (std::is_base_of_v<Stage, T>) {
    return StageGlue<T>::table();
  } else {
    static_assert(std::is_base_of_v<BeadFinder, T>,
                  "a component derives from Tracker, ZlutStrategy, Camera, Stage or BeadFinder");
    return FinderGlue<T>::table();
  }
}

template <class T> inline constexpr auto component_table = table_of<T>();

template <class Context, class... Components> struct LibraryGlue {
  static constexpr uint32_t n = sizeof...(Components);

  static ts_status open(const ts_host *table, void **context, ts_writer error) noexcept {
    return guard(error, [&] {
      const Host host(table);
      *context = new Library(host, std::make_shared<Context>(host));
      return TS_STATUS_OK;
    });
  }
  static uint32_t n_components(void *) noexcept { return n; }
  static uint32_t kind(void *, uint32_t index) noexcept {
    constexpr uint32_t kinds[] = {Components::kind...};
    return index < n ? kinds[index] : 0;
  }
  static const void *component(void *, uint32_t index) noexcept {
    static constexpr const void *tables[] = {&component_table<Components>...};
    return index < n ? tables[index] : nullptr;
  }
  static ts_status describe(void *, uint32_t index, ts_writer out, ts_writer error) noexcept {
    return guard(error, [&] {
      using Describe = Descriptor (*)();
      static constexpr Describe all[] = {&Components::describe...};
      if (index >= n) {
        throw Error::invalid("there is no such component");
      }
      write_text(out, all[index]().json());
      return TS_STATUS_OK;
    });
  }
  static constexpr ts_library_table table() {
    return {sizeof(ts_library_table), 0, open, free_as<Library>, n_components, kind, component, describe};
  }
};

} // namespace detail
} // namespace tetherscope

// Exports a library's components, once, at the end of a file: `TETHERSCOPE_PLUGIN(MyTracker, MyStrategy);`.
#define TETHERSCOPE_PLUGIN(...) TETHERSCOPE_PLUGIN_WITH_CONTEXT(::tetherscope::NoContext, __VA_ARGS__)

// The same for components that share something: `Context` has a constructor `(const tetherscope::Host &)` that touches no
// device, and `library.context<Context>()` gives it to each component.
#define TETHERSCOPE_PLUGIN_WITH_CONTEXT(Context, ...)                                                                  \
  static constexpr ts_library_table tetherscope_library = ::tetherscope::detail::LibraryGlue<Context, __VA_ARGS__>::table(); \
  TS_PLUGIN_ENTRY(tetherscope_library)

#endif // TETHERSCOPE_HPP
