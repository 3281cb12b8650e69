//! A template from the frames of a sweep: plane by plane a radial spline through all pixels, and every frame's own centre,
//! gain and offset, each refined with the other. Then smoothing along z, as far as the scatter asks for. Off the live path;
//! it allocates.

use ndarray::ArrayView2;

use super::pass::{N, Pass, Place};
use super::radial_spline::{NodeMaker, n_coefficients, place, tap, weights};
use super::solve::{Banded, inverse, times};
use super::template::{Extent, JointTemplate, JointTemplateError, LEAST_PLANES};
use crate::error::KernelError;
use crate::isa::{Isa, Supported};
use crate::noise_model::NoiseModel;
use crate::pixel::{Pixel, assert_size, for_each_piece};
use crate::spline_z::smoother::Smoother;

/// Rounds of "profile from the frames, frames against the profile". The tracker's centres are right to about a hundredth
/// of a pixel, so two would do.
const ROUNDS: usize = 3;
/// Steps of a frame's fit in each round.
const STEPS: usize = 2;
/// Longest step of a centre, pixels.
const LONGEST_PX: f64 = 1.0;
/// How far from the tracker's centre a frame may end; beyond it the frame does not count.
const FARTHEST_PX: f64 = 3.0;
/// The curvature of a spline costs this much of its information: it decides only where there are no pixels.
const RIDGE: f64 = 1e-6;
/// Templates end this far inside the outermost pixel that all planes show.
const MARGIN_PX: f64 = 0.5;
/// Room beyond half the diagonal, for beads off the middle.
const REACH_PX: f64 = 6.0;

/// One frame of a plane.
#[derive(Debug, Clone, Copy)]
pub struct SweepFrame<'a, P> {
    /// `[y, x]`, any stride.
    pub image: ArrayView2<'a, P>,
    /// The tracker's centre, pixels.
    pub x_px: f64,
    /// The tracker's centre, pixels.
    pub y_px: f64,
}

/// Collects planes and makes a [`JointTemplate`] of them.
#[derive(Debug, Clone)]
pub struct JointBuilder {
    size_px: usize,
    noise: NoiseModel,
    saturation: f64,
    n: usize,
    pass: Pass,
    maker: NodeMaker,
    planes: Vec<Plane>,
}

#[derive(Debug, Clone)]
struct Plane {
    z_nm: f64,
    coefficients: Vec<f64>,
    variance: Vec<f64>,
    radius_px: f64,
    /// Variance of the plane over that of a single frame with the camera's noise.
    noise_share: f64,
}

/// A radial spline through pixels.
struct Fitted {
    coefficients: Vec<f64>,
    /// Variances of the coefficients if the weights are inverse variances.
    unit_variance: Vec<f64>,
    /// What is left of the pixels, over what the weights say.
    scale: f64,
}

/// Where a frame stands.
#[derive(Debug, Clone, Copy)]
struct Pose {
    x: f64,
    y: f64,
    gain: f64,
    offset: f64,
}

impl JointBuilder {
    /// For frames of `size_px` x `size_px` pixels, from a camera with this noise (only ratios of variances count) whose
    /// pixels saturate at `saturation` (NaN unknown). Fails below 12 pixels and above 2048.
    pub fn new(size_px: usize, noise: NoiseModel, saturation: f64, isa: Isa) -> Result<JointBuilder, KernelError> {
        super::fit::check_size(size_px)?;
        // One more than there are pixels for, so that there are nodes on both sides of the outermost ones.
        let n = n_coefficients(std::f64::consts::FRAC_1_SQRT_2 * size_px as f64 + REACH_PX) + 1;
        Ok(JointBuilder {
            size_px,
            noise,
            saturation: if saturation.is_nan() { f64::INFINITY } else { saturation },
            n,
            pass: Pass::new(size_px, Supported::or_baseline(isa)),
            maker: NodeMaker::new(),
            planes: Vec::new(),
        })
    }

    /// Adds the plane at `z_nm`, of frames with finite centres inside the image; others do not count.
    ///
    /// Planes come in rising order. Fails when no frame shows a bead. Panics when an image has another size.
    pub fn add_plane<P: Pixel>(&mut self, z_nm: f64, frames: &[SweepFrame<'_, P>]) -> Result<(), JointTemplateError> {
        let empty = JointTemplateError::EmptyPlane { z_nm };
        let size = self.size_px as f64;
        let inside = |v: f64| (0.0..=size - 1.0).contains(&v);
        let mut used: Vec<(SweepFrame<'_, P>, Pose)> = frames
            .iter()
            .filter(|f| inside(f.x_px) && inside(f.y_px))
            .map(|f| (*f, Pose { x: f.x_px, y: f.y_px, gain: 1.0, offset: 0.0 }))
            .collect();
        used.iter().for_each(|(frame, _)| assert_size(&frame.image, self.size_px));
        let mut profile: Option<Vec<f64>> = None;
        for _ in 0..ROUNDS {
            let fitted = self.profile(&used, profile.as_deref()).ok_or(empty.clone())?;
            self.refine(&mut used, &fitted);
            if used.is_empty() {
                return Err(empty);
            }
            profile = Some(fitted);
        }
        let Fitted { coefficients, unit_variance, scale } =
            self.least_squares(&used, profile.as_deref()).ok_or(empty)?;
        let variance = unit_variance.iter().map(|v| v * scale).collect();
        // Less where the frames have less noise than the camera: a computed sweep. What is more is no noise of pixels.
        let of_frames = if self.noise.is_known() { scale.min(1.0) } else { 1.0 };
        let noise_share = of_frames / used.len() as f64;
        let farthest = |pose: &Pose| pose.x.max(size - 1.0 - pose.x).hypot(pose.y.max(size - 1.0 - pose.y));
        let radius_px = used.iter().map(|(_, pose)| farthest(pose)).fold(0.0, f64::max) - MARGIN_PX;
        self.planes.push(Plane { z_nm, coefficients, variance, radius_px, noise_share });
        Ok(())
    }

    /// The template of the planes so far, smoothed along z. Fails below 4 planes and where z does not rise.
    pub fn finish(&self) -> Result<JointTemplate, JointTemplateError> {
        let n_planes = self.planes.len();
        if n_planes < LEAST_PLANES {
            return Err(JointTemplateError::TooFewPlanes { n_planes });
        }
        let z_nm: Vec<f64> = self.planes.iter().map(|p| p.z_nm).collect();
        if let Some(k) = (1..n_planes).find(|&k| z_nm[k].is_nan() || z_nm[k] <= z_nm[k - 1]) {
            return Err(JointTemplateError::PlanesDoNotRise { plane: k });
        }
        let reach = std::f64::consts::FRAC_1_SQRT_2 * self.size_px as f64 + REACH_PX;
        let radius_px = self.planes.iter().map(|p| p.radius_px).fold(reach, f64::min);
        let n = n_coefficients(radius_px) + 1;
        let mut values: Vec<f64> = self.planes.iter().flat_map(|p| p.coefficients[..n].to_vec()).collect();
        let mean_of = |b: usize| self.planes.iter().map(|p| p.variance[b]).sum::<f64>() / n_planes as f64;
        let mut variance: Vec<f64> = (0..n).map(mean_of).collect();
        let smoother = Smoother::new(&z_nm);
        // What a radial profile leaves of the pixels is more than noise where the bead is not radial, and that is the same
        // in every plane: then the scatter from plane to plane says how much noise there is.
        for (variance, estimate) in variance.iter_mut().zip(smoother.estimate_variance(&values, n)) {
            *variance = variance.min(estimate);
        }
        let left = smoother.smooth(&mut values, n, &variance);
        let mean_adu = values.iter().sum::<f64>() / values.len() as f64;
        let values = values.iter().map(|v| (v - mean_adu) as f32).collect();
        let of_planes = self.planes.iter().map(|p| p.noise_share).sum::<f64>() / n_planes as f64;
        // Coefficients count by the pixels of their ring.
        let rings = (0..n).map(|c| c as f64);
        let left = left.iter().zip(rings.clone()).map(|(left, pixels)| left * pixels).sum::<f64>() / rings.sum::<f64>();
        let noise_share = of_planes * left;
        let extent = Extent { radius_px, mean_adu, limit_adu: self.expected_limit(), noise_share };
        JointTemplate::new(z_nm, values, extent)
    }

    /// Expected brightness from which pixels may be clipped.
    fn expected_limit(&self) -> f64 {
        self.noise.unclipped_below(self.saturation)
    }

    fn profile<P: Pixel>(&self, frames: &[(SweepFrame<'_, P>, Pose)], before: Option<&[f64]>) -> Option<Vec<f64>> {
        self.least_squares(frames, before).map(|fitted| fitted.coefficients)
    }

    /// The spline through the pixels of all frames. Weights come from the profile `before`; without, pixels count alike.
    /// Clipped pixels count as they are: leaving out the brighter half would pull the rest, and a fit does not look where
    /// the profile comes near saturation. None without pixels.
    fn least_squares<P: Pixel>(&self, frames: &[(SweepFrame<'_, P>, Pose)], before: Option<&[f64]>) -> Option<Fitted> {
        let n = self.n;
        let mean = before.map_or(0.0, |c| c.iter().sum::<f64>() / n as f64);
        let line = self.noise.line(mean);
        let (mut rows, mut right) = (vec![[0.0; 4]; n], vec![0.0; n]);
        let (mut count, mut squares) = (0.0, 0.0);
        for (frame, pose) in frames {
            for_each_piece(frame.image, |i, j, piece| {
                for (k, p) in piece.iter().enumerate() {
                    let value = p.to_f64();
                    let radius = (i as f64 - pose.y).hypot((j + k) as f64 - pose.x);
                    let (knot, u) = place(radius);
                    if knot + 3 >= n || !value.is_finite() {
                        continue;
                    }
                    let taps = weights(u);
                    let at: [usize; 4] = std::array::from_fn(|t| tap(knot, t));
                    let weight = before.map_or(1.0, |c| {
                        let expected: f64 = (0..4).map(|t| taps[t] * c[at[t]]).sum();
                        pose.gain * pose.gain / line.at(pose.gain * expected + pose.offset)
                    });
                    let value = (value - pose.offset) / pose.gain;
                    count += 1.0;
                    squares += weight * value * value;
                    for s in 0..4 {
                        right[at[s]] += weight * taps[s] * value;
                        for t in 0..4 {
                            if at[t] >= at[s] {
                                rows[at[s]][at[t] - at[s]] += weight * taps[s] * taps[t];
                            }
                        }
                    }
                }
            });
        }
        if count <= n as f64 {
            return None;
        }
        let information: f64 = rows.iter().map(|r| r[0]).sum::<f64>() / n as f64;
        let normal = rows.clone();
        for k in 0..n - 2 {
            let bend = [1.0, -2.0, 1.0];
            for a in 0..3 {
                for b in a..3 {
                    rows[k + a][b - a] += RIDGE * information * bend[a] * bend[b];
                }
            }
        }
        let banded = Banded::factor(&rows)?;
        let mut coefficients = right.clone();
        banded.solve(&mut coefficients);
        // χ² = Σ w v² − 2 cᵀ b + cᵀ A c.
        let mut quadratic = 0.0;
        for (k, row) in normal.iter().enumerate() {
            quadratic += row[0] * coefficients[k] * coefficients[k];
            for t in 1..4.min(n - k) {
                quadratic += 2.0 * row[t] * coefficients[k] * coefficients[k + t];
            }
        }
        let cross: f64 = coefficients.iter().zip(&right).map(|(c, b)| c * b).sum();
        let scale = ((squares - 2.0 * cross + quadratic) / (count - n as f64)).max(0.0);
        Some(Fitted { coefficients, unit_variance: banded.inverse_diagonal(), scale })
    }

    /// Fits centre, gain and offset of every frame to the profile; frames that get lost go. Mean gain and offset stay 1
    /// and 0: a profile that is as bright as its frames.
    fn refine<P: Pixel>(&mut self, frames: &mut Vec<(SweepFrame<'_, P>, Pose)>, profile: &[f64]) {
        let mean = profile.iter().sum::<f64>() / profile.len() as f64;
        let values: Vec<f32> = profile.iter().map(|v| (v - mean) as f32).collect();
        let mut nodes = vec![[0.0; 4]; NodeMaker::n_nodes(values.len())];
        self.maker.fill(&values, &vec![0.0; values.len()], &mut nodes);
        let line = self.noise.line(mean);
        frames.retain_mut(|(frame, pose)| {
            for _ in 0..STEPS {
                let here = Place {
                    x_px: pose.x,
                    y_px: pose.y,
                    gain: pose.gain,
                    offset: pose.offset + pose.gain * mean,
                    slope: line.slope,
                    dark: line.offset_adu,
                    floor: line.floor,
                    saturation: self.saturation,
                    expected_limit: self.expected_limit(),
                    radius_px: nodes.len() as f64 / f64::from(super::radial_spline::NODES_PER_PX),
                };
                let sums = self.pass.run(frame.image, &nodes, &here);
                // Without z: gain and offset move up.
                const WITHOUT_Z: [usize; 4] = [0, 1, 3, 4];
                let mut matrix = [[0.0; N]; N];
                let mut right = [0.0; N];
                for (a, &from) in WITHOUT_Z.iter().enumerate() {
                    right[a] = sums.right[from];
                    for (b, &to) in WITHOUT_Z.iter().enumerate() {
                        matrix[a][b] = sums.matrix[from][to];
                    }
                }
                let Some(inverse) = inverse(&matrix, 4) else { return false };
                let step = times(&inverse, &right);
                let clamp = |v: f64| v.clamp(-LONGEST_PX, LONGEST_PX);
                pose.x += clamp(-step[0] / pose.gain);
                pose.y += clamp(-step[1] / pose.gain);
                pose.offset += step[3] - step[2] * mean;
                pose.gain += step[2];
                if pose.gain.is_nan() || pose.gain <= 0.0 {
                    return false;
                }
            }
            (pose.x - frame.x_px).hypot(pose.y - frame.y_px) <= FARTHEST_PX
        });
        let n = frames.len() as f64;
        let gain = frames.iter().map(|(_, pose)| pose.gain).sum::<f64>() / n;
        let offset = frames.iter().map(|(_, pose)| pose.offset).sum::<f64>() / n;
        for (_, pose) in frames {
            // Profile' = gain × profile + offset.
            pose.gain /= gain;
            pose.offset -= pose.gain * offset;
        }
    }
}
