//! `tracker.your-lab.your-method`: clipped centre of mass, with a radial profile. The method to put yours in the place of;
//! the rest (who it is, its parameters, the memory of one thread) stays.
//!
//! Every pixel weighs |value - mean of the ROI|, or nothing when that is below `clip_sd` standard deviations, so that the
//! flat background does not pull the centre to the middle of the ROI. The profile is the mean value over rings of 1 px.

use tetherscope_plugin_api::abi::{FLAG_NO_SIGNAL, FLAG_SATURATED, PROFILE_RADIAL};
use tetherscope_plugin_api::{
    Descriptor, Error, Fix, Invalidates, ParamValues, Parameter, ProfileLayout, Result, Roi, RoiBatch, TrackRow,
    TrackRows, Tracker, TrackerWorker, WorkerConfig,
};

/// The method with its parameters. Never changes: another value is another instance.
struct YourMethod {
    clip_sd: f64,
}

/// What one thread needs: all memory is taken here, none in `track`.
struct Worker {
    clip_sd: f64,
    config: WorkerConfig,
    /// Sum and number of the pixels of each ring.
    sums: Vec<f64>,
    counts: Vec<u32>,
}

impl Tracker for YourMethod {
    type Worker = Worker;

    fn descriptor() -> Descriptor {
        Descriptor {
            id: "tracker.your-lab.your-method",
            name: "Your method",
            version: "0.1.0",
            summary: "Centre of mass of what differs from the mean of the ROI, with a radial profile.",
            source: "textbook",
            licence: "MIT OR Apache-2.0",
            capabilities: &["profile", "mono8", "mono16"],
            parameters: vec![
                Parameter::float(
                    "clip_sd",
                    "Pixels nearer to the mean than this many standard deviations do not count",
                    2.0,
                )
                .range(0.0, 10.0)
                .step(0.1)
                .invalidates(&[Invalidates::Zlut]),
            ],
            ..Descriptor::default()
        }
    }

    fn create(params: &ParamValues) -> Result<Self> {
        Ok(Self { clip_sd: params.float("clip_sd")? })
    }

    fn worker(&self, config: &WorkerConfig) -> Result<(Worker, ProfileLayout)> {
        let shorter = config.w_px.min(config.h_px) as usize;
        if shorter < 4 {
            return Err(Error::invalid("a ROI needs at least 4 x 4 px"));
        }
        let n_bins = shorter / 2;
        let worker =
            Worker { clip_sd: self.clip_sd, config: *config, sums: vec![0.0; n_bins], counts: vec![0; n_bins] };
        Ok((worker, ProfileLayout::new(PROFILE_RADIAL, n_bins, 0.5, 1.0)))
    }
}

impl TrackerWorker for Worker {
    fn track(&mut self, batch: &RoiBatch<'_>, rows: &mut TrackRows<'_>) -> Result<()> {
        for i in 0..batch.len() {
            match batch.roi(i) {
                Roi::U8(image) => self.track_one(|| image.indexed_iter().map(|(at, &v)| (at, v.into())), rows.row(i)),
                Roi::U16(image) => self.track_one(|| image.indexed_iter().map(|(at, &v)| (at, v.into())), rows.row(i)),
            }
        }
        Ok(())
    }
}

impl Worker {
    /// Tracks one ROI; `pixels` goes through it row by row and gives ((row, column), value).
    fn track_one<I: Iterator<Item = ((usize, usize), f64)>>(&mut self, pixels: impl Fn() -> I, row: TrackRow<'_>) {
        self.center_of_mass(&pixels, row.fix);
        let profile_wanted = !row.profile.is_empty() || !row.weights.is_empty();
        if profile_wanted && !row.fix.x_px.is_nan() {
            self.radial_profile(&pixels, row);
        }
    }

    /// Fills the position; leaves it NaN and sets a flag when there is nothing to see.
    fn center_of_mass<I: Iterator<Item = ((usize, usize), f64)>>(&self, pixels: &impl Fn() -> I, fix: &mut Fix) {
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for (_, v) in pixels() {
            n += 1.0;
            sum += v;
            squares += v * v;
            // False while the level is unknown (NaN).
            if v >= self.config.saturation_adu {
                fix.flags |= FLAG_SATURATED;
            }
        }
        let mean = sum / n;
        let clip = self.clip_sd * (squares / n - mean * mean).max(0.0).sqrt();
        let (mut mass, mut mass_x, mut mass_y) = (0.0, 0.0, 0.0);
        for ((y, x), v) in pixels() {
            let weight = (v - mean).abs();
            if weight >= clip {
                mass += weight;
                mass_x += weight * x as f64;
                mass_y += weight * y as f64;
            }
        }
        if mass > 0.0 {
            (fix.x_px, fix.y_px) = (mass_x / mass, mass_y / mass);
        } else {
            fix.flags |= FLAG_NO_SIGNAL;
        }
    }

    /// Mean value over rings of 1 px round the bead; NaN where a ring has no pixel.
    fn radial_profile<I: Iterator<Item = ((usize, usize), f64)>>(
        &mut self,
        pixels: &impl Fn() -> I,
        row: TrackRow<'_>,
    ) {
        self.sums.fill(0.0);
        self.counts.fill(0);
        for ((y, x), v) in pixels() {
            let (dx, dy) = (x as f64 - row.fix.x_px, y as f64 - row.fix.y_px);
            let ring = (dx * dx + dy * dy).sqrt() as usize;
            if ring < self.sums.len() {
                self.sums[ring] += v;
                self.counts[ring] += 1;
            }
        }
        for (bin, (&sum, &n)) in row.profile.iter_mut().zip(self.sums.iter().zip(&self.counts)) {
            *bin = if n > 0 { sum / f64::from(n) } else { f64::NAN };
        }
        for (weight, &n) in row.weights.iter_mut().zip(&self.counts) {
            *weight = n as f32;
        }
    }
}

tetherscope_plugin_api::export_plugin! { tracker: YourMethod }

#[cfg(test)]
mod tests {
    use super::*;
    use tetherscope_plugin_api::RoisInImage;

    const SIDE_PX: usize = 40;
    /// How far a centre of mass may be off: only some tens of pixels pass the clip, so their grid shows.
    const TOLERANCE_PX: f64 = 0.3;

    /// An image of 8 bits with a simulated bead in each ROI, one below the other; None is an empty ROI.
    fn simulated(centres: &[Option<(f64, f64)>]) -> Vec<u8> {
        let bead = |x: usize, y: usize, (x0, y0): (f64, f64)| {
            let r = (x as f64 - x0).hypot(y as f64 - y0) / 1.5;
            (60.0 + 120.0 * (-r * r / 8.0).exp() * r.cos()).round() as u8
        };
        let row = |i: usize| (0..SIDE_PX * SIDE_PX).map(move |p| (p % SIDE_PX, p / SIDE_PX, centres[i]));
        (0..centres.len()).flat_map(row).map(|(x, y, c)| c.map_or(60, |c| bead(x, y, c))).collect()
    }

    #[test]
    fn simulated_beads_are_found_and_an_empty_roi_is_flagged() {
        let centres = [Some((19.5, 19.5)), Some((20.25, 18.75)), None, Some((18.5, 20.1))];
        let image = simulated(&centres);
        let corners: Vec<(usize, usize)> = (0..centres.len()).map(|i| (0, i * SIDE_PX)).collect();
        let side = SIDE_PX as u32;
        let rois = RoisInImage::u8(&image, SIDE_PX, (side, side), &corners);

        let method = YourMethod::create(&ParamValues::defaults(&YourMethod::descriptor().parameters)).unwrap();
        let (mut worker, layout) = method.worker(&WorkerConfig::mono8(side, side, 4)).unwrap();
        let n_bins = layout.n_bins as usize;
        let mut fixes = vec![Fix::EMPTY; centres.len()];
        let (mut profiles, mut weights) = (vec![f64::NAN; 4 * n_bins], vec![0.0; 4 * n_bins]);
        let mut rows = TrackRows::new(&mut fixes, &mut profiles, &mut weights, n_bins);
        worker.track(&rois.batch(), &mut rows).unwrap();

        for (i, (fix, centre)) in fixes.iter().zip(centres).enumerate() {
            match centre {
                Some((x, y)) => {
                    let off = (fix.x_px - x).hypot(fix.y_px - y);
                    assert!(off < TOLERANCE_PX && fix.flags == 0, "bead {i} is {off} px off, flags {}", fix.flags);
                    assert!(profiles[i * n_bins] > 120.0 && weights[i * n_bins + 5] > 20.0, "bead {i}");
                }
                None => assert!(fix.x_px.is_nan() && fix.flags == FLAG_NO_SIGNAL, "ROI {i}: {fix:?}"),
            }
        }
    }
}
