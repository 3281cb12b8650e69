//! The examples in C and C++ are what `plugins new` writes, with the headers taken from this repository instead of copied;
//! they build with plain compilers and with CMake.

use super::{can_build, fine, new_plugin, repository, scratch};
use crate::harness::bless_or_compare;
use std::path::Path;
use std::process::Command;

/// Folder, name, kind and language.
const EXAMPLES: [(&str, &str, &str, &str); 2] =
    [("tracker-c", "example.clipped", "tracker", "c"), ("camera-cpp", "example.pattern", "camera", "cpp")];

#[test]
fn the_examples_in_c_and_cpp_are_what_plugins_new_writes() {
    let folder = scratch("examples");
    for (example, name, kind, lang) in EXAMPLES {
        let out = folder.path().join(example);
        let report = new_plugin(name, kind, lang, &out);
        let files = report["files"].as_array().unwrap().iter().map(|f| f.as_str().unwrap());
        for file in files.filter(|f| !f.starts_with("include/")) {
            let text = std::fs::read_to_string(out.join(file)).unwrap();
            let text = text
                .replace("-Iinclude", "-I../../plugin-api/c")
                .replace("${CMAKE_CURRENT_SOURCE_DIR}/include", "${CMAKE_CURRENT_SOURCE_DIR}/../../plugin-api/c")
                .replace("`include/` holds the plugin interface", "`../../plugin-api/c` holds the plugin interface")
                .replace("`include/tetherscope.h`", "`../../plugin-api/c/tetherscope.h`");
            bless_or_compare(&repository().join("examples").join(example).join(file), &text);
        }
    }
}

/// Runs one of cmake's commands in `folder`.
fn run(folder: &Path, program: &str, args: &[&str]) {
    fine(&Command::new(program).args(args).current_dir(folder).output().unwrap());
}

#[test]
fn the_examples_build_and_pass_their_tests_with_plain_compilers_and_with_cmake() {
    let has_cmake = Command::new("cmake").arg("--version").output().is_ok_and(|o| o.status.success());
    for (example, _, _, lang) in EXAMPLES.iter().filter(|e| can_build(e.3)) {
        let source = repository().join("examples").join(example);
        let build = scratch("example-build");
        let readme = std::fs::read_to_string(source.join("README.md")).unwrap();
        let compiler = if *lang == "c" { "cc " } else { "c++ " };
        let commands: Vec<&str> = readme.lines().filter(|l| l.starts_with(compiler)).collect();
        assert_eq!(commands.len(), 2, "{commands:?}");
        let into = format!("-o {}/", build.path().display());
        for command in commands {
            run(&source, "sh", &["-e", "-c", &command.replace("-o build/", &into)]);
        }
        run(build.path(), "./test", &[]);
        if !has_cmake {
            println!("no cmake here: not built with it");
            continue;
        }
        let (from, to) = (source.display().to_string(), build.path().join("cmake").display().to_string());
        run(build.path(), "cmake", &["-S", &from, "-B", &to]);
        run(build.path(), "cmake", &["--build", &to]);
        run(build.path(), "ctest", &["--test-dir", &to, "--output-on-failure", "--no-tests=error"]);
    }
}
