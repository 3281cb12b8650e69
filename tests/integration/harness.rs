//! What the other modules stand on: where things lie, the fixtures built once, the program and its plugins built once,
//! and checked-in texts that can be blessed.
//!
//! `cargo test --workspace` in a fresh clone builds neither the fixtures (they are no members) nor the plugins' shared
//! libraries, so cargo is called from here. Every call goes through one file lock, because a runner may start each test
//! in a process of its own; when nothing changed a call takes a fraction of a second. Nothing is fetched: the fixtures'
//! lock files name the versions that the workspace itself needed.

// Named paths, so that a bench can take this file in with a path of its own.
#[path = "harness/c.rs"]
mod c;
#[path = "harness/files.rs"]
mod files;

pub use c::{Language, c_fixture, compiler};
pub use files::{alone, scratch, write_bad_file};

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Set to 1 to rewrite checked-in texts instead of comparing with them.
const BLESS: &str = "TETHERSCOPE_BLESS";

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the repository").to_owned()
}

/// Compares a checked-in text with what it should be, or writes it when `TETHERSCOPE_BLESS=1`.
pub fn bless_or_compare(path: &Path, should: &str) {
    if std::env::var(BLESS).is_ok_and(|v| v == "1") {
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).unwrap();
        std::fs::write(path, should).unwrap();
        return;
    }
    let is = std::fs::read_to_string(path).unwrap_or_default();
    if is == should {
        return;
    }
    let (mut old, mut new) = (is.lines(), should.lines());
    let (line, was, now) = (1..)
        .map(|line| (line, old.next(), new.next()))
        .find(|(_, was, now)| was != now || was.is_none())
        .expect("the texts differ");
    panic!(
        "{} is not what the sources say\nline {line}: `{}` should be `{}`\nif the change is meant, run {BLESS}=1 cargo \
         test -p tetherscope-tests --test integration, read the diff and commit it",
        path.display(),
        was.unwrap_or("(end)"),
        now.unwrap_or("(end)"),
    );
}

/// Where the running test was built: `<target>[/<triple>]/<profile>`.
pub fn profile_folder() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a file");
    test.parent().and_then(Path::parent).expect("tests lie in `<profile>/deps`").to_owned()
}

/// Cargo's target folder of the running test.
fn target_folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's folder for tests lies in the target").to_owned()
}

/// The folder that all fixtures are built into. A folder of their own: what lies beside the program is loaded by it.
fn fixtures_folder() -> PathBuf {
    target_folder().join("fixtures")
}

/// Holds the lock under which everything is built.
fn lock() -> File {
    let folder = fixtures_folder();
    std::fs::create_dir_all(&folder).unwrap();
    let file = File::create(folder.join("harness.lock")).unwrap();
    file.lock().unwrap();
    file
}

/// Builds something of the fixtures. All with the same settings, so that they share what they depend on; nobody debugs
/// them, so without the bulk that is for debuggers.
fn build_fixture(manifest: &Path, args: &[&str]) {
    cargo_build(manifest, &fixtures_folder(), &[&["--config", "profile.dev.debug=false"], args].concat());
}

/// Runs `cargo build` and stops the test with its whole output when it fails.
fn cargo_build(manifest: &Path, target: &Path, args: &[&str]) {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--manifest-path"]).arg(manifest).arg("--target-dir").arg(target).args(args);
    let output = command.output().unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{said}");
}

/// Name of the library file that cargo makes of a package.
fn library_name(package: &str) -> String {
    format!("{}{}{}", std::env::consts::DLL_PREFIX, package.replace('-', "_"), std::env::consts::DLL_SUFFIX)
}

fn fixture_library(package: &str) -> PathBuf {
    fixtures_folder().join("debug").join(library_name(package))
}

/// The library of a package of the workspace `tests/fixtures`.
pub fn rust_fixture(package: &str) -> PathBuf {
    static BUILT: LazyLock<()> = LazyLock::new(|| {
        let _lock = lock();
        let manifest = repository().join("tests/fixtures/Cargo.toml");
        build_fixture(&manifest, &["--locked", "--workspace", "--exclude", NO_LAYOUT_CHECK]);
        // Alone: built together with the others it would get their features.
        build_fixture(&manifest, &["--locked", "--package", NO_LAYOUT_CHECK]);
    });
    LazyLock::force(&BUILT);
    let library = fixture_library(package);
    assert!(library.is_file(), "tests/fixtures has no package {package}");
    library
}

/// The library of a package of the workspace `tests/fixtures`, optimised: for benches.
#[allow(dead_code)]
pub fn optimised_fixture(package: &str) -> PathBuf {
    let _lock = lock();
    let manifest = repository().join("tests/fixtures/Cargo.toml");
    build_fixture(&manifest, &["--locked", "--release", "--package", package]);
    fixtures_folder().join("release").join(library_name(package))
}

const NO_LAYOUT_CHECK: &str = "no-layout-check";

/// The library of the example that a stranger begins with.
pub fn tracker_minimal() -> PathBuf {
    static BUILT: LazyLock<()> = LazyLock::new(|| {
        let _lock = lock();
        let manifest = repository().join("examples/tracker-minimal/Cargo.toml");
        build_fixture(&manifest, &["--locked"]);
    });
    LazyLock::force(&BUILT);
    fixture_library("tracker-minimal")
}

/// A library that was built against a copy of the interface in which `Fix.y_px` is a u64: same size, other type.
pub fn changed_layout() -> PathBuf {
    static BUILT: LazyLock<()> = LazyLock::new(|| {
        let _lock = lock();
        let folder = fixtures_folder().join("changed-layout");
        files::copy_changed_interface(&repository(), &folder);
        build_fixture(&folder.join("Cargo.toml"), &["--offline", "--package", "changed-layout"]);
    });
    LazyLock::force(&BUILT);
    fixture_library("changed-layout")
}

/// The program, built like the running test; its plugins lie beside it.
pub fn program() -> PathBuf {
    static BUILT: LazyLock<PathBuf> = LazyLock::new(|| {
        let _lock = lock();
        let (folder, target) = (profile_folder(), target_folder());
        let name = |path: &Path| path.file_name().expect("a folder has a name").to_string_lossy().into_owned();
        let profile = match name(&folder).as_str() {
            "debug" => "dev".to_owned(),
            other => other.to_owned(),
        };
        let parent = folder.parent().expect("the profile lies in the target");
        let triple = (parent != target).then(|| name(parent));
        let mut args = vec!["--profile", &profile];
        if let Some(triple) = &triple {
            args.extend(["--target", triple]);
        }
        cargo_build(&repository().join("Cargo.toml"), &target, &args);
        folder.join(format!("tetherscope{}", std::env::consts::EXE_SUFFIX))
    });
    BUILT.clone()
}

/// The library of one of the workspace's own plugins, for example `tracker-magtrack`.
pub fn plugin(package: &str) -> PathBuf {
    let library = program().with_file_name(library_name(&format!("tetherscope-{package}")));
    assert!(library.is_file(), "the workspace has no plugin {package}");
    library
}

#[test]
fn the_fixtures_and_the_example_use_the_workspaces_versions() {
    let locked = |path: &str| -> Vec<(String, String)> {
        let text = std::fs::read_to_string(repository().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        let value = |block: &str, key: &str| {
            block.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(" = ")).map(|v| v.trim_matches('"').to_owned())
        };
        text.split("[[package]]")
            .filter(|block| block.contains("\nsource = "))
            .filter_map(|block| Some((value(block, "name")?, value(block, "version")?)))
            .collect()
    };
    let ours = locked("Cargo.lock");
    for path in ["tests/fixtures/Cargo.lock", "examples/tracker-minimal/Cargo.lock"] {
        let theirs = locked(path);
        assert!(!theirs.is_empty(), "{path} names no package");
        for (name, version) in theirs {
            assert!(
                ours.contains(&(name.clone(), version.clone())),
                "{path} wants {name} {version}, the workspace has another version\ncopy Cargo.lock over it and build it \
                 once with --offline"
            );
        }
    }
}

#[test]
fn the_program_and_its_plugins_are_built_beside_each_other() {
    assert!(program().is_file(), "{} is missing", program().display());
    for package in [
        "tracker-magtrack",
        "tracker-quadrant",
        "tracker-radial-symmetry",
        "zlut-correlation",
        "zlut-joint",
        "sim",
        "camera-replay",
        "finder-ncc",
    ] {
        assert_eq!(plugin(package).parent(), program().parent());
    }
}
