//! The program `tetherscope`: everything on the command line.
//!
//! It draws no conclusions of its own: each command asks `tetherscope-core` and prints what comes back. Exit codes: 0 fine,
//! 1 checked and not fine, 2 error.

mod cli;
mod log_file;
// Who acquires uses the rest.
#[allow(dead_code)]
mod rig_file;

fn main() -> std::process::ExitCode {
    // The same executable is the child in which unknown libraries are loaded first.
    tetherscope_core::loader::run_if_child();
    // And the one in which each check of a plugin runs.
    tetherscope_check::run_if_child();
    cli::main()
}
