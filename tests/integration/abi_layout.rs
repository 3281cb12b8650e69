//! Nothing in the plugin interface changes unseen: sizes, offsets, types and values stand in
//! `plugin-api/abi-layout.txt`, which is generated here and compared. 64-bit machines only, like the text.
//!
//! Each struct is taken apart without `..`, so a field that is forgotten here does not compile; an item that is
//! forgotten altogether is found by comparing with the source text.

use super::abi_source::{self, Item};
use super::harness::{bless_or_compare, repository};
use std::fmt::Write as _;
use tetherscope_plugin_api::{FROZEN_NAMES, FROZEN_SIZES, abi};

/// What the compiler made of one struct.
struct Compiled {
    name: &'static str,
    size: usize,
    align: usize,
    /// Name, offset and size of each field, in the order of the list below.
    fields: Vec<(&'static str, usize, usize)>,
}

/// Size of the field that `_get` leads to.
fn size_of_field<T, F>(_get: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! structs {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {
        fn structs() -> Vec<Compiled> {
            vec![$({
                let _complete = |v: abi::$name| {
                    let abi::$name { $($field: _),+ } = v;
                };
                Compiled {
                    name: stringify!($name),
                    size: size_of::<abi::$name>(),
                    align: align_of::<abi::$name>(),
                    fields: vec![$((
                        stringify!($field),
                        std::mem::offset_of!(abi::$name, $field),
                        size_of_field(|v: &abi::$name| &v.$field),
                    )),+],
                }
            }),+]
        }
    };
}

macro_rules! constants {
    ($($name:ident)+) => {
        fn constants() -> Vec<(&'static str, String)> {
            vec![$((stringify!($name), abi::$name.to_string())),+]
        }
    };
}

structs! {
    Str { ptr, len }
    Writer { ctx, write }
    Param { key, kind, reserved, int_value, float_value, text_value }
    Params { ptr, len }
    ArraySink { ctx, array }
    PluginEntry { magic, abi_major, abi_minor, struct_size, n_sizes, min_host, sizes, library }
    LibraryTable { struct_size, reserved, open, close, n_components, kind, table, describe }
    Host { struct_size, abi_major, abi_minor, ctx, log, now_ns, parallel_for, cancelled }
    Image {
        base, len_bytes, row_stride_bytes, width_px, height_px, pixel_format, significant_bits, reserved,
    }
    Rect { x_px, y_px, w_px, h_px }
    Batch {
        base, len_bytes, offsets, row_stride_bytes, pixel_stride_bytes, n_rois, w_px, h_px, pixel_format, reserved0,
        bead_ids, frame_indices, reserved,
    }
    WorkerConfig {
        w_px, h_px, pixel_format, significant_bits, max_rois, reserved0, saturation_adu, gain_e_per_adu, offset_adu,
        read_noise_e, nm_per_px, reserved,
    }
    Fix { x_px, y_px, z_nm, sigma_x_px, sigma_y_px, sigma_z_nm, quality, flags, reserved }
    ProfileLayout { n_bins, kind, first_radius_px, step_px, reserved }
    TrackOutput { fixes, profiles, weights, n_bins, n_rois, reserved }
    TrackerTable { struct_size, reserved, create, destroy, worker, free_worker, track, explain }
    Sweep {
        batch, focus_nm, fixes, profiles, weights, layout, config, tracker_id, tracker_version, tracker_params,
        reserved,
    }
    TableParts {
        z_nm, profiles, variance, bytes, len_bytes, n_planes, reserved0, layout, config, reserved,
    }
    TableSink { z_nm, profiles, variance, bytes, reserved }
    Lookup { tables, fixes, profiles, weights, n_bins, n_rois, reserved }
    ZlutStrategyTable {
        struct_size, reserved, create, destroy, build, load, save, free_table, worker, free_worker, lookup, explain,
    }
    CameraFormat {
        width_px, height_px, pixel_format, significant_bits, row_stride_bytes, payload_bytes, image_offset_bytes,
        alignment_bytes, slots_wanted, time_instant, ns_per_tick, device_id_bits, flags, n_channel_values, reserved0,
        n_frames, reserved,
    }
    FrameInfo { device_frame_id, device_time_ticks, exposure_ns, status, reserved0, reserved }
    CameraSink {
        struct_size, lossless, ctx, slots, n_slots, n_channel_values, slot_bytes, lend, commit, give_back, push, lost,
        ended,
    }
    CameraTable {
        struct_size, reserved, enumerate, open, close, settings, set, format, channels, start, poll, stop,
    }
    StageTable {
        struct_size, reserved, enumerate, open, close, axes, settings, set, move_to, position, moving, stop, home,
    }
    Hit { x_px, y_px, score, flags, reserved }
    FinderTable { struct_size, reserved, create, destroy, find }
}

constants! {
    STATUS_OK STATUS_INVALID_ARGUMENT STATUS_UNSUPPORTED STATUS_BUSY STATUS_TIMED_OUT STATUS_CANCELLED
    STATUS_DISCONNECTED STATUS_IO STATUS_OUT_OF_MEMORY STATUS_PANICKED STATUS_INTERNAL
    PARAM_INT PARAM_FLOAT PARAM_BOOL PARAM_TEXT PARAM_CHOICE
    MAGIC ABI_MAJOR ABI_MINOR MAX_SIZES N_SIZES
    KIND_TRACKER KIND_ZLUT KIND_CAMERA KIND_STAGE KIND_FINDER
    LOG_ERROR LOG_WARN LOG_INFO LOG_DEBUG
    PIXEL_MONO8 PIXEL_MONO10 PIXEL_MONO12 PIXEL_MONO14 PIXEL_MONO16 PIXEL_MONO10P PIXEL_MONO12P PIXEL_MONO12_PACKED
    FLAG_AT_BORDER FLAG_SATURATED FLAG_NO_SIGNAL FLAG_NOT_CONVERGED FLAG_OUTSIDE_ZLUT FLAG_LOW_CONTRAST FLAG_NEIGHBOUR
    FLAG_NON_FINITE FLAG_DEADLINE FLAG_PLUGIN_ERROR FLAG_NOT_WRITTEN FLAG_METHOD_FIRST
    PROFILE_NONE PROFILE_RADIAL PROFILE_FFT PROFILE_OWN
    TIME_UNKNOWN TIME_EXPOSURE_START TIME_EXPOSURE_END TIME_READOUT
    FORMAT_MSB_ALIGNED FORMAT_FINITE NO_DEVICE_FRAME_ID NO_DEVICE_TIME FRAME_INCOMPLETE FRAME_CORRUPT
    LOST_CAMERA_GAP LOST_UNDERRUN LOST_INCOMPLETE ENDED_END_OF_DATA ENDED_DISCONNECTED ENDED_ERROR
}

fn c_type(name: &str) -> String {
    format!("ts_{}", abi_source::snake_case(name))
}

/// `(C type, size)` of every struct: what a C compiler must agree on.
pub fn c_sizes() -> Vec<(String, usize)> {
    structs().iter().map(|s| (c_type(s.name), s.size)).collect()
}

/// `(C type, field, offset)` of every field.
pub fn c_offsets() -> Vec<(String, &'static str, usize)> {
    structs().iter().flat_map(|s| s.fields.iter().map(|f| (c_type(s.name), f.0, f.1)).collect::<Vec<_>>()).collect()
}

/// `(C name, value)` of every constant.
pub fn c_constants() -> Vec<(String, String)> {
    constants().into_iter().map(|(name, value)| (format!("TS_{name}"), value)).collect()
}

/// The whole text. Types come from the source, numbers from the compiler.
fn layout_text() -> String {
    let (structs, constants) = (structs(), constants());
    let mut out = format!(
        "Layout of the plugin interface {}.{} on 64-bit machines. Generated by the test `abi_layout`.\n\
         Lines of a frozen struct never change within a major version; tables only gain lines at their end.\n\n",
        abi::ABI_MAJOR,
        abi::ABI_MINOR
    );
    let mut in_constants = false;
    for item in abi_source::items() {
        match &item {
            Item::Alias { name, ty } => writeln!(out, "type {name} = {ty}"),
            Item::Const { name, ty } => {
                let value = constants.iter().find(|c| c.0 == name).map(|c| c.1.as_str());
                if !in_constants {
                    out.push('\n');
                }
                writeln!(out, "const {name}: {ty} = {}", value.expect("compared with the source by a test of its own"))
            }
            Item::Struct { name, fields, .. } => {
                let of = structs.iter().find(|s| s.name == name).expect("compared with the source by another test");
                let frozen = FROZEN_NAMES.iter().position(|n| *n == abi_source::snake_case(name));
                let rule = match frozen {
                    Some(slot) => format!("frozen, sizes[{slot}]"),
                    None if fields[0].name == "struct_size" => "grows at its end".into(),
                    None => "frozen".into(),
                };
                let mut text = format!("\nstruct {name}: {} bytes, alignment {}, {rule}\n", of.size, of.align);
                for (field, (at, size)) in fields.iter().zip(of.fields.iter().map(|f| (f.1, f.2))) {
                    writeln!(text, "{at:5} {size:4}  {}: {}", field.name, field.ty).expect("a String takes all");
                }
                out.push_str(&text);
                Ok(())
            }
        }
        .expect("a String takes all");
        in_constants = !matches!(item, Item::Struct { .. });
    }
    out
}

#[test]
fn the_layout_of_the_interface_is_the_checked_in_one() {
    bless_or_compare(&repository().join("plugin-api/abi-layout.txt"), &layout_text());
}

#[test]
fn every_public_item_of_the_interface_stands_in_the_lists_of_this_test() {
    let items = abi_source::items();
    let of_source = |wanted: fn(&Item) -> bool| -> Vec<String> {
        items.iter().filter(|i| wanted(i)).map(|i| i.name().to_owned()).collect()
    };
    let listed: Vec<String> = structs().iter().map(|s| s.name.to_owned()).collect();
    assert_eq!(listed, of_source(|i| matches!(i, Item::Struct { .. })), "structs!: left is the list, right the source");
    let listed: Vec<String> = constants().iter().map(|c| c.0.to_owned()).collect();
    assert_eq!(
        listed,
        of_source(|i| matches!(i, Item::Const { .. })),
        "constants!: left is the list, right the source"
    );
    for (item, of) in items.iter().filter(|i| matches!(i, Item::Struct { .. })).zip(structs()) {
        let Item::Struct { name, fields, .. } = item else { unreachable!("filtered above") };
        let source: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
        let listed: Vec<&str> = of.fields.iter().map(|f| f.0).collect();
        assert_eq!(listed, source, "{name}: left is the list, right the source");
    }
}

#[test]
fn no_struct_has_hidden_padding() {
    for s in structs() {
        let mut end = 0;
        for (field, at, size) in &s.fields {
            assert_eq!(*at, end, "{}.{field} begins at {at}, the field before it ends at {end}", s.name);
            end = at + size;
        }
        assert_eq!(s.size, end, "{} has {} bytes, its last field ends at {end}", s.name, s.size);
    }
}

#[test]
fn every_frozen_struct_has_its_slot_of_sizes() {
    let frozen: Vec<String> = abi_source::items()
        .iter()
        .filter(|i| matches!(i, Item::Struct { frozen: true, .. }))
        .map(|i| abi_source::snake_case(i.name()))
        .collect();
    for name in &frozen {
        assert!(FROZEN_NAMES.contains(&name.as_str()), "{name} derives StableAbi, but has no slot in FROZEN_NAMES");
    }
    assert_eq!(frozen.len(), FROZEN_NAMES.len(), "FROZEN_NAMES has a struct that does not derive StableAbi");
    for (name, size) in FROZEN_NAMES.iter().zip(FROZEN_SIZES) {
        let of = structs().into_iter().find(|s| abi_source::snake_case(s.name) == *name);
        assert_eq!(of.map(|s| s.size), Some(size as usize), "{name}: left by the compiler, right in FROZEN_SIZES");
    }
}
