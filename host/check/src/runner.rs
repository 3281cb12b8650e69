//! Runs the checks of a component, one after the other, each in a child process or, for a debugger, in this one.

use crate::checks::{Check, of_kind};
use crate::child;
use crate::outcome::Outcome;
use crate::subject::Subject;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tetherscope_loader::Component;

/// Where checks run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Each in a process of its own: this executable, or another one whose `main` begins with the loader's and this
    /// crate's `run_if_child`.
    Child(Option<PathBuf>),
    /// In this process: a crash takes it along, a hang stays. For debuggers, and for tests of components that do neither.
    InProcess,
}

/// What to check, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where checks run.
    pub mode: Mode,
    /// How long one check may take.
    pub limit: Duration,
    /// Parameters as `key=text`, all of them known to the component; the rest has its default.
    pub params: Vec<(String, String)>,
    /// Names or beginnings of names (`tracker.known-places`, `tracker`, `known-places`); empty: all.
    pub only: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { mode: Mode::Child(None), limit: Duration::from_secs(60), params: Vec::new(), only: Vec::new() }
    }
}

impl Options {
    /// True if a check is among those that `only` asks for.
    pub fn wants(&self, check: &Check) -> bool {
        let what = check.name.split_once('.').map_or("", |(_, what)| what);
        self.only.is_empty() || self.only.iter().any(|o| check.name.starts_with(o.as_str()) || what == o)
    }
}

/// One check of one component, done.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The check.
    pub check: &'static Check,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, its process included.
    pub took: Duration,
}

impl Clone for Check {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

/// Runs the checks of a component's kind that `options` ask for. `done` is called after each. To let the user give up, call
/// it inside [`tetherscope_loader::CancelToken::run`]: the check under way is ended, the others are skipped.
pub fn check_component(component: &Component, options: &Options, mut done: impl FnMut(&Finding)) -> Vec<Finding> {
    let remembered = tempfile::tempdir().ok();
    let cache = remembered.as_ref().map(|r| r.path().join("plugins.json"));
    let mut findings = Vec::new();
    for check in of_kind(component.info().kind).filter(|c| options.wants(c)) {
        let begun = Instant::now();
        let outcome = match &options.mode {
            Mode::Child(executable) => {
                let job = child::Job {
                    library: component.path().to_owned(),
                    id: component.info().id.clone(),
                    check: check.name.to_owned(),
                    params: options.params.clone(),
                    cache: cache.clone(),
                };
                child::run(executable.as_deref(), &job, options.limit)
            }
            Mode::InProcess => {
                try_check(check, &Subject { component: component.clone(), params: options.params.clone() })
            }
        };
        let finding = Finding { check, outcome, took: begun.elapsed() };
        done(&finding);
        findings.push(finding);
    }
    findings
}

/// Runs a check here. A panic is the suite's own, or the host's, about what the plugin did.
pub(crate) fn try_check(check: &Check, subject: &Subject) -> Outcome {
    match catch_unwind(AssertUnwindSafe(|| (check.run)(subject))) {
        Ok(verdict) => verdict.into(),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default();
            Outcome::Crashed(format!("the check itself panicked: {text}"))
        }
    }
}
