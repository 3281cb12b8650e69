//! What a library says of itself: its components, their tables, ids, versions and schemas.

use super::{c_refused, c_text};
use tetherscope_loader::LoadErrorKind;

/// The same for a descriptor.
#[track_caller]
fn descriptor_refused(case: &str, json: &str, cause: &str) {
    let definition = format!("DESCRIPTOR={}", c_text(json));
    c_refused(case, &[&definition], LoadErrorKind::BadDescriptor, cause, "describe");
}

/// A descriptor with one parameter.
fn with_parameter(parameter: &str) -> String {
    format!(r#"{{"id": "tracker.fixture.c", "name": "C", "version": "1.0.0", "parameters": [{parameter}]}}"#)
}

#[test]
fn a_table_without_a_required_function_is_refused() {
    let cause = "the function table of tracker.fixture.c lacks `track`";
    c_refused("no-track", &["NO_TRACK"], LoadErrorKind::BadDescriptor, cause, "author");
}

#[test]
fn a_component_without_a_table_is_refused() {
    c_refused("null-table", &["NULL_TABLE"], LoadErrorKind::BadDescriptor, "has no function table", "author");
}

#[test]
fn a_component_of_an_unknown_kind_is_refused() {
    c_refused("kind", &["KIND=77"], LoadErrorKind::BadDescriptor, "unknown kind 77", "author");
}

#[test]
fn a_library_without_components_is_refused() {
    c_refused("nothing", &["N_COMPONENTS=0"], LoadErrorKind::BadDescriptor, "announces 0 components", "author");
}

#[test]
fn a_library_of_countless_components_is_refused() {
    let cause = "announces 4294967295 components";
    c_refused("countless", &["N_COMPONENTS=4294967295u"], LoadErrorKind::BadDescriptor, cause, "author");
}

#[test]
fn two_components_of_one_id_are_refused() {
    let cause = "two of its components have the id tracker.fixture.c";
    c_refused("two-of-one-id", &["N_COMPONENTS=2"], LoadErrorKind::BadDescriptor, cause, "ids are unique");
}

#[test]
fn a_descriptor_that_is_not_json_is_refused() {
    descriptor_refused("not-json", "id = tracker.fixture.c", "its descriptor is not JSON");
}

#[test]
fn an_empty_descriptor_is_refused() {
    descriptor_refused("empty", "", "its descriptor is not JSON");
}

#[test]
fn a_descriptor_without_an_id_is_refused() {
    descriptor_refused("no-id", r#"{"name": "C", "version": "1.0.0"}"#, "missing field `id`");
}

#[test]
fn a_descriptor_without_a_version_is_refused() {
    descriptor_refused("no-version", r#"{"id": "tracker.fixture.c", "name": "C"}"#, "missing field `version`");
}

#[test]
fn a_descriptor_with_an_unknown_key_is_refused() {
    let json = r#"{"id": "tracker.fixture.c", "name": "C", "version": "1.0.0", "colour": "red"}"#;
    descriptor_refused("unknown-key", json, "colour");
}

#[test]
fn a_descriptor_with_a_number_for_a_name_is_refused() {
    descriptor_refused("type", r#"{"id": "tracker.fixture.c", "name": 7, "version": "1.0.0"}"#, "expected a string");
}

#[test]
fn an_id_with_capitals_is_refused() {
    let json = r#"{"id": "tracker.Fixture.C", "name": "C", "version": "1.0.0"}"#;
    descriptor_refused("capitals", json, "`tracker.Fixture.C` is not of the form kind.method");
}

#[test]
fn an_id_of_one_word_is_refused() {
    let json = r#"{"id": "tracker", "name": "C", "version": "1.0.0"}"#;
    descriptor_refused("one-word", json, "`tracker` is not of the form kind.method");
}

#[test]
fn an_id_of_another_kind_is_refused() {
    let json = r#"{"id": "camera.fixture.c", "name": "C", "version": "1.0.0"}"#;
    descriptor_refused("other-kind", json, "`camera.fixture.c` does not begin with its kind, tracker");
}

#[test]
fn a_version_that_is_not_semver_is_refused() {
    let json = r#"{"id": "tracker.fixture.c", "name": "C", "version": "1.0"}"#;
    descriptor_refused("semver", json, "the version `1.0` of tracker.fixture.c is not semver");
}

#[test]
fn a_default_out_of_its_range_is_refused() {
    let json = with_parameter(r#"{"key": "r", "type": "float", "help": "", "default": 9, "min": 0, "max": 5}"#);
    descriptor_refused("default-range", &json, "the default of `r` is 9, allowed is 0 to 5");
}

#[test]
fn a_default_of_another_type_is_refused() {
    let json = with_parameter(r#"{"key": "r", "type": "int", "help": "", "default": "nine"}"#);
    descriptor_refused("default-type", &json, "the default of `r` is not int");
}

#[test]
fn a_parameter_of_an_unknown_type_is_refused() {
    let json = with_parameter(r#"{"key": "r", "type": "matrix", "help": "", "default": 1}"#);
    descriptor_refused("parameter-type", &json, "unknown variant `matrix`");
}

#[test]
fn a_parameter_without_a_default_is_refused() {
    descriptor_refused("no-default", &with_parameter(r#"{"key": "r", "type": "int", "help": ""}"#), "`default`");
}

#[test]
fn two_parameters_of_one_key_are_refused() {
    let one = r#"{"key": "r", "type": "int", "help": "", "default": 1}"#;
    descriptor_refused("two-keys", &with_parameter(&format!("{one}, {one}")), "there are two parameters `r`");
}

#[test]
fn a_choice_without_choices_is_refused() {
    let json = with_parameter(r#"{"key": "r", "type": "choice", "help": "", "default": "a"}"#);
    descriptor_refused("no-choices", &json, "`r` is a choice without choices");
}

#[test]
fn a_range_that_is_turned_round_is_refused() {
    let json = with_parameter(r#"{"key": "r", "type": "int", "help": "", "default": 1, "min": 5, "max": 0}"#);
    descriptor_refused("range", &json, "`r` has a range from 5 to 0");
}
