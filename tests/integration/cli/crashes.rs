//! The program after a plugin took it down: it says so, isolates the plugin, comes through, and lets the user lift it.
#![cfg(unix)]

use super::{Ran, command, rig};
use crate::harness::{alone, rust_fixture, scratch};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

struct Experiment {
    folder: tempfile::TempDir,
    plugins: tempfile::TempDir,
}

impl Experiment {
    fn new() -> Self {
        let folder = scratch("took-down");
        std::fs::write(folder.path().join("rois.csv"), "bead,x_px,y_px,w_px,h_px\n1,20,20,32,32\n13,60,20,32,32\n")
            .unwrap();
        Self { folder, plugins: alone([rust_fixture("crashing")]) }
    }

    /// The signal that ended the program, or how it ran.
    fn tetherscope(&self, args: &[&str]) -> Result<Ran, i32> {
        let plugins = self.plugins.path().display().to_string();
        let args = [args, &["--json", "--plugin-dir", &plugins]].concat();
        let output = command(self.folder.path(), &self.folder.path().join("cache"), &args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        match output.status.signal() {
            Some(signal) => Err(signal),
            None => Ok(Ran {
                code: output.status.code().unwrap(),
                stdout: text(output.stdout),
                stderr: text(output.stderr),
            }),
        }
    }

    fn track(&self, fault: &str, out: &str) -> Result<Ran, i32> {
        let (video, fault) = (rig().path("video.tif"), format!("fault={fault}"));
        let files = ["track", &video, "--rois", "rois.csv", "--out", out, "--nm-per-px", "100"];
        self.tetherscope(&[&files[..], &["--tracker", "tracker.fixture.crash", "--param", &fault]].concat())
    }

    /// Whether the list says that the fixture is isolated, and why.
    fn listed(&self) -> (bool, serde_json::Value) {
        let ran = self.tetherscope(&["plugins", "list"]).unwrap();
        let list = ran.json();
        let of_fixture = |c: &&serde_json::Value| c["component"]["id"] == "tracker.fixture.crash";
        let component = list["components"].as_array().unwrap().iter().find(of_fixture).unwrap().clone();
        (component["isolated"].as_bool().unwrap(), component["crashed"].clone())
    }
}

#[test]
fn a_plugin_that_took_the_program_down_is_isolated_at_the_next_start_which_says_so_until_it_is_forgiven() {
    let experiment = Experiment::new();
    assert_eq!(experiment.listed(), (false, serde_json::Value::Null));
    let died_of = experiment.track("segfault", "rows.csv").err();
    assert_eq!(died_of, Some(11), "in the program's own process nothing holds a crash back");
    assert!(!Path::new(&experiment.folder.path().join("rows.csv")).exists(), "half a file is no file");

    let again = experiment.track("segfault", "rows.csv").unwrap();
    assert_eq!(again.code, 1, "{}\n{}", again.stdout, again.stderr);
    for words in [
        "warning: tracker.fixture.crash 1.0.0",
        "it took Tetherscope down in `track`",
        "segmentation fault, signal 11",
        "plugins forgive tracker.fixture.crash",
    ] {
        assert!(again.stderr.contains(words), "`{words}` is not in\n{}", again.stderr);
    }
    let rows = tetherscope_files::read_rows(experiment.folder.path().join("rows.csv")).unwrap();
    assert_eq!(rows.len(), 2 * 40);

    let (isolated, crashed) = experiment.listed();
    assert!(isolated && crashed["certain"] == true, "{crashed}");
    assert!(crashed["cause"].as_str().unwrap().contains("segmentation fault"), "{crashed}");
    let inspected = experiment.tetherscope(&["plugins", "inspect", "tracker.fixture.crash"]).unwrap().json();
    assert_eq!(inspected["crashed"], crashed);

    experiment.tetherscope(&["plugins", "forgive", "tracker.other"]).unwrap().refused(&["tracker.fixture.crash"]);
    let forgiven = experiment.tetherscope(&["plugins", "forgive", "tracker.fixture.crash"]).unwrap();
    assert_eq!(forgiven.fine()["forgiven"][0], crashed);
    assert_eq!(experiment.listed(), (false, serde_json::Value::Null));
    let fine = experiment.track("none", "fine.csv").unwrap();
    assert!(fine.code == 0 && !fine.stderr.contains("warning"), "{}", fine.stderr);
}
