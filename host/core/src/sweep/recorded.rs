//! A sweep out of a recording: which sweeps it holds, and one of them in memory, so that any strategy can build from it
//! later. From pixels, where the recording has them, tracked again; else from the profiles that every sweep records.

use super::data::{Sweep, SweepEntry};
use crate::control::{EventKind, MethodChoice};
use crate::error::RunError;
use crate::optics::Optics;
use crate::piece::ROIS_PER_CALL;
use crate::rerun::{Pixels, RowsByFrame, format_of, recorded_optics, recorded_roi_size_px, tracker_of};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tetherscope_files::{FrameCondition, Recording, Row, StoredFrame};
use tetherscope_loader::{CameraFormat, CancelToken, Fix, ProfileLayout, Registry, Tracker, WorkerConfig, abi};

/// One sweep of a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RecordedSweep {
    /// Steps that it was to have.
    pub steps: u32,
    /// The planes of the way there that got all their frames, in the order in which they were visited.
    pub planes: Vec<RecordedPlane>,
    /// Why it ended early; None of one that went through, or whose end was not recorded.
    pub failure: Option<String>,
    /// Its end stands in the recording.
    pub ended: bool,
}

/// The frames of one plane.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordedPlane {
    /// Focus while they were exposed.
    pub focus_nm: f64,
    /// First frame.
    pub first_frame: u64,
    /// Last frame; every tracked frame between belongs to the plane.
    pub last_frame: u64,
}

/// The sweeps of a recording, in the order in which they were made.
///
/// # Errors
/// Events that cannot be read.
pub fn recorded_sweeps(recording: &Recording) -> Result<Vec<RecordedSweep>, RunError> {
    let (events, _) = recording.events()?;
    let mut sweeps: Vec<RecordedSweep> = Vec::new();
    for event in events.into_iter().filter(|e| e.kind.starts_with("sweep_")) {
        let whole = Value::Object([(event.kind, event.data)].into_iter().collect());
        let Ok(kind) = serde_json::from_value::<EventKind>(whole) else { continue };
        match (kind, sweeps.last_mut()) {
            (EventKind::SweepStarted { steps }, _) => sweeps.push(RecordedSweep { steps, ..RecordedSweep::default() }),
            (EventKind::SweepPlane { focus_nm, first_frame, last_frame, way_back: false, .. }, Some(sweep)) => {
                sweep.planes.push(RecordedPlane { focus_nm, first_frame, last_frame });
            }
            (EventKind::SweepEnded { result, .. }, Some(sweep)) => {
                (sweep.ended, sweep.failure) = (true, result.err().map(|e| e.to_string().replace('\n', ": ")));
            }
            _ => {}
        }
    }
    Ok(sweeps)
}

/// Which sweep, and what tracks it.
#[derive(Debug, Clone, Default)]
pub struct RecordedSweepOptions {
    /// Number of the sweep, from 1; None: the last.
    pub number: Option<usize>,
    /// Another tracker than the recorded one; needs pixels.
    pub tracker: Option<MethodChoice>,
    /// Take the recorded profiles even if there are pixels.
    pub from_profiles: bool,
    /// Lets the user give up.
    pub cancel: CancelToken,
}

/// A sweep that was read.
pub struct CollectedSweep {
    /// Its entries.
    pub sweep: Sweep,
    /// Its number, from 1.
    pub number: usize,
    /// What the recording says of it.
    pub recorded: RecordedSweep,
    /// Scale and noise.
    pub optics: Optics,
    /// Frames that were used.
    pub frames: u64,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

fn cannot(recording: &Recording, cause: impl Into<String>, mend: impl Into<String>) -> RunError {
    RunError::refused(format!("cannot build a Z-LUT from {}", recording.dir().display()), cause, mend)
}

/// Reads a sweep from a recording.
///
/// # Errors
/// A recording without a sweep, or without what is asked for; a tracker that is not there; damaged files.
pub fn collect_recorded_sweep(
    registry: &Registry,
    folder: &Path,
    options: &RecordedSweepOptions,
) -> Result<CollectedSweep, RunError> {
    let recording = Recording::open(folder)?;
    let (number, recorded) = choose(&recording, options.number)?;
    let optics = recorded_optics(&recording)?;
    let mut notes = Vec::new();
    if let Some(why) = &recorded.failure {
        notes.push(format!("the sweep ended early: {why}"));
    } else if !recorded.ended {
        notes.push("the recording stops before the end of the sweep".to_owned());
    }
    let tracker = tracker_of(registry, &recording, options.tracker.as_ref(), &mut notes)?;
    let pixels = Pixels::find(&recording).filter(|_| !options.from_profiles);
    let read = Reading { recording: &recording, planes: &recorded.planes, cancel: &options.cancel };
    let (sweep, frames) = match pixels {
        Some(pixels) => read.pixels(pixels, tracker, &optics)?,
        None if options.tracker.is_some() => {
            let mend = "build with the recorded tracker, or sweep again with ROI video";
            return Err(cannot(&recording, "it holds no pixels that another tracker could look at", mend));
        }
        None => read.profiles(tracker, &optics)?,
    };
    Ok(CollectedSweep { sweep, number, recorded, optics, frames, notes })
}

fn choose(recording: &Recording, number: Option<usize>) -> Result<(usize, RecordedSweep), RunError> {
    let mut sweeps = recorded_sweeps(recording)?;
    let n = sweeps.len();
    if n == 0 {
        let mend = "give a recording that was being written while a Z-LUT sweep ran";
        return Err(cannot(recording, "it holds no Z-LUT sweep", mend));
    }
    let number = number.unwrap_or(n);
    if !(1..=n).contains(&number) {
        return Err(cannot(recording, format!("it has no sweep {number}"), format!("its sweeps are 1 to {n}")));
    }
    let chosen = sweeps.swap_remove(number - 1);
    if chosen.planes.len() < 2 {
        let cause = format!("its sweep {number} has {} whole planes", chosen.planes.len());
        return Err(cannot(recording, cause, "a Z-LUT needs at least two; choose another sweep"));
    }
    Ok((number, chosen))
}

struct Reading<'a> {
    recording: &'a Recording,
    planes: &'a [RecordedPlane],
    cancel: &'a CancelToken,
}

impl Reading<'_> {
    fn focus_of(&self, frame: u64) -> Option<f64> {
        let plane = self.planes.iter().find(|p| (p.first_frame..=p.last_frame).contains(&frame))?;
        Some(plane.focus_nm)
    }

    fn layout(tracker: &Arc<Tracker>, config: &WorkerConfig) -> Result<ProfileLayout, RunError> {
        Ok(*tracker.worker(config)?.layout())
    }

    /// ROIs cut out where the recorded rows say, and tracked again.
    fn pixels(&self, pixels: Pixels, tracker: Arc<Tracker>, optics: &Optics) -> Result<(Sweep, u64), RunError> {
        let Pixels { mut reader, format } = pixels;
        let size_px = recorded_roi_size_px(self.recording)?;
        let are_rois = !format.beads.is_empty();
        let format = format_of(&format);
        let config = optics.worker_config(&format, size_px, size_px, ROIS_PER_CALL as u32);
        let layout = Self::layout(&tracker, &config)?;
        let mut sweep = Sweep::new(tracker, layout, config);
        let mut rows = RowsByFrame::new(self.recording.tracks(TRACKS)?);
        let (mut stored, mut roi, mut frames) = (StoredFrame::default(), Vec::new(), 0);
        while let Some(condition) = reader.read(&mut stored)? {
            if self.cancel.is_cancelled() {
                return Err(RunError::Cancelled);
            }
            if condition != FrameCondition::Whole {
                continue;
            }
            let Some(focus_nm) = self.focus_of(stored.record.index) else { continue };
            let (of_frame, _) = rows.of(stored.record.index)?;
            for row in &of_frame {
                roi.clear();
                let found = if are_rois {
                    plane_of(&stored, row, &format, &mut roi)
                } else {
                    cut(&stored.pixels, row, size_px, &format, &mut roi)
                };
                if found {
                    sweep.push_untracked(row.bead, row.frame, focus_nm, &roi)?;
                }
            }
            frames += u64::from(!of_frame.is_empty());
        }
        self.check_frames(frames)?;
        self.cancel.run(|| sweep.track())?;
        if self.cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        Ok((sweep, frames))
    }

    /// Positions and profiles as they were recorded.
    fn profiles(&self, tracker: Arc<Tracker>, optics: &Optics) -> Result<(Sweep, u64), RunError> {
        let size_px = recorded_roi_size_px(self.recording)?;
        let format = self.camera_format()?;
        let config = optics.worker_config(&format, size_px, size_px, ROIS_PER_CALL as u32);
        let layout = Self::layout(&tracker, &config)?;
        let n_bins = layout.n_bins as usize;
        let mut rows: HashMap<(u64, u32), Row> = HashMap::new();
        let (mut reader, mut batch) = (self.recording.tracks(TRACKS)?, Vec::new());
        while reader.read_batch(&mut batch)? > 0 {
            rows.extend(batch.drain(..).filter(|r| self.focus_of(r.frame).is_some()).map(|r| ((r.frame, r.bead), r)));
        }
        let mut sweep = Sweep::without_pixels(tracker, layout, config);
        let (mut failure, mut last, mut frames) = (None, None, 0);
        self.recording.profiles(TRACKS, |profiles| {
            for p in profiles {
                let (Some(focus_nm), Some(row)) = (self.focus_of(p.frame), rows.get(&(p.frame, p.bead))) else {
                    continue;
                };
                let weights = if p.weights.is_empty() { vec![f32::NAN; n_bins] } else { p.weights.clone() };
                if p.profile.len() != n_bins || weights.len() != n_bins {
                    let cause = format!("its profiles have {} bins, the tracker makes {n_bins}", p.profile.len());
                    let mend = "load the tracker that the recording was made with";
                    failure.get_or_insert_with(|| cannot(self.recording, cause, mend));
                    return;
                }
                let fix = fix_of(row, optics);
                let (bead, frame, profile) = (p.bead, p.frame, &p.profile[..]);
                let entry = SweepEntry { bead, frame, focus_nm, pixels: &[], fix, profile, weights: &weights };
                if let Err(e) = sweep.push(&entry) {
                    failure.get_or_insert(e);
                    return;
                }
                frames += u64::from(last.replace(p.frame) != Some(p.frame));
            }
        })?;
        match failure {
            Some(e) => Err(e),
            None => self.check_frames(frames).map(|()| (sweep, frames)),
        }
    }

    fn check_frames(&self, frames: u64) -> Result<(), RunError> {
        if frames > 0 {
            return Ok(());
        }
        let cause = "no frame of its planes has both rows and pixels or profiles";
        Err(cannot(self.recording, cause, "sweep again, and look whether the disk keeps up"))
    }

    /// What trackers were given, as the camera's section tells it.
    fn camera_format(&self) -> Result<CameraFormat, RunError> {
        let format = &self.recording.metadata().sections.get("camera").cloned().unwrap_or_default()["format"];
        let number = |key: &str| format[key].as_u64().and_then(|v| u32::try_from(v).ok());
        match (number("width_px"), number("height_px"), number("significant_bits"), number("bytes_per_px")) {
            (Some(w), Some(h), Some(bits), Some(bytes)) => {
                let code = if bytes == 1 { abi::PIXEL_MONO8 } else { abi::PIXEL_MONO16 };
                Ok(CameraFormat::packed(w, h, code, bits))
            }
            _ => {
                let mend = "give a recording with ROI video, or sweep again";
                Err(cannot(self.recording, "its metadata do not tell the format of its frames", mend))
            }
        }
    }
}

/// The track set that sweeps are recorded with.
const TRACKS: &str = "main";

/// The recorded ROI of a row; false if it was not recorded where the row says.
fn plane_of(stored: &StoredFrame, row: &Row, format: &CameraFormat, roi: &mut Vec<u8>) -> bool {
    let at = (row.bead, row.roi_x_px, row.roi_y_px);
    let place = stored.places.iter().position(|p| p.inside && (p.bead, p.x_px, p.y_px) == at);
    let n_bytes = format.payload_bytes as usize;
    let plane = place.and_then(|p| stored.pixels.get(p * n_bytes..(p + 1) * n_bytes));
    plane.is_some_and(|plane| {
        roi.extend_from_slice(plane);
        true
    })
}

/// The ROI of a row out of a full frame; false if it does not lie wholly inside.
fn cut(frame: &[u8], row: &Row, size_px: u32, format: &CameraFormat, roi: &mut Vec<u8>) -> bool {
    let (w, h) = (i64::from(format.width_px), i64::from(format.height_px));
    let (x, y, size) = (i64::from(row.roi_x_px), i64::from(row.roi_y_px), i64::from(size_px));
    if x < 0 || y < 0 || x + size > w || y + size > h {
        return false;
    }
    let bytes = if format.pixel_format == abi::PIXEL_MONO8 { 1 } else { 2 };
    for line in y..y + size {
        let from = ((line * w + x) * bytes) as usize;
        roi.extend_from_slice(&frame[from..from + (size * bytes) as usize]);
    }
    true
}

/// Back from nanometres in the frame to pixels in the ROI: all that a strategy learns of a position.
fn fix_of(row: &Row, optics: &Optics) -> Fix {
    let scale = optics.nm_per_px;
    Fix {
        x_px: row.x_nm / scale - f64::from(row.roi_x_px),
        y_px: row.y_nm / scale - f64::from(row.roi_y_px),
        sigma_x_px: (f64::from(row.sigma_x_nm) / scale) as f32,
        sigma_y_px: (f64::from(row.sigma_y_nm) / scale) as f32,
        quality: row.quality,
        flags: row.flags,
        ..Fix::EMPTY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(x_px: i32, y_px: i32) -> Row {
        Row {
            frame: 5,
            bead: 2,
            time_ns: None,
            x_nm: 100.0 * (f64::from(x_px) + 3.25),
            y_nm: 100.0 * (f64::from(y_px) + 1.5),
            z_nm: f64::NAN,
            sigma_x_nm: 2.0,
            sigma_y_nm: f32::NAN,
            sigma_z_nm: f32::NAN,
            quality: 1.0,
            flags: 0,
            roi_x_px: x_px,
            roi_y_px: y_px,
        }
    }

    #[test]
    fn a_roi_is_cut_where_its_row_says_and_never_beyond_the_frame() {
        let frame: Vec<u8> = (0..6 * 4).collect();
        let format = CameraFormat::packed(6, 4, abi::PIXEL_MONO8, 8);
        let cut_at = |x, y| {
            let mut roi = Vec::new();
            cut(&frame, &row(x, y), 2, &format, &mut roi).then_some(roi)
        };
        assert_eq!(cut_at(1, 2), Some(vec![13, 14, 19, 20]));
        assert_eq!(cut_at(4, 2), Some(vec![16, 17, 22, 23]));
        assert_eq!([cut_at(5, 0), cut_at(0, 3), cut_at(-1, 0)], [None, None, None]);
        let words = CameraFormat::packed(3, 4, abi::PIXEL_MONO16, 12);
        let mut roi = Vec::new();
        assert!(cut(&frame, &row(1, 1), 2, &words, &mut roi));
        assert_eq!(roi, [8, 9, 10, 11, 14, 15, 16, 17]);
    }

    #[test]
    fn a_row_goes_back_to_the_position_in_its_roi() {
        let fix = fix_of(&row(10, 20), &Optics::new(100.0));
        assert!((fix.x_px - 3.25).abs() < 1e-12 && (fix.y_px - 1.5).abs() < 1e-12);
        assert!((fix.sigma_x_px - 0.02).abs() < 1e-9 && fix.sigma_y_px.is_nan() && fix.z_nm.is_nan());
    }
}
