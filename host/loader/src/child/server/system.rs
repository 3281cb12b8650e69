//! What the operating system does for a child: its pipes are out of a plugin's way, and it ends with its host.

use std::fs::File;
use std::io::BufReader;

/// Puts the pipes to the host where a plugin's reading and printing cannot disturb them, and sees to it that this process
/// ends with its host. None if the host has gone already.
#[cfg(unix)]
pub(super) fn take_over(host: Option<u32>) -> Option<(BufReader<File>, File)> {
    use std::os::fd::AsFd;
    let input = File::from(std::io::stdin().as_fd().try_clone_to_owned().ok()?);
    let output = File::from(std::io::stdout().as_fd().try_clone_to_owned().ok()?);
    rustix::stdio::dup2_stdin(File::open("/dev/null").ok()?).ok()?;
    rustix::stdio::dup2_stdout(std::io::stderr()).ok()?;
    end_with_host(host)?;
    let watched = input.try_clone().ok()?;
    std::thread::Builder::new().name("host-watch".into()).spawn(move || watch(&watched)).ok()?;
    Some((BufReader::with_capacity(1 << 16, input), output))
}

/// Waits until the host's end of the pipe is closed, also while a plugin loops.
#[cfg(unix)]
fn watch(input: &File) {
    use rustix::event::{PollFd, PollFlags, poll};
    // Without an event to wait for, only the end of the pipe is told.
    let mut pipe = [PollFd::new(input, PollFlags::empty())];
    while matches!(poll(&mut pipe, None), Ok(0) | Err(rustix::io::Errno::INTR)) {}
    leave()
}

#[cfg(target_os = "linux")]
fn end_with_host(host: Option<u32>) -> Option<()> {
    use rustix::process::{Signal, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL)).ok()?;
    // It may have gone before that.
    (host == Some(std::os::unix::process::parent_id())).then_some(())
}

#[cfg(all(unix, not(target_os = "linux")))]
fn end_with_host(host: Option<u32>) -> Option<()> {
    (host == Some(std::os::unix::process::parent_id())).then_some(())
}

/// Ends this process and what it started, without any of the plugin's own endings.
#[cfg(unix)]
pub(super) fn leave() -> ! {
    use rustix::process::{Signal, getpgrp, getpid, kill_current_process_group};
    if getpgrp() == getpid() {
        // An error leaves the abort below.
        let _ = kill_current_process_group(Signal::KILL);
    }
    std::process::abort()
}

#[cfg(not(unix))]
pub(super) fn take_over(_host: Option<u32>) -> Option<(BufReader<File>, File)> {
    use std::os::windows::io::AsHandle;
    let input = File::from(std::io::stdin().as_handle().try_clone_to_owned().ok()?);
    let output = File::from(std::io::stdout().as_handle().try_clone_to_owned().ok()?);
    Some((BufReader::with_capacity(1 << 16, input), output))
}

#[cfg(not(unix))]
pub(super) fn leave() -> ! {
    std::process::abort()
}
