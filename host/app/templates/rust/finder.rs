//! `finder.your-lab.your-method`: beads are spots that differ from the background, whether brighter or darker. The method to
//! put yours in the place of; it needs even illumination.
//!
//! |value - median of the frame| is averaged over a square of the bead's size. Maxima that stand out from the noise (told by
//! the differences of neighbouring pixels, so that a crowded frame does not hide its beads) and from the strongest one are
//! taken, the strongest first; those within a diameter of a stronger one are dropped. The centre of mass of what deviates
//! then gives the position.

use std::ops::Range;
use tetherscope_plugin_api::abi::{FLAG_AT_BORDER, Rect};
use tetherscope_plugin_api::{BeadFinder, Descriptor, Error, FindJob, Hit, ParamValues, Parameter, Result, Roi};

/// Standard deviation of normal noise per median absolute difference of two pixels.
const SD_PER_DIFFERENCE: f64 = 1.0484;
/// Mean absolute deviation of normal noise per standard deviation.
const DEVIATION_OF_NOISE: f64 = 0.7979;
/// Noise that every image has by its whole numbers, in ADU.
const ROUNDING: f64 = 0.29;

struct YourMethod {
    diameter_px: usize,
    threshold_sd: f64,
    least_of_best: f64,
}

/// A grey image of numbers, row by row.
struct Grey {
    w: usize,
    h: usize,
    at: Vec<f64>,
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    *sorted.select_nth_unstable_by(values.len() / 2, f64::total_cmp).1
}

/// The places at most `half` from `at`, cut at the edges.
fn window(at: usize, half: usize, size: usize) -> Range<usize> {
    at.saturating_sub(half)..(at + half + 1).min(size)
}

fn go_on(job: &impl Fn() -> bool) -> Result<()> {
    if job() { Err(Error::cancelled()) } else { Ok(()) }
}

impl Grey {
    /// The standard deviation of the noise, from the differences of neighbours in a row.
    fn noise(&self) -> f64 {
        let rows = self.at.chunks_exact(self.w);
        let differences: Vec<f64> = rows.flat_map(|r| r.windows(2)).map(|p| (p[1] - p[0]).abs()).collect();
        if differences.is_empty() { ROUNDING } else { (SD_PER_DIFFERENCE * median(&differences)).max(ROUNDING) }
    }

    /// The mean over squares, cut at the edges: sums of rows and columns of all before.
    fn box_mean(&self, half: usize, cancelled: &impl Fn() -> bool) -> Result<Grey> {
        let (w, h, n) = (self.w, self.h, self.w + 1);
        let mut sums = vec![0.0; n * (h + 1)];
        for y in 0..h {
            let mut row = 0.0;
            for x in 0..w {
                row += self.at[y * w + x];
                sums[(y + 1) * n + x + 1] = sums[y * n + x + 1] + row;
            }
        }
        let mut at = vec![0.0; w * h];
        for y in 0..h {
            go_on(cancelled)?;
            let rows = window(y, half, h);
            for x in 0..w {
                let columns = window(x, half, w);
                let (top, bottom) = (rows.start * n, rows.end * n);
                let sum = sums[bottom + columns.end] - sums[top + columns.end] - sums[bottom + columns.start]
                    + sums[top + columns.start];
                at[y * w + x] = sum / (rows.len() * columns.len()) as f64;
            }
        }
        Ok(Grey { w, h, at })
    }

    /// True if no neighbour is larger.
    fn is_maximum(&self, x: usize, y: usize) -> bool {
        let here = self.at[y * self.w + x];
        window(y, 1, self.h).all(|v| window(x, 1, self.w).all(|u| self.at[v * self.w + u] <= here))
    }

    /// The hit at the centre of mass of its window; flagged where the window is cut.
    fn centred(&self, hit: Hit, half: usize) -> Hit {
        let (x0, y0) = (hit.x_px as usize, hit.y_px as usize);
        let (mut mass, mut mass_x, mut mass_y) = (0.0, 0.0, 0.0);
        for y in window(y0, half, self.h) {
            for x in window(x0, half, self.w) {
                let v = self.at[y * self.w + x];
                (mass, mass_x, mass_y) = (mass + v, mass_x + v * x as f64, mass_y + v * y as f64);
            }
        }
        let cut = x0 < half || y0 < half || x0 + half >= self.w || y0 + half >= self.h;
        let flags = if cut { FLAG_AT_BORDER } else { 0 };
        if mass > 0.0 { Hit { x_px: mass_x / mass, y_px: mass_y / mass, flags, ..hit } } else { Hit { flags, ..hit } }
    }
}

impl BeadFinder for YourMethod {
    fn descriptor() -> Descriptor {
        Descriptor {
            id: "finder.your-lab.your-method",
            name: "Your method",
            version: "0.1.0",
            summary: "Spots that differ from an even background, the strongest first.",
            source: "textbook",
            licence: "MIT OR Apache-2.0",
            capabilities: &["mono8", "mono16"],
            parameters: vec![
                Parameter::int("diameter_px", "Size of a bead with its rings; a seed's size is taken instead", 24)
                    .unit("px")
                    .range(3.0, 512.0),
                Parameter::float(
                    "threshold_sd",
                    "How far a bead deviates more than noise does, in standard deviations of the noise",
                    1.0,
                )
                .range(0.1, 1000.0),
                Parameter::float("least_of_best", "How strong a bead is at least, as a part of the strongest", 0.5)
                    .range(0.0, 1.0),
            ],
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        Ok(Self {
            diameter_px: params.int("diameter_px")? as usize,
            threshold_sd: params.float("threshold_sd")?,
            least_of_best: params.float("least_of_best")?,
        })
    }

    fn find(&self, image: &Roi<'_>, seed: Option<Rect>, job: &FindJob) -> Result<Vec<Hit>> {
        let diameter = seed.map_or(self.diameter_px, |s| s.w_px.min(s.h_px).max(3) as usize);
        let grey = match image {
            Roi::U8(i) => Grey { w: i.ncols(), h: i.nrows(), at: i.iter().map(|&v| v.into()).collect() },
            Roi::U16(i) => Grey { w: i.ncols(), h: i.nrows(), at: i.iter().map(|&v| v.into()).collect() },
        };
        self.search(grey, diameter, |fraction| job.progress(fraction), || job.cancelled())
    }
}

impl YourMethod {
    fn search(
        &self,
        grey: Grey,
        diameter: usize,
        progress: impl Fn(f64),
        cancelled: impl Fn() -> bool,
    ) -> Result<Vec<Hit>> {
        if grey.at.is_empty() {
            return Ok(Vec::new());
        }
        let noise = grey.noise();
        let background = median(&grey.at);
        let deviation = Grey { at: grey.at.iter().map(|v| (v - background).abs()).collect(), ..grey };
        progress(0.2);
        let mut score = deviation.box_mean(diameter / 2, &cancelled)?;
        score.at.iter_mut().for_each(|v| *v = *v / noise - DEVIATION_OF_NOISE);
        progress(0.5);
        let candidates = self.candidates(&score, &cancelled)?;
        progress(0.8);
        let mut strongest: Vec<Hit> = Vec::new();
        for hit in candidates {
            go_on(&cancelled)?;
            if strongest.iter().all(|s| (s.x_px - hit.x_px).hypot(s.y_px - hit.y_px) >= diameter as f64) {
                strongest.push(hit);
            }
        }
        Ok(strongest.into_iter().map(|hit| deviation.centred(hit, diameter / 2)).collect())
    }

    /// Maxima among their neighbours that stand out, the strongest first. The score says how far the deviation round a
    /// pixel is above that of noise alone, in standard deviations of the noise.
    fn candidates(&self, score: &Grey, cancelled: &impl Fn() -> bool) -> Result<Vec<Hit>> {
        let best = score.at.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let threshold = self.threshold_sd.max(self.least_of_best * best);
        let mut hits = Vec::new();
        for y in 0..score.h {
            go_on(cancelled)?;
            for x in 0..score.w {
                let here = score.at[y * score.w + x];
                if here >= threshold && score.is_maximum(x, y) {
                    hits.push(Hit { x_px: x as f64, y_px: y as f64, score: here, flags: 0, reserved: 0 });
                }
            }
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(hits)
    }
}

tetherscope_plugin_api::export_plugin! { finder: YourMethod }

#[cfg(test)]
mod tests {
    use super::*;

    const CENTRES: [(f64, f64); 4] = [(40.0, 30.0), (150.4, 40.2), (60.0, 110.0), (160.0, 120.0)];
    const TOLERANCE_PX: f64 = 1.5;

    /// A frame of 200 × 150 px with simulated beads at these places and noise of a fixed seed.
    fn simulated(centres: &[(f64, f64)]) -> Grey {
        let (w, h) = (200, 150);
        let mut state = 1_u32;
        let at = (0..w * h).map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from((state >> 24) % 7) - 3.0;
            let bead = |&(x0, y0): &(f64, f64)| {
                let r = ((i % w) as f64 - x0).hypot((i / w) as f64 - y0) / 1.5;
                120.0 * (-r * r / 8.0).exp() * r.cos()
            };
            (60.0 + noise + centres.iter().map(bead).sum::<f64>()).round()
        });
        Grey { w, h, at: at.collect() }
    }

    fn find(frame: Grey) -> Vec<Hit> {
        let finder = YourMethod::create(&ParamValues::defaults(&YourMethod::descriptor().parameters)).unwrap();
        finder.search(frame, finder.diameter_px, |_| {}, || false).unwrap()
    }

    #[test]
    fn simulated_beads_are_found_the_surest_first_and_nothing_else() {
        let hits = find(simulated(&CENTRES));
        assert_eq!(hits.len(), CENTRES.len(), "{hits:?}");
        for (x, y) in CENTRES {
            let near = hits.iter().filter(|h| (h.x_px - x).hypot(h.y_px - y) < TOLERANCE_PX).count();
            assert_eq!(near, 1, "the bead at ({x}, {y}) in {hits:?}");
        }
        assert!(hits.is_sorted_by(|a, b| a.score >= b.score));
    }

    #[test]
    fn an_empty_field_gives_nothing() {
        assert!(find(simulated(&[])).is_empty());
    }

    #[test]
    fn a_search_that_was_given_up_ends_as_cancelled() {
        let finder = YourMethod { diameter_px: 24, threshold_sd: 1.0, least_of_best: 0.5 };
        assert_eq!(finder.search(simulated(&CENTRES), 24, |_| {}, || true).err(), Some(Error::cancelled()));
    }
}
