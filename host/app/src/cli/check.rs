//! `tetherscope plugins check`: runs the conformance suite over components, and tells what each check saw. Each check
//! runs in a process of its own; a crash or a hang of a plugin is a line in the report.

use super::output::{Ending, Output};
use super::{CommandResult, Context};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use tetherscope_check::{Finding, Mode, Options, check_component};
use tetherscope_core::RunError;
use tetherscope_core::loader::{Component, Kind, Registry, SearchOptions};

/// Try whether plugins do what an experiment relies on
///
/// Runs named checks over components, each in a process of its own with a time limit. Stages under test are moved by up to
/// a quarter of their range and put back, cameras are started and stopped. Exit code 1 if any check fails.
#[derive(clap::Args)]
pub(crate) struct Check {
    /// `id`, `id@version` or `id#hash`, or the file of a library; without any, all components that were found
    #[arg(value_name = "METHOD|FILE")]
    methods: Vec<String>,
    /// Give a parameter, for the components that have it, as `key=value`
    #[arg(long, value_name = "KEY=VALUE")]
    param: Vec<String>,
    /// Run only this check, or those whose names begin so; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How long one check may take
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    limit: f64,
    /// Run the checks in this process, for a debugger: a crash of the plugin then takes it along
    #[arg(long)]
    in_process: bool,
    /// List the checks and what they prove, and run none
    #[arg(long)]
    list: bool,
}

impl Check {
    /// Checks, or lists the checks.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        let known = |o: &String| tetherscope_check::all().any(|c| only(std::slice::from_ref(o)).wants(c));
        if let Some(unknown) = self.only.iter().find(|o| !known(o)) {
            return Err(RunError::refused(
                format!("cannot run the check {unknown}"),
                "there is no check of that name",
                "`tetherscope plugins check --list` shows all names",
            ));
        }
        if self.list {
            return Ok(list(&self.only));
        }
        if !(self.limit.is_finite() && self.limit > 0.0) {
            let cause = format!("the time limit is {} s", self.limit);
            return Err(RunError::refused(
                "cannot check plugins",
                cause,
                "give --limit a number of seconds above zero",
            ));
        }
        let params = pairs(&self.param)?;
        let mut registry = if self.methods.iter().all(|m| is_file(m)) && !self.methods.is_empty() {
            Registry::default()
        } else {
            context.registry()?
        };
        let components = self.components(&mut registry)?;
        refuse_unknown_params(&params, &components)?;
        let mut report = Report::default();
        for component in &components {
            if context.cancel.is_cancelled() {
                return Err(RunError::Cancelled);
            }
            let schema = &component.info().parameters;
            let known = |key: &str| schema.iter().any(|p| p.key == key || p.old_names.iter().any(|o| o == key));
            let params: Vec<_> = params.iter().filter(|(k, _)| known(k)).cloned().collect();
            component.params(params.iter().map(|(k, v)| (k.as_str(), v.as_str())))?;
            let options = Options {
                mode: if self.in_process { Mode::InProcess } else { Mode::Child(None) },
                limit: Duration::from_secs_f64(self.limit.min(86_400.0)),
                params,
                only: self.only.clone(),
            };
            let done = |f: &Finding| {
                if context.interactive() && f.outcome.is_failure() {
                    eprintln!("{}: {} {}", component.info().id, f.check.name, f.outcome.word());
                }
            };
            let findings = context.cancel.run(|| check_component(component, &options, done));
            report.add(component, &findings);
        }
        if context.cancel.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        Ok(report.finish())
    }

    /// The components that are meant.
    fn components(&self, registry: &mut Registry) -> Result<Vec<Component>, RunError> {
        let options = SearchOptions::default();
        let mut chosen: Vec<Component> = Vec::new();
        for method in &self.methods {
            if is_file(method) {
                let path = Path::new(method);
                registry.load_file(path, &options)?;
                let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
                let hash = registry.components().iter().find(|c| c.path() == path).map(|c| c.hash().to_owned());
                let hash = hash.or_else(|| registry.components().last().map(|c| c.hash().to_owned()));
                chosen.extend(registry.components().iter().filter(|c| Some(c.hash()) == hash.as_deref()).cloned());
            } else {
                chosen.push(registry.find(method)?.clone());
            }
        }
        if self.methods.is_empty() {
            chosen.extend_from_slice(registry.components());
            if chosen.is_empty() {
                return Err(RunError::refused(
                    "cannot check plugins",
                    "no plugins were found",
                    "name a library's file, or a folder with --plugin-dir",
                ));
            }
        }
        chosen.sort_by_key(|c| (c.info().kind, c.info().id.clone(), c.info().version.clone()));
        chosen.dedup_by(|a, b| (a.hash(), &a.info().id) == (b.hash(), &b.info().id));
        Ok(chosen)
    }
}

fn only(names: &[String]) -> Options {
    Options { only: names.to_vec(), ..Options::default() }
}

/// A path rather than a method: a name of a method has no separator and does not end like a library.
fn is_file(method: &str) -> bool {
    method.contains(std::path::MAIN_SEPARATOR) || method.contains('/') || method.ends_with(std::env::consts::DLL_SUFFIX)
}

fn pairs(params: &[String]) -> Result<Vec<(String, String)>, RunError> {
    let pair = |p: &String| {
        let (key, value) = p.split_once('=').ok_or_else(|| {
            let mend = "write it as --param key=value";
            RunError::refused(format!("cannot use the parameter {p}"), "it has no `=`", mend)
        })?;
        Ok((key.to_owned(), value.to_owned()))
    };
    params.iter().map(pair).collect()
}

fn refuse_unknown_params(params: &[(String, String)], components: &[Component]) -> Result<(), RunError> {
    let has = |c: &Component, key: &str| {
        c.info().parameters.iter().any(|p| p.key == key || p.old_names.iter().any(|o| o == key))
    };
    match params.iter().find(|(key, _)| !components.iter().any(|c| has(c, key))) {
        None => Ok(()),
        Some((key, _)) => Err(RunError::refused(
            format!("cannot use the parameter {key}"),
            "none of the components that are checked has it",
            "`tetherscope plugins inspect METHOD` shows the parameters of a method",
        )),
    }
}

fn list(names: &[String]) -> (Output, Ending) {
    let options = only(names);
    let checks: Vec<_> = tetherscope_check::all().filter(|c| options.wants(c)).collect();
    let width = checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut kind = None;
    for c in &checks {
        if kind.is_some_and(|k: Kind| k != c.kind) {
            text.push('\n');
        }
        kind = Some(c.kind);
        text += &format!("{:width$}  {}\n", c.name, c.proves);
    }
    let json = json!({
        "checks": checks.iter().map(|c| json!({"name": c.name, "kind": c.kind.name(), "proves": c.proves})).collect::<Vec<_>>(),
    });
    (Output { text, json }, Ending::Fine)
}

/// What was found, in both forms.
#[derive(Default)]
struct Report {
    text: String,
    components: Vec<serde_json::Value>,
    counts: [usize; 4],
}

impl Report {
    fn add(&mut self, component: &Component, findings: &[Finding]) {
        let width = findings.iter().map(|f| f.check.name.len()).max().unwrap_or(0);
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text += &format!("{}  {}\n", component.label(), component.path().display());
        for f in findings {
            let line = format!("  {:width$}  {:9}  {}", f.check.name, f.outcome.word(), f.outcome.seen());
            self.text += line.trim_end();
            self.text.push('\n');
            let which = match f.outcome.word() {
                "success" => 0,
                "warning" => 1,
                "skipped" => 3,
                _ => 2,
            };
            self.counts[which] += 1;
        }
        self.components.push(json!({
            "id": component.info().id,
            "version": component.info().version.to_string(),
            "file": component.path().display().to_string(),
            "hash": component.hash(),
            "failed": findings.iter().any(|f| f.outcome.is_failure()),
            "checks": findings.iter().map(|f| json!({
                "name": f.check.name,
                "proves": f.check.proves,
                "outcome": f.outcome.word().replace(' ', "_"),
                "seen": f.outcome.seen(),
                "took_ms": u64::try_from(f.took.as_millis()).unwrap_or(u64::MAX),
            })).collect::<Vec<_>>(),
        }));
    }

    fn finish(mut self) -> (Output, Ending) {
        let [success, warning, failed, skipped] = self.counts;
        self.text += &format!("\n{success} passed, {warning} with a warning, {failed} failed, {skipped} skipped\n");
        let json = json!({
            "components": self.components,
            "passed": success, "warnings": warning, "failed": failed, "skipped": skipped,
        });
        (Output { text: self.text, json }, Ending::fine_if(failed == 0))
    }
}
