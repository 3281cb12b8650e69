//! `tetherscope recover`: mends recordings whose program was ended. Nothing that could be read is thrown away; what is whole
//! is left as it is, and so is what is being written.

use super::output::{Ending, Output};
use super::{CommandResult, Context, progress};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tetherscope_core::RunError;
use tetherscope_files::{Condition, Recording, RecoverReport, recover};

/// Mend recordings whose program was ended
#[derive(clap::Args)]
pub(crate) struct Recover {
    /// A recording's folder, or a folder with recordings
    folder: PathBuf,
}

impl Recover {
    /// Mends.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let found = recordings(&self.folder)?;
        let is_one = found.len() == 1 && found[0] == self.folder;
        let bar = progress::percent("mending", context.interactive());
        let (mut mended, mut whole, mut live, mut failed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (i, path) in found.iter().enumerate() {
            bar.set_position((100 * i / found.len()) as u64);
            match Recording::open(path).map(|r| r.condition()) {
                Ok(Condition::Finished | Condition::Recovered) => whole.push(path),
                // Whoever names this one gets the reason why it cannot be mended.
                Ok(Condition::Live) if !is_one => live.push(path),
                Ok(Condition::Live | Condition::Torn) | Err(_) => match recover(path) {
                    Ok(report) if report.was_whole => whole.push(path),
                    Ok(report) => mended.push((path, report)),
                    Err(e) if is_one => return Err(e.into()),
                    Err(e) => failed.push((path, e)),
                },
            }
        }
        bar.finish_and_clear();
        let mut text = String::new();
        for (path, report) in &mended {
            text += &format!("mended {}: {}\n", path.display(), words(report));
        }
        for (path, e) in &failed {
            text += &format!("cannot mend {}\n  {}\n", path.display(), e.to_string().replace('\n', "\n  "));
        }
        live.iter().for_each(|p| text += &format!("being written: {}\n", p.display()));
        text += &format!("{} mended, {} whole, {} being written\n", mended.len(), whole.len(), live.len());
        let plain = |all: &[&PathBuf]| -> Vec<Value> {
            all.iter().map(|p| json!({ "folder": p.display().to_string() })).collect()
        };
        let json = json!({
            "recovered": mended.iter().map(|(p, r)| json!({
                "folder": p.display().to_string(), "files": r.files, "lost": r.lost(), "problems": r.problems,
            })).collect::<Vec<_>>(),
            "whole": plain(&whole),
            "live": plain(&live),
            "failed": failed.iter().map(|(p, e)| json!({
                "folder": p.display().to_string(), "error": e.to_string(),
            })).collect::<Vec<_>>(),
        });
        Ok((
            Output { text, json },
            Ending::fine_if(failed.is_empty() && mended.iter().all(|(_, r)| r.problems.is_empty())),
        ))
    }
}

/// In words.
fn words(report: &RecoverReport) -> String {
    let n: u64 = report.files.iter().filter(|f| f.name.starts_with("tracks.")).map(|f| f.n_records).sum();
    let mut text = format!("{n} rows kept");
    report.lost().iter().for_each(|l| text += &format!("\n  lost: {l}"));
    report.problems.iter().for_each(|p| text += &format!("\n  not mended: {p}"));
    text
}

/// The folder itself if it is a recording, else those in it.
fn recordings(folder: &Path) -> Result<Vec<PathBuf>, RunError> {
    let looks_like_one = |p: &Path| p.join("recording.json").exists();
    let refuse = |cause: String| {
        let mend = "give the folder of a recording, or a folder with recordings";
        RunError::refused(format!("cannot mend anything in {}", folder.display()), cause, mend)
    };
    let entries = std::fs::read_dir(folder).map_err(|e| refuse(e.to_string()))?;
    let mut inside: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| looks_like_one(p)).collect();
    inside.sort();
    let has_logs = || {
        std::fs::read_dir(folder).is_ok_and(|mut all| {
            all.any(|e| e.is_ok_and(|e| e.path().extension().is_some_and(|x| x == "arrows" || x == "index")))
        })
    };
    match inside.is_empty() {
        // Also one whose recording.json is gone.
        _ if looks_like_one(folder) || has_logs() => Ok(vec![folder.to_owned()]),
        true => Err(refuse("there is no recording in it".into())),
        false => Ok(inside),
    }
}
