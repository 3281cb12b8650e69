//! How a process ended, in words.

use std::process::ExitStatus;

/// `segmentation fault, signal 11`, or `exit code 3`.
pub(crate) fn ending(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return format!("{}, signal {signal}", signal_name(signal));
        }
    }
    status.code().map_or_else(|| "no exit code".into(), |c| format!("exit code {c}"))
}

/// The word for a signal.
pub(crate) fn signal_name(signal: i32) -> &'static str {
    match signal {
        4 => "illegal instruction",
        5 => "trap",
        6 => "abort",
        7 | 10 if signal == BUS_ERROR => "bus error",
        8 => "arithmetic error",
        9 => "killed",
        11 => "segmentation fault",
        15 => "terminated",
        _ => "signal",
    }
}

/// The one of these numbers that differs between systems.
const BUS_ERROR: i32 = if cfg!(any(target_os = "linux", target_os = "android")) { 7 } else { 10 };
