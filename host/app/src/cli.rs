//! The command line: which commands there are, what all of them share, and how they end.

mod acquire;
mod bench;
mod camera;
mod check;
mod command_log;
mod config;
mod demo;
mod find;
mod frames;
#[cfg(feature = "gui")]
mod gui;
mod info;
mod isa;
mod live;
mod output;
mod overlay;
mod plugins;
mod progress;
mod recover;
mod rerun;
mod shell;
mod simulate;
mod simulated_rig;
mod track;
mod zlut;

use clap::{Parser, Subcommand};
use output::{Ending, Output};
use std::path::PathBuf;
use std::process::ExitCode;
use tetherscope_core::RunError;
use tetherscope_core::loader::{CancelToken, IsolationOptions, Registry, SearchOptions};

/// Magnetic-tweezers microscopy with any tracking algorithm, camera or stage as a plugin.
#[derive(Parser)]
#[command(name = "tetherscope", version, max_term_width = 100, arg_required_else_help = cfg!(not(feature = "gui")))]
struct Cli {
    #[command(flatten)]
    shared: Shared,
    // Without one the window opens, if it was built in.
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command has.
#[derive(clap::Args, Clone)]
struct Shared {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Search this folder for plugins first; may be given several times
    #[arg(long, global = true, value_name = "DIR")]
    plugin_dir: Vec<PathBuf>,
    /// Run this method, with all of its library, in a process of its own; may be given several times
    #[arg(long, global = true, value_name = "METHOD")]
    isolate: Vec<String>,
    /// Say more on standard error; twice for what only developers want to know
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Instructions that the numerics of our methods may use: baseline gives the same bits on every processor of a kind
    #[arg(long, global = true, value_name = "SET", value_enum, default_value = "auto")]
    isa: isa::IsaChoice,
}

#[derive(Subcommand)]
enum Command {
    #[cfg(feature = "gui")]
    Gui(gui::Gui),
    /// Show what Tetherscope does, without hardware and without arguments: simulated beads, tracked, with z
    Demo(demo::Demo),
    /// Render a video of simulated beads, with the truth beside it
    Simulate(simulate::Simulate),
    /// Track live and record, as a rig says
    Acquire(acquire::Acquire),
    /// Show what a recording is and whether it is whole
    Info(info::Info),
    /// Mend recordings whose program was ended
    Recover(recover::Recover),
    /// Track a recording again
    Rerun(rerun::Rerun),
    /// Find cameras and see what one sustains
    #[command(subcommand)]
    Camera(camera::Camera),
    /// Measure the live path on this machine
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Track beads in a video
    Track(track::Track),
    /// Build and look at Z-LUTs
    #[command(subcommand)]
    Zlut(zlut::Zlut),
    /// Write and check the description of your experiment, rig.toml
    #[command(subcommand)]
    Config(config::Config),
    /// See what plugins were found, and what they offer
    #[command(subcommand)]
    Plugins(plugins::Plugins),
    /// Print completions for a shell
    Completions(shell::Completions),
    /// Print the manual page
    Man,
}

/// What every command works with.
struct Context {
    shared: Shared,
    cancel: CancelToken,
}

impl Context {
    /// Where plugins are, and which of them are isolated, as the arguments say.
    fn search(&self) -> SearchOptions {
        let isolation = IsolationOptions { methods: self.shared.isolate.clone(), ..IsolationOptions::default() };
        SearchOptions { plugin_dirs: self.shared.plugin_dir.clone(), isolation, ..SearchOptions::default() }
    }

    /// All plugins. Takes a child process for each library that is new. An error if a method that is to be isolated is
    /// not there: who wants to be protected must not believe to be. Tells which run isolated because they crashed before.
    fn registry(&self) -> Result<Registry, RunError> {
        let registry = Registry::scan(&self.search());
        for method in &self.shared.isolate {
            registry.find(method)?;
        }
        for crash in registry.crashes() {
            eprintln!("warning: {}", crash.to_string().replace('\n', "\n  "));
        }
        Ok(registry)
    }

    /// True if a progress bar may be drawn.
    fn interactive(&self) -> bool {
        !self.shared.json && std::io::IsTerminal::is_terminal(&std::io::stderr())
    }
}

/// Reads the arguments, runs the command, prints its outcome.
pub(crate) fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage(&e),
    };
    // Before there is another thread.
    cli.shared.isa.tell();
    crate::log_file::start(cli.shared.verbose);
    let cancel = CancelToken::new();
    let on_signal = cancel.clone();
    // Without a handler Ctrl-C still ends the program; only the tidy end is lost.
    let _ = ctrlc::set_handler(move || on_signal.cancel());
    let context = Context { shared: cli.shared, cancel };
    #[cfg(feature = "gui")]
    let command = cli.command.unwrap_or_else(|| Command::Gui(gui::Gui::default()));
    #[cfg(not(feature = "gui"))]
    let command = cli.command.expect("clap shows the help where there is no command");
    let outcome = match command {
        #[cfg(feature = "gui")]
        Command::Gui(c) => c.run(&context),
        Command::Demo(c) => c.run(&context),
        Command::Simulate(c) => c.run(&context),
        Command::Acquire(c) => c.run(&context),
        Command::Info(c) => c.run(&context),
        Command::Recover(c) => c.run(&context),
        Command::Rerun(c) => c.run(&context),
        Command::Camera(c) => c.run(&context),
        Command::Bench(c) => c.run(&context),
        Command::Track(c) => c.run(&context),
        Command::Zlut(c) => c.run(&context),
        Command::Config(c) => c.run(&context),
        Command::Plugins(c) => c.run(&context),
        Command::Completions(c) => c.run(),
        Command::Man => shell::man(),
    };
    output::finish(context.shared.json, outcome)
}

/// Help and version are fine; anything else is a wrong argument, which with `--json` is told as JSON too.
fn usage(e: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|a| a == "--json");
    if e.use_stderr() && json {
        let text = e.to_string();
        let cause = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let refused = RunError::refused("cannot read the arguments", cause, "see `tetherscope --help`");
        return output::finish(true, Err(refused));
    }
    // Nowhere left to tell a failure to print.
    let _ = e.print();
    ExitCode::from(if e.use_stderr() { 2 } else { 0 })
}

/// What a command gives back.
type CommandResult = Result<(Output, Ending), RunError>;
