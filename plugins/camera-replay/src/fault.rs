//! Why a file cannot be replayed: the cause and the mend, to which the file's name is added where it is known. Tells
//! damage (what came before it can still be shown) from what this plugin does not read at all.

use std::path::Path;
use tetherscope_plugin_api::{Error, abi};

/// What is wrong with a file or one of its images.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    kind: Kind,
    cause: String,
    mend: String,
}

/// Whether a retry with a better copy can help.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// The file is cut short or scrambled.
    Damaged,
    /// The file is whole, but of a sort that is not read.
    Refused,
    /// The system did not let us read.
    Io,
}

/// The mend of everything that is cut short or scrambled.
const COPY_AGAIN: &str = "copy or record the file again";

impl Fault {
    /// The file is cut short or scrambled.
    pub fn damaged(cause: impl Into<String>) -> Self {
        Self { kind: Kind::Damaged, cause: cause.into(), mend: COPY_AGAIN.into() }
    }

    /// The file is of a sort that is not read; `mend` says what to do with it.
    pub fn refused(cause: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, cause: cause.into(), mend: mend.into() }
    }

    /// Opening or reading failed; an unexpected end is damage.
    pub fn io(doing: &str, e: &std::io::Error) -> Self {
        match e.kind() {
            std::io::ErrorKind::UnexpectedEof => Self::damaged(format!("{doing}: the file ends too early")),
            std::io::ErrorKind::NotFound => Self {
                kind: Kind::Io,
                cause: "there is no such file or folder".into(),
                mend: "check the spelling of the path and whether its disk is connected".into(),
            },
            _ => Self {
                kind: Kind::Io,
                cause: format!("{doing}: {e}"),
                mend: "check that the file may be read and that its disk is connected".into(),
            },
        }
    }

    /// True for a file that is cut short or scrambled: what came before is still good.
    pub fn is_damage(&self) -> bool {
        self.kind == Kind::Damaged
    }

    /// The cause, without the mend.
    #[cfg(test)]
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// The same fault with `place` in front of its cause, as in `page 3: …`.
    pub fn at(mut self, place: &str) -> Self {
        self.cause = format!("{place}: {}", self.cause);
        self
    }

    /// The same fault with `addition` behind its cause.
    pub fn and(mut self, addition: &str) -> Self {
        self.cause.push_str(addition);
        self
    }

    /// The three lines for people: file, cause, mend.
    pub fn text(&self, path: &Path) -> String {
        format!("cannot replay {}\n{}\n{}", path.display(), self.cause, self.mend)
    }

    /// The error for the host.
    pub fn in_file(&self, path: &Path) -> Error {
        let status = match self.kind {
            Kind::Damaged | Kind::Io => abi::STATUS_IO,
            Kind::Refused => abi::STATUS_UNSUPPORTED,
        };
        Error::new(status, self.text(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_reads_as_file_cause_and_mend() {
        let fault = Fault::damaged("it ends too early").at("page 3").and("; 2 pages are complete");
        let text = fault.text(Path::new("/data/a.tif"));
        assert_eq!(
            text,
            "cannot replay /data/a.tif\npage 3: it ends too early; 2 pages are complete\ncopy or record the file again"
        );
    }
}
