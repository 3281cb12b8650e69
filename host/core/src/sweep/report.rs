//! The bias maps of a Z-LUT as its file keeps them: the maps are `tetherscope-analysis`'s, the JSON value round them is here.

use super::build::BuiltTable;
use serde::{Deserialize, Serialize};
use tetherscope_analysis::{BIAS_MAP_VERSION, BiasMap};

/// What stands in the file's report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BiasReport {
    /// Version of the maps.
    pub bias_map_version: u32,
    /// One map for each table.
    pub tables: Vec<TableBias>,
}

/// The map of one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableBias {
    /// Whose table; None for the shared one.
    pub bead: Option<u32>,
    /// Its map.
    pub map: BiasMap,
}

impl BiasReport {
    /// Of tables that were just built.
    pub fn of(tables: &[BuiltTable]) -> Self {
        let table = |t: &BuiltTable| TableBias { bead: t.bead, map: t.bias.clone() };
        Self { bias_map_version: BIAS_MAP_VERSION, tables: tables.iter().map(table).collect() }
    }

    /// For the file.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("numbers, texts and lists of them can be written as JSON")
    }

    /// From a file; None where it holds none, or one of another version, which this program must not interpret.
    pub fn from_json(report: &serde_json::Value) -> Option<Self> {
        let version = report.get("bias_map_version")?.as_u64()?;
        if version != u64::from(BIAS_MAP_VERSION) {
            return None;
        }
        serde_json::from_value(report.clone()).ok()
    }

    /// The map of a table; None is the shared one.
    pub fn map_of(&self, bead: Option<u32>) -> Option<&BiasMap> {
        self.tables.iter().find(|t| t.bead == bead).map(|t| &t.map)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_another_version_or_of_another_maker_is_not_interpreted() {
        let map = tetherscope_analysis::bias_map(&[0.0, 100.0], &[], &[]);
        let report = BiasReport {
            bias_map_version: BIAS_MAP_VERSION,
            tables: vec![TableBias { bead: Some(3), map: map.clone() }],
        };
        let mut json = report.to_json();
        assert_eq!(BiasReport::from_json(&json), Some(report.clone()));
        assert_eq!((report.map_of(Some(3)), report.map_of(None)), (Some(&map), None));
        json["bias_map_version"] = (BIAS_MAP_VERSION + 1).into();
        assert_eq!(BiasReport::from_json(&json), None);
        assert_eq!(BiasReport::from_json(&serde_json::json!({"bias_nm": [1.0]})), None);
        assert_eq!(BiasReport::from_json(&serde_json::json!({"bias_map_version": BIAS_MAP_VERSION})), None);
    }
}
