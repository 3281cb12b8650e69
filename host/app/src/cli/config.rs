//! `tetherscope config`: a rig to begin with, what is wrong with one, and all that can stand in it.

use super::output::{Ending, Output};
use super::{CommandResult, Context};
use crate::rig_file::{EXAMPLE, FileProblem, ReadProblem, RigFile};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Write and check the description of your experiment, rig.toml
#[derive(clap::Subcommand)]
pub(crate) enum Config {
    /// Print a rig that runs as it is, on simulated beads
    Example,
    /// Look a rig through: grammar, methods, parameters, ranges, files; no device is touched
    Check(Check),
    /// Print the JSON schema of a rig: every key with what it means (editors can check a file by it)
    Schema,
}

/// Look a rig through
#[derive(clap::Args)]
pub(crate) struct Check {
    /// The rig
    file: PathBuf,
}

impl Config {
    /// Prints or checks.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Config::Example => {
                Ok((Output { text: EXAMPLE.to_owned(), json: json!({ "text": EXAMPLE }) }, Ending::Fine))
            }
            Config::Check(c) => c.run(context),
            Config::Schema => {
                let json = tetherscope_core::rig::schema();
                Ok((Output { text: format!("{json:#}\n"), json }, Ending::Fine))
            }
        }
    }
}

impl Check {
    fn run(self, context: &Context) -> CommandResult {
        let problems = match RigFile::read(&self.file) {
            Err(ReadProblem::Unreadable(e)) => return Err(e),
            Err(ReadProblem::Wrong(problem)) => vec![problem],
            Ok(rig) => rig.check(&context.registry()?),
        };
        Ok(report(&self.file, &problems))
    }
}

fn report(file: &Path, problems: &[FileProblem]) -> (Output, Ending) {
    let mut text = String::new();
    for p in problems {
        text += &format!("{}, {}\n  {}\n  {}\n", file.display(), p.place(), p.cause, p.mend.replace('\n', "\n  "));
    }
    text += &match problems.len() {
        0 => format!("{} is fine\n", file.display()),
        1 => "1 problem\n".to_owned(),
        n => format!("{n} problems\n"),
    };
    let problem = |p: &FileProblem| json!({"line": p.line, "key": p.key, "cause": p.cause, "mend": p.mend});
    let json = json!({
        "file": file.display().to_string(),
        "fine": problems.is_empty(),
        "problems": problems.iter().map(problem).collect::<Vec<_>>(),
    });
    (Output { text, json }, Ending::fine_if(problems.is_empty()))
}
