//! What the camera's thread does: polls until it is over, stops, and opens the camera again when it was unplugged. It
//! allocates nothing, locks nothing and logs nothing while frames come; everything else happens before the first and after
//! the last poll of a session.

use super::{CameraEnd, CameraState, Reopen, Shared, check_format};
use crate::error::RunError;
use crate::ring::{GapKind, RingTarget};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tetherscope_loader::{Camera, PluginError, STATUS_CRASHED, STATUS_HUNG, abi, now_ns};

/// How a session of a camera ended.
enum Over {
    Stop,
    EndOfData,
    /// Opening it again may help.
    Gone(String),
    Failed(String),
}

/// The camera's thread.
pub(super) fn run(shared: &Arc<Shared>, mut camera: Arc<Camera>, mut target: RingTarget) {
    let end = loop {
        let over = session(shared, &camera, &target);
        let stopped = camera.stop();
        target.retire(stopped.is_ok());
        let end = match over {
            Over::Gone(cause) => match &shared.options.reopen {
                Some(reopen) if !shared.is_stopping() => {
                    shared.ring.note(GapKind::Disconnected);
                    // Closed before it is opened again: a device has one owner.
                    drop(shared.lock().camera.take());
                    drop(camera);
                    match reopen_until_stop(shared, reopen, cause) {
                        Some(again) => {
                            shared.ring.note(GapKind::Reconnected);
                            (camera, target) = again;
                            continue;
                        }
                        None => CameraEnd::Stopped,
                    }
                }
                _ => CameraEnd::Disconnected(cause),
            },
            Over::EndOfData => CameraEnd::EndOfData,
            Over::Failed(cause) => CameraEnd::Failed(cause),
            // It stopped as it was told, or did not: that is what its user has to know.
            Over::Stop => stopped.map_or_else(|e| CameraEnd::Failed(e.to_string()), |()| CameraEnd::Stopped),
        };
        break end;
    };
    if !shared.written_off.load(Ordering::SeqCst) {
        shared.ring.finish();
    }
    shared.lock().camera = None;
    shared.set_state(CameraState::Ended(end));
}

/// Polls until it is over. The live path of the camera.
fn session(shared: &Shared, camera: &Camera, target: &RingTarget) -> Over {
    loop {
        if shared.is_stopping() {
            return Over::Stop;
        }
        if target.has_ended() {
            return over(target);
        }
        shared.polling_since_ns.store(now_ns(), Ordering::Relaxed);
        let polled = camera.poll(shared.options.poll_for);
        shared.polling_since_ns.store(0, Ordering::Relaxed);
        shared.n_polls.fetch_add(1, Ordering::Relaxed);
        if let Err(e) = polled {
            // What a stop causes is no failure, and what the camera itself told says more than the call that failed.
            return match () {
                () if shared.is_stopping() => Over::Stop,
                () if target.has_ended() => over(target),
                () => over_by_error(&e),
            };
        }
    }
}

fn over(target: &RingTarget) -> Over {
    match target.end() {
        Some((abi::ENDED_END_OF_DATA, _)) => Over::EndOfData,
        Some((abi::ENDED_DISCONNECTED, text)) if text.is_empty() => Over::Gone("the device is gone".into()),
        Some((abi::ENDED_DISCONNECTED, text)) => Over::Gone(text),
        Some((_, text)) => Over::Failed(text),
        None => Over::Failed("the camera ended without a word".into()),
    }
}

fn over_by_error(e: &PluginError) -> Over {
    if [abi::STATUS_DISCONNECTED, STATUS_CRASHED, STATUS_HUNG].contains(&e.status) {
        Over::Gone(e.to_string())
    } else {
        Over::Failed(e.to_string())
    }
}

/// Opens and starts the camera again; None when it was told to stop.
fn reopen_until_stop(shared: &Shared, reopen: &Reopen, mut cause: String) -> Option<(Arc<Camera>, RingTarget)> {
    let mut attempts = 0;
    loop {
        shared.set_state(CameraState::Reopening { attempts, cause });
        if shared.wait_until(Instant::now().checked_add(reopen.every), |_| shared.is_stopping()) {
            return None;
        }
        attempts += 1;
        match open_again(shared, reopen) {
            Ok(again) => {
                shared.set_state(CameraState::Running);
                return Some(again);
            }
            Err(e) => cause = e.to_string(),
        }
    }
}

fn open_again(shared: &Shared, reopen: &Reopen) -> Result<(Arc<Camera>, RingTarget), RunError> {
    let camera = Arc::new(Camera::open(&reopen.component, &reopen.device, &reopen.params)?);
    let settings = shared.lock().settings.clone();
    if !settings.is_empty() {
        camera.set(settings.iter().map(|(k, v)| (k.as_str(), v.as_str())))?;
    }
    check_format(&camera, &shared.ring)?;
    let target = RingTarget::new(&shared.ring);
    if let Err(e) = camera.start(Box::new(target.clone())) {
        target.retire(false);
        return Err(e.into());
    }
    let mut inner = shared.lock();
    (inner.camera, inner.target) = (Some(camera.clone()), Some(target.clone()));
    Ok((camera, target))
}
