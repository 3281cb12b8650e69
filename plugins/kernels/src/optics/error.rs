//! What can be wrong with the parameters of a simulation. Nothing here fails once it has been set up.

use std::fmt;

/// What kind of thing is wrong, for programs; the message of [`OpticsError`] is for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpticsErrorKind {
    /// A parameter is outside its range or contradicts another one. Asking again with the same values fails again.
    InvalidParameter,
    /// The parameters make sense, but the tables or images would need more memory than this module allows itself.
    TooLarge,
}

/// A parameter that cannot be simulated: its name, the value and what would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpticsError {
    kind: OpticsErrorKind,
    message: String,
}

impl OpticsError {
    /// The kind of error.
    pub fn kind(&self) -> OpticsErrorKind {
        self.kind
    }

    /// Names the parameter, its value and what is allowed.
    pub fn message(&self) -> &str {
        &self.message
    }

    #[cold]
    pub(super) fn invalid(message: String) -> Self {
        Self { kind: OpticsErrorKind::InvalidParameter, message }
    }

    #[cold]
    pub(super) fn too_large(message: String) -> Self {
        Self { kind: OpticsErrorKind::TooLarge, message }
    }
}

impl fmt::Display for OpticsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for OpticsError {}

/// Fails unless `value` is finite and above zero.
pub(super) fn check_positive(name: &str, value: f64) -> Result<(), OpticsError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(OpticsError::invalid(format!("{name} is {value}\nit must be a finite number above 0\nchoose another value")))
}

/// Fails unless `value` is finite and at least zero.
pub(super) fn check_not_negative(name: &str, value: f64) -> Result<(), OpticsError> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(OpticsError::invalid(format!(
        "{name} is {value}\nit must be a finite number, 0 or above\nchoose another value"
    )))
}

/// Fails unless `value` lies in `least..=most`.
pub(super) fn check_count(name: &str, value: usize, least: usize, most: usize) -> Result<(), OpticsError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(OpticsError::invalid(format!("{name} is {value}\nit must be {least} to {most}\nchoose another value")))
}
