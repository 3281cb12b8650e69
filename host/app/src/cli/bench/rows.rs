//! One line of the table: a figure with its peer of the same run.

use crate::cli::output::number;
use serde_json::{Value, json};

/// A figure.
pub(super) struct Figure {
    /// What was measured.
    pub(super) what: String,
    /// Name, value and unit of each part.
    pub(super) values: Vec<(&'static str, f64, &'static str)>,
}

impl Figure {
    /// Without values yet.
    pub(super) fn of(what: impl Into<String>) -> Self {
        Self { what: what.into(), values: Vec::new() }
    }

    /// With one value more.
    pub(super) fn with(mut self, name: &'static str, value: f64, unit: &'static str) -> Self {
        self.values.push((name, value, unit));
        self
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n", self.what);
        for (name, value, unit) in &self.values {
            let digits = match value.abs() {
                v if v >= 100.0 || *value == 0.0 => 0,
                v if v >= 1.0 => 2,
                _ => 4,
            };
            text += &format!("  {name:40} {value:12.digits$} {unit}\n");
        }
        text
    }

    /// For machines.
    pub(super) fn json(&self) -> Value {
        let values: serde_json::Map<String, Value> = self
            .values
            .iter()
            .map(|(name, value, unit)| ((*name).to_owned(), json!({"value": number(*value), "unit": unit})))
            .collect();
        json!({ "what": self.what, "values": values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_reads_the_same_for_people_and_machines() {
        let figure =
            Figure::of("ring").with("rate", 123.4, "frames/s").with("ratio", 0.5, "").with("none", f64::NAN, "s");
        assert!(figure.text().contains("123 frames/s") && figure.text().contains("0.5000"));
        assert_eq!(figure.json()["values"]["rate"]["value"], 123.4);
        assert_eq!(figure.json()["values"]["none"]["value"], Value::Null);
    }
}
