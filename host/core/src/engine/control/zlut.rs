//! Z-LUTs in use: loaded, checked against what makes pixels and profiles, and put away.

use super::build::{Built, Spec, ZlutChoice, build, read_choice};
use super::{Asker, Control, Outcome};
use crate::control::{Answer, EventKind, Refusal, RefusalKind, Severity, ZlutCommand};

impl Control {
    pub(super) fn zlut_command(&mut self, asker: &Asker, command: ZlutCommand) -> Result<Outcome, Refusal> {
        self.refuse_while_held("change the Z-LUT")?;
        match command {
            ZlutCommand::Load { path, strategy } => {
                let (registry, spec) = (self.registry.clone(), self.spec());
                Ok(self.try_job(
                    asker,
                    move || {
                        let choice = read_choice(&registry, &path, strategy.as_ref())?;
                        with_zlut(spec, choice)
                    },
                    Self::zlut_ready,
                ))
            }
            ZlutCommand::Unload => self.unload_zlut(asker),
        }
    }

    /// Uses a Z-LUT that was made here, from the next frame on.
    pub(crate) fn use_zlut(&mut self, asker: &Asker, choice: ZlutChoice) -> Outcome {
        let spec = self.spec();
        self.try_job(asker, move || with_zlut(spec, choice), Self::zlut_ready)
    }

    fn zlut_ready(&mut self, asker: Asker, built: Built) {
        let path = built.zlut.as_ref().and_then(|z| z.choice.path.clone());
        self.install(
            built,
            None,
            Box::new(move |control, from_frame| {
                control.tell(from_frame, Severity::Info, EventKind::ZlutLoaded { path });
                control.done(&asker, from_frame, Answer::Done { from_frame });
            }),
        );
    }

    fn unload_zlut(&mut self, asker: &Asker) -> Result<Outcome, Refusal> {
        if self.built.zlut.is_none() {
            return Err(Refusal::new(
                RefusalKind::NotNow,
                "cannot unload the Z-LUT",
                "none is in use",
                "nothing is to be done",
            ));
        }
        let spec = Spec { zlut: None, ..self.spec() };
        Ok(self.try_job(
            asker,
            move || build(&spec),
            |control, asker, (built, _)| {
                control.install(
                    built,
                    None,
                    Box::new(move |control, from_frame| {
                        let reason = "asked for".to_owned();
                        control.tell(from_frame, Severity::Info, EventKind::ZlutUnloaded { reason });
                        control.done(&asker, from_frame, Answer::Done { from_frame });
                    }),
                );
            },
        ))
    }
}

/// Everything with this Z-LUT; one that does not fit is refused, and what is in use stays.
fn with_zlut(spec: Spec, choice: ZlutChoice) -> Result<Built, Refusal> {
    match build(&Spec { zlut: Some(choice), ..spec })? {
        (built, None) => Ok(built),
        (_, Some(refusal)) => Err(refusal),
    }
}
