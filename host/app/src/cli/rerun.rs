//! `tetherscope rerun`: a recording tracked again. With the recorded methods it proves that the rows are what the pixels
//! say, bit by bit; with others it adds a second set of tracks to the same recording.

use super::frames::key_value;
use super::output::{Ending, Output};
use super::{CommandResult, Context};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;
use tetherscope_core::control::{MethodChoice, ParameterText};
use tetherscope_core::{RerunMethods, RerunOptions, RerunReport, RunError, rerun};
use tetherscope_files::{Condition, Recording, Row};

/// Track a recording again
#[derive(clap::Args)]
pub(crate) struct Rerun {
    /// The recording's folder; it needs ROI stacks or full frames
    recording: PathBuf,
    /// Another tracker: `id`, `id@version` or `id#hash`
    #[arg(long, value_name = "METHOD")]
    tracker: Option<String>,
    /// Parameter of the tracker, the others as recorded (or, of another tracker, as it has them); may be given several times
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    params: Vec<(String, String)>,
    /// Another Z-LUT: a .zlut file, or a .txt of MagScope
    #[arg(long, value_name = "FILE")]
    zlut: Option<PathBuf>,
    /// Another method that looks z up
    #[arg(long, value_name = "METHOD")]
    zlut_strategy: Option<String>,
    /// Parameter of the Z-LUT strategy; may be given several times
    #[arg(long = "zlut-param", value_name = "KEY=VALUE", value_parser = key_value)]
    zlut_params: Vec<(String, String)>,
    /// Track x and y only
    #[arg(long, conflicts_with_all = ["zlut", "zlut_strategy", "zlut_params"])]
    no_zlut: bool,
    /// Set of tracks that the rows are compared with, and whose ROI origins are used
    #[arg(long, value_name = "NAME", default_value = "main")]
    of: String,
    /// Add the rows to the recording as a set of tracks of this name; without it the tracker's id, if anything is another
    /// than recorded
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    /// Threads that track; without it one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

impl Rerun {
    /// Tracks again.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let registry = context.registry()?;
        let recording = Recording::open(&self.recording)?;
        if recording.condition() == Condition::Live {
            return Err(RunError::refused(
                format!("cannot track {} again", self.recording.display()),
                "it is being written",
                "wait until the recording has ended",
            ));
        }
        let methods = self.is_other().then(|| self.methods(&recording));
        let save_as = self.set.clone().or_else(|| methods.as_ref().map(|m| set_name(&m.tracker.method)));
        let usual = RerunOptions::default();
        let options = RerunOptions {
            of: self.of.clone(),
            save_as,
            threads: self.threads.map_or(usual.threads, usize::from),
            cancel: context.cancel.clone(),
            methods,
        };
        let begun = Instant::now();
        let report = rerun(&registry, &self.recording, &options)?;
        Ok(self.report(&report, &options, begun.elapsed().as_secs_f64()))
    }

    /// Anything is another than recorded.
    fn is_other(&self) -> bool {
        let methods = self.tracker.is_some() || self.zlut.is_some() || self.zlut_strategy.is_some() || self.no_zlut;
        methods || !self.params.is_empty() || !self.zlut_params.is_empty()
    }

    /// The recorded methods, with what was said otherwise.
    fn methods(&self, recording: &Recording) -> RerunMethods {
        let section = |name: &str| recording.metadata().sections.get(name).cloned().unwrap_or_default();
        let tracker = choice(self.tracker.as_deref(), &self.params, &section("tracker"));
        let zlut = section("zlut");
        let recorded = zlut["file"].as_str().map(|file| self.recording.join(file));
        let file = self.zlut.clone().or(recorded.filter(|_| !self.no_zlut));
        let strategy = match &self.zlut {
            // The one that made that file, unless another is named.
            Some(_) if self.zlut_strategy.is_none() => None,
            _ => Some(choice(self.zlut_strategy.as_deref(), &self.zlut_params, &zlut["strategy"])),
        };
        RerunMethods { tracker, zlut: file.map(|file| (file, strategy)) }
    }

    fn report(&self, r: &RerunReport, options: &RerunOptions, seconds: f64) -> (Output, Ending) {
        let rate = r.rows as f64 / seconds.max(1e-9);
        let differ = r.rows - r.rows_same - r.rows_not_compared;
        let compared = options.methods.is_none();
        let mut text =
            format!("{} frames, {} rows tracked again in {seconds:.2} s ({rate:.0} ROIs/s)\n", r.frames, r.rows);
        if compared {
            text += &format!("{} rows have the bits of the recorded ones, {differ} differ\n", r.rows_same);
            if let Some(pair) = &r.first_difference {
                text += &difference(&pair.0, &pair.1);
            }
        }
        if r.rows_not_compared > 0 {
            text += &format!("{} rows had been written off when they were recorded\n", r.rows_not_compared);
        }
        if r.frames_without_pixels > 0 {
            text += &format!("{} frames with rows have no pixels, or damaged ones\n", r.frames_without_pixels);
        }
        if r.failed_calls > 0 {
            text += &format!("{} calls of a plugin failed\n", r.failed_calls);
        }
        if let Some(set) = &options.save_as {
            text += &format!("added as tracks {set} to {}\n", self.recording.display());
        }
        r.notes.iter().for_each(|n| text += &format!("note: {n}\n"));
        let json = json!({
            "recording": self.recording.display().to_string(),
            "frames": r.frames,
            "frames_without_pixels": r.frames_without_pixels,
            "rows": r.rows,
            "seconds": seconds,
            "rois_per_s": rate,
            "set": options.save_as,
            "comparison": compared.then(|| json!({
                "with": options.of, "equal": r.rows_same, "different": differ, "not_compared": r.rows_not_compared,
            })),
            "failed_calls": r.failed_calls,
            "notes": r.notes,
        });
        let fine = r.failed_calls == 0 && (!compared || (differ == 0 && r.rows_same > 0));
        (Output { text, json }, Ending::fine_if(fine))
    }
}

/// A method: the one that is named with its own defaults, else the recorded one with its parameters; some changed.
fn choice(named: Option<&str>, changes: &[(String, String)], recorded: &Value) -> MethodChoice {
    let (method, mut parameters) = match named {
        Some(method) => (method.to_owned(), ParameterText::new()),
        None => (recorded["id"].as_str().unwrap_or_default().to_owned(), texts(&recorded["parameters"])),
    };
    parameters.extend(changes.iter().cloned());
    MethodChoice { method, parameters }
}

/// Values as a command line gives them.
fn texts(parameters: &Value) -> ParameterText {
    let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    parameters.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), text(v))).collect()
}

/// A method's id as the name of a set: `tracker-quadrant`.
fn set_name(method: &str) -> String {
    let id = method.split(['@', '#']).next().unwrap_or(method);
    id.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}

fn difference(then: &Row, now: &Row) -> String {
    format!(
        "the first is bead {} in frame {}: by {:e}, {:e}, {:e} nm in x, y, z; flags {} and {}\n",
        then.bead,
        then.frame,
        now.x_nm - then.x_nm,
        now.y_nm - then.y_nm,
        now.z_nm - then.z_nm,
        then.flags,
        now.flags
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_method_begins_from_its_own_defaults_and_the_recorded_one_from_its_parameters() {
        let recorded = json!({"id": "tracker.a", "parameters": {"n": 5, "mode": "median", "on": true}});
        let change = [("n".to_owned(), "7".to_owned())];
        let same = choice(None, &change, &recorded);
        assert_eq!((same.method.as_str(), same.parameters["n"].as_str()), ("tracker.a", "7"));
        assert_eq!((same.parameters["mode"].as_str(), same.parameters["on"].as_str()), ("median", "true"));
        let other = choice(Some("tracker.b@2"), &change, &recorded);
        assert_eq!((other.method.as_str(), other.parameters.len()), ("tracker.b@2", 1));
        assert_eq!(set_name(&other.method), "tracker-b");
    }
}
