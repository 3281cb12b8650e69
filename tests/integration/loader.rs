//! From a file to a component: every library that is bad in one way is refused with three lines, which name the file, the
//! cause and the mend, and this process lives on.
//!
//! `descriptors` has what libraries say of themselves, `misbehaving` the calls into components that were loaded, `proof` the plugins that do honest work.

mod descriptors;
mod misbehaving;
pub(super) mod pictures;
mod proof;

use super::harness::{alone, c_fixture, changed_layout, rust_fixture, scratch, write_bad_file};
use std::path::Path;
use std::time::Duration;
use tetherscope_loader::{Kind, LoadError, LoadErrorKind, PluginError, Registry, SearchOptions};

/// Long enough for any healthy library on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a library that never ends is waited for.
const IMPATIENCE: Duration = Duration::from_secs(2);

/// Begins as the program begins: see `child.rs`.
const CHILD: &str = env!("CARGO_BIN_EXE_tetherscope-test-child");

/// Only this folder, nothing remembered, and a child that tries unknown libraries.
fn options(folder: &Path) -> SearchOptions {
    SearchOptions {
        plugin_dirs: vec![folder.to_owned()],
        usual_places: false,
        child: Some(CHILD.into()),
        cache: None,
        probe_limit: PATIENCE,
        ..SearchOptions::default()
    }
}

/// Scans a folder that holds one library.
fn scan_alone(library: &Path) -> Registry {
    let folder = alone([library]);
    Registry::scan(&options(folder.path()))
}

/// The error of the one library in a folder, which must not have left any component behind.
fn refusal(folder: &Path, limit: Duration) -> LoadError {
    let registry = Registry::scan(&SearchOptions { probe_limit: limit, ..options(folder) });
    assert!(registry.components().is_empty(), "a component of a bad library was listed: {:?}", registry.components());
    let [refused] = registry.refused() else { panic!("one refusal was expected: {:?}", registry.refused()) };
    refused.error.clone()
}

/// Checks a refusal: its kind, that it has three lines, that the first names the file, and words of the other two.
#[track_caller]
fn check(error: &LoadError, file: &str, kind: LoadErrorKind, cause: &str, mend: &str) {
    assert_eq!(error.kind, kind, "{error}");
    check_lines(&error.to_string(), &[file, cause, mend]);
}

/// Checks that a message has three lines, none of them endless, and that each has its words.
#[track_caller]
fn check_lines(message: &str, words: &[&str; 3]) {
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!(lines.len(), 3, "three lines were expected:\n{message}");
    for (line, words) in lines.iter().zip(words) {
        assert!(line.contains(words), "`{words}` was expected in `{line}` of\n{message}");
        assert!(line.chars().count() <= 600, "a line of {} characters:\n{message}", line.chars().count());
    }
}

/// Checks the error of a call: it names the plugin and the function, the cause, and what can be done.
#[track_caller]
fn check_call<T>(outcome: Result<T, PluginError>, id: &str, function: &str, cause: &str) {
    let Err(error) = outcome else { panic!("{function} of {id} should have failed: {cause}") };
    assert_eq!(error.function, function, "{error}");
    check_lines(&error.to_string(), &[id, cause, ""]);
    let mend = error.to_string().lines().nth(2).map(str::len);
    assert!(mend.is_some_and(|n| n > 10), "no mend:\n{error}");
}

/// Compiles `faulty.c` with these definitions, and checks how it is refused. Over without a compiler.
#[track_caller]
fn c_refused(case: &str, definitions: &[&str], kind: LoadErrorKind, cause: &str, mend: &str) {
    let limit = if definitions.iter().any(|d| d.ends_with("FAULT_LOOP")) { IMPATIENCE } else { PATIENCE };
    let Some(library) = c_fixture("faulty.c", case, definitions) else { return };
    let folder = alone([&library]);
    let file = library.file_name().unwrap().to_str().unwrap();
    check(&refusal(folder.path(), limit), file, kind, cause, mend);
}

/// Text as a C literal.
fn c_text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn bad_file_refused(what: &str, kind: LoadErrorKind, cause: &str, mend: &str) {
    let folder = scratch("bad-file");
    let Some(path) = write_bad_file(folder.path(), what) else { return };
    let file = path.file_name().unwrap().to_str().unwrap();
    check(&refusal(folder.path(), PATIENCE), file, kind, cause, mend);
}

// ---- Files that are no library ----

#[test]
fn a_text_file_is_refused() {
    bad_file_refused("text", LoadErrorKind::WrongFormat, "not a shared library", "library file");
}

#[test]
fn an_empty_file_is_refused() {
    bad_file_refused("empty", LoadErrorKind::WrongFormat, "not a shared library", "library file");
}

#[test]
fn a_library_cut_after_its_header_is_refused() {
    bad_file_refused("truncated", LoadErrorKind::WrongFormat, "", "");
}

#[test]
fn a_library_cut_in_the_middle_is_refused() {
    bad_file_refused("cut-in-the-middle", LoadErrorKind::WrongFormat, "", "");
}

#[test]
fn a_library_for_another_architecture_is_refused() {
    bad_file_refused("other-architecture", LoadErrorKind::WrongFormat, "it was built for", "built for this system");
}

#[test]
fn a_relocatable_object_is_refused() {
    bad_file_refused("relocatable", LoadErrorKind::WrongFormat, "not a shared library", "-shared -fPIC");
}

#[test]
fn an_executable_is_refused() {
    let folder = scratch("bad-file");
    write_bad_file(folder.path(), "executable");
    let error = refusal(folder.path(), PATIENCE);
    assert!(matches!(error.kind, LoadErrorKind::NotAPlugin | LoadErrorKind::WrongFormat), "{error}");
    check_lines(&error.to_string(), &["executable", "", ""]);
}

#[test]
fn a_folder_with_a_librarys_name_is_refused() {
    bad_file_refused("directory", LoadErrorKind::Unreadable, "cannot be read", "check that");
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_is_refused() {
    bad_file_refused("dangling-link", LoadErrorKind::Unreadable, "cannot be found", "check the path");
}

#[test]
fn a_folder_that_does_not_exist_is_told() {
    let folder = scratch("gone").path().join("no-such-folder");
    check(&refusal(&folder, PATIENCE), "no-such-folder", LoadErrorKind::Unreadable, "cannot be read", "--plugin-dir");
}

// ---- The entry, read before anything of the library runs ----

#[test]
fn a_good_c_library_loads() {
    let Some(library) = c_fixture("faulty.c", "good", &[]) else { return };
    let registry = scan_alone(&library);
    assert!(registry.refused().is_empty(), "{:?}", registry.refused());
    let component = registry.resolve(Kind::Tracker, "tracker.fixture.c").unwrap();
    assert_eq!(component.info().version.to_string(), "1.0.0");
    assert!(component.layout_check().contains("no layouts"), "{}", component.layout_check());
}

#[test]
fn a_library_without_an_entry_is_refused() {
    let mend = "tetherscope_plugin_entry";
    c_refused("no-entry", &["NO_ENTRY"], LoadErrorKind::NotAPlugin, "exports no tetherscope_plugin_entry", mend);
}

#[test]
fn another_magic_is_refused() {
    let cause = "its entry begins with 0xdeadbeef";
    c_refused("magic", &["MAGIC=0xdeadbeef"], LoadErrorKind::Incompatible, cause, "tetherscope.h");
}

#[test]
fn another_major_version_is_refused() {
    let cause = "built for plugin interface 2.0, this host offers 1.";
    c_refused("major", &["MAJOR=2"], LoadErrorKind::Incompatible, cause, "tetherscope-plugin-api 1");
}

#[test]
fn a_newer_minor_version_without_min_host_is_refused() {
    let cause = "plugin interface 1.999.0 (it states no min_host)";
    c_refused("newer", &["MINOR=999"], LoadErrorKind::Incompatible, cause, "get a newer Tetherscope");
}

#[test]
fn a_newer_minor_version_whose_min_host_is_newer_too_is_refused() {
    let definitions = ["MINOR=999", "MIN_HOST={1,998,3,0}"];
    let cause = "plugin interface 1.998.3, this host offers 1.";
    c_refused("newer-refused", &definitions, LoadErrorKind::Incompatible, cause, "get a newer Tetherscope");
}

#[test]
fn a_newer_minor_version_whose_min_host_allows_this_host_loads_with_a_descriptor_that_says_more() {
    let json = r#"{"id": "tracker.fixture.c", "name": "C", "version": "1.0.0", "smell": "of the future"}"#;
    let definitions = ["MINOR=999", "MIN_HOST={1,0,0,0}", &format!("DESCRIPTOR={}", c_text(json))];
    let Some(library) = c_fixture("faulty.c", "newer-allowed", &definitions) else { return };
    let registry = scan_alone(&library);
    assert!(registry.refused().is_empty(), "{:?}", registry.refused());
    assert_eq!(registry.components().len(), 1);
}

#[test]
fn a_shorter_function_table_of_an_older_version_loads_and_what_it_lacks_is_absent() {
    let definitions = ["TABLE_BYTES=offsetof(ts_tracker_table,explain)"];
    let Some(library) = c_fixture("faulty.c", "short-table", &definitions) else { return };
    let registry = scan_alone(&library);
    let mut worker = misbehaving::tracker_worker(&registry, "tracker.fixture.c");
    let picture = pictures::Picture::flat(2, 8, 6);
    // Behind the short table lies a function that aborts: a host that reads too far does not come back from this.
    check_call(worker.explain(&picture.first()), "tracker.fixture.c", "explain", "explains nothing");
    let mut out = tetherscope_loader::TrackBuffers::default();
    worker.track(&picture.rois(), &mut out).unwrap();
    assert_eq!((out.fixes[1].x_px, out.fixes[1].y_px), (3.5, 2.5));
}

#[test]
fn another_size_of_a_frozen_struct_is_refused() {
    let cause = "its struct fix has 40 bytes, the host's has 48";
    c_refused("size", &["SIZE_OF_FIX=40"], LoadErrorKind::Incompatible, cause, "build it against the unchanged");
}

#[test]
fn an_entry_that_keeps_its_sizes_to_itself_is_refused() {
    let cause = "it tells the sizes of 3 structs";
    c_refused("few-sizes", &["N_SIZES=3"], LoadErrorKind::Incompatible, cause, "build it against the unchanged");
}

#[test]
fn an_entry_without_a_function_table_is_refused() {
    c_refused("null-library", &["NULL_LIBRARY"], LoadErrorKind::Failed, "no function table", "author");
}

// ---- Libraries that crash, hang or fail while they are loaded: the child bears it ----

#[test]
fn a_segmentation_fault_in_a_constructor_ends_only_the_child() {
    let cause = "segmentation fault";
    c_refused("ctor-segfault", &["IN_CONSTRUCTOR=FAULT_SEGFAULT"], LoadErrorKind::Failed, cause, "remove the file");
}

#[test]
fn an_abort_in_a_constructor_ends_only_the_child() {
    c_refused(
        "ctor-abort",
        &["IN_CONSTRUCTOR=FAULT_ABORT"],
        LoadErrorKind::Failed,
        "abort, signal 6",
        "remove the file",
    );
}

#[test]
fn an_exit_in_a_constructor_is_no_success() {
    let cause = "exit code 0 before it was described";
    c_refused("ctor-exit", &["IN_CONSTRUCTOR=FAULT_EXIT"], LoadErrorKind::Failed, cause, "remove the file");
}

#[test]
fn an_endless_constructor_is_ended_after_the_time_limit() {
    let cause = "did not finish loading within 2 s";
    c_refused("ctor-loop", &["IN_CONSTRUCTOR=FAULT_LOOP"], LoadErrorKind::Failed, cause, "remove the file");
}

#[test]
fn a_segmentation_fault_in_open_ends_only_the_child() {
    let cause = "segmentation fault";
    c_refused("open-segfault", &["IN_OPEN=FAULT_SEGFAULT"], LoadErrorKind::Failed, cause, "remove the file");
}

#[test]
fn an_abort_in_open_ends_only_the_child() {
    c_refused("open-abort", &["IN_OPEN=FAULT_ABORT"], LoadErrorKind::Failed, "abort, signal 6", "remove the file");
}

#[test]
fn an_exit_in_open_is_no_success() {
    let cause = "exit code 0 before it was described";
    c_refused("open-exit", &["IN_OPEN=FAULT_EXIT"], LoadErrorKind::Failed, cause, "remove the file");
}

#[test]
fn an_endless_open_is_ended_after_the_time_limit() {
    let cause = "did not finish loading within 2 s";
    c_refused("open-loop", &["IN_OPEN=FAULT_LOOP"], LoadErrorKind::Failed, cause, "remove the file");
}

#[test]
fn a_crash_while_it_describes_itself_ends_only_the_child() {
    let cause = "segmentation fault";
    c_refused("describe-segfault", &["IN_DESCRIBE=FAULT_SEGFAULT"], LoadErrorKind::Failed, cause, "remove the file");
}

#[test]
fn a_crash_in_close_ends_only_the_child() {
    let cause = "segmentation fault";
    c_refused("close-segfault", &["IN_CLOSE=FAULT_SEGFAULT"], LoadErrorKind::Failed, cause, "remove the file");
}

#[test]
fn an_open_that_fails_is_told_in_its_own_words() {
    let cause = "its open failed (input/output error): the fixture was told to fail";
    c_refused("open-error", &["IN_OPEN=FAULT_ERROR"], LoadErrorKind::Failed, cause, "author");
}

#[test]
fn an_unknown_status_of_open_is_a_failure() {
    let cause = "the unknown status 4711";
    c_refused("open-unknown", &["IN_OPEN=FAULT_UNKNOWN"], LoadErrorKind::Failed, cause, "author");
}

#[test]
fn error_text_that_is_not_utf8_is_shown_all_the_same() {
    c_refused("open-not-utf8", &["IN_OPEN=FAULT_NOT_UTF8"], LoadErrorKind::Failed, " broken ", "author");
}

#[test]
fn endless_error_text_is_cut_to_one_line() {
    let cause = "A plugin that never stops talking";
    c_refused("open-flood", &["IN_OPEN=FAULT_FLOOD"], LoadErrorKind::Failed, cause, "author");
}

#[test]
fn an_endless_descriptor_is_cut_and_refused() {
    let cause = "cannot describe component 0 (out of memory)";
    c_refused("describe-flood", &["IN_DESCRIBE=FAULT_FLOOD"], LoadErrorKind::Failed, cause, "author");
}

// ---- Rust libraries ----

#[test]
fn a_panic_in_the_librarys_open_is_told() {
    let folder = alone([rust_fixture("open-panics")]);
    let cause = "the plugin panicked: told to panic in open";
    check(&refusal(folder.path(), PATIENCE), "open_panics", LoadErrorKind::Failed, cause, "author");
}

#[test]
fn a_panic_in_describe_is_told() {
    let folder = alone([rust_fixture("describe-panics")]);
    let cause = "the plugin panicked: told to panic in descriptor";
    check(&refusal(folder.path(), PATIENCE), "describe_panics", LoadErrorKind::Failed, cause, "author");
}

#[test]
fn a_field_of_another_type_at_the_same_size_is_named() {
    let folder = alone([changed_layout()]);
    let error = refusal(folder.path(), PATIENCE);
    let cause = "fix.y_px: f64 in the host, u64 in the plugin";
    check(&error, "changed_layout", LoadErrorKind::Incompatible, cause, "tetherscope-plugin-api");
    assert_eq!(error.cause, cause);
}

#[test]
fn a_library_without_the_layout_check_loads_and_says_so() {
    let registry = scan_alone(&rust_fixture("no-layout-check"));
    let component = registry.resolve(Kind::Tracker, "tracker.fixture.no-layout-check").unwrap();
    assert!(component.layout_check().contains("no layouts"), "{}", component.layout_check());
}

#[test]
fn a_library_with_the_layout_check_says_that_all_agree() {
    let registry = scan_alone(&rust_fixture("nop"));
    let component = registry.resolve(Kind::Tracker, "tracker.fixture.nop").unwrap();
    assert_eq!(component.layout_check(), "the layouts of all structs agree");
}

#[test]
fn a_bad_library_beside_good_ones_does_not_hide_them() {
    let Some(bad) = c_fixture("faulty.c", "beside", &["IN_CONSTRUCTOR=FAULT_ABORT"]) else { return };
    let folder = alone([rust_fixture("nop"), bad, rust_fixture("no-layout-check")]);
    let registry = Registry::scan(&options(folder.path()));
    assert_eq!((registry.components().len(), registry.refused().len()), (2, 1), "{:?}", registry.refused());
}
