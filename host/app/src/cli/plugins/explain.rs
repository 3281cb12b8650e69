//! `tetherscope plugins explain`: how a tracker or a Z-LUT strategy came to its result for one ROI, as tables and pictures
//! of the arrays that the method itself names.

use crate::cli::frames::{key_value, open_video, params_of};
use crate::cli::output::{Ending, Output};
use crate::cli::{CommandResult, Context};
use serde_json::json;
use std::path::{Path, PathBuf};
use tetherscope_core::loader::{
    ArraySet, FrameMemory, Kind, NamedArray, RoiSet, TrackBuffers, Tracker, ZlutStrategy, abi,
};
use tetherscope_core::{Optics, Pixels, Plan, PlanOptions, Roi, RunError, StillImage, Tables, first_image};

/// Width and height of a picture of a curve.
const CURVE_PX: (usize, usize) = (480, 240);

/// Show how a method came to its result for one ROI
#[derive(clap::Args)]
pub(crate) struct Explain {
    /// Tracker or Z-LUT strategy: `id`, `id@version` or `id#hash`
    method: String,
    /// Image: the first frame of a TIFF stack or of a folder of images
    image: PathBuf,
    /// ROI in it; without it the whole image
    #[arg(long, value_name = "X,Y,W,H", value_parser = rect)]
    roi: Option<Roi>,
    /// Parameter of the method; may be given several times
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    params: Vec<(String, String)>,
    /// Z-LUT, to explain a strategy
    #[arg(long, value_name = "FILE")]
    zlut: Option<PathBuf>,
    /// Tracker that goes before the strategy
    #[arg(long, value_name = "METHOD", default_value = "tracker.magtrack")]
    tracker: String,
    /// Size of a pixel in the sample, in nm
    #[arg(long, value_name = "NM", default_value_t = 100.0)]
    nm_per_px: f64,
    /// Folder for the arrays: a CSV and a PNG of each; made if it does not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Reads `x,y,w,h`.
fn rect(text: &str) -> Result<Roi, String> {
    let wrong = || format!("`{text}` is not of the form x,y,w,h, such as 20,30,64,64");
    let v: Vec<i32> = text.split(',').map(|p| p.trim().parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    match v[..] {
        [x_px, y_px, w, h] if w > 0 && h > 0 => Ok(Roi { bead: 0, x_px, y_px, w_px: w as u32, h_px: h as u32 }),
        _ => Err(wrong()),
    }
}

impl Explain {
    /// Explains.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let registry = context.registry()?;
        let component = registry.find(&self.method)?;
        let kind = component.info().kind;
        let tracker_name = match kind {
            Kind::Tracker => &self.method,
            Kind::Zlut => &self.tracker,
            other => {
                return Err(RunError::refused(
                    format!("cannot explain {}", self.method),
                    format!("it is a {}", other.name()),
                    "name a tracker or a Z-LUT strategy",
                ));
            }
        };
        let of_tracker: &[_] = if kind == Kind::Tracker { &self.params } else { &[] };
        let tracker = registry.resolve(Kind::Tracker, tracker_name)?;
        let tracker = Tracker::create(tracker, params_of(tracker, of_tracker)?)?;
        let camera = open_video(&registry, &self.image)?;
        let format = camera.format()?;
        let image = first_image(camera, &context.cancel)?;
        let optics = Optics::new(self.nm_per_px);
        let rois = Some(self.roi.into_iter().collect::<Vec<_>>()).filter(|r| !r.is_empty());
        let plan = Plan::new(PlanOptions { tracker: tracker.clone(), zlut: None, rois, optics }, &format)?;
        let roi = plan.rois()[0];
        let mut worker = tracker.worker(plan.config())?;
        let offset = [offset_bytes(&image, &roi)];
        let set = roi_set(&image, &roi, &offset);
        let arrays = if kind == Kind::Tracker {
            worker.explain(&set)?
        } else {
            let strategy = ZlutStrategy::create(component, params_of(component, &self.params)?)?;
            let Some(zlut) = &self.zlut else {
                return Err(RunError::refused(
                    format!("cannot explain {}", self.method),
                    "a strategy needs a table",
                    "give one with --zlut, and the tracker that goes before with --tracker",
                ));
            };
            let loaded = tetherscope_core::load_zlut(zlut, &strategy, &tracker, plan.layout(), plan.config(), &optics)?;
            let table = match loaded.tables {
                Tables::Shared(t) => t,
                Tables::PerBead(all) => {
                    all.into_iter().min_by_key(|(bead, _)| *bead).map(|(_, t)| t).ok_or_else(|| {
                        RunError::refused(
                            "cannot explain",
                            "the Z-LUT holds no table",
                            "build one with `tetherscope zlut build`",
                        )
                    })?
                }
            };
            let mut tracks = TrackBuffers::default();
            worker.track(&set, &mut tracks)?;
            strategy.worker(plan.config(), plan.layout())?.explain(&set, &table, &mut tracks)?
        };
        self.write(&arrays)
    }

    /// Writes every array, and reports what it is.
    fn write(&self, set: &ArraySet) -> CommandResult {
        std::fs::create_dir_all(&self.out).map_err(|e| {
            let thing = format!("cannot write into {}", self.out.display());
            RunError::refused(thing, e.to_string(), "choose a folder in which you may write")
        })?;
        let mut text = format!("{} of {}:\n", self.method, self.image.display());
        let mut all = Vec::new();
        for array in &set.arrays {
            let files = [self.path(array, "csv"), self.path(array, "png")];
            tetherscope_files::write_array(&files[0], &array.shape, &array.values)?;
            let (width, height, rgb) = picture(array);
            tetherscope_files::write_png(&files[1], width as u32, height as u32, &rgb)?;
            let shape: Vec<String> = array.shape.iter().map(usize::to_string).collect();
            let unit = if array.unit.is_empty() { String::new() } else { format!(", {}", array.unit) };
            text += &format!("  {} ({}{unit}): {}\n", array.name, shape.join(" × "), files[0].display());
            all.push(json!({
                "name": array.name, "unit": array.unit, "shape": array.shape,
                "files": files.map(|f| f.display().to_string()),
            }));
        }
        Ok((Output { text, json: json!({"method": self.method, "arrays": all}) }, Ending::Fine))
    }

    /// A file of an array; what a plugin calls it must not lead out of the folder.
    fn path(&self, array: &NamedArray, ending: &str) -> PathBuf {
        let plain: String =
            array.name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).take(80).collect();
        Path::new(&self.out).join(format!("{plain}.{ending}"))
    }
}

fn offset_bytes(image: &StillImage, roi: &Roi) -> u64 {
    let size = if matches!(image.pixels, Pixels::U8(_)) { 1 } else { 2 };
    (roi.y_px.unsigned_abs() as u64 * u64::from(image.width_px) + roi.x_px.unsigned_abs() as u64) * size
}

fn roi_set<'a>(image: &'a StillImage, roi: &Roi, offset: &'a [u64]) -> RoiSet<'a> {
    let (memory, bytes, pixel_format) = match &image.pixels {
        Pixels::U8(p) => (FrameMemory::from(&p[..]), 1, abi::PIXEL_MONO8),
        Pixels::U16(p) => (FrameMemory::from(&p[..]), 2, abi::PIXEL_MONO16),
    };
    RoiSet {
        memory,
        offsets: offset,
        row_stride_bytes: u64::from(image.width_px) * u64::from(bytes),
        pixel_stride_bytes: bytes,
        w_px: roi.w_px,
        h_px: roi.h_px,
        pixel_format,
        bead_ids: &[0],
        frame_indices: &[0],
    }
}

/// A curve of a list, a grey picture of anything with more axes (the last axis to the right, the others below each
/// other).
fn picture(array: &NamedArray) -> (usize, usize, Vec<u8>) {
    let finite = || array.values.iter().copied().filter(|v| v.is_finite());
    let (min, max) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let level = |v: f64| if v.is_finite() && max > min { (v - min) / (max - min) } else { 0.0 };
    let width = array.shape.last().copied().unwrap_or(0);
    if array.shape.len() > 1 && width > 0 && !array.values.is_empty() {
        let grey = array.values.iter().flat_map(|v| [(level(*v) * 255.0).round() as u8; 3]).collect();
        return (width, array.values.len() / width, grey);
    }
    let (w, h) = CURVE_PX;
    let mut rgb = vec![255; 3 * w * h];
    let n = array.values.len();
    let mut last: Option<usize> = None;
    for x in 0..if n == 0 { 0 } else { w } {
        let value = array.values[x * n / w];
        if !value.is_finite() {
            last = None;
            continue;
        }
        let y = h - 1 - (level(value) * (h - 1) as f64).round() as usize;
        let from = last.unwrap_or(y);
        for row in from.min(y)..=from.max(y) {
            let at = 3 * (row * w + x);
            rgb[at..at + 3].copy_from_slice(&[30, 60, 160]);
        }
        last = Some(y);
    }
    (w, h, rgb)
}
