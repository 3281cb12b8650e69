//! `--isa`: which instructions the plugins' numerics may use. Told through the environment, which reaches every library and
//! every child. Does not choose anything itself.

#![allow(unsafe_code)]

use tetherscope_core::{ISA_BASELINE, ISA_VARIABLE};

/// Instruction sets to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum IsaChoice {
    /// The best that the processor has
    Auto,
    /// What every processor of this kind has: the same bits everywhere
    Baseline,
}

impl IsaChoice {
    /// Tells plugins and children. To be called before there is a second thread.
    pub(crate) fn tell(self) {
        match self {
            // SAFETY: called by `main` before any thread is started and any library is opened.
            IsaChoice::Baseline => unsafe { std::env::set_var(ISA_VARIABLE, ISA_BASELINE) },
            // Whatever the environment says already stays.
            IsaChoice::Auto => {}
        }
    }
}
