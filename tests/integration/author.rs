//! What an author of plugins gets: `plugins new` for every kind and language, the examples, `tetherscope.hpp`, and the
//! tutorial. Each plugin is built as its README says, passes its own test, and does its job in the loader.
//!
//! `methods` has the methods at work on simulated beads, `devices` camera and stage, `examples` the checked-in examples,
//! `refusals` what `plugins new` does not do, `cpp` the C++ layer's own rules, `tutorial` the tutorial, word for word.

mod cpp;
mod devices;
mod examples;
mod methods;
mod refusals;
mod tutorial;

use super::harness::{self, alone, program, repository, scratch};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;
use tetherscope_loader::{Component, Kind, Registry, SearchOptions};

const LANGUAGES: [&str; 3] = ["rust", "c", "cpp"];

/// A program of `plugins new`, built.
#[derive(Clone)]
struct Made {
    /// `tracker.test.new-c`.
    id: String,
    library: PathBuf,
}

/// The folder of the fixtures, which the Rust plugins are built into: what they depend on is there already.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("cargo's folder for tests lies in the target")
        .join("fixtures")
}

/// The program, with a cache of its own for the whole test run.
fn tetherscope(folder: &Path, args: &[&str]) -> Output {
    static CACHE: LazyLock<tempfile::TempDir> = LazyLock::new(|| scratch("author-cache"));
    let mut command = Command::new(program());
    command.args(args).current_dir(folder).env("XDG_CACHE_HOME", CACHE.path()).env_remove("TETHERSCOPE_PLUGIN_PATH");
    command.stdin(Stdio::null()).output().unwrap()
}

/// Standard output as text, or the end of the test with everything that was said.
#[track_caller]
fn fine(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{:?}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// Writes a new plugin into `folder` and gives the report.
fn new_plugin(name: &str, kind: &str, lang: &str, folder: &Path) -> serde_json::Value {
    let out = folder.display().to_string();
    let written = tetherscope(
        folder.parent().expect("a folder in a folder"),
        &["plugins", "new", name, "--kind", kind, "--lang", lang, "--out", &out, "--json"],
    );
    serde_json::from_str(&fine(&written)).unwrap()
}

/// True where a plugin in this language can be built.
fn can_build(lang: &str) -> bool {
    match lang {
        "rust" => true,
        _ if cfg!(windows) => false,
        "c" => harness::compiler(harness::Language::C).is_some(),
        _ => harness::compiler(harness::Language::Cpp).is_some(),
    }
}

/// A plugin as `plugins new` writes it: built, and its own test passed. Made once; None without a compiler.
fn made(kind: Kind, lang: &'static str) -> Option<Made> {
    type Known = Vec<((Kind, &'static str), Made)>;
    static MADE: Mutex<Known> = Mutex::new(Vec::new());
    static FOLDERS: LazyLock<tempfile::TempDir> = LazyLock::new(|| scratch("author"));
    if !can_build(lang) {
        return None;
    }
    let mut known = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, made)) = known.iter().find(|(key, _)| *key == (kind, lang)) {
        return Some(made.clone());
    }
    let name = format!("test.new-{lang}");
    let folder = FOLDERS.path().join(format!("{}-{lang}", kind.name()));
    let report = new_plugin(&name, kind.name(), lang, &folder);
    let library = build(&folder, lang, &report);
    let made = Made { id: format!("{}.{name}", kind.name()), library };
    assert_eq!(report["id"], made.id);
    known.push(((kind, lang), made.clone()));
    Some(made)
}

/// Runs the commands that the report names; those of cargo without network and into the shared target.
fn build(folder: &Path, lang: &str, report: &serde_json::Value) -> PathBuf {
    let commands = report["commands"].as_array().unwrap().iter().map(|c| c.as_str().unwrap());
    let library = report["library"].as_str().unwrap();
    for command in commands.filter(|c| !c.starts_with("tetherscope ")) {
        if lang == "rust" {
            cargo(folder, command);
        } else {
            fine(&Command::new("sh").args(["-e", "-c", command]).current_dir(folder).output().unwrap());
        }
    }
    match lang {
        "rust" => target().join(library.strip_prefix("target/").unwrap().replacen("release/", "debug/", 1)),
        _ => folder.join(library),
    }
}

/// One of the commands for cargo, under the lock of all builds. Not optimised for release: once is enough.
fn cargo(folder: &Path, command: &str) {
    let verb = if command == "cargo test" { "test" } else { "build" };
    assert!(["cargo test", "cargo build --release"].contains(&command), "another command than the README's: {command}");
    std::fs::create_dir_all(target()).unwrap();
    let lock = File::create(target().join("harness.lock")).unwrap();
    lock.lock().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // As the fixtures are built, so that what they depend on is shared; warnings are defects of a template.
    let flags = ["--quiet", "--offline", "--config", "profile.dev.debug=false", "--target-dir"];
    let output = Command::new(cargo).arg(verb).args(flags).arg(target()).current_dir(folder).output().unwrap();
    fine(&output);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("warning"), "{command} in {}:\n{said}", folder.display());
}

/// The one component of a library, loaded here.
fn load(made: &Made) -> (Registry, Component) {
    let folder = alone([&made.library]);
    let options = SearchOptions {
        plugin_dirs: vec![folder.path().to_owned()],
        usual_places: false,
        child: Some(env!("CARGO_BIN_EXE_tetherscope-test-child").into()),
        cache: None,
        probe_limit: Duration::from_secs(60),
        ..SearchOptions::default()
    };
    let registry = Registry::scan(&options);
    assert!(registry.refused().is_empty(), "{:?}", registry.refused());
    let component = registry.find(&made.id).unwrap().clone();
    (registry, component)
}

/// Every plugin of a language: builds, passes its own test, loads under its name, and passes the suite.
fn all_kinds(lang: &'static str) {
    let Some(first) = made(Kind::Tracker, lang) else {
        println!("no compiler for {lang}: not run");
        return;
    };
    for kind in Kind::ALL {
        let made = made(kind, lang).expect("the compiler is there");
        let (_registry, component) = load(&made);
        let info = component.info();
        assert_eq!((info.kind, info.name.as_str(), info.version.to_string().as_str()), (kind, title(lang), "0.1.0"));
        passes_the_suite(&made);
    }
    assert!(first.library.is_file());
}

/// The name for people that is made of `new-cpp`.
fn title(lang: &str) -> &'static str {
    match lang {
        "rust" => "New rust",
        "c" => "New c",
        _ => "New cpp",
    }
}

/// Runs the suite of its kind on a library.
fn passes_the_suite(made: &Made) {
    fine(&tetherscope(&repository(), &["plugins", "check", &made.library.display().to_string()]));
}

#[test]
fn a_new_rust_plugin_of_every_kind_builds_passes_its_test_and_the_suite_and_loads() {
    all_kinds("rust");
}

#[test]
fn a_new_c_plugin_of_every_kind_builds_passes_its_test_and_the_suite_and_loads() {
    all_kinds("c");
}

#[test]
fn a_new_cpp_plugin_of_every_kind_builds_passes_its_test_and_the_suite_and_loads() {
    all_kinds("cpp");
}
