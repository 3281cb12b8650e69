//! Every slip in a rig names line and key.

use super::*;

const SMALL: &str = r#"version = 1

[camera]
method = "camera.sim"

[optics]
nm_per_px = 100.0

[tracker]
method = "tracker.quadrant"
"#;

#[track_caller]
fn wrong(text: &str) -> FileProblem {
    match parse(text) {
        Ok(_) => panic!("it was read: {text}"),
        Err(problem) => problem,
    }
}

#[track_caller]
fn says(text: &str, line: usize, key: &str, words: &[&str]) {
    let problem = wrong(text);
    assert_eq!((problem.line, problem.key.as_str()), (line, key), "{problem:?}");
    for word in words {
        assert!(problem.cause.contains(word), "`{word}` is not in {problem:?}");
    }
    assert!(!problem.mend.is_empty());
}

#[test]
fn the_example_and_the_smallest_rig_are_read() {
    let example = RigFile::example();
    assert_eq!(example.rig.version, RIG_VERSION);
    let small = parse(SMALL).unwrap();
    assert!(small.recording.on && small.beads.list.is_empty() && small.zlut.is_none());
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_those_that_are_known() {
    says(&format!("{SMALL}metod = 1\n"), 11, "tracker.metod", &["metod", "method", "parameters"]);
    says(&format!("{SMALL}\n[trackr]\n"), 12, "trackr", &["trackr", "tracker"]);
    let deep = format!("{SMALL}\n[[stages]]\nname = \"a\"\nmethod = \"stage.a\"\naxes = [{{ axis = 0, windw = 1 }}]\n");
    says(&deep, 15, "stages[0].axes[0].windw", &["windw", "window"]);
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_its_line() {
    says(&SMALL.replace("100.0", "\"wide\""), 7, "optics.nm_per_px", &["wide"]);
    says(
        &format!("{SMALL}parameters = {{ a = [1] }}\n"),
        11,
        "tracker.parameters.a",
        &["a number, a text, true or false"],
    );
    says(&format!("{SMALL}\n[tracking]\nmode = \"sleep\"\n"), 13, "tracking.mode", &["sleep", "track_and_roi_video"]);
}

#[test]
fn a_missing_key_is_named_with_the_line_of_its_table() {
    says(&SMALL.replace("method = \"camera.sim\"\n", "device = \"\"\n"), 3, "camera", &["method"]);
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    says(&format!("{SMALL}this is no key\n"), 11, "", &[]);
    says(&format!("{SMALL}method = \"twice\"\n"), 11, "", &["duplicate"]);
}

#[test]
fn the_version_is_looked_at_before_anything_else() {
    says("", 1, "version", &["missing"]);
    says("[camera]\n", 1, "version", &["missing"]);
    says("\nversion = 2\nnew_word = 1\n", 2, "version", &["2", "up to version 1"]);
    says("version = \"one\"\n", 1, "version", &["no such version"]);
}

#[test]
fn a_problem_found_later_is_placed_at_its_key_or_at_what_is_there_of_it() {
    let text =
        format!("{SMALL}\n[[stages]]\nname = \"a\"\nmethod = \"b\"\n\n[[stages]]\nname = \"c\"\nmethod = \"d\"\n");
    assert_eq!(line_of_key(&text, "camera.method"), 4);
    assert_eq!(line_of_key(&text, "camera.parameters.gain"), 3);
    assert_eq!(line_of_key(&text, "stages[1].method"), 18);
    assert_eq!(line_of_key(&text, "stages[1].axes[0].window"), 16);
    assert_eq!(line_of_key(&text, "recording.folder"), 1);
}

#[test]
fn every_prefix_of_the_example_is_read_or_refused_but_never_a_panic() {
    for end in (0..EXAMPLE.len()).filter(|i| EXAMPLE.is_char_boundary(*i)) {
        if let Err(problem) = parse(&EXAMPLE[..end]) {
            assert!(problem.line <= EXAMPLE.lines().count() + 1 && !problem.cause.is_empty());
        }
    }
}
