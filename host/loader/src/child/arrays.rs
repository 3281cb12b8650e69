//! The arrays of an `explain` as they cross: names and shapes in JSON, values as bytes.

use super::pod::{bytes_of, values_of};
use crate::direct::{ArraySet, NamedArray};
use crate::library::one_line;
use serde::{Deserialize, Serialize};

/// Most arrays that are taken.
const MAX_ARRAYS: usize = 1000;
/// Most characters of a name or unit.
const MAX_NAME_CHARS: usize = 100;

#[derive(Serialize, Deserialize)]
struct Heading {
    name: String,
    unit: String,
    shape: Vec<usize>,
}

/// JSON and bytes of a set.
pub(crate) fn write(set: &ArraySet) -> (Vec<u8>, Vec<u8>) {
    let heading = |a: &NamedArray| Heading { name: a.name.clone(), unit: a.unit.clone(), shape: a.shape.clone() };
    let headings: Vec<Heading> = set.arrays.iter().map(heading).collect();
    let bytes = set.arrays.iter().flat_map(|a| bytes_of(&a.values)).copied().collect();
    (serde_json::to_vec(&headings).expect("names and numbers"), bytes)
}

/// A set from what a child sent; the error says what does not fit together.
pub(crate) fn read(json: &[u8], bytes: &[u8]) -> Result<ArraySet, String> {
    let headings: Vec<Heading> = serde_json::from_slice(json).map_err(|e| format!("its arrays make no sense: {e}"))?;
    if headings.len() > MAX_ARRAYS {
        return Err(format!("it explains with {} arrays, at most {MAX_ARRAYS} are possible", headings.len()));
    }
    let values: Vec<f64> = values_of(bytes);
    let (mut set, mut rest) = (ArraySet::default(), values.as_slice());
    for h in headings {
        let n = h.shape.iter().try_fold(1_usize, |n, &s| n.checked_mul(s));
        let (these, others) = n
            .and_then(|n| rest.split_at_checked(n))
            .ok_or_else(|| format!("the array `{}` is larger than what it sent", one_line(&h.name, MAX_NAME_CHARS)))?;
        rest = others;
        set.arrays.push(NamedArray {
            name: one_line(&h.name, MAX_NAME_CHARS),
            unit: one_line(&h.unit, MAX_NAME_CHARS),
            shape: h.shape,
            values: these.to_vec(),
        });
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_comes_back_as_it_was_and_too_few_values_are_an_error() {
        let array = |name: &str, shape: &[usize]| NamedArray {
            name: name.into(),
            unit: "px".into(),
            shape: shape.to_vec(),
            values: (0..shape.iter().product()).map(|v| v as f64 * 0.1).collect(),
        };
        let set = ArraySet { arrays: vec![array("a", &[2, 3]), array("b", &[4])] };
        let (json, bytes) = write(&set);
        assert_eq!(read(&json, &bytes).unwrap().arrays, set.arrays);
        assert!(read(&json, &bytes[..bytes.len() - 8]).is_err());
        assert!(read(br#"[{"name": "a", "unit": "", "shape": [18446744073709551615, 3]}]"#, &bytes).is_err());
        assert!(read(b"[", &bytes).is_err());
    }
}
