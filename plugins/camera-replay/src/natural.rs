//! The order in which people number files: `img2` before `img10`, upper and lower case together. Compares names only.

use std::cmp::Ordering;

/// Compares two names, runs of digits by their number. Names that differ only in leading zeros or case are told apart
/// by their bytes, so that the order is total.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(l), Some(r)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        let order = if l.is_ascii_digit() && r.is_ascii_digit() {
            let (number_l, rest_l) = split_digits(left);
            let (number_r, rest_r) = split_digits(right);
            (left, right) = (rest_l, rest_r);
            number_l.len().cmp(&number_r.len()).then_with(|| number_l.cmp(number_r))
        } else {
            left = &left[l.len_utf8()..];
            right = &right[r.len_utf8()..];
            l.to_lowercase().cmp(r.to_lowercase())
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// The digits at the start of `text` without leading zeros, and what follows them. Numbers may be longer than a u64.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["img10.tif", "img2.tif", "IMG1.tif", "img02b.tif", "a.tif", "img.tif", "img9_10", "img9_9"];
        names.sort_by(|a, b| compare(a, b));
        let wanted = ["a.tif", "img.tif", "IMG1.tif", "img2.tif", "img02b.tif", "img9_9", "img9_10", "img10.tif"];
        assert_eq!(names, wanted);
    }

    #[test]
    fn numbers_longer_than_a_machine_word_are_compared() {
        assert_eq!(compare("f100000000000000000000000", "f99999999999999999999999"), Ordering::Greater);
    }

    #[test]
    fn only_the_same_name_is_equal() {
        assert_eq!(compare("a01", "a1"), Ordering::Less);
        assert_eq!(compare("A", "a"), Ordering::Less);
        assert_eq!(compare("ü1", "ü1"), Ordering::Equal);
    }
}
