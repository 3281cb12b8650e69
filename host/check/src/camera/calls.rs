//! Cameras: the order of calls, stopping, settings.

use super::{POLL, Running, open, slots_for};
use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::raw::RawCamera;
use crate::settings::{each_change, read_back, revision_rises};
use crate::subject::Subject;
use std::time::Duration;
use tetherscope_loader::{Camera, Kind, ParamType, SettingsInfo, Value, abi};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "camera.unknown-device",
        kind: Kind::Camera,
        proves: "A device that does not exist is refused with a reason.",
        run: unknown_device,
    },
    Check {
        name: "camera.order-of-calls",
        kind: Kind::Camera,
        proves: "Calls out of order are errors or harmless: poll and stop before start, a second start, stop twice, start again.",
        run: order_of_calls,
    },
    Check {
        name: "camera.quiet-after-stop",
        kind: Kind::Camera,
        proves: "After stop nothing is delivered or told any more, even if poll is called.",
        run: quiet_after_stop,
    },
    Check {
        name: "camera.stop-in-stall",
        kind: Kind::Camera,
        proves: "Stop ends a poll that waits for a slot, and returns, within five seconds.",
        run: stop_in_stall,
    },
    Check {
        name: "camera.restart",
        kind: Kind::Camera,
        proves: "The camera can be started and stopped 100 times.",
        run: restart,
    },
    Check {
        name: "camera.settings",
        kind: Kind::Camera,
        proves: "A setting that is changed reads back as it was set, and lies in its range.",
        run: settings,
    },
    Check {
        name: "camera.revision",
        kind: Kind::Camera,
        proves: "The revision of the settings rises with every change.",
        run: revision,
    },
    Check {
        name: "camera.out-of-range",
        kind: Kind::Camera,
        proves: "The camera itself refuses a value outside the range that it announces.",
        run: out_of_range,
    },
];

/// How long a stop may take.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

fn unknown_device(subject: &Subject) -> Verdict {
    drop(open(subject)?);
    let name = "no-such-device-2718281828";
    match Camera::open(&subject.component, name, &subject.params()?) {
        Ok(_) => Err(Stop::Failed(format!("the device `{name}` is opened, which does not exist"))),
        Err(e) => {
            ensure!(e.status != abi::STATUS_PANICKED, "a device that does not exist makes it panic: {}", e.message);
            Ok(())
        }
    }
}

/// A camera that can be opened, without the loader.
fn raw(subject: &Subject) -> Result<(RawCamera, tetherscope_loader::CameraFormat), Stop> {
    let camera = open(subject)?;
    let format = camera.format()?;
    drop(camera);
    Ok((RawCamera::open(subject)?, format))
}

fn fine((status, said): (abi::Status, String), what: &str) -> Verdict {
    ensure!(status == abi::STATUS_OK, "{what} fails with status {status}: {said}");
    Ok(())
}

fn order_of_calls(subject: &Subject) -> Verdict {
    let (camera, format) = raw(subject)?;
    let slots = slots_for(&format, true);
    let (status, said) = camera.poll(Duration::from_millis(1))?;
    ensure!(status != abi::STATUS_PANICKED, "poll before start panics: {said}");
    fine(camera.stop()?, "stop before start")?;
    fine(camera.start(&slots, format.n_channel_values)?, "start")?;
    let (status, _) = camera.start(&slots, format.n_channel_values)?;
    ensure!(status != abi::STATUS_OK, "a camera that runs is started a second time, and says that this is fine");
    let (status, said) = camera.poll(POLL)?;
    let ordinary = [abi::STATUS_OK, abi::STATUS_TIMED_OUT];
    ensure!(ordinary.contains(&status), "after a refused second start poll fails with status {status}: {said}");
    fine(camera.stop()?, "stop")?;
    fine(camera.stop()?, "a second stop")?;
    camera.settings()?;
    fine(camera.start(&slots, format.n_channel_values)?, "a start after a stop")?;
    fine(camera.stop()?, "the last stop")?;
    camera.close()
}

fn quiet_after_stop(subject: &Subject) -> Verdict {
    let (camera, format) = raw(subject)?;
    let slots = slots_for(&format, true);
    fine(camera.start(&slots, format.n_channel_values)?, "start")?;
    for _ in 0..40 {
        camera.poll(POLL)?;
        if slots.events().frames.len() >= 2 {
            break;
        }
    }
    fine(camera.stop()?, "stop")?;
    let calls = slots.events().calls;
    for _ in 0..4 {
        let (status, said) = camera.poll(Duration::from_millis(20))?;
        ensure!(status != abi::STATUS_PANICKED, "poll after stop panics: {said}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let late = slots.events().calls - calls;
    camera.close()?;
    ensure!(late == 0, "the host's sink is used {late} times after stop has returned");
    Ok(())
}

fn stop_in_stall(subject: &Subject) -> Verdict {
    let running = Running::start(subject, true)?;
    running.run(1)?;
    running.slots.hold(true);
    let (done, waits) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| running.camera.poll(Duration::from_secs(30)));
        std::thread::sleep(Duration::from_millis(100));
        let stopper = scope.spawn(|| {
            let stopped = running.camera.stop();
            let _ = done.send(());
            stopped
        });
        let in_time = waits.recv_timeout(STOPS_WITHIN).is_ok();
        // Lets a camera that waits for a slot go on, so that the threads end.
        running.slots.hold(false);
        let stopped = stopper.join().unwrap_or(Ok(()));
        if in_time { stopped.map_err(Stop::from) } else { Err(Stop::Failed(late())) }
    })
}

fn late() -> String {
    format!("while poll waits for a slot, stop does not return within {} s", STOPS_WITHIN.as_secs())
}

fn restart(subject: &Subject) -> Verdict {
    let camera = open(subject)?;
    for k in 1..=100 {
        let format = camera.format()?;
        let slots = slots_for(&format, true);
        let running = || -> Result<(), tetherscope_loader::PluginError> {
            camera.start(Box::new(crate::slots::Handle(slots.clone())))?;
            if k % 20 == 0 {
                camera.poll(POLL)?;
            }
            camera.stop()
        };
        if let Err(e) = running() {
            crate::outcome::fail!("the {k}th time {} fails: {}", e.function, e.message);
        }
    }
    Ok(())
}

fn changes(subject: &Subject, look: impl FnMut(&crate::settings::Change<'_>) -> Verdict) -> Verdict {
    let camera = open(subject)?;
    each_change(|| camera.settings(), |key, text| camera.set([(key, text)]), look)
}

fn settings(subject: &Subject) -> Verdict {
    changes(subject, read_back)
}

fn revision(subject: &Subject) -> Verdict {
    changes(subject, revision_rises)
}

fn out_of_range(subject: &Subject) -> Verdict {
    let camera = open(subject)?;
    let announced: SettingsInfo = camera.settings()?;
    drop(camera);
    let camera = RawCamera::open(subject)?;
    let mut tried = 0;
    for s in announced.settings.iter().filter(|s| s.writable) {
        let (Some(max), p) = (s.parameter.max.filter(|m| m.is_finite()), &s.parameter) else { continue };
        let beyond = match p.kind {
            ParamType::Int => Value::Int((max as i64).saturating_add(1 + (max as i64) / 2)),
            ParamType::Float => Value::Float(max + 1.0 + max.abs()),
            _ => continue,
        };
        tried += 1;
        let before = camera.settings()?;
        let (status, _) = camera.set(&p.key, &beyond)?;
        let after = camera.settings()?;
        ensure!(status != abi::STATUS_OK, "`{}` takes {beyond:?}, its range ends at {max}", p.key);
        let value = |json: &str| -> Option<serde_json::Value> {
            let all: serde_json::Value = serde_json::from_str(json).ok()?;
            all["settings"].as_array()?.iter().find(|s| s["key"] == p.key.as_str()).map(|s| s["value"].clone())
        };
        ensure!(value(&before) == value(&after), "`{}` refuses {beyond:?}, and changes all the same", p.key);
    }
    camera.close()?;
    if tried == 0 {
        return Err(Stop::Skipped("it has no writable setting with a range".into()));
    }
    Ok(())
}
