//! Z-LUT strategies: z of beads whose height is known, and of what is no bead of the sweep.

use super::{FIRST_NM, LAST_NM, Rig, STEP_NM, Z_NM, blackened, build, finds_z, lookup, material, planes, same_fixes};
use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::picture::{Picture, Placement, Roi, SIDE_PX, noise, not_offered};
use crate::raw;
use crate::rows::well_written;
use crate::subject::{Random, Subject};
use tetherscope_loader::{Fix, Kind, abi};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "zlut.same-z",
        kind: Kind::Zlut,
        proves: "The frames of the sweep, looked up in the table made from them, give the z at which they were recorded.",
        run: same_z,
    },
    Check {
        name: "zlut.other-sweep",
        kind: Kind::Zlut,
        proves: "Frames of another sweep, at heights between the planes, give their z within half a plane.",
        run: other_sweep,
    },
    Check {
        name: "zlut.outside",
        kind: Kind::Zlut,
        proves: "A bead just beyond the ends of the sweep is flagged, or its z is right; never a wrong number without a flag.",
        run: outside,
    },
    Check {
        name: "zlut.noise",
        kind: Kind::Zlut,
        proves: "Noise instead of a bead gives a z inside the sweep, or NaN and a flag.",
        run: noise_only,
    },
    Check {
        name: "zlut.lost-rows",
        kind: Kind::Zlut,
        proves: "A bead that the tracker lost gets no z, and keeps its flags.",
        run: lost_rows,
    },
    Check {
        name: "zlut.flagged",
        kind: Kind::Zlut,
        proves: "What the strategy itself writes is finite, or NaN and a flag: z, standard errors, quality, known flags.",
        run: flagged,
    },
    Check {
        name: "zlut.guards",
        kind: Kind::Zlut,
        proves: "Nothing is written outside the rows of a batch: guard bytes before and after them stay, profiles and weights too.",
        run: guards,
    },
    Check {
        name: "zlut.length-mismatch",
        kind: Kind::Zlut,
        proves: "A table of profiles of another length is an error or flagged rows, unless z is right without them.",
        run: length_mismatch,
    },
    Check {
        name: "zlut.needs-pixels",
        kind: Kind::Zlut,
        proves: "The strategy says truly whether it needs pixels.",
        run: needs_pixels,
    },
    Check {
        name: "zlut.refines-xy",
        kind: Kind::Zlut,
        proves: "A strategy that says that it refines x and y brings positions that are off nearer to the bead.",
        run: refines_xy,
    },
];

fn same_z(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    finds_z(&rig.lookup(&rig.sweep)?, &rig.sweep, "a frame of the sweep")
}

fn other_sweep(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let between: Vec<f64> = planes().iter().map(|z| z + STEP_NM * 0.37).collect();
    let other = material(&between[..between.len() - 1], 2, 1);
    finds_z(&rig.lookup(&other)?, &other, "a frame of another sweep")
}

fn outside(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let beyond = |k: f64| [FIRST_NM - k * STEP_NM, LAST_NM + k * STEP_NM];
    // Not farther: rings come again with defocus, and two planes far apart may look alike.
    let z_nm: Vec<f64> = [1.0, 1.3, 1.6].into_iter().flat_map(beyond).collect();
    let out = material(&z_nm, 3, 1);
    for (fix, z) in rig.lookup(&out)?.iter().zip(&z_nm) {
        let right = (fix.z_nm - z).abs() <= Z_NM;
        ensure!(
            right || fix.flags != 0,
            "a bead at {z:.0} nm, where the sweep goes from {FIRST_NM:.0} to {LAST_NM:.0} nm, is found at {:.1} nm without a flag",
            fix.z_nm
        );
    }
    Ok(())
}

/// Rows with pixels and profiles of noise.
fn noisy(n: usize) -> super::Material {
    let mut noisy = material(&vec![3000.0; n], 4, 1);
    let rois: Vec<Roi> = (0..n).map(|i| noise(SIDE_PX, 8, 50 + i as u64)).collect();
    noisy.picture = Picture::new(&rois, Placement::packed(8));
    let mut random = Random::new(3);
    noisy.tracks.profiles.iter_mut().for_each(|v| *v = 100.0 + random.unit());
    noisy
}

fn noise_only(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    for fix in rig.lookup(&noisy(12))? {
        let inside = fix.z_nm >= FIRST_NM - STEP_NM && fix.z_nm <= LAST_NM + STEP_NM;
        ensure!(inside || (fix.z_nm.is_nan() && fix.flags != 0), "noise has z {} nm, flags {:#x}", fix.z_nm, fix.flags);
    }
    Ok(())
}

fn lost_rows(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let mut some = material(&[3000.0, 3050.0, 3100.0, 3150.0], 5, 1);
    let n_bins = some.tracks.n_bins;
    for lost in [1, 3] {
        some.tracks.fixes[lost] = Fix { flags: abi::FLAG_NO_SIGNAL, ..Fix::EMPTY };
        // One with a profile that was left behind, one without.
        if lost == 3 {
            some.tracks.profiles[lost * n_bins..(lost + 1) * n_bins].fill(f64::NAN);
        }
    }
    let fixes = rig.lookup(&some)?;
    for lost in [1, 3] {
        let fix = fixes[lost];
        ensure!(fix.z_nm.is_nan(), "a bead that was not tracked has z {} nm", fix.z_nm);
        ensure!(fix.flags & abi::FLAG_NO_SIGNAL != 0, "the tracker's flag is gone, flags {:#x}", fix.flags);
    }
    for found in [0, 2] {
        ensure!(fixes[found].z_nm.is_finite(), "a bead beside one that was not tracked has no z");
    }
    Ok(())
}

fn flagged(subject: &Subject) -> Verdict {
    let far = material(&[FIRST_NM - 600.0, LAST_NM + 600.0], 6, 1);
    let (sweep, noisy) = (super::sweep(), noisy(6));
    let all = [&sweep, &noisy, &far];
    for (of, seen) in all.iter().zip(raw::lookup(subject, &sweep, &all)?) {
        for (fix, z) in seen.fixes.iter().zip(&of.z_nm) {
            let what = format!("the row of a bead at {z:.0} nm");
            let Fix { x_px, y_px, z_nm, flags, .. } = *fix;
            let finite = [x_px, y_px, z_nm].iter().all(|v| v.is_finite());
            ensure!(finite || flags != 0, "{what} is ({x_px}, {y_px}), z {z_nm}, and has no flag");
            ensure!(!x_px.is_infinite() && !y_px.is_infinite(), "{what} is ({x_px}, {y_px})");
            well_written(fix, &what)?;
        }
    }
    Ok(())
}

fn guards(subject: &Subject) -> Verdict {
    let (sweep, of) = (super::sweep(), material(&planes()[6..19], 17, 1));
    for seen in raw::lookup(subject, &sweep, &[&of])? {
        ensure!(seen.overwritten.is_empty(), "it writes outside its memory: {}", seen.overwritten.join(", "));
    }
    Ok(())
}

fn length_mismatch(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let other = material(&[2900.0, 3000.0, 3100.0], 7, 2);
    let worker = rig.strategy.worker(&other.config, &other.layout);
    let Ok(mut worker) = worker else { return Ok(()) };
    match lookup(&mut worker, &rig.table, &other) {
        Err(e) => {
            ensure!(e.status != abi::STATUS_PANICKED, "it panics instead of refusing: {}", e.message);
            Ok(())
        }
        Ok(fixes) => {
            for (fix, z) in fixes.iter().zip(&other.z_nm) {
                let (bins, other_bins) = (rig.sweep.layout.n_bins, other.layout.n_bins);
                ensure!(
                    fix.flags != 0 || (fix.z_nm - z).abs() <= Z_NM,
                    "with profiles of {other_bins} bins and a table of {bins}, a bead at {z:.0} nm is found at {:.1} nm without a flag",
                    fix.z_nm
                );
            }
            Ok(())
        }
    }
}

fn needs_pixels(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let inner = || material(&[2700.0, 2900.0, 3050.0, 3300.0, 3600.0], 8, 1);
    let seen = rig.lookup(&inner())?;
    if subject.can("needs_pixels") {
        let black = rig.lookup(&blackened(inner()));
        let unmoved = black.is_ok_and(|black| same_fixes(&seen, &black, "").is_ok());
        ensure!(!unmoved, "it says that it needs pixels, and black pictures give the same results");
        return Ok(());
    }
    let black = build(&rig.strategy, &blackened(super::sweep())).map_err(|e| {
        Stop::Failed(format!("it says that it needs no pixels, and cannot build without: {}", e.message))
    })?;
    let fixes = lookup(&mut rig.worker()?, &black, &inner())?;
    same_fixes(&seen, &fixes, "it says that it needs no pixels; a sweep with and without pictures")
}

fn refines_xy(subject: &Subject) -> Verdict {
    if !subject.can("refines_xy") {
        return Err(not_offered("refined x and y"));
    }
    let rig = Rig::new(subject)?;
    let mut off = material(&[2700.0, 2900.0, 3050.0, 3300.0, 3600.0], 9, 1);
    let truth = off.tracks.fixes.clone();
    for fix in &mut off.tracks.fixes {
        (fix.x_px, fix.y_px) = (fix.x_px + 0.8, fix.y_px - 0.6);
    }
    let fixes = rig.lookup(&off)?;
    let error = |a: &Fix, b: &Fix| (a.x_px - b.x_px).hypot(a.y_px - b.y_px);
    let mean: f64 = fixes.iter().zip(&truth).map(|(a, b)| error(a, b)).sum::<f64>() / fixes.len() as f64;
    ensure!(mean < 0.9, "positions that are 1 px off are {mean:.2} px off afterwards");
    Ok(())
}
