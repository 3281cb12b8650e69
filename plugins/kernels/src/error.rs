//! What can be wrong with the options of a kernel: known when a worker is made, never while it executes.

use std::fmt;

/// Why a worker, a table or an option cannot be made as asked.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum KernelError {
    /// The parabola needs an odd number of points, 3 or more.
    EvenWindow {
        /// The number of points asked for.
        n_local: usize,
    },
    /// The image is too small (or zero) for the method.
    SizeTooSmall {
        /// Width and height asked for.
        size_px: usize,
        /// Smallest width and height that work.
        min_px: usize,
    },
    /// Profile and Z-LUT have different numbers of radial bins.
    BinMismatch {
        /// Bins of the profile.
        n_bins_profile: usize,
        /// Bins of the Z-LUT.
        n_bins_zlut: usize,
    },
    /// A number lies outside what the method can use.
    OutOfRange {
        /// Name of the option.
        name: &'static str,
        /// The value asked for.
        value: f64,
        /// What would do, in words.
        allowed: &'static str,
    },
    /// The template has no contrast, so nothing can be correlated with it.
    FlatTemplate,
    /// The template does not fit into the image; both as (height, width).
    TemplateTooLarge {
        /// Size of the template.
        template_size: (usize, usize),
        /// Size of the image.
        image_size: (usize, usize),
    },
    /// A ROI does not lie inside the frame, or its size differs from the first one's.
    RoiDoesNotFit {
        /// Which ROI, counted from 0.
        index: usize,
    },
}

impl fmt::Display for KernelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KernelError::EvenWindow { n_local } => write!(
                f,
                "cannot fit a parabola to {n_local} points\nit needs a middle point and a neighbour on each side\ntake an odd number, 3 or more"
            ),
            KernelError::SizeTooSmall { size_px, min_px } => write!(
                f,
                "cannot track in images of {size_px} x {size_px} pixels\nthe method needs {min_px} or more\nmake the ROI larger"
            ),
            KernelError::BinMismatch { n_bins_profile, n_bins_zlut } => write!(
                f,
                "cannot look up Z: the profile has {n_bins_profile} radial bins, the Z-LUT {n_bins_zlut}\nboth come from ROI size and oversampling\nrecord the Z-LUT with the settings of the measurement"
            ),
            KernelError::OutOfRange { name, value, allowed } => {
                write!(f, "{name} = {value} cannot be used\nthe method needs {allowed}\nchange {name}")
            }
            KernelError::FlatTemplate => write!(
                f,
                "cannot look for this template\nall its pixels are equal, so every place would fit it alike\nchoose a bead, not the background or a saturated spot"
            ),
            KernelError::TemplateTooLarge { template_size, image_size } => write!(
                f,
                "cannot look for a template of {} x {} pixels\nthe image has {} x {}\nmake the template (the ROI) smaller",
                template_size.1, template_size.0, image_size.1, image_size.0
            ),
            KernelError::RoiDoesNotFit { index } => write!(
                f,
                "cannot cut ROI {index} out of the frame\nit must lie inside, be square and have the size of ROI 0\nmove or resize it"
            ),
        }
    }
}

impl std::error::Error for KernelError {}
