//! What must hold of every tracker and every strategy, whatever its method: a shift moves the answer by as much, a quarter
//! turn swaps the axes, brightness and contrast move nothing. Each on finely rendered beads, from pixels to z.

use ndarray::{Array2, Axis, s};

use crate::clipped_com::ClippedCom;
use crate::isa::Isa;
use crate::joint::{JointBuilder, JointLookup, JointOptions, JointTemplate, SweepFrame};
use crate::lookup_z::ZlutTable;
use crate::magtrack_chain::{MagtrackChain, MagtrackOptions};
use crate::noise_model::NoiseModel;
use crate::parabola::ParabolaFit;
use crate::quadrant::QuadrantOptions;
use crate::quadrant_chain::QuadrantChain;
use crate::radial_symmetry::{RadialSymmetry, RadialSymmetryOptions};
use crate::ring_profile::RingProfile;
use crate::spline_z::{BinGeometry, SplineLookup, SplineOptions, SplineTable};
use crate::test_beads::Beads;

const SIDE: usize = 64;
const FULL_SCALE: f64 = 4095.0;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Tracker {
    Magtrack,
    Quadrant,
    RadialSymmetry,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Strategy {
    Correlation,
    Spline,
    Joint,
}

/// Every tracker with every strategy, and how far its answer may move: pixels, nm.
const CHAINS: [(Tracker, Strategy, f64, f64); 7] = [
    // Lines lie on whole pixels, so that the centre leans by some hundredths with its place in the pixel (auto-convolution:
    // 1 to 2 nm), and hard bins of a pixel see another profile at each place: 6 to 9 nm of z, 11 with a parabola through
    // planes 50 nm apart, rms; here up to twice that.
    (Tracker::Magtrack, Strategy::Correlation, 0.05, 25.0),
    (Tracker::Magtrack, Strategy::Spline, 0.05, 20.0),
    // Other rings are cut in a shifted image: a thousandth of a pixel (quadrant), some thousandths (gradients are finite
    // differences). The parabola through planes errs by up to 7 nm here, whatever the profile.
    (Tracker::Quadrant, Strategy::Correlation, 1e-3, 15.0),
    (Tracker::Quadrant, Strategy::Spline, 1e-3, 0.3),
    (Tracker::Quadrant, Strategy::Joint, 1e-3, 0.3),
    (Tracker::RadialSymmetry, Strategy::Spline, 1e-2, 0.3),
    (Tracker::RadialSymmetry, Strategy::Joint, 1e-3, 0.3),
];

/// Finds x, y and makes a profile with its weights.
enum Worker {
    Magtrack(Box<MagtrackChain>),
    Quadrant(Box<QuadrantChain>),
    RadialSymmetry(Box<(ClippedCom, RadialSymmetry, RingProfile)>),
}

impl Worker {
    fn new(tracker: Tracker) -> Worker {
        match tracker {
            Tracker::Magtrack => {
                Self::Magtrack(Box::new(MagtrackChain::new(SIDE, &MagtrackOptions::default()).unwrap()))
            }
            Tracker::Quadrant => {
                Self::Quadrant(Box::new(QuadrantChain::new(SIDE, 1.0, &QuadrantOptions::default()).unwrap()))
            }
            Tracker::RadialSymmetry => Self::RadialSymmetry(Box::new((
                ClippedCom::new(SIDE, 1.0).unwrap(),
                RadialSymmetry::new(SIDE, &RadialSymmetryOptions::default()).unwrap(),
                RingProfile::new(SIDE, Isa::detect()).unwrap(),
            ))),
        }
    }

    fn track(&mut self, image: &Array2<u16>) -> (f64, f64, Vec<f64>, Vec<f32>) {
        let view = image.view();
        match self {
            Self::Magtrack(chain) => {
                let center = chain.find_center(view);
                let mut profile = vec![0.0; chain.n_bins()];
                chain.make_profile(view, center.x_px, center.y_px, &mut profile);
                (center.x_px, center.y_px, profile, Vec::new())
            }
            Self::Quadrant(chain) => {
                let fit = chain.find_center(view);
                let (mut profile, mut weights) = (vec![0.0; chain.n_bins()], vec![0.0; chain.n_bins()]);
                chain.make_profile(view, fit.x_px, fit.y_px, &mut profile, &mut weights);
                (fit.x_px, fit.y_px, profile, weights)
            }
            Self::RadialSymmetry(parts) => {
                let (com, symmetry, ring) = &mut **parts;
                let start = com.execute(view);
                let fit = symmetry.execute(view, start.x_px, start.y_px);
                let (mut profile, mut weights) = (vec![0.0; ring.n_bins()], vec![0.0; ring.n_bins()]);
                ring.execute(view, fit.x_px, fit.y_px, &mut profile, &mut weights);
                (fit.x_px, fit.y_px, profile, weights)
            }
        }
    }
}

/// A tracker, a strategy, and the tables of one sweep.
struct Chain {
    worker: Worker,
    strategy: Strategy,
    planes: ZlutTable,
    splines: SplineTable,
    template: JointTemplate,
    spline: SplineLookup,
    joint: JointLookup,
}

impl Chain {
    /// Of a sweep from -3,600 to -2,400 nm in steps of 50, two places a plane. Nothing is saturated there.
    fn new(tracker: Tracker, strategy: Strategy, beads: &mut Beads) -> Chain {
        let mut worker = Worker::new(tracker);
        let mut builder = JointBuilder::new(SIDE, NoiseModel::UNKNOWN, f64::NAN, Isa::detect()).unwrap();
        let (mut z_nm, mut profiles) = (Vec::new(), Vec::new());
        for k in 0..=24 {
            let z = -3600.0 + 50.0 * f64::from(k);
            let images = [(31.3, 31.8), (32.1, 31.1)].map(|(x, y)| picture(beads, SIDE, x, y, z));
            let seen = images.each_ref().map(|image| worker.track(image));
            profiles.extend((0..seen[0].2.len()).map(|b| 0.5 * (seen[0].2[b] + seen[1].2[b])));
            let frames: Vec<SweepFrame<'_, u16>> = (images.iter().zip(&seen))
                .map(|(image, &(x_px, y_px, ..))| SweepFrame { image: image.view(), x_px, y_px })
                .collect();
            builder.add_plane(z, &frames).unwrap();
            z_nm.push(z);
        }
        let n_bins = profiles.len() / z_nm.len();
        let step_px = if tracker == Tracker::Magtrack { 1.0 } else { RingProfile::STEP_PX };
        let geometry = BinGeometry::Radial { first_radius_px: 0.0, step_px };
        let splines = SplineTable::new(&z_nm, &profiles, &[], &geometry).unwrap();
        let planes = Array2::from_shape_vec((z_nm.len(), n_bins), profiles).unwrap();
        Chain {
            worker,
            strategy,
            planes: ZlutTable::new(ndarray::ArrayView1::from(&z_nm), planes.view()).unwrap(),
            splines,
            template: builder.finish().unwrap(),
            spline: SplineLookup::new(n_bins, NoiseModel::UNKNOWN, SplineOptions::default()).unwrap(),
            joint: JointLookup::new(SIDE, n_bins, &JointOptions::default()).unwrap(),
        }
    }

    fn find(&mut self, image: &Array2<u16>) -> [f64; 3] {
        let (x, y, profile, weights) = self.worker.track(image);
        match self.strategy {
            Strategy::Correlation => {
                let fit = ParabolaFit::weighted(7).unwrap();
                let z = self.planes.lookup_z(&profile, &fit, &mut vec![0.0; profile.len()]).unwrap();
                [x, y, z.z_nm]
            }
            Strategy::Spline => [x, y, self.spline.execute(&self.splines, &profile, &weights).unwrap().z_nm],
            Strategy::Joint => {
                let (splines, template) = (&self.splines, &self.template);
                let fit = self.joint.execute(image.view(), splines, template, (x, y), &profile, &weights).unwrap();
                [fit.x_px, fit.y_px, fit.z_nm]
            }
        }
    }
}

fn picture(beads: &mut Beads, size_px: usize, x: f64, y: f64, z: f64) -> Array2<u16> {
    assert!(beads.size_px >= size_px, "beads for smaller pictures");
    let clean = beads.clean(x, y, z);
    clean.slice(s![..size_px, ..size_px]).mapv(|v| (FULL_SCALE * v).round() as u16)
}

fn near(found: [f64; 3], expected: [f64; 3], (px, nm): (f64, f64)) -> bool {
    [px, px, nm].into_iter().enumerate().all(|(k, tolerance)| (found[k] - expected[k]).abs() < tolerance)
}

#[test]
fn a_shift_a_quarter_turn_brightness_and_contrast_do_what_they_must_to_every_chain() {
    let mut beads = Beads::new(80, 12);
    let mut wrong = Vec::new();
    for (tracker, strategy, px, nm) in CHAINS {
        let mut chain = Chain::new(tracker, strategy, &mut beads);
        for (x, y, z) in [(39.31, 40.62, -2980.0), (38.83, 39.47, -3210.0)] {
            let frame = picture(&mut beads, 80, x, y, z);
            let roi =
                |from_y: usize, from_x: usize| frame.slice(s![from_y..from_y + SIDE, from_x..from_x + SIDE]).to_owned();
            let mut check = |change: &str, found: [f64; 3], expected: [f64; 3], within: (f64, f64)| {
                if !near(found, expected, within) {
                    let off: [f64; 3] = std::array::from_fn(|k| found[k] - expected[k]);
                    wrong
                        .push(format!("{tracker:?} + {strategy:?}, bead at ({x}, {y}, {z}), {change}: off by {off:?}"));
                }
            };
            let still = roi(8, 8);
            let found = chain.find(&still);
            // The truth, so that an answer that never moves cannot pass. MagTrack's arithmetic errs by some nm.
            check("as it stands", found, [x - 8.0, y - 8.0, z], (0.05, 25.0));
            let expected = [found[0] - 2.0, found[1] + 1.0, found[2]];
            check("shifted by whole pixels", chain.find(&roi(7, 10)), expected, (px, nm));
            let moved = picture(&mut beads, 80, x - 8.0 + 0.37, y - 8.0 - 0.59, z).slice(s![..SIDE, ..SIDE]).to_owned();
            let expected = [found[0] + 0.37, found[1] - 0.59, found[2]];
            check("shifted by parts of pixels", chain.find(&moved), expected, (px, nm));
            // A quarter turn: rows become columns, from the right.
            let mut turned = still.t().to_owned();
            turned.invert_axis(Axis(1));
            let turned = turned.as_standard_layout().to_owned();
            let expected = [63.0 - found[1], found[0], found[2]];
            check("turned", chain.find(&turned), expected, (px, nm));
            // An offset that is not told changes what is thought of the noise, and so the weights of rings and pixels.
            let brighter = chain.find(&still.mapv(|p| 3 * p + 1700));
            check("brighter, more contrast", brighter, found, (px, nm));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
