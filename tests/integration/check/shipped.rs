//! Every plugin of the workspace passes the whole suite of its kind.

use super::{Mode, in_parallel, load, not_fine};
use crate::harness::{plugin, program, repository, scratch};
use std::process::Command;
use tetherscope_check::{Options, Outcome, check_component};
use tetherscope_loader::Kind;

/// The packages in `plugins/`; the numerics are no plugin.
fn packages() -> Vec<String> {
    let folders = std::fs::read_dir(repository().join("plugins")).unwrap().map(|e| e.unwrap());
    let named = folders.filter(|e| e.path().join("Cargo.toml").is_file()).map(|e| e.file_name().into_string().unwrap());
    named.filter(|name| name != "kernels").collect()
}

#[test]
fn every_shipped_plugin_passes_the_whole_suite_of_its_kind() {
    let folder = scratch("shipped");
    let video = folder.path().join("video.tif");
    let args =
        "simulate --nm-per-px 100 --fixed 2 --tethered 0 --size 256x128 --frames 40 --out video.tif --truth truth.csv";
    let made = Command::new(program()).args(args.split(' ')).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let kinds = std::sync::Mutex::new(Vec::new());
    // A camera and a stage of one library share a bench: one after the other.
    in_parallel(&packages(), |package| {
        for component in load(&plugin(package)).components() {
            let info = component.info();
            let path = video.display().to_string();
            let params: &[(&str, &str)] = match info.id.as_str() {
                "camera.replay" => &[("path", &path)],
                // Small frames: the suite is about what they are like, not about how many pixels they have.
                "camera.sim" => &[("width_px", "128"), ("height_px", "128"), ("n_fixed", "1"), ("n_tethered", "0")],
                _ => &[],
            };
            let params = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let options = Options { mode: Mode::InProcess, params, ..Options::default() };
            let findings = check_component(component, &options, |_| {});
            let bad = findings.iter().any(|f| f.outcome.is_failure() || matches!(f.outcome, Outcome::Warning(_)));
            assert!(!bad, "{}:\n{}", info.id, not_fine(&findings).join("\n"));
            let n_passed = findings.iter().filter(|f| f.outcome == Outcome::Success).count();
            assert!(n_passed * 2 > findings.len(), "{}: most is skipped\n{}", info.id, not_fine(&findings).join("\n"));
            println!("{}: {n_passed} passed, {}", info.id, not_fine(&findings).join(", "));
            kinds.lock().unwrap().push(info.kind);
        }
    });
    let kinds = kinds.into_inner().unwrap();
    assert!(Kind::ALL.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
}
