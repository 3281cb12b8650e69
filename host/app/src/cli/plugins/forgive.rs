//! `tetherscope plugins forgive`: lets a library that took Tetherscope down before run in its process again. Removes what is
//! held against it, and nothing else.

use super::crash_json;
use crate::cli::output::{Ending, Output};
use crate::cli::{CommandResult, Context};
use serde_json::json;
use tetherscope_core::RunError;
use tetherscope_core::loader::forgive;

/// Let plugins that crashed before run in this process again
///
/// A plugin that took Tetherscope down runs in a process of its own from then on. This lifts that from the next start on,
/// for the whole library of the method. A library that was built anew needs no forgiving.
#[derive(clap::Args)]
pub(crate) struct Forgive {
    /// `id`, `id@version` or `id#hash`, or the file of a library; may be several
    #[arg(value_name = "METHOD|FILE", required_unless_present = "all")]
    methods: Vec<String>,
    /// Forgive all
    #[arg(long, conflicts_with = "methods")]
    all: bool,
}

impl Forgive {
    /// Forgives, and tells what.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let options = context.search();
        let mut forgiven = Vec::new();
        let names: Vec<Option<&str>> =
            if self.all { vec![None] } else { self.methods.iter().map(|m| Some(m.as_str())).collect() };
        for name in names {
            forgiven.extend(forgive(&options, name).map_err(RunError::from)?);
        }
        let mut text = String::new();
        for crash in &forgiven {
            let name =
                if crash.method().is_empty() { crash.path().display().to_string() } else { crash.method().into() };
            text += &format!("{name} is forgiven: {}\n", crash.cause());
        }
        if forgiven.is_empty() {
            text += "nothing is held against any plugin\n";
        }
        let json = json!({"forgiven": forgiven.iter().map(crash_json).collect::<Vec<_>>()});
        Ok((Output { text, json }, Ending::Fine))
    }
}
