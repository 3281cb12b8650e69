//! Folders and files of the tests: scratch, a library alone in a folder, files that are no library, and the copy of the
//! interface with one changed field.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An empty folder that goes away with the value.
pub fn scratch(name: &str) -> TempDir {
    tempfile::Builder::new().prefix(&format!("tetherscope-{name}-")).tempdir().unwrap()
}

/// A folder with copies of these libraries and nothing else, since a scan takes whole folders. Two of one name are kept
/// apart by a number.
pub fn alone<P: AsRef<Path>>(libraries: impl IntoIterator<Item = P>) -> TempDir {
    let folder = scratch("plugins");
    for (i, library) in libraries.into_iter().enumerate() {
        let library = library.as_ref();
        let name = library.file_name().expect("a library has a name").to_string_lossy().into_owned();
        let mut to = folder.path().join(&name);
        if to.exists() {
            to = folder.path().join(name.replacen('.', &format!("_{i}."), 1));
        }
        std::fs::copy(library, &to).unwrap_or_else(|e| panic!("cannot copy {}: {e}", library.display()));
    }
    folder
}

/// Puts something that is no plugin library under a library's name into `folder`. None where it cannot be made here.
pub fn write_bad_file(folder: &Path, what: &str) -> Option<PathBuf> {
    let path = folder.join(super::library_name(what));
    let good = || std::fs::read(super::c_fixture("faulty.c", "good", &[])?).ok();
    match what {
        "text" => std::fs::write(&path, "This is a letter to a friend, not a library.\n"),
        "empty" => std::fs::write(&path, ""),
        "truncated" => std::fs::write(&path, &good()?[..200]),
        "cut-in-the-middle" => {
            let bytes = good()?;
            std::fs::write(&path, &bytes[..bytes.len() / 2])
        }
        "other-architecture" => std::fs::write(&path, for_another_machine(good()?)?),
        "relocatable" => std::fs::copy(super::c::c_object("faulty.c", "relocatable")?, &path).map(|_| ()),
        "executable" => std::fs::copy(std::env::current_exe().expect("a running test has a file"), &path).map(|_| ()),
        "directory" => std::fs::create_dir(&path),
        "dangling-link" => dangling_link(&path),
        other => panic!("no bad file is called {other}"),
    }
    .unwrap_or_else(|e| panic!("cannot make {}: {e}", path.display()));
    Some(path)
}

#[cfg(unix)]
fn dangling_link(path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink("nowhere-at-all", path)
}

#[cfg(not(unix))]
fn dangling_link(_path: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// An ELF library whose header names another machine; None for other formats.
fn for_another_machine(mut elf: Vec<u8>) -> Option<Vec<u8>> {
    const MACHINE_AT: usize = 18;
    const X86_64: u8 = 62;
    const AARCH64: u8 = 183;
    if !elf.starts_with(b"\x7fELF") {
        return None;
    }
    elf[MACHINE_AT] = if elf[MACHINE_AT] == AARCH64 { X86_64 } else { AARCH64 };
    Some(elf)
}

/// Makes a small workspace of the interface, with `Fix.y_px` a u64, and the package `changed-layout`. Files that are
/// already right are left alone, so that cargo has nothing to do the second time.
pub(super) fn copy_changed_interface(repository: &Path, to: &Path) {
    copy_folder(&repository.join("plugin-api/src"), &to.join("plugin-api/src"), &|path, text| {
        if path.ends_with("abi/tracker.rs") {
            replace_once(&text, "pub y_px: f64,", "pub y_px: u64,")
        } else if path.ends_with("sdk/values.rs") {
            replace_once(&text, "y_px: f64::NAN,", "y_px: 0,")
        } else {
            text
        }
    });
    copy_folder(&repository.join("tests/fixtures/changed-layout"), &to.join("changed-layout"), &|_, text| text);
    for file in ["plugin-api/Cargo.toml", "Cargo.lock"] {
        write_if_changed(&to.join(file), &read(&repository.join(file)));
    }
    let root = read(&repository.join("Cargo.toml"));
    let members = root.lines().find(|l| l.starts_with("members = ")).expect("the workspace names its members");
    let defaults = root.lines().find(|l| l.starts_with("default-members = ")).expect("and those built by default");
    let root = replace_once(&root, members, "members = [\"plugin-api\", \"changed-layout\"]");
    write_if_changed(&to.join("Cargo.toml"), &replace_once(&root, defaults, ""));
}

fn copy_folder(from: &Path, to: &Path, change: &dyn Fn(&Path, String) -> String) {
    for entry in std::fs::read_dir(from).unwrap_or_else(|e| panic!("cannot read {}: {e}", from.display())) {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_folder(&path, &target, change);
        } else {
            write_if_changed(&target, &change(&path, read(&path)));
        }
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("cannot read {}: {e}", path.display()))
}

fn write_if_changed(path: &Path, text: &str) {
    if std::fs::read_to_string(path).ok().as_deref() != Some(text) {
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn replace_once(text: &str, from: &str, to: &str) -> String {
    assert_eq!(text.matches(from).count(), 1, "`{from}` should stand once in the text");
    text.replace(from, to)
}
