//! Where stages and sweeps join in. So far there are none, and whoever asks for one is told so.
//!
//! What a sweep needs of the engine: a [`Tap`](crate::engine::program::Tap) in the program (`Program { tap: Some(..), ..}`
//! with [`Control::switch`]), which gets every tracked batch with profiles and pixels; [`Control::use_zlut`] for its tables;
//! [`Control::job`] for slow work, `Input::Beside` for what its own threads tell; and [`Control::refuse_while_held`], which
//! names who holds what moves.

use super::{Asker, Control, Outcome};
use crate::control::{Refusal, RefusalKind, StageCommand, SweepCommand};

impl Control {
    pub(super) fn stages_command(&mut self, _: &Asker, command: StageCommand) -> Result<Outcome, Refusal> {
        match command {
            // Never refused: there is nothing that moves.
            StageCommand::StopAll | StageCommand::Disarm => {
                Ok(Outcome::Done(crate::control::Answer::Done { from_frame: None }))
            }
            _ => Err(no_stage("use a stage")),
        }
    }

    pub(super) fn sweep_command(&mut self, _: &Asker, _: SweepCommand) -> Result<Outcome, Refusal> {
        Err(no_stage("sweep"))
    }

    /// Refuses what would spoil the work of who holds everything that moves.
    pub(crate) fn refuse_while_held(&self, _what: &str) -> Result<(), Refusal> {
        Ok(())
    }

    /// Who holds everything that moves.
    pub(crate) fn held_by(&self) -> Option<String> {
        None
    }
}

fn no_stage(what: &str) -> Refusal {
    Refusal::new(RefusalKind::NotFound, format!("cannot {what}"), "no stage is open", "open a stage first")
}
