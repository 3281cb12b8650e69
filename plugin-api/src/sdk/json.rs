//! Just enough JSON to write descriptors and settings, so that the SDK needs no JSON crate. Writes, never reads.

/// Appends `text` as a JSON string.
pub(crate) fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if (c as u32) < 0x20 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Appends a number; what JSON cannot say (NaN, infinity) becomes null.
pub(crate) fn number(out: &mut String, value: f64) {
    if value.is_finite() { out.push_str(&format!("{value:?}")) } else { out.push_str("null") }
}

/// Appends `"key": "text"` and a comma.
pub(crate) fn field(out: &mut String, key: &str, text: &str) {
    string(out, key);
    out.push(':');
    string(out, text);
    out.push(',');
}

/// Appends `"key": [...]` and a comma, each item written by `write`.
pub(crate) fn list<T>(out: &mut String, key: &str, items: &[T], write: impl Fn(&mut String, &T)) {
    string(out, key);
    out.push(':');
    array(out, items, write);
    out.push(',');
}

/// Appends `[...]`, each item written by `write`.
pub(crate) fn array<T>(out: &mut String, items: &[T], write: impl Fn(&mut String, &T)) {
    out.push('[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// Ends an object that may have a comma before its brace.
pub(crate) fn close(out: &mut String) {
    if out.ends_with(',') {
        out.pop();
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_with_quotes_newlines_and_umlauts_is_escaped() {
        let mut out = String::new();
        super::string(&mut out, "a\"b\\c\nd ü");
        assert_eq!(out, "\"a\\\"b\\\\c\\u000ad ü\"");
    }
}
