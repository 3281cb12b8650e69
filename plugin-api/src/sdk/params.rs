//! Parameter values as a plugin reads them: checked against its own schema, defaults filled in.

use super::error::{Error, Result};
use super::schema::Parameter;
use crate::abi;

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Integer.
    Int(i64),
    /// Number, in the schema's unit.
    Float(f64),
    /// Switch.
    Bool(bool),
    /// Free text.
    Text(String),
    /// One of the schema's choices.
    Choice(String),
}

impl Value {
    /// The name of the kind, as in the schema's `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Bool(_) => "bool",
            Value::Text(_) => "text",
            Value::Choice(_) => "choice",
        }
    }

    /// Reads a value that crossed the interface.
    ///
    /// # Safety
    /// The text of `p` must be readable.
    unsafe fn from_abi(p: &abi::Param) -> Result<Self> {
        Ok(match p.kind {
            abi::PARAM_INT => Value::Int(p.int_value),
            abi::PARAM_FLOAT => Value::Float(p.float_value),
            abi::PARAM_BOOL => Value::Bool(p.int_value != 0),
            // SAFETY: the caller promises it.
            abi::PARAM_TEXT => Value::Text(unsafe { super::guard::text(p.text_value) }),
            // SAFETY: as above.
            abi::PARAM_CHOICE => Value::Choice(unsafe { super::guard::text(p.text_value) }),
            other => return Err(Error::invalid(format!("parameter value of unknown kind {other}"))),
        })
    }
}

/// All parameters of a component, each with a value. Asking for a key that the schema does not have is a defect of the
/// plugin and an error, not a panic.
#[derive(Debug, Clone, Default)]
pub struct ParamValues {
    values: Vec<(String, Value)>,
}

impl ParamValues {
    /// Values as they are, unchecked: for a plugin's own tests.
    pub fn from_values(values: impl IntoIterator<Item = (String, Value)>) -> Self {
        Self { values: values.into_iter().collect() }
    }

    /// The schema's defaults.
    pub fn defaults(schema: &[Parameter]) -> Self {
        Self::from_values(schema.iter().map(|p| (p.key().to_owned(), p.default_value().clone())))
    }

    /// Reads what the host sent: every entry must be in the schema, of its type and in its range. Missing keys get
    /// their default if `fill`, else stay absent.
    ///
    /// # Safety
    /// `params` must describe readable memory.
    pub(crate) unsafe fn from_abi(params: abi::Params, schema: &[Parameter], fill: bool) -> Result<Self> {
        let mut values = if fill { Self::defaults(schema) } else { Self::default() };
        // SAFETY: passed on.
        for (key, value) in unsafe { Self::from_abi_unchecked(params) }?.values {
            let Some(spec) = schema.iter().find(|s| s.key() == key) else {
                return Err(Error::invalid(format!("there is no parameter `{key}`")));
            };
            spec.check(&value)?;
            values.set(&key, value);
        }
        Ok(values)
    }

    /// Reads what the host sent, whatever it is: parameters of another component.
    ///
    /// # Safety
    /// `params` must describe readable memory.
    pub(crate) unsafe fn from_abi_unchecked(params: abi::Params) -> Result<Self> {
        let mut values = Self::default();
        if params.len == 0 {
            return Ok(values);
        }
        if params.ptr.is_null() {
            return Err(Error::invalid("parameters announced, but none sent"));
        }
        // SAFETY: the caller promises `len` readable entries with readable texts.
        unsafe {
            for p in std::slice::from_raw_parts(params.ptr, params.len as usize) {
                values.set(&super::guard::text(p.key), Value::from_abi(p)?);
            }
        }
        Ok(values)
    }

    /// Sets one value.
    pub fn set(&mut self, key: &str, value: Value) {
        match self.values.iter_mut().find(|(k, _)| k == key) {
            Some(entry) => entry.1 = value,
            None => self.values.push((key.to_owned(), value)),
        }
    }

    /// The value of `key`, if it was sent.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.values.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// All keys and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.values.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// An integer.
    pub fn int(&self, key: &str) -> Result<i64> {
        match self.get(key) {
            Some(Value::Int(v)) => Ok(*v),
            other => Err(wrong(key, "int", other)),
        }
    }

    /// A number.
    pub fn float(&self, key: &str) -> Result<f64> {
        match self.get(key) {
            Some(Value::Float(v)) => Ok(*v),
            other => Err(wrong(key, "float", other)),
        }
    }

    /// A switch.
    pub fn bool(&self, key: &str) -> Result<bool> {
        match self.get(key) {
            Some(Value::Bool(v)) => Ok(*v),
            other => Err(wrong(key, "bool", other)),
        }
    }

    /// A text or choice.
    pub fn text(&self, key: &str) -> Result<&str> {
        match self.get(key) {
            Some(Value::Text(v) | Value::Choice(v)) => Ok(v),
            other => Err(wrong(key, "text", other)),
        }
    }
}

#[cold]
fn wrong(key: &str, wanted: &str, found: Option<&Value>) -> Error {
    match found {
        None => Error::internal(format!("parameter `{key}` was asked for, but the schema has none of that name")),
        Some(v) => Error::internal(format!("parameter `{key}` was asked for as {wanted}, but it is {}", v.kind())),
    }
}
