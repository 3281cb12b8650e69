//! The tutorial is followed: every command in `docs/plugin-tutorial.md` is run in its order by one shell, every file in it
//! is written as it stands there, and what is shown must be seen.
//!
//! A block ```` ```console ```` holds commands after `$ ` and what they show; `…` stands for any text in a line, and alone
//! for any lines. A block ```` ```rust PATH ```` is the whole of that file. What the build of the sources gives is not built
//! a second time: the tutorial's `target/debug` is the folder in which this test's program lies.

use super::{program, repository, scratch, target};
use crate::harness::profile_folder;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

/// Printed before each command's output, with the command's number.
const MARK: &str = "@@ tutorial command";

/// One thing to do.
#[derive(Debug, PartialEq)]
enum Step {
    /// Type this, see that.
    Run { command: String, shows: Vec<String> },
    /// Put this text into that file, a path from the folder in which the tutorial began to work.
    Write { path: String, text: String },
}

fn steps(tutorial: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = tutorial.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
        if let Some(path) = info.strip_prefix("rust ") {
            steps.push(Step::Write { path: path.into(), text: block.join("\n") + "\n" });
            continue;
        }
        assert_eq!(info, "console", "a block of another kind: nobody tries it");
        for line in block {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step::Run { command: command.into(), shows: Vec::new() }),
                (None, Some(Step::Run { shows, .. })) => shows.push(line.into()),
                (None, _) => panic!("`{line}` is shown before any command"),
            }
        }
    }
    steps
}

/// True if a line is as shown: `…` stands for any text, and how wide the columns are is no matter.
fn line_matches(shown: &str, line: &str) -> bool {
    let narrow = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, line) = (narrow(shown), narrow(line));
    let mut rest = line.as_str();
    let parts: Vec<&str> = shown.split('…').collect();
    for (i, part) in parts.iter().enumerate() {
        let found = match i {
            0 => rest.starts_with(part).then_some(0),
            _ if i + 1 == parts.len() => rest.ends_with(part).then(|| rest.len() - part.len()),
            _ => rest.find(part),
        };
        let Some(at) = found else { return false };
        rest = &rest[at + part.len()..];
    }
    parts.len() > 1 || rest.is_empty()
}

/// The first line that is shown but was not seen, in order; `…` alone stands for any lines.
fn unseen<'a>(shows: &'a [String], seen: &[&str]) -> Option<&'a str> {
    let (mut at, mut skip) = (0, false);
    for shown in shows {
        if shown == "…" {
            skip = true;
            continue;
        }
        let here = seen.get(at..).unwrap_or_default().iter().position(|line| line_matches(shown, line));
        match here {
            Some(0) => at += 1,
            Some(n) if skip => at += n + 1,
            _ => return Some(shown),
        }
        skip = false;
    }
    (at < seen.len() && !skip && !shows.is_empty()).then_some("(its end)")
}

/// A script that does all steps in one shell, so that folders and variables are those of the reader.
fn script(steps: &[Step]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let built = quoted(&profile_folder().display().to_string());
    let mut out = String::from("set -e\n");
    for (i, step) in steps.iter().enumerate() {
        let line = match step {
            Step::Run { command, .. } => {
                writeln!(out, "echo '{MARK}' {i}").expect("a String takes all");
                match command.as_str() {
                    // Built by the harness a moment ago.
                    "cargo build" if i == 0 => format!("test -x {built}/tetherscope"),
                    // The reader chooses a place; this one goes away.
                    "mkdir my-tracker" => "cd \"$SCRATCH\"; mkdir my-tracker".into(),
                    other => other.replace("\"$PWD/target/debug:$PATH\"", &format!("{built}:\"$PATH\"")),
                }
            }
            Step::Write { path, text } => format!("printf %s {} > {path}", quoted(text)),
        };
        writeln!(out, "{line}").expect("a String takes all");
    }
    out
}

#[test]
fn the_tutorial_works_word_for_word() {
    if cfg!(windows) {
        println!("not run: the tutorial is for a Unix shell");
        return;
    }
    let text = std::fs::read_to_string(repository().join("docs/plugin-tutorial.md")).unwrap();
    let steps = steps(&text);
    assert!(steps.len() > 15, "only {} steps: the test reads the wrong thing", steps.len());
    program();
    let folder = scratch("tutorial");
    let output = Command::new("sh")
        .args(["-c", &script(&steps)])
        .current_dir(repository())
        .env("SCRATCH", folder.path())
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        // What the plugin depends on is built already, elsewhere; what is built lies where the tutorial says.
        .env("CARGO_BUILD_BUILD_DIR", target())
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_NET_OFFLINE", "true")
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("TETHERSCOPE_PLUGIN_PATH")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{:?}\n{out}\n{err}", output.status);
    let mut seen = out.split(MARK).skip(1).map(|part| part.split_once('\n').map_or("", |(_, shown)| shown));
    for step in &steps {
        let Step::Run { command, shows } = step else { continue };
        let lines: Vec<&str> = seen.next().expect("each command has a mark").lines().collect();
        // What cargo tells of its tests stands between empty lines.
        let first = lines.iter().position(|l| !l.is_empty()).unwrap_or(0);
        let last = lines.iter().rposition(|l| !l.is_empty()).map_or(0, |i| i + 1);
        let missing = unseen(shows, &lines[first..last]);
        assert!(missing.is_none(), "`{command}` shows no `{}`\n{}", missing.unwrap_or_default(), lines.join("\n"));
    }
}

#[test]
fn commands_files_and_what_is_shown_are_read_from_a_tutorial() {
    let text = "# T\n```console\n$ a b\nshown … 7\n…\n$ c\n```\ntext\n```rust x/lib.rs\nfn f() {}\n```\n";
    let run = |command: &str, shows: &[&str]| Step::Run {
        command: command.into(),
        shows: shows.iter().map(|s| (*s).to_owned()).collect(),
    };
    let write = Step::Write { path: "x/lib.rs".into(), text: "fn f() {}\n".into() };
    assert_eq!(steps(text), [run("a b", &["shown … 7", "…"]), run("c", &[]), write]);
}

#[test]
fn what_is_shown_must_be_seen_in_its_order() {
    let shows = |lines: &[&str]| -> Vec<String> { lines.iter().map(|l| (*l).to_owned()).collect() };
    assert_eq!(unseen(&shows(&["a … c", "d"]), &["a b c", "d"]), None);
    assert_eq!(unseen(&shows(&["a", "…", "d"]), &["a", "b", "c", "d"]), None);
    assert_eq!(unseen(&shows(&["…", "b", "…"]), &["a", "b", "c"]), None);
    assert_eq!(unseen(&shows(&["a", "d"]), &["a", "b", "d"]), Some("d"));
    assert_eq!(unseen(&shows(&["…", "d", "b"]), &["b", "d"]), Some("b"));
    assert_eq!(unseen(&shows(&["a"]), &["a", "b"]), Some("(its end)"));
    assert_eq!(unseen(&shows(&["a 1"]), &["a 12"]), Some("a 1"));
    assert_eq!(unseen(&shows(&["a  1#…  b"]), &["a    1#23 b"]), None);
}
