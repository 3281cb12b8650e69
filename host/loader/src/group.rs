//! A process with everything that it starts, as one thing that can be ended: what a plugin starts ends with the process that
//! the plugin ran in. On Unix that is a process group (who leaves it is not found); elsewhere only the process itself.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How often it is looked whether the process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A child process and what it started. All of it is ended when this is dropped.
#[derive(Debug)]
pub struct ProcessGroup {
    child: Child,
    status: Option<ExitStatus>,
}

/// Lets the process that is started lead a group of its own.
pub(crate) fn lead(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// Ends all that are in the group of this leader, which must not have been waited for yet: then its number is still its own.
pub(crate) fn end_all(leader: u32) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        if let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
            // An error means that nobody is left in the group.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    #[cfg(not(unix))]
    let _ = leader;
}

/// From now on this process ends when the thread that started it ends. Linux only; elsewhere it does nothing.
pub fn end_with_starter() {
    #[cfg(target_os = "linux")]
    {
        // Failing leaves things as they were.
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    }
}

impl ProcessGroup {
    /// Starts a process in a group of its own.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        lead(command);
        Ok(Self { child: command.spawn()?, status: None })
    }

    /// The process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Waits until the process has ended, and ends what it left behind; None if it was itself ended, after its limit or
    /// because `given_up` said so.
    pub fn wait(&mut self, limit: Duration, given_up: impl Fn() -> bool) -> io::Result<Option<ExitStatus>> {
        let begun = Instant::now();
        loop {
            if self.has_ended()? {
                return self.end().map(Some);
            }
            if begun.elapsed() > limit || given_up() {
                self.end()?;
                return Ok(None);
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// True if it has ended; on Unix it is not waited for by that.
    fn has_ended(&mut self) -> io::Result<bool> {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
            let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return Ok(true) };
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            Ok(waitid(WaitId::Pid(id), look)?.is_some())
        }
        #[cfg(not(unix))]
        Ok(self.child.try_wait()?.is_some())
    }

    /// Ends whatever is left, and waits for the process.
    fn end(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        end_all(self.child.id());
        // An error means that it has ended already.
        let _ = self.child.kill();
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = self.end();
    }
}
