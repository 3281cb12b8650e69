//! From pixels in a ROI to a row in nanometres: the only place that does it.

use crate::optics::Optics;
use crate::run::TrackedBatch;
use crate::source::FrameMeta;
use tetherscope_files::{Roi, Row};
use tetherscope_loader::{CameraFormat, Fix, abi};

/// Makes rows from results.
#[derive(Debug, Clone, Copy)]
pub struct RowMaker {
    nm_per_px: f64,
    focal_shift_factor: f64,
    /// UTC of the device clock's zero; None without a clock that is known.
    utc_of_device_zero_ns: Option<i64>,
    time_instant: u32,
}

impl RowMaker {
    /// For frames of one format. `utc_of_device_zero_ns` relates the device's clock to UTC, where that is known.
    pub fn new(optics: &Optics, format: &CameraFormat, utc_of_device_zero_ns: Option<i64>) -> Self {
        Self {
            nm_per_px: optics.nm_per_px,
            focal_shift_factor: optics.focal_shift_factor,
            utc_of_device_zero_ns,
            time_instant: format.time_instant,
        }
    }

    /// From the instant that a camera tells to the middle of the exposure.
    fn middle_ns(&self, exposure_ns: Option<i64>) -> i64 {
        match (self.time_instant, exposure_ns) {
            (abi::TIME_EXPOSURE_START, Some(e)) => e / 2,
            (abi::TIME_EXPOSURE_END, Some(e)) => -e / 2,
            _ => 0,
        }
    }

    /// UTC of the middle of a frame's exposure; None where nobody knows.
    fn time_ns(&self, frame: &FrameMeta) -> Option<i64> {
        let at = frame.device_time_ns?.checked_add(self.utc_of_device_zero_ns?)?;
        at.checked_add(self.middle_ns(frame.exposure_ns))
    }

    /// One row.
    pub fn row(&self, frame: &FrameMeta, roi: &Roi, fix: &Fix) -> Row {
        self.row_at(frame.index, self.time_ns(frame), roi, fix)
    }

    /// One row of a frame whose time is known. z and its error are multiplied by the focal-shift factor here, once, and
    /// nowhere else.
    pub(crate) fn row_at(&self, frame: u64, time_ns: Option<i64>, roi: &Roi, fix: &Fix) -> Row {
        let scale = self.nm_per_px;
        Row {
            frame,
            bead: roi.bead,
            time_ns,
            x_nm: (f64::from(roi.x_px) + fix.x_px) * scale,
            y_nm: (f64::from(roi.y_px) + fix.y_px) * scale,
            z_nm: fix.z_nm * self.focal_shift_factor,
            sigma_x_nm: (f64::from(fix.sigma_x_px) * scale) as f32,
            sigma_y_nm: (f64::from(fix.sigma_y_px) * scale) as f32,
            sigma_z_nm: (f64::from(fix.sigma_z_nm) * self.focal_shift_factor) as f32,
            quality: fix.quality,
            flags: fix.flags,
            roi_x_px: roi.x_px,
            roi_y_px: roi.y_px,
        }
    }

    /// The rows of a batch, frame by frame, in the order of the ROIs; replaces what `rows` holds.
    pub fn rows(&self, batch: &TrackedBatch<'_>, rows: &mut Vec<Row>) {
        rows.clear();
        let n_rois = batch.rois.len();
        for (f, frame) in batch.frames.iter().enumerate() {
            let fixes = &batch.fixes[f * n_rois..(f + 1) * n_rois];
            rows.extend(batch.rois.iter().zip(fixes).map(|(roi, fix)| self.row(frame, roi, fix)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_in_frame_coordinates_and_focal_shift_is_applied_once() {
        let optics = Optics { focal_shift_factor: 0.88, ..Optics::new(100.0) };
        let format = CameraFormat {
            time_instant: abi::TIME_EXPOSURE_START,
            ..CameraFormat::packed(640, 480, abi::PIXEL_MONO8, 8)
        };
        let maker = RowMaker::new(&optics, &format, Some(1_000_000));
        let frame = FrameMeta {
            index: 7,
            device_time_ns: Some(500),
            exposure_ns: Some(100),
            channels: Vec::new(),
            arrival_ns: None,
            slot: 0,
        };
        let roi = Roi { bead: 3, x_px: 10, y_px: 20, w_px: 64, h_px: 64 };
        let fix = Fix { x_px: 31.5, y_px: 32.0, z_nm: 1000.0, sigma_z_nm: 2.0, ..Fix::EMPTY };
        let row = maker.row(&frame, &roi, &fix);
        assert_eq!((row.x_nm, row.y_nm), (4150.0, 5200.0));
        assert_eq!((row.z_nm, row.sigma_z_nm), (880.0, 1.76));
        assert_eq!(row.time_ns, Some(1_000_550));
        assert!(row.sigma_x_nm.is_nan() && row.quality.is_nan());
        assert_eq!(RowMaker::new(&optics, &format, None).row(&frame, &roi, &fix).time_ns, None);
    }
}
