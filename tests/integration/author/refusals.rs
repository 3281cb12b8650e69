//! What `plugins new` refuses, and what a plugin builds against where no source tree lies beside the program.

use super::{fine, new_plugin, program, repository, scratch, tetherscope};
use std::process::Command;

/// The three lines of a refusal, from `--json`.
fn refused(args: &[&str]) -> String {
    let folder = scratch("refused");
    let output = tetherscope(folder.path(), &[&["plugins", "new", "--json"], args].concat());
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "{args:?} left something behind");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    ["thing", "cause", "mend"].map(|k| report["error"][k].as_str().unwrap().to_owned()).join("\n")
}

#[test]
fn names_kinds_and_languages_that_do_not_exist_are_refused() {
    let good = ["--kind", "tracker", "--lang", "c"];
    for (name, words) in [("rings", "lab.method"), ("Smith.rings", "lower case"), ("tracker.smith.rings", "by itself")]
    {
        let message = refused(&[&[name], &good[..]].concat());
        assert!(message.contains(words) && message.lines().count() == 3, "{message}");
    }
    assert!(refused(&["a.b", "--kind", "laser", "--lang", "c"]).contains("laser"));
    assert!(refused(&["a.b", "--kind", "tracker", "--lang", "fortran"]).contains("fortran"));
    let message = refused(&["a.b", "--kind", "tracker", "--lang", "rust", "--sdk", "/nowhere"]);
    assert!(message.contains("neither it nor its folder plugin-api"), "{message}");
}

#[test]
fn a_folder_with_anything_in_it_is_left_alone() {
    let folder = scratch("occupied");
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/plugin.c"), "years of work").unwrap();
    let args = ["plugins", "new", "a.b", "--kind", "stage", "--lang", "c", "--out", "mine"];
    let output = tetherscope(folder.path(), &args);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nothing is overwritten"));
    assert_eq!(std::fs::read_to_string(folder.path().join("mine/plugin.c")).unwrap(), "years of work");
    assert_eq!(std::fs::read_dir(folder.path().join("mine")).unwrap().count(), 1);
}

#[test]
fn without_out_the_folder_is_named_after_the_plugin() {
    let folder = scratch("unnamed");
    fine(&tetherscope(folder.path(), &["plugins", "new", "smith.rings-2", "--kind", "zlut", "--lang", "cpp"]));
    assert!(folder.path().join("zlut-smith-rings-2/plugin.cpp").is_file());
}

#[test]
fn a_program_far_from_its_sources_names_a_version_of_the_sdk_unless_a_folder_is_given() {
    let folder = scratch("installed");
    let installed = folder.path().join(program().file_name().expect("the program has a name"));
    std::fs::copy(program(), &installed).unwrap();
    let new = |out: &str, more: &[&str]| {
        let mut command = Command::new(&installed);
        command.args(["plugins", "new", "a.b", "--kind", "tracker", "--lang", "rust", "--json", "--out", out]);
        let report: serde_json::Value =
            serde_json::from_str(&fine(&command.args(more).current_dir(folder.path()).output().unwrap())).unwrap();
        (report, std::fs::read_to_string(folder.path().join(out).join("Cargo.toml")).unwrap())
    };
    let (report, manifest) = new("by-version", &[]);
    assert!(report["sdk"].is_null() && manifest.contains("tetherscope-plugin-api = \"1\"\n"), "{manifest}");
    assert!(!folder.path().join("by-version/Cargo.lock").exists());
    let sources = repository().display().to_string();
    let (report, manifest) = new("by-path", &["--sdk", &sources]);
    let sdk = repository().canonicalize().unwrap().join("plugin-api").display().to_string();
    assert_eq!(report["sdk"], sdk);
    assert!(manifest.contains(&format!("path = '{sdk}'")), "{manifest}");
}

#[test]
fn no_word_of_the_template_is_left_in_a_new_plugin() {
    let folder = scratch("words");
    for (kind, lang) in [("tracker", "rust"), ("camera", "c"), ("stage", "cpp")] {
        let out = folder.path().join(format!("{kind}-{lang}"));
        let report = new_plugin("smith.rings", kind, lang, &out);
        for file in report["files"].as_array().unwrap() {
            let path = out.join(file.as_str().unwrap());
            let text = std::fs::read_to_string(&path).unwrap();
            for word in
                ["your-lab", "your-method", "Your method", "YourMethod", "your-plugin", "your_plugin", "@KIND", "@SDK"]
            {
                assert!(!text.contains(word), "{} says `{word}`", path.display());
            }
        }
    }
}
