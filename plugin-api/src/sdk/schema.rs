//! What a component says of itself: identity, literature source, capabilities and the schema of its parameters.
//!
//! One schema makes the form, the command line's help, validation, file metadata and documentation. A key never changes
//! its meaning; a renamed one lists its old names.

use super::error::{Error, Result};
use super::json;
use super::params::Value;
use crate::abi;

/// Kind of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// From ROIs to positions and profiles.
    Tracker,
    /// From a sweep to a table, from a profile and a table to z.
    Zlut,
    /// Delivers frames.
    Camera,
    /// Moves.
    Stage,
    /// Finds beads in a frame.
    Finder,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [Kind::Tracker, Kind::Zlut, Kind::Camera, Kind::Stage, Kind::Finder];

    /// The first part of an id: `tracker`, `zlut`, `camera`, `stage`, `finder`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Tracker => "tracker",
            Kind::Zlut => "zlut",
            Kind::Camera => "camera",
            Kind::Stage => "stage",
            Kind::Finder => "finder",
        }
    }

    /// The number that stands for the kind in the interface.
    pub fn code(self) -> u32 {
        match self {
            Kind::Tracker => abi::KIND_TRACKER,
            Kind::Zlut => abi::KIND_ZLUT,
            Kind::Camera => abi::KIND_CAMERA,
            Kind::Stage => abi::KIND_STAGE,
            Kind::Finder => abi::KIND_FINDER,
        }
    }

    /// The kind of a number of the interface.
    pub fn from_code(code: u32) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.code() == code)
    }
}

/// Where a component may run. The user may raise it to `Process`, never lower it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// In the host's process.
    Any,
    /// In a process of its own, because it may crash or hang.
    Process,
}

/// For whom a parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Shown to everybody.
    Basic,
    /// Shown on request.
    Expert,
}

/// When a parameter may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// At any time.
    Live,
    /// While nothing runs.
    Idle,
    /// Needs the camera to be armed again.
    Rearm,
}

/// What becomes invalid when a parameter changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalidates {
    /// Tables made with another value must not be used.
    Zlut,
    /// The shape of frames, ROIs or profiles changes.
    Geometry,
}

/// One parameter of the schema. Made by [`Parameter::int`] and its siblings, refined by the methods that follow.
#[derive(Debug, Clone)]
pub struct Parameter {
    key: String,
    help: String,
    default: Value,
    unit: String,
    min: Option<f64>,
    max: Option<f64>,
    step: Option<f64>,
    choices: Vec<String>,
    level: Level,
    change: Change,
    invalidates: Vec<Invalidates>,
    old_names: Vec<String>,
    value_before: Option<Value>,
}

impl Parameter {
    fn new(key: &str, help: &str, default: Value) -> Self {
        Self {
            key: key.into(),
            help: help.into(),
            default,
            unit: String::new(),
            min: None,
            max: None,
            step: None,
            choices: Vec::new(),
            level: Level::Basic,
            change: Change::Live,
            invalidates: Vec::new(),
            old_names: Vec::new(),
            value_before: None,
        }
    }

    /// An integer.
    pub fn int(key: &str, help: &str, default: i64) -> Self {
        Self::new(key, help, Value::Int(default))
    }

    /// A number.
    pub fn float(key: &str, help: &str, default: f64) -> Self {
        Self::new(key, help, Value::Float(default))
    }

    /// A switch.
    pub fn bool(key: &str, help: &str, default: bool) -> Self {
        Self::new(key, help, Value::Bool(default))
    }

    /// Free text.
    pub fn text(key: &str, help: &str, default: &str) -> Self {
        Self::new(key, help, Value::Text(default.into()))
    }

    /// One of several words.
    pub fn choice(key: &str, help: &str, choices: &[&str], default: &str) -> Self {
        let mut p = Self::new(key, help, Value::Choice(default.into()));
        p.choices = choices.iter().map(|c| (*c).to_owned()).collect();
        p
    }

    /// Unit of the value (`nm`, `px`, `ms`, `e/ADU`); without it the value is a bare number.
    pub fn unit(mut self, unit: &str) -> Self {
        self.unit = unit.into();
        self
    }

    /// Smallest and largest value, both allowed.
    pub fn range(mut self, min: f64, max: f64) -> Self {
        (self.min, self.max) = (Some(min), Some(max));
        self
    }

    /// Step of a control for it; values between are allowed.
    pub fn step(mut self, step: f64) -> Self {
        self.step = Some(step);
        self
    }

    /// Shown on request only.
    pub fn expert(mut self) -> Self {
        self.level = Level::Expert;
        self
    }

    /// When it may change; `Live` unless said.
    pub fn change(mut self, change: Change) -> Self {
        self.change = change;
        self
    }

    /// What a change makes invalid.
    pub fn invalidates(mut self, what: &[Invalidates]) -> Self {
        self.invalidates = what.to_vec();
        self
    }

    /// Names that the key had in earlier versions.
    pub fn old_names(mut self, names: &[&str]) -> Self {
        self.old_names = names.iter().map(|n| (*n).to_owned()).collect();
        self
    }

    /// What older versions did before the key existed: the value for files that lack it.
    pub fn value_before(mut self, value: Value) -> Self {
        self.value_before = Some(value);
        self
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The default.
    pub fn default_value(&self) -> &Value {
        &self.default
    }

    /// Type, range and choices; the error names the key and what is allowed.
    pub fn check(&self, value: &Value) -> Result<()> {
        let key = &self.key;
        if value.kind() != self.default.kind() {
            return Err(Error::invalid(format!("`{key}` is {}, not {}", self.default.kind(), value.kind())));
        }
        let number = match value {
            Value::Int(v) => Some(*v as f64),
            Value::Float(v) => Some(*v),
            _ => None,
        };
        if let Some(v) = number {
            let (min, max) = (self.min.unwrap_or(f64::NEG_INFINITY), self.max.unwrap_or(f64::INFINITY));
            if !(v >= min && v <= max) {
                return Err(Error::invalid(format!("`{key}` is {v}, allowed is {min} to {max} {}", self.unit)));
            }
        }
        match value {
            Value::Choice(v) if !self.choices.contains(v) => {
                Err(Error::invalid(format!("`{key}` is `{v}`, allowed is {}", self.choices.join(", "))))
            }
            _ => Ok(()),
        }
    }

    /// Appends the parameter as a JSON object without its closing brace, so that settings can add theirs.
    pub(crate) fn open_json(&self, out: &mut String) {
        out.push('{');
        json::field(out, "key", &self.key);
        json::field(out, "type", self.default.kind());
        json::field(out, "help", &self.help);
        value_field(out, "default", &self.default);
        if !self.unit.is_empty() {
            json::field(out, "unit", &self.unit);
        }
        for (name, number) in [("min", self.min), ("max", self.max), ("step", self.step)] {
            if let Some(n) = number {
                json::string(out, name);
                out.push(':');
                json::number(out, n);
                out.push(',');
            }
        }
        if !self.choices.is_empty() {
            json::list(out, "choices", &self.choices, |o, c| json::string(o, c));
        }
        json::field(out, "level", if self.level == Level::Basic { "basic" } else { "expert" });
        let change = match self.change {
            Change::Live => "live",
            Change::Idle => "idle",
            Change::Rearm => "rearm",
        };
        json::field(out, "change", change);
        if !self.invalidates.is_empty() {
            json::list(out, "invalidates", &self.invalidates, |o, i| {
                json::string(o, if *i == Invalidates::Zlut { "zlut" } else { "geometry" })
            });
        }
        if !self.old_names.is_empty() {
            json::list(out, "old_names", &self.old_names, |o, n| json::string(o, n));
        }
        if let Some(v) = &self.value_before {
            value_field(out, "value_before", v);
        }
    }
}

/// Appends `"key": value` and a comma.
pub(crate) fn value_field(out: &mut String, key: &str, value: &Value) {
    json::string(out, key);
    out.push(':');
    match value {
        Value::Int(v) => out.push_str(&v.to_string()),
        Value::Float(v) => json::number(out, *v),
        Value::Bool(v) => out.push_str(if *v { "true" } else { "false" }),
        Value::Text(v) | Value::Choice(v) => json::string(out, v),
    }
    out.push(',');
}

/// What a component says of itself.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// `kind.method` (ours) or `kind.lab.method`; never renamed, never re-used.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Semver version of the method. A change of results is a new minor or major version.
    pub version: &'static str,
    /// One or two sentences.
    pub summary: &'static str,
    /// The paper or system that the method comes from.
    pub source: &'static str,
    /// SPDX expression.
    pub licence: &'static str,
    /// Where it may run.
    pub isolation: Isolation,
    /// Words of [`crate::abi::LibraryTable::describe`].
    pub capabilities: &'static [&'static str],
    /// The schema.
    pub parameters: Vec<Parameter>,
}

impl Default for Descriptor {
    fn default() -> Self {
        Self {
            id: "",
            name: "",
            version: "0.1.0",
            summary: "",
            source: "",
            licence: "",
            isolation: Isolation::Any,
            capabilities: &[],
            parameters: Vec::new(),
        }
    }
}

impl Descriptor {
    /// The JSON object of [`crate::abi::LibraryTable::describe`].
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        json::field(&mut out, "id", self.id);
        json::field(&mut out, "name", self.name);
        json::field(&mut out, "version", self.version);
        json::field(&mut out, "summary", self.summary);
        json::field(&mut out, "source", self.source);
        json::field(&mut out, "licence", self.licence);
        json::field(&mut out, "isolation", if self.isolation == Isolation::Any { "any" } else { "process" });
        json::list(&mut out, "capabilities", self.capabilities, |o, c| json::string(o, c));
        json::list(&mut out, "parameters", &self.parameters, |o, p| {
            p.open_json(o);
            json::close(o);
        });
        json::close(&mut out);
        out
    }
}
