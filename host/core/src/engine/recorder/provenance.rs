//! What must be known to understand a recording and to track it again: written into its metadata at the start.

use crate::control::{MethodView, Snapshot};
use crate::isa::isa;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// One section of the metadata.
pub(crate) type Setting = (String, Value);

/// A method with the values of its parameters.
pub(crate) fn method(m: &MethodView) -> Value {
    let parameters: serde_json::Map<String, Value> =
        m.parameters.iter().map(|p| (p.key.clone(), p.value.clone())).collect();
    json!({ "id": m.method, "version": m.version, "hash": m.hash, "isolated": m.isolated, "parameters": parameters })
}

/// All sections, of the experiment as it stands. `zlut_file` names the copy of the Z-LUT within the recording.
pub(crate) fn sections(s: &Snapshot, camera_version: &str, zlut_file: Option<&str>) -> BTreeMap<String, Value> {
    let settings: serde_json::Map<String, Value> =
        s.camera.settings.iter().map(|p| (p.key.clone(), p.value.clone())).collect();
    let beads: Vec<Value> = s
        .beads
        .iter()
        .map(|b| json!({ "bead": b.bead, "x_px": b.roi.x_px, "y_px": b.roi.y_px, "role": b.role }))
        .collect();
    let zlut = s.zlut.as_ref().map(
        |z| json!({ "file": zlut_file, "path": z.path, "unchecked": z.unchecked, "strategy": method(&z.strategy) }),
    );
    let of: [Setting; 12] = [
        ("optics".into(), json!(s.optics)),
        (
            "camera".into(),
            json!({
                "id": s.camera.method, "label": camera_version, "device": s.camera.device,
                "isolated": s.camera.isolated, "settings": settings, "format": s.camera.format,
            }),
        ),
        ("tracker".into(), method(&s.tracking.tracker)),
        ("zlut".into(), json!(zlut)),
        ("beads".into(), Value::Array(beads)),
        ("roi_size_px".into(), s.roi_size_px.into()),
        ("mode".into(), json!(s.tracking.mode)),
        ("batch".into(), json!(s.tracking.batch)),
        ("isa".into(), isa().into()),
        ("os".into(), format!("{} {}", std::env::consts::OS, std::env::consts::ARCH).into()),
        ("program_version".into(), env!("CARGO_PKG_VERSION").into()),
        ("interface_version".into(), tetherscope_loader::host_version().to_string().into()),
    ];
    of.into_iter().collect()
}
