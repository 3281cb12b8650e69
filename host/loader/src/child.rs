//! Plugins in child processes: the same program started again, which opens the library and does what it is told over its
//! standard input and output, with the bulk of the data in memory that both map.
//!
//! The host copies the ROIs of a batch into a worker's region and copies the results back (about 9 µs per 400 kB), so
//! that a child never sees the camera's frames: nothing that it does can spoil a frame that another method reads or that
//! is being recorded. Everything read back is checked as if a stranger had written it. Only the child of a camera writes
//! into the slots themselves, since that is what it is for.
//!
//! The host's side is `process` (start, time limit, end), `line` (one caller) and `device` (several callers at once);
//! the child's side is `server`.

mod arena;
mod arrays;
mod device;
pub(crate) mod ending;
mod finder;
mod line;
mod pod;
mod process;
mod request;
mod server;
mod tracker;
mod wire;
mod zlut;

pub(crate) use device::{DeviceChild, RemoteCamera, RemoteStage, enumerate};
pub(crate) use finder::RemoteFinder;
pub(crate) use server::tell_host;
pub(crate) use tracker::{RemoteTracker, RemoteTrackerWorker};
pub(crate) use zlut::{RemoteStrategy, RemoteTable, RemoteZlutWorker};

use std::ffi::OsString;
use std::path::Path;

/// First argument of a process that is a helper of another.
pub(crate) const CHILD_ARGUMENT: &str = "--tetherscope-child";
/// Second argument: load a library once and write down what it says.
pub(crate) const PROBE_WORD: &str = "probe";
/// Second argument: serve a host until it has gone.
const SERVE_WORD: &str = "serve";

/// To be called first in `main`: if this process is a helper child, does its work and does not return.
pub fn run_if_child() {
    let args: Vec<OsString> = std::env::args_os().skip(1).take(4).collect();
    if args.first().is_none_or(|a| a != CHILD_ARGUMENT) {
        return;
    }
    match (args.get(1).and_then(|a| a.to_str()), &args[2..]) {
        (Some(PROBE_WORD), [library, report]) => {
            crate::group::end_with_starter();
            let done = crate::probe::write_report(Path::new(library), Path::new(report));
            std::process::exit(if done { 0 } else { 2 })
        }
        (Some(SERVE_WORD), [host]) => server::serve(host.to_str().and_then(|h| h.parse().ok())),
        _ => std::process::exit(2),
    }
}
