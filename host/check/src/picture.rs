//! Pictures of beads at known places, and how they lie in memory: packed, in place in a larger frame, 8 or 16 bits.

use crate::outcome::Stop;
use crate::subject::Random;
use std::sync::{Arc, OnceLock};
use tetherscope_kernels::optics::{
    BeadOptics, RadialTable, RadialTableParameters, Scene, SceneParameters, Sensor, SensorParameters,
};
use tetherscope_loader::{RoiSet, WorkerConfig, abi};

/// Side of the ROIs that most checks use.
pub(crate) const SIDE_PX: usize = 48;
/// Most ROIs that a worker is made for.
pub(crate) const MOST_ROIS: u32 = 300;
/// Scale of all pictures.
const NM_PER_PX: f64 = 200.0;
/// Defocus of beads that are shown at one height: rings, and light in the middle.
pub(crate) const SOME_Z_NM: f64 = 2500.0;

/// What a bead looks like. A method may know only one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Bright field: rings on a grey background, as simulated by wave optics.
    Rings,
    /// A bright spot on a dark background, as of a fluorescent or dark-field bead.
    Spot,
}

/// One ROI's pixel values, row by row, in codes of `bits` bits.
#[derive(Debug, Clone)]
pub(crate) struct Roi {
    pub(crate) pixels: Vec<u16>,
}

fn optics() -> &'static Arc<RadialTable> {
    static TABLE: OnceLock<Arc<RadialTable>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let parameters = RadialTableParameters {
            bead: BeadOptics::default(),
            nm_per_px: NM_PER_PX,
            crop_radius_nm: 4400.0,
            taper_nm: 1200.0,
            z_min_nm: 0.0,
            z_max_nm: 6000.0,
        };
        Arc::new(RadialTable::new(parameters).expect("these optics are fine"))
    })
}

/// A sensor of so many bits. Made once: its tables take longer than a picture.
fn sensor(bits: u32) -> &'static Sensor {
    static SENSORS: [OnceLock<Sensor>; 17] = [const { OnceLock::new() }; 17];
    SENSORS[bits as usize].get_or_init(|| {
        let parameters = SensorParameters { bits, full_scale_electrons: 100_000.0, ..SensorParameters::default() };
        Sensor::new(parameters).expect("an ordinary sensor is fine")
    })
}

/// A picture of `w` × `h` px with beads at (x, y, z), in codes of `bits` bits; `noise` seeds shot noise.
pub(crate) fn rings(w: usize, h: usize, beads: &[(f64, f64, f64)], bits: u32, noise: Option<u64>) -> Roi {
    let parameters =
        SceneParameters { width_px: w, height_px: h, n_beads: beads.len(), background_level: 0.4, contrast_scale: 0.8 };
    let mut scene = Scene::new(parameters, optics().clone()).expect("a small scene is fine");
    for (i, &(x, y, z)) in beads.iter().enumerate() {
        scene.set_bead(i, x, y, z);
    }
    let sensor = sensor(bits);
    let mut pixels = vec![0_u16; w * h];
    match noise {
        Some(seed) => sensor.expose(&scene, seed, 0, &mut pixels),
        None => sensor.expose_noiseless(&scene, &mut pixels),
    }
    Roi { pixels }
}

/// A picture of one bright spot.
fn spot(side: usize, x: f64, y: f64, bits: u32) -> Roi {
    let full = f64::from((1_u32 << bits) - 1);
    roi(side, |px, py| {
        let r2 = (px as f64 - x).powi(2) + (py as f64 - y).powi(2);
        (full * (0.03 + 0.85 * (-r2 / (2.0 * 2.5 * 2.5)).exp())).round() as u16
    })
}

/// A bead at (x, y) in a square ROI.
pub(crate) fn bead(style: Style, x: f64, y: f64, bits: u32) -> Roi {
    match style {
        Style::Rings => rings(SIDE_PX, SIDE_PX, &[(x, y, SOME_Z_NM)], bits, None),
        Style::Spot => spot(SIDE_PX, x, y, bits),
    }
}

/// A square ROI whose pixel (x, y) has this value.
pub(crate) fn roi(side: usize, value: impl Fn(usize, usize) -> u16) -> Roi {
    Roi { pixels: (0..side * side).map(|i| value(i % side, i / side)).collect() }
}

/// Noise and no bead.
pub(crate) fn noise(side: usize, bits: u32, seed: u64) -> Roi {
    rings(side, side, &[], bits, Some(seed))
}

/// `n` beads in ROIs at places that look arbitrary, rings and spots in turn.
pub(crate) fn some_beads(n: usize, bits: u32) -> Vec<Roi> {
    let mut random = Random::new(7);
    let mut at = || 23.5 + 6.0 * (random.unit() - 0.5);
    (0..n).map(|i| bead(if i % 2 == 0 { Style::Rings } else { Style::Spot }, at(), at(), bits)).collect()
}

/// How ROIs lie in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement {
    pub(crate) bits: u32,
    /// 16 bits even where 8 would do.
    pub(crate) wide: bool,
    /// Pixels beside each row that belong to nobody.
    pub(crate) gap_px: usize,
    /// From one pixel to the next, in pixels.
    pub(crate) step: usize,
}

impl Placement {
    /// Without gaps.
    pub(crate) fn packed(bits: u32) -> Self {
        Self { bits, wide: bits > 8, gap_px: 0, step: 1 }
    }
}

#[derive(Debug, Clone)]
enum Memory {
    U8(Vec<u8>),
    U16(Vec<u16>),
}

/// ROIs in memory, with what a [`RoiSet`] points to.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    memory: Memory,
    offsets: Vec<u64>,
    pub(crate) bead_ids: Vec<u32>,
    pub(crate) frame_indices: Vec<u64>,
    row_stride_px: usize,
    placement: Placement,
    w: usize,
    h: usize,
}

impl Picture {
    /// Lays square ROIs into memory.
    pub(crate) fn new<'r>(rois: impl IntoIterator<Item = &'r Roi>, placement: Placement) -> Self {
        Self::of_size(rois, SIDE_PX, SIDE_PX, placement)
    }

    /// Lays ROIs of `w` × `h` px into memory, one below the other.
    pub(crate) fn of_size<'r>(
        rois: impl IntoIterator<Item = &'r Roi>,
        w: usize,
        h: usize,
        placement: Placement,
    ) -> Self {
        let rois: Vec<&Roi> = rois.into_iter().collect();
        let Placement { bits, wide, gap_px, step } = placement;
        let stride = w * step + gap_px;
        // What belongs to nobody is as bright as can be, so that who reads it is seen.
        let white = ((1_u32 << bits) - 1) as u16;
        let mut pixels = vec![white; stride * h * rois.len().max(1) + gap_px];
        let mut offsets = Vec::with_capacity(rois.len());
        for (i, roi) in rois.iter().enumerate() {
            assert_eq!(roi.pixels.len(), w * h, "a ROI of another size");
            let first = i * h * stride + gap_px / 2;
            offsets.push((first * if wide { 2 } else { 1 }) as u64);
            for (k, &v) in roi.pixels.iter().enumerate() {
                pixels[first + k / w * stride + k % w * step] = v;
            }
        }
        let memory = if wide { Memory::U16(pixels) } else { Memory::U8(pixels.into_iter().map(|v| v as u8).collect()) };
        let n = rois.len();
        let (bead_ids, frame_indices) = ((0..n as u32).collect(), vec![0; n]);
        Self { memory, offsets, bead_ids, frame_indices, row_stride_px: stride, placement, w, h }
    }

    /// Number of ROIs.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len()
    }

    /// All ROIs.
    pub(crate) fn rois(&self) -> RoiSet<'_> {
        self.part(0..self.len())
    }

    /// Some of them.
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> RoiSet<'_> {
        let bytes = if self.placement.wide { 2 } else { 1 };
        RoiSet {
            memory: match &self.memory {
                Memory::U8(v) => v.as_slice().into(),
                Memory::U16(v) => v.as_slice().into(),
            },
            offsets: &self.offsets[range.clone()],
            row_stride_bytes: (self.row_stride_px * bytes) as u64,
            pixel_stride_bytes: (self.placement.step * bytes) as u32,
            w_px: self.w as u32,
            h_px: self.h as u32,
            pixel_format: if self.placement.wide { abi::PIXEL_MONO16 } else { abi::PIXEL_MONO8 },
            bead_ids: &self.bead_ids[range.clone()],
            frame_indices: &self.frame_indices[range],
        }
    }

    /// What a worker for these ROIs is told.
    pub(crate) fn config(&self) -> WorkerConfig {
        let bits = self.placement.bits;
        WorkerConfig {
            pixel_format: if self.placement.wide { abi::PIXEL_MONO16 } else { abi::PIXEL_MONO8 },
            significant_bits: bits,
            saturation_adu: f64::from((1_u32 << bits) - 1),
            nm_per_px: NM_PER_PX,
            ..WorkerConfig::mono8(self.w as u32, self.h as u32, MOST_ROIS)
        }
    }

    /// A copy of the memory's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match &self.memory {
            Memory::U8(v) => v.clone(),
            Memory::U16(v) => v.iter().flat_map(|v| v.to_ne_bytes()).collect(),
        }
    }
}

/// Tells a check that a component cannot do what it is about.
pub(crate) fn not_offered(what: &str) -> Stop {
    Stop::Skipped(format!("it does not offer {what}"))
}
