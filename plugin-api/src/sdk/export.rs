//! `export_plugin!`: the entry static, the library table and the context that all components share.

use super::camera::{Camera, CameraGlue};
use super::error::Result;
use super::finder::{BeadFinder, FinderGlue};
use super::guard::{guard, guard_value, install_panic_hook, write_all};
use super::host::HostHandle;
use super::layout::FROZEN_SIZES;
use super::schema::{Descriptor, Kind};
use super::stage::{Stage, StageGlue};
use super::tracker::{Tracker, TrackerGlue};
use super::zlut::{ZlutGlue, ZlutStrategy};
use crate::abi::{self, Host, LibraryTable, PluginEntry, Status, Writer};
use std::ffi::c_void;
use std::sync::Arc;

/// What all components of a library share: the bus that a camera and a stage talk over, for example. `()` for most.
pub trait LibraryContext: Send + Sync + Sized + 'static {
    /// Called once per process, before anything else; touches no device.
    fn open(host: HostHandle) -> Result<Self>;
}

impl LibraryContext for () {
    fn open(_host: HostHandle) -> Result<Self> {
        Ok(())
    }
}

/// What `open` gives to the host. Begins with the handle whatever the context's type, so that components that need no
/// context do not have to know it.
#[repr(C)]
pub(crate) struct LibraryBox<C> {
    pub(crate) host: HostHandle,
    pub(crate) context: Arc<C>,
}

/// One component of a library: what `export_plugin!` lists.
pub struct Component {
    kind: Kind,
    table: *const c_void,
    describe: fn() -> Descriptor,
}

impl Component {
    /// A tracker.
    pub const fn tracker<T: Tracker>() -> Self {
        Self {
            kind: Kind::Tracker,
            table: (&raw const *const { &TrackerGlue::<T>::TABLE }).cast(),
            describe: T::descriptor,
        }
    }

    /// A Z-LUT strategy.
    pub const fn zlut<T: ZlutStrategy>() -> Self {
        Self { kind: Kind::Zlut, table: (&raw const *const { &ZlutGlue::<T>::TABLE }).cast(), describe: T::descriptor }
    }

    /// A camera driver.
    pub const fn camera<T: Camera>() -> Self {
        Self {
            kind: Kind::Camera,
            table: (&raw const *const { &CameraGlue::<T>::TABLE }).cast(),
            describe: T::descriptor,
        }
    }

    /// A stage driver.
    pub const fn stage<T: Stage>() -> Self {
        Self {
            kind: Kind::Stage,
            table: (&raw const *const { &StageGlue::<T>::TABLE }).cast(),
            describe: T::descriptor,
        }
    }

    /// A bead finder.
    pub const fn finder<T: BeadFinder>() -> Self {
        Self {
            kind: Kind::Finder,
            table: (&raw const *const { &FinderGlue::<T>::TABLE }).cast(),
            describe: T::descriptor,
        }
    }
}

/// A library: its context and its components. Implemented by `export_plugin!`.
pub trait Library: 'static {
    /// What the components share.
    type Context: LibraryContext;
    /// The components, in the order of their index.
    const COMPONENTS: &'static [Component];
}

/// The entry static of a library. Used by `export_plugin!`.
pub const fn entry(library: &'static LibraryTable, min_host: [u16; 4]) -> PluginEntry {
    PluginEntry {
        magic: abi::MAGIC,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        struct_size: size_of::<PluginEntry>() as u32,
        n_sizes: abi::N_SIZES,
        min_host,
        sizes: FROZEN_SIZES,
        library,
    }
}

/// The function table of a library. Used by `export_plugin!`.
pub const fn library_table<L: Library>() -> LibraryTable {
    LibraryTable {
        struct_size: size_of::<LibraryTable>() as u32,
        reserved: 0,
        open: Some(open::<L>),
        close: Some(close::<L>),
        n_components: Some(n_components::<L>),
        kind: Some(kind::<L>),
        table: Some(table::<L>),
        describe: Some(describe::<L>),
    }
}

unsafe extern "C" fn open<L: Library>(host: *const Host, context: *mut *mut c_void, error: Writer) -> Status {
    install_panic_hook();
    guard(error, || {
        // SAFETY: the host's table stays valid until the process ends; `context` is a valid place.
        unsafe {
            let host = HostHandle::new(host);
            let shared = Arc::new(L::Context::open(host)?);
            *context = Box::into_raw(Box::new(LibraryBox { host, context: shared })).cast();
        }
        Ok(())
    })
}

unsafe extern "C" fn close<L: Library>(context: *mut c_void) {
    // SAFETY: made by `open` of the same library, freed once.
    guard_value((), || drop(unsafe { Box::from_raw(context.cast::<LibraryBox<L::Context>>()) }));
}

unsafe extern "C" fn n_components<L: Library>(_context: *mut c_void) -> u32 {
    L::COMPONENTS.len() as u32
}

unsafe extern "C" fn kind<L: Library>(_context: *mut c_void, index: u32) -> u32 {
    L::COMPONENTS.get(index as usize).map_or(0, |c| c.kind.code())
}

unsafe extern "C" fn table<L: Library>(_context: *mut c_void, index: u32) -> *const c_void {
    L::COMPONENTS.get(index as usize).map_or(std::ptr::null(), |c| c.table)
}

unsafe extern "C" fn describe<L: Library>(_context: *mut c_void, index: u32, out: Writer, error: Writer) -> Status {
    guard(error, || match L::COMPONENTS.get(index as usize) {
        Some(c) => write_all(out, (c.describe)().to_json().as_bytes()),
        None => Err(super::Error::invalid(format!("there is no component {index}"))),
    })
}

/// A slice over host memory; empty for null.
///
/// # Safety
/// `ptr` must be null or lead to `len` values that live as long as `'a` and that nobody writes.
pub(crate) unsafe fn slice<'a, T>(ptr: *const T, len: usize) -> &'a [T] {
    // SAFETY: the caller promises it.
    if ptr.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(ptr, len) } }
}

/// A mutable slice over host memory; empty for null.
///
/// # Safety
/// `ptr` must be null or lead to `len` values that live as long as `'a` and that nobody else uses.
pub(crate) unsafe fn slice_mut<'a, T>(ptr: *mut T, len: usize) -> &'a mut [T] {
    // SAFETY: the caller promises it.
    if ptr.is_null() { &mut [] } else { unsafe { std::slice::from_raw_parts_mut(ptr, len) } }
}

/// Exports the components of a library. Once per library, at the crate's top:
///
/// ```text
/// tetherscope_plugin_api::export_plugin! { tracker: MyTracker, tracker: MyOtherTracker, zlut: MyStrategy }
/// tetherscope_plugin_api::export_plugin! { context: MyBus, camera: MyCamera, stage: MyStage }
/// ```
///
/// `min_host: [1, 2, 0, 0],` in front says that the plugin needs functions of a later host.
#[macro_export]
macro_rules! export_plugin {
    (min_host: $min_host:expr, context: $context:ty, $($kind:ident: $component:ty),+ $(,)?) => {
        #[cfg(panic = "abort")]
        compile_error!("a plugin must be built with `panic = \"unwind\"`, or one bad ROI ends the experiment");

        const _: () = {
            struct ThisLibrary;

            impl $crate::sdk::Library for ThisLibrary {
                type Context = $context;
                const COMPONENTS: &'static [$crate::sdk::Component] =
                    &[$($crate::sdk::Component::$kind::<$component>()),+];
            }

            static LIBRARY: $crate::abi::LibraryTable = $crate::sdk::library_table::<ThisLibrary>();

            #[allow(non_upper_case_globals)]
            #[unsafe(no_mangle)]
            pub static tetherscope_plugin_entry: $crate::abi::PluginEntry =
                $crate::sdk::entry(&LIBRARY, $min_host);

            $crate::export_layouts!();
        };
    };
    (context: $context:ty, $($rest:tt)+) => {
        $crate::export_plugin! { min_host: [0; 4], context: $context, $($rest)+ }
    };
    (min_host: $min_host:expr, $($kind:ident: $component:ty),+ $(,)?) => {
        $crate::export_plugin! { min_host: $min_host, context: (), $($kind: $component),+ }
    };
    ($($kind:ident: $component:ty),+ $(,)?) => {
        $crate::export_plugin! { min_host: [0; 4], context: (), $($kind: $component),+ }
    };
}

/// Exports the layouts of the frozen structs. Used by `export_plugin!`.
#[cfg(feature = "layout-check")]
#[doc(hidden)]
#[macro_export]
macro_rules! export_layouts {
    () => {
        #[allow(non_upper_case_globals)]
        #[unsafe(no_mangle)]
        pub static tetherscope_plugin_layouts: &$crate::sdk::LayoutCheck = &$crate::sdk::LAYOUT_CHECK;
    };
}

/// Without the feature `layout-check` there is nothing to export.
#[cfg(not(feature = "layout-check"))]
#[doc(hidden)]
#[macro_export]
macro_rules! export_layouts {
    () => {};
}
