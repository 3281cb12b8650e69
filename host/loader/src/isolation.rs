//! Which plugins run in child processes, how long their calls may take there, and what is remembered of those that
//! crashed. One memory per registry, so that all its workers count together.

use crate::error::LoadError;
use crate::method::MethodRef;
use crate::search::SearchOptions;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Within this time the strikes of a plugin add up, even when calls between them succeeded.
const STRIKES_WITHIN: Duration = Duration::from_secs(60);

/// What to isolate, and when to lose patience.
#[derive(Debug, Clone)]
pub struct IsolationOptions {
    /// Isolate the libraries of these methods (`id`, `id@version`, `id#hash`), besides those that ask for it themselves.
    pub methods: Vec<String>,
    /// Isolate every library.
    pub all: bool,
    /// Isolate none, whatever it asks for: for a process that is itself there to be lost.
    pub never: bool,
    /// How long making objects, `track`, `lookup` and the calls of a device may take, besides the time that they were
    /// told to wait.
    pub call_limit: Duration,
    /// How long opening a device, building a table and finding beads may take.
    pub job_limit: Duration,
    /// After so many crashes or hangs, in a row or within a minute, a plugin is not started again.
    pub strikes: u32,
}

impl Default for IsolationOptions {
    fn default() -> Self {
        Self {
            methods: Vec::new(),
            all: false,
            never: false,
            call_limit: Duration::from_secs(10),
            job_limit: Duration::from_secs(600),
            strikes: 3,
        }
    }
}

impl IsolationOptions {
    /// The names, read.
    pub(crate) fn method_refs(&self) -> Result<Vec<MethodRef>, LoadError> {
        self.methods.iter().map(|m| m.parse()).collect()
    }
}

/// What all libraries of one registry share: the options, the executable of the children, and the strikes.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub(crate) options: IsolationOptions,
    /// None: this executable.
    pub(crate) child: Option<PathBuf>,
    records: Mutex<HashMap<String, Arc<Record>>>,
}

impl Session {
    pub(crate) fn new(options: &SearchOptions) -> Arc<Self> {
        let (isolation, child) = (options.isolation.clone(), options.child.clone());
        Arc::new(Self { options: isolation, child, records: Mutex::default() })
    }

    /// What is remembered of a plugin; the key says which.
    pub(crate) fn record(&self, key: &str) -> Arc<Record> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = self.options.strikes.max(1) as usize;
        let made = || Arc::new(Record { limit, strikes: Mutex::default() });
        records.entry(key.to_owned()).or_insert_with(made).clone()
    }
}

/// The crashes and hangs of one plugin.
#[derive(Debug)]
pub(crate) struct Record {
    limit: usize,
    strikes: Mutex<Strikes>,
}

#[derive(Debug, Default)]
struct Strikes {
    in_a_row: usize,
    recent: Vec<Instant>,
    disabled: Option<String>,
}

impl Record {
    fn lock(&self) -> std::sync::MutexGuard<'_, Strikes> {
        self.strikes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why the plugin is not started any more.
    pub(crate) fn disabled(&self) -> Option<String> {
        self.lock().disabled.clone()
    }

    /// A child ended that should not have.
    pub(crate) fn strike(&self, cause: &str) {
        self.strike_at(cause, Instant::now());
    }

    fn strike_at(&self, cause: &str, now: Instant) {
        let mut s = self.lock();
        s.recent.retain(|t| now.duration_since(*t) < STRIKES_WITHIN);
        s.recent.push(now);
        s.in_a_row += 1;
        let n = s.in_a_row.max(s.recent.len());
        if n >= self.limit && s.disabled.is_none() {
            s.disabled = Some(format!("it is switched off after {n} crashes or hangs; the last: {cause}"));
        }
    }

    /// A call that could have crashed came back.
    pub(crate) fn success(&self) {
        self.lock().in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Arc<Record> {
        Session::default().record("tracker.a")
    }

    #[test]
    fn three_strikes_in_a_row_switch_a_plugin_off_however_far_apart() {
        let (r, begun) = (record(), Instant::now());
        for hour in 0..3 {
            assert!(r.disabled().is_none());
            r.strike_at("segmentation fault", begun + Duration::from_secs(3600 * hour));
        }
        assert!(r.disabled().unwrap().contains("3 crashes or hangs; the last: segmentation fault"));
    }

    #[test]
    fn a_success_between_makes_only_strikes_within_a_minute_count() {
        let (r, begun) = (record(), Instant::now());
        for hour in 0..9 {
            r.strike_at("x", begun + Duration::from_secs(3600 * hour));
            r.success();
        }
        assert!(r.disabled().is_none());
        for second in 0..2 {
            r.strike_at("x", begun + Duration::from_secs(3600 * 8 + second));
            r.success();
        }
        assert!(r.disabled().is_some());
    }

    #[test]
    fn plugins_do_not_share_their_strikes() {
        let session = Session::default();
        (0..3).for_each(|_| session.record("a").strike("x"));
        assert!(session.record("a").disabled().is_some() && session.record("b").disabled().is_none());
    }
}
