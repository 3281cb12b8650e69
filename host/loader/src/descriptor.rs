//! What a component says of itself, read from its JSON and checked: identity, capabilities and the schema of its
//! parameters.

use serde::{Deserialize, Serialize, Serializer};
use tetherscope_plugin_api::{Kind, Value};

/// Where a component may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// In the host's process.
    Any,
    /// In a process of its own.
    Process,
}

/// Type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParamType {
    /// Integer.
    Int,
    /// Number.
    Float,
    /// Switch.
    Bool,
    /// Text.
    Text,
    /// One of several words.
    Choice,
}

impl ParamType {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            ParamType::Int => "int",
            ParamType::Float => "float",
            ParamType::Bool => "bool",
            ParamType::Text => "text",
            ParamType::Choice => "choice",
        }
    }
}

/// One parameter of a schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterInfo {
    /// Key; never changes its meaning.
    pub key: String,
    /// Type.
    #[serde(rename = "type")]
    pub kind: ParamType,
    /// One sentence.
    pub help: String,
    /// Default.
    #[serde(serialize_with = "plain")]
    pub default: Value,
    /// Unit; empty for a bare number.
    pub unit: String,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Step of a control.
    pub step: Option<f64>,
    /// Words of a choice.
    pub choices: Vec<String>,
    /// `basic` or `expert`.
    pub level: String,
    /// `live`, `idle` or `rearm`.
    pub change: String,
    /// `zlut`, `geometry`.
    pub invalidates: Vec<String>,
    /// Earlier names.
    pub old_names: Vec<String>,
    /// Value of files that lack the key.
    #[serde(serialize_with = "plain_or_none")]
    pub value_before: Option<Value>,
}

impl ParameterInfo {
    /// The default as text.
    pub fn default_text(&self) -> String {
        match to_json(&self.default) {
            serde_json::Value::String(s) => s,
            other => other.to_string(),
        }
    }

    /// True if a table made with another value must not be used.
    pub fn invalidates_zlut(&self) -> bool {
        self.invalidates.iter().any(|i| i == "zlut")
    }
}

/// What a component says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComponentInfo {
    /// Kind.
    #[serde(serialize_with = "kind_name")]
    pub kind: Kind,
    /// Id.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Version of the method.
    pub version: semver::Version,
    /// One or two sentences.
    pub summary: String,
    /// The paper or system that the method comes from.
    pub source: String,
    /// SPDX expression.
    pub licence: String,
    /// Where it may run.
    pub isolation: Isolation,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Schema.
    pub parameters: Vec<ParameterInfo>,
}

impl ComponentInfo {
    /// True if the component has a capability.
    pub fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|c| c == capability)
    }

    /// Reads and checks a descriptor; the error says what makes no sense.
    pub(crate) fn parse(kind: Kind, json: &str, newer_minor: bool) -> Result<Self, String> {
        let mut value: serde_json::Value =
            serde_json::from_str(json).map_err(|e| format!("its descriptor is not JSON: {e}"))?;
        if newer_minor {
            forget_unknown(&mut value);
        }
        let raw: Raw = serde_json::from_value(value).map_err(|e| format!("its descriptor makes no sense: {e}"))?;
        check_id(&raw.id, kind)?;
        let id = raw.id;
        let version =
            raw.version.parse().map_err(|e| format!("the version `{}` of {id} is not semver: {e}", raw.version))?;
        let mut parameters: Vec<ParameterInfo> = Vec::with_capacity(raw.parameters.len());
        for p in raw.parameters {
            let p = p.check().map_err(|e| format!("the schema of {id} makes no sense: {e}"))?;
            if parameters.iter().any(|q| q.key == p.key) {
                return Err(format!("the schema of {id} makes no sense: there are two parameters `{}`", p.key));
            }
            parameters.push(p);
        }
        Ok(Self {
            kind,
            id,
            name: raw.name,
            version,
            summary: raw.summary,
            source: raw.source,
            licence: raw.licence,
            isolation: raw.isolation,
            capabilities: raw.capabilities,
            parameters,
        })
    }
}

/// The descriptor as JSON has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    id: String,
    name: String,
    version: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    licence: String,
    #[serde(default = "anywhere")]
    isolation: Isolation,
    #[serde(default)]
    capabilities: Vec<String>,
    #[serde(default)]
    parameters: Vec<RawParameter>,
}

fn anywhere() -> Isolation {
    Isolation::Any
}

/// A parameter as JSON has it. Shared with the settings of cameras and stages.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawParameter {
    key: String,
    #[serde(rename = "type")]
    kind: ParamType,
    help: String,
    default: serde_json::Value,
    #[serde(default)]
    unit: String,
    min: Option<f64>,
    max: Option<f64>,
    step: Option<f64>,
    #[serde(default)]
    choices: Vec<String>,
    #[serde(default = "basic")]
    level: String,
    #[serde(default = "live")]
    change: String,
    #[serde(default)]
    invalidates: Vec<String>,
    #[serde(default)]
    old_names: Vec<String>,
    value_before: Option<serde_json::Value>,
}

fn basic() -> String {
    "basic".into()
}

fn live() -> String {
    "live".into()
}

const DESCRIPTOR_KEYS: [&str; 10] =
    ["id", "name", "version", "summary", "source", "licence", "isolation", "capabilities", "parameters", "kind"];
const PARAMETER_KEYS: [&str; 14] = [
    "key",
    "type",
    "help",
    "default",
    "unit",
    "min",
    "max",
    "step",
    "choices",
    "level",
    "change",
    "invalidates",
    "old_names",
    "value_before",
];

/// A plugin of a newer minor may say more than this host understands.
fn forget_unknown(value: &mut serde_json::Value) {
    let Some(object) = value.as_object_mut() else { return };
    object.retain(|k, _| DESCRIPTOR_KEYS.contains(&k.as_str()));
    for p in object.get_mut("parameters").and_then(|p| p.as_array_mut()).into_iter().flatten() {
        if let Some(p) = p.as_object_mut() {
            p.retain(|k, _| PARAMETER_KEYS.contains(&k.as_str()));
        }
    }
}

fn check_id(id: &str, kind: Kind) -> Result<(), String> {
    let parts: Vec<&str> = id.split('.').collect();
    let word = |p: &&str| !p.is_empty() && p.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !(2..=3).contains(&parts.len()) || !parts.iter().all(word) {
        return Err(format!("the id `{id}` is not of the form kind.method or kind.lab.method (lower case, digits, -)"));
    }
    if parts[0] != kind.name() {
        return Err(format!("the id `{id}` does not begin with its kind, {}", kind.name()));
    }
    Ok(())
}

impl RawParameter {
    pub(crate) fn check(self) -> Result<ParameterInfo, String> {
        let key = self.key;
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_') {
            return Err(format!("the key `{key}` has other than lower-case letters, digits and _"));
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            return Err(format!("`{key}` has a range from {min} to {max}"));
        }
        if self.kind == ParamType::Choice && self.choices.is_empty() {
            return Err(format!("`{key}` is a choice without choices"));
        }
        let one_of = |what: &str, word: &str, allowed: &[&str]| {
            if allowed.contains(&word) {
                Ok(())
            } else {
                Err(format!("`{key}`: {what} is `{word}`, not one of {}", allowed.join(", ")))
            }
        };
        one_of("level", &self.level, &["basic", "expert"])?;
        one_of("change", &self.change, &["live", "idle", "rearm"])?;
        for i in &self.invalidates {
            one_of("invalidates", i, &["zlut", "geometry"])?;
        }
        let default = from_json(self.kind, &self.default)
            .ok_or_else(|| format!("the default of `{key}` is not {}", self.kind.name()))?;
        let value_before = match &self.value_before {
            None => None,
            Some(v) => Some(
                from_json(self.kind, v)
                    .ok_or_else(|| format!("value_before of `{key}` is not {}", self.kind.name()))?,
            ),
        };
        let info = ParameterInfo {
            key,
            kind: self.kind,
            help: self.help,
            default,
            unit: self.unit,
            min: self.min,
            max: self.max,
            step: self.step,
            choices: self.choices,
            level: self.level,
            change: self.change,
            invalidates: self.invalidates,
            old_names: self.old_names,
            value_before,
        };
        info.check(&info.default).map_err(|e| format!("the default of {e}"))?;
        Ok(info)
    }
}

/// A JSON value as a typed one; None when it is of another type.
pub(crate) fn from_json(kind: ParamType, value: &serde_json::Value) -> Option<Value> {
    Some(match kind {
        ParamType::Int => Value::Int(value.as_i64()?),
        ParamType::Float => Value::Float(value.as_f64()?),
        ParamType::Bool => Value::Bool(value.as_bool()?),
        ParamType::Text => Value::Text(value.as_str()?.to_owned()),
        ParamType::Choice => Value::Choice(value.as_str()?.to_owned()),
    })
}

/// A typed value as JSON.
pub(crate) fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Int(v) => (*v).into(),
        Value::Float(v) => (*v).into(),
        Value::Bool(v) => (*v).into(),
        Value::Text(v) | Value::Choice(v) => v.as_str().into(),
    }
}

fn plain<S: Serializer>(value: &Value, s: S) -> Result<S::Ok, S::Error> {
    to_json(value).serialize(s)
}

fn plain_or_none<S: Serializer>(value: &Option<Value>, s: S) -> Result<S::Ok, S::Error> {
    value.as_ref().map(to_json).serialize(s)
}

fn kind_name<S: Serializer>(kind: &Kind, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(kind.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptor_that_the_sdk_writes_is_read_back() {
        use tetherscope_plugin_api::{Change, Descriptor, Invalidates, Parameter};
        let d = Descriptor {
            id: "tracker.lab.mine",
            name: "Mine",
            version: "0.4.1",
            summary: "says \"hello\"",
            parameters: vec![
                Parameter::float("radius", "how far", 2.5).unit("px").range(0.0, 9.0).step(0.5).expert(),
                Parameter::choice("mode", "how", &["a", "b"], "b")
                    .change(Change::Idle)
                    .invalidates(&[Invalidates::Zlut]),
                Parameter::int("n", "how many", 3).old_names(&["count"]).value_before(Value::Int(1)),
            ],
            ..Descriptor::default()
        };
        let info = ComponentInfo::parse(Kind::Tracker, &d.to_json(), false).unwrap();
        assert_eq!(info.summary, "says \"hello\"");
        assert_eq!(info.parameters[0].max, Some(9.0));
        assert!(info.parameters[1].invalidates_zlut());
        assert_eq!(info.parameters[2].value_before, Some(Value::Int(1)));
    }

    #[test]
    fn an_unknown_key_is_an_error_unless_the_plugin_is_newer() {
        let json = r#"{"id": "tracker.a", "name": "A", "version": "1.0.0", "colour": "red"}"#;
        assert!(ComponentInfo::parse(Kind::Tracker, json, false).unwrap_err().contains("colour"));
        assert!(ComponentInfo::parse(Kind::Tracker, json, true).is_ok());
    }
}
