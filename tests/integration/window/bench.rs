//! `bench window`: every figure is there, from a real window. What they are worth after a second is nobody's business here.

use super::screen::{self, Screen};
use crate::harness::scratch;

#[test]
fn a_renderer_that_the_environment_overrules_is_not_measured_under_another_name() {
    let folder = crate::harness::scratch("window-bench-env");
    let args = "bench in-window --renderer gpu --seconds 0 --rate 20 --pictures 20";
    let ran = std::process::Command::new(crate::harness::program())
        .args(args.split_whitespace())
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("ICED_BACKEND", "tiny-skia")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(2), "{told}");
    assert!(told.contains("ICED_BACKEND"), "{told}");
}

#[test]
fn every_figure_of_the_window_is_measured() {
    if let Some(tool) = screen::missing() {
        eprintln!("passed over: {tool} is not installed");
        return;
    }
    let folder = scratch("window-bench");
    let args = "bench window --json --renderer cpu --seconds 1 --starts 2 --rate 20 --folder here";
    let args: Vec<&str> = args.split_whitespace().collect();
    let mut screen = Screen::start(folder.path(), &args);
    let (code, said) = (screen.ended(), screen.said());
    assert_eq!(code, 0, "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}"));
    let row = &report["rows"][0];
    assert!(row["what"].as_str().unwrap().starts_with("window, drawn on the CPU"), "{row:#}");
    let value = |name: &str| {
        let value = &row["values"][name]["value"];
        value.as_f64().unwrap_or_else(|| panic!("`{name}` is {value} in {row:#}"))
    };
    let (fastest, slowest) = (value("start to first picture, fastest"), value("start to first picture, slowest"));
    assert!(0.0 < fastest && fastest <= slowest, "{row:#}");
    for name in ["pictures drawn", "frames that came", "memory, at the beginning", "memory, at the end"] {
        assert!(value(name) > 0.0, "{name}: {row:#}");
    }
    assert_eq!(value("frames without explanation"), 0.0);
    if cfg!(target_os = "linux") {
        // Elsewhere the system does not tell the CPU time of threads.
        assert!(value("CPU") > value("CPU, the window's thread") && value("CPU, the window's thread") > 0.0, "{row:#}");
        assert_eq!(value("CPU, threads of the graphics driver"), 0.0);
    }
}
