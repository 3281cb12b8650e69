//! The program `tetherscope`: everything on the command line, and the window.
//!
//! It draws no conclusions of its own: each command asks `tetherscope-core` and prints what comes back. Exit codes: 0 fine,
//! 1 checked and not fine, 2 error.

mod cli;
#[cfg(feature = "gui")]
mod digits;
#[cfg(feature = "gui")]
mod gui;
mod log_file;
mod rig_file;

/// When this process began, about.
static STARTED: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();

/// When this process began, about.
pub(crate) fn started() -> std::time::Instant {
    *STARTED.get_or_init(std::time::Instant::now)
}

fn main() -> std::process::ExitCode {
    started();
    // The same executable is the child in which unknown libraries are loaded first.
    tetherscope_core::loader::run_if_child();
    // And the one in which each check of a plugin runs.
    tetherscope_check::run_if_child();
    cli::main()
}
