//! The name of a recording's folder from the rig's pattern. Knows nothing of what lies in the folder.

use std::path::Path;

/// What the words of a pattern stand for.
#[derive(Debug, Clone, PartialEq)]
pub struct NameWords<'a> {
    /// `{date}`: day, as 2026-11-27.
    pub date: &'a str,
    /// `{time}`: time of day, as 22-05-10.
    pub time: &'a str,
    /// `{operator}`.
    pub operator: &'a str,
}

/// Most numbers that `{n}` tries.
const MOST_NUMBERS: u32 = 100_000;

/// What is wrong with a pattern; None: nothing.
pub(crate) fn problem(pattern: &str) -> Option<String> {
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        let word = rest[at..].find('}').map(|end| &rest[at..=at + end]);
        match word {
            Some(w) if ["{date}", "{time}", "{operator}", "{n}"].contains(&w) => rest = &rest[at + w.len()..],
            _ => return Some(format!("`{}` is none of {{date}}, {{time}}, {{operator}}, {{n}}", word.unwrap_or(rest))),
        }
    }
    if pattern.contains(['/', '\\', '\0']) {
        return Some("a name holds no / and no \\".into());
    }
    if pattern.starts_with('.') {
        return Some("a name that begins with a dot is hidden".into());
    }
    None
}

/// The name of a pattern in `folder`. `{n}` is the smallest number, from 1, whose name is not taken; what would make a path
/// of the operator's name becomes `_`. An empty pattern stays empty: whoever records then takes date and time.
pub fn recording_name(pattern: &str, words: &NameWords<'_>, folder: &Path) -> String {
    let operator: String = words.operator.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let filled =
        pattern.replace("{date}", words.date).replace("{time}", words.time).replace("{operator}", operator.trim());
    if !filled.contains("{n}") {
        return filled;
    }
    let numbered = |n: u32| filled.replace("{n}", &n.to_string());
    // One that is taken meanwhile, or all of them taken, is refused by who makes the folder.
    (1..MOST_NUMBERS).map(numbered).find(|name| !folder.join(name).exists()).unwrap_or_else(|| numbered(MOST_NUMBERS))
}

fn is_plain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | ' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: NameWords<'_> = NameWords { date: "2026-11-27", time: "22-05-10", operator: "Ann /.. B" };

    #[test]
    fn words_are_filled_in_and_nothing_of_them_becomes_a_path() {
        let name = recording_name("{date} {operator}", &WORDS, Path::new("nowhere"));
        assert_eq!(name, "2026-11-27 Ann ___ B");
        assert_eq!(recording_name("", &WORDS, Path::new("nowhere")), "");
    }

    #[test]
    fn a_number_is_the_first_that_is_free() {
        let folder = tempfile::tempdir().unwrap();
        for taken in ["run 1", "run 2", "run 4"] {
            std::fs::create_dir(folder.path().join(taken)).unwrap();
        }
        assert_eq!(recording_name("run {n}", &WORDS, folder.path()), "run 3");
    }

    #[test]
    fn unknown_words_and_paths_are_named() {
        for (pattern, word) in
            [("{day}", "{day}"), ("a{", "{"), ("a}", "}"), ("a/b", "/"), ("..", "dot"), ("{date} {x}", "{x}")]
        {
            assert!(problem(pattern).is_some_and(|p| p.contains(word)), "{pattern}: {:?}", problem(pattern));
        }
        for fine in ["", "plain", "{date}_{time}_{operator}-{n}"] {
            assert_eq!(problem(fine), None);
        }
    }
}
