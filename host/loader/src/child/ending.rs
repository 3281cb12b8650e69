//! How a process ended, in words.

use std::process::ExitStatus;

/// `segmentation fault, signal 11`, or `exit code 3`.
pub(crate) fn ending(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            let name = match signal {
                4 => "illegal instruction",
                5 => "trap",
                6 => "abort",
                7 => "bus error",
                8 => "arithmetic error",
                9 => "killed",
                11 => "segmentation fault",
                15 => "terminated",
                _ => "signal",
            };
            return format!("{name}, signal {signal}");
        }
    }
    status.code().map_or_else(|| "no exit code".into(), |c| format!("exit code {c}"))
}
