//! UTC of what is told: events, snapshots, names, stages. Frames are dated by their camera's clock.

use std::time::{SystemTime, UNIX_EPOCH};
use tetherscope_loader::now_ns;

/// UTC now.
pub(crate) fn utc_now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// An instant as text, RFC 3339 in UTC.
pub(crate) fn utc_text(utc_ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(utc_ns.into()).map_or_else(|_| utc_ns.to_string(), |t| t.to_string())
}

/// How the host's monotonic clock and UTC are related, from one moment on: UTC may be set meanwhile, times of a session stay
/// on one line.
pub(crate) struct Times {
    utc_of_host_zero_ns: i64,
}

impl Times {
    pub(crate) fn now() -> Self {
        Self { utc_of_host_zero_ns: utc_now_ns() - now_ns() }
    }

    /// UTC of an instant of the host's clock.
    pub(crate) fn utc_of_host_ns(&self, host_ns: i64) -> i64 {
        self.utc_of_host_zero_ns + host_ns
    }
}
