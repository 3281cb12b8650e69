//! What a bead looks like at every z: radial splines at the planes of a sweep, and splines in z through them. Immutable,
//! shared by all fits, and written to bytes that read back to the same template.

use std::fmt;

use super::radial_spline::{KNOT_PX, Node, NodeMaker, n_coefficients};
use crate::spline_z::cubic::{Hermite, interval_of, not_a_knot_slopes};
use crate::spline_z::plane_spacing::{PlaneSpacing, Planes};

/// Fewest planes of a spline in z.
pub(super) const LEAST_PLANES: usize = 4;

const MAGIC: [u8; 4] = *b"TSJT";
/// The first version did not say how noisy the template is.
const VERSION: u32 = 2;
/// Magic, version, planes, coefficients, knots, radius, mean, limit; then, from version 2 on, the noise.
const HEADER_BYTES: usize = 4 + 3 * 4 + 4 * 8;
const NOISE_BYTES: usize = 8;

/// Most coefficients and planes that bytes may announce.
const MOST_COEFFICIENTS: usize = 8192;
const MOST_PLANES: usize = 1_000_000;

/// Why there is no template.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum JointTemplateError {
    /// Fewer planes than a spline needs (4).
    TooFewPlanes {
        /// Number of planes.
        n_planes: usize,
    },
    /// Focus positions are not finite or do not rise.
    PlanesDoNotRise {
        /// The first plane at fault.
        plane: usize,
    },
    /// No frame of a plane shows a bead that a profile could be made of.
    EmptyPlane {
        /// Focus position of the plane.
        z_nm: f64,
    },
    /// The bytes are not a template, or one that was cut or altered.
    BadBytes {
        /// What does not fit.
        why: &'static str,
    },
}

impl fmt::Display for JointTemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewPlanes { n_planes } => {
                write!(f, "the sweep has {n_planes} planes\na spline in z needs 4 or more\nrecord more focus positions")
            }
            Self::PlanesDoNotRise { plane } => write!(
                f,
                "z of plane {plane} is no number above the one before\nz must rise from plane to plane\nrecord the Z-LUT \
                 again, or load another file"
            ),
            Self::EmptyPlane { z_nm } => write!(
                f,
                "no template can be made of the plane at {z_nm} nm\nits frames show no bead, or are saturated\nleave the \
                 plane out, or record the sweep again with the bead centred in its ROI"
            ),
            Self::BadBytes { why } => write!(
                f,
                "the template in this Z-LUT cannot be read: {why}\nthe file was cut or altered, or made by a newer \
                 version\nbuild the Z-LUT again from its sweep"
            ),
        }
    }
}

impl std::error::Error for JointTemplateError {}

/// The look of one bead, pixel values of the sweep over radius and z.
#[derive(Debug, Clone, PartialEq)]
pub struct JointTemplate {
    z_nm: Vec<f64>,
    n: usize,
    /// `[plane][coefficient]`, counted from the mean, and their slopes per nm.
    values: Vec<f32>,
    slopes: Vec<f32>,
    extent: Extent,
    spacing: PlaneSpacing,
}

/// How far a template can be believed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Extent {
    /// Pixels farther from the centre do not count: the sweep did not show them.
    pub radius_px: f64,
    /// The brightness from which values are counted.
    pub mean_adu: f64,
    /// Brighter pixels do not count: the sweep showed them clipped. Infinite without.
    pub limit_adu: f64,
    /// Variance of what a template says, over that of a frame of its sweep: one over the frames of a plane, less what
    /// smoothing took away. 0 where it is not known.
    pub noise_share: f64,
}

impl JointTemplate {
    /// From coefficients per plane (`[plane][coefficient]`, counted from the mean).
    ///
    /// The radius ends where the nodes do: beyond the last one a pixel would read that again.
    pub(super) fn new(z_nm: Vec<f64>, values: Vec<f32>, extent: Extent) -> Result<JointTemplate, JointTemplateError> {
        let n_planes = z_nm.len();
        if n_planes < LEAST_PLANES {
            return Err(JointTemplateError::TooFewPlanes { n_planes });
        }
        let rises = |k: usize| z_nm[k].is_finite() && (k == 0 || z_nm[k] > z_nm[k - 1]);
        if let Some(plane) = (0..n_planes).find(|&k| !rises(k)) {
            return Err(JointTemplateError::PlanesDoNotRise { plane });
        }
        let n = values.len() / n_planes;
        let mut slopes = vec![0.0; values.len()];
        let mut column_slopes = vec![0.0; n_planes];
        for c in 0..n {
            let column: Vec<f64> = (0..n_planes).map(|k| f64::from(values[k * n + c])).collect();
            not_a_knot_slopes(&z_nm, &column, &mut column_slopes);
            (0..n_planes).for_each(|k| slopes[k * n + c] = column_slopes[k]);
        }
        let mean_adu = extent.mean_adu;
        let spacing = PlaneSpacing::new(&Planes {
            z_nm: &z_nm,
            values: &values.iter().map(|&v| mean_adu + f64::from(v)).collect::<Vec<f64>>(),
            slopes: &slopes,
            stride: n,
            areas: &(0..n).map(|c| ring_area(c, extent.radius_px)).collect::<Vec<f64>>(),
            mean_adu,
        });
        let slopes = slopes.iter().map(|&v| v as f32).collect();
        let reach = NodeMaker::reach_px(n);
        let extent = Extent { radius_px: extent.radius_px.min(reach), ..extent };
        Ok(JointTemplate { z_nm, n, values, slopes, extent, spacing })
    }

    /// What the template errs by between the planes about `z_nm`, rms.
    pub(crate) fn spacing_error_nm(&self, z_nm: f64) -> f64 {
        self.spacing.error_nm(interval_of(&self.z_nm, z_nm))
    }

    /// Focus position of each plane.
    pub fn z_nm(&self) -> &[f64] {
        &self.z_nm
    }

    /// Pixels farther from the centre than this do not count: the sweep did not show them.
    pub fn radius_px(&self) -> f64 {
        self.extent.radius_px
    }

    /// The brightness from which values are counted, ADU.
    pub(super) fn mean_adu(&self) -> f64 {
        self.extent.mean_adu
    }

    /// The brightness, in ADU of the sweep, above which it was clipped.
    pub(super) fn limit_adu(&self) -> f64 {
        self.extent.limit_adu
    }

    /// Variance of z from the noise of the template, over that from the noise of an image like those of its sweep.
    pub(super) fn noise_share(&self) -> f64 {
        self.extent.noise_share
    }

    pub(super) fn n_coefficients(&self) -> usize {
        self.n
    }

    /// The template at `z_nm`: coefficients and their slopes along z into `values` and `slopes`, then all nodes.
    #[inline(always)]
    pub(super) fn nodes_at(
        &self,
        z_nm: f64,
        maker: &NodeMaker,
        values: &mut [f32],
        slopes: &mut [f32],
        nodes: &mut [Node],
    ) {
        let k = interval_of(&self.z_nm, z_nm);
        let hermite = Hermite::at(self.z_nm[k], self.z_nm[k + 1], z_nm);
        let (f, g) = (hermite.value.map(|v| v as f32), hermite.slope.map(|v| v as f32));
        let row = |of: &'_ [f32], k: usize| -> std::ops::Range<usize> { k * self.n..((k + 1) * self.n).min(of.len()) };
        let (a, b) = (&self.values[row(&self.values, k)], &self.slopes[row(&self.slopes, k)]);
        let (c, d) = (&self.values[row(&self.values, k + 1)], &self.slopes[row(&self.slopes, k + 1)]);
        let ends = a.iter().zip(b).zip(c.iter().zip(d));
        for ((value, slope), ((a, b), (c, d))) in values.iter_mut().zip(slopes.iter_mut()).zip(ends) {
            *value = (f[0] * a + f[1] * b) + (f[2] * c + f[3] * d);
            // Differences first: a slope is a small difference of large numbers.
            *slope = g[2] * (c - a) + (g[1] * b + g[3] * d);
        }
        maker.fill(values, slopes, nodes);
    }

    /// The template's value at a radius and a z, ADU; NaN beyond its radius. For people, not for the fit: off the live
    /// path, it allocates.
    pub fn value_at(&self, radius_px: f64, z_nm: f64) -> f64 {
        if !(0.0..=self.extent.radius_px).contains(&radius_px) {
            return f64::NAN;
        }
        let k = interval_of(&self.z_nm, z_nm);
        let hermite = Hermite::at(self.z_nm[k], self.z_nm[k + 1], z_nm);
        let (knot, u) = super::radial_spline::place(radius_px);
        let weights = super::radial_spline::weights(u);
        let at = |of: &[f32], k: usize, c: usize| f64::from(of[k * self.n + c]);
        let coefficient = |c: usize| {
            hermite
                .apply([
                    at(&self.values, k, c),
                    at(&self.slopes, k, c),
                    at(&self.values, k + 1, c),
                    at(&self.slopes, k + 1, c),
                ])
                .0
        };
        let sum: f64 = (0..4).map(|t| weights[t] * coefficient(super::radial_spline::tap(knot, t))).sum();
        self.extent.mean_adu + sum
    }

    /// The template as bytes, little-endian, without the focus positions.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + NOISE_BYTES + 4 * self.values.len());
        bytes.extend(MAGIC);
        for number in [VERSION, self.z_nm.len() as u32, self.n as u32] {
            bytes.extend(number.to_le_bytes());
        }
        let Extent { radius_px, mean_adu, limit_adu, noise_share } = self.extent;
        for number in [KNOT_PX, radius_px, mean_adu, limit_adu, noise_share] {
            bytes.extend(number.to_le_bytes());
        }
        self.values.iter().for_each(|v| bytes.extend(v.to_le_bytes()));
        bytes
    }

    /// The template of [`Self::to_bytes`], with the focus positions of its planes. Fails for anything else.
    pub fn from_bytes(z_nm: &[f64], bytes: &[u8]) -> Result<JointTemplate, JointTemplateError> {
        let bad = |why| JointTemplateError::BadBytes { why };
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(bad("it is empty"))?;
        if *magic != MAGIC {
            return Err(bad("it does not begin with TSJT"));
        }
        let header: &[u8; HEADER_BYTES - 4] = rest.first_chunk().ok_or(bad("it ends early"))?;
        let word = |k: usize| u32::from_le_bytes(std::array::from_fn(|i| header[4 * k + i]));
        let number = |k: usize| f64::from_le_bytes(std::array::from_fn(|i| header[12 + 8 * k + i]));
        if !(1..=VERSION).contains(&word(0)) {
            return Err(bad("its version is another"));
        }
        let (n_planes, n) = (word(1) as usize, word(2) as usize);
        if n_planes != z_nm.len() || n_planes > MOST_PLANES {
            return Err(bad("it has another number of planes"));
        }
        let (knot_px, radius_px, mean_adu, limit_adu) = (number(0), number(1), number(2), number(3));
        if knot_px != KNOT_PX || !mean_adu.is_finite() || limit_adu.is_nan() {
            return Err(bad("its header makes no sense"));
        }
        let fits = radius_px.is_finite() && radius_px > 0.0 && n <= MOST_COEFFICIENTS;
        if !fits || n < 4 || n_coefficients(radius_px) > n {
            return Err(bad("its header makes no sense"));
        }
        let body = &rest[HEADER_BYTES - 4..];
        let (noise_share, body) = match (word(0), body.split_first_chunk::<NOISE_BYTES>()) {
            (1, _) => (0.0, body),
            (_, Some((share, body))) => (f64::from_le_bytes(*share), body),
            (_, None) => return Err(bad("it ends early")),
        };
        if !(0.0..=1.0).contains(&noise_share) {
            return Err(bad("its header makes no sense"));
        }
        if body.len() != 4 * n * n_planes {
            return Err(bad("its length does not fit"));
        }
        let values: Vec<f32> = body.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        if values.iter().any(|v| !v.is_finite()) {
            return Err(bad("a number is not finite"));
        }
        JointTemplate::new(z_nm.to_vec(), values, Extent { radius_px, mean_adu, limit_adu, noise_share })
    }
}

/// Pixels that coefficient `c` stands for; none beyond the radius.
fn ring_area(c: usize, radius_px: f64) -> f64 {
    let radius = c as f64 * KNOT_PX;
    let inner = (radius - KNOT_PX / 2.0).max(0.0);
    if radius > radius_px { 0.0 } else { std::f64::consts::PI * ((radius + KNOT_PX / 2.0).powi(2) - inner.powi(2)) }
}
