//! `tetherscope zlut rebuild`: a Z-LUT from a sweep that was recorded, with any strategy, and from its pixels with any tracker.

use super::make::{MakeArgs, Told};
use crate::cli::frames::key_value;
use crate::cli::{CommandResult, Context};
use serde_json::json;
use std::path::PathBuf;
use tetherscope_core::control::MethodChoice;
use tetherscope_core::{RecordedSweepOptions, RunError, TableOptions, collect_recorded_sweep};

/// Build a Z-LUT from a sweep that a recording holds
#[derive(clap::Args)]
pub(crate) struct Rebuild {
    /// The recording's folder
    recording: PathBuf,
    /// Number of the sweep, from 1; without it the last one
    #[arg(long, value_name = "N")]
    sweep: Option<usize>,
    /// Another tracker than the recorded one; the recording must hold ROI stacks or full frames
    #[arg(long, value_name = "METHOD", conflicts_with = "from_profiles")]
    tracker: Option<String>,
    /// Parameter of that tracker; may be given several times
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value, requires = "tracker")]
    params: Vec<(String, String)>,
    /// Take the recorded profiles, also where there are pixels
    #[arg(long)]
    from_profiles: bool,
    /// Threads that build; without it one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(flatten)]
    make: MakeArgs,
}

impl Rebuild {
    /// Reads, builds and writes.
    pub(super) fn run(self, context: &Context) -> CommandResult {
        let registry = context.registry()?;
        let strategy = self.make.strategy(&registry)?;
        let method = |method: &String| MethodChoice {
            method: method.clone(),
            parameters: self.params.iter().cloned().collect(),
        };
        let options = RecordedSweepOptions {
            number: self.sweep,
            tracker: self.tracker.as_ref().map(method),
            from_profiles: self.from_profiles,
            cancel: context.cancel.clone(),
        };
        let read = collect_recorded_sweep(&registry, &self.recording, &options)?;
        if context.cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        let source = if read.sweep.has_pixels() { "pixels" } else { "profiles" };
        let more = json!({
            "recording": self.recording.display().to_string(),
            "sweep": read.number,
            "planes": read.recorded.planes.len(),
            "built_from": source,
        });
        let threads = self.threads.map_or(TableOptions::default().threads, usize::from);
        let told = Told { frames: read.frames, warnings: read.notes, more, fine: true };
        self.make.make(read.sweep, &strategy, &read.optics, threads, context.cancel.clone(), told)
    }
}
