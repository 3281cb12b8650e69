//! The end that is asked for from outside: Ctrl-C, SIGTERM, a closed terminal. Nobody is asked then: the engine stops stages
//! and camera and finishes the recording, the window closes, and if it does not, because its screen answers no more, the
//! program ends without it.

use std::time::Duration;
use tetherscope_core::control::{Client, Command, EngineCommand, RefusalKind};
use tetherscope_core::loader::CancelToken;

/// How often it is looked whether somebody asked.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A recording is finished within this time.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the window may take to close after that.
const GRACE: Duration = Duration::from_secs(3);

/// Ends the engine as soon as it is asked for, on a thread beside the window, and the process where the window does not.
pub(crate) fn watch(asked: CancelToken, engine: Client) {
    let started = std::thread::Builder::new().name("ending".into()).spawn(move || {
        while !asked.is_cancelled() {
            std::thread::sleep(LOOK_EVERY);
        }
        tracing::info!("asked to end: the recording is finished");
        let has_ended = end(&engine);
        // The main thread ends the process meanwhile, if the window closes.
        std::thread::sleep(GRACE);
        if has_ended {
            tracing::warn!("the window did not close within {} s of the end: left to itself", GRACE.as_secs());
            std::process::exit(0);
        }
        eprintln!(
            "error: the end took too long\n  the engine did not end within {} s\n  what was recorded is mended by \
             `tetherscope recover`",
            PATIENCE.as_secs()
        );
        std::process::exit(2);
    });
    if let Err(e) = started {
        tracing::error!("nobody listens to Ctrl-C: {e}");
    }
}

/// Ends the engine, whether or not the window does so too; true once everything is on the disk.
fn end(engine: &Client) -> bool {
    // It is answered before the end, and refused where it has begun.
    let _ = engine.ask(Command::Engine(EngineCommand::Shutdown), PATIENCE);
    // What is asked after that is answered, with a refusal, when all is done.
    let last = engine.ask(Command::Engine(EngineCommand::Ping), PATIENCE);
    last.is_err_and(|why| why.kind == RefusalKind::Cancelled)
}
