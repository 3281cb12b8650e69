//! What the sensor sees: a background and any number of beads of one kind, kept up to date bead by bead.
//! No noise and no codes; [`super::Sensor`] makes those.

use std::sync::Arc;

use super::error::{OpticsError, check_count, check_not_negative};
use super::radial::{RadialRow, RadialTable};

/// Contrasts are summed in integers of this many per unit. So adding a bead and taking it away leaves nothing behind, and
/// the picture never depends on the way there. 2^22: a resolution of 2.4e-7, a range of ± 512 backgrounds.
const UNITS_PER_CONTRAST: f32 = 4_194_304.0;
/// Largest contrast (in backgrounds) that one bead may have; coherent light focused by a sphere stays far below.
const MOST_CONTRAST: f32 = 100.0;

/// Size of the image, number of beads, brightness.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SceneParameters {
    /// Columns.
    pub width_px: usize,
    /// Rows.
    pub height_px: usize,
    /// Beads; none is shown until [`Scene::set_bead`] places it.
    pub n_beads: usize,
    /// Brightness without beads, as a fraction of full scale.
    pub background_level: f64,
    /// Factor on the contrast of the beads.
    pub contrast_scale: f64,
}

impl Default for SceneParameters {
    fn default() -> Self {
        Self { width_px: 512, height_px: 256, n_beads: 8, background_level: 0.4, contrast_scale: 1.0 }
    }
}

/// A picture of beads on a background. Moving a bead costs its own patch only; beads that overlap add their contrast.
///
/// The picture depends on where the beads are now, never on where they were, to the last bit. Memory: 4 bytes per pixel of
/// the image, and per bead 4 bytes per pixel of its patch (side `2 RadialTable::reach_px`).
pub struct Scene {
    parameters: SceneParameters,
    table: Arc<RadialTable>,
    /// Sum of contrasts, row by row, in units of 1 / [`UNITS_PER_CONTRAST`].
    contrast: Vec<i32>,
    beads: Vec<Bead>,
    side: usize,
    patches: Vec<i32>,
    row: RadialRow,
    /// Distance (in steps of the table), then contrast, along one line of a patch; and cos 4φ.
    steps: Vec<f32>,
    cos4: Vec<f32>,
}

#[derive(Clone, Copy)]
struct Bead {
    x_px: f64,
    y_px: f64,
    z_nm: f64,
    /// Column and row of the patch's first pixel; `None` while the bead is not shown.
    origin: Option<(i64, i64)>,
}

impl Scene {
    /// An image without beads yet.
    ///
    /// # Errors
    /// A size outside 1 to 65,536 px, more than 100,000 beads, a negative or non-finite brightness, or patches of more than
    /// 1 GiB.
    pub fn new(parameters: SceneParameters, table: Arc<RadialTable>) -> Result<Self, OpticsError> {
        check_count("width_px", parameters.width_px, 1, 65_536)?;
        check_count("height_px", parameters.height_px, 1, 65_536)?;
        check_count("n_beads", parameters.n_beads, 0, 100_000)?;
        check_not_negative("background_level", parameters.background_level)?;
        check_not_negative("contrast_scale", parameters.contrast_scale)?;
        let side = (2.0 * table.reach_px()).floor() as usize + 1;
        if parameters.n_beads * side * side > 1 << 28 {
            return Err(OpticsError::too_large(format!(
                "{} beads of {side} x {side} px\ntheir patches would need more than 1 GiB\nlower the number of beads or crop_radius_nm",
                parameters.n_beads
            )));
        }
        let nowhere = Bead { x_px: f64::NAN, y_px: f64::NAN, z_nm: f64::NAN, origin: None };
        Ok(Self {
            contrast: vec![0; parameters.width_px * parameters.height_px],
            beads: vec![nowhere; parameters.n_beads],
            patches: vec![0; parameters.n_beads * side * side],
            row: table.new_row(),
            steps: vec![0.0; side],
            cos4: vec![0.0; side],
            side,
            table,
            parameters,
        })
    }

    /// Size, number of beads, brightness.
    pub fn parameters(&self) -> &SceneParameters {
        &self.parameters
    }

    /// The table that shows the beads.
    pub fn table(&self) -> &RadialTable {
        &self.table
    }

    /// Puts bead `index` at (`x_px`, `y_px`), possibly outside the image, with defocus `z_nm` (bead z + focus offset).
    ///
    /// Returns the truth, (x_px, y_px, z_nm): z is clamped to what the table covers. A position that is not finite hides the
    /// bead; the truth is then NaN. Nothing is drawn when the bead has not moved.
    pub fn set_bead(&mut self, index: usize, x_px: f64, y_px: f64, z_nm: f64) -> [f64; 3] {
        assert!(index < self.beads.len(), "bead {index} of {}", self.beads.len());
        let bead = self.beads[index];
        let z_nm = self.table.covered_z_nm(z_nm);
        if (bead.x_px, bead.y_px, bead.z_nm) == (x_px, y_px, z_nm) {
            return [x_px, y_px, z_nm];
        }
        self.hide_bead(index);
        if !(x_px.is_finite() && y_px.is_finite() && z_nm.is_finite()) {
            return [f64::NAN; 3];
        }
        let reach = self.table.reach_px();
        // Float to integer saturates, so a bead light years away is merely outside.
        let origin = ((x_px - reach).ceil() as i64, (y_px - reach).ceil() as i64);
        self.beads[index] = Bead { x_px, y_px, z_nm, origin: Some(origin) };
        if self.visible(origin).is_some() {
            self.draw_patch(index, origin);
            self.add_patch(index, origin, 1);
        }
        [x_px, y_px, z_nm]
    }

    /// Takes bead `index` away.
    pub fn hide_bead(&mut self, index: usize) {
        if let Some(origin) = self.beads[index].origin {
            self.add_patch(index, origin, -1);
        }
        self.beads[index] = Bead { x_px: f64::NAN, y_px: f64::NAN, z_nm: f64::NAN, origin: None };
    }

    /// Where bead `index` is shown: (x_px, y_px, z_nm), NaN when it is not.
    pub fn truth(&self, index: usize) -> [f64; 3] {
        let bead = &self.beads[index];
        [bead.x_px, bead.y_px, bead.z_nm]
    }

    /// Writes the expected brightness (height × width, row by row, 1 = full scale; may exceed 1, never below 0).
    pub fn write_expected(&self, image: &mut [f32]) {
        assert_eq!(image.len(), self.contrast.len(), "{} pixels, expected {}", image.len(), self.contrast.len());
        let (offset, slope) = self.brightness_line(1.0);
        for (out, &contrast) in image.iter_mut().zip(&self.contrast) {
            *out = (offset + slope * contrast as f32).max(0.0);
        }
    }

    /// The summed contrast of all beads, row by row, in the units that [`Self::brightness_line`] knows.
    pub(super) fn contrast_units(&self) -> &[i32] {
        &self.contrast
    }

    /// Offset and slope from contrast units to expected signal, where full scale is `full_scale`.
    pub(super) fn brightness_line(&self, full_scale: f64) -> (f32, f32) {
        let background = self.parameters.background_level * full_scale;
        (background as f32, (background * self.parameters.contrast_scale / f64::from(UNITS_PER_CONTRAST)) as f32)
    }

    /// The part of a patch that lies in the image: rows and columns of the patch, and where they begin in the image.
    fn visible(&self, origin: (i64, i64)) -> Option<Visible> {
        let span = |first: i64, size: usize| {
            let start = first.max(0);
            let end = first.saturating_add(self.side as i64).min(size as i64);
            (start < end).then(|| (start as usize, (start - first) as usize, (end - start) as usize))
        };
        let (column, patch_column, n_columns) = span(origin.0, self.parameters.width_px)?;
        let (row, patch_row, n_rows) = span(origin.1, self.parameters.height_px)?;
        Some(Visible { row, column, patch_row, patch_column, n_rows, n_columns })
    }

    fn add_patch(&mut self, index: usize, origin: (i64, i64), sign: i32) {
        let Some(v) = self.visible(origin) else {
            return;
        };
        let patch = &self.patches[index * self.side * self.side..][..self.side * self.side];
        for line in 0..v.n_rows {
            let from = &patch[(v.patch_row + line) * self.side + v.patch_column..][..v.n_columns];
            let to = &mut self.contrast[(v.row + line) * self.parameters.width_px + v.column..][..v.n_columns];
            for (sum, &value) in to.iter_mut().zip(from) {
                *sum = sum.wrapping_add(sign * value);
            }
        }
    }

    fn draw_patch(&mut self, index: usize, origin: (i64, i64)) {
        let (side, bead) = (self.side, self.beads[index]);
        self.table.prepare(bead.z_nm, &mut self.row);
        let (reach, steps_per_px) = (self.table.reach_px() as f32, self.row.steps_per_px());
        let dx0 = (origin.0 as f64 - bead.x_px) as f32;
        let dy0 = (origin.1 as f64 - bead.y_px) as f32;
        let patch = &mut self.patches[index * side * side..][..side * side];
        for (row, pixels) in patch.chunks_exact_mut(side).enumerate() {
            let dy = dy0 + row as f32;
            // The chord of this line inside the circle; outside it there is nothing to draw.
            let half = (reach * reach - dy * dy).max(0.0).sqrt();
            let first = ((-half - dx0).ceil().max(0.0) as usize).min(side);
            let end = ((half - dx0).floor().max(-1.0) as isize + 1).clamp(first as isize, side as isize) as usize;
            pixels[..first].fill(0);
            pixels[end..].fill(0);
            let y2 = dy * dy;
            let (steps, cos4) = (&mut self.steps[..end - first], &mut self.cos4[..end - first]);
            // Three passes: the first and the last have no table in them, so the compiler does several pixels at once.
            let dx_first = dx0 + first as f32;
            for (i, (steps, cos4)) in (0i32..).zip(steps.iter_mut().zip(cos4.iter_mut())) {
                let dx = dx_first + i as f32;
                let x2 = dx * dx;
                let r2 = (x2 + y2).max(f32::MIN_POSITIVE);
                *steps = r2.sqrt() * steps_per_px;
                *cos4 = 1.0 - 8.0 * (x2 / r2) * (y2 / r2);
            }
            for (steps, &cos4) in steps.iter_mut().zip(cos4.iter()) {
                *steps = self.row.contrast_at(*steps, cos4);
            }
            for (pixel, &contrast) in pixels[first..end].iter_mut().zip(steps.iter()) {
                *pixel = (contrast.min(MOST_CONTRAST) * UNITS_PER_CONTRAST) as i32;
            }
        }
    }
}

struct Visible {
    row: usize,
    column: usize,
    patch_row: usize,
    patch_column: usize,
    n_rows: usize,
    n_columns: usize,
}

#[cfg(test)]
mod tests;
