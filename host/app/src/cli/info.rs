//! `tetherscope info`: what a recording is, what lies in it, what is missing, and whether it is whole. It reads and changes
//! nothing, also while the recording is being written.

use super::acquire::size;
use super::output::{Ending, Output};
use super::{CommandResult, Context};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use tetherscope_files::{Condition, Damage, FileEntry, GapRecord, Recording};

/// Show what a recording is and whether it is whole
#[derive(clap::Args)]
pub(crate) struct Info {
    /// The recording's folder
    recording: PathBuf,
    /// Read everything and check every checksum
    #[arg(long)]
    check: bool,
}

impl Info {
    /// Looks at a recording.
    pub(crate) fn run(self, _: &Context) -> CommandResult {
        let recording = Recording::open(&self.recording)?;
        let (events, mut damage) = recording.events()?;
        let (gaps, more) = recording.gaps()?;
        damage.extend(more);
        let (rows, more) = count_rows(&recording)?;
        damage.extend(more);
        if self.check {
            damage = recording.check()?;
        }
        let seen = Seen { events: events.len(), gaps: &gaps, rows: &rows, damage: &damage, checked: self.check };
        Ok(report(&recording, &seen))
    }
}

/// What reading it gave.
struct Seen<'a> {
    events: usize,
    gaps: &'a [GapRecord],
    /// By track set: rows that can be read.
    rows: &'a BTreeMap<String, u64>,
    damage: &'a [Damage],
    checked: bool,
}

/// Rows by track set: of finished files what their metadata say, of live ones what can be read.
fn count_rows(recording: &Recording) -> Result<(BTreeMap<String, u64>, Vec<Damage>), tetherscope_files::FileError> {
    let mut all = BTreeMap::new();
    let mut damage = Vec::new();
    for set in recording.track_sets() {
        let mut reader = recording.tracks(&set)?;
        let (mut rows, mut n) = (Vec::new(), 0);
        while reader.read_batch(&mut rows)? > 0 {
            n += rows.len() as u64;
            rows.clear();
        }
        damage.extend(reader.damage().iter().cloned());
        all.insert(set, n);
    }
    Ok((all, damage))
}

/// The word for a condition.
pub(crate) fn condition_name(condition: Condition) -> &'static str {
    match condition {
        Condition::Live => "live",
        Condition::Torn => "torn",
        Condition::Finished => "finished",
        Condition::Recovered => "recovered",
    }
}

/// By stage and reason: frames that are missing, and how often it was.
fn gaps_by_reason(gaps: &[GapRecord]) -> BTreeMap<String, (u64, u64)> {
    let mut all = BTreeMap::new();
    for gap in gaps {
        let (frames, times) = all.entry(format!("{} {}", gap.stage, gap.reason)).or_insert((0, 0));
        *frames += gap.count;
        *times += 1;
    }
    all
}

/// One line of them: a frame that came twice is missing nowhere.
fn gap_line((what, (frames, times)): (&String, &(u64, u64))) -> String {
    let is = if *frames > 0 { format!("{frames} frames") } else { format!("{times} times") };
    format!("gaps     {what}: {is}\n")
}

/// Slots that the camera did not give back, if any.
fn conduct_line(sections: &BTreeMap<String, Value>) -> Option<String> {
    let slots = |name: &str| sections.get("conduct").and_then(|c| c[name].as_u64()).unwrap_or(0);
    let (taken_back, lost) = (slots("slots_taken_back"), slots("slots_lost"));
    let line = format!("camera   kept slots when it was stopped: {taken_back} were taken back, {lost} were lost\n");
    (taken_back + lost > 0).then_some(line)
}

fn report(recording: &Recording, seen: &Seen<'_>) -> (Output, Ending) {
    let m = recording.metadata();
    let condition = recording.condition();
    let mut text = format!("{}: {}\n", recording.dir().display(), condition_name(condition));
    let seconds = m.ended_utc_ns.map(|end| (end - m.started_utc_ns) as f64 * 1e-9);
    text += &format!("begun    {}", m.started_utc);
    text += &seconds.map_or_else(|| "\n".to_owned(), |s| format!(", {s:.1} s\n"));
    text += &format!("writer   {} on {}\n", m.writer.program, m.writer.host_name);
    for (name, value) in &m.sections {
        if let Some(line) = one_line(value) {
            text += &format!("{name:8} {line}\n");
        }
    }
    for set in &m.track_sets {
        let rows = seen.rows.get(&set.id).copied().unwrap_or(0);
        text += &format!("tracks   {}: {rows} rows{}\n", set.id, frames_of(&m.files, &format!("tracks.{}", set.id)));
    }
    for stream in ["frames", "rois"] {
        let n: u64 = m.files.iter().filter(|f| f.stream == stream).map(|f| f.n_records).sum();
        if n > 0 {
            text += &format!("{stream:8} {n}{}\n", frames_of(&m.files, stream));
        }
    }
    let bytes: u64 = m.files.iter().filter_map(|f| f.n_bytes).sum();
    if bytes > 0 {
        text += &format!("size     {}\n", size(bytes));
    }
    text += &format!("events   {}\n", seen.events);
    let gaps = gaps_by_reason(seen.gaps);
    text += &match gaps.len() {
        0 => "gaps     none\n".to_owned(),
        _ => gaps.iter().map(gap_line).collect(),
    };
    text += &conduct_line(&m.sections).unwrap_or_default();
    m.problems.iter().for_each(|p| text += &format!("problem  {}\n", p.replace('\n', "\n         ")));
    for d in seen.damage {
        text += &format!("damaged  {}: {}{}\n", d.file, d.what, lost(d));
    }
    if seen.checked && seen.damage.is_empty() {
        text += "checked  everything is as it was written\n";
    }
    if condition == Condition::Torn {
        text += &format!("its writer was ended; `tetherscope recover {}` mends it\n", recording.dir().display());
    }
    // An unfinished end is as it should be while it grows.
    let fine = condition != Condition::Torn && (seen.damage.is_empty() || condition == Condition::Live);
    let json = json!({
        "folder": recording.dir().display().to_string(),
        "condition": condition_name(condition),
        "metadata": m,
        "rows": seen.rows,
        "events": seen.events,
        "gaps": {"records": seen.gaps.len(), "frames": seen.gaps.iter().map(|g| g.count).sum::<u64>(),
            "by_reason": gaps.iter().map(|(what, n)| (what, n.0)).collect::<BTreeMap<_, _>>(),
            "times": gaps.iter().map(|(what, n)| (what, n.1)).collect::<BTreeMap<_, _>>()},
        "damage": damage_json(seen.damage),
        "checked": seen.checked,
    });
    (Output { text, json }, Ending::fine_if(fine))
}

/// Damage as JSON.
pub(crate) fn damage_json(damage: &[Damage]) -> Vec<Value> {
    damage.iter().map(|d| json!({"file": d.file, "what": d.what, "lost": d.n_lost})).collect()
}

fn lost(damage: &Damage) -> String {
    damage.n_lost.map_or_else(String::new, |n| format!(" ({n} records lost)"))
}

/// `, frames 0 to 999 in 2 parts`.
fn frames_of(files: &[FileEntry], stream: &str) -> String {
    let files: Vec<&FileEntry> = files.iter().filter(|f| f.stream == stream).collect();
    let first = files.iter().filter_map(|f| f.first_frame).min();
    let last = files.iter().filter_map(|f| f.last_frame).max();
    let parts = if files.len() > 1 { format!(" in {} parts", files.len()) } else { String::new() };
    match (first, last) {
        (Some(a), Some(b)) => format!(", frames {a} to {b}{parts}"),
        _ => parts,
    }
}

/// What fits into a line: words and numbers, and the name of a method. The rest is in the JSON.
fn one_line(value: &Value) -> Option<String> {
    match value {
        Value::String(s) if !s.is_empty() && !s.contains('\n') => Some(s.clone()),
        Value::Number(n) => Some(n.to_string()),
        Value::Bool(b) => Some(b.to_string()),
        Value::Object(o) => {
            let id = o.get("method").or_else(|| o.get("id")).or_else(|| o.get("label"))?.as_str()?;
            let version = o.get("version").and_then(Value::as_str).map(|v| format!(" {v}"));
            (!id.is_empty()).then(|| format!("{id}{}", version.unwrap_or_default()))
        }
        _ => None,
    }
}
