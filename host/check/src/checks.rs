//! The list of all checks. A check is an entry here: its name, its kind, the sentence that says what it proves, and the
//! function that tries it. Names are never re-used for something else.

use crate::outcome::Verdict;
use crate::subject::Subject;
use tetherscope_loader::Kind;

/// One check.
pub struct Check {
    /// `kind.what`, as `--only` takes it.
    pub name: &'static str,
    /// The kind that it is for.
    pub kind: Kind,
    /// One sentence: what a component that passes is known to do.
    pub proves: &'static str,
    pub(crate) run: fn(&Subject) -> Verdict,
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All checks, kind by kind, in the order in which they run.
pub fn all() -> impl Iterator<Item = &'static Check> {
    [
        crate::tracker::PLACES,
        crate::tracker::PICTURES,
        crate::tracker::BITS,
        crate::tracker::OUTPUTS,
        crate::tracker::LIFE,
        crate::zlut::VALUES,
        crate::zlut::TABLES,
        crate::zlut::LIFE,
        crate::camera::CALLS,
        crate::camera::FRAMES,
        crate::stage::CHECKS,
        crate::finder::CHECKS,
    ]
    .into_iter()
    .flatten()
}

/// The checks of one kind.
pub fn of_kind(kind: Kind) -> impl Iterator<Item = &'static Check> {
    all().filter(move |c| c.kind == kind)
}

/// The check of a name.
pub fn find(name: &str) -> Option<&'static Check> {
    all().find(|c| c.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_begin_with_their_kind() {
        let mut names: Vec<&str> = all().map(|c| c.name).collect();
        for c in all() {
            assert_eq!(c.name.split('.').next(), Some(c.kind.name()), "{}", c.name);
            assert!(c.proves.ends_with('.') && c.proves.len() > 20, "{} proves nothing: {}", c.name, c.proves);
        }
        names.sort_unstable();
        let n = names.len();
        names.dedup();
        assert_eq!(names.len(), n, "two checks have one name");
    }

    #[test]
    fn every_kind_has_checks() {
        for kind in Kind::ALL {
            assert!(of_kind(kind).count() >= 5, "{}", kind.name());
        }
    }
}
