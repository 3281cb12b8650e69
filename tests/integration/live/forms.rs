//! Settings as forms see them: a camera with thirty of every kind, what it makes of them, and what it refuses. The settings
//! are kept as a file that the window's own tests make a form of.

use super::*;
use crate::harness::{bless_or_compare, repository, rust_fixture};
use tetherscope_core::control::SettingView;

fn rig() -> Rig {
    let child = Some(env!("CARGO_BIN_EXE_tetherscope-test-child").into());
    let options = SearchOptions { usual_places: false, child, cache: None, ..SearchOptions::default() };
    let mut registry = Registry::default();
    registry.load_file(&rust_fixture("thirty"), &options).unwrap_or_else(|e| panic!("{e}"));
    let rig = Rig::of(Arc::new(registry), EngineOptions::new(optics()));
    rig.ask(CameraCommand::Open { camera: choice("camera.fixture.thirty", &[]), device: String::new() });
    rig
}

fn set(rig: &Rig, key: &str, value: &str) -> Result<Answer, Refusal> {
    rig.try_ask(CameraCommand::Set { values: [(key.to_owned(), value.to_owned())].into() })
}

fn setting(rig: &Rig, key: &str) -> SettingView {
    rig.client.snapshot().camera.settings.iter().find(|s| s.key == key).unwrap().clone()
}

#[test]
fn thirty_settings_of_every_kind_come_whole_to_every_client() {
    let settings = rig().client.snapshot().camera.settings.clone();
    assert_eq!(settings.len(), 30);
    for kind in ["int", "float", "bool", "text", "choice"] {
        assert!(settings.iter().any(|s| s.kind == kind), "{kind}");
    }
    let text = serde_json::to_string_pretty(&settings).unwrap() + "\n";
    bless_or_compare(&repository().join("host/app/src/gui/widget/form/thirty.json"), &text);
}

#[test]
fn what_a_device_makes_of_a_value_is_read_back_and_a_refusal_names_the_setting() {
    let rig = rig();
    set(&rig, "exposure_ms", "12.6").unwrap();
    assert_eq!(setting(&rig, "exposure_ms").value, 12.5);
    let warm = set(&rig, "gain", "8").unwrap_err().to_string();
    assert!(warm.contains("gain") && warm.contains("30 °C"), "{warm}");
    assert_eq!(setting(&rig, "gain").value, 1.0);
    let fixed = set(&rig, "serial", "5").unwrap_err().to_string();
    assert!(fixed.contains("serial"), "{fixed}");
    let outside = set(&rig, "binning", "9").unwrap_err().to_string();
    assert!(outside.contains("binning"), "{outside}");
}
