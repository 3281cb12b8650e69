//! Stages and Z-LUT sweeps in the running experiment, on the simulated bench: from beads to a table to z that follows the
//! focus, and everything that can go wrong on the way. Each test has a bench of its own (a copy of the library), since a
//! bench has one focus motor.

mod failures;
mod recorded;

use super::*;
use crate::harness::alone;
use std::path::Path;
use tetherscope_core::control::{
    DataMode, EventKind, Message, RefusalKind, SweepPhase, SweepPositions, SweepRequest, SweepView, SweepWhich,
};

/// A bench, its engine, and the folder of its library.
struct Bench {
    rig: Rig,
    folder: tempfile::TempDir,
}

impl std::ops::Deref for Bench {
    type Target = Rig;

    fn deref(&self) -> &Rig {
        &self.rig
    }
}

/// Camera settings: four beads that stay where they are, 100 nm/px.
const FIXED: [(&str, &str); 7] = [
    ("width_px", "300"),
    ("height_px", "300"),
    ("nm_per_px", "100"),
    ("n_fixed", "4"),
    ("n_tethered", "0"),
    ("frame_rate_hz", "60"),
    ("margin_px", "45"),
];

impl Bench {
    fn new(options: EngineOptions, more: &[&Path]) -> Self {
        Self::isolating(options, more, &[])
    }

    fn isolating(options: EngineOptions, more: &[&Path], methods: &[&str]) -> Self {
        let isolation =
            IsolationOptions { methods: methods.iter().map(|m| (*m).into()).collect(), ..IsolationOptions::default() };
        let folder = alone([plugin("sim")]);
        let child = Some(env!("CARGO_BIN_EXE_tetherscope-test-child").into());
        let search = SearchOptions { usual_places: false, child, cache: None, isolation, ..SearchOptions::default() };
        let mut registry = Registry::default();
        let sim = folder.path().join(plugin("sim").file_name().expect("a library has a name"));
        let ours = ["tracker-quadrant", "zlut-spline", "zlut-correlation", "finder-ncc"].map(plugin);
        let all = [sim].into_iter().chain(ours).chain(more.iter().map(|p| p.to_path_buf()));
        all.for_each(|library| registry.load_file(&library, &search).unwrap_or_else(|e| panic!("{e}")));
        let engine = Engine::start(Arc::new(registry), options).unwrap_or_else(|e| panic!("{e}"));
        Self { rig: Rig { client: engine.client("test"), engine }, folder }
    }

    /// With the stage open, the camera running, the default tracker, and beads where the simulated ones are.
    fn ready(camera: &[(&str, &str)], stage: &[(&str, &str)]) -> Self {
        let bench = Self::new(EngineOptions { roi_size_px: 64, ..EngineOptions::new(Optics::new(100.0)) }, &[]);
        bench.start(camera, stage, "tracker.quadrant");
        bench
    }

    fn start(&self, camera: &[(&str, &str)], stage: &[(&str, &str)], tracker: &str) {
        let mut settings: Vec<(&str, &str)> = FIXED.into_iter().filter(|f| camera.iter().all(|c| c.0 != f.0)).collect();
        settings.extend(camera);
        self.ask(CameraCommand::Open { camera: choice("camera.sim", &settings), device: String::new() });
        self.ask(StageCommand::Open {
            name: "focus".into(),
            stage: choice("stage.sim-focus", stage),
            device: String::new(),
        });
        self.track_with(tracker, &[]);
        self.ask(CameraCommand::Start);
        let found = self.ask(BeadsCommand::Find { finder: choice("finder.ncc", &[("roi_px", "64")]), seed: None });
        let Answer::Found(found) = found else { panic!("{found:?}") };
        let rois: Vec<NewRoi> = found.iter().filter_map(|f| f.roi).collect();
        assert!(!rois.is_empty(), "no bead was found");
        self.ask(BeadsCommand::Add { rois });
        self.wait_for("the stage's position", |s| s.stages.iter().all(|s| s.axes[0].position.is_some()));
    }

    fn arm(&self) {
        self.ask(StageCommand::Arm { seconds: 600.0 });
    }

    fn sweep(&self, request: SweepRequest) {
        self.arm();
        self.ask(SweepCommand::Start(request));
    }

    fn wait_sweep(&self, what: &str, look: impl Fn(&SweepView) -> bool) -> SweepView {
        // A sweep takes as long as its frames take: as often as one patience, as it makes progress.
        let mut seen = (0, 0);
        loop {
            let view = self
                .wait_for(what, |s| look(&s.sweep) || (s.sweep.steps_done, s.sweep.frames_done) != seen)
                .sweep
                .clone();
            if look(&view) {
                return view;
            }
            seen = (view.steps_done, view.frames_done);
        }
    }

    fn end_of_sweep(&self) -> SweepView {
        self.wait_sweep("the end of the sweep", |s| {
            matches!(s.phase, SweepPhase::Done | SweepPhase::Failed | SweepPhase::Idle)
        })
    }

    fn position(&self) -> f64 {
        self.client.snapshot().stages[0].axes[0].position.unwrap_or(f64::NAN)
    }

    fn move_to(&self, position: f64) {
        self.ask(StageCommand::Move { stage: "focus".into(), axis: 0, position });
        self.wait_for("the end of the move", |s| {
            let axis = &s.stages[0].axes[0];
            !axis.moving && axis.position == Some(position)
        });
    }
}

fn request(start_nm: f64, step_nm: f64, stop_nm: f64, frames_per_step: u32) -> SweepRequest {
    SweepRequest {
        positions: SweepPositions::Range { start_nm, step_nm, stop_nm },
        frames_per_step,
        tolerance_nm: 5.0,
        settle_ms: 10.0,
        step_timeout_s: 60.0,
        both_directions: false,
        strategy: choice("zlut.spline", &[]),
        keep_rois: false,
    }
}

/// What z may deviate from the focus, rms, for beads that stand on the surface: the bar for the default chain and
/// the camera's usual noise.
const RMS_NM: f64 = 2.0;

#[test]
fn a_sweep_makes_tables_and_z_of_fixed_beads_follows_the_focus() {
    let bench = Bench::ready(&[], &[]);
    bench.sweep(request(-2000.0, 50.0, -1000.0, 10));
    let view = bench.end_of_sweep();
    assert_eq!(view.phase, SweepPhase::Done, "{:?}", view.failure);
    assert_eq!((view.steps_done, view.frames_done), (21, 210));
    assert!(view.rejected.is_empty(), "{:?}", view.rejected);
    let beads = view.beads.len();
    assert_eq!(view.tables.len(), beads + 1, "each bead has a table, and all together have one");
    bench.wait_for("the way back", |s| s.stages[0].axes[0].position == Some(0.0) && s.held_by.is_none());

    bench.ask(SweepCommand::Use { which: SweepWhich::PerBead });
    let recording = bench.record(bench.folder.path(), "after");
    let mut expected = Vec::new();
    // Between planes, not on them.
    for focus_nm in [-1930.0, -1777.0, -1525.0, -1333.0, -1075.0] {
        bench.move_to(focus_nm);
        let first = bench.client.snapshot().health.newest_frame.expect("a camera runs") + 3;
        bench.wait_for("frames at rest", |s| s.beads.iter().all(|b| b.newest.is_some_and(|n| n.frame > first + 25)));
        expected.push((first, first + 20, focus_nm));
    }
    bench.ask(RecordingCommand::Stop);
    let rows = rows_of(&recording, "main");
    let mut squares = Vec::new();
    for (from, to, focus_nm) in expected {
        for row in rows.iter().filter(|r| (from..to).contains(&r.frame)) {
            assert!(row.z_nm.is_finite(), "bead {} has no z at {focus_nm} nm: flags {}", row.bead, row.flags);
            squares.push((row.z_nm - focus_nm).powi(2));
        }
    }
    assert!(squares.len() >= 5 * 15 * beads, "only {} rows", squares.len());
    let rms = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
    println!("z follows the focus within {rms:.2} nm rms, {} rows", squares.len());
    assert!(rms <= RMS_NM, "z follows the focus within {rms} nm rms only");
}

#[test]
fn a_saved_table_is_loaded_again_and_tells_how_good_it_is() {
    let bench = Bench::ready(&[], &[]);
    bench.sweep(request(-1800.0, 100.0, -1200.0, 6));
    assert_eq!(bench.end_of_sweep().phase, SweepPhase::Done);
    for (name, which) in [("per-bead", SweepWhich::PerBead), ("average", SweepWhich::Average)] {
        let path = bench.folder.path().join(format!("{name}.zlut"));
        bench.ask(SweepCommand::Save { path: path.clone(), which });
        let again = bench.try_ask(SweepCommand::Save { path: path.clone(), which }).unwrap_err();
        assert_eq!(again.kind, RefusalKind::File, "nothing is overwritten: {again}");
        bench.ask(ZlutCommand::Load { path: path.clone(), strategy: None });
        let zlut = bench.client.snapshot().zlut.clone().expect("it is in use");
        assert_eq!(zlut.path, Some(path));
        assert!(zlut.tables.iter().all(|t| t.n_planes == 7 && t.z_min_nm < -1790.0 && t.z_max_nm > -1210.0));
        bench.ask(ZlutCommand::Unload);
    }
    bench.ask(SweepCommand::Discard);
    assert_eq!(bench.try_ask(SweepCommand::Discard).unwrap_err().kind, RefusalKind::NotNow);
}

#[test]
fn a_sweep_in_both_directions_tells_how_far_the_way_back_is_off() {
    let bench = Bench::ready(&[], &[]);
    bench.sweep(SweepRequest { both_directions: true, ..request(-1800.0, 100.0, -1400.0, 4) });
    let view = bench.end_of_sweep();
    assert_eq!((view.phase, view.steps, view.frames_done), (SweepPhase::Done, 10, 40), "{:?}", view.failure);
    let snapshot = bench.client.snapshot();
    let verdict = snapshot.events.iter().rev().find_map(|e| match &e.kind {
        EventKind::SweepEnded { verdict, .. } => Some(verdict.clone()),
        _ => None,
    });
    // The simulated stage has none: what is told is what tables and noise leave.
    let verdict = verdict.expect("the end of the sweep is told");
    let off = verdict.split("on the way back z is ").nth(1).and_then(|t| t.split(' ').next()).expect(&verdict);
    assert!(off.parse::<f64>().is_ok_and(|h| h.abs() < RMS_NM), "{verdict}");
}

#[test]
fn rois_are_frozen_while_frames_are_taken_even_if_beads_are_moved() {
    let bench = Bench::ready(&[], &[]);
    bench.sweep(request(-1800.0, 100.0, -1200.0, 20));
    bench.wait_sweep("the first frames", |s| s.frames_done > 10);
    let beads = bench.client.snapshot().beads.clone();
    let moves = beads.iter().map(|b| (b.bead, NewRoi { x_px: b.roi.x_px + 40, y_px: b.roi.y_px })).collect();
    bench.ask(BeadsCommand::Move { moves });
    let view = bench.end_of_sweep();
    assert_eq!(view.phase, SweepPhase::Done, "{:?}", view.failure);
    assert!(view.rejected.is_empty(), "the beads were lost: {:?}", view.rejected);
    let after = bench.client.snapshot();
    assert!(after.beads.iter().zip(&beads).all(|(a, b)| a.roi.x_px != b.roi.x_px), "the move is there afterwards");
}

#[test]
fn a_sweep_that_cannot_work_is_refused_with_the_reason() {
    let bench = Bench::new(EngineOptions { roi_size_px: 64, ..EngineOptions::new(Optics::new(100.0)) }, &[]);
    let usual = request(-500.0, 100.0, 500.0, 5);
    let refused = |what: &str, request: &SweepRequest| {
        let refusal = bench.try_ask(SweepCommand::Start(request.clone())).unwrap_err();
        assert!(refusal.cause.contains(what), "{refusal}");
    };
    refused("no camera runs", &usual);
    bench.start(&[], &[], "tracker.quadrant");
    refused("not armed", &usual);
    bench.arm();
    let beads: Vec<u32> = bench.client.snapshot().beads.iter().map(|b| b.bead).collect();
    refused("limits: -10000 … 10000 nm", &request(0.0, 1000.0, 11_000.0, 5));
    refused("leads away", &request(0.0, -10.0, 100.0, 5));
    refused("0 frames per step", &request(0.0, 10.0, 100.0, 0));
    refused("no recording with ROI video", &SweepRequest { keep_rois: true, ..usual.clone() });
    bench.ask(StageCommand::SetWindow { stage: "focus".into(), axis: 0, min: -100.0, max: 100.0 });
    refused("window of this session: -100 … 100 nm", &usual);
    bench.ask(StageCommand::SetWindow { stage: "focus".into(), axis: 0, min: -1000.0, max: 1000.0 });
    bench.ask(TrackingCommand::SetMode { mode: DataMode::FullVideo });
    refused("nothing is tracked in this data mode", &usual);
    bench.ask(TrackingCommand::SetMode { mode: DataMode::Track });
    bench.ask(TrackingCommand::SetProcessing { on: false });
    refused("not processed", &usual);
    bench.ask(TrackingCommand::SetProcessing { on: true });
    let no_method = SweepRequest { strategy: choice("zlut.nobody-has-it", &[]), ..usual.clone() };
    assert_eq!(bench.try_ask(SweepCommand::Start(no_method)).unwrap_err().kind, RefusalKind::NotFound);
    assert_eq!(bench.client.snapshot().held_by, None, "a refused sweep holds nothing");
    bench.ask(BeadsCommand::Remove { beads });
    refused("there is no bead", &usual);
    bench.ask(StageCommand::Close { stage: "focus".into() });
    bench.ask(BeadsCommand::Add { rois: vec![NewRoi { x_px: 10, y_px: 10 }] });
    refused("no open stage has a focus axis", &usual);
    assert_eq!(bench.try_ask(SweepCommand::Cancel).unwrap_err().kind, RefusalKind::NotNow);
    assert_eq!(bench.try_ask(SweepCommand::Resume).unwrap_err().kind, RefusalKind::NotNow);
}

#[test]
fn while_a_sweep_runs_it_holds_what_moves_and_what_it_measures_with() {
    let bench = Bench::ready(&[], &[]);
    bench.sweep(request(-1800.0, 10.0, -1200.0, 50));
    bench.wait_sweep("the first frames", |s| s.frames_done > 0);
    let held = |command: Ask| {
        let refusal = bench.try_ask(command).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::Held, "{refusal}");
        assert!(refusal.cause.contains("a sweep runs"), "{refusal}");
    };
    held(StageCommand::Move { stage: "focus".into(), axis: 0, position: 0.0 }.into());
    held(StageCommand::Jog { stage: "focus".into(), axis: 0, by: 1.0 }.into());
    held(StageCommand::Close { stage: "focus".into() }.into());
    held(StageCommand::SetWindow { stage: "focus".into(), axis: 0, min: 0.0, max: 1.0 }.into());
    held(TrackingCommand::SetTracker { tracker: choice("tracker.quadrant", &[]) }.into());
    held(TrackingCommand::SetMode { mode: DataMode::FullVideo }.into());
    held(TrackingCommand::SetProcessing { on: false }.into());
    held(BeadsCommand::SetRoiSize { size_px: 32 }.into());
    held(ZlutCommand::Unload.into());
    let second = bench.try_ask(SweepCommand::Start(request(0.0, 100.0, 500.0, 5))).unwrap_err();
    assert!(second.cause.contains("runs"), "{second}");
    bench.ask(SweepCommand::Cancel);
    let view = bench.end_of_sweep();
    assert_eq!(view.phase, SweepPhase::Idle);
    assert_eq!(view.failure.map(|f| f.kind), Some(RefusalKind::Cancelled));
    bench.wait_for("the stage is back and free", |s| s.held_by.is_none() && s.stages[0].axes[0].position == Some(0.0));
    bench.ask(TrackingCommand::SetTracker { tracker: choice("tracker.quadrant", &[]) });
}

#[test]
fn stop_all_ends_a_sweep_where_it_is_and_disarms() {
    let bench = Bench::ready(&[], &[]);
    bench.sweep(request(-1800.0, 10.0, -1200.0, 50));
    bench.wait_sweep("the first frames", |s| s.frames_done > 0);
    bench.ask(StageCommand::StopAll);
    let view = bench.end_of_sweep();
    assert_eq!(view.failure.map(|f| f.kind), Some(RefusalKind::Cancelled));
    let snapshot = bench.wait_for("nothing is held", |s| s.held_by.is_none());
    assert!(snapshot.armed_for_s.is_none());
    assert!((-1810.0..=-1190.0).contains(&bench.position()), "it went on to {} nm", bench.position());
    let refusal = bench.try_ask(StageCommand::Move { stage: "focus".into(), axis: 0, position: 0.0 }).unwrap_err();
    assert!(refusal.cause.contains("not armed"), "{refusal}");
}

#[test]
fn the_first_frame_after_a_step_is_exposed_after_the_stage_has_settled() {
    let bench = Bench::ready(&[("frame_rate_hz", "50"), ("exposure_ms", "15")], &[("speed_nm_per_s", "2000")]);
    bench.sweep(SweepRequest { keep_rois: false, ..request(-1800.0, 200.0, -1200.0, 5) });
    assert_eq!(bench.end_of_sweep().phase, SweepPhase::Done);
    // A frame that shows the move would be another plane than the others of its step: the tables would not agree.
    let path = bench.folder.path().join("a.zlut");
    bench.ask(SweepCommand::Save { path: path.clone(), which: SweepWhich::PerBead });
    let Ok(tetherscope_files::StoredZlut::Own(file)) = tetherscope_files::read_zlut(&path) else { panic!("no table") };
    for table in &file.tables {
        assert_eq!(table.n_frames_per_plane, [5, 5, 5, 5], "bead {:?}", table.bead);
    }
}

/// Planes of each of twenty sweeps; 100 with `TETHERSCOPE_LONG_TESTS`.
fn planes() -> u32 {
    if std::env::var_os("TETHERSCOPE_LONG_TESTS").is_some() { 100 } else { 4 }
}

#[test]
fn twenty_sweeps_in_a_row_leave_memory_threads_and_settings_as_before() {
    let bench = Bench::ready(&[("frame_rate_hz", "100")], &[("speed_nm_per_s", "100000")]);
    let before = bench.client.snapshot();
    let stop_nm = -2500.0 + 20.0 * f64::from(planes() - 1);
    let mut resident_bytes = Vec::new();
    for _ in 0..20 {
        bench.sweep(SweepRequest { settle_ms: 0.0, ..request(-2500.0, 20.0, stop_nm, 2) });
        let view = bench.end_of_sweep();
        assert_eq!((view.phase, view.steps_done), (SweepPhase::Done, planes()), "{:?}", view.failure);
        bench.ask(SweepCommand::Discard);
        resident_bytes.push(resident());
    }
    let after = bench.wait_for("the way back", |s| s.held_by.is_none());
    assert_eq!(after.tracking.mode, before.tracking.mode);
    assert_eq!(after.tracking.processing, before.tracking.processing);
    assert_eq!(after.beads.len(), before.beads.len());
    assert_eq!(after.sweep, SweepView::default());
    // Every sweep has a thread of this name. Other tests of this process have one at a time, and are fewer than 20.
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let name = |t: std::fs::DirEntry| std::fs::read_to_string(t.path().join("comm")).unwrap_or_default();
    let left = threads.map(name).filter(|n| n.trim() == "sweep").count();
    assert!(left < 20, "{left} threads of sweeps are left");
    println!("resident after each sweep, MiB: {:?}", resident_bytes.iter().map(|b| b >> 20).collect::<Vec<_>>());
    // With other tests beside it in this process the number says nothing; alone and long it does.
    if planes() == 100 {
        let (early, late) = (resident_bytes[4], resident_bytes[19]);
        assert!(late < early + (32 << 20), "{} MiB more after fifteen sweeps", (late - early) >> 20);
    }
}

/// Memory of this process, in bytes; 0 where nobody tells.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split_whitespace().nth(1).and_then(|p| p.parse::<u64>().ok()).unwrap_or(0) * 4096
}

#[test]
fn nothing_moves_before_somebody_armed_the_stages_and_an_arming_ends() {
    let bench = Bench::ready(&[], &[]);
    let go = |position| StageCommand::Move { stage: "focus".into(), axis: 0, position };
    assert!(bench.try_ask(go(10.0)).unwrap_err().cause.contains("not armed"));
    assert_eq!(bench.position(), 0.0);
    bench.arm();
    bench.move_to(10.0);
    bench.ask(StageCommand::Jog { stage: "focus".into(), axis: 0, by: 5.0 });
    bench.wait_for("the jog", |s| s.stages[0].axes[0].position == Some(15.0));
    assert!(bench.try_ask(go(20_000.0)).unwrap_err().cause.contains("limits"));
    bench.ask(StageCommand::SetCaps { stage: "focus".into(), axis: 0, max_step: 3.0, max_speed_per_s: 1e6 });
    assert!(bench.try_ask(go(100.0)).unwrap_err().cause.contains("more than the 3 nm allowed"));
    bench.ask(StageCommand::Disarm);
    assert!(bench.try_ask(go(15.0)).unwrap_err().cause.contains("not armed"));
    let nobody = StageCommand::Move { stage: "nobody".into(), axis: 0, position: 0.0 };
    bench.arm();
    assert_eq!(bench.try_ask(nobody).unwrap_err().kind, RefusalKind::NotFound);
    let axis = StageCommand::Move { stage: "focus".into(), axis: 7, position: 0.0 };
    assert!(bench.try_ask(axis).unwrap_err().cause.contains("it has 1"));
}

#[test]
fn events_tell_what_a_sweep_does_in_order() {
    let bench = Bench::ready(&[], &[]);
    while bench.client.next_message(Duration::ZERO).is_some() {}
    bench.sweep(request(-1500.0, 100.0, -1200.0, 3));
    bench.end_of_sweep();
    let mut told = Vec::new();
    while let Some(message) = bench.client.next_message(Duration::from_millis(200)) {
        if let Message::Event(event) = message {
            match event.kind {
                EventKind::SweepStarted { steps } => told.push(format!("started {steps}")),
                EventKind::SweepStep { step, .. } => told.push(format!("step {step}")),
                EventKind::SweepEnded { result, verdict } => {
                    assert!(result.is_ok() && !verdict.is_empty());
                    told.push("ended".into());
                }
                _ => {}
            }
        }
    }
    assert_eq!(told, ["started 4", "step 0", "step 1", "step 2", "step 3", "ended"]);
}
