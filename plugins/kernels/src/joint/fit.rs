//! The fit of one image: Gauss–Newton from a start, its standard errors, χ², and what does not look like the template.
//! Allocates nothing once made.

use ndarray::ArrayView2;

use super::pass::{N, Pass, Place, Sums};
use super::radial_spline::{Node, NodeMaker};
use super::solve::{inverse, times};
use super::template::JointTemplate;
use crate::error::KernelError;
use crate::isa::{Isa, Supported};
use crate::noise_model::NoiseModel;
use crate::pixel::{Pixel, assert_size};

/// Smallest and largest image.
const MIN_PX: usize = 12;
const MAX_PX: usize = 2048;

/// The centre must stay this far inside the image: with less than half of the rings x, y and z cannot be told apart well.
const MARGIN_PX: f64 = 3.0;

/// Longest step of a centre, pixels: beyond it the slope that it was made with is another ring's.
const LONGEST_PX: f64 = 1.0;
/// Longest step of z in the first passes, nm, when planes are nearer than that.
const LONGEST_NM: f64 = 100.0;
/// Of the last interval of z, beyond the last planes: a fit may pass there, not end there.
const OVERHANG: f64 = 0.5;

/// How quickly the image bends: a step s leaves about s² over this of itself, in pixels and nm. A quarter of a fringe.
const BEND_PX: f64 = 1.0;
const BEND_NM: f64 = 150.0;
/// What a step may leave, of the standard error.
const SETTLED: f64 = 0.05;
/// Without noise the standard error is 0: steps below these end a fit too.
const SETTLED_PX: f64 = 1e-6;
const SETTLED_NM: f64 = 1e-3;

/// A node that no pixel may use: brighter than any saturation.
const HIDDEN: Node = [1e30, 0.0, 0.0, 0.0];
/// Nodes hidden on either side of a clipped one: half a pixel.
const CLIPPED_NODES: usize = (super::radial_spline::NODES_PER_PX / 2.0) as usize;

/// A tile with fewer pixels than this says nothing.
const LEAST_TILE: f32 = 24.0;
/// Side of a tile.
const TILE_PX: usize = 8;
/// Tiles nearer to the centre than this do not tell of neighbours.
const CENTER_PX: f64 = 3.0;

/// Settings of the fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointOptions {
    /// Most passes over the pixels, 1 to 100, default 8. Two or three do.
    pub max_passes: usize,
    /// A gain below this many of its standard errors is no contrast, default 5.
    pub least_contrast: f64,
    /// A tile of 8 × 8 pixels whose χ² exceeds that of the others by this many standard deviations holds something else,
    /// default 8.
    pub tile_limit: f64,
    /// Pixel value from which a pixel is saturated; NaN when not known.
    pub saturation: f64,
    /// The camera's noise; [`NoiseModel::UNKNOWN`] takes its size from the residual.
    pub noise: NoiseModel,
    /// Instructions to use; the baseline where the processor lacks them. The numbers do not depend on it.
    pub isa: Isa,
}

impl Default for JointOptions {
    fn default() -> Self {
        JointOptions {
            max_passes: 8,
            least_contrast: 5.0,
            tile_limit: 8.0,
            saturation: f64::NAN,
            noise: NoiseModel::UNKNOWN,
            isa: Isa::detect(),
        }
    }
}

/// Where a fit starts: right to about half a fringe, a pixel and 200 nm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointStart {
    /// Column of the centre, pixels.
    pub x_px: f64,
    /// Row of the centre, pixels.
    pub y_px: f64,
    /// Focus position of the sweep, nm.
    pub z_nm: f64,
    /// Contrast relative to the sweep's.
    pub gain: f64,
    /// Brightness that is left, ADU.
    pub offset_adu: f64,
}

/// How a fit went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum JointOutcome {
    /// x, y and z were found.
    #[default]
    Found,
    /// z lies below the first or above the last plane.
    OutsideTemplate,
    /// The centre came within 3 px of the border.
    AtBorder,
    /// The steps did not become small.
    NotConverged,
    /// The image is flat, upside down, or its contrast is lost in the noise.
    LowContrast,
    /// The start is not finite, or there are pixels that are not.
    NotFinite,
}

/// What a fit found; NaN where there is nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointFit {
    /// Column of the centre, pixels; NaN unless found.
    pub x_px: f64,
    /// Row of the centre, pixels; NaN unless found.
    pub y_px: f64,
    /// Focus position of the sweep; NaN unless found.
    pub z_nm: f64,
    /// Standard errors, from the inverse of the normal matrix. With a known noise model raised by √χ² where χ² is above 1;
    /// else scaled by the residual.
    pub sigma_x_px: f64,
    /// As [`Self::sigma_x_px`].
    pub sigma_y_px: f64,
    /// As [`Self::sigma_x_px`], and what the template errs by: between planes, and by the noise of its frames.
    pub sigma_z_nm: f64,
    /// Contrast relative to the sweep's.
    pub gain: f64,
    /// Brightness that is left, ADU.
    pub offset_adu: f64,
    /// Reduced χ²; NaN without a known noise model.
    pub chi2: f64,
    /// Share of the pixels' weighted variance that the fit explains, 0 to 1.
    pub explained: f64,
    /// The largest excess of χ² of a tile of 8 × 8 pixels, away from the centre, over that of the others, in standard
    /// deviations; NaN unless found. Above [`JointOptions::tile_limit`] something else lies in the image.
    pub worst_tile: f64,
    /// Passes over the pixels.
    pub n_passes: usize,
    /// How it went.
    pub outcome: JointOutcome,
}

impl JointFit {
    /// Reduced χ² from here on is a misfit. A ROI of 40 px has 1,600 pixels, so that chance gives 1.04 at most once in 30
    /// times, and a template of ten frames a plane adds 0.02.
    pub const MISFIT_CHI2: f64 = 1.3;

    /// True where the image differs from the template by more than the camera's noise, all over.
    pub fn is_misfit(&self) -> bool {
        self.chi2 > Self::MISFIT_CHI2
    }

    /// Nothing, for this reason.
    pub fn none(outcome: JointOutcome) -> JointFit {
        let nan = f64::NAN;
        JointFit {
            x_px: nan,
            y_px: nan,
            z_nm: nan,
            sigma_x_px: nan,
            sigma_y_px: nan,
            sigma_z_nm: nan,
            gain: nan,
            offset_adu: nan,
            chi2: nan,
            explained: nan,
            worst_tile: nan,
            n_passes: 0,
            outcome,
        }
    }
}

/// Fits images of one size; owns all scratch.
#[derive(Debug, Clone)]
pub struct JointFitter {
    size_px: usize,
    options: JointOptions,
    isa: Supported,
    pass: Pass,
    maker: NodeMaker,
    values: Vec<f32>,
    slopes: Vec<f32>,
    nodes: Vec<Node>,
    excess: Vec<f32>,
}

pub(super) fn check_size(size_px: usize) -> Result<(), KernelError> {
    if size_px < MIN_PX {
        return Err(KernelError::SizeTooSmall { size_px, min_px: MIN_PX });
    }
    if size_px > MAX_PX {
        let allowed = "at most 2048 pixels";
        return Err(KernelError::OutOfRange { name: "size_px", value: size_px as f64, allowed });
    }
    Ok(())
}

impl JointFitter {
    /// For images of `size_px` x `size_px` pixels and templates of such. Fails below 12 pixels, above 2048, and for
    /// options out of range.
    pub fn new(size_px: usize, options: &JointOptions) -> Result<JointFitter, KernelError> {
        check_size(size_px)?;
        if !(1..=100).contains(&options.max_passes) {
            let value = options.max_passes as f64;
            return Err(KernelError::OutOfRange { name: "max_passes", value, allowed: "1 to 100" });
        }
        for (name, value) in [("least_contrast", options.least_contrast), ("tile_limit", options.tile_limit)] {
            if value.is_nan() || value < 0.0 {
                return Err(KernelError::OutOfRange { name, value, allowed: "0 or more" });
            }
        }
        let isa = Supported::or_baseline(options.isa);
        // A template of such images reaches at most a whole diagonal.
        let most = super::radial_spline::n_coefficients(std::f64::consts::SQRT_2 * size_px as f64) + 1;
        Ok(JointFitter {
            size_px,
            options: *options,
            isa,
            pass: Pass::new(size_px, isa),
            maker: NodeMaker::new(),
            values: vec![0.0; most],
            slopes: vec![0.0; most],
            nodes: vec![[0.0; 4]; NodeMaker::n_nodes(most)],
            excess: vec![0.0; size_px.div_ceil(TILE_PX).pow(2)],
        })
    }

    /// [`JointOptions::tile_limit`].
    pub fn tile_limit(&self) -> f64 {
        self.options.tile_limit
    }

    /// Size of the images.
    pub fn size_px(&self) -> usize {
        self.size_px
    }

    /// Fits one image (`[y, x]`, any stride), from `start`. Never fails: what cannot be had is NaN with its reason. Panics
    /// when the image has another size.
    pub fn execute<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        template: &JointTemplate,
        start: &JointStart,
    ) -> JointFit {
        assert_size(&image, self.size_px);
        let numbers = [start.x_px, start.y_px, start.z_nm, start.gain, start.offset_adu];
        if numbers.iter().any(|v| !v.is_finite()) || template.n_coefficients() > self.values.len() {
            return JointFit::none(JointOutcome::NotFinite);
        }
        if !(self.is_inside(start.x_px) && self.is_inside(start.y_px)) {
            return JointFit::none(JointOutcome::AtBorder);
        }
        if start.gain <= 0.0 {
            return JointFit::none(JointOutcome::LowContrast);
        }
        self.descend(image, template, start)
    }

    fn descend<P: Pixel>(
        &mut self,
        image: ArrayView2<'_, P>,
        template: &JointTemplate,
        start: &JointStart,
    ) -> JointFit {
        let z_nm = template.z_nm();
        let last = z_nm.len() - 1;
        let lowest = z_nm[0] - OVERHANG * (z_nm[1] - z_nm[0]);
        let highest = z_nm[last] + OVERHANG * (z_nm[last] - z_nm[last - 1]);
        let mean = template.mean_adu();
        let known = self.options.noise.is_known();
        let (mut x, mut y, mut z) = (start.x_px, start.y_px, start.z_nm.clamp(lowest, highest));
        // Added to gain × template, which is counted from its mean.
        let (mut gain, mut offset) = (start.gain, start.offset_adu + start.gain * mean);
        for n_passes in 1..=self.options.max_passes {
            let nodes = self.look_at(template, z);
            let place = self.place(x, y, gain, offset, template);
            self.hide_clipped(nodes, &place);
            let sums = self.pass.run(image, &self.nodes[..nodes], &place);
            if !sums.chi2.is_finite() {
                return JointFit::none(JointOutcome::NotFinite);
            }
            let freedom = sums.n - N as f64;
            let Some(covariance) = (freedom > 0.0).then(|| inverse(&sums.matrix, N)).flatten() else {
                return JointFit { n_passes, ..JointFit::none(JointOutcome::LowContrast) };
            };
            let step = times(&covariance, &sums.right);
            let taken: f64 = step.iter().zip(&sums.right).map(|(s, r)| s * r).sum();
            let chi2 = (sums.chi2 - taken).max(0.0) / freedom;
            let scale = if known { chi2.max(1.0).sqrt() } else { chi2.sqrt() };
            let sigma: [f64; N] = std::array::from_fn(|k| covariance[k][k].sqrt() * scale);
            let clamp = |v: f64, most: f64| v.clamp(-most, most);
            let (dx, dy) = (clamp(-step[0] / gain, LONGEST_PX), clamp(-step[1] / gain, LONGEST_PX));
            let plane = longest_step(z_nm, z);
            let next = (z + clamp(step[2] / gain, plane)).clamp(lowest, highest);
            let dz = next - z;
            (x, y, z) = (x + dx, y + dy, next);
            gain += step[3];
            offset += step[4];
            if gain.is_nan() || gain <= 0.0 {
                return JointFit { n_passes, ..JointFit::none(JointOutcome::LowContrast) };
            }
            if !(self.is_inside(x) && self.is_inside(y)) {
                return JointFit { n_passes, ..JointFit::none(JointOutcome::AtBorder) };
            }
            let leaves = |step: f64, bend: f64, sigma: f64, least: f64| {
                step.abs() < least || step * step / bend < SETTLED * sigma / gain
            };
            let settled = leaves(dx, BEND_PX, sigma[0], SETTLED_PX)
                && leaves(dy, BEND_PX, sigma[1], SETTLED_PX)
                && leaves(dz, BEND_NM, sigma[2], SETTLED_NM);
            if !settled {
                continue;
            }
            let fit = JointFit {
                x_px: x,
                y_px: y,
                z_nm: z,
                sigma_x_px: sigma[0] / gain,
                sigma_y_px: sigma[1] / gain,
                sigma_z_nm: sigma_z(sigma[2] / gain, template, z),
                gain,
                offset_adu: offset - gain * mean,
                chi2: if known { chi2 } else { f64::NAN },
                explained: explained(&sums, &place, taken),
                worst_tile: self.worst_tile(x, y),
                n_passes,
                outcome: JointOutcome::Found,
            };
            let outcome = if !(z_nm[0]..=z_nm[last]).contains(&z) {
                JointOutcome::OutsideTemplate
            } else if gain < self.options.least_contrast * sigma[3] {
                JointOutcome::LowContrast
            } else {
                return fit;
            };
            return JointFit { chi2: fit.chi2, n_passes, ..JointFit::none(outcome) };
        }
        JointFit { n_passes: self.options.max_passes, ..JointFit::none(JointOutcome::NotConverged) }
    }

    /// Brightness over the image as the template has it with these parameters, and what is left of `image`, both
    /// `[y × x]`, NaN where a pixel does not count. For people; it allocates.
    pub fn model<P: Pixel>(
        &self,
        image: ArrayView2<'_, P>,
        template: &JointTemplate,
        fit: &JointFit,
    ) -> (Vec<f64>, Vec<f64>) {
        let n = self.size_px;
        let (mut model, mut residual) = (vec![f64::NAN; n * n], vec![f64::NAN; n * n]);
        for ((i, j), p) in image.indexed_iter() {
            let radius = (j as f64 - fit.x_px).hypot(i as f64 - fit.y_px);
            let expected = fit.gain * template.value_at(radius, fit.z_nm) + fit.offset_adu;
            model[i * n + j] = expected;
            residual[i * n + j] = p.to_f64() - expected;
        }
        (model, residual)
    }

    /// Nodes of the template at `z`; their number.
    fn look_at(&mut self, template: &JointTemplate, z_nm: f64) -> usize {
        struct LookAt<'a> {
            fitter: &'a mut JointFitter,
            template: &'a JointTemplate,
            z_nm: f64,
        }
        impl crate::isa::Vectorised for LookAt<'_> {
            type Output = usize;
            #[inline(always)]
            fn run(self) -> usize {
                let n = self.template.n_coefficients();
                let nodes = NodeMaker::n_nodes(n);
                let JointFitter { maker, values, slopes, nodes: all, .. } = self.fitter;
                let (values, slopes) = (&mut values[..n], &mut slopes[..n]);
                self.template.nodes_at(self.z_nm, maker, values, slopes, &mut all[..nodes]);
                nodes
            }
        }
        let isa = self.isa;
        isa.run(LookAt { fitter: self, template, z_nm })
    }

    /// Takes the nodes out whose brightness comes near saturation, and those half a pixel round them: a smooth profile
    /// overshoots where the brightness was clipped.
    fn hide_clipped(&mut self, n: usize, place: &Place) {
        let limit = ((place.expected_limit - place.offset) / place.gain) as f32;
        let nodes = &mut self.nodes[..n];
        if nodes.iter().map(|node| node[0]).fold(f32::NEG_INFINITY, f32::max) < limit {
            return;
        }
        // Ahead of each bright node first, marked by a slope that is no number; then behind, and the marked ones with it.
        let mut left = 0usize;
        for node in nodes.iter_mut() {
            left = if node[0] >= limit { CLIPPED_NODES + 1 } else { left.saturating_sub(1) };
            node[3] = if left > 0 { f32::NAN } else { node[3] };
        }
        left = 0;
        for node in nodes.iter_mut().rev() {
            left = if node[0] >= limit { CLIPPED_NODES + 1 } else { left.saturating_sub(1) };
            if left > 0 || node[3].is_nan() {
                *node = HIDDEN;
            }
        }
    }

    fn place(&self, x_px: f64, y_px: f64, gain: f64, offset: f64, template: &JointTemplate) -> Place {
        // Without a known gain, the floor of the variance goes by the brightness of the image.
        let line = self.options.noise.line(offset);
        let saturation = if self.options.saturation.is_nan() { f64::INFINITY } else { self.options.saturation };
        let clipped = self.options.noise.unclipped_below(saturation);
        // Nor is anything known of what was clipped in the sweep.
        let unseen = gain * (template.limit_adu() - template.mean_adu()) + offset;
        let expected_limit = clipped.min(unseen);
        Place {
            x_px,
            y_px,
            gain,
            offset,
            slope: line.slope,
            dark: line.offset_adu,
            floor: line.floor,
            saturation,
            expected_limit,
            radius_px: template.radius_px(),
        }
    }

    fn is_inside(&self, at: f64) -> bool {
        (MARGIN_PX..=(self.size_px - 1) as f64 - MARGIN_PX).contains(&at)
    }

    /// The largest excess of a tile's χ² over the median of all, in standard deviations of that. Tiles near the centre do not
    /// count: few pixels of the sweep say what is there, so that the template's own error shows.
    fn worst_tile(&mut self, x_px: f64, y_px: f64) -> f64 {
        let mut n = 0;
        for tile in self.pass.tiles.iter().filter(|t| t.n >= LEAST_TILE) {
            self.excess[n] = tile.chi2 / tile.n;
            n += 1;
        }
        if n == 0 {
            return f64::NAN;
        }
        let (_, &mut median, _) = self.excess[..n].select_nth_unstable_by(n / 2, f32::total_cmp);
        let n_across = self.size_px.div_ceil(TILE_PX);
        let gap = |tile: usize, at: f64| {
            let first = (tile * TILE_PX) as f64;
            (first - at).max(at - first - (TILE_PX - 1) as f64).max(0.0)
        };
        let mut worst = f32::NEG_INFINITY;
        for (k, t) in self.pass.tiles.iter().enumerate() {
            let distance = gap(k % n_across, x_px).hypot(gap(k / n_across, y_px));
            if t.n >= LEAST_TILE && distance > CENTER_PX {
                worst = worst.max((t.chi2 / t.n / median - 1.0) / (2.0 / t.n).sqrt());
            }
        }
        f64::from(worst)
    }
}

/// Standard error of z with what the template adds to that of the image.
fn sigma_z(of_image_nm: f64, template: &JointTemplate, z_nm: f64) -> f64 {
    (of_image_nm * (1.0 + template.noise_share()).sqrt()).hypot(template.spacing_error_nm(z_nm))
}

/// From one plane to the next at `z`, or what the image bends by, whichever is longer.
fn longest_step(z_nm: &[f64], z: f64) -> f64 {
    let k = crate::spline_z::cubic::interval_of(z_nm, z);
    (z_nm[k + 1] - z_nm[k]).max(LONGEST_NM)
}

/// Share of the variance that the model explains: total from the model's own sums, as pixel = model + rest.
fn explained(sums: &Sums, place: &Place, taken: f64) -> f64 {
    let (gain, offset) = (place.gain, place.offset);
    let (tt, t, w) = (sums.matrix[3][3], sums.matrix[3][4], sums.matrix[4][4]);
    let (te, e) = (sums.right[3], sums.right[4]);
    let squares = gain * gain * tt + 2.0 * gain * offset * t + offset * offset * w;
    let total = squares + 2.0 * (gain * te + offset * e) + sums.chi2;
    let mean = (gain * t + offset * w + e) / w;
    let variance = total - mean * mean * w;
    (1.0 - (sums.chi2 - taken) / variance).clamp(0.0, 1.0)
}
