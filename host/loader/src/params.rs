//! Parameter values for a component: from text or JSON, checked against the schema, complete with defaults, and as the
//! interface wants them.

use crate::descriptor::{ParamType, ParameterInfo, from_json, to_json};
use tetherscope_plugin_api::{Value, abi};

/// A value for each key of a schema, in the schema's order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParamSet {
    entries: Vec<(String, Value)>,
}

impl ParameterInfo {
    /// Type, range and choice; the error is one sentence that names the key, the value and what is allowed.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        let key = &self.key;
        if value.kind() != self.kind.name() {
            return Err(format!("`{key}` must be {}, not {}", self.kind.name(), value.kind()));
        }
        let number = match value {
            Value::Int(v) => Some(*v as f64),
            Value::Float(v) => Some(*v),
            _ => None,
        };
        if let Some(v) = number {
            let (min, max) = (self.min.unwrap_or(f64::NEG_INFINITY), self.max.unwrap_or(f64::INFINITY));
            if !(v >= min && v <= max) {
                let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
                return Err(format!("`{key}` is {v}{unit}, allowed is {min} to {max}{unit}"));
            }
        }
        match value {
            Value::Choice(v) if !self.choices.contains(v) => {
                Err(format!("`{key}` is `{v}`, allowed is {}", self.choices.join(", ")))
            }
            _ => Ok(()),
        }
    }

    /// Reads a value from text, as the command line gives it.
    pub(crate) fn parse(&self, text: &str) -> Result<Value, String> {
        let wrong = || format!("`{}` must be {}, not `{text}`", self.key, self.kind.name());
        let value = match self.kind {
            ParamType::Int => Value::Int(text.parse().map_err(|_| wrong())?),
            ParamType::Float => Value::Float(text.parse().map_err(|_| wrong())?),
            ParamType::Bool => Value::Bool(match text {
                "true" | "yes" | "on" | "1" => true,
                "false" | "no" | "off" | "0" => false,
                _ => return Err(wrong()),
            }),
            ParamType::Text => Value::Text(text.to_owned()),
            ParamType::Choice => Value::Choice(text.to_owned()),
        };
        self.check(&value)?;
        Ok(value)
    }
}

/// The parameter of a key or of one of its old names.
pub(crate) fn find<'a>(schema: &'a [ParameterInfo], key: &str) -> Result<&'a ParameterInfo, String> {
    let found = schema.iter().find(|p| p.key == key || p.old_names.iter().any(|o| o == key));
    found.ok_or_else(|| {
        let keys: Vec<&str> = schema.iter().map(|p| p.key.as_str()).collect();
        let has = if keys.is_empty() { "it has none".into() } else { format!("it has {}", keys.join(", ")) };
        format!("there is no parameter `{key}`; {has}")
    })
}

impl ParamSet {
    /// Values that were checked before, in the schema's order.
    pub(crate) fn from_entries(entries: Vec<(String, Value)>) -> Self {
        Self { entries }
    }

    /// The schema's defaults.
    pub fn defaults(schema: &[ParameterInfo]) -> Self {
        Self { entries: schema.iter().map(|p| (p.key.clone(), p.default.clone())).collect() }
    }

    /// Defaults, changed by `key=text` pairs.
    pub(crate) fn from_text<'a>(
        schema: &[ParameterInfo],
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
        let mut set = Self::defaults(schema);
        for (key, text) in pairs {
            let p = find(schema, key)?;
            set.set(&p.key, p.parse(text)?);
        }
        Ok(set)
    }

    /// Only the given keys, for changing settings.
    pub(crate) fn some_from_text<'a>(
        schema: &[ParameterInfo],
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, String> {
        let mut set = Self::default();
        for (key, text) in pairs {
            let p = find(schema, key)?;
            set.set(&p.key, p.parse(text)?);
        }
        Ok(set)
    }

    /// Values of an earlier file: a missing key takes `value_before` or is refused, an unknown one is refused.
    pub(crate) fn from_json_object(
        schema: &[ParameterInfo],
        object: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, String> {
        for key in object.keys() {
            find(schema, key)?;
        }
        let mut entries = Vec::with_capacity(schema.len());
        for p in schema {
            let stored = object.get(&p.key).or_else(|| p.old_names.iter().find_map(|o| object.get(o)));
            let value = match (stored, &p.value_before) {
                (Some(v), _) => {
                    from_json(p.kind, v).ok_or_else(|| format!("`{}` must be {}, not {v}", p.key, p.kind.name()))?
                }
                (None, Some(before)) => before.clone(),
                (None, None) => {
                    return Err(format!("`{}` is missing, and nothing says what was used before it existed", p.key));
                }
            };
            p.check(&value)?;
            entries.push((p.key.clone(), value));
        }
        Ok(Self { entries })
    }

    fn set(&mut self, key: &str, value: Value) {
        match self.entries.iter_mut().find(|(k, _)| k == key) {
            Some(e) => e.1 = value,
            None => self.entries.push((key.to_owned(), value)),
        }
    }

    /// Keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// All values as a JSON object.
    pub fn to_json(&self) -> serde_json::Map<String, serde_json::Value> {
        self.entries.iter().map(|(k, v)| (k.clone(), to_json(v))).collect()
    }

    /// Calls `f` with the values as they cross the interface.
    pub(crate) fn with_abi<R>(&self, f: impl FnOnce(abi::Params) -> R) -> R {
        let text = |s: &str| abi::Str { ptr: s.as_ptr(), len: s.len() as u64 };
        let entries: Vec<abi::Param> = self
            .entries
            .iter()
            .map(|(key, value)| {
                let mut p = abi::Param {
                    key: text(key),
                    kind: abi::PARAM_INT,
                    reserved: 0,
                    int_value: 0,
                    float_value: 0.0,
                    text_value: text(""),
                };
                match value {
                    Value::Int(v) => p.int_value = *v,
                    Value::Float(v) => (p.kind, p.float_value) = (abi::PARAM_FLOAT, *v),
                    Value::Bool(v) => (p.kind, p.int_value) = (abi::PARAM_BOOL, i64::from(*v)),
                    Value::Text(v) => (p.kind, p.text_value) = (abi::PARAM_TEXT, text(v)),
                    Value::Choice(v) => (p.kind, p.text_value) = (abi::PARAM_CHOICE, text(v)),
                }
                p
            })
            .collect();
        f(abi::Params { ptr: entries.as_ptr(), len: entries.len() as u64 })
    }
}
