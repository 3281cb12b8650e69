//! Bead finders, in this process or in children: callers do not know which.

use crate::child::RemoteFinder;
use crate::component::Component;
use crate::direct::{self, RoiSet};
use crate::error::PluginError;
use crate::params::ParamSet;
use std::sync::Arc;
use tetherscope_plugin_api::Hit;
use tetherscope_plugin_api::abi::Rect;

/// An instance: a finder with its parameters.
pub struct BeadFinder(Home);

enum Home {
    Direct(Arc<direct::BeadFinder>),
    Child(Arc<RemoteFinder>),
}

impl BeadFinder {
    /// Makes an instance.
    pub fn create(component: &Component, params: &ParamSet) -> Result<Arc<Self>, PluginError> {
        Ok(Arc::new(Self(if component.is_isolated() {
            Home::Child(RemoteFinder::create(component, params)?)
        } else {
            Home::Direct(direct::BeadFinder::create(component, params)?)
        })))
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
        match &self.0 {
            Home::Direct(f) => f.find(image, significant_bits, seed, progress),
            Home::Child(f) => f.find(image, significant_bits, seed, &mut progress),
        }
    }
}
