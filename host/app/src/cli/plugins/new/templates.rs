//! The files of a new plugin, by kind and language, and the commands that build it. They are real files under
//! `host/app/templates`, held in the program; integration tests build and run every one.

use super::sdk::Sdk;
use super::{Name, RunError};
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use tetherscope_core::loader::Kind;

/// A language that a plugin can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Language {
    Rust,
    C,
    Cpp,
}

impl Language {
    /// For people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::C => "C",
            Language::Cpp => "C++",
        }
    }
}

/// One file of the new folder.
pub(super) struct File {
    /// Path in the folder, with slashes.
    pub(super) path: String,
    pub(super) text: String,
}

/// What is asked for.
pub(super) struct Template<'a> {
    pub(super) kind: Kind,
    pub(super) language: Language,
    pub(super) name: &'a Name,
    /// For Rust alone.
    pub(super) sdk: Option<&'a Sdk>,
}

/// A file of `host/app/templates`.
macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../../templates/", $path))
    };
}

/// A header of the interface.
macro_rules! header {
    ($name:literal) => {
        include_str!(concat!("../../../../../../plugin-api/c/", $name))
    };
}

impl Template<'_> {
    /// All files, with the name in them.
    pub(super) fn files(&self) -> Result<Vec<File>, RunError> {
        let file = |path: &str, text: &str| File { path: path.into(), text: self.fill(text) };
        let ignored = |what: &str| File { path: ".gitignore".into(), text: format!("/{what}\n") };
        let Some(sdk) = self.sdk else {
            let ext = self.extension();
            let mut files = vec![
                file(&format!("plugin.{ext}"), self.method()),
                file(&format!("test/test.{ext}"), self.test()),
                file("test/mini_host.h", template!("native/mini_host.h")),
                file("CMakeLists.txt", template!("native/CMakeLists.txt")),
                file("README.md", template!("native/README.md")),
                ignored("build"),
                // As they are: nobody's name belongs into them.
                File { path: "include/tetherscope.h".into(), text: header!("tetherscope.h").into() },
            ];
            if self.language == Language::Cpp {
                files.push(File { path: "include/tetherscope.hpp".into(), text: header!("tetherscope.hpp").into() });
            }
            return Ok(files);
        };
        let manifest = template!("rust/manifest.toml").replace("\"@SDK@\"", &sdk.dependency()?);
        let mut files = vec![
            file("Cargo.toml", &manifest),
            file("src/lib.rs", self.method()),
            file("README.md", template!("rust/README.md")),
            ignored("target"),
        ];
        files.extend(sdk.lock_file().map(|text| File { path: "Cargo.lock".into(), text }));
        Ok(files)
    }

    /// The commands that test and build it, in its folder.
    pub(super) fn commands(&self) -> Vec<String> {
        let show = format!("tetherscope --plugin-dir {} plugins inspect {}", self.library_folder(), self.name.id());
        if self.language == Language::Rust {
            return vec!["cargo test".into(), "cargo build --release".into(), show];
        }
        let (compile, ext) = (format!("{} {}", self.compiler(), self.flags()), self.extension());
        vec![
            "mkdir -p build".into(),
            format!("{compile} -Iinclude -Itest test/test.{ext} plugin.{ext} -o build/test{EXE_SUFFIX} -lm"),
            format!("build/test{EXE_SUFFIX}"),
            format!(
                "{compile} -fPIC -fvisibility=hidden -shared -Iinclude plugin.{ext} -o {} -lm",
                self.library_path()
            ),
            show,
        ]
    }

    /// Where the commands put the library, in the new folder.
    pub(super) fn library_path(&self) -> String {
        format!("{}/{}", self.library_folder(), self.library())
    }

    fn library(&self) -> String {
        format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.name.package().replace('-', "_"))
    }

    fn library_folder(&self) -> &'static str {
        if self.language == Language::Rust { "target/release" } else { "build" }
    }

    fn extension(&self) -> &'static str {
        match self.language {
            Language::Rust => "rs",
            Language::C => "c",
            Language::Cpp => "cpp",
        }
    }

    fn compiler(&self) -> &'static str {
        if self.language == Language::C { "cc" } else { "c++" }
    }

    fn flags(&self) -> &'static str {
        match self.language {
            Language::C => "-std=c11 -O2 -ffp-contract=off -Wall -Wextra -Wpedantic",
            _ => "-std=c++17 -O2 -ffp-contract=off -Wall -Wextra -Wpedantic -pthread",
        }
    }

    /// The method itself.
    fn method(&self) -> &'static str {
        match (self.language, self.kind) {
            (Language::Rust, Kind::Tracker) => template!("rust/tracker.rs"),
            (Language::Rust, Kind::Zlut) => template!("rust/zlut.rs"),
            (Language::Rust, Kind::Camera) => template!("rust/camera.rs"),
            (Language::Rust, Kind::Stage) => template!("rust/stage.rs"),
            (Language::Rust, Kind::Finder) => template!("rust/finder.rs"),
            (Language::C, Kind::Tracker) => template!("c/tracker.c"),
            (Language::C, Kind::Zlut) => template!("c/zlut.c"),
            (Language::C, Kind::Camera) => template!("c/camera.c"),
            (Language::C, Kind::Stage) => template!("c/stage.c"),
            (Language::C, Kind::Finder) => template!("c/finder.c"),
            (Language::Cpp, Kind::Tracker) => template!("cpp/tracker.cpp"),
            (Language::Cpp, Kind::Zlut) => template!("cpp/zlut.cpp"),
            (Language::Cpp, Kind::Camera) => template!("cpp/camera.cpp"),
            (Language::Cpp, Kind::Stage) => template!("cpp/stage.cpp"),
            (Language::Cpp, Kind::Finder) => template!("cpp/finder.cpp"),
        }
    }

    /// The test of a C or C++ plugin: the same file serves both.
    fn test(&self) -> &'static str {
        match self.kind {
            Kind::Tracker => template!("native/test_tracker.c"),
            Kind::Zlut => template!("native/test_zlut.c"),
            Kind::Camera => template!("native/test_camera.c"),
            Kind::Stage => template!("native/test_stage.c"),
            Kind::Finder => template!("native/test_finder.c"),
        }
    }

    /// What a method of the kind is called, and how it is used.
    fn words(&self) -> (&'static str, String) {
        let (dir, id) = (self.library_folder(), self.name.id());
        let shared = format!("tetherscope --plugin-dir {dir}");
        match self.kind {
            Kind::Tracker => (
                "tracker",
                format!(
                    "Track a video with it (`tetherscope simulate` makes one, with the ROIs of its beads):\n\n```\n\
                     {shared} track video.tif --tracker {id} --nm-per-px 100 --rois rois.csv --out tracks.csv\n```"
                ),
            ),
            Kind::Zlut => (
                "Z-LUT strategy",
                format!(
                    "Build a Z-LUT with it from a recorded sweep (`tetherscope simulate` makes one):\n\n```\n{shared} \
                     zlut build sweep.tif --focus sweep.csv --tracker tracker.magtrack --strategy {id} --nm-per-px 100 \
                     --rois rois.csv --out beads.zlut\n```"
                ),
            ),
            Kind::Camera => ("camera driver", "It needs no hardware: it draws a test pattern.".into()),
            Kind::Stage => ("stage driver", "It needs no hardware: its axis is simulated.".into()),
            Kind::Finder => ("bead finder", "It takes any frame of 8 or 16 bits, with a seed or without.".into()),
        }
    }

    /// A template's text with everything in it.
    fn fill(&self, text: &str) -> String {
        let (what, usage) = self.words();
        let standard = match self.language {
            Language::C => "set(CMAKE_C_STANDARD 11)\nset(CMAKE_C_STANDARD_REQUIRED ON)\nset(CMAKE_C_EXTENSIONS OFF)",
            _ => "set(CMAKE_CXX_STANDARD 17)\nset(CMAKE_CXX_STANDARD_REQUIRED ON)\nset(CMAKE_CXX_EXTENSIONS OFF)",
        };
        let text = text
            .replace("@KIND@", self.kind.name())
            .replace("@WHAT@", what)
            .replace("@LANG@", self.language.title())
            .replace("@LANGUAGE@", if self.language == Language::C { "C" } else { "CXX" })
            .replace("@STANDARD@", standard)
            .replace("@EXT@", self.extension())
            .replace("@COMPILER@", self.compiler())
            .replace("@FLAGS@", self.flags())
            .replace("@LIBRARY@", &self.library())
            .replace("@USE@", &usage)
            .replace("@SDK@", &self.sdk.map(sentence).unwrap_or_default());
        self.name.put_into(&text)
    }
}

/// How a Rust plugin's README says what it builds against.
fn sentence(sdk: &Sdk) -> String {
    match sdk.folder() {
        Some(_) => "It builds against the SDK in a folder of this computer, named in Cargo.toml; elsewhere write \
                    `tetherscope-plugin-api = \"1\"` there."
            .into(),
        None => {
            "It builds against `tetherscope-plugin-api` 1. Without network, name the folder of the SDK in Cargo.toml: \
                 `tetherscope-plugin-api = { path = \"…/plugin-api\" }`."
                .into()
        }
    }
}
