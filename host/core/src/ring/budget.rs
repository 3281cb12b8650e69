//! How much memory a ring takes, checked before it is taken.

use super::slots::Slots;
use crate::error::RunError;

/// Memory that stays free for everything else when no budget was given: a quarter.
const MOST_OF_AVAILABLE: f64 = 0.75;

/// Bytes as MB of 10⁶.
fn mb(bytes: u128) -> String {
    let mb = bytes as f64 * 1e-6;
    if mb < 10.0 { format!("{mb:.2} MB") } else { format!("{mb:.0} MB") }
}

/// Memory that programs could take now without others being thrown out; None where the system does not tell.
pub fn available_memory_bytes() -> Option<u64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Bytes of a ring, if the budget and the memory that is there allow them.
pub(super) fn check(
    n_slots: usize,
    payload_bytes: u64,
    budget_bytes: Option<u64>,
    available_bytes: Option<u64>,
) -> Result<usize, RunError> {
    let stride =
        Slots::<()>::stride_bytes(usize::try_from(payload_bytes).unwrap_or(usize::MAX).min(usize::MAX / 4)) as u128;
    let total = stride * n_slots as u128;
    let from_available = available_bytes.map(|a| (a as f64 * MOST_OF_AVAILABLE) as u64);
    let (limit, limited_by) = match (budget_bytes, from_available) {
        (Some(budget), Some(available)) if available < budget => (available, "three quarters of the free memory are"),
        (Some(budget), _) => (budget, "the budget is"),
        (None, Some(available)) => (available, "three quarters of the free memory are"),
        (None, None) => (u64::MAX, "an address has room for"),
    };
    let refuse = || {
        let most = u128::from(limit) / stride;
        let mend = match most {
            0 => "use smaller frames (a region of the sensor, or fewer bits), or allow more memory".to_owned(),
            n => format!("use at most {n} slots or smaller frames, or allow more memory"),
        };
        RunError::refused(
            format!("cannot take {n_slots} slots for frames"),
            format!("{n_slots} × {stride} bytes = {}, {limited_by} {}", mb(total), mb(u128::from(limit))),
            mend,
        )
    };
    if n_slots == 0 {
        return Err(RunError::refused(
            "cannot make a ring without slots",
            "0 slots were asked for",
            "give it at least one slot for the camera and one for each consumer",
        ));
    }
    if total > u128::from(limit) {
        return Err(refuse());
    }
    usize::try_from(total).ok().filter(|&t| isize::try_from(t).is_ok()).ok_or_else(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_beyond_its_budget_is_refused_with_the_sum() {
        let error = check(100, 1 << 20, Some(50 << 20), Some(1 << 40)).unwrap_err().to_string();
        assert_eq!(
            error,
            "cannot take 100 slots for frames\n100 × 1048576 bytes = 105 MB, the budget is 52 MB\n\
             use at most 50 slots or smaller frames, or allow more memory"
        );
        assert_eq!(check(50, 1 << 20, Some(50 << 20), Some(1 << 40)).unwrap(), 50 << 20);
    }

    #[test]
    fn a_ring_beyond_the_memory_that_is_there_is_refused_whatever_the_budget_says() {
        let error = check(4, 1 << 30, Some(1 << 40), Some(4 << 30)).unwrap_err().to_string();
        assert!(error.contains("= 4295 MB, three quarters of the free memory are 3221 MB"), "{error}");
        assert!(check(4, 1 << 30, None, Some(1 << 40)).is_ok());
        assert!(check(2, u64::MAX, None, None).is_err(), "more than an address can say");
        let error = check(1, 1 << 30, Some(1000), None).unwrap_err().to_string();
        assert!(error.ends_with("use smaller frames (a region of the sensor, or fewer bits), or allow more memory"));
        assert!(check(0, 10, None, None).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_system_tells_how_much_memory_is_free() {
        assert!(available_memory_bytes().unwrap() > 1 << 20);
    }
}
