//! How a method is named: `tracker.mine` (the newest), `tracker.mine@0.4` (a semver pin), `tracker.mine#1a2b` (one build).

use crate::descriptor::ComponentInfo;
use crate::error::{LoadError, LoadErrorKind as Kind};
use std::fmt;

/// A name of a method.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodRef {
    /// The id, `kind.method` or `kind.lab.method`.
    pub id: String,
    /// Which versions will do.
    pub version: Option<semver::VersionReq>,
    /// Beginning of the build's hash.
    pub hash: Option<String>,
}

impl MethodRef {
    /// True if the name fits a component of the library with this hash.
    pub(crate) fn means(&self, info: &ComponentInfo, hash: &str) -> bool {
        self.id == info.id
            && self.version.as_ref().is_none_or(|v| v.matches(&info.version))
            && self.hash.as_ref().is_none_or(|h| hash.starts_with(h.as_str()))
    }
}

impl std::str::FromStr for MethodRef {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        let bad = |cause: String| {
            LoadError::new(
                Kind::NotFound,
                format!("cannot read the method `{text}`"),
                cause,
                "write `id`, `id@version` or `id#hash`, for example tracker.magtrack@1",
            )
        };
        let (rest, hash) = match text.split_once('#') {
            Some((rest, hash)) => (rest, Some(hash)),
            None => (text, None),
        };
        if let Some(h) = hash
            && (h.len() < 4 || !h.chars().all(|c| c.is_ascii_hexdigit()))
        {
            return Err(bad(format!("`{h}` is not the beginning of a hash (at least 4 hexadecimal digits)")));
        }
        let (id, version) = match rest.split_once('@') {
            Some((id, v)) => {
                (id, Some(semver::VersionReq::parse(v).map_err(|e| bad(format!("`{v}` is no semver version: {e}")))?))
            }
            None => (rest, None),
        };
        if id.is_empty() {
            return Err(bad("it has no id".into()));
        }
        Ok(Self { id: id.to_owned(), version, hash: hash.map(str::to_lowercase) })
    }
}

impl fmt::Display for MethodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)?;
        if let Some(v) = &self.version {
            write!(f, "@{v}")?;
        }
        if let Some(h) = &self.hash {
            write!(f, "#{h}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::MethodRef;

    #[test]
    fn a_name_may_pin_a_version_or_a_build() {
        let m: MethodRef = "tracker.lab.mine@0.4".parse().unwrap();
        assert!(m.version.unwrap().matches(&semver::Version::new(0, 4, 7)));
        let m: MethodRef = "tracker.mine#1A2B".parse().unwrap();
        assert_eq!(m.hash.as_deref(), Some("1a2b"));
        assert!("tracker.mine#xyz1".parse::<MethodRef>().is_err());
        assert!("tracker.mine@new".parse::<MethodRef>().is_err());
        assert!("@1".parse::<MethodRef>().is_err());
    }
}
