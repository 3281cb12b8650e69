//! The start of a fit: the plane that correlates best with a profile, over groups of bins about a pixel wide, weighted by
//! their area. Finds a plane, nothing between planes.

use super::table::BinGeometry;

/// Planes that are correlated side by side.
const BLOCK: usize = 8;

/// All planes, grouped, without mean, of length one.
#[derive(Debug, Clone)]
pub(super) struct CoarsePlanes {
    /// Bins per group.
    group: usize,
    n_groups: usize,
    /// Area of each group, summing to 1.
    areas: Vec<f32>,
    /// `[block][group][plane of the block]`, times the area; what only fills the block never correlates.
    planes: Vec<[f32; BLOCK]>,
}

impl CoarsePlanes {
    /// From `profiles` (`[plane][bin]`, NaN where there is none).
    pub(super) fn new(profiles: &[f64], n_bins: usize, geometry: &BinGeometry) -> CoarsePlanes {
        let group = geometry.bins_per_px().clamp(1, n_bins.div_ceil(2));
        let n_groups = n_bins.div_ceil(group);
        let n_planes = profiles.len() / n_bins;
        let mut areas: Vec<f32> = (0..n_groups)
            .map(|g| (g * group..((g + 1) * group).min(n_bins)).map(|b| geometry.area(b)).sum::<f64>() as f32)
            .collect();
        let whole: f32 = areas.iter().sum();
        areas.iter_mut().for_each(|a| *a /= whole);
        let mut coarse = CoarsePlanes { group, n_groups, areas, planes: Vec::new() };
        let mut planes = vec![[0.0; BLOCK]; n_planes.div_ceil(BLOCK) * n_groups];
        let (mut grouped, there) = (vec![0.0; n_groups], vec![1.0; n_bins]);
        for k in 0..n_planes {
            let profile = &profiles[k * n_bins..(k + 1) * n_bins];
            let norm = coarse.centred_groups(profile, &there[..n_bins], &mut grouped);
            let block = &mut planes[k / BLOCK * n_groups..][..n_groups];
            for ((to, value), area) in block.iter_mut().zip(&grouped).zip(&coarse.areas) {
                to[k % BLOCK] = if norm > 0.0 { area * value / norm } else { f32::NEG_INFINITY };
            }
        }
        // A plane that is flat or missing, and what fills the last block, must lose against everything.
        for k in n_planes..n_planes.div_ceil(BLOCK) * BLOCK {
            let block = &mut planes[k / BLOCK * n_groups..][..n_groups];
            block.iter_mut().for_each(|to| to[k % BLOCK] = f32::NEG_INFINITY);
        }
        coarse.planes = planes;
        coarse
    }

    /// Numbers that [`Self::best_plane`] needs for scratch.
    pub(super) fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// Means of the groups without their common mean, into `groups`, and their norm. Bins without a number or without
    /// pixels do not count; a group without any is 0.
    #[inline(always)]
    fn centred_groups(&self, profile: &[f64], pixels: &[f64], groups: &mut [f32]) -> f32 {
        for ((to, bins), pixels) in groups.iter_mut().zip(profile.chunks(self.group)).zip(pixels.chunks(self.group)) {
            let (mut sum, mut n) = (0.0, 0.0);
            for (&v, &pixels) in bins.iter().zip(pixels) {
                if v.is_finite() && pixels > 0.0 {
                    sum += v;
                    n += 1.0;
                }
            }
            *to = (sum / n) as f32;
        }
        let (mut sum, mut area) = (0.0, 0.0);
        for (v, a) in groups.iter().zip(&self.areas).filter(|(v, _)| v.is_finite()) {
            sum += v * a;
            area += a;
        }
        let mean = sum / area;
        let mut squares = 0.0;
        for (v, a) in groups.iter_mut().zip(&self.areas) {
            *v = if v.is_finite() { *v - mean } else { 0.0 };
            squares += *v * *v * a;
        }
        squares.sqrt()
    }

    /// The first plane with the highest correlation; None for a profile that is flat or without numbers.
    #[inline(always)]
    pub(super) fn best_plane(&self, profile: &[f64], pixels: &[f64], groups: &mut [f32]) -> Option<usize> {
        let norm = self.centred_groups(profile, pixels, groups);
        if !(norm.is_finite() && norm > 0.0) {
            return None;
        }
        let mut best = (0, f32::NEG_INFINITY);
        for (block, rows) in self.planes.chunks_exact(self.n_groups).enumerate() {
            let mut products = [0.0f32; BLOCK];
            for (value, planes) in groups.iter().zip(rows) {
                for (product, plane) in products.iter_mut().zip(planes) {
                    *product += value * plane;
                }
            }
            for (lane, product) in products.into_iter().enumerate() {
                if product > best.1 {
                    best = (block * BLOCK + lane, product);
                }
            }
        }
        best.1.is_finite().then_some(best.0)
    }
}
