//! A recording whose writer is killed at any moment opens, is mended, and has lost at most a second. The writer is this test
//! binary again, in a process of its own.

mod writer;

use super::harness::scratch;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tetherscope_files::{Condition, FrameCondition, Recording, StoredFrame, recover};

/// What the design promises.
const AT_MOST_LOST_NS: i64 = 1_000_000_000;
/// Beads of each frame.
const BEADS: u64 = 5;

/// How often a writer is killed.
fn n_kills() -> usize {
    if std::env::var_os("TETHERSCOPE_LONG_TESTS").is_some() { 200 } else { 20 }
}

/// Starts a writer, kills it after it has told of `n` frames and `delay`, and gives all frames that it told of, with the
/// times of their rows.
fn kill_after(dir: &Path, n: usize, delay: Duration) -> Vec<(u64, i64)> {
    let me = std::env::current_exe().unwrap();
    let mut child = Command::new(me)
        .args(["--exact", "recording::writer::writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(writer::INTO, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // The test runner says a word of its own before.
    let told = |line: String| -> Option<(u64, i64)> {
        let (frame, time) = line.strip_prefix("frame ")?.split_once(' ')?;
        Some((frame.parse().ok()?, time.strip_suffix('.')?.parse().ok()?))
    };
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    let mut all: Vec<(u64, i64)> = Vec::new();
    while all.len() < n {
        all.extend(told(lines.next().expect("the writer has ended by itself").unwrap()));
    }
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
    // What it told of before it died, and nobody had read yet. Its last line may be cut.
    all.extend(lines.map_while(Result::ok).filter_map(told));
    all
}

#[test]
fn a_killed_writer_loses_at_most_a_second() {
    let folder = scratch("recording-killed");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % n
    };
    let mut all_lost_ns = Vec::new();
    for i in 0..n_kills() {
        let dir = folder.path().join(format!("rec-{i}"));
        let n = 1 + random(900) as usize;
        let told = kill_after(&dir, n, Duration::from_micros(random(3000)));
        let (last_frame, last_ns) = *told.last().expect("it told of a frame");
        let what = format!("kill {i} after {n} frames");

        assert_eq!(Recording::open(&dir).unwrap().condition(), Condition::Torn, "{what}");
        let before = read(&dir);
        let report = recover(&dir).unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!(report.problems, Vec::<String>::new(), "{what}");
        let after = read(&dir);
        assert_eq!(before, after, "{what}: mending changed what can be read");
        assert_eq!(Recording::open(&dir).unwrap().check().unwrap(), [], "{what}");
        assert!(recover(&dir).unwrap().was_whole, "{what}");

        // Frames and events went to the operating system one by one; rows wait for each other for a tenth of a second.
        assert!(after.n_frames > last_frame && after.n_events > last_frame, "{what}: {after:?}, {last_frame} was told");
        let first_lost = told.iter().find(|(frame, _)| *frame >= after.n_rows / BEADS);
        let lost_ns = first_lost.map_or(0, |(_, time_ns)| last_ns - time_ns);
        assert!(lost_ns <= AT_MOST_LOST_NS, "{what}: rows of {lost_ns} ns are lost, {after:?}");
        all_lost_ns.push(lost_ns);
        std::fs::remove_dir_all(&dir).unwrap();
    }
    all_lost_ns.sort_unstable();
    let ms = |ns: i64| ns as f64 * 1e-6;
    let (middle, worst) = (all_lost_ns[all_lost_ns.len() / 2], all_lost_ns[all_lost_ns.len() - 1]);
    eprintln!(
        "{} kills: rows of {:.0} ms lost in the middle, {:.0} ms at most",
        all_lost_ns.len(),
        ms(middle),
        ms(worst)
    );
}

/// What a recording of the writer gives. Everything in it is as it was written, without holes.
#[derive(Debug, PartialEq)]
struct Found {
    n_frames: u64,
    n_events: u64,
    n_rows: u64,
}

fn read(dir: &Path) -> Found {
    let recording = Recording::open(dir).unwrap();
    let mut frames = recording.frames().unwrap();
    let mut frame = StoredFrame::default();
    let mut n_frames = 0;
    while let Some(condition) = frames.read(&mut frame).unwrap() {
        assert_eq!((condition, frame.record.index), (FrameCondition::Whole, n_frames));
        assert_eq!(frame.pixels, writer::pixels(n_frames), "frame {n_frames}");
        n_frames += 1;
    }
    let mut tracks = recording.tracks("main").unwrap();
    let (mut rows, mut n_rows) = (Vec::new(), 0);
    while tracks.read_batch(&mut rows).unwrap() > 0 {
        for row in rows.drain(..) {
            assert_eq!((row.frame, u64::from(row.bead)), (n_rows / BEADS, n_rows % BEADS));
            assert_eq!((row.x_nm, row.y_nm), (row.frame as f64, f64::from(row.bead)));
            n_rows += 1;
        }
    }
    let events = recording.events().unwrap().0;
    assert!(events.iter().enumerate().all(|(i, e)| e.frame == Some(i as u64)));
    Found { n_frames, n_events: events.len() as u64, n_rows }
}
