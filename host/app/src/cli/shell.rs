//! What a shell wants of the program: completions and a manual page, generated from the description of the options.

use super::output::{Ending, Output};
use super::{Cli, CommandResult};
use clap::CommandFactory;
use tetherscope_core::RunError;

/// Print completions for a shell
#[derive(clap::Args)]
pub(crate) struct Completions {
    /// Shell: bash, zsh, fish, elvish or powershell
    shell: clap_complete::Shell,
}

impl Completions {
    /// The completions as text.
    pub(crate) fn run(self) -> CommandResult {
        let mut bytes = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tetherscope", &mut bytes);
        Ok((text(bytes), Ending::Fine))
    }
}

/// The manual page, with a part for every command.
pub(crate) fn man() -> CommandResult {
    let mut bytes = Vec::new();
    let mut write = |command: clap::Command| {
        clap_mangen::Man::new(command)
            .render(&mut bytes)
            .map_err(|e| RunError::refused("cannot make the manual page", e.to_string(), "report it to the authors"))
    };
    let mut top = Cli::command();
    top.build();
    write(top.clone())?;
    for sub in top.get_subcommands().filter(|s| s.get_name() != "help") {
        write(sub.clone())?;
    }
    Ok((text(bytes), Ending::Fine))
}

fn text(bytes: Vec<u8>) -> Output {
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let json = serde_json::json!({ "text": text });
    Output { text, json }
}
