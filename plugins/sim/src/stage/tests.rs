//! The stage as the host sees it, on a clock that the tests put forward.

use super::*;
use crate::clock::Clock;
use tetherscope_plugin_api::abi::{STATUS_BUSY, STATUS_DISCONNECTED, STATUS_INVALID_ARGUMENT, STATUS_UNSUPPORTED};

const MS: i64 = 1_000_000;

fn bench() -> Arc<OpticalBench> {
    Arc::new(OpticalBench::with_clock(Clock::Manual(0.into())))
}

fn open(bench: &Arc<OpticalBench>) -> SimFocus {
    SimFocus::open(bench, "", &ParamValues::defaults(&SimFocus::descriptor().parameters)).unwrap()
}

fn open_with(bench: &Arc<OpticalBench>, fault: &str, after: i64, for_s: f64) -> Result<SimFocus> {
    let mut params = ParamValues::defaults(&SimFocus::descriptor().parameters);
    params.set(FAULT, Value::Choice(fault.into()));
    params.set(FAULT_AFTER, Value::Int(after));
    params.set(FAULT_FOR, Value::Float(for_s));
    SimFocus::open(bench, "", &params)
}

fn set_speed(stage: &SimFocus, nm_per_s: f64) {
    stage.set(&ParamValues::from_values([(SPEED.to_owned(), Value::Float(nm_per_s))])).unwrap();
}

#[test]
fn a_step_takes_the_time_that_its_speed_says() {
    let bench = bench();
    let stage = open(&bench);
    assert_eq!((stage.position(0), stage.moving(0)), (Ok(0.0), Ok(false)));
    stage.move_to(0, -100.0).unwrap();
    bench.clock().put_forward(4 * MS);
    assert_eq!((stage.position(0), stage.moving(0)), (Ok(-40.0), Ok(true)));
    bench.clock().put_forward(6 * MS);
    assert_eq!((stage.position(0), stage.moving(0)), (Ok(-100.0), Ok(false)));
}

#[test]
fn a_stop_on_the_way_stays_there() {
    let bench = bench();
    let stage = open(&bench);
    set_speed(&stage, 1000.0);
    stage.move_to(0, 500.0).unwrap();
    bench.clock().put_forward(200 * MS);
    stage.stop().unwrap();
    bench.clock().put_forward(900 * MS);
    assert_eq!((stage.position(0), stage.moving(0)), (Ok(200.0), Ok(false)));
}

#[test]
fn the_position_outlives_the_stage_and_closing_stops_it() {
    let bench = bench();
    let stage = open(&bench);
    stage.move_to(0, 5000.0).unwrap();
    bench.clock().put_forward(250 * MS);
    drop(stage);
    bench.clock().put_forward(250 * MS);
    assert_eq!(open(&bench).position(0), Ok(2500.0));
}

#[test]
fn a_stage_in_use_cannot_be_opened_again() {
    let bench = bench();
    let stage = open(&bench);
    let params = ParamValues::defaults(&SimFocus::descriptor().parameters);
    assert_eq!(SimFocus::open(&bench, "", &params).err().map(|e| e.status()), Some(STATUS_BUSY));
    drop(stage);
    open(&bench);
    assert!(SimFocus::open(&bench, "elsewhere", &params).is_err());
}

#[test]
fn positions_beyond_the_limits_are_refused_and_nothing_moves() {
    let stage = open(&bench());
    for position in [10_000.1, -10_001.0, f64::NAN, f64::INFINITY] {
        let error = stage.move_to(0, position).unwrap_err();
        assert_eq!(error.status(), STATUS_INVALID_ARGUMENT);
        assert!(error.message().contains("-10000 to 10000 nm"), "{error}");
        assert_eq!(stage.moving(0), Ok(false));
    }
    stage.move_to(0, -10_000.0).unwrap();
    assert!(stage.moving(0).unwrap());
}

#[test]
fn there_is_one_axis_and_it_needs_no_homing() {
    let stage = open(&bench());
    let axes = stage.axes().unwrap();
    assert_eq!(axes.len(), 1);
    assert_eq!((axes[0].role.as_str(), axes[0].unit.as_str()), ("focus", "nm"));
    assert_eq!((axes[0].min, axes[0].max, axes[0].max_speed_per_s), (-10_000.0, 10_000.0, 100_000.0));
    assert!(stage.position(1).is_err() && stage.moving(1).is_err() && stage.move_to(1, 0.0).is_err());
    assert_eq!(stage.home(0).unwrap_err().status(), STATUS_UNSUPPORTED);
}

#[test]
fn the_speed_reads_back_and_a_change_raises_the_revision() {
    let stage = open(&bench());
    let before = stage.settings().unwrap();
    assert_eq!(before.settings[0].value, Value::Float(DEFAULT_SPEED_NM_PER_S));
    set_speed(&stage, 0.01);
    let after = stage.settings().unwrap();
    assert_eq!(after.settings[0].value, Value::Float(0.01));
    assert!(after.revision > before.revision);
    assert!(after.settings[0].parameter.check(&Value::Float(100_001.0)).is_err());
}

#[test]
fn a_stuck_stage_takes_commands_and_stays_where_it_is() {
    let bench = bench();
    let stage = open_with(&bench, "stuck", 1, 0.0).unwrap();
    stage.move_to(0, 100.0).unwrap();
    bench.clock().put_forward(1000 * MS);
    stage.move_to(0, 200.0).unwrap();
    bench.clock().put_forward(1000 * MS);
    assert_eq!((stage.position(0), stage.moving(0)), (Ok(100.0), Ok(false)));
}

#[test]
fn an_unplugged_stage_answers_nothing_until_it_is_back_where_it_was() {
    let bench = bench();
    let stage = open_with(&bench, "unplugged", 1, 2.0).unwrap();
    stage.move_to(0, 100.0).unwrap();
    bench.clock().put_forward(1000 * MS);
    assert_eq!(stage.move_to(0, 200.0).unwrap_err().status(), STATUS_DISCONNECTED);
    assert!(stage.position(0).is_err() && stage.moving(0).is_err());
    drop(stage);
    assert!(open_with(&bench, "none", 0, 0.0).is_err(), "opened without a cable");
    bench.clock().put_forward(2000 * MS);
    let back = open_with(&bench, "none", 0, 0.0).unwrap();
    assert_eq!((back.position(0), back.moving(0)), (Ok(100.0), Ok(false)));
}

fn open_at(file: &std::path::Path) -> Result<SimFocus> {
    let mut params = ParamValues::defaults(&SimFocus::descriptor().parameters);
    params.set(POSITION_FILE, Value::Text(file.display().to_string()));
    SimFocus::open(&bench(), "", &params)
}

#[test]
fn a_motor_that_keeps_its_position_stands_where_the_one_before_it_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("focus.txt");
    let first = open_at(&file).unwrap();
    assert_eq!(first.position(0), Ok(0.0));
    first.move_to(0, 250.0).unwrap();
    // The program dies: nothing is closed.
    std::mem::forget(first);
    let second = open_at(&file).unwrap();
    assert_eq!((second.position(0), second.moving(0)), (Ok(250.0), Ok(false)));
    second.move_to(0, -1000.0).unwrap();
    second.bench.clock().put_forward(5 * MS);
    second.stop().unwrap();
    drop(second);
    assert_eq!(open_at(&file).unwrap().position(0), Ok(200.0), "it was stopped on its way");
}

#[test]
fn a_position_file_that_makes_no_sense_is_refused_and_one_that_cannot_be_written_stops_the_move() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("focus.txt");
    for (text, word) in [("here", "no number"), ("1e9", "beyond"), ("NaN", "beyond")] {
        std::fs::write(&file, text).unwrap();
        let error = open_at(&file).map(drop).unwrap_err();
        assert!(error.message().contains(word) && error.message().contains("remove the file"), "{}", error.message());
    }
    let nowhere = open_at(&folder.path().join("none").join("focus.txt")).unwrap();
    let error = nowhere.move_to(0, 10.0).unwrap_err();
    assert!(error.message().contains("cannot keep the position"), "{}", error.message());
    assert_eq!(nowhere.moving(0), Ok(false));
}
