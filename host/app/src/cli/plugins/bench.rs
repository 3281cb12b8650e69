//! `tetherscope plugins bench`: what a tracker or a Z-LUT strategy takes, by size of ROI, size of batch and depth of pixels,
//! on beads of the simulated camera; and what the call itself costs.

use crate::cli::frames::{key_value, params_of};
use crate::cli::output::{Ending, Output};
use crate::cli::{CommandResult, Context, simulated_rig};
use serde_json::json;
use std::time::{Duration, Instant};
use tetherscope_core::loader::{
    Component, FrameMemory, Kind, LookupBuffers, Registry, RoiSet, SweepData, TrackBuffers, Tracker, TrackerStamp,
    WorkerConfig, ZlutStrategy, abi,
};
use tetherscope_core::{FrameSource, RunError};

/// Sides of the ROIs, in px.
const SIZES_PX: [u32; 4] = [32, 64, 100, 128];
/// ROIs in a call.
const BATCHES: [usize; 3] = [1, 16, 64];
/// Bits of a pixel.
const DEPTHS: [u32; 2] = [8, 12];
/// Scale of the simulated beads.
const NM_PER_PX: f64 = 100.0;
/// How long one figure is measured; the fastest round counts.
const MEASURE_FOR: Duration = Duration::from_millis(150);
/// Planes of the sweep that a strategy is measured with.
const N_PLANES: usize = 101;

/// Measure how fast a tracker or a Z-LUT strategy is
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Tracker or Z-LUT strategy: `id`, `id@version` or `id#hash`
    method: String,
    /// Parameter of the method; may be given several times
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    params: Vec<(String, String)>,
    /// Tracker that makes the profiles, to measure a strategy
    #[arg(long, value_name = "METHOD", default_value = "tracker.magtrack")]
    tracker: String,
}

/// One bead through focus: frames of one ROI each, packed.
struct Stack {
    pixels: Vec<u16>,
    bytes: Vec<u8>,
    size_px: u32,
    bits: u32,
    focus_nm: Vec<f64>,
}

impl Stack {
    /// Renders a sweep of one bead with `camera.sim`.
    fn render(registry: &Registry, size_px: u32, bits: u32, context: &Context) -> Result<Self, RunError> {
        let setting = |k: &str, v: String| (k.to_owned(), v);
        let camera = simulated_rig::open(
            registry,
            &[
                setting("width_px", size_px.to_string()),
                setting("height_px", size_px.to_string()),
                setting("bits", bits.to_string()),
                setting("nm_per_px", NM_PER_PX.to_string()),
                setting("n_fixed", "1".into()),
                setting("n_tethered", "0".into()),
                setting("margin_px", (f64::from(size_px) / 2.0 - 2.0).to_string()),
                setting("n_frames", N_PLANES.to_string()),
                setting("focus_start_nm", "-5000".into()),
                setting("focus_step_nm", "50".into()),
            ],
        )?;
        let (mut pixels, mut bytes) = (Vec::new(), Vec::new());
        FrameSource::start(camera, 8)?.for_each_image(None, &context.cancel, |_, image| {
            match bits {
                8 => bytes.extend_from_slice(image),
                _ => pixels.extend(image.as_chunks::<2>().0.iter().map(|b| u16::from_ne_bytes(*b))),
            }
            Ok(())
        })?;
        let focus_nm = (0..N_PLANES).map(|i| -5000.0 + 50.0 * i as f64).collect();
        Ok(Self { pixels, bytes, size_px, bits, focus_nm })
    }

    fn config(&self, max_rois: usize) -> WorkerConfig {
        let pixel_format = if self.bits == 8 { abi::PIXEL_MONO8 } else { abi::PIXEL_MONO16 };
        WorkerConfig {
            pixel_format,
            significant_bits: self.bits,
            saturation_adu: f64::from((1_u32 << self.bits) - 1),
            nm_per_px: NM_PER_PX,
            ..WorkerConfig::mono8(self.size_px, self.size_px, max_rois as u32)
        }
    }

    fn offsets(&self, n: usize) -> Vec<u64> {
        let bytes = u64::from(self.size_px).pow(2) * if self.bits == 8 { 1 } else { 2 };
        (0..n).map(|i| (i % N_PLANES) as u64 * bytes).collect()
    }

    fn rois<'a>(&'a self, offsets: &'a [u64], ids: &'a [u32], frames: &'a [u64]) -> RoiSet<'a> {
        let pixel_stride_bytes = if self.bits == 8 { 1 } else { 2 };
        RoiSet {
            memory: if self.bits == 8 {
                FrameMemory::from(&self.bytes[..])
            } else {
                FrameMemory::from(&self.pixels[..])
            },
            offsets,
            row_stride_bytes: u64::from(self.size_px) * u64::from(pixel_stride_bytes),
            pixel_stride_bytes,
            w_px: self.size_px,
            h_px: self.size_px,
            pixel_format: self.config(1).pixel_format,
            bead_ids: &ids[..offsets.len()],
            frame_indices: &frames[..offsets.len()],
        }
    }
}

/// Seconds of one call, the fastest of as many as fit into the time.
fn fastest(mut call: impl FnMut() -> Result<(), RunError>) -> Result<f64, RunError> {
    call()?;
    let (begun, mut best) = (Instant::now(), f64::INFINITY);
    while begun.elapsed() < MEASURE_FOR {
        let one = Instant::now();
        call()?;
        best = best.min(one.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// One line of the report.
struct Figure {
    size_px: u32,
    bits: u32,
    batch: usize,
    rois_per_s: f64,
}

impl Bench {
    /// Measures.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let registry = context.registry()?;
        let component = registry.find(&self.method)?;
        let mut figures = Vec::new();
        let mut refused = Vec::new();
        for (size_px, bits) in SIZES_PX.iter().flat_map(|s| DEPTHS.map(|b| (*s, b))) {
            let stack = Stack::render(&registry, size_px, bits, context)?;
            let measured = match component.info().kind {
                Kind::Tracker => self.tracker(component, &stack),
                Kind::Zlut => self.strategy(&registry, component, &stack),
                other => {
                    return Err(RunError::refused(
                        format!("cannot measure {}", self.method),
                        format!("it is a {}", other.name()),
                        "name a tracker or a Z-LUT strategy",
                    ));
                }
            };
            match measured {
                Ok(found) => figures.extend(found),
                Err(e) if context.cancel.is_cancelled() => return Err(e),
                Err(e) => refused.push(format!("{size_px} px, {bits} bits: {}", e.to_string().replace('\n', "; "))),
            }
        }
        let call_ns = if component.info().kind == Kind::Tracker { Some(self.empty_call_ns(component)?) } else { None };
        let mut text = format!("{}: ROIs per second on one thread, the fastest of many calls\n", component.label());
        text += "  ROI px  bits  ROIs per call  ROIs/s\n";
        for f in &figures {
            text += &format!("  {:6}  {:4}  {:13}  {:.0}\n", f.size_px, f.bits, f.batch, f.rois_per_s);
        }
        if let Some(ns) = call_ns {
            text += &format!("a call without ROIs takes {ns:.0} ns\n");
        }
        refused.iter().for_each(|r| text += &format!("refused: {r}\n"));
        let json = json!({
            "method": component.info().id,
            "version": component.info().version.to_string(),
            "figures": figures.iter().map(|f| json!({
                "size_px": f.size_px, "bits": f.bits, "batch": f.batch, "rois_per_s": f.rois_per_s,
            })).collect::<Vec<_>>(),
            "empty_call_ns": call_ns,
            "refused": refused,
        });
        Ok((Output { text, json }, Ending::fine_if(!figures.is_empty())))
    }

    fn tracker(&self, component: &Component, stack: &Stack) -> Result<Vec<Figure>, RunError> {
        let tracker = Tracker::create(component, params_of(component, &self.params)?)?;
        let (ids, frames) = ([0; 64], [0; 64]);
        let mut figures = Vec::new();
        for batch in BATCHES {
            let mut worker = tracker.worker(&stack.config(batch))?;
            let (offsets, mut out) = (stack.offsets(batch), TrackBuffers::default());
            let rois = stack.rois(&offsets, &ids, &frames);
            let seconds = fastest(|| Ok(worker.track(&rois, &mut out)?))?;
            let (size_px, bits) = (stack.size_px, stack.bits);
            figures.push(Figure { size_px, bits, batch, rois_per_s: batch as f64 / seconds });
        }
        Ok(figures)
    }

    fn strategy(&self, registry: &Registry, component: &Component, stack: &Stack) -> Result<Vec<Figure>, RunError> {
        let tracker = registry.resolve(Kind::Tracker, &self.tracker)?;
        let tracker = Tracker::create(tracker, params_of(tracker, &[])?)?;
        let strategy = ZlutStrategy::create(component, params_of(component, &self.params)?)?;
        let mut all = tracker.worker(&stack.config(N_PLANES))?;
        let layout = *all.layout();
        let (ids, frames) = ([0; N_PLANES], [0; N_PLANES]);
        let (offsets, mut tracks) = (stack.offsets(N_PLANES), TrackBuffers::default());
        let sweep = stack.rois(&offsets, &ids, &frames);
        all.track(&sweep, &mut tracks)?;
        let info = tracker.component().info();
        let table = strategy.build(&SweepData {
            rois: sweep,
            focus_nm: &stack.focus_nm,
            tracks: &tracks,
            layout,
            config: stack.config(N_PLANES),
            tracker: TrackerStamp { id: &info.id, version: &info.version.to_string(), params: tracker.params() },
        })?;
        let mut figures = Vec::new();
        for batch in BATCHES {
            let mut worker = strategy.worker(&stack.config(batch), &layout)?;
            // From the middle of the sweep, where every plane has neighbours.
            let offsets: Vec<u64> = stack.offsets(N_PLANES)[18..18 + batch].to_vec();
            let rois = stack.rois(&offsets, &ids, &frames);
            let mut tracked = TrackBuffers::default();
            all.track(&rois, &mut tracked)?;
            let (tables, mut scratch) = (vec![&*table; batch], LookupBuffers::default());
            let mut rows = tracked.clone();
            let seconds = fastest(|| {
                rows.fixes.copy_from_slice(&tracked.fixes);
                Ok(worker.lookup(&rois, &tables, &mut rows, &mut scratch)?)
            })?;
            let (size_px, bits) = (stack.size_px, stack.bits);
            figures.push(Figure { size_px, bits, batch, rois_per_s: batch as f64 / seconds });
        }
        Ok(figures)
    }

    /// What a call costs that has nothing to do.
    fn empty_call_ns(&self, component: &Component) -> Result<f64, RunError> {
        const CALLS: u32 = 1000;
        let tracker = Tracker::create(component, params_of(component, &self.params)?)?;
        let mut worker = tracker.worker(&WorkerConfig::mono8(64, 64, 1))?;
        let none: [u8; 1] = [0];
        let empty = RoiSet {
            memory: FrameMemory::from(&none[..]),
            offsets: &[],
            row_stride_bytes: 64,
            pixel_stride_bytes: 1,
            w_px: 64,
            h_px: 64,
            pixel_format: abi::PIXEL_MONO8,
            bead_ids: &[],
            frame_indices: &[],
        };
        let mut out = TrackBuffers::default();
        let seconds = fastest(|| (0..CALLS).try_for_each(|_| Ok(worker.track(&empty, &mut out)?)))?;
        Ok(seconds / f64::from(CALLS) * 1e9)
    }
}
