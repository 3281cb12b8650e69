//! Bad stages.

use super::super::check_call;
use super::{component, defaults};
use tetherscope_loader::{Kind, PluginError, Stage};

fn open_stage(id: &str) -> Result<Stage, PluginError> {
    let component = component(Kind::Stage, id);
    Stage::open(component, "", &defaults(component))
}

#[test]
fn the_good_stage_of_the_bad_library_moves_within_its_limits() {
    let id = "stage.fixture.good";
    let stage = open_stage(id).unwrap();
    assert_eq!(stage.axis_of("focus"), Some(0));
    stage.move_to(0, 500.0).unwrap();
    assert_eq!((stage.position(0).unwrap(), stage.moving(0).unwrap()), (500.0, false));
    check_call(stage.move_to(0, 1000.5), id, "move_to", "1000.5 nm is outside the limits of focus, -1000 to 1000");
    check_call(stage.move_to(0, f64::NAN), id, "move_to", "outside the limits");
    check_call(stage.move_to(1, 0.0), id, "move_to", "there is no axis 1");
    assert_eq!(stage.position(0).unwrap(), 500.0);
}

#[test]
fn a_stage_that_panics_or_fails_is_an_error_each_time() {
    let id = "stage.fixture.panic-enumerate";
    check_call(Stage::enumerate(component(Kind::Stage, id)), id, "enumerate", "told to panic in enumerate");
    let id = "stage.fixture.panic-open";
    check_call(open_stage(id), id, "open", "told to panic in open");
    let id = "stage.fixture.panic-axes";
    check_call(open_stage(id), id, "axes", "told to panic in axes");
    let id = "stage.fixture.panic-settings";
    check_call(open_stage(id).unwrap().settings(), id, "settings", "told to panic in settings");
    let id = "stage.fixture.panic-move";
    check_call(open_stage(id).unwrap().move_to(0, 0.0), id, "move_to", "told to panic in move");
    let id = "stage.fixture.error-move";
    check_call(open_stage(id).unwrap().move_to(0, 0.0), id, "move_to", "told to fail in move");
    let id = "stage.fixture.panic-position";
    check_call(open_stage(id).unwrap().position(0), id, "position", "told to panic in position");
    let id = "stage.fixture.panic-moving";
    check_call(open_stage(id).unwrap().moving(0), id, "moving", "told to panic in moving");
    let id = "stage.fixture.panic-stop";
    check_call(open_stage(id).unwrap().stop(), id, "stop", "told to panic in stop");
    let id = "stage.fixture.panic-home";
    check_call(open_stage(id).unwrap().home(0), id, "home", "told to panic in home");
    drop(open_stage("stage.fixture.panic-close").unwrap());
    open_stage("stage.fixture.good").unwrap().stop().unwrap();
}

#[test]
fn a_position_that_is_no_number_is_an_error() {
    let id = "stage.fixture.nan-position";
    check_call(open_stage(id).unwrap().position(0), id, "position", "it says that it is at NaN");
}

#[test]
fn limits_that_are_turned_round_are_refused() {
    let id = "stage.fixture.reversed-limits";
    check_call(open_stage(id), id, "axes", "axis 0 has limits from 1000 to -1000");
}

#[test]
fn an_axis_with_an_unknown_role_is_no_focus() {
    let stage = open_stage("stage.fixture.strange-role").unwrap();
    assert_eq!((stage.axes()[0].role.as_str(), stage.axis_of("focus")), ("sideways", None));
}
