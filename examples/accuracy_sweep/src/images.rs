//! Images of beads with known x, y and z: rendered without noise once for each kind and size, then drawn with the noise of
//! one light. Positions come from one seed, so that every method and every run sees the same.

use crate::random::Random;
use ndarray::Array2;
use std::fmt;
use tetherscope_analysis::{Bound, Brightness, CameraNoise, bound_of_bead};
use tetherscope_core::RunError;
use tetherscope_kernels::optics::{
    OpticsError, RadialTable, RadialTableParameters, SimulationParameters, simulate_beads,
};

pub(crate) const NM_PER_PX: f64 = 100.0;
/// Middles of the bands of z.
pub(crate) const BANDS_NM: [f64; 5] = [-4000.0, -2000.0, 0.0, 2000.0, 4000.0];
/// Sweeps are rendered with planes so far apart; others take every so many of them.
pub(crate) const FINEST_STEP_NM: usize = 50;
const SWEEP_NM: f64 = 5000.0;
/// Images of a plane without noise: for the perfect Z-LUT, and for the recorded one, whose frames are draws of them.
const PERFECT_PLACES: usize = 4;
const RECORDED_PLACES: usize = 5;
/// Frames of a plane of the recorded Z-LUT.
const RECORDED_FRAMES: usize = 10;
/// How far a bead shakes along x and y while its Z-LUT is recorded, rms.
const SHAKE_NM: f64 = 10.0;
/// Half the range of the positions.
const XY_NM: f64 = 250.0;
const Z_NM: f64 = 100.0;
/// Places of a band at which the bound is computed, and the step of its derivatives.
const BOUND_PLACES: usize = 5;
const BOUND_STEP_NM: f64 = 2.0;
const BACKGROUND: f64 = 0.4;

/// How beads are rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Images {
    /// The pupil integral, averaged over each pixel.
    Fine,
    /// MagTrack's simulator.
    Stock,
}

impl fmt::Display for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Images::Fine => "fine",
            Images::Stock => "stock",
        })
    }
}

/// Light and bits of the camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Light {
    pub(crate) electrons: f64,
    pub(crate) bits: u32,
}

impl Light {
    /// 8 bits, but 12 where 8 would hide the light.
    pub(crate) fn new(electrons: f64) -> Self {
        Self { electrons, bits: if electrons > 30_000.0 { 12 } else { 8 } }
    }

    pub(crate) fn noise(&self) -> CameraNoise {
        CameraNoise { full_well_e: self.electrons, bits: self.bits, read_noise_e: 0.0 }
    }

    pub(crate) fn top(&self) -> f64 {
        f64::from((1_u32 << self.bits) - 1)
    }

    /// An image of this light as the camera gives it, one byte a pixel or two. Without `random` without shot noise.
    pub(crate) fn expose(&self, image: &[f32], mut random: Option<&mut Random>) -> Vec<u8> {
        let code = |&level: &f32| {
            let mean = f64::from(level) * self.electrons;
            let electrons = random.as_mut().map_or(mean, |r| r.poisson(mean));
            (electrons * self.top() / self.electrons).round().clamp(0.0, self.top())
        };
        let codes = image.iter().map(code);
        match self.bits {
            8 => codes.map(|v| v as u8).collect(),
            _ => codes.flat_map(|v| (v as u16).to_ne_bytes()).collect(),
        }
    }
}

/// What is rendered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Condition {
    pub(crate) images: Images,
    pub(crate) size_px: usize,
    pub(crate) n_positions: usize,
}

/// A place: x and y from the optical centre, z as defocus.
pub(crate) type Place = [f64; 3];

/// Images without noise, and where their beads are.
pub(crate) struct Clean {
    pub(crate) places: Vec<Place>,
    /// Focus of the plane that the image belongs to, or the middle of its band.
    pub(crate) group_nm: Vec<f64>,
    pub(crate) images: Vec<Vec<f32>>,
}

/// Everything of a condition.
pub(crate) struct Rendered {
    pub(crate) condition: Condition,
    /// Pixel coordinate of x = 0 and y = 0.
    pub(crate) centre_px: f64,
    pub(crate) test: Clean,
    pub(crate) perfect: Clean,
    pub(crate) recorded: Clean,
    /// By band, for a light.
    renderer: Renderer,
}

impl Condition {
    /// Renders it.
    pub(crate) fn render(self) -> Result<Rendered, RunError> {
        let renderer = Renderer::new(self)?;
        let mut random = Random::new(&[1, self.size_px as u64]);
        let spread = |random: &mut Random, reach: f64| random.between(-reach, reach);
        let mut test = (Vec::new(), Vec::new());
        for band in BANDS_NM {
            for _ in 0..self.n_positions {
                let (x, y) = (spread(&mut random, XY_NM), spread(&mut random, XY_NM));
                test.0.push([x, y, band + spread(&mut random, Z_NM)]);
                test.1.push(band);
            }
        }
        let n_planes = (2.0 * SWEEP_NM / FINEST_STEP_NM as f64) as usize + 1;
        let planes = (0..n_planes).map(|k| -SWEEP_NM + (k * FINEST_STEP_NM) as f64);
        let offsets: Vec<[f64; 2]> =
            (0..PERFECT_PLACES).map(|_| [spread(&mut random, XY_NM), spread(&mut random, XY_NM)]).collect();
        let middle = [spread(&mut random, XY_NM), spread(&mut random, XY_NM)];
        let (mut perfect, mut recorded) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for z in planes {
            for [x, y] in &offsets {
                perfect.0.push([*x, *y, z]);
                perfect.1.push(z);
            }
            for _ in 0..RECORDED_PLACES {
                let shaken = middle.map(|m| m + SHAKE_NM * random.normal());
                recorded.0.push([shaken[0], shaken[1], z]);
                recorded.1.push(z);
            }
        }
        let clean = |(places, group_nm): (Vec<Place>, Vec<f64>)| -> Result<Clean, RunError> {
            Ok(Clean { images: renderer.render(&places)?, places, group_nm })
        };
        Ok(Rendered {
            condition: self,
            centre_px: renderer.centre_px(),
            test: clean(test)?,
            perfect: clean(perfect)?,
            recorded: clean(recorded)?,
            renderer,
        })
    }
}

impl Rendered {
    /// The bound of each band: root mean square over its first places.
    pub(crate) fn bounds(&self, light: Light) -> Result<Vec<Bound>, RunError> {
        let n_px = self.condition.size_px * self.condition.size_px;
        let of_band = |b: usize| {
            let first = b * self.condition.n_positions;
            let places = &self.test.places[first..first + BOUND_PLACES.min(self.condition.n_positions)];
            let bound = |place: &Place| {
                let render = |at: Place, image: &mut [f64]| self.renderer.one(at, image);
                bound_of_bead(render, n_px, *place, BOUND_STEP_NM, &light.noise(), Brightness::Free)
            };
            let all: Option<Vec<Bound>> = places.iter().map(bound).collect();
            all.and_then(|all| Bound::rms(&all)).ok_or_else(|| {
                RunError::refused(
                    format!("cannot compute the bound of {} nm", BANDS_NM[b]),
                    "the images do not tell x, y and z apart",
                    "take larger ROIs",
                )
            })
        };
        (0..BANDS_NM.len()).map(of_band).collect()
    }

    /// The frames of a Z-LUT's sweep in this light, with the focus of each: without noise, or as they were recorded.
    pub(crate) fn sweep(&self, recorded: bool, light: Light) -> Vec<(f64, Vec<u8>)> {
        let mut random = Random::new(&[2, self.condition.size_px as u64, light.electrons as u64]);
        if !recorded {
            let frame = |(z, image): (&f64, &Vec<f32>)| (*z, light.expose(image, None));
            return self.perfect.group_nm.iter().zip(&self.perfect.images).map(frame).collect();
        }
        let n_draws = RECORDED_FRAMES / RECORDED_PLACES;
        let all = self.recorded.group_nm.iter().zip(&self.recorded.images);
        all.flat_map(|(z, image)| (0..n_draws).map(move |_| (*z, image)))
            .map(|(z, image)| (z, light.expose(image, Some(&mut random))))
            .collect()
    }

    /// The test images in this light: index of the place, and pixels.
    pub(crate) fn draws(&self, light: Light, n_draws: usize) -> Vec<(usize, Vec<u8>)> {
        let mut random = Random::new(&[3, self.condition.size_px as u64, light.electrons as u64]);
        let all = self.test.images.iter().enumerate();
        all.flat_map(|(i, image)| (0..n_draws).map(move |_| (i, image)))
            .map(|(i, image)| (i, light.expose(image, Some(&mut random))))
            .collect()
    }
}

enum Renderer {
    Fine(Box<RadialTable>, usize),
    Stock(SimulationParameters),
}

impl Renderer {
    fn new(condition: Condition) -> Result<Self, RunError> {
        let size_px = condition.size_px;
        match condition.images {
            Images::Stock => {
                let pad_factor = if size_px > 80 { 4.0 } else { 8.0 };
                Ok(Renderer::Stock(SimulationParameters { size_px, pad_factor, ..SimulationParameters::default() }))
            }
            Images::Fine => {
                let reach_nm = (size_px as f64 * 0.5 * NM_PER_PX + XY_NM) * std::f64::consts::SQRT_2;
                let parameters = RadialTableParameters {
                    nm_per_px: NM_PER_PX,
                    crop_radius_nm: reach_nm + 1000.0,
                    taper_nm: 500.0,
                    z_min_nm: -SWEEP_NM - 100.0,
                    z_max_nm: SWEEP_NM + 100.0,
                    ..RadialTableParameters::default()
                };
                Ok(Renderer::Fine(Box::new(RadialTable::new(parameters).map_err(refused)?), size_px))
            }
        }
    }

    fn centre_px(&self) -> f64 {
        match self {
            Renderer::Fine(_, size_px) => (*size_px as f64 - 1.0) / 2.0,
            Renderer::Stock(p) => (p.size_px / 2) as f64,
        }
    }

    fn render(&self, places: &[Place]) -> Result<Vec<Vec<f32>>, RunError> {
        match self {
            Renderer::Stock(p) => {
                let all: Vec<f64> = places.iter().flatten().copied().collect();
                let all = Array2::from_shape_vec((places.len(), 3), all).expect("three numbers for each place");
                let images = simulate_beads(all.view(), p).map_err(refused)?;
                Ok(images.outer_iter().map(|i| i.iter().map(|v| *v as f32).collect()).collect())
            }
            Renderer::Fine(_, size_px) => {
                let mut image = vec![0.0; size_px * size_px];
                let mut one = |place: &Place| {
                    self.one(*place, &mut image);
                    image.iter().map(|v| *v as f32).collect()
                };
                Ok(places.iter().map(&mut one).collect())
            }
        }
    }

    /// One image, in full precision.
    fn one(&self, [x, y, z]: Place, image: &mut [f64]) {
        match self {
            Renderer::Stock(p) => {
                let place = Array2::from_shape_vec((1, 3), vec![x, y, z]).expect("three numbers");
                let made = simulate_beads(place.view(), p).expect("the same parameters made images before");
                made.iter().zip(image).for_each(|(m, i)| *i = *m);
            }
            Renderer::Fine(table, size_px) => {
                let mut row = table.new_row();
                table.prepare(z, &mut row);
                let (cx, cy) = (self.centre_px() + x / NM_PER_PX, self.centre_px() + y / NM_PER_PX);
                for (i, pixel) in image.iter_mut().enumerate() {
                    let (dx, dy) = ((i % size_px) as f64 - cx, (i / size_px) as f64 - cy);
                    let contrast = f64::from(row.contrast(dx as f32, dy as f32));
                    *pixel = (BACKGROUND * (1.0 + contrast)).clamp(0.0, 1.0);
                }
            }
        }
    }
}

fn refused(e: OpticsError) -> RunError {
    RunError::refused("cannot render the beads", e.to_string(), "choose other sizes")
}
