//! Numbers as text: as short as reads back to the same bits.

use std::fmt::Write as _;

/// Appends a number so that it reads back to the same bits, as short as possible.
/// NaN is `NaN` (its sign and payload are lost), zero keeps its sign.
pub(crate) fn push_f64(out: &mut String, value: f64) {
    let size = value.abs();
    // Plain digits where people expect them; `{}` alone would print 1e300 with 301 digits.
    let written = if size == 0.0 || (1e-5..1e16).contains(&size) || !value.is_finite() {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
    written.expect("a String takes whatever is written");
}

/// As [`push_f64`], with the fewer digits that an f32 needs.
pub(crate) fn push_f32(out: &mut String, value: f32) {
    let size = value.abs();
    let written = if size == 0.0 || (1e-5..1e16).contains(&size) || !value.is_finite() {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    };
    written.expect("a String takes whatever is written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_to_the_same_bits() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let special = [0.0, -0.0, 1e300, -5e-324, f64::MAX, 1e16, 0.1, f64::INFINITY];
        for i in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = match special.get(i) {
                Some(value) => *value,
                None => f64::from_bits(state),
            };
            if value.is_nan() {
                continue;
            }
            let mut text = String::new();
            push_f64(&mut text, value);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
            let small = value as f32;
            text.clear();
            push_f32(&mut text, small);
            assert_eq!(text.parse::<f32>().unwrap().to_bits(), small.to_bits());
        }
    }

    #[test]
    fn numbers_stay_short_and_nan_is_spelled_nan() {
        let print = |v| {
            let mut text = String::new();
            push_f64(&mut text, v);
            text
        };
        assert_eq!(print(12.5), "12.5");
        assert_eq!(print(1e300), "1e300");
        assert_eq!(print(f64::NAN), "NaN");
    }
}
