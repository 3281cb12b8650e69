//! The methods that a recording was made with, as its metadata say, or others instead.

use crate::chain::Chain;
use crate::control::MethodChoice;
use crate::engine::{read_zlut_choice, resolve_method};
use crate::error::RunError;
use crate::isa::isa;
use crate::piece::ROIS_PER_CALL;
use crate::plan::Tables;
use crate::zlut::load_stored_zlut;
use crate::{Optics, RowMaker};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tetherscope_files::{GreyDepth, PlaneFormat, Recording};
use tetherscope_loader::{CameraFormat, Component, Kind, ParamSet, Registry, Tracker, ZlutStrategy, abi};

/// Methods for a rerun.
#[derive(Debug, Clone, Default)]
pub struct RerunMethods {
    /// The tracker.
    pub tracker: MethodChoice,
    /// A Z-LUT file and, unless the one that made it, a strategy; None: x and y only.
    pub zlut: Option<(PathBuf, Option<MethodChoice>)>,
}

/// Everything that frames are tracked again with.
pub(super) struct Methods {
    pub(super) chain: Arc<Chain>,
    pub(super) tables: Option<Tables>,
    pub(super) optics: Optics,
    pub(super) format: CameraFormat,
    pub(super) maker: RowMaker,
    pub(super) roi_size_px: u32,
    /// Planes are ROIs, not frames.
    pub(super) planes_are_rois: bool,
    pub(super) notes: Vec<String>,
}

fn unusable(recording: &Recording, cause: impl Into<String>) -> RunError {
    RunError::refused(
        format!("cannot track {} again", recording.dir().display()),
        cause,
        "name the methods to use: --tracker, --zlut",
    )
}

/// A method as a section tells it, resolved to the same build if it is there.
fn stored_method(
    registry: &Registry,
    recording: &Recording,
    kind: Kind,
    section: &Value,
    notes: &mut Vec<String>,
) -> Result<(Component, ParamSet), RunError> {
    let text = |key: &str| section.get(key).and_then(Value::as_str).unwrap_or_default();
    let (id, version, hash) = (text("id"), text("version"), text("hash"));
    if id.is_empty() {
        return Err(unusable(recording, format!("its metadata name no {}", kind.name())));
    }
    let same_build = hash.get(..8).and_then(|h| registry.resolve(kind, &format!("{id}#{h}")).ok());
    let component = match same_build {
        Some(c) => c,
        None => {
            let other = registry.resolve(kind, id)?;
            notes.push(format!(
                "{id} {version} ({}) is not there; used {} ({}): results may differ",
                hash.get(..8).unwrap_or(hash),
                other.label(),
                &other.hash()[..8]
            ));
            other
        }
    };
    let empty = serde_json::Map::new();
    let params = section.get("parameters").and_then(Value::as_object).unwrap_or(&empty);
    Ok((component.clone(), component.stored_params(params)?))
}

/// Refuses a recording whose methods were changed while it was written.
fn refuse_changes(recording: &Recording) -> Result<(), RunError> {
    let first = recording.metadata().sections.get("first_frame").and_then(Value::as_u64).unwrap_or(0);
    let (events, _) = recording.events()?;
    let methods_changed = |e: &&tetherscope_files::EventRecord| {
        let command = e.data.get("command");
        let does = command.and_then(|c| c.get("do"));
        let area = command.and_then(|c| c.get("area")).and_then(Value::as_str);
        let tracker = area == Some("tracking") && does.is_some_and(|d| d.get("set_tracker").is_some());
        e.frame.is_some_and(|f| f > first) && (tracker || area == Some("zlut"))
    };
    match events.iter().find(methods_changed) {
        None => Ok(()),
        Some(e) => Err(unusable(
            recording,
            format!("its methods were changed at frame {}: no one setting made all of it", e.frame.unwrap_or(0)),
        )),
    }
}

fn section(recording: &Recording, name: &str) -> Value {
    recording.metadata().sections.get(name).cloned().unwrap_or_default()
}

/// Scale and noise as they were recorded.
pub(crate) fn recorded_optics(recording: &Recording) -> Result<Optics, RunError> {
    serde_json::from_value(section(recording, "optics"))
        .map_err(|e| unusable(recording, format!("its metadata do not tell its optics: {e}")))
}

/// Size of the ROIs as it was recorded.
pub(crate) fn recorded_roi_size_px(recording: &Recording) -> Result<u32, RunError> {
    let size = section(recording, "roi_size_px").as_u64().and_then(|s| u32::try_from(s).ok());
    size.ok_or_else(|| unusable(recording, "its metadata do not tell the size of ROIs"))
}

/// The tracker that is asked for, or the one that all of the recording was made with.
pub(crate) fn tracker_of(
    registry: &Registry,
    recording: &Recording,
    other: Option<&MethodChoice>,
    notes: &mut Vec<String>,
) -> Result<Arc<Tracker>, RunError> {
    let (component, params) = match other {
        Some(choice) => resolve_method(registry, Kind::Tracker, choice)?,
        None => {
            refuse_changes(recording)?;
            stored_method(registry, recording, Kind::Tracker, &section(recording, "tracker"), notes)?
        }
    };
    Ok(Tracker::create(&component, params)?)
}

impl Methods {
    pub(super) fn resolve(
        registry: &Registry,
        recording: &Recording,
        others: Option<&RerunMethods>,
        plane: &PlaneFormat,
    ) -> Result<Self, RunError> {
        let (optics, roi_size_px) = (recorded_optics(recording)?, recorded_roi_size_px(recording)?);
        let mut notes = Vec::new();
        let then = section(recording, "isa").as_str().unwrap_or_default().to_owned();
        if then != isa() {
            notes.push(format!(
                "recorded with the instruction set {then}, tracked again with {}: last bits may differ",
                isa()
            ));
        }
        let planes_are_rois = !plane.beads.is_empty();
        let format = format_of(plane);
        let (tracker, zlut) = match others {
            Some(m) => {
                let tracker = tracker_of(registry, recording, Some(&m.tracker), &mut notes)?;
                let read = |(path, s): &(PathBuf, Option<MethodChoice>)| {
                    let c = read_zlut_choice(registry, path, s.as_ref())?;
                    Ok::<_, RunError>((c.strategy, c.stored, path.clone()))
                };
                let zlut = m.zlut.as_ref().map(read).transpose()?;
                (tracker, zlut)
            }
            None => {
                let tracker = tracker_of(registry, recording, None, &mut notes)?;
                (tracker, recorded_zlut(registry, recording, &mut notes)?)
            }
        };
        let config = optics.worker_config(&format, roi_size_px, roi_size_px, ROIS_PER_CALL as u32);
        let chain = Chain::new(tracker, zlut.as_ref().map(|(s, ..)| s.clone()), config)?;
        let tables = match zlut {
            None => None,
            Some((strategy, stored, path)) => {
                let loaded = load_stored_zlut(
                    &path,
                    (*stored).clone(),
                    &strategy,
                    chain.tracker(),
                    chain.layout(),
                    chain.config(),
                    &optics,
                )?;
                notes.extend(loaded.warnings);
                Some(loaded.tables)
            }
        };
        let maker = RowMaker::new(&optics, &format, None);
        Ok(Self { chain: Arc::new(chain), tables, optics, format, maker, roi_size_px, planes_are_rois, notes })
    }

    /// What a further track set was made with.
    pub(super) fn description(&self) -> Value {
        let method = |c: &Component, p: &ParamSet| json!({ "id": c.info().id, "version": c.info().version.to_string(), "hash": c.hash(), "parameters": p.to_json() });
        let tracker = self.chain.tracker();
        let strategy = self.chain.strategy();
        json!({
            "tracker": method(tracker.component(), tracker.params()),
            "zlut": strategy.map(|s| json!({ "strategy": method(s.component(), s.params()) })),
            "isa": isa(),
            "program_version": env!("CARGO_PKG_VERSION"),
            "rerun": true,
        })
    }
}

type RecordedZlut = (Arc<ZlutStrategy>, Arc<tetherscope_files::StoredZlut>, PathBuf);

/// The copy of the Z-LUT that lies in the recording, and who looked up in it.
fn recorded_zlut(
    registry: &Registry,
    recording: &Recording,
    notes: &mut Vec<String>,
) -> Result<Option<RecordedZlut>, RunError> {
    let Some(section) = recording.metadata().sections.get("zlut").filter(|z| !z.is_null()) else { return Ok(None) };
    let file = section.get("file").and_then(Value::as_str);
    let file = file.ok_or_else(|| unusable(recording, "its metadata do not tell where its Z-LUT is"))?;
    // A name within the recording, whatever the metadata say.
    let path = recording.dir().join(Path::new(file).file_name().unwrap_or_default());
    let strategy = section.get("strategy").cloned().unwrap_or_default();
    let (component, params) = stored_method(registry, recording, Kind::Zlut, &strategy, notes)?;
    let stored = tetherscope_files::read_zlut(&path)?;
    Ok(Some((ZlutStrategy::create(&component, params)?, Arc::new(stored), path)))
}

/// How recorded planes lie in memory.
pub(crate) fn format_of(plane: &PlaneFormat) -> CameraFormat {
    let code = if plane.depth == GreyDepth::U8 { abi::PIXEL_MONO8 } else { abi::PIXEL_MONO16 };
    CameraFormat::packed(plane.width_px, plane.height_px, code, plane.significant_bits)
}
