//! Sizes and layouts of the frozen structs: what a library tells about what it was built against.

use crate::abi::{self, MAX_SIZES};

macro_rules! frozen {
    ($($name:literal => $ty:ty),+ $(,)?) => {
        /// Names of the frozen structs, in the order of [`abi::PluginEntry::sizes`].
        pub const FROZEN_NAMES: &[&str] = &[$($name),+];

        /// Sizes of the frozen structs in bytes, in the order of [`FROZEN_NAMES`]; the rest is zero.
        pub const FROZEN_SIZES: [u32; MAX_SIZES] = {
            let mut sizes = [0; MAX_SIZES];
            let known = [$(size_of::<$ty>() as u32),+];
            let mut i = 0;
            while i < known.len() {
                sizes[i] = known[i];
                i += 1;
            }
            sizes
        };

        /// The layouts that this build of the interface has.
        #[cfg(feature = "layout-check")]
        pub static LAYOUT_CHECK: LayoutCheck = LayoutCheck {
            struct_size: size_of::<LayoutCheck>() as u32,
            n_layouts: FROZEN_NAMES.len() as u32,
            header: &abi_stable::library::AbiHeader::VALUE,
            layouts: {
                let mut all: [Option<LayoutFn>; MAX_SIZES] = [None; MAX_SIZES];
                let known: &[LayoutFn] = &[$({
                    extern "C" fn layout() -> &'static abi_stable::type_layout::TypeLayout {
                        <$ty as abi_stable::StableAbi>::LAYOUT
                    }
                    layout
                }),+];
                let mut i = 0;
                while i < known.len() {
                    all[i] = Some(known[i]);
                    i += 1;
                }
                all
            },
        };
    };
}

frozen! {
    "str" => abi::Str,
    "writer" => abi::Writer,
    "param" => abi::Param,
    "params" => abi::Params,
    "array_sink" => abi::ArraySink,
    "fix" => abi::Fix,
    "batch" => abi::Batch,
    "worker_config" => abi::WorkerConfig,
    "profile_layout" => abi::ProfileLayout,
    "track_output" => abi::TrackOutput,
    "lookup" => abi::Lookup,
    "sweep" => abi::Sweep,
    "table_parts" => abi::TableParts,
    "table_sink" => abi::TableSink,
    "camera_format" => abi::CameraFormat,
    "frame_info" => abi::FrameInfo,
    "rect" => abi::Rect,
    "image" => abi::Image,
    "hit" => abi::Hit,
}

const _: () = assert!(FROZEN_NAMES.len() == abi::N_SIZES as usize, "N_SIZES must count the frozen structs");

/// Gives the layout of one frozen struct. Only readable when both sides use the same abi_stable.
#[cfg(feature = "layout-check")]
pub type LayoutFn = extern "C" fn() -> &'static abi_stable::type_layout::TypeLayout;

/// What a Rust library exports as the static `tetherscope_plugin_layouts`, so that a host can name the field that differs.
#[cfg(feature = "layout-check")]
#[repr(C)]
pub struct LayoutCheck {
    /// Size of this struct in bytes.
    pub struct_size: u32,
    /// How many of `layouts` are filled.
    pub n_layouts: u32,
    /// Which abi_stable the layouts are made with.
    pub header: &'static abi_stable::library::AbiHeader,
    /// One function per frozen struct, in the order of [`FROZEN_NAMES`].
    pub layouts: [Option<LayoutFn>; MAX_SIZES],
}
