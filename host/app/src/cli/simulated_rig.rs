//! The simulated camera as `simulate` and `demo` use it: opened through the loader like any camera, with its truth read
//! from the channels of each frame.

use std::sync::Arc;
use tetherscope_core::loader::{Camera, ChannelInfo, Kind, Registry};
use tetherscope_core::{FrameMeta, Roi, RunError};
use tetherscope_files::TruthRow;

/// Opens `camera.sim`; `settings` are the parameters that differ from its defaults.
pub(crate) fn open(registry: &Registry, settings: &[(String, String)]) -> Result<Arc<Camera>, RunError> {
    let component = registry.resolve(Kind::Camera, "camera.sim")?;
    let params = super::frames::params_of(component, settings)?;
    Ok(Arc::new(Camera::open(component, "", &params)?))
}

/// Where the truth stands among the values of a frame's channels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TruthChannel {
    first: usize,
    n_beads: usize,
    focus: usize,
    nm_per_px: f64,
}

/// One bead's true place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrueBead {
    /// Column in the frame.
    pub(crate) x_px: f64,
    /// Row in the frame.
    pub(crate) y_px: f64,
    /// Height, in the sense of a row's z.
    pub(crate) z_nm: f64,
}

impl TruthChannel {
    /// Finds the truth among a camera's channels.
    pub(crate) fn of(camera: &Camera, nm_per_px: f64) -> Result<Self, RunError> {
        let channels = camera.channels()?;
        let at = |key: &str| -> Option<(usize, &ChannelInfo)> {
            let index = channels.iter().position(|c| c.key == key)?;
            let first = channels[..index].iter().map(|c| c.length as usize).sum();
            Some((first, &channels[index]))
        };
        match (at("truth"), at("focus_nm")) {
            (Some((first, truth)), Some((focus, _))) => {
                Ok(Self { first, n_beads: truth.length as usize / 3, focus, nm_per_px })
            }
            _ => Err(RunError::refused(
                format!("cannot use {} for a simulation", camera.component().label()),
                "its frames carry no channels `truth` and `focus_nm`",
                "use the camera.sim that belongs to this Tetherscope",
            )),
        }
    }

    /// Number of beads.
    pub(crate) fn n_beads(&self) -> usize {
        self.n_beads
    }

    /// The true place of a bead in a frame.
    pub(crate) fn bead(&self, frame: &FrameMeta, bead: usize) -> TrueBead {
        let v = &frame.channels[self.first + 3 * bead..self.first + 3 * bead + 3];
        TrueBead { x_px: v[0], y_px: v[1], z_nm: v[2] }
    }

    /// Focus of a frame.
    pub(crate) fn focus_nm(&self, frame: &FrameMeta) -> f64 {
        frame.channels[self.focus]
    }

    /// Time of a frame on the device's clock.
    pub(crate) fn time_s(frame: &FrameMeta) -> f64 {
        frame.device_time_ns.map_or(f64::NAN, |t| t as f64 * 1e-9)
    }

    /// The frame's rows of truth.
    pub(crate) fn rows(&self, frame: &FrameMeta) -> Vec<TruthRow> {
        let row = |b: usize| {
            let t = self.bead(frame, b);
            TruthRow {
                frame: frame.index,
                bead: b as u32,
                time_s: Self::time_s(frame),
                x_px: t.x_px,
                y_px: t.y_px,
                z_nm: t.z_nm,
                x_nm: t.x_px * self.nm_per_px,
                y_nm: t.y_px * self.nm_per_px,
            }
        };
        (0..self.n_beads).map(row).collect()
    }

    /// ROIs of `size_px` round the beads as they are in a frame; those that leave the image are left out.
    pub(crate) fn rois(&self, frame: &FrameMeta, size_px: u32, width_px: u32, height_px: u32) -> Vec<Roi> {
        let half = f64::from(size_px) / 2.0;
        let place = |b: usize| {
            let t = self.bead(frame, b);
            // The middle of a ROI of even size lies between two pixels.
            let (x, y) = ((t.x_px + 0.5 - half).round() as i32, (t.y_px + 0.5 - half).round() as i32);
            Roi { bead: b as u32, x_px: x, y_px: y, w_px: size_px, h_px: size_px }
        };
        let inside = |r: &Roi| {
            let fits = |at: i32, limit: u32| at >= 0 && i64::from(at) + i64::from(size_px) <= i64::from(limit);
            fits(r.x_px, width_px) && fits(r.y_px, height_px)
        };
        (0..self.n_beads).map(place).filter(inside).collect()
    }
}
