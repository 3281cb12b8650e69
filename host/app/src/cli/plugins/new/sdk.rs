//! Where the Rust SDK lies: named by the user, or in the source tree that this program was built from, told at run time by
//! where the program lies and by what Cargo left beside it. No path of the builder's computer is in the program.

use std::path::{Path, PathBuf};
use tetherscope_core::RunError;

/// What a Rust plugin builds against.
pub(super) enum Sdk {
    /// The folder of the package, absolute.
    Folder(PathBuf),
    /// A version of a registry.
    Version,
}

const PACKAGE: &str = "tetherscope-plugin-api";
/// The major version that this program offers.
const VERSION: &str = "1";

impl Sdk {
    /// The named folder, else the one beside the program, else a version.
    pub(super) fn find(named: Option<&Path>) -> Result<Self, RunError> {
        let Some(named) = named else {
            let program = std::env::current_exe().and_then(|p| p.canonicalize());
            return Ok(program.ok().and_then(|p| beside(&p)).map_or(Sdk::Version, Sdk::Folder));
        };
        [named.to_owned(), named.join("plugin-api")].iter().find_map(|f| package_folder(f)).map(Sdk::Folder).ok_or_else(
            || {
                RunError::refused(
                    format!("cannot build against the SDK in {}", named.display()),
                    format!("neither it nor its folder plugin-api holds the package {PACKAGE}"),
                    "give the folder of Tetherscope's sources with --sdk, or leave it out",
                )
            },
        )
    }

    /// The folder, if it is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        match self {
            Sdk::Folder(f) => Some(f),
            Sdk::Version => None,
        }
    }

    /// The right side of `tetherscope-plugin-api = ...` in Cargo.toml.
    pub(super) fn dependency(&self) -> Result<String, RunError> {
        let Sdk::Folder(folder) = self else { return Ok(format!("\"{VERSION}\"")) };
        // A path that is no text, or that TOML would read otherwise.
        match folder.to_str().filter(|f| !f.contains(['\'', '\n'])) {
            Some(path) => Ok(format!("{{ path = '{path}', version = \"{VERSION}\" }}")),
            None => Err(RunError::refused(
                format!("cannot build against the SDK in {}", folder.display()),
                "its path cannot be written into a Cargo.toml",
                "move it to a folder with a plain name, and name it with --sdk",
            )),
        }
    }

    /// The lock file of the source tree: its versions are those that this computer already has.
    pub(super) fn lock_file(&self) -> Option<String> {
        std::fs::read_to_string(self.folder()?.parent()?.join("Cargo.lock")).ok()
    }

    /// What it builds against, in a sentence.
    pub(super) fn sentence(&self) -> String {
        match self {
            Sdk::Folder(folder) => {
                format!("it builds against the SDK in {}; another is named with --sdk", folder.display())
            }
            Sdk::Version => format!(
                "it builds against {PACKAGE} {VERSION}, which Cargo fetches; with Tetherscope's sources at hand, --sdk \
                 names their folder"
            ),
        }
    }
}

/// The folder if it holds the SDK's package.
fn package_folder(folder: &Path) -> Option<PathBuf> {
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let names_it = manifest.lines().any(|l| l.split_whitespace().collect::<String>() == format!("name=\"{PACKAGE}\""));
    names_it.then(|| folder.canonicalize().ok()).flatten()
}

/// The SDK in the source tree of a program that Cargo built: above the program where the target folder is the usual one,
/// else where the list of sources that Cargo leaves beside the program (`tetherscope.d`) leads.
fn beside(program: &Path) -> Option<PathBuf> {
    let above = program.ancestors().skip(1).find_map(|a| package_folder(&a.join("plugin-api")));
    above.or_else(|| {
        let list = std::fs::read_to_string(program.with_extension("d")).ok()?;
        // `target: source source`, a blank inside a path escaped.
        let sources = list.split_once(": ")?.1.replace("\\ ", "\0");
        let mut sources = sources.split_whitespace().map(|s| PathBuf::from(s.replace('\0', " ")));
        sources.find_map(|s| s.ancestors().skip(1).find_map(|a| package_folder(&a.join("plugin-api"))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test's own, gone with the value.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("tetherscope-sdk-{name}-{}", std::process::id()));
            std::fs::create_dir_all(folder.join("my source/plugin-api")).unwrap();
            std::fs::create_dir_all(folder.join("elsewhere/debug")).unwrap();
            Self(folder.canonicalize().unwrap())
        }

        fn write(&self, path: &str, text: &str) {
            std::fs::write(self.0.join(path), text).unwrap();
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            // What is left in a temporary folder harms nobody.
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_sdk_is_found_above_the_program_and_where_cargos_list_leads() {
        let scratch = Scratch::new("found");
        let sdk = scratch.0.join("my source/plugin-api");
        scratch.write("my source/plugin-api/Cargo.toml", "[package]\nname = \"tetherscope-plugin-api\"\n");
        assert_eq!(beside(&scratch.0.join("my source/target/debug/tetherscope")), Some(sdk.clone()));
        let program = scratch.0.join("elsewhere/debug/tetherscope");
        assert_eq!(beside(&program), None);
        let source = scratch.0.join("my source/host/app/src/main.rs").display().to_string();
        let list = format!("{}: /nowhere/lib.rs {}\n", program.display(), source.replace(' ', "\\ "));
        scratch.write("elsewhere/debug/tetherscope.d", &list);
        assert_eq!(beside(&program), Some(sdk.clone()));
        assert_eq!(Sdk::find(Some(&scratch.0.join("my source"))).unwrap().folder(), Some(sdk.as_path()));
    }

    #[test]
    fn a_folder_without_the_sdk_is_refused_and_another_package_is_no_sdk() {
        let scratch = Scratch::new("refused");
        scratch.write("my source/plugin-api/Cargo.toml", "[package]\nname = \"another\"\n");
        let e = Sdk::find(Some(&scratch.0.join("my source"))).err().expect("there is no SDK");
        assert!(e.to_string().contains("neither it nor its folder plugin-api"), "{e}");
        assert_eq!(beside(&scratch.0.join("my source/target/debug/tetherscope")), None);
    }
}
