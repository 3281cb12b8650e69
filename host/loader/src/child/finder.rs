//! A bead finder in a child: the image is copied into a region, the hits come back as bytes and are checked.

use super::arena::{Arena, Shape};
use super::line::Line;
use super::pod::values_of;
use super::request::{Request, pod, to_wire};
use crate::component::Component;
use crate::direct::{MAX_HITS, RoiSet, check_hits};
use crate::error::PluginError;
use crate::params::ParamSet;
use std::sync::{Arc, Mutex, PoisonError};
use tetherscope_plugin_api::Hit;
use tetherscope_plugin_api::abi::{self, Rect};

/// An instance: a finder with its parameters.
pub(crate) struct RemoteFinder {
    component: Component,
    params: ParamSet,
    /// A child with an instance that nobody uses.
    spare: Mutex<Option<Line>>,
}

impl RemoteFinder {
    pub(crate) fn create(component: &Component, params: &ParamSet) -> Result<Arc<Self>, PluginError> {
        let made = Self { component: component.clone(), params: params.clone(), spare: Mutex::default() };
        let line = made.line("create")?;
        made.keep(line);
        Ok(Arc::new(made))
    }

    fn line(&self, function: &'static str) -> Result<Line, PluginError> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut line = spare.unwrap_or_else(|| Line::new(&self.component));
        if !line.is_up() {
            line.start(function)?;
            let request = Request::CreateFinder { index: self.component.index, params: to_wire(&self.params) };
            line.ask("create", &request, &[])?;
        }
        Ok(line)
    }

    fn keep(&self, line: Line) {
        *self.spare.lock().unwrap_or_else(PoisonError::into_inner) = line.is_up().then_some(line);
    }

    pub(crate) fn find(
        &self,
        image: &RoiSet<'_>,
        significant_bits: u32,
        seed: Option<Rect>,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Vec<Hit>, PluginError> {
        let error = |status, m| self.component.error("find", status, m);
        let (w_px, h_px, pixel_format) = (image.w_px, image.h_px, image.pixel_format);
        let shape = Shape { w_px, h_px, pixel_format, n_bins: 0, with_pixels: true };
        let arena = Arena::new(shape, 1).map_err(|e| error(abi::STATUS_OUT_OF_MEMORY, e.to_string()))?;
        arena.put_rois(&arena.places(1), image);
        let (path, bytes) = arena.path_and_bytes();
        let seed = seed.as_ref().map(pod);
        let request = Request::Find { path, bytes, w_px, h_px, pixel_format, bits: significant_bits, seed };
        let mut line = self.line("find")?;
        let found = line.ask_job("find", &request, &[], progress).map(|(_, bytes)| {
            let n = bytes.len() / size_of::<Hit>();
            if n > MAX_HITS {
                Err(format!("it found {n} beads, at most {MAX_HITS} are taken"))
            } else {
                Ok(values_of(bytes))
            }
        });
        if found.is_ok() {
            line.success();
        }
        self.keep(line);
        let hits: Vec<Hit> = found?.map_err(|m| error(abi::STATUS_INTERNAL, m))?;
        check_hits(&hits, w_px, h_px).map_err(|m| error(abi::STATUS_INTERNAL, m))?;
        Ok(hits)
    }
}
