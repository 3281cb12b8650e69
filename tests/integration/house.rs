//! Rules of the house that a compiler does not keep: who may import whom, where unsafe code lives, and that the README's
//! commands are the ones that run.

use super::harness::repository;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Who may depend on whom among our own packages. Anything else is a new edge, and a new edge is a decision.
fn may_depend(from: &str, to: &str) -> bool {
    const PLUGINS: [&str; 9] = [
        "sim",
        "camera-replay",
        "tracker-magtrack",
        "tracker-quadrant",
        "tracker-radial-symmetry",
        "zlut-correlation",
        "zlut-spline",
        "zlut-joint",
        "finder-ncc",
    ];
    let from = from.strip_prefix("tetherscope-").unwrap_or(from);
    let to = to.strip_prefix("tetherscope-").unwrap_or(to);
    match from {
        "tetherscope" => ["core", "files", "analysis", "check"].contains(&to),
        "core" => ["loader", "files", "analysis"].contains(&to),
        "check" => ["loader", "analysis", "kernels"].contains(&to),
        "analysis" => to == "kernels",
        "loader" | "files" => to == "plugin-api",
        "plugin-api" | "kernels" => false,
        "tests" => !PLUGINS.contains(&to),
        "accuracy-sweep" => ["core", "files", "analysis", "kernels"].contains(&to),
        plugin if PLUGINS.contains(&plugin) => ["plugin-api", "kernels"].contains(&to),
        other => panic!("the package {other} has no rule: say in may_depend whom it may import"),
    }
}

#[test]
fn packages_import_only_whom_the_architecture_allows() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut edges = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let from = package["name"].as_str().unwrap();
        for dependency in package["dependencies"].as_array().unwrap() {
            let to = dependency["name"].as_str().unwrap();
            if to.starts_with("tetherscope") {
                edges += 1;
                assert!(may_depend(from, to), "{from} must not import {to}");
            }
        }
    }
    assert!(edges >= 10, "only {edges} edges were seen: the test reads the wrong thing");
}

/// Rust files below a folder.
fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_none_or(|n| n != "target") {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn unsafe_code_lives_only_in_the_files_that_the_architecture_names() {
    let root = repository();
    let architecture = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let mut files = Vec::new();
    for folder in ["host", "plugins"] {
        rust_files(&root.join(folder), &mut files);
    }
    let mut with_unsafe = BTreeSet::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        if text.lines().any(|l| !l.trim_start().starts_with("//") && l.contains("unsafe ")) {
            let name = file.strip_prefix(&root).unwrap().components().map(|c| c.as_os_str().to_string_lossy());
            with_unsafe.insert(name.collect::<Vec<_>>().join("/"));
        }
    }
    assert!(with_unsafe.len() > 5, "only {with_unsafe:?}: the test reads the wrong thing");
    let unnamed: Vec<&String> = with_unsafe.iter().filter(|f| !architecture.contains(&format!("`{f}`"))).collect();
    assert!(unnamed.is_empty(), "ARCHITECTURE.md does not name these files with unsafe code: {unnamed:?}");
}

#[test]
fn ci_runs_the_test_command_of_the_readme() {
    let root = repository();
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let ci = std::fs::read_to_string(root.join(".ci").join("run")).unwrap();
    let commands: Vec<&str> = readme.lines().map(str::trim).filter(|l| l.starts_with("cargo ")).take(2).collect();
    assert_eq!(commands, ["cargo run --release -- demo", "cargo test --workspace"]);
    for command in commands {
        assert!(ci.lines().any(|l| l.trim().ends_with(command)), ".ci/run does not run `{command}`");
    }
}
