//! Commands about sweeps: whether one can start at all, what it needs of the engine, and what becomes of its tables.

use super::build::ZlutChoice;
use super::{Asker, Control, Outcome};
use crate::control::{
    Answer, EventKind, Refusal, RefusalKind, Severity, SweepCommand, SweepPhase, SweepRequest, SweepView, SweepWhich,
};
use crate::engine::Input;
use crate::engine::program::Program;
use crate::engine::settings::resolve;
use crate::engine::sweep::{Capture, SweepJob, SweepShared, SweepTables, make_tables, positions_nm};
use crate::plan::Plan;
use crate::stages::Hold;
use crate::{RunError, Sweep};
use std::sync::Arc;
use tetherscope_files::StoredZlut;
use tetherscope_loader::{Kind, ZlutStrategy};

/// The sweep that runs, or the tables of the last one.
#[derive(Default)]
pub(crate) struct SweepArea {
    running: Option<Running>,
    finished: Option<Arc<SweepTables>>,
    last: SweepView,
}

struct Running {
    shared: Arc<SweepShared>,
    /// ROIs that stay as they are until all frames are there.
    frozen: Option<Arc<Plan>>,
    record_profiles_before: bool,
}

/// What a sweep starts with.
struct Start {
    hold: Hold,
    stage: String,
    axis: u32,
    positions_nm: Vec<f64>,
    request: SweepRequest,
    strategy: Arc<ZlutStrategy>,
    sweep: Sweep,
}

impl SweepArea {
    /// ROIs that stay as they are while frames are taken.
    pub(crate) fn frozen(&self) -> Option<&Arc<Plan>> {
        self.running.as_ref()?.frozen.as_ref()
    }

    /// What clients see.
    pub(crate) fn view(&self) -> SweepView {
        self.running.as_ref().map_or_else(|| self.last.clone(), |r| r.shared.view())
    }

    /// True until a sweep's tables are there, or it failed.
    pub(crate) fn is_running(&self) -> bool {
        self.running.is_some()
    }
}

impl Control {
    pub(super) fn sweep_command(&mut self, asker: &Asker, command: SweepCommand) -> Result<Outcome, Refusal> {
        match command {
            SweepCommand::Start(request) => self.start_sweep(asker, request),
            SweepCommand::Cancel => {
                let running = self.sweep.running.as_ref().ok_or_else(|| no_sweep("cancel the sweep"))?;
                running.shared.cancel();
                Ok(Outcome::Done(Answer::Done { from_frame: self.frame_now() }))
            }
            SweepCommand::Resume => {
                let running = self.sweep.running.as_ref().ok_or_else(|| no_sweep("resume the sweep"))?;
                if !running.shared.resume() {
                    let thing = "cannot resume the sweep";
                    return Err(Refusal::new(RefusalKind::NotNow, thing, "it is not paused", "nothing is to be done"));
                }
                Ok(Outcome::Done(Answer::Done { from_frame: self.frame_now() }))
            }
            SweepCommand::Save { path, which } => {
                let tables = self.tables("save tables")?;
                Ok(self.try_job(
                    asker,
                    move || {
                        let file = tables.file(which)?;
                        tetherscope_files::write_zlut(&path, &file).map_err(|e| Refusal::from(RunError::from(e)))?;
                        Ok(path)
                    },
                    |control, asker, path| control.done(&asker, control.frame_now(), Answer::Path(path)),
                ))
            }
            SweepCommand::Use { which } => self.use_tables(asker, which),
            SweepCommand::Discard => {
                self.tables("discard the sweep")?;
                (self.sweep.finished, self.sweep.last) = (None, SweepView::default());
                Ok(Outcome::Done(Answer::Done { from_frame: self.frame_now() }))
            }
        }
    }

    fn tables(&self, what: &str) -> Result<Arc<SweepTables>, Refusal> {
        self.sweep.finished.clone().ok_or_else(|| no_sweep(what))
    }

    fn use_tables(&mut self, asker: &Asker, which: SweepWhich) -> Result<Outcome, Refusal> {
        self.refuse_while_held("change the Z-LUT")?;
        let tables = self.tables("use tables")?;
        let stored = Arc::new(StoredZlut::Own(Box::new(tables.file(which)?)));
        let choice = ZlutChoice { path: None, stored, strategy: tables.strategy().clone() };
        Ok(self.use_zlut(asker, choice))
    }

    fn start_sweep(&mut self, asker: &Asker, request: SweepRequest) -> Result<Outcome, Refusal> {
        check_numbers(&request)?;
        let positions_nm = positions_nm(&request.positions)?;
        let plan = self.plan_to_sweep()?;
        let (stage, axis) = self.stages.focus()?;
        let mut from = self.stages.whereabouts(&stage, axis)?.position;
        for to in &positions_nm {
            self.stages.check_move(&stage, axis, from, *to)?;
            from = *to;
        }
        self.stages.check_armed("cannot start a sweep")?;
        if request.keep_rois {
            self.check_rois_are_kept()?;
        }
        let mut sweep = Sweep::for_plan(&plan);
        let ways = if request.both_directions { 2 } else { 1 };
        sweep.reserve(positions_nm.len() * ways * request.frames_per_step as usize * plan.rois().len())?;
        let hold = self.stages.interlock().take("sweep")?;
        let (component, params) = resolve(&self.registry, Kind::Zlut, &request.strategy)?;
        let work = move || {
            let strategy = ZlutStrategy::create(&component, params).map_err(|e| Refusal::from(RunError::from(e)))?;
            Ok(Start { hold, stage, axis, positions_nm, request, strategy, sweep })
        };
        Ok(self.try_job(asker, work, Self::begin_sweep))
    }

    /// The plan whose ROIs are swept, if frames are tracked now.
    fn plan_to_sweep(&self) -> Result<Arc<Plan>, Refusal> {
        let not_now = |cause: &str, mend: &str| Refusal::new(RefusalKind::NotNow, "cannot start a sweep", cause, mend);
        if self.sweep.is_running() {
            return Err(not_now("one runs already", "wait for it to end, or cancel it"));
        }
        if !self.camera.is_running() {
            return Err(not_now("no camera runs", "start it first"));
        }
        if !self.program.mode.tracks() {
            return Err(not_now("nothing is tracked in this data mode", "choose a mode that tracks"));
        }
        if !self.program.processing {
            return Err(not_now("frames are not processed", "switch processing on"));
        }
        if self.built.tracker.is_none() {
            return Err(not_now("no tracker is chosen", "choose one"));
        }
        self.program.tracking().cloned().ok_or_else(|| not_now("there is no bead", "add one"))
    }

    /// Pixels are recorded as the data mode says, from the start of the recording on: a sweep cannot ask for them later.
    fn check_rois_are_kept(&self) -> Result<(), Refusal> {
        let is_recorded =
            self.program.recorder.is_some() && (self.program.mode.records_rois() || self.program.mode.records_frames());
        if is_recorded {
            return Ok(());
        }
        let cause = "no recording with ROI video or full video is being written";
        let mend = "choose the mode track_and_roi_video and start a recording first, or sweep without keep_rois";
        Err(Refusal::new(RefusalKind::NotNow, "cannot keep the ROIs of this sweep", cause, mend))
    }

    fn begin_sweep(&mut self, asker: Asker, start: Start) {
        let plan = match self.plan_to_sweep() {
            Ok(plan) => plan,
            Err(refusal) => return self.reply(&asker, Err(refusal)),
        };
        let ways = if start.request.both_directions { 2 } else { 1 };
        let steps = (start.positions_nm.len() * ways) as u32;
        let view = SweepView {
            phase: SweepPhase::Moving,
            request: Some(start.request.clone()),
            steps,
            frames: steps * start.request.frames_per_step,
            beads: plan.rois().iter().map(|r| r.bead).collect(),
            ..SweepView::default()
        };
        let shared = SweepShared::new(view);
        let capture = Arc::new(Capture::new(start.sweep));
        let record_profiles_before = self.program.record_profiles;
        self.sweep.finished = None;
        self.sweep.running = Some(Running { shared: shared.clone(), frozen: Some(plan), record_profiles_before });
        let program = Program { tap: Some(capture.clone()), record_profiles: true, ..(*self.program).clone() };
        let (stages, inputs) = (self.stages.clone(), self.inputs.clone());
        let job = SweepJob {
            stages,
            stage: start.stage,
            axis: start.axis,
            hold: start.hold,
            positions_nm: start.positions_nm,
            request: start.request,
            capture: capture.clone(),
            shared: shared.clone(),
            inputs,
        };
        let (strategy, optics) = (start.strategy, self.options.optics);
        self.switch(
            program,
            Box::new(move |control, frame| {
                control.tell(frame, Severity::Info, EventKind::SweepStarted { steps });
                let inputs = control.inputs.clone();
                let spawned = std::thread::Builder::new().name("sweep".into()).spawn(move || {
                    let tell = |then: Box<dyn FnOnce(&mut Control) + Send>| {
                        // At the end nobody listens any more.
                        let _ = inputs.send(Input::Beside(then));
                    };
                    let swept = job.run();
                    tell(Box::new(Control::frames_are_there));
                    let made = swept.and_then(|swept| {
                        shared.show(|v| v.phase = SweepPhase::Building);
                        make_tables(capture.take_sweep(), &swept, strategy, &optics, shared.cancel_token())
                    });
                    tell(Box::new(move |control| control.sweep_over(made)));
                });
                match spawned {
                    Ok(_) => control.done(&asker, frame, Answer::Done { from_frame: frame }),
                    Err(e) => {
                        let thing = "cannot start a sweep";
                        let refusal = Refusal::new(RefusalKind::Device, thing, e.to_string(), "close other programs");
                        control.frames_are_there();
                        control.sweep_over(Err(refusal.clone()));
                        control.reply(&asker, Err(refusal));
                    }
                }
            }),
        );
    }

    /// Nothing is taken any more: beads may be moved again, and what was recorded besides is as before.
    fn frames_are_there(&mut self) {
        let Some(running) = &mut self.sweep.running else { return };
        running.frozen = None;
        let record_profiles = running.record_profiles_before;
        let program = Program { tap: None, record_profiles, ..self.make_program() };
        self.switch(program, Box::new(|_, _| {}));
    }

    fn sweep_over(&mut self, made: Result<SweepTables, Refusal>) {
        let Some(running) = self.sweep.running.take() else { return };
        let mut view = running.shared.view();
        let (result, verdict, severity) = match made {
            Ok(tables) => {
                view.phase = SweepPhase::Done;
                view.failure = None;
                view.rejected = tables.rejected().to_vec();
                view.tables = tables.views();
                let told = (Ok(tables.beads()), tables.verdict(), Severity::Info);
                self.sweep.finished = Some(Arc::new(tables));
                told
            }
            Err(refusal) => {
                let cancelled = refusal.kind == RefusalKind::Cancelled;
                view.phase = if cancelled { SweepPhase::Idle } else { SweepPhase::Failed };
                view.failure = Some(refusal.clone());
                (Err(refusal), String::new(), if cancelled { Severity::Info } else { Severity::Error })
            }
        };
        self.sweep.last = view;
        let frame = self.frame_now();
        self.tell(frame, severity, EventKind::SweepEnded { result, verdict });
    }

    /// Ends a sweep where it is: everything was stopped.
    pub(super) fn stop_sweep(&self) {
        if let Some(running) = &self.sweep.running {
            running.shared.stop();
        }
    }
}

fn check_numbers(request: &SweepRequest) -> Result<(), Refusal> {
    let refuse = |cause: String| {
        Err(Refusal::new(RefusalKind::Invalid, "cannot start this sweep", cause, "give a number that makes sense"))
    };
    if !(1..=100_000).contains(&request.frames_per_step) {
        return refuse(format!("{} frames per step; 1 to 100000 are possible", request.frames_per_step));
    }
    for (name, value, max) in [
        ("tolerance_nm", request.tolerance_nm, 1e6),
        ("settle_ms", request.settle_ms, 600_000.0),
        ("step_timeout_s", request.step_timeout_s, 86_400.0),
    ] {
        let is_settle = name == "settle_ms";
        if !(value.is_finite() && value <= max && (value > 0.0 || (is_settle && value == 0.0))) {
            return refuse(format!("{name} is {value}; it must be positive, at most {max}"));
        }
    }
    Ok(())
}

fn no_sweep(what: &str) -> Refusal {
    Refusal::new(RefusalKind::NotNow, format!("cannot {what}"), "there is no such sweep", "run one first")
}
