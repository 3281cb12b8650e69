//! The component: identity, the instance, and the road from the host's image and job to the search.

use crate::options::{self, Options};
use crate::search::{self, Search};
use std::ops::ControlFlow;
use tetherscope_plugin_api::abi::Rect;
use tetherscope_plugin_api::{BeadFinder, Descriptor, FindJob, Hit, ParamValues, Result, Roi};

/// The options.
pub struct NccFinder {
    options: Options,
}

impl BeadFinder for NccFinder {
    fn descriptor() -> Descriptor {
        Descriptor {
            id: "finder.ncc",
            name: "Normalised cross-correlation",
            version: "1.0.0",
            summary: "With a seed: correlation of its pixels with every place of the frame. Without one: at each place the \
                      correlation with the radially symmetric template that fits best there, so beads of any height are \
                      found at once. Best places first, each at a distance from the better ones; centres to a part of a \
                      pixel. at_border says that the bead's ROI would leave the frame; neighbour says that the ROIs of two \
                      hits overlap.",
            source: "J. P. Lewis, Fast normalized cross-correlation, Vision Interface 1995; threshold and greedy choice of \
                     MagScope's auto bead selection; without a seed the share of variance that ring means explain, related \
                     to the radial variance transform of A. D. Kashkanova et al., Opt. Express 29, 2021",
            licence: "MIT OR Apache-2.0",
            capabilities: &["mono8", "mono16"],
            parameters: options::schema(),
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        Ok(Self { options: options::from_values(params)? })
    }

    fn find(&self, image: &Roi<'_>, seed: Option<Rect>, job: &FindJob) -> Result<Vec<Hit>> {
        let mut watch = |fraction| {
            job.progress(fraction);
            if job.cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let search = Search { options: &self.options, seed };
        match image {
            Roi::U8(image) => search::find(&search, *image, &mut watch),
            Roi::U16(image) => search::find(&search, *image, &mut watch),
        }
    }
}
