//! `tetherscope bench`: what the live path takes and costs on this machine, through the same commands, files and processes
//! as an experiment. Figures only: nothing here passes or fails.

mod children;
mod cpu;
mod kills;
mod live;
mod ring;
mod rows;
mod start;
#[cfg(feature = "gui")]
mod window;

use super::{CommandResult, Context};

/// Measure the live path, and the window, on this machine
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// Live tracking, ring, recording, start, idle, kill -9: a table, or JSON
    Live(live::Live),
    #[cfg(feature = "gui")]
    Window(window::Window),
    /// Open a window that measures itself
    #[cfg(feature = "gui")]
    #[command(hide = true)]
    InWindow(window::Child),
    /// Print how long it took from the start of this process to the first tracked row
    #[command(hide = true)]
    FirstRow,
}

impl Bench {
    /// Measures.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Bench::Live(l) => l.run(context),
            #[cfg(feature = "gui")]
            Bench::Window(w) => w.run(context),
            #[cfg(feature = "gui")]
            Bench::InWindow(c) => c.run(context),
            Bench::FirstRow => start::first_row(context),
        }
    }
}
