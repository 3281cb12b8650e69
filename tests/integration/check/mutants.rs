//! Each mutant fails its own check and no other, each check has a mutant, and the good one of each kind passes all.

use super::{Mode, in_children, in_parallel, load, not_fine, one};
use crate::harness::{repository, rust_fixture};
use std::sync::Mutex;
use tetherscope_check::{Options, Outcome, check_component};
use tetherscope_loader::{Component, Registry};

/// Mutants that by their nature fail another check too: mutant, the other check, why.
const ALSO: &[(&str, &str, &str)] = &[];

fn mutants() -> Registry {
    load(&rust_fixture("mutants"))
}

/// `tracker.mutant.edge` must fail `tracker.edge`; `good` nothing.
fn check_of(component: &Component) -> Option<String> {
    let (kind, defect) = component.info().id.split_once(".mutant.").expect("a mutant's id");
    (defect != "good").then(|| format!("{kind}.{defect}"))
}

#[test]
fn every_check_has_a_mutant_and_every_kind_a_good_one() {
    let registry = mutants();
    let has = |id: &str| registry.components().iter().any(|c| c.info().id == id);
    for check in tetherscope_check::all() {
        let (kind, what) = check.name.split_once('.').expect("a check's name");
        assert!(has(&format!("{kind}.mutant.{what}")), "no mutant shows that {} can fail", check.name);
        assert!(has(&format!("{kind}.mutant.good")), "no component shows that all checks of a {kind} can pass");
    }
    for component in registry.components() {
        let check = check_of(component);
        let known = check.as_ref().is_none_or(|c| tetherscope_check::find(c).is_some());
        assert!(known, "{} is the mutant of no check", component.info().id);
    }
    for (mutant, also, why) in ALSO {
        assert!(has(mutant) && tetherscope_check::find(also).is_some() && why.len() > 20, "{mutant} {also}");
    }
}

#[test]
fn the_documentation_lists_every_check_with_what_it_proves() {
    let text = std::fs::read_to_string(repository().join("docs/plugin-checks.md")).unwrap();
    for check in tetherscope_check::all() {
        let row = format!("| `{}` | {} |", check.name, check.proves);
        assert!(text.contains(&row), "docs/plugin-checks.md lacks the row\n{row}");
    }
    let rows = text.lines().filter(|l| l.starts_with("| `")).count();
    assert_eq!(rows, tetherscope_check::all().count(), "docs/plugin-checks.md has a row for a check that is gone");
}

#[test]
fn every_mutant_fails_its_check_and_no_other() {
    let registry = mutants();
    let options = Options { mode: Mode::InProcess, ..Options::default() };
    let wrong = Mutex::new(Vec::new());
    in_parallel(registry.components(), |component| {
        let id = component.info().id.as_str();
        let findings = check_component(component, &options, |_| {});
        let mut expected: Vec<String> = check_of(component).into_iter().collect();
        expected.extend(ALSO.iter().filter(|(mutant, ..)| *mutant == id).map(|(_, also, _)| (*also).to_owned()));
        let is: Vec<&str> = findings.iter().filter(|f| f.outcome != Outcome::Success).map(|f| f.check.name).collect();
        expected.sort_by_key(|name| findings.iter().position(|f| f.check.name == name));
        if is != expected {
            let line = format!("{id} should fail {expected:?}:\n  {}", not_fine(&findings).join("\n  "));
            wrong.lock().unwrap().push(line);
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} mutants\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_mutant_fails_its_check_in_a_process_of_its_own_too() {
    let registry = mutants();
    in_parallel(registry.components(), |component| {
        if let Some(check) = check_of(component) {
            let outcome = one(component, &check, in_children());
            assert!(matches!(outcome, Outcome::Failed(_)), "{check}: {outcome:?}");
        }
    });
}
