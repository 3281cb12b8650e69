//! The program as a user meets it: commands with right and wrong arguments, exit codes, files, and numbers against the
//! truth of a simulation.
//!
//! `inputs` has bad files and bad arguments, `chain` whole ways from video to rows, `find` beads instead of a ROI list.

mod acquire;
mod bench;
mod bias;
mod cameras;
mod chain;
mod config;
mod crashes;
mod find;
mod inputs;
mod isolated;
mod methods;
mod recordings;
mod sweep;

use super::harness::{program, scratch};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// What a run of the program gave.
struct Ran {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs the program in `folder`, with a cache of its own for the whole test run.
fn tetherscope(folder: &Path, args: &[&str]) -> Ran {
    static CACHE: LazyLock<tempfile::TempDir> = LazyLock::new(|| scratch("cache"));
    let output = command(folder, CACHE.path(), args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran {
        code: output.status.code().expect("the program was ended by a signal"),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The program with these arguments, in a folder, with a folder for what it remembers.
fn command(folder: &Path, cache: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(args).current_dir(folder).env("XDG_CACHE_HOME", cache).env_remove("TETHERSCOPE_PLUGIN_PATH");
    command.stdin(Stdio::null());
    command
}

impl Ran {
    /// The JSON object that stdout holds, and nothing else.
    #[track_caller]
    fn json(&self) -> serde_json::Value {
        let value: serde_json::Value =
            serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout));
        assert!(value.is_object(), "{}", self.stdout);
        value
    }

    /// Success, with the report.
    #[track_caller]
    fn fine(&self) -> serde_json::Value {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self.json()
    }

    /// Exit code 2, with these words in the message's three lines.
    #[track_caller]
    fn refused(&self, words: &[&str]) {
        assert_eq!(self.code, 2, "{}\n{}", self.stdout, self.stderr);
        let error = self.json()["error"].clone();
        let lines: Vec<String> = ["thing", "cause", "mend"].map(|k| error[k].as_str().unwrap().to_owned()).into();
        assert!(lines.iter().all(|l| !l.is_empty()), "{lines:?}");
        let message = lines.join("\n");
        for word in words {
            assert!(message.contains(word), "`{word}` is not in\n{message}");
        }
    }
}

/// A simulated video with its ROIs, focus and truth, made once for all tests.
struct Rig {
    folder: tempfile::TempDir,
}

impl Rig {
    /// The path of one of its files: sweep.tif, sweep.csv, video.tif, rois.csv, truth.csv; fixed.csv holds only beads that
    /// do not move.
    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// Beads of 3 µm at 100 nm per px: ten frames per plane would be a better Z-LUT, three are enough to test with.
fn rig() -> &'static Rig {
    static RIG: LazyLock<Rig> = LazyLock::new(|| {
        let folder = scratch("rig");
        let shared =
            ["--nm-per-px", "100", "--fixed", "2", "--tethered", "1", "--size", "300x120", "--xy-sigma-nm", "100"];
        let simulate = |more: &[&str]| {
            let args = [&["simulate", "--json"], &shared[..], more].concat();
            let ran = tetherscope(folder.path(), &args);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
        };
        simulate(&[
            "--out",
            "sweep.tif",
            "--truth",
            "sweep_truth.csv",
            "--focus",
            "sweep.csv",
            "--frames",
            "183",
            "--focus-start-nm",
            "1500",
            "--focus-step-nm",
            "50",
            "--frames-per-step",
            "3",
        ]);
        simulate(&[
            "--out",
            "video.tif",
            "--truth",
            "truth.csv",
            "--rois",
            "rois.csv",
            "--frames",
            "40",
            "--focus-start-nm",
            "3000",
        ]);
        let all = std::fs::read_to_string(folder.path().join("rois.csv")).unwrap();
        let fixed: Vec<&str> = all.lines().filter(|l| !l.starts_with('2')).collect();
        assert_eq!((all.lines().count(), fixed.len()), (4, 3), "{all}");
        std::fs::write(folder.path().join("fixed.csv"), fixed.join("\n") + "\n").unwrap();
        Rig { folder }
    });
    &RIG
}

/// The arguments that build a Z-LUT from the rig's sweep.
fn build<'a>(sweep: &'a str, focus: &'a str, rois: &'a str, out: &'a str) -> Vec<&'a str> {
    vec![
        "zlut",
        "build",
        sweep,
        "--focus",
        focus,
        "--tracker",
        "tracker.magtrack",
        "--strategy",
        "zlut.correlation",
        "--nm-per-px",
        "100",
        "--rois",
        rois,
        "--out",
        out,
        "--json",
    ]
}

/// A Z-LUT for any bead, from the rig's fixed beads; made once.
fn zlut() -> &'static Path {
    static ZLUT: LazyLock<PathBuf> = LazyLock::new(|| {
        let rig = rig();
        let out = rig.path("any.zlut");
        let (sweep, focus, rois) = (rig.path("sweep.tif"), rig.path("sweep.csv"), rig.path("fixed.csv"));
        let mut args = build(&sweep, &focus, &rois, &out);
        args.push("--one-table");
        tetherscope(rig.folder.path(), &args).fine();
        PathBuf::from(out)
    });
    &ZLUT
}
