//! `tetherscope plugins`: what was found where, what was refused and why, and what a method wants to know.

mod bench;
mod explain;
mod forgive;
mod new;

use super::check::Check;
use super::output::{Ending, Output};
use super::{CommandResult, Context};
use serde_json::json;
use tetherscope_core::loader::{Component, Crash, ParameterInfo, Registry};

/// See what plugins were found, and what they offer
#[derive(clap::Subcommand)]
pub(crate) enum Plugins {
    /// List all components, and the files that were refused
    List,
    /// Show everything about one component: parameters, units, ranges, source
    Inspect(Inspect),
    New(new::New),
    Bench(bench::Bench),
    Explain(explain::Explain),
    Forgive(forgive::Forgive),
    /// Try whether plugins do what an experiment relies on
    Check(Check),
}

/// Show everything about one component
#[derive(clap::Args)]
pub(crate) struct Inspect {
    /// `id`, `id@version` or `id#hash`
    method: String,
}

impl Plugins {
    /// Lists, inspects, writes a new one, measures, explains, forgives, checks.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Plugins::List => Ok(list(&context.registry()?)),
            Plugins::Inspect(i) => {
                let registry = context.registry()?;
                Ok(inspect(registry.find(&i.method)?, &registry))
            }
            Plugins::New(n) => n.run(),
            Plugins::Bench(b) => b.run(context),
            Plugins::Explain(e) => e.run(context),
            Plugins::Forgive(f) => f.run(context),
            Plugins::Check(c) => c.run(context),
        }
    }
}

fn list(registry: &Registry) -> (Output, Ending) {
    let mut components: Vec<&Component> = registry.components().iter().collect();
    components.sort_by_key(|c| (c.info().kind, c.info().id.clone(), c.info().version.clone()));
    let width = components.iter().map(|c| c.info().id.len()).max().unwrap_or(0);
    let mut text = String::new();
    for c in &components {
        let i = c.info();
        text += &format!("{:width$}  {}#{}  {}\n", i.id, i.version, &c.hash()[..8], i.name);
        text += &format!("{:width$}  {}\n", "", c.path().display());
        if let Some(crash) = crash_of(c, registry) {
            text += &format!("{:width$}  in a process of its own: {}\n", "", crash.cause());
        }
    }
    if components.is_empty() {
        text += "no plugins were found\n";
    }
    for n in registry.notes() {
        text += &format!("\nnote: {}\n  {}\n", n.path.display(), n.text);
    }
    for r in registry.refused() {
        text += &format!("\nrefused: {}\n", r.error.to_string().replace('\n', "\n  "));
    }
    let json = json!({
        "components": components.iter().map(|c| component_json(c, registry)).collect::<Vec<_>>(),
        "notes": registry.notes().iter().map(|n| json!({"file": n.path.display().to_string(), "text": n.text})).collect::<Vec<_>>(),
        "refused": registry.refused().iter().map(|r| json!({
            "file": r.path.display().to_string(),
            "thing": r.error.thing, "cause": r.error.cause, "mend": r.error.mend,
        })).collect::<Vec<_>>(),
    });
    (Output { text, json }, Ending::fine_if(registry.refused().is_empty()))
}

/// What is held against a component's library.
fn crash_of<'r>(c: &Component, registry: &'r Registry) -> Option<&'r Crash> {
    registry.crashes().iter().find(|crash| crash.hash() == c.hash())
}

fn component_json(c: &Component, registry: &Registry) -> serde_json::Value {
    json!({
        "file": c.path().display().to_string(),
        "hash": c.hash(),
        "layout_check": c.layout_check(),
        "isolated": c.is_isolated(),
        "crashed": crash_of(c, registry).map(crash_json),
        "component": c.info(),
    })
}

/// A crash that is held against a library.
fn crash_json(c: &Crash) -> serde_json::Value {
    json!({"thing": c.thing(), "cause": c.cause(), "mend": c.mend(), "certain": c.is_certain()})
}

fn inspect(c: &Component, registry: &Registry) -> (Output, Ending) {
    let i = c.info();
    let mut text = format!("{} {}: {}\n{}\n\n", i.id, i.version, i.name, i.summary);
    text += &format!(
        "source   {}\nlicence  {}\nfile     {}\nhash     {}\n",
        i.source,
        i.licence,
        c.path().display(),
        c.hash()
    );
    text += &format!("layout   {}\n", c.layout_check());
    text += if c.is_isolated() { "runs     in a process of its own\n" } else { "runs     in this process\n" };
    if let Some(crash) = crash_of(c, registry) {
        text += &format!("because  {}\n         {}\n", crash.cause(), crash.mend());
    }
    if !i.capabilities.is_empty() {
        text += &format!("can      {}\n", i.capabilities.join(", "));
    }
    text += if i.parameters.is_empty() { "\nno parameters\n" } else { "\nparameters\n" };
    i.parameters.iter().for_each(|p| text += &parameter_text(p));
    (Output { text, json: component_json(c, registry) }, Ending::Fine)
}

fn parameter_text(p: &ParameterInfo) -> String {
    let unit = if p.unit.is_empty() { String::new() } else { format!(" {}", p.unit) };
    let default = p.default_text();
    let range = match (p.min, p.max) {
        (Some(min), Some(max)) => format!(", {min} to {max}{unit}"),
        (Some(min), None) => format!(", at least {min}{unit}"),
        (None, Some(max)) => format!(", at most {max}{unit}"),
        (None, None) if !p.choices.is_empty() => format!(", one of {}", p.choices.join(", ")),
        (None, None) => String::new(),
    };
    let zlut = if p.invalidates_zlut() { "; another value needs a new Z-LUT" } else { "" };
    let expert = if p.level == "expert" { " (expert)" } else { "" };
    format!("  {} = {default}{unit}{expert}\n      {}{range}{zlut}\n", p.key, p.help)
}
