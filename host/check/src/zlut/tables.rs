//! Z-LUT strategies: tables saved, loaded, cut and altered.

use super::{Rig, STEP_NM, Z_NM, lookup, material, same_fixes};
use crate::checks::Check;
use crate::outcome::{Stop, Verdict, ensure};
use crate::picture::not_offered;
use crate::subject::{Random, Subject};
use std::sync::Arc;
use tetherscope_loader::{Kind, PluginError, SavedTable, Table, abi};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "zlut.planes",
        kind: Kind::Zlut,
        proves: "The planes of a saved table rise in focus, inside the sweep; equal focus values are one plane.",
        run: planes,
    },
    Check {
        name: "zlut.save-load",
        kind: Kind::Zlut,
        proves: "A table that is saved and loaded saves the same parts again and gives the same bits.",
        run: save_load,
    },
    Check {
        name: "zlut.missing-bytes",
        kind: Kind::Zlut,
        proves: "A table without the bytes that the strategy wrote is refused, or gives the same bits without them.",
        run: missing_bytes,
    },
    Check {
        name: "zlut.cut-bytes",
        kind: Kind::Zlut,
        proves: "Bytes of the strategy that are cut short are refused, wherever they are cut.",
        run: cut_bytes,
    },
    Check {
        name: "zlut.altered-bytes",
        kind: Kind::Zlut,
        proves: "Altered bytes of the strategy are refused, or give flagged rows or the right z; never a crash or a wrong z.",
        run: altered_bytes,
    },
    Check {
        name: "zlut.odd-tables",
        kind: Kind::Zlut,
        proves: "Tables without planes, with one, out of order or with numbers that are none are refused or harmless.",
        run: odd_tables,
    },
];

fn load(rig: &Rig, saved: &SavedTable) -> Result<Arc<Table>, PluginError> {
    rig.strategy.load(saved, &rig.sweep.layout, &rig.sweep.config)
}

fn planes(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let z = rig.table.save()?.z_nm;
    let rises = z.windows(2).all(|z| z[0] < z[1]);
    ensure!(rises, "its planes do not rise: {:?} …", &z[..z.len().min(6)]);
    let inside = z.iter().all(|z| *z >= super::FIRST_NM - STEP_NM && *z <= super::LAST_NM + STEP_NM);
    ensure!(inside, "its planes go from {} to {} nm, the sweep does not", z[0], z[z.len() - 1]);
    Ok(())
}

/// Equal as files would have it: NaN is NaN.
fn same_numbers(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
}

fn save_load(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let saved = rig.table.save()?;
    let table = load(&rig, &saved)?;
    let again = table.save()?;
    ensure!(same_numbers(&saved.z_nm, &again.z_nm), "the planes differ after saving and loading");
    ensure!(same_numbers(&saved.profiles, &again.profiles), "the profiles differ after saving and loading");
    ensure!(saved.bytes == again.bytes, "the bytes differ after saving and loading");
    let variance = |t: &SavedTable| t.variance.clone().unwrap_or_default();
    ensure!(same_numbers(&variance(&saved), &variance(&again)), "the variances differ after saving and loading");
    let mut worker = rig.worker()?;
    let (fresh, loaded) = (lookup(&mut worker, &rig.table, &rig.sweep)?, lookup(&mut worker, &table, &rig.sweep)?);
    same_fixes(&fresh, &loaded, "the table as it was built and as it was loaded")
}

/// The saved table and its bytes; skipped without.
fn with_bytes(rig: &Rig) -> Result<(SavedTable, Vec<u8>), Stop> {
    let saved = rig.table.save()?;
    match saved.bytes.clone() {
        Some(bytes) => Ok((saved, bytes)),
        None => Err(not_offered("bytes of its own")),
    }
}

fn refused_politely(e: &PluginError, what: &str) -> Verdict {
    ensure!(e.status != abi::STATUS_PANICKED, "{what}: it panics instead of refusing: {}", e.message);
    ensure!(!e.message.is_empty(), "{what}: it refuses without a reason");
    Ok(())
}

fn missing_bytes(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let (saved, _) = with_bytes(&rig)?;
    match load(&rig, &SavedTable { bytes: None, ..saved }) {
        Err(e) => refused_politely(&e, "a table without bytes"),
        Ok(table) => {
            let mut worker = rig.worker()?;
            let with = lookup(&mut worker, &rig.table, &rig.sweep)?;
            same_fixes(&with, &lookup(&mut worker, &table, &rig.sweep)?, "a table with and without its bytes")
        }
    }
}

fn cut_bytes(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let (saved, bytes) = with_bytes(&rig)?;
    // Every length near the ends, where headers and checksums lie, and many between.
    let n = bytes.len();
    let step = (n / 200).max(1);
    for len in (0..n).filter(|len| *len < 64 || n - len < 64 || len % step == 0) {
        let cut = SavedTable { bytes: Some(bytes[..len].to_vec()), ..saved.clone() };
        match load(&rig, &cut) {
            Err(e) => refused_politely(&e, &format!("{len} of {n} bytes"))?,
            Ok(_) => crate::outcome::fail!("a table with {len} of its {n} bytes is loaded"),
        }
    }
    Ok(())
}

fn altered_bytes(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let (saved, bytes) = with_bytes(&rig)?;
    let some = material(&[2700.0, 2900.0, 3050.0, 3300.0, 3600.0], 10, 1);
    let mut worker = rig.worker()?;
    let mut random = Random::new(5);
    let n = bytes.len();
    for k in 0..256 {
        // Half of the changes where headers lie.
        let at = if k % 2 == 0 { random.below(n.min(48)) } else { random.below(n) };
        let mut altered = bytes.clone();
        altered[at] ^= 1 << random.below(8);
        let what = format!("byte {at} of {n} altered");
        let table = match load(&rig, &SavedTable { bytes: Some(altered), ..saved.clone() }) {
            Err(e) => {
                refused_politely(&e, &what)?;
                continue;
            }
            Ok(table) => table,
        };
        match lookup(&mut worker, &table, &some) {
            Err(e) => refused_politely(&e, &what)?,
            Ok(fixes) => {
                for (fix, z) in fixes.iter().zip(&some.z_nm) {
                    let right = (fix.z_nm - z).abs() <= Z_NM;
                    ensure!(right || fix.flags != 0, "{what}: a bead at {z:.0} nm is found at {:.1} nm", fix.z_nm);
                }
            }
        }
    }
    Ok(())
}

fn odd_tables(subject: &Subject) -> Verdict {
    let rig = Rig::new(subject)?;
    let saved = rig.table.save()?;
    let n_bins = rig.sweep.layout.n_bins as usize;
    let first = |n: usize| SavedTable {
        z_nm: saved.z_nm[..n].to_vec(),
        profiles: saved.profiles[..n * n_bins].to_vec(),
        variance: None,
        bytes: saved.bytes.clone(),
    };
    let all = first(saved.z_nm.len());
    let mut reversed = all.clone();
    reversed.z_nm.reverse();
    let nan = SavedTable { profiles: vec![f64::NAN; all.profiles.len()], ..all.clone() };
    let infinite = SavedTable { profiles: vec![f64::INFINITY; all.profiles.len()], ..all.clone() };
    let nowhere = SavedTable { z_nm: vec![f64::NAN; all.z_nm.len()], ..all.clone() };
    let mut worker = rig.worker()?;
    for (what, odd) in [
        ("no plane", first(0)),
        ("one plane", first(1)),
        ("two planes", first(2)),
        ("planes that fall", reversed),
        ("profiles of NaN", nan),
        ("infinite profiles", infinite),
        ("planes at NaN", nowhere),
    ] {
        let what = format!("a table with {what}");
        match load(&rig, &odd) {
            Err(e) => refused_politely(&e, &what)?,
            Ok(table) => {
                let fixes = match lookup(&mut worker, &table, &rig.sweep) {
                    Ok(fixes) => fixes,
                    Err(e) => {
                        refused_politely(&e, &what)?;
                        continue;
                    }
                };
                let bad = fixes.iter().find(|f| f.z_nm.is_nan() && f.flags == 0 || f.z_nm.is_infinite());
                ensure!(bad.is_none(), "{what}: a row is not finite, and not flagged");
            }
        }
    }
    Ok(())
}
