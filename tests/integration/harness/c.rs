//! Calls the C and C++ compilers. Where there is none, a test that needs one says so and is over.

use super::{fixtures_folder, library_name, repository};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A language that the header serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    C,
    Cpp,
}

/// The compiler: `CC` or `CXX` if set, else the first of the usual names that starts. None is told on stderr.
pub fn compiler(language: Language) -> Option<Command> {
    let (variable, usual) = match language {
        Language::C => ("CC", ["cc", "gcc", "clang"]),
        Language::Cpp => ("CXX", ["c++", "g++", "clang++"]),
    };
    let named = std::env::var(variable).ok();
    let starts = |name: &str| {
        let mut probe = Command::new(name);
        probe.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        probe.status().is_ok_and(|s| s.success())
    };
    let found = named.iter().map(String::as_str).chain(usual).find(|name| starts(name));
    if found.is_none() {
        eprintln!("skipped: there is no {language:?} compiler (looked for {variable} and {})", usual.join(", "));
    }
    found.map(Command::new)
}

/// Compiles a file of `tests/fixtures/c` into a plugin library, with preprocessor definitions (`IN_OPEN=FAULT_LOOP`).
/// None without a compiler, or on a system whose compiler is not of gcc's family.
pub fn c_fixture(source: &str, case: &str, definitions: &[&str]) -> Option<PathBuf> {
    build(source, case, definitions, &["-shared", "-fPIC"], &library_name(case))
}

/// The same source compiled, but not linked: a relocatable object.
pub(super) fn c_object(source: &str, case: &str) -> Option<PathBuf> {
    build(source, case, &[], &["-c", "-fPIC"], &format!("{case}.o"))
}

fn build(source: &str, case: &str, definitions: &[&str], mode: &[&str], file: &str) -> Option<PathBuf> {
    if cfg!(windows) {
        eprintln!("skipped: the C fixtures are built with gcc's options");
        return None;
    }
    let mut command = compiler(Language::C)?;
    let folder = fixtures_folder().join("c").join(case);
    std::fs::create_dir_all(&folder).unwrap();
    // Several threads and processes may build the same case: each writes a file of its own and puts it in place whole.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let own = folder.join(format!("{file}.{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let output = command
        .args(mode)
        .args(["-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(repository().join("plugin-api/c"))
        .args(definitions.iter().map(|d| format!("-D{d}")))
        .arg(repository().join("tests/fixtures/c").join(source))
        .arg("-o")
        .arg(&own)
        .arg("-lm")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{source} does not compile for `{case}` with {definitions:?}:\n{said}");
    let library = folder.join(file);
    std::fs::rename(&own, &library).unwrap();
    Some(library)
}

#[test]
fn the_c_fixtures_compile_without_a_warning() {
    for (source, case) in [("faulty.c", "good"), ("com.c", "com")] {
        let Some(library) = c_fixture(source, case, &[]) else { return };
        assert!(library.is_file(), "{} is missing", library.display());
    }
}
