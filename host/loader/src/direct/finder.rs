//! A bead finder in this process, and the check of the hits that it gives.
#![allow(unsafe_code)]

use super::rois::RoiSet;
use crate::component::Component;
use crate::error::PluginError;
use crate::library::Output;
use crate::params::ParamSet;
use std::ffi::c_void;
use std::sync::Arc;
use tetherscope_plugin_api::Hit;
use tetherscope_plugin_api::abi::{self, FinderTable, Image, Rect, Status, Writer};

/// Most hits that are taken.
pub(crate) const MAX_HITS: usize = 1 << 20;

/// An instance: a finder with its parameters.
pub struct BeadFinder {
    component: Component,
    table: FinderTable,
    instance: *mut c_void,
}

// SAFETY: an instance is shared by all threads and never changed, says the interface.
unsafe impl Send for BeadFinder {}
// SAFETY: as above.
unsafe impl Sync for BeadFinder {}

impl BeadFinder {
    /// Makes an instance.
    pub fn create(component: &Component, params: &ParamSet) -> Result<Arc<Self>, PluginError> {
        // SAFETY: the component is a finder, checked where it was resolved and by its table at load.
        let table: FinderTable = unsafe { component.table() };
        let create = table.create.expect("checked at load");
        let mut instance = std::ptr::null_mut();
        params.with_abi(|p| {
            // SAFETY: the library's context, readable parameters, a valid place.
            component.call("create", |error| unsafe { create(component.context(), p, &mut instance, error) })
        })?;
        Ok(Arc::new(Self { component: component.clone(), table, instance }))
    }

    /// Finds beads in the one ROI of `image`, which is the whole frame or a part of it. `progress` is called with 0 to 1.
    /// To let the user give up, call it inside [`crate::CancelToken::run`].
    pub fn find(
        &self,
        image: &RoiSet<'_>,
        significant_bits: u32,
        seed: Option<Rect>,
        mut progress: impl FnMut(f64),
    ) -> Result<Vec<Hit>, PluginError> {
        assert!(image.len() == 1, "a finder takes one image, not {}", image.len());
        let batch = image.to_abi();
        let raw = Image {
            // SAFETY: the offset lies inside the memory (checked by `to_abi`).
            base: unsafe { batch.base.add(image.offsets[0] as usize) },
            len_bytes: batch.len_bytes - image.offsets[0],
            row_stride_bytes: batch.row_stride_bytes,
            width_px: batch.w_px,
            height_px: batch.h_px,
            pixel_format: batch.pixel_format,
            significant_bits,
            reserved: [0; 2],
        };
        let mut hits = Output::new(MAX_HITS * size_of::<Hit>());
        let hits_writer = hits.writer();
        let mut tell: &mut dyn FnMut(f64) = &mut progress;
        let progress_writer = Writer { ctx: (&raw mut tell).cast(), write: Some(tell_progress) };
        let seed = seed.as_ref().map_or(std::ptr::null(), |s| &raw const *s);
        let find = self.table.find.expect("checked at load");
        self.component.call("find", |error| {
            // SAFETY: the instance is alive; image, seed and the writers' targets live through the call.
            unsafe { find(self.instance, &raw, seed, progress_writer, hits_writer, error) }
        })?;
        let bytes = hits.into_bytes();
        let (whole, rest) = bytes.as_chunks::<{ size_of::<Hit>() }>();
        if !rest.is_empty() {
            let message = format!("it wrote {} bytes, which is no whole number of hits", bytes.len());
            return Err(self.component.error("find", abi::STATUS_INTERNAL, message));
        }
        // SAFETY: any bytes are a valid `Hit`; the read does not need alignment.
        let hits: Vec<Hit> = whole.iter().map(|b| unsafe { b.as_ptr().cast::<Hit>().read_unaligned() }).collect();
        check_hits(&hits, batch.w_px, batch.h_px).map_err(|m| self.component.error("find", abi::STATUS_INTERNAL, m))?;
        Ok(hits)
    }
}

/// Hits inside the image; the error names the first that is not.
pub(crate) fn check_hits(hits: &[Hit], w_px: u32, h_px: u32) -> Result<(), String> {
    let inside = |at: f64, size: u32| at >= -0.5 && at <= f64::from(size) - 0.5;
    match hits.iter().enumerate().find(|(_, h)| !(inside(h.x_px, w_px) && inside(h.y_px, h_px))) {
        Some((i, h)) => Err(format!("hit {i} lies at ({}, {}), the image has {w_px} × {h_px} px", h.x_px, h.y_px)),
        None => Ok(()),
    }
}

unsafe extern "C" fn tell_progress(ctx: *mut c_void, ptr: *const u8, len: u64) -> Status {
    if ptr.is_null() || len < 8 {
        return abi::STATUS_OK;
    }
    // SAFETY: ctx is the closure above, which outlives the call; the plugin's bytes are readable.
    let (tell, value) = unsafe { (&mut *ctx.cast::<&mut dyn FnMut(f64)>(), ptr.cast::<f64>().read_unaligned()) };
    let call = std::panic::AssertUnwindSafe(|| tell(value.clamp(0.0, 1.0)));
    if std::panic::catch_unwind(call).is_err() { abi::STATUS_CANCELLED } else { abi::STATUS_OK }
}

impl Drop for BeadFinder {
    fn drop(&mut self) {
        let destroy = self.table.destroy.expect("checked at load");
        let _in_call = self.component.enter("destroy");
        // SAFETY: made by `create`, freed once.
        unsafe { destroy(self.instance) }
    }
}
