//! Commands to stages, and what stages tell: telemetry goes into the recording, the rest to clients.

use super::{Asker, Control, Outcome};
use crate::control::{Answer, EventKind, Refusal, Severity, StageCommand};
use crate::engine::Input;
use crate::engine::recorder::Item;
use crate::engine::settings::resolve;
use crate::stages::{Done, Mover, Opening, StageListener, StageSample};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use tetherscope_loader::Kind;

/// Passes what stages tell to the control thread.
pub(crate) struct StageEars(pub(crate) Mutex<Sender<Input>>);

impl StageEars {
    fn tell(&self, then: impl FnOnce(&mut Control) + Send + 'static) {
        let inputs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // At the end nobody listens any more.
        let _ = inputs.send(Input::Beside(Box::new(then)));
    }
}

impl StageListener for StageEars {
    fn sample(&self, sample: &StageSample) {
        let sample = sample.clone();
        self.tell(move |control| control.record_stage(&sample));
    }

    fn event(&self, severity: Severity, kind: EventKind) {
        self.tell(move |control| {
            let frame = control.frame_now();
            control.tell(frame, severity, kind);
        });
    }
}

impl Control {
    pub(super) fn stages_command(&mut self, asker: &Asker, command: StageCommand) -> Result<Outcome, Refusal> {
        let client = format!("client {}", asker.client.0);
        let stages = self.stages.clone();
        match command {
            StageCommand::Open { name, stage, device } => {
                let (component, params) = resolve(&self.registry, Kind::Stage, &stage)?;
                stages.open(&name, Opening { component, device, params }, self.when_taken(asker));
            }
            StageCommand::Close { stage } => {
                return Ok(self.try_job(
                    asker,
                    move || stages.close(&stage),
                    |control, asker, ()| control.done(&asker, control.frame_now(), done_at(control.frame_now())),
                ));
            }
            StageCommand::Arm { seconds } => {
                stages.arm(seconds)?;
                return Ok(Outcome::Done(done_at(self.frame_now())));
            }
            StageCommand::Disarm => {
                stages.disarm();
                return Ok(Outcome::Done(done_at(self.frame_now())));
            }
            StageCommand::Move { stage, axis, position } => {
                stages.move_to(Mover::Client(&client), &stage, axis, position, self.when_taken(asker));
            }
            StageCommand::Jog { stage, axis, by } => stages.jog(&client, &stage, axis, by, self.when_taken(asker)),
            StageCommand::Home { stage, axis } => stages.home(&client, &stage, axis, self.when_taken(asker)),
            StageCommand::StopAll => self.stop_all(asker)?,
            StageCommand::SetWindow { stage, axis, min, max } => {
                stages.set_window(&stage, axis, min, max)?;
                return Ok(Outcome::Done(done_at(self.frame_now())));
            }
            StageCommand::SetCaps { stage, axis, max_step, max_speed_per_s } => {
                stages.set_caps(&stage, axis, max_step, max_speed_per_s)?;
                return Ok(Outcome::Done(done_at(self.frame_now())));
            }
        }
        Ok(Outcome::Later)
    }

    /// Replies when a stage's thread says how it went.
    fn when_taken(&self, asker: &Asker) -> Done {
        let (asker, inputs) = (asker.clone(), self.inputs.clone());
        Box::new(move |outcome| {
            let then = move |control: &mut Control| match outcome {
                Ok(()) => control.done(&asker, control.frame_now(), done_at(control.frame_now())),
                Err(refusal) => control.reply(&asker, Err(refusal)),
            };
            // At the end nobody listens any more.
            let _ = inputs.send(Input::Beside(Box::new(then)));
        })
    }

    /// Ends a sweep where it is, and stops everything, on a thread that nobody waits for.
    fn stop_all(&mut self, asker: &Asker) -> Result<(), Refusal> {
        self.stop_sweep();
        let (stages, done) = (self.stages.clone(), self.when_taken(asker));
        let reason = format!("client {} stopped everything", asker.client.0);
        let spawned = std::thread::Builder::new().name("stop-all".into()).spawn({
            let stages = stages.clone();
            move || done(stages.stop_all(&reason))
        });
        if spawned.is_err() {
            // Better slowly than not at all; the reply went with the thread.
            stages.stop_all("no thread to stop with")?;
        }
        Ok(())
    }

    /// A row of telemetry, into the recording if there is one.
    fn record_stage(&mut self, sample: &StageSample) {
        self.publisher.touch();
        self.beat_soon();
        let unit = self.stages.unit(&sample.stage, sample.axis);
        let sample = tetherscope_files::StageSample {
            utc_ns: self.times.utc_of_host_ns(sample.time_ns),
            stage: sample.stage.to_string(),
            axis: sample.axis,
            unit,
            position: Some(sample.position),
            target: sample.target,
            moving: sample.moving,
        };
        self.record_item(Item::Stage(sample));
    }

    /// Refuses what would spoil the work of who holds everything that moves.
    pub(crate) fn refuse_while_held(&self, what: &str) -> Result<(), Refusal> {
        self.stages.interlock().check_free(&format!("cannot {what}"))
    }

    /// Who holds everything that moves.
    pub(crate) fn held_by(&self) -> Option<String> {
        self.stages.interlock().holder().map(str::to_owned)
    }
}

fn done_at(from_frame: Option<u64>) -> Answer {
    Answer::Done { from_frame }
}

/// All stages of an engine, listened to by its control thread.
pub(crate) fn stages_for(inputs: &Sender<Input>) -> Arc<crate::stages::Stages> {
    Arc::new(crate::stages::Stages::new(Arc::new(StageEars(Mutex::new(inputs.clone())))))
}
