//! What begins a recording, on the jobs thread: its folder, its metadata, a copy of the Z-LUT, and the threads that write.

use crate::RunError;
use crate::control::{RecordingRequest, Refusal, Snapshot};
use crate::engine::Input;
use crate::engine::meters::Meters;
use crate::engine::recorder::{self, Inlet, RecorderSetup, VideoShape};
use crate::engine::times::utc_now_ns;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use tetherscope_files::{RecordingOptions, RecordingWriter, StoredZlut, TrackSetOptions};

/// Names with a number behind them that are tried when the date is taken.
const MOST_NAMES: u32 = 1000;

/// What a recording is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::control) enum Purpose {
    Recording,
    Capture,
}

/// What begins a recording, off the control thread.
pub(in crate::engine::control) struct Begin {
    pub(in crate::engine::control) request: RecordingRequest,
    pub(super) purpose: Purpose,
    pub(super) snapshot: Snapshot,
    pub(super) camera: String,
    pub(super) zlut: Option<Arc<StoredZlut>>,
    pub(super) shape: Option<VideoShape>,
    pub(super) inlet: Inlet,
    pub(super) needed: u64,
    pub(super) meters: Arc<Meters>,
    pub(super) inputs: Sender<Input>,
}

impl Begin {
    pub(in crate::engine::control) fn begin(self) -> Result<(Inlet, PathBuf, JoinHandle<()>), Refusal> {
        let zlut_file = self.zlut.as_ref().map(|z| match **z {
            StoredZlut::Own(_) => "zlut.zlut",
            StoredZlut::MagScope(_) => "zlut.txt",
        });
        let mut sections = recorder::sections(&self.snapshot, &self.camera, zlut_file);
        sections.insert("operator".into(), self.request.operator.clone().into());
        sections.insert("notes".into(), self.request.notes.clone().into());
        let description = serde_json::json!({ "tracker": sections.get("tracker"), "zlut": sections.get("zlut") });
        let options = RecordingOptions {
            sections,
            track_sets: match self.purpose {
                Purpose::Recording => vec![TrackSetOptions { id: "main".into(), description }],
                Purpose::Capture => Vec::new(),
            },
            frames: None,
            rois: None,
            // The engine says when, so that an event names the frame.
            rotate_every: None,
            needed_bytes: self.needed,
        };
        let folder = folder_of(&self.request, self.purpose);
        let writer = RecordingWriter::create(&folder, &options).map_err(RunError::from)?;
        if let (Some(stored), Some(file)) = (&self.zlut, zlut_file) {
            let to = folder.join(file);
            match &**stored {
                StoredZlut::Own(zlut) => tetherscope_files::write_zlut(&to, zlut),
                StoredZlut::MagScope(table) => tetherscope_files::write_zlut_text(&to, table),
            }
            .map_err(RunError::from)?;
        }
        let setup = RecorderSetup {
            writer,
            inlet: self.inlet.clone(),
            meters: self.meters,
            inputs: self.inputs,
            stack: self.shape,
        };
        let thread = recorder::start(setup)?;
        Ok((self.inlet, folder, thread))
    }
}

/// The recording's own folder: the name that was given, or date and time, with a number if that is taken.
fn folder_of(request: &RecordingRequest, purpose: Purpose) -> PathBuf {
    match purpose {
        Purpose::Recording if !request.name.is_empty() => request.folder.join(&request.name),
        Purpose::Recording => free_name(&request.folder, &utc_name(utc_now_ns())),
        Purpose::Capture => free_name(&request.folder, &format!("capture-{}", utc_name(utc_now_ns()))),
    }
}

/// A name that nothing has in this folder.
fn free_name(folder: &Path, name: &str) -> PathBuf {
    let numbered = (2..MOST_NAMES).map(|n| folder.join(format!("{name}-{n}")));
    let mut all = std::iter::once(folder.join(name)).chain(numbered);
    all.find(|p| !p.exists()).unwrap_or_else(|| folder.join(name))
}

/// UTC as a name that sorts: `2026-11-27T22-38-12Z`.
fn utc_name(utc_ns: i64) -> String {
    let at = jiff::Timestamp::from_nanosecond(utc_ns.into()).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H-%M-%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_date_and_time_in_utc() {
        assert_eq!(utc_name(0), "1970-01-01T00-00-00Z");
        assert_eq!(utc_name(951_782_399_000_000_000), "2000-02-28T23-59-59Z");
        assert_eq!(utc_name(951_782_400_000_000_000), "2000-02-29T00-00-00Z");
        assert_eq!(utc_name(1_795_819_092_123_456_789), "2026-11-27T22-38-12Z");
    }
}
