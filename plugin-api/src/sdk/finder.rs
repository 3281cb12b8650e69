//! The bead finder's trait, and the function table made from it.

use super::batch::{Roi, RoiBatch};
use super::error::{Error, Result};
use super::guard::{guard, guard_value, write_all, write_numbers};
use super::host::HostHandle;
use super::params::ParamValues;
use super::schema::Descriptor;
use super::tracker::host_of;
use crate::abi::{self, Batch, FinderTable, Hit, Image, Rect, Status, Writer};
use std::ffi::c_void;

/// A way to find beads in a frame. Called off the live path, perhaps by several threads at once.
pub trait BeadFinder: Send + Sync + Sized + 'static {
    /// Identity and schema. The same each time.
    fn descriptor() -> Descriptor;

    /// An instance from parameters that are already checked against the schema.
    fn create(params: &ParamValues) -> Result<Self>;

    /// The beads, the surest first. May take seconds; tells its progress and asks `job.cancelled` now and then.
    fn find(&self, image: &Roi<'_>, seed: Option<Rect>, job: &FindJob) -> Result<Vec<Hit>>;
}

/// A search under way: where to tell progress, and whether the user gave up.
pub struct FindJob {
    host: HostHandle,
    progress: Writer,
}

impl FindJob {
    /// A job that nobody watches and nobody cancels: for a plugin's own tests.
    pub fn unwatched() -> Self {
        Self { host: HostHandle::none(), progress: Writer { ctx: std::ptr::null_mut(), write: None } }
    }

    /// Tells how far the search is, 0 to 1.
    pub fn progress(&self, fraction: f64) {
        // Nobody listening is the host's choice.
        let _ = write_numbers(self.progress, &[fraction]);
    }

    /// True when the user gave up; return [`Error::cancelled`] then.
    pub fn cancelled(&self) -> bool {
        self.host.cancelled()
    }

    /// The host.
    pub fn host(&self) -> &HostHandle {
        &self.host
    }
}

struct Instance<T> {
    finder: T,
    host: HostHandle,
}

/// The function table of `T`.
pub(crate) struct FinderGlue<T>(std::marker::PhantomData<T>);

impl<T: BeadFinder> FinderGlue<T> {
    pub(crate) const TABLE: FinderTable = FinderTable {
        struct_size: size_of::<FinderTable>() as u32,
        reserved: 0,
        create: Some(Self::create),
        destroy: Some(Self::destroy),
        find: Some(Self::find),
    };

    unsafe extern "C" fn create(
        context: *mut c_void,
        params: abi::Params,
        instance: *mut *mut c_void,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the context is this library's; parameters and place are the host's and valid.
            unsafe {
                let values = ParamValues::from_abi(params, &T::descriptor().parameters, true)?;
                let made = Instance { finder: T::create(&values)?, host: host_of(context) };
                *instance = Box::into_raw(Box::new(made)).cast();
            }
            Ok(())
        })
    }

    unsafe extern "C" fn destroy(instance: *mut c_void) {
        // SAFETY: made by `create` of the same type, freed once.
        guard_value((), || drop(unsafe { Box::from_raw(instance.cast::<Instance<T>>()) }));
    }

    unsafe extern "C" fn find(
        instance: *mut c_void,
        image: *const Image,
        seed: *const Rect,
        progress: Writer,
        hits: Writer,
        error: Writer,
    ) -> Status {
        guard(error, || {
            // SAFETY: the instance was made by `create`; image and seed are the host's and valid for this call.
            let (instance, image, seed) = unsafe { (&*instance.cast::<Instance<T>>(), &*image, seed.as_ref()) };
            let whole = [0_u64];
            let batch = Batch {
                base: image.base,
                len_bytes: image.len_bytes,
                offsets: whole.as_ptr(),
                row_stride_bytes: image.row_stride_bytes,
                pixel_stride_bytes: if image.pixel_format == abi::PIXEL_MONO8 { 1 } else { 2 },
                n_rois: 1,
                w_px: image.width_px,
                h_px: image.height_px,
                pixel_format: image.pixel_format,
                reserved0: 0,
                bead_ids: std::ptr::null(),
                frame_indices: std::ptr::null(),
                reserved: [0; 4],
            };
            if image.base.is_null() {
                return Err(Error::invalid("no image"));
            }
            // SAFETY: the image's memory is readable and not written during this call.
            let view = unsafe { RoiBatch::new(&batch) }.roi(0);
            let job = FindJob { host: instance.host, progress };
            let found = instance.finder.find(&view, seed.copied(), &job)?;
            // SAFETY: `Hit` is repr(C) without padding, so its bytes may be read.
            let bytes = unsafe { std::slice::from_raw_parts(found.as_ptr().cast::<u8>(), size_of_val(&found[..])) };
            write_all(hits, bytes)
        })
    }
}
