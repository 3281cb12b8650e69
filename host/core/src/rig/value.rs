//! The value of a plugin's parameter as people write it into a rig: a number, a text, true or false. What it means, and
//! whether it is allowed, is the parameter's schema's business.

use schemars::JsonSchema;
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The value of a parameter: a number, a text, `true` or `false`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ParameterValue {
    /// A switch.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text or a choice.
    Text(String),
}

/// The text that a parameter's schema reads back to the same value.
impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => v.fmt(f),
            Self::Int(v) => v.fmt(f),
            Self::Float(v) => v.fmt(f),
            Self::Text(v) => v.fmt(f),
        }
    }
}

// By hand, so that what is neither is refused with a sentence; serde's own would name none of its variants.
impl<'de> Deserialize<'de> for ParameterValue {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Any;

        impl Visitor<'_> for Any {
            type Value = ParameterValue;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, a text, true or false")
            }

            fn visit_bool<E: Error>(self, v: bool) -> Result<ParameterValue, E> {
                Ok(ParameterValue::Bool(v))
            }

            fn visit_i64<E: Error>(self, v: i64) -> Result<ParameterValue, E> {
                Ok(ParameterValue::Int(v))
            }

            fn visit_u64<E: Error>(self, v: u64) -> Result<ParameterValue, E> {
                i64::try_from(v).map(ParameterValue::Int).map_err(|_| E::custom("the number is too large"))
            }

            fn visit_f64<E: Error>(self, v: f64) -> Result<ParameterValue, E> {
                Ok(ParameterValue::Float(v))
            }

            fn visit_str<E: Error>(self, v: &str) -> Result<ParameterValue, E> {
                Ok(ParameterValue::Text(v.to_owned()))
            }
        }

        d.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_becomes_the_text_that_a_command_line_would_give() {
        for (json, text) in [("5", "5"), ("2.5", "2.5"), ("100.0", "100"), ("true", "true"), (r#""median""#, "median")]
        {
            let value: ParameterValue = serde_json::from_str(json).unwrap();
            assert_eq!(value.to_string(), text);
        }
    }

    #[test]
    fn lists_and_numbers_beyond_64_bits_are_refused_in_words() {
        let said = |json: &str| serde_json::from_str::<ParameterValue>(json).unwrap_err().to_string();
        assert!(said("[1]").contains("a number, a text, true or false"));
        assert!(said("18446744073709551615").contains("too large"));
    }
}
