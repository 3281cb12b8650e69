//! From what a sweep was asked for to the positions that it visits, or the reason why it cannot.

use crate::control::{Refusal, RefusalKind, SweepPositions};

/// Most steps of a sweep.
const MAX_STEPS: usize = 10_000;
/// A step counts as on the grid within this part of a step.
const ON_GRID: f64 = 1e-6;

/// The positions, in the order in which they are visited. At least two, all different.
pub(crate) fn positions_nm(asked: &SweepPositions) -> Result<Vec<f64>, Refusal> {
    let all = match asked {
        SweepPositions::List { positions_nm } => positions_nm.clone(),
        SweepPositions::Range { start_nm, step_nm, stop_nm } => range(*start_nm, *step_nm, *stop_nm)?,
    };
    if let Some(bad) = all.iter().find(|p| !p.is_finite()) {
        return Err(refuse(format!("{bad} is no position"), "give numbers, in nm"));
    }
    let mut sorted = all.clone();
    sorted.sort_by(f64::total_cmp);
    if let Some(twice) = sorted.windows(2).find(|w| w[0] == w[1]) {
        return Err(refuse(format!("{} nm stands twice in the list", twice[0]), "give each position once"));
    }
    match all.len() {
        0 | 1 => Err(refuse(format!("it has {} positions", all.len()), "a Z-LUT needs at least two planes")),
        n if n > MAX_STEPS => Err(refuse(format!("{n} steps are more than {MAX_STEPS}"), "use larger steps")),
        _ => Ok(all),
    }
}

fn range(start: f64, step: f64, stop: f64) -> Result<Vec<f64>, Refusal> {
    if !(start.is_finite() && step.is_finite() && stop.is_finite()) {
        return Err(refuse("start, step and stop must be numbers".into(), "give them in nm"));
    }
    if step == 0.0 || start == stop {
        return Err(refuse(
            "its step is 0, or its start is its stop".into(),
            "give a start, a stop, and a step between",
        ));
    }
    let n = (stop - start) / step;
    if n < 0.0 {
        let cause = format!("a step of {step} nm leads away from {stop} nm");
        return Err(refuse(cause, "change the sign of the step"));
    }
    if (n - n.round()).abs() > ON_GRID * n.abs().max(1.0) {
        let nearest = start + step * n.round();
        let cause = format!("{stop} nm is no whole number of steps from {start} nm");
        return Err(refuse(cause, &format!("stop at {nearest} nm, or choose another step")));
    }
    let n = n.round();
    if n >= MAX_STEPS as f64 {
        return Err(refuse(format!("{} steps are more than {MAX_STEPS}", n + 1.0), "use larger steps"));
    }
    Ok((0..=n as usize).map(|k| start + step * k as f64).collect())
}

fn refuse(cause: String, mend: &str) -> Refusal {
    Refusal::new(RefusalKind::Invalid, "cannot start this sweep", cause, mend)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(start_nm: f64, step_nm: f64, stop_nm: f64) -> Result<Vec<f64>, Refusal> {
        positions_nm(&SweepPositions::Range { start_nm, step_nm, stop_nm })
    }

    #[test]
    fn a_range_goes_from_start_to_stop_in_either_direction() {
        assert_eq!(of(-100.0, 50.0, 100.0).unwrap(), [-100.0, -50.0, 0.0, 50.0, 100.0]);
        assert_eq!(of(100.0, -100.0, -100.0).unwrap(), [100.0, 0.0, -100.0]);
        assert_eq!(of(0.0, 0.1, 1.0).unwrap().len(), 11, "0.1 has no exact binary form");
    }

    #[test]
    fn what_leads_nowhere_is_refused_with_its_numbers() {
        assert!(of(0.0, 0.0, 100.0).is_err() && of(5.0, 1.0, 5.0).is_err());
        assert!(of(0.0, -10.0, 100.0).unwrap_err().cause.contains("leads away from 100 nm"));
        let off_grid = of(0.0, 30.0, 100.0).unwrap_err();
        assert!(off_grid.mend.contains("stop at 90 nm"), "{off_grid}");
        assert!(of(0.0, 1e-3, 1e6).unwrap_err().cause.contains("more than 10000"));
        assert!(of(0.0, f64::NAN, 1.0).is_err());
    }

    #[test]
    fn a_list_needs_two_different_positions() {
        let of = |p: &[f64]| positions_nm(&SweepPositions::List { positions_nm: p.to_vec() });
        assert_eq!(of(&[300.0, -5.0, 12.0]).unwrap(), [300.0, -5.0, 12.0]);
        assert!(of(&[1.0]).is_err() && of(&[]).is_err() && of(&[1.0, f64::INFINITY]).is_err());
        assert!(of(&[1.0, 2.0, 1.0]).unwrap_err().cause.contains("1 nm stands twice"));
    }
}
