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
            KernelError::RoiDoesNotFit { index } => write!(
                f,
                "cannot cut ROI {index} out of the frame\nit must lie inside, be square and have the size of ROI 0\nmove or resize it"
            ),
        }
    }
}

impl std::error::Error for KernelError {}
