//! Bad bead finders.

use super::super::check_call;
use super::{Picture, component, defaults};
use tetherscope_loader::{BeadFinder, Hit, Kind, PluginError};

fn find(id: &str) -> Result<Vec<Hit>, PluginError> {
    let component = component(Kind::Finder, id);
    let finder = BeadFinder::create(component, &defaults(component))?;
    finder.find(&Picture::flat(1, 8, 6).rois(), 8, None, |_| {})
}

#[test]
fn the_good_finder_of_the_bad_library_finds_and_tells_its_progress() {
    let component = component(Kind::Finder, "finder.fixture.good");
    let finder = BeadFinder::create(component, &defaults(component)).unwrap();
    let mut told = Vec::new();
    let hits = finder.find(&Picture::flat(1, 8, 6).rois(), 8, None, |p| told.push(p)).unwrap();
    assert_eq!((hits.len(), hits[0].x_px, hits[0].y_px), (1, 3.5, 2.5));
    assert_eq!(told, [0.5]);
}

#[test]
fn a_finder_that_panics_or_fails_is_an_error() {
    for (id, function, cause) in [
        ("finder.fixture.panic-create", "create", "told to panic in create"),
        ("finder.fixture.panic-find", "find", "told to panic in find"),
        ("finder.fixture.error-find", "find", "told to fail in find"),
    ] {
        check_call(find(id), id, function, cause);
    }
    assert_eq!(find("finder.fixture.panic-destroy").unwrap().len(), 1);
}

#[test]
fn hits_that_are_nowhere_are_refused() {
    check_call(find("finder.fixture.nan-hit"), "finder.fixture.nan-hit", "find", "hit 0 lies at (NaN, 2.5)");
    let cause = "hit 0 lies at (3.5, -1000000)";
    check_call(find("finder.fixture.outside"), "finder.fixture.outside", "find", cause);
}

#[test]
fn more_hits_than_any_frame_has_are_refused() {
    check_call(find("finder.fixture.too-many"), "finder.fixture.too-many", "find", "the host took no more output");
}
