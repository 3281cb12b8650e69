/*
 * Tetherscope's plugin interface in C. Licensed under MIT or Apache-2.0, at your option.
 *
 * Generated from plugin-api/src/abi by the test `c_header`; change the Rust sources, not this file.
 *
 * The contract between host and plugin: C layout, constants and function tables. No code.
 *
 * Data structs are frozen within a major version. Function tables grow at their end: each begins with
 * `struct_size`, the reader copies the smaller of both sizes into zeroed memory, and a function that is then null is
 * absent. Nothing owned crosses: buffers belong to the host, text and bytes of unknown size go through a `ts_writer`.
 * Text is UTF-8 with a length, not zero-terminated. Reserved words are zero.
 *
 * In C every name has the prefix `ts_` (types, snake case) or `TS_` (constants).
 */

#ifndef TETHERSCOPE_H
#define TETHERSCOPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__cplusplus)
extern "C" {
#endif

// The value is in `ts_param.int_value`.
#define TS_PARAM_INT 1
// The value is in `ts_param.float_value`.
#define TS_PARAM_FLOAT 2
// The value is in `ts_param.int_value`, 0 or 1.
#define TS_PARAM_BOOL 3
// The value is in `ts_param.text_value`.
#define TS_PARAM_TEXT 4
// The value is in `ts_param.text_value`, one of the schema's choices.
#define TS_PARAM_CHOICE 5

// First word of `ts_plugin_entry`: the bytes `TSPL` read little-endian.
#define TS_MAGIC 0x4c505354

// Major version of this interface. Another major is refused.
#define TS_ABI_MAJOR 1
// Minor version of this interface. An older minor always loads; a newer one if its `min_host` allows.
#define TS_ABI_MINOR 0

// Slots of `ts_plugin_entry.sizes`.
#define TS_MAX_SIZES 32

// How many slots of `ts_plugin_entry.sizes` this version fills.
#define TS_N_SIZES 19

// Kind of a component: a tracker, with a `ts_tracker_table`.
#define TS_KIND_TRACKER 1
// Kind of a component: a Z-LUT strategy, with a `ts_zlut_strategy_table`.
#define TS_KIND_ZLUT 2
// Kind of a component: a camera driver, with a `ts_camera_table`.
#define TS_KIND_CAMERA 3
// Kind of a component: a stage driver, with a `ts_stage_table`.
#define TS_KIND_STAGE 4
// Kind of a component: a bead finder, with a `ts_finder_table`.
#define TS_KIND_FINDER 5

// Log level: something failed.
#define TS_LOG_ERROR 1
// Log level: something is odd, the work goes on.
#define TS_LOG_WARN 2
// Log level: worth knowing once.
#define TS_LOG_INFO 3
// Log level: for the plugin's author.
#define TS_LOG_DEBUG 4

// PFNC code: 8 bits per pixel.
#define TS_PIXEL_MONO8 0x01080001
// PFNC code: 10 bits in 16, value in the low bits.
#define TS_PIXEL_MONO10 0x01100003
// PFNC code: 12 bits in 16, value in the low bits.
#define TS_PIXEL_MONO12 0x01100005
// PFNC code: 14 bits in 16, value in the low bits.
#define TS_PIXEL_MONO14 0x01100025
// PFNC code: 16 bits. What trackers see of every format above 8 bits: native-endian, value in the low bits.
#define TS_PIXEL_MONO16 0x01100007
// PFNC code: 10 bits, packed without gaps, least significant first.
#define TS_PIXEL_MONO10P 0x010a0046
// PFNC code: 12 bits, packed without gaps, least significant first.
#define TS_PIXEL_MONO12P 0x010c0047
// PFNC code: 12 bits, two pixels in three bytes as GigE Vision packs them.
#define TS_PIXEL_MONO12_PACKED 0x010c0006

// Something the method needs lies outside the ROI or the frame.
#define TS_FLAG_AT_BORDER (1 << 0)
// Saturated pixels took part.
#define TS_FLAG_SATURATED (1 << 1)
// Nothing to track: a constant or empty ROI.
#define TS_FLAG_NO_SIGNAL (1 << 2)
// The iteration did not settle.
#define TS_FLAG_NOT_CONVERGED (1 << 3)
// The profile matches no plane inside the Z-LUT's range.
#define TS_FLAG_OUTSIDE_ZLUT (1 << 4)
// Too little contrast for a trustworthy result.
#define TS_FLAG_LOW_CONTRAST (1 << 5)
// Another bead disturbs.
#define TS_FLAG_NEIGHBOUR (1 << 6)
// A number that should be finite is not. The host adds it to rows that a plugin left NaN without a flag.
#define TS_FLAG_NON_FINITE (1 << 7)
// The result came too late to be used. Set by the host.
#define TS_FLAG_DEADLINE (1 << 8)
// The plugin's call failed; the row holds no result. Set by the host.
#define TS_FLAG_PLUGIN_ERROR (1 << 9)
// The plugin returned without writing this row. Set by the host.
#define TS_FLAG_NOT_WRITTEN (1 << 10)
// The first of the eight highest bits, which a method may use for itself and explains in its documentation.
#define TS_FLAG_METHOD_FIRST (1 << 24)

// The method makes no profile.
#define TS_PROFILE_NONE 0
// Mean pixel value over rings round the bead's centre.
#define TS_PROFILE_RADIAL 1
// Mean magnitude of the Fourier transform over rings round frequency zero.
#define TS_PROFILE_FFT 2
// A profile that only this tracker and strategies that know it understand.
#define TS_PROFILE_OWN 3

// `ts_camera_format.time_instant`: nobody knows.
#define TS_TIME_UNKNOWN 0
// `ts_camera_format.time_instant`: the exposure's start.
#define TS_TIME_EXPOSURE_START 1
// `ts_camera_format.time_instant`: the exposure's end.
#define TS_TIME_EXPOSURE_END 2
// `ts_camera_format.time_instant`: the start of the read-out.
#define TS_TIME_READOUT 3

// `ts_camera_format.flags`: values lie in the high bits of their 16.
#define TS_FORMAT_MSB_ALIGNED (1 << 0)
// `ts_camera_format.flags`: the source ends by itself, after `n_frames` frames if that is known.
#define TS_FORMAT_FINITE (1 << 1)

// `ts_frame_info.device_frame_id` of a source without ids.
#define TS_NO_DEVICE_FRAME_ID UINT64_MAX
// `ts_frame_info.device_time_ticks` of a frame without a time.
#define TS_NO_DEVICE_TIME INT64_MIN

// `ts_frame_info.status`: parts of the image are missing.
#define TS_FRAME_INCOMPLETE (1 << 0)
// `ts_frame_info.status`: the device says that the image is damaged.
#define TS_FRAME_CORRUPT (1 << 1)

// Reason for `lost`: the device's ids say that frames are missing.
#define TS_LOST_CAMERA_GAP 1
// Reason for `lost`: a frame came and no slot was free.
#define TS_LOST_UNDERRUN 2
// Reason for `lost`: a frame came in parts and was thrown away.
#define TS_LOST_INCOMPLETE 3

// Reason for `ended`: a finite source gave its last frame.
#define TS_ENDED_END_OF_DATA 1
// Reason for `ended`: the device is gone.
#define TS_ENDED_DISCONNECTED 2
// Reason for `ended`: something failed; the text says what.
#define TS_ENDED_ERROR 3

// What a function returns: one of the `TS_STATUS_*` values. The sentence for people goes to the error writer.
typedef int32_t ts_status;

// UTF-8 text that the callee may read during the call. `ptr` may be null when `len` is 0.
typedef struct ts_str {
  // First byte.
  const uint8_t *ptr;
  // Number of bytes.
  uint64_t len;
} ts_str;

// Takes the named arrays of an `explain` call. The data is copied during the call.
typedef struct ts_array_sink {
  // Handed back to `array`.
  void *ctx;
  // Gives one array: its name, the unit of its values, its shape (slowest axis first) and its values.
  ts_status (*array)(void *ctx,
                     struct ts_str name,
                     struct ts_str unit,
                     const uint64_t *shape,
                     uint32_t n_axes,
                     const double *values);
} ts_array_sink;

// ROIs in place in their frames: nothing was copied. Pixel (x, y) of ROI i begins at byte
// `base + offsets[i] + y * row_stride_bytes + x * pixel_stride_bytes`.
typedef struct ts_batch {
  // Start of the memory that holds the frames. Null when the callee needs no pixels.
  const uint8_t *base;
  // Bytes that may be read from `base` on.
  uint64_t len_bytes;
  // Per ROI: bytes from `base` to its top-left pixel.
  const uint64_t *offsets;
  // Bytes from one row to the next.
  uint64_t row_stride_bytes;
  // Bytes from one pixel to its right neighbour.
  uint32_t pixel_stride_bytes;
  // Number of ROIs; may be 0.
  uint32_t n_rois;
  // Width of every ROI.
  uint32_t w_px;
  // Height of every ROI.
  uint32_t h_px;
  // `TS_PIXEL_MONO8` or `TS_PIXEL_MONO16`.
  uint32_t pixel_format;
  // Zero.
  uint32_t reserved0;
  // Per ROI: bead id.
  const uint32_t *bead_ids;
  // Per ROI: frame index of the host.
  const uint64_t *frame_indices;
  // Zero.
  uint64_t reserved[4];
} ts_batch;

// What a camera will deliver with its present settings.
typedef struct ts_camera_format {
  // Width.
  uint32_t width_px;
  // Height.
  uint32_t height_px;
  // PFNC code.
  uint32_t pixel_format;
  // Bits of a pixel that carry the value.
  uint32_t significant_bits;
  // Bytes from one row to the next.
  uint64_t row_stride_bytes;
  // Bytes that a slot must hold; at least the image.
  uint64_t payload_bytes;
  // Bytes from the slot's start to the image.
  uint64_t image_offset_bytes;
  // Alignment that the driver needs of a slot; a power of two.
  uint64_t alignment_bytes;
  // Slots that the driver would like to hold at once.
  uint32_t slots_wanted;
  // One of the `TS_TIME_*` values: which instant the device time names.
  uint32_t time_instant;
  // Nanoseconds per tick of the device's clock; 0 without a clock.
  double ns_per_tick;
  // Bits of the device's frame id, after which it wraps; 0 without ids.
  uint32_t device_id_bits;
  // `TS_FORMAT_*` bits.
  uint32_t flags;
  // Values (f64) of all channels of one frame together.
  uint32_t n_channel_values;
  // Zero.
  uint32_t reserved0;
  // Frames that a finite source has; 0 unknown or endless.
  uint64_t n_frames;
  // Zero.
  uint64_t reserved[4];
} ts_camera_format;

// What comes with each frame.
typedef struct ts_frame_info {
  // The device's id, as it came (it may wrap); `TS_NO_DEVICE_FRAME_ID` without.
  uint64_t device_frame_id;
  // The device's time in ticks; `TS_NO_DEVICE_TIME` without.
  int64_t device_time_ticks;
  // Exposure in ns; -1 unknown.
  int64_t exposure_ns;
  // `TS_FRAME_*` bits; 0 is a whole frame.
  uint32_t status;
  // Zero.
  uint32_t reserved0;
  // Zero.
  uint64_t reserved[2];
} ts_frame_info;

// Where a camera puts its frames. The host's; grows at its end. Every function may be called from any thread,
// between `start` and the return of `stop`, never after.
typedef struct ts_camera_sink {
  // Size of this struct in bytes, as the host knows it.
  uint32_t struct_size;
  // 1: offline; the source shall wait for slots and drop nothing.
  uint32_t lossless;
  // Handed back to each function.
  void *ctx;
  // Addresses of all slots, so that an SDK can announce them once.
  uint8_t *const *slots;
  // Number of slots.
  uint32_t n_slots;
  // Values that the host reads at `channels`: the format's `n_channel_values` when `start` was called.
  uint32_t n_channel_values;
  // Bytes of each slot.
  uint64_t slot_bytes;
  // Lends a slot: its index, or -1 when none became free within `timeout_ns`. Several may be lent at once.
  int32_t (*lend)(void *ctx, int64_t timeout_ns);
  // Gives a lent slot to the host as the next frame. `channels` are `n_channel_values` values, or null.
  ts_status (*commit)(void *ctx, int32_t slot, const struct ts_frame_info *info, const double *channels);
  // Gives a lent slot back unused.
  ts_status (*give_back)(void *ctx, int32_t slot);
  // For SDKs that own their memory: copies `len_bytes` of payload into a slot and commits it; less than the format's
  // `payload_bytes` only for a frame marked `TS_FRAME_INCOMPLETE`. `TS_STATUS_BUSY`: no slot was free, the host
  // counted an underrun.
  ts_status (*push)(void *ctx,
                    const uint8_t *payload,
                    uint64_t len_bytes,
                    const struct ts_frame_info *info,
                    const double *channels);
  // Tells of `count` frames that were lost before they reached a slot. `TS_LOST_*`.
  void (*lost)(void *ctx, uint64_t count, uint32_t reason);
  // Tells that no more frames come. `TS_ENDED_*`. After it only `stop` follows.
  void (*ended)(void *ctx, uint32_t reason, struct ts_str text);
} ts_camera_sink;

// Where output of unknown size goes: call `write` as often as needed, each call appends.
typedef struct ts_writer {
  // Handed back to `write`.
  void *ctx;
  // Appends `len` bytes. Not `TS_STATUS_OK` means: stop writing, the host takes no more. Null: nobody listens.
  ts_status (*write)(void *ctx, const uint8_t *ptr, uint64_t len);
} ts_writer;

// One parameter or setting. The host sends every key of the schema, defaults included, already checked against it.
typedef struct ts_param {
  // The schema's key.
  struct ts_str key;
  // One of the `TS_PARAM_*` kinds.
  uint32_t kind;
  // Zero.
  uint32_t reserved;
  // Value of an integer or switch.
  int64_t int_value;
  // Value of a number, in the schema's unit.
  double float_value;
  // Value of a text or choice.
  struct ts_str text_value;
} ts_param;

// A block of parameters: `len` entries at `ptr`.
typedef struct ts_params {
  // First entry; may be null when `len` is 0.
  const struct ts_param *ptr;
  // Number of entries.
  uint64_t len;
} ts_params;

// A camera driver's functions. Grows at its end.
//
// Threads: one caller at a time per camera, except `stop`, which may come while another call runs (a `poll` under way
// then returns soon). `start` arms and returns. The host's camera thread then calls `poll` again and again; frames
// may be delivered in it or from an SDK's own threads. After `stop` has returned, no function of the sink is called.
typedef struct ts_camera_table {
  // Size of this struct in bytes, as the library knows it.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // Writes the devices that could be opened, as JSON:
  // `[{"device": "text for open", "name": "...", "serial": "..."}]`. May take seconds.
  ts_status (*enumerate)(void *context, struct ts_writer out, struct ts_writer error);
  // Opens a device (empty text: the first, or the only one) with the component's parameters.
  ts_status (*open)(void *context, struct ts_str device, struct ts_params params, void **camera, struct ts_writer error);
  // Closes a camera; it was stopped before.
  void (*close)(void *camera);
  // Writes the present settings as JSON: `{"revision": 7, "settings": [{..., "value": ..., "access": "rw"}]}`, each a
  // parameter as in `describe` with its value and its access (`rw`, `r` or `none`). Asked again after every change,
  // since ranges depend on each other.
  ts_status (*settings)(void *camera, struct ts_writer out, struct ts_writer error);
  // Changes settings. `TS_STATUS_BUSY` for one that cannot change while the camera runs.
  ts_status (*set)(void *camera, struct ts_params params, struct ts_writer error);
  // What the camera delivers with its present settings.
  ts_status (*format)(void *camera, struct ts_camera_format *format, struct ts_writer error);
  // Writes the channels of a frame as JSON: `[{"key": "exposure_ms", "unit": "ms", "length": 1}]`. Null: none.
  ts_status (*channels)(void *camera, struct ts_writer out, struct ts_writer error);
  // Arms the camera and returns. `sink` stays valid until `stop` has returned.
  ts_status (*start)(void *camera, const struct ts_camera_sink *sink, struct ts_writer error);
  // Waits at most `timeout_ns` for frames and delivers them. `TS_STATUS_TIMED_OUT` when none came.
  ts_status (*poll)(void *camera, int64_t timeout_ns, struct ts_writer error);
  // Stops. Gives every lent slot back. Harmless when not running.
  ts_status (*stop)(void *camera, struct ts_writer error);
} ts_camera_table;

// One grey image in memory.
typedef struct ts_image {
  // First byte of the top-left pixel; aligned to the pixel's size.
  const uint8_t *base;
  // Bytes that may be read from `base` on.
  uint64_t len_bytes;
  // Bytes from one row to the next; a multiple of the pixel's size.
  uint64_t row_stride_bytes;
  // Width.
  uint32_t width_px;
  // Height.
  uint32_t height_px;
  // `TS_PIXEL_MONO8` or `TS_PIXEL_MONO16`.
  uint32_t pixel_format;
  // Bits of a pixel that carry the value.
  uint32_t significant_bits;
  // Zero.
  uint64_t reserved[2];
} ts_image;

// A rectangle of pixels.
typedef struct ts_rect {
  // Column of the top-left pixel.
  int32_t x_px;
  // Row of the top-left pixel.
  int32_t y_px;
  // Width.
  uint32_t w_px;
  // Height.
  uint32_t h_px;
} ts_rect;

// A bead finder's functions. Grows at its end.
//
// Threads: an instance is shared and never changed; `find` may be called by several threads at once, off the live
// path. It should ask the host's `cancelled` at least ten times a second.
typedef struct ts_finder_table {
  // Size of this struct in bytes, as the library knows it.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // Makes an instance from parameters. `context` is the library's.
  ts_status (*create)(void *context, struct ts_params params, void **instance, struct ts_writer error);
  // Frees an instance.
  void (*destroy)(void *instance);
  // Finds beads. `seed` is an example chosen by the user, or null. Progress is written as f64 values from 0 to 1;
  // `hits` takes `ts_hit` structs, the surest first.
  ts_status (*find)(void *instance,
                    const struct ts_image *image,
                    const struct ts_rect *seed,
                    struct ts_writer progress,
                    struct ts_writer hits,
                    struct ts_writer error);
} ts_finder_table;

// One ROI's result. The host fills every field with NaN and every flag with 0 before the call.
typedef struct ts_fix {
  // Column of the bead's centre in the ROI; 0 is the middle of the ROI's left-most pixel.
  double x_px;
  // Row of the bead's centre in the ROI; 0 is the middle of the ROI's top pixel.
  double y_px;
  // Focus position of the sweep at which the bead looks the same; NaN from a tracker.
  double z_nm;
  // Standard error of x; NaN where the method cannot tell.
  float sigma_x_px;
  // Standard error of y; NaN where the method cannot tell.
  float sigma_y_px;
  // Standard error of z; NaN where the method cannot tell.
  float sigma_z_nm;
  // 0 to 1, 1 is best; NaN unknown.
  float quality;
  // `TS_FLAG_*` bits.
  uint32_t flags;
  // Zero.
  uint32_t reserved;
} ts_fix;

// One bead that was found.
typedef struct ts_hit {
  // Column of the bead's centre in the frame.
  double x_px;
  // Row of the bead's centre in the frame.
  double y_px;
  // The larger the surer; the scale is the method's.
  double score;
  // `TS_FLAG_*` bits.
  uint32_t flags;
  // Zero.
  uint32_t reserved;
} ts_hit;

// What the host offers its plugins, and nothing else. Grows at its end. All functions may be called by any thread.
typedef struct ts_host {
  // Size of this struct in bytes, as the host knows it.
  uint32_t struct_size;
  // Major version of the interface that the host offers.
  uint16_t abi_major;
  // Minor version of the interface that the host offers.
  uint16_t abi_minor;
  // Handed back to each function.
  void *ctx;
  // Puts one line into the host's log. Never from `track`, `lookup` or `poll` for each frame.
  void (*log)(void *ctx, uint32_t level, struct ts_str text);
  // The host's monotonic clock in ns. The same clock stamps the arrival of frames.
  int64_t (*now_ns)(void *ctx);
  // Calls `task(arg, i)` for each i in 0..n, perhaps in parallel, perhaps serially; returns when all are done. For
  // rare big jobs (building a table). Hold no lock across it; `task` must not unwind.
  void (*parallel_for)(void *ctx, uint64_t n, void (*task)(void *arg, uint64_t index), void *arg);
  // 1 when the user gave up the job that the calling thread works on; then return `TS_STATUS_CANCELLED` soon.
  uint32_t (*cancelled)(void *ctx);
} ts_host;

// A library's functions. Grows at its end.
//
// Threads: `open` and `close` are called once per process, by one thread, with no other call under way. The others
// may be called by any thread after `open`.
typedef struct ts_library_table {
  // Size of this struct in bytes, as the library knows it.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // Makes the context that all components of the library share. Touches no device. `host` stays valid until the
  // process ends. May wait up to a second.
  ts_status (*open)(const struct ts_host *host, void **context, struct ts_writer error);
  // Ends the library: everything made from the context was freed before.
  void (*close)(void *context);
  // Number of components. Constant.
  uint32_t (*n_components)(void *context);
  // Kind of component `index` (`TS_KIND_*`), 0 for an index that does not exist.
  uint32_t (*kind)(void *context, uint32_t index);
  // Function table of component `index`, of the type that its kind names; null for an index that does not exist.
  const void *(*table)(void *context, uint32_t index);
  // Writes the descriptor of component `index` as one JSON object (constant text is enough):
  //
  // `{"id": "tracker.lab.name", "name": "...", "version": "1.2.3", "summary": "...", "source": "paper or system",
  // "licence": "...", "isolation": "any" | "process", "capabilities": ["..."], "parameters": [...]}`
  //
  // `id` is `kind.method` or `kind.lab.method`, lower case letters, digits and `-`; `version` is semver.
  // Capabilities: tracker `profile`, `mono8`, `mono16`; strategy `needs_pixels`, `refines_xy`, `own_bytes`.
  // Each of `parameters` is
  // `{"key": "...", "type": "int" | "float" | "bool" | "text" | "choice", "help": "...", "default": ...,
  // "unit": "px", "min": 0, "max": 1, "step": 0.1, "choices": ["..."], "level": "basic" | "expert",
  // "change": "live" | "idle" | "rearm", "invalidates": ["zlut", "geometry"], "old_names": ["..."],
  // "value_before": ...}`; key, type, help and default are required, a choice needs `choices`.
  ts_status (*describe)(void *context, uint32_t index, struct ts_writer out, struct ts_writer error);
} ts_library_table;

// What `lookup` works on: one entry per ROI of its batch.
typedef struct ts_lookup {
  // Per ROI: its table. Never null inside.
  const void *const *tables;
  // Per ROI: in, the tracker's result; out, z, sigma_z and flags (x and y too if the strategy `refines_xy`).
  struct ts_fix *fixes;
  // `[n_rois × n_bins]`: the tracker's profiles; null without.
  const double *profiles;
  // `[n_rois × n_bins]`: pixels per bin; null without.
  const float *weights;
  // Bins per row.
  uint32_t n_bins;
  // ROIs, as in the batch.
  uint32_t n_rois;
  // Zero.
  uint64_t reserved[2];
} ts_lookup;

// What a library exports as the static `tetherscope_plugin_entry`. Everything but `library` is read from the file
// before any code of the library runs, so it needs constant initialisers.
typedef struct ts_plugin_entry {
  // `TS_MAGIC`.
  uint32_t magic;
  // `TS_ABI_MAJOR` of the interface that the library was built against.
  uint16_t abi_major;
  // `TS_ABI_MINOR` of the interface that the library was built against.
  uint16_t abi_minor;
  // Size of this struct in bytes.
  uint32_t struct_size;
  // How many of `sizes` are filled.
  uint32_t n_sizes;
  // Oldest host that will do: major, minor, patch of its plugin interface, then 0. All zero: a host of at least
  // `abi_major.abi_minor`.
  uint16_t min_host[4];
  // Sizes in bytes of the frozen structs, in this order: str, writer, param, params, array_sink, fix, batch,
  // worker_config, profile_layout, track_output, lookup, sweep, table_parts, table_sink, camera_format, frame_info,
  // rect, image, hit. The rest is zero.
  uint32_t sizes[TS_MAX_SIZES];
  // The library's functions.
  const struct ts_library_table *library;
} ts_plugin_entry;

// Geometry of the profiles of one worker.
typedef struct ts_profile_layout {
  // Bins of a profile; 0 without profiles.
  uint32_t n_bins;
  // One of the `TS_PROFILE_*` kinds.
  uint32_t kind;
  // Radius of the middle of bin 0 (radial: px; fft: 1/ROI width).
  double first_radius_px;
  // From one bin's middle to the next.
  double step_px;
  // Zero.
  uint64_t reserved[2];
} ts_profile_layout;

// A stage driver's functions. Grows at its end.
//
// Positions are in the axis' own unit (`axes` tells it). Threads: one caller at a time per stage, except `stop`, which
// may come while another call runs. No function waits for a move to end: ask `moving`.
typedef struct ts_stage_table {
  // Size of this struct in bytes, as the library knows it.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // Writes the devices that could be opened, as JSON like a camera's. May take seconds.
  ts_status (*enumerate)(void *context, struct ts_writer out, struct ts_writer error);
  // Opens a device (empty text: the first, or the only one). Nothing moves.
  ts_status (*open)(void *context, struct ts_str device, struct ts_params params, void **stage, struct ts_writer error);
  // Closes a stage; what moves is stopped first.
  void (*close)(void *stage);
  // Writes the axes as JSON: `[{"role": "focus" | "magnet_height" | "magnet_rotation" | "x" | "y", "unit": "nm",
  // "min": -10000, "max": 10000, "max_speed_per_s": 1000}]`. The index in it names the axis elsewhere.
  ts_status (*axes)(void *stage, struct ts_writer out, struct ts_writer error);
  // Writes the present settings as a camera's. Null: no settings.
  ts_status (*settings)(void *stage, struct ts_writer out, struct ts_writer error);
  // Changes settings. Null: no settings.
  ts_status (*set)(void *stage, struct ts_params params, struct ts_writer error);
  // Begins a move. Outside the limits: `TS_STATUS_INVALID_ARGUMENT`, and nothing moves.
  ts_status (*move_to)(void *stage, uint32_t axis, double position, struct ts_writer error);
  // The measured position.
  ts_status (*position)(void *stage, uint32_t axis, double *position, struct ts_writer error);
  // 1 while the axis moves, else 0.
  ts_status (*moving)(void *stage, uint32_t axis, uint32_t *moving, struct ts_writer error);
  // Stops all axes at once.
  ts_status (*stop)(void *stage, struct ts_writer error);
  // Begins a homing run. Null: the axis knows its position.
  ts_status (*home)(void *stage, uint32_t axis, struct ts_writer error);
} ts_stage_table;

// What a worker is told once: the shape of its ROIs and what is known about the camera. NaN means unknown.
typedef struct ts_worker_config {
  // Width of the ROIs.
  uint32_t w_px;
  // Height of the ROIs.
  uint32_t h_px;
  // `TS_PIXEL_MONO8` or `TS_PIXEL_MONO16`.
  uint32_t pixel_format;
  // Bits of a pixel that carry the value.
  uint32_t significant_bits;
  // Most ROIs that one batch will have.
  uint32_t max_rois;
  // Zero.
  uint32_t reserved0;
  // Pixel value from which a pixel counts as saturated, in ADU.
  double saturation_adu;
  // Electrons per ADU.
  double gain_e_per_adu;
  // Pixel value without light, in ADU.
  double offset_adu;
  // Read noise, rms, in electrons.
  double read_noise_e;
  // Size of a pixel in the sample.
  double nm_per_px;
  // Zero.
  uint64_t reserved[4];
} ts_worker_config;

// A recorded sweep, frame by frame: entry i is one ROI of one frame. Equal focus values are one plane.
typedef struct ts_sweep {
  // The pixels, with bead ids and frame indices.
  struct ts_batch batch;
  // Per entry: focus position in nm.
  const double *focus_nm;
  // Per entry: the tracker's result.
  const struct ts_fix *fixes;
  // `[n_rois × n_bins]`: the tracker's profiles; null without.
  const double *profiles;
  // `[n_rois × n_bins]`: pixels per bin; null without.
  const float *weights;
  // Geometry of the profiles.
  struct ts_profile_layout layout;
  // Shape of the ROIs and noise of the camera.
  struct ts_worker_config config;
  // Id of the tracker.
  struct ts_str tracker_id;
  // Version of the tracker.
  struct ts_str tracker_version;
  // Parameters of the tracker.
  struct ts_params tracker_params;
  // Zero.
  uint64_t reserved[4];
} ts_sweep;

// A saved table, in parts. A strategy that needs `bytes` which are missing refuses and says so.
typedef struct ts_table_parts {
  // `[n_planes]`: focus in nm.
  const double *z_nm;
  // `[n_planes × n_bins]`, plane by plane.
  const double *profiles;
  // `[n_planes × n_bins]`: variance of `profiles`; null without.
  const double *variance;
  // What the strategy itself wrote; null without.
  const uint8_t *bytes;
  // Number of `bytes`.
  uint64_t len_bytes;
  // Number of planes.
  uint32_t n_planes;
  // Zero.
  uint32_t reserved0;
  // Geometry of the profiles.
  struct ts_profile_layout layout;
  // Shape of the ROIs and noise of the camera when the sweep was recorded.
  struct ts_worker_config config;
  // Zero.
  uint64_t reserved[4];
} ts_table_parts;

// Takes a table apart: the same parts that `load` gets. Numbers are written as native-endian f64.
typedef struct ts_table_sink {
  // `[n_planes]` f64.
  struct ts_writer z_nm;
  // `[n_planes × n_bins]` f64.
  struct ts_writer profiles;
  // `[n_planes × n_bins]` f64, or nothing.
  struct ts_writer variance;
  // Little-endian, versioned by the strategy, equal on every CPU; or nothing.
  struct ts_writer bytes;
  // Zero.
  uint64_t reserved[4];
} ts_table_sink;

// Where a batch's results go. All memory is the host's.
typedef struct ts_track_output {
  // One per ROI. Never null when the batch has ROIs.
  struct ts_fix *fixes;
  // `[n_rois × n_bins]`, row by row; NaN is an empty bin. Null: nobody wants them.
  double *profiles;
  // `[n_rois × n_bins]`: pixels per bin. Null: nobody wants them.
  float *weights;
  // Bins per row, as the worker announced.
  uint32_t n_bins;
  // ROIs, as in the batch.
  uint32_t n_rois;
  // Zero.
  uint64_t reserved[2];
} ts_track_output;

// A tracker's functions. Grows at its end.
//
// Threads: `create`, `worker` and the freeing functions are called off the live path, by any thread. An instance is
// shared and never changed. A worker has one caller at a time. `track` runs on the live path: it must not allocate,
// lock, wait or print. No result may depend on an earlier batch, on the order of the ROIs or on their number.
typedef struct ts_tracker_table {
  // Size of this struct in bytes, as the library knows it.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // Makes an instance from parameters. `context` is the library's.
  ts_status (*create)(void *context, struct ts_params params, void **instance, struct ts_writer error);
  // Frees an instance; all its workers were freed before.
  void (*destroy)(void *instance);
  // Makes a worker and tells the layout of its profiles. All memory that `track` will need is taken here.
  ts_status (*worker)(void *instance,
                      const struct ts_worker_config *config,
                      void **worker,
                      struct ts_profile_layout *layout,
                      struct ts_writer error);
  // Frees a worker.
  void (*free_worker)(void *worker);
  // Tracks a batch. Anything but `TS_STATUS_OK` spoils the whole batch; a bad ROI is NaN and a flag in its own
  // row, never a failed call.
  ts_status (*track)(void *worker,
                     const struct ts_batch *batch,
                     const struct ts_track_output *output,
                     struct ts_writer error);
  // Shows how the result of a batch of one ROI came about (profile, residual, steps). May be null. Off the live path.
  ts_status (*explain)(void *worker, const struct ts_batch *batch, struct ts_array_sink arrays, struct ts_writer error);
} ts_tracker_table;

// A Z-LUT strategy's functions. Grows at its end.
//
// Three objects: an *instance* (parameters), *tables* (immutable, shared by all workers, made by `build` or `load`)
// and *workers* (scratch, one caller at a time). `lookup` runs on the live path under the rules of `track`; the rest
// runs off it. `build` may use the host's `parallel_for` and should ask `cancelled` now and then.
typedef struct ts_zlut_strategy_table {
  // Size of this struct in bytes, as the library knows it.
  uint32_t struct_size;
  // Zero.
  uint32_t reserved;
  // Makes an instance from parameters. `context` is the library's.
  ts_status (*create)(void *context, struct ts_params params, void **instance, struct ts_writer error);
  // Frees an instance; its tables and workers were freed before.
  void (*destroy)(void *instance);
  // Makes one table from a sweep (of one bead, or of several that are averaged).
  ts_status (*build)(void *instance, const struct ts_sweep *sweep, void **table, struct ts_writer error);
  // Makes a table from its saved parts. Cut or altered bytes give an error, never a crash.
  ts_status (*load)(void *instance, const struct ts_table_parts *parts, void **table, struct ts_writer error);
  // Takes a table apart into the parts that `load` accepts.
  ts_status (*save)(const void *table, const struct ts_table_sink *sink, struct ts_writer error);
  // Frees a table.
  void (*free_table)(void *table);
  // Makes a worker for ROIs and profiles of one shape.
  ts_status (*worker)(void *instance,
                      const struct ts_worker_config *config,
                      const struct ts_profile_layout *layout,
                      void **worker,
                      struct ts_writer error);
  // Frees a worker.
  void (*free_worker)(void *worker);
  // Looks a batch up. The batch has pixels only if the strategy `needs_pixels`.
  ts_status (*lookup)(void *worker, const struct ts_batch *batch, const struct ts_lookup *lookup, struct ts_writer error);
  // Shows how the result of a batch of one ROI came about. May be null. Off the live path.
  ts_status (*explain)(void *worker,
                       const struct ts_batch *batch,
                       const struct ts_lookup *lookup,
                       struct ts_array_sink arrays,
                       struct ts_writer error);
} ts_zlut_strategy_table;

// Done.
#define TS_STATUS_OK 0
// A value is outside what the function accepts; a retry with the same values fails again.
#define TS_STATUS_INVALID_ARGUMENT 1
// The plugin or device cannot do this at all.
#define TS_STATUS_UNSUPPORTED 2
// Not now (for example: the camera is running); a later retry may succeed.
#define TS_STATUS_BUSY 3
// Nothing happened within the time that was given. For `poll` this is ordinary.
#define TS_STATUS_TIMED_OUT 4
// The host asked to stop, and the function did.
#define TS_STATUS_CANCELLED 5
// The device is gone; open it again after it is back.
#define TS_STATUS_DISCONNECTED 6
// Reading, writing or talking to a device failed.
#define TS_STATUS_IO 7
// Memory could not be had.
#define TS_STATUS_OUT_OF_MEMORY 8
// The plugin panicked or threw; the guard round it caught that. The object it happened in is still valid to free.
#define TS_STATUS_PANICKED 9
// A defect of the plugin that it noticed itself.
#define TS_STATUS_INTERNAL 10

// ---- Macros and helpers ----

// Makes a static visible outside the library, whatever -fvisibility says.
#if defined(_WIN32)
#define TS_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define TS_EXPORT __attribute__((visibility("default")))
#else
#define TS_EXPORT
#endif

#if defined(__cplusplus)
#define TS_EXTERN_C extern "C"
#else
#define TS_EXTERN_C extern
#endif

// The sizes of the frozen structs, for the field `sizes` of an entry.
#define TS_SIZES                                                                                                       \
  {                                                                                                                    \
    (uint32_t)sizeof(ts_str),                                                                                          \
    (uint32_t)sizeof(ts_writer),                                                                                       \
    (uint32_t)sizeof(ts_param),                                                                                        \
    (uint32_t)sizeof(ts_params),                                                                                       \
    (uint32_t)sizeof(ts_array_sink),                                                                                   \
    (uint32_t)sizeof(ts_fix),                                                                                          \
    (uint32_t)sizeof(ts_batch),                                                                                        \
    (uint32_t)sizeof(ts_worker_config),                                                                                \
    (uint32_t)sizeof(ts_profile_layout),                                                                               \
    (uint32_t)sizeof(ts_track_output),                                                                                 \
    (uint32_t)sizeof(ts_lookup),                                                                                       \
    (uint32_t)sizeof(ts_sweep),                                                                                        \
    (uint32_t)sizeof(ts_table_parts),                                                                                  \
    (uint32_t)sizeof(ts_table_sink),                                                                                   \
    (uint32_t)sizeof(ts_camera_format),                                                                                \
    (uint32_t)sizeof(ts_frame_info),                                                                                   \
    (uint32_t)sizeof(ts_rect),                                                                                         \
    (uint32_t)sizeof(ts_image),                                                                                        \
    (uint32_t)sizeof(ts_hit),                                                                                          \
  }

// Exports a library, once, at the top of a file: `TS_PLUGIN_ENTRY(my_library_table);`
#define TS_PLUGIN_ENTRY(library_table) TS_PLUGIN_ENTRY_MIN_HOST(library_table, 0, 0, 0)
// The same for a library that needs functions of a later host: the oldest version of the interface that will do.
#define TS_PLUGIN_ENTRY_MIN_HOST(library_table, major, minor, patch)                                                   \
  TS_EXTERN_C TS_EXPORT const ts_plugin_entry tetherscope_plugin_entry;                                                \
  const ts_plugin_entry tetherscope_plugin_entry = {                                                                   \
      TS_MAGIC,   TS_ABI_MAJOR,             TS_ABI_MINOR, (uint32_t)sizeof(ts_plugin_entry),                           \
      TS_N_SIZES, {major, minor, patch, 0}, TS_SIZES,     &(library_table)}

// True when a table of the host (`ts_host`, `ts_camera_sink`) is new enough to have the function, and has it.
#define TS_HAS(table, function)                                                                                        \
  ((size_t)((const char *)(&(table)->function + 1) - (const char *)(table)) <= (table)->struct_size &&                 \
   (table)->function)

// Sends bytes to a writer. Anything but TS_STATUS_OK: stop, the host takes no more.
static inline ts_status ts_write(ts_writer to, const void *bytes, size_t len) {
  return to.write ? to.write(to.ctx, (const uint8_t *)bytes, len) : TS_STATUS_OK;
}

// Sends zero-terminated text to a writer.
static inline ts_status ts_write_text(ts_writer to, const char *text) { return ts_write(to, text, strlen(text)); }

// Says why a function failed and gives its status: `return ts_fail(error, TS_STATUS_IO, "the camera is silent");`
static inline ts_status ts_fail(ts_writer error, ts_status status, const char *why) {
  (void)ts_write_text(error, why);
  return status;
}

// The parameter with this key; NULL only if the schema has no such key.
static inline const ts_param *ts_find_param(ts_params params, const char *key) {
  const size_t len = strlen(key);
  for (uint64_t i = 0; i < params.len; i++) {
    if (params.ptr[i].key.len == len && memcmp(params.ptr[i].key.ptr, key, len) == 0) {
      return &params.ptr[i];
    }
  }
  return NULL;
}

#if defined(__cplusplus)
} // extern "C"
#endif

#endif // TETHERSCOPE_H
