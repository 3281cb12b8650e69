//! Z-LUT strategies: batches, threads, errors, parameters, giving up.

use super::{Rig, blackened, build, instance, lookup, lookup_part, material, same_fixes, sweep};
use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::params::at_their_ends;
use crate::picture::MOST_ROIS;
use crate::subject::{Subject, is_refusal};
use std::time::{Duration, Instant};
use tetherscope_loader::{CancelToken, Kind, ZlutStrategy, abi};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "zlut.roi-counts",
        kind: Kind::Zlut,
        proves: "Batches of 0, 1 and the announced number of ROIs are looked up.",
        run: roi_counts,
    },
    Check {
        name: "zlut.batch-size",
        kind: Kind::Zlut,
        proves: "The same ROIs give the same bits in one batch and in many, and a second time.",
        run: batch_size,
    },
    Check {
        name: "zlut.two-workers",
        kind: Kind::Zlut,
        proves: "Two workers on two threads share a table and give the same bits as one alone.",
        run: two_workers,
    },
    Check {
        name: "zlut.after-error",
        kind: Kind::Zlut,
        proves: "A sweep that cannot be used is refused with a reason, and the instance and its workers go on as before.",
        run: after_error,
    },
    Check {
        name: "zlut.parameters",
        kind: Kind::Zlut,
        proves: "Every parameter at both ends of its range works, or is refused with a reason.",
        run: parameters,
    },
    Check {
        name: "zlut.cancel",
        kind: Kind::Zlut,
        proves: "A user who gives up is heard: the build ends as cancelled, or is over within a second anyway.",
        run: cancel,
    },
];

/// What goes for "at once".
const AT_ONCE: Duration = Duration::from_secs(1);

fn roi_counts(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let many = material(&vec![3000.0; MOST_ROIS as usize], 11, 1);
    for n in [0, 1, MOST_ROIS as usize] {
        let mut worker = rig.worker()?;
        match lookup_part(&mut worker, &rig.table, &many, 0..n) {
            Err(e) => crate::outcome::fail!("a batch of {n} ROIs fails: {}", e.message),
            Ok(fixes) => {
                let lost = fixes.iter().position(|f| f.z_nm.is_nan());
                ensure!(lost.is_none(), "of {n} equal ROIs, row {} has no z", lost.unwrap_or(0));
            }
        }
    }
    Ok(())
}

fn batch_size(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let n = rig.sweep.z_nm.len();
    let mut worker = rig.worker()?;
    let whole = lookup(&mut worker, &rig.table, &rig.sweep)?;
    for size in [1, 7] {
        let mut parts = Vec::new();
        for from in (0..n).step_by(size) {
            parts.extend(lookup_part(&mut worker, &rig.table, &rig.sweep, from..(from + size).min(n))?);
        }
        same_fixes(&whole, &parts, &format!("one batch of {n} and batches of {size}"))?;
    }
    same_fixes(&whole, &lookup(&mut worker, &rig.table, &rig.sweep)?, "a batch and the same batch again")
}

fn two_workers(subject: &Subject) -> Verdict {
    const ROUNDS: usize = 4;
    let rig = Rig::new(subject)?;
    let halves = [material(&[2800.0, 2900.0, 3000.0], 12, 1), material(&[3100.0, 3000.0, 2700.0], 13, 1)];
    let mut alone = Vec::new();
    for half in &halves {
        alone.push(rig.lookup(half)?);
    }
    let begin = std::sync::Barrier::new(2);
    let work = |i: usize| -> Verdict {
        let worker = rig.worker();
        begin.wait();
        let mut worker = worker?;
        for _ in 0..ROUNDS {
            let fixes = lookup(&mut worker, &rig.table, &halves[i])?;
            same_fixes(&alone[i], &fixes, "one worker alone and two at once")?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| work(1));
        let mine = work(0);
        let other = other.join().unwrap_or_else(|_| Err(Stop::Failed("the second thread panicked".into())));
        mine.and(other)
    })
}

fn after_error(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let mut worker = rig.worker()?;
    let before = lookup(&mut worker, &rig.table, &rig.sweep)?;
    // A sweep of one plane, one at no focus at all, and one in which nothing was tracked and nothing is to be seen.
    let one_plane = material(&[3000.0, 3000.0], 14, 1);
    let nowhere = { super::Material { z_nm: vec![f64::NAN; 3], ..material(&[3000.0, 3050.0, 3100.0], 15, 1) } };
    let mut nothing = blackened(material(&[2900.0, 3000.0, 3100.0, 3200.0], 16, 1));
    nothing.tracks.profiles.fill(f64::NAN);
    nothing.tracks.fixes.iter_mut().for_each(|f| (f.x_px, f.y_px, f.flags) = (f64::NAN, f64::NAN, abi::FLAG_NO_SIGNAL));
    for (what, bad) in [("one plane", &one_plane), ("planes at NaN", &nowhere), ("nothing in it", &nothing)] {
        if let Err(e) = build(&rig.strategy, bad) {
            ensure!(is_refusal(&e), "a sweep with {what}: {}", e.message);
        }
        same_fixes(&before, &lookup(&mut worker, &rig.table, &rig.sweep)?, "before and after a bad sweep")?;
    }
    Ok(())
}

fn parameters(subject: &Subject) -> Verdict {
    let sweep = sweep();
    at_their_ends(subject, |params| {
        let work = || {
            let strategy = ZlutStrategy::create(&subject.component, params)?;
            let table = build(&strategy, &sweep)?;
            lookup(&mut strategy.worker(&sweep.config, &sweep.layout)?, &table, &sweep)
        };
        let fixes = match work() {
            Ok(fixes) => fixes,
            Err(e) => return Ok(Err(e)),
        };
        let bad = fixes.iter().find(|f| f.z_nm.is_nan() && f.flags == 0);
        ensure!(bad.is_none(), "a row is NaN and has no flag");
        Ok(Ok(()))
    })
}

fn cancel(subject: &Subject) -> Verdict {
    let (strategy, sweep) = (instance(subject)?, sweep());
    let token = CancelToken::new();
    token.cancel();
    let begun = Instant::now();
    match token.run(|| build(&strategy, &sweep)) {
        Err(e) if e.status == abi::STATUS_CANCELLED => {}
        Err(e) => crate::outcome::fail!("a build that was given up fails otherwise: {}", e.message),
        Ok(_) => {
            let took = begun.elapsed();
            ensure!(took <= AT_ONCE, "given up at its beginning, the build goes on for {:.1} s", took.as_secs_f64());
        }
    }
    build(&strategy, &sweep)?;
    Ok(())
}
