//! The checks of stages: limits, arrival, stopping on the way, readings. They move the first axis by at most a quarter of
//! its range, and put it back where it was.

use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::raw::RawStage;
use crate::settings::{each_change, read_back, revision_rises};
use crate::subject::Subject;
use std::time::{Duration, Instant};
use tetherscope_loader::{Axis, Kind, Stage, abi};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "stage.axes",
        kind: Kind::Stage,
        proves: "Every axis has a known role, a unit, limits in order and a speed, and stands inside its limits.",
        run: axes,
    },
    Check {
        name: "stage.limits",
        kind: Kind::Stage,
        proves: "The stage itself refuses a position beyond its limits, or none at all, and does not move.",
        run: limits,
    },
    Check {
        name: "stage.unknown-axis",
        kind: Kind::Stage,
        proves: "An axis that does not exist is refused.",
        run: unknown_axis,
    },
    Check { name: "stage.arrival", kind: Kind::Stage, proves: "A move ends, and ends where it should.", run: arrival },
    Check {
        name: "stage.stop-on-the-way",
        kind: Kind::Stage,
        proves: "Stop ends a move on its way, and the stage stays where it stopped.",
        run: stop_on_the_way,
    },
    Check {
        name: "stage.readings",
        kind: Kind::Stage,
        proves: "On the way the stage says that it moves, and its readings lead from start to end.",
        run: readings,
    },
    Check {
        name: "stage.reopen",
        kind: Kind::Stage,
        proves: "Closed and opened again, the stage stands where it stood, and nothing moves by opening.",
        run: reopen,
    },
    Check {
        name: "stage.settings",
        kind: Kind::Stage,
        proves: "A setting that is changed reads back as it was set, and lies in its range.",
        run: settings,
    },
    Check {
        name: "stage.revision",
        kind: Kind::Stage,
        proves: "The revision of the settings rises with every change.",
        run: revision,
    },
];

const ROLES: [&str; 5] = ["focus", "magnet_height", "magnet_rotation", "x", "y"];
/// How long a move may take, besides what its speed says.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Of the range: a short move, and a long one.
const SHORT: f64 = 0.01;
const LONG: f64 = 0.25;
/// How far from its target a move may end, as a part of the move.
const MISS: f64 = 0.05;

fn open(subject: &Subject) -> Result<Stage, Stop> {
    Stage::open(&subject.component, "", &subject.params()?).map_err(|e| {
        let none = Stage::enumerate(&subject.component).is_ok_and(|devices| devices.is_empty());
        let said = e.message.replace('\n', "; ");
        if none {
            Stop::Skipped(format!("there is no device ({said}); connect one, or name it with --param"))
        } else {
            Stop::Failed(format!("it cannot be opened: {said}"))
        }
    })
}

/// A stage, its first axis, and where that stands.
fn begin(subject: &Subject) -> Result<(Stage, Axis, f64), Stop> {
    let stage = open(subject)?;
    let Some(axis) = stage.axes().first().cloned() else {
        return Err(Stop::Failed("it has no axis".into()));
    };
    let at = stage.position(0)?;
    Ok((stage, axis, at))
}

/// A place this part of the range away, to the side where there is more room.
fn away(axis: &Axis, from: f64, part: f64) -> f64 {
    let by = (axis.max - axis.min) * part;
    if axis.max - from >= from - axis.min { (from + by).min(axis.max) } else { (from - by).max(axis.min) }
}

/// Waits until the first axis stands.
fn settle(stage: &Stage) -> Verdict {
    let begun = Instant::now();
    while stage.moving(0)? {
        ensure!(begun.elapsed() < PATIENCE, "it still says that it moves after {} s", PATIENCE.as_secs());
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// Puts the axis back where it was.
fn put_back(stage: &Stage, at: f64) -> Verdict {
    stage.move_to(0, at)?;
    settle(stage)
}

fn axes(subject: &Subject) -> Verdict {
    let (stage, _, _) = begin(subject)?;
    for (i, a) in stage.axes().iter().enumerate() {
        ensure!(ROLES.contains(&a.role.as_str()), "axis {i} has the role `{}`; known are {}", a.role, ROLES.join(", "));
        ensure!(!a.unit.is_empty(), "axis {i} has no unit");
        ensure!(a.min < a.max, "axis {i} goes from {} to {}", a.min, a.max);
        ensure!(a.max_speed_per_s > 0.0, "axis {i} has a speed of {}", a.max_speed_per_s);
        let at = stage.position(i as u32)?;
        let slack = (a.max - a.min) * 1e-3;
        ensure!(at >= a.min - slack && at <= a.max + slack, "axis {i} stands at {at}, outside {} to {}", a.min, a.max);
    }
    Ok(())
}

/// A stage that can be opened, without the loader, and its axes.
fn raw(subject: &Subject) -> Result<(RawStage, Vec<Axis>), Stop> {
    let stage = open(subject)?;
    let axes = stage.axes().to_vec();
    drop(stage);
    Ok((RawStage::open(subject)?, axes))
}

fn limits(subject: &Subject) -> Verdict {
    let (stage, axes) = raw(subject)?;
    let axis = &axes[0];
    let (_, before) = stage.position(0)?;
    let range = axis.max - axis.min;
    for beyond in [axis.max + range * 0.001, axis.min - range * 0.001, axis.max + range, f64::NAN, f64::INFINITY] {
        let (status, _) = stage.move_to(0, beyond)?;
        let (_, moving) = stage.moving(0)?;
        ensure!(status != abi::STATUS_OK, "a move to {beyond} is taken, the limits are {} and {}", axis.min, axis.max);
        ensure!(status != abi::STATUS_PANICKED, "a move to {beyond} makes it panic");
        ensure!(!moving, "a move to {beyond} is refused, and it moves");
    }
    let (_, after) = stage.position(0)?;
    stage.close()?;
    ensure!((after - before).abs() <= range * 1e-4, "it stood at {before}, and after refused moves at {after}");
    Ok(())
}

fn unknown_axis(subject: &Subject) -> Verdict {
    let (stage, axes) = raw(subject)?;
    let axis = axes.len() as u32;
    let (moved, _) = stage.move_to(axis, 0.0)?;
    let (read, at) = stage.position(axis)?;
    stage.close()?;
    ensure!(moved != abi::STATUS_OK, "axis {axis} does not exist, and moves");
    ensure!(read != abi::STATUS_OK, "axis {axis} does not exist, and stands at {at}");
    Ok(())
}

fn arrival(subject: &Subject) -> Verdict {
    let (stage, axis, at) = begin(subject)?;
    for part in [SHORT, 2.0 * SHORT] {
        let to = away(&axis, at, part);
        put_back(&stage, to)?;
        let is = stage.position(0)?;
        let allowed = (to - at).abs() * MISS;
        ensure!((is - to).abs() <= allowed, "sent to {to}, it stands at {is} {}", axis.unit);
    }
    put_back(&stage, at)
}

fn stop_on_the_way(subject: &Subject) -> Verdict {
    let (stage, axis, at) = begin(subject)?;
    let to = away(&axis, at, LONG);
    stage.move_to(0, to)?;
    let begun = Instant::now();
    while (stage.position(0)? - at).abs() < (to - at).abs() * 0.02 && begun.elapsed() < PATIENCE && stage.moving(0)? {
        std::thread::sleep(LOOK_EVERY);
    }
    let on_the_way = stage.moving(0)?;
    stage.stop()?;
    settle(&stage)?;
    let stopped = stage.position(0)?;
    std::thread::sleep(Duration::from_millis(100));
    let later = stage.position(0)?;
    put_back(&stage, at)?;
    let (way, moved) = ((to - at).abs(), (stopped - at).abs());
    if !on_the_way {
        return Err(Stop::Skipped("it arrives before it can be stopped".into()));
    }
    ensure!(moved < way * (1.0 - MISS), "stopped on the way from {at} to {to}, it stands at {stopped}");
    ensure!((later - stopped).abs() <= way * 0.01, "stopped at {stopped}, it stands at {later} a little later");
    Ok(())
}

fn readings(subject: &Subject) -> Verdict {
    let (stage, axis, at) = begin(subject)?;
    let to = away(&axis, at, LONG);
    stage.move_to(0, to)?;
    let (begun, mut seen) = (Instant::now(), Vec::new());
    while stage.moving(0)? {
        ensure!(begun.elapsed() < PATIENCE, "it still says that it moves after {} s", PATIENCE.as_secs());
        seen.push(stage.position(0)?);
        std::thread::sleep(LOOK_EVERY);
    }
    put_back(&stage, at)?;
    // A part of the way; a reading may lie a little off.
    let way = |p: f64| (p - at) / (to - at);
    ensure!(!seen.is_empty(), "sent from {at} to {to}, it never says that it moves");
    let outside = seen.iter().find(|p| !(-0.02..=1.02).contains(&way(**p)));
    ensure!(outside.is_none(), "between {at} and {to} it reads {}", outside.unwrap_or(&0.0));
    let back = seen.windows(2).find(|p| way(p[1]) < way(p[0]) - 0.02);
    ensure!(back.is_none(), "on the way from {at} to {to} it reads {:?} one after the other", back.unwrap_or(&[]));
    let between = seen.iter().any(|p| (0.05..=0.95).contains(&way(*p)));
    ensure!(between || seen.len() < 20, "of {} readings from {at} to {to} none lies between", seen.len());
    Ok(())
}

fn reopen(subject: &Subject) -> Verdict {
    let (stage, axis, at) = begin(subject)?;
    let to = away(&axis, at, SHORT);
    put_back(&stage, to)?;
    let before = stage.position(0)?;
    drop(stage);
    let stage = open(subject)?;
    let moves = stage.moving(0)?;
    let after = stage.position(0)?;
    put_back(&stage, at)?;
    ensure!(!moves, "it moves by being opened");
    let allowed = (to - at).abs() * MISS;
    ensure!((after - before).abs() <= allowed, "closed at {before}, it stands at {after} after it is opened again");
    Ok(())
}

fn changes(subject: &Subject, look: impl FnMut(&crate::settings::Change<'_>) -> Verdict) -> Verdict {
    let stage = open(subject)?;
    each_change(|| stage.settings(), |key, text| stage.set([(key, text)]), look)
}

fn settings(subject: &Subject) -> Verdict {
    changes(subject, read_back)
}

fn revision(subject: &Subject) -> Verdict {
    changes(subject, revision_rises)
}
