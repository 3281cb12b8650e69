//! The clock that paces live frames and moves the stage: the host's, so that both agree with the host's time stamps.
//! Tests have one that they put forward by hand, so that nothing in them depends on how busy the machine is.

#[cfg(test)]
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tetherscope_plugin_api::HostHandle;

/// A monotonic clock in ns.
pub enum Clock {
    /// The host's.
    Host(HostHandle),
    /// This process' own, where the host has none.
    Own(Instant),
    /// Stands still until it is put forward.
    #[cfg(test)]
    Manual(AtomicI64),
}

impl Clock {
    /// The host's clock, or our own where the host offers none.
    pub fn of(host: HostHandle) -> Self {
        // A host may count from the first time it is asked, so the first answer may be 0 for a good clock too.
        host.now_ns();
        std::thread::sleep(Duration::from_micros(1));
        if host.now_ns() != 0 { Self::Host(host) } else { Self::Own(Instant::now()) }
    }

    /// The time.
    pub fn now_ns(&self) -> i64 {
        match self {
            Self::Host(host) => host.now_ns(),
            Self::Own(start) => i64::try_from(start.elapsed().as_nanos()).unwrap_or(i64::MAX),
            #[cfg(test)]
            Self::Manual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Puts a clock that does not run by itself forward, and says whether it did: then there is nothing to wait for.
    pub fn put_forward(&self, ns: i64) -> bool {
        match self {
            #[cfg(test)]
            Self::Manual(now) => {
                now.fetch_add(ns, Ordering::SeqCst);
                true
            }
            _ => {
                let _ = ns;
                false
            }
        }
    }
}

/// A span of time in ns, at most an hour: longer waits are asked for again.
pub fn span_ns(span: Duration) -> i64 {
    const HOUR_NS: i64 = 3_600_000_000_000;
    i64::try_from(span.as_nanos()).unwrap_or(HOUR_NS).min(HOUR_NS)
}
