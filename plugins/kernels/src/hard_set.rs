//! Standard errors and flags that can be trusted: reduced χ² of both chains on simulated beads, with perfect and with
//! recorded Z-LUTs, and a set of hard pictures (small ROI, neighbours, saturation, dust) on which errors must not be silent.
//! Flags are set as the plugins set them.

use crate::isa::Isa;
use crate::joint::{JointBuilder, JointFit, JointLookup, JointOptions, JointOutcome, JointTemplate, SweepFrame};
use crate::noise_model::NoiseModel;
use crate::quadrant::{QuadrantFit, QuadrantOptions};
use crate::quadrant_chain::QuadrantChain;
use crate::spline_z::{
    BinGeometry, SplineFit, SplineLookup, SplineOptions, SplineOutcome, SplineTable, mean_and_variance,
};
use crate::test_beads::Beads;
use ndarray::Array2;

fn camera(electrons: f64) -> NoiseModel {
    NoiseModel { gain_e_per_adu: electrons / 255.0, offset_adu: 0.0, read_noise_e: 0.0 }
}

/// Both chains for images of one size, and what they look up in.
struct Chains {
    size_px: usize,
    tracker: QuadrantChain,
    spline: SplineLookup,
    joint: JointLookup,
    profile: Vec<f64>,
    weights: Vec<f32>,
    tables: Option<(SplineTable, JointTemplate)>,
}

/// What both chains said of one image.
struct Said {
    center: QuadrantFit,
    spline: SplineFit,
    joint: JointFit,
    saturated: bool,
}

/// A sweep: range and step in nm, frames a plane, electrons of the camera or none for a perfect one.
struct Sweep {
    from_nm: f64,
    to_nm: f64,
    step_nm: f64,
    n_frames: usize,
    electrons: Option<f64>,
}

impl Chains {
    fn new(size_px: usize, electrons: f64) -> Chains {
        let noise = camera(electrons);
        let quadrant = QuadrantOptions { noise, saturation: 255.0, ..QuadrantOptions::default() };
        let tracker = QuadrantChain::new(size_px, 1.0, &quadrant).unwrap();
        let n_bins = tracker.n_bins();
        let joint = JointOptions { noise, saturation: 255.0, ..JointOptions::default() };
        Chains {
            size_px,
            tracker,
            spline: SplineLookup::new(n_bins, noise, SplineOptions::default()).unwrap(),
            joint: JointLookup::new(size_px, n_bins, &joint).unwrap(),
            profile: vec![0.0; n_bins],
            weights: vec![0.0; n_bins],
            tables: None,
        }
    }

    fn middle(&self) -> f64 {
        (self.size_px - 1) as f64 / 2.0
    }

    fn track<P: crate::Pixel>(&mut self, image: &Array2<P>) -> QuadrantFit {
        let center = self.tracker.find_center(image.view());
        self.tracker.make_profile(image.view(), center.x_px, center.y_px, &mut self.profile, &mut self.weights);
        center
    }

    /// Makes both tables of one sweep, the bead within 2.5 px of the middle.
    fn record(&mut self, beads: &mut Beads, sweep: &Sweep) {
        let noise = camera(sweep.electrons.unwrap_or(1e4));
        let mut builder = JointBuilder::new(self.size_px, noise, 255.0, Isa::detect()).unwrap();
        let (mut z_nm, mut profiles, mut variance) = (Vec::new(), Vec::new(), Vec::new());
        for k in 0..=((sweep.to_nm - sweep.from_nm) / sweep.step_nm) as usize {
            let z = sweep.from_nm + sweep.step_nm * k as f64;
            let (mut images, mut seen) = (Vec::new(), Vec::new());
            for _ in 0..sweep.n_frames {
                let (x, y) = (self.middle() + 2.5 * beads.random(), self.middle() + 2.5 * beads.random());
                let clean = beads.clean(x, y, z);
                let image = match sweep.electrons {
                    Some(electrons) => beads.exposed(&clean, electrons).mapv(f32::from),
                    None => clean.mapv(|v| (255.0 * v) as f32),
                };
                let center = self.track(&image);
                assert!((center.x_px - x).hypot(center.y_px - y) < 0.1, "lost in the sweep at {z} nm: {center:?}");
                seen.push((self.profile.clone(), self.weights.clone()));
                images.push((image, center));
            }
            for b in 0..self.profile.len() {
                let (mean, of_mean) = mean_and_variance(seen.iter().map(|(p, w)| (p[b], f64::from(w[b]))));
                profiles.push(mean);
                variance.push(of_mean);
            }
            let frames: Vec<SweepFrame<'_, f32>> = (images.iter())
                .map(|(image, c)| SweepFrame { image: image.view(), x_px: c.x_px, y_px: c.y_px })
                .collect();
            builder.add_plane(z, &frames).unwrap();
            z_nm.push(z);
        }
        let geometry = BinGeometry::Radial { first_radius_px: 0.0, step_px: 0.25 };
        let splines = SplineTable::new(&z_nm, &profiles, &variance, &geometry).unwrap();
        self.tables = Some((splines, builder.finish().unwrap()));
    }

    fn look(&mut self, image: &Array2<u8>) -> Said {
        let center = self.track(image);
        let (splines, template) = self.tables.as_ref().expect("recorded");
        let spline = self.spline.execute(splines, &self.profile, &self.weights).unwrap();
        let at = (center.x_px, center.y_px);
        let joint = if at.0.is_finite() && at.1.is_finite() {
            self.joint.execute(image.view(), splines, template, at, &self.profile, &self.weights).unwrap()
        } else {
            JointFit::none(JointOutcome::NotFinite)
        };
        Said { center, spline, joint, saturated: crate::is_saturated(image.view(), 255.0) }
    }
}

/// Mean reduced χ² and rms of z's error over its standard error, of the spline and of the joint fit.
fn calibration(size_px: usize, bands: &[f64], electrons: f64, sweep: &Sweep, seed: u64) -> [(f64, f64); 2] {
    const N: usize = 24;
    let mut beads = Beads::new(size_px, seed);
    let mut chains = Chains::new(size_px, electrons);
    chains.record(&mut beads, sweep);
    let mut sums = [(0.0, 0.0); 2];
    for &band in bands {
        for _ in 0..N {
            let (x, y) = (chains.middle() + 2.5 * beads.random(), chains.middle() + 2.5 * beads.random());
            let z = band + 100.0 * beads.random();
            let clean = beads.clean(x, y, z);
            let said = chains.look(&beads.exposed(&clean, electrons));
            assert_eq!((said.spline.outcome, said.joint.outcome), (SplineOutcome::Found, JointOutcome::Found));
            let n = (N * bands.len()) as f64;
            sums[0].0 += said.spline.chi2 / n;
            sums[0].1 += ((said.spline.z_nm - z) / said.spline.sigma_z_nm).powi(2) / n;
            sums[1].0 += said.joint.chi2 / n;
            sums[1].1 += ((said.joint.z_nm - z) / said.joint.sigma_z_nm).powi(2) / n;
        }
    }
    sums.map(|(chi2, squares)| (chi2, squares.sqrt()))
}

#[test]
fn reduced_chi2_is_one_and_sigma_z_right_for_both_chains_with_perfect_and_recorded_tables() {
    let bands = [-4000.0, -2000.0, 0.0, 2000.0, 4000.0];
    for (size_px, electrons, table) in
        [(64, 1e3, Some(1e3)), (64, 1e4, None), (64, 1e4, Some(1e4)), (100, 1e4, Some(1e4))]
    {
        let sweep = Sweep {
            from_nm: -4500.0,
            to_nm: 4500.0,
            step_nm: 100.0,
            n_frames: if table.is_some() { 10 } else { 3 },
            electrons: table,
        };
        let found = calibration(size_px, &bands, electrons, &sweep, 31);
        println!("{size_px} px, {electrons} e-, table {table:?}: (χ², pull of z) spline, joint {found:.3?}");
        for (chain, (chi2, pull)) in ["spline", "joint"].into_iter().zip(found) {
            assert!((0.9..1.1).contains(&chi2), "{chain}, {size_px} px, {electrons} e-, table {table:?}: χ² {chi2}");
            // 120 beads: their rms is known to 6.5 %.
            assert!((0.8..1.25).contains(&pull), "{chain}, {size_px} px, {electrons} e-, table {table:?}: pull {pull}");
        }
    }
}

/// Z's error in a band of focus, rms, over its standard error and in nm.
#[derive(Debug, Clone, Copy, Default)]
struct Pull {
    pull: f64,
    error_nm: f64,
}

/// Errors in bands of 600 nm over the whole range of focus, of the spline and of the joint fit. Bands of a few hundred
/// nanometres about round numbers, as above, would miss where a bead changes quickest.
fn over_focus(electrons: f64, sweep: &Sweep, seed: u64) -> [Vec<Pull>; 2] {
    const N: usize = 420;
    const N_BANDS: usize = 14;
    let mut beads = Beads::new(64, seed);
    let mut chains = Chains::new(64, electrons);
    chains.record(&mut beads, sweep);
    let mut bands = [vec![Pull::default(); N_BANDS], vec![Pull::default(); N_BANDS]];
    for k in 0..N {
        let (x, y) = (chains.middle() + 2.5 * beads.random(), chains.middle() + 2.5 * beads.random());
        let z = -4200.0 + 8400.0 * (k as f64 + 0.5) / N as f64;
        let clean = beads.clean(x, y, z);
        let Said { spline, joint, .. } = chains.look(&beads.exposed(&clean, electrons));
        let found = [(spline.z_nm, spline.sigma_z_nm), (joint.z_nm, joint.sigma_z_nm)];
        for (bands, (z_nm, sigma_nm)) in bands.iter_mut().zip(found) {
            let band = &mut bands[k * N_BANDS / N];
            let n = (N / N_BANDS) as f64;
            band.pull += ((z_nm - z) / sigma_nm).powi(2) / n;
            band.error_nm += (z_nm - z).powi(2) / n;
        }
    }
    bands.map(|of| of.into_iter().map(|b| Pull { pull: b.pull.sqrt(), error_nm: b.error_nm.sqrt() }).collect())
}

#[test]
fn sigma_z_is_right_over_the_whole_range_of_focus_also_where_planes_hardly_resolve_a_bead() {
    // Without what splines miss between planes, 100 nm apart, the worst bands were at 3.7 and 6.
    for (electrons, n_frames, step_nm) in
        [(1e3, 10, 100.0), (1e4, 10, 100.0), (1e5, 10, 100.0), (1e4, 1, 100.0), (1e4, 10, 50.0), (1e5, 10, 50.0)]
    {
        let sweep = Sweep { from_nm: -4500.0, to_nm: 4500.0, step_nm, n_frames, electrons: Some(electrons) };
        for (bands, name) in over_focus(electrons, &sweep, 31).iter().zip(["spline", "joint"]) {
            let pulls: Vec<f64> = bands.iter().map(|band| band.pull).collect();
            let errors_nm: Vec<f64> = bands.iter().map(|band| band.error_nm).collect();
            let worst = pulls.iter().copied().fold(0.0, f64::max);
            let all = (pulls.iter().map(|p| p * p).sum::<f64>() / pulls.len() as f64).sqrt();
            println!(
                "{electrons} e-, planes {step_nm} nm apart of {n_frames} frames, {name}: pull {all:.2}, by band {pulls:.2?}; rms, nm {errors_nm:.2?}"
            );
            assert!((0.7..1.2).contains(&all), "{name}, {electrons} e-, {n_frames} frames: pull {all}");
            // Of a single frame a plane, all beads of a band share the noise of six planes.
            let most = if n_frames == 1 { 2.5 } else { 1.6 };
            assert!(worst < most, "{name}, {electrons} e-, {n_frames} frames: {pulls:.2?}");
        }
    }
}

/// What is wrong with a picture of the hard set.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    Nothing,
    Neighbour,
    Saturation,
    Dust,
}

/// A picture of a bead at (x, y, z) and something beside or on it, before noise.
fn hard_picture(beads: &mut Beads, trouble: Trouble, (x, y, z): (f64, f64, f64)) -> Array2<f64> {
    let middle = (beads.size_px - 1) as f64 / 2.0;
    let mut scene = beads.clean(x, y, z);
    match trouble {
        Trouble::Nothing => {}
        Trouble::Neighbour => {
            let (r, angle) = (26.0 + 8.0 * beads.random(), std::f64::consts::PI * beads.random());
            let (dx, dy, dz) = (r * angle.cos(), r * angle.sin(), 500.0 * beads.random());
            let other = beads.clean(x + dx, y + dy, z + dz);
            scene = scene + other - 0.4;
        }
        Trouble::Saturation => scene *= 1.7,
        Trouble::Dust => {
            let (i, j) = (middle + 16.0 * beads.random(), middle + 16.0 * beads.random());
            let (depth, width) = (0.3 * beads.random(), 1.0 + 0.5 * beads.random());
            for ((a, b), p) in scene.indexed_iter_mut() {
                let d2 = (a as f64 - i).powi(2) + (b as f64 - j).powi(2);
                *p *= 1.0 + depth * (-0.5 * d2 / (width * width)).exp();
            }
        }
    }
    scene.mapv_into(|v| v.clamp(0.0, 1.0))
}

/// Of one chain: errors above 5 σ, those of them without a flag, clean beads, those of them with a flag.
#[derive(Debug, Default)]
struct Count {
    wrong: usize,
    silent: Vec<String>,
    clean: usize,
    clean_flagged: usize,
}

#[test]
fn on_a_hard_set_nearly_all_errors_above_five_sigma_are_flagged_and_clean_beads_hardly_ever() {
    const SIDE: usize = 40;
    const N: usize = 2400;
    for table in [None, Some(1e4)] {
        let mut beads = Beads::new(SIDE, 21);
        let mut chains = Chains::new(SIDE, 1e4);
        let n_frames = if table.is_some() { 10 } else { 3 };
        chains
            .record(&mut beads, &Sweep { from_nm: -3500.0, to_nm: 3500.0, step_nm: 100.0, n_frames, electrons: table });
        let mut counts = [Count::default(), Count::default()];
        for k in 0..N {
            let trouble = [Trouble::Nothing, Trouble::Neighbour, Trouble::Saturation, Trouble::Dust][k % 4];
            let (x, y) = (chains.middle() + 2.5 * beads.random(), chains.middle() + 2.5 * beads.random());
            let z = 3000.0 * beads.random();
            let scene = hard_picture(&mut beads, trouble, (x, y, z));
            let said = chains.look(&beads.exposed(&scene, 1e4));
            let saturated = said.saturated;
            let of_tracker = saturated || !said.center.converged || said.center.has_neighbour();
            let (c, s, j) = (said.center, said.spline, said.joint);
            let spline = (
                s.outcome == SplineOutcome::Found && c.x_px.is_finite(),
                of_tracker || s.is_misfit(),
                [(c.x_px - x) / c.sigma_x_px, (c.y_px - y) / c.sigma_y_px, (s.z_nm - z) / s.sigma_z_nm],
                [s.chi2, c.chi2, c.symmetry],
            );
            let limit = JointOptions::default().tile_limit;
            let joint = (
                j.outcome == JointOutcome::Found,
                of_tracker || j.worst_tile > limit || j.is_misfit(),
                [(j.x_px - x) / j.sigma_x_px, (j.y_px - y) / j.sigma_y_px, (j.z_nm - z) / j.sigma_z_nm],
                [j.chi2, j.worst_tile, c.chi2],
            );
            for (count, (found, flagged, sigmas, signs)) in counts.iter_mut().zip([spline, joint]) {
                if found && sigmas.iter().any(|s| s.abs() > 5.0) {
                    count.wrong += 1;
                    if !flagged {
                        count.silent.push(format!("{trouble:?} at {z:.0} nm: {sigmas:.1?} σ, {signs:.2?}"));
                    }
                }
                if trouble == Trouble::Nothing && !saturated {
                    count.clean += 1;
                    count.clean_flagged += usize::from(flagged);
                }
            }
        }
        for (chain, count) in ["quadrant + spline", "quadrant + joint"].into_iter().zip(&counts) {
            let Count { wrong, silent, clean, clean_flagged } = count;
            println!(
                "{chain}, table {table:?}: {wrong} errors above 5 σ, {} of them silent; {clean_flagged} of {clean} clean \
                 beads flagged\n{}",
                silent.len(),
                silent.join("\n")
            );
            assert!(*wrong >= 100, "{chain}: the set is not hard: {wrong} errors above 5 σ");
            assert!(silent.len() * 100 < *wrong, "{chain}, {table:?}: {} of {wrong} silent: {silent:?}", silent.len());
            assert!(clean_flagged * 20 <= *clean, "{chain}, {table:?}: {clean_flagged} of {clean} clean ones flagged");
        }
    }
}
