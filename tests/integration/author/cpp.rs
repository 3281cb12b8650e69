//! The C++ layer's own rules: whatever a plugin throws becomes a status and a sentence and the next call works, pixels and
//! rows outside are not reached, and a schema arrives as it was written.

use super::{Made, can_build, load, repository, scratch};
use crate::harness::{Language, compiler};
use std::sync::LazyLock;
use tetherscope_loader::abi::{
    PIXEL_MONO8, PIXEL_MONO16, STATUS_BUSY, STATUS_INTERNAL, STATUS_OUT_OF_MEMORY, STATUS_PANICKED, Status,
};
use tetherscope_loader::{Component, Kind, PluginError, RoiSet, TrackBuffers, Tracker, Value, WorkerConfig};

const ID: &str = "tracker.fixture.throwing";

/// The fixture, compiled with the strictest warnings; None without a compiler.
fn throwing() -> Option<&'static Component> {
    static LOADED: LazyLock<Option<(tempfile::TempDir, Component)>> = LazyLock::new(|| {
        let mut command = can_build("cpp").then(|| compiler(Language::Cpp)).flatten()?;
        let folder = scratch("throwing");
        let library = folder.path().join(format!("libthrowing{}", std::env::consts::DLL_SUFFIX));
        command.args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Werror"]);
        command.args(["-fPIC", "-shared", "-fvisibility=hidden", "-I"]).arg(repository().join("plugin-api/c"));
        super::fine(
            &command
                .arg(repository().join("tests/fixtures/cpp/throwing.cpp"))
                .arg("-o")
                .arg(&library)
                .output()
                .unwrap(),
        );
        let (_, component) = load(&Made { id: ID.into(), library });
        Some((folder, component))
    });
    LOADED.as_ref().map(|(_, component)| component)
}

/// Two ROIs of 3 × 2 px in a frame of 6 × 2 px.
fn track(where_: &str, what: &str, wide: bool) -> Result<Vec<(f64, f64)>, PluginError> {
    let component = throwing().expect("asked before");
    let params = component.params([("where", where_), ("what", what)]).unwrap();
    let pixels: Vec<u16> = (0..12).map(|v| v * if wide { 300 } else { 20 }).collect();
    let bytes: Vec<u8> = pixels.iter().map(|&v| v as u8).collect();
    let size = if wide { 2 } else { 1 };
    let offsets = [0, 3 * size];
    let rois = RoiSet {
        memory: if wide { pixels.as_slice().into() } else { bytes.as_slice().into() },
        offsets: &offsets,
        row_stride_bytes: 6 * size,
        pixel_stride_bytes: size as u32,
        w_px: 3,
        h_px: 2,
        pixel_format: if wide { PIXEL_MONO16 } else { PIXEL_MONO8 },
        bead_ids: &[0, 1],
        frame_indices: &[0, 0],
    };
    let config = WorkerConfig { pixel_format: rois.pixel_format, ..WorkerConfig::mono8(3, 2, 2) };
    let mut worker = Tracker::create(component, params)?.worker(&config)?;
    let mut out = TrackBuffers::default();
    worker.track(&rois, &mut out)?;
    if where_ == "explain" {
        worker.explain(&RoiSet { offsets: &offsets[..1], bead_ids: &[0], frame_indices: &[0], ..rois })?;
    }
    Ok(out.fixes.iter().map(|f| (f.x_px, f.y_px)).collect())
}

#[test]
fn pixels_of_8_and_16_bits_are_read_in_place() {
    if throwing().is_none() {
        return;
    }
    assert_eq!(track("nowhere", "error", false).unwrap(), [(0.0, 160.0), (60.0, 220.0)]);
    assert_eq!(track("nowhere", "error", true).unwrap(), [(0.0, 2400.0), (900.0, 3300.0)]);
}

#[test]
fn whatever_is_thrown_becomes_a_status_and_a_sentence_and_the_next_call_works() {
    if throwing().is_none() {
        return;
    }
    let thrown: [(&str, Status, &str); 4] = [
        ("error", STATUS_BUSY, "told to be busy"),
        ("exception", STATUS_PANICKED, "the plugin threw: told to throw"),
        ("memory", STATUS_OUT_OF_MEMORY, "memory"),
        ("number", STATUS_INTERNAL, "no std::exception"),
    ];
    for where_ in ["create", "worker", "track", "explain"] {
        for (what, status, words) in thrown {
            let e = track(where_, what, false).unwrap_err();
            assert_eq!((e.function, e.status), (where_, status), "{e}");
            assert!(e.message.contains(words), "{e}");
            assert!(track("nowhere", what, false).is_ok());
        }
    }
}

#[test]
fn a_pixel_or_a_row_outside_is_an_error_and_not_read() {
    if throwing().is_none() {
        return;
    }
    for (where_, words) in [("beyond", "pixel outside"), ("row", "beyond the end")] {
        let e = track(where_, "error", false).unwrap_err();
        assert!(e.status == STATUS_PANICKED && e.message.contains(words), "{e}");
    }
}

#[test]
fn a_schema_written_in_cpp_arrives_as_it_was_meant() {
    let Some(component) = throwing() else { return };
    let info = component.info();
    assert_eq!((info.kind, info.id.as_str(), info.summary.as_str()), (Kind::Tracker, ID, "A µm."));
    let p = |key: &str| info.parameters.iter().find(|p| p.key == key).unwrap();
    assert_eq!(p("where").choices.len(), 7);
    assert_eq!((p("count").default.clone(), p("count").level.as_str()), (Value::Int(-3), "expert"));
    let ratio = p("ratio");
    assert_eq!((ratio.default.clone(), ratio.unit.as_str(), ratio.step), (Value::Float(0.1), "px", Some(0.25)));
    assert_eq!((ratio.min, ratio.max, ratio.change.as_str()), (Some(1e-300), Some(1e22), "idle"));
    assert_eq!(
        (p("switch").default.clone(), p("switch").invalidates.as_slice()),
        (Value::Bool(true), &["zlut".to_owned(), "geometry".to_owned()][..])
    );
    let label = p("label");
    assert_eq!(
        (label.default.clone(), label.old_names.as_slice()),
        (Value::Text("a \"b\"".into()), &["tag".to_owned()][..])
    );
    assert_eq!(label.value_before, Some(Value::Text("before".into())));
}
