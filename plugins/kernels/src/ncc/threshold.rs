//! The threshold that is proposed when nobody gives one.

/// The score from which candidates count as beads; none for no candidate.
///
/// `sorted` are the candidates' scores, best first. One candidate: its score. Fewer than five: the 75th percentile. Else
/// the score just above the largest gap between neighbours, or the 75th percentile when all are equal. Source: the
/// default of MagScope's auto bead selection.
///
/// The rule knows no beads: it also splits the scores of an empty field. Keep a floor under it.
pub fn default_threshold(sorted: &[f64]) -> Option<f64> {
    debug_assert!(sorted.is_sorted_by(|a, b| a >= b), "the best comes first");
    match sorted {
        [] => None,
        [only] => Some(*only),
        few if few.len() < 5 => Some(percentile_75(few)),
        many => {
            let gaps = many.windows(2).map(|w| w[0] - w[1]);
            let (above, gap) = gaps.enumerate().fold((0, 0.0), |best, g| if g.1 > best.1 { g } else { best });
            Some(if gap > 0.0 { many[above] } else { percentile_75(many) })
        }
    }
}

/// Linear between the two nearest, as NumPy has it.
fn percentile_75(sorted: &[f64]) -> f64 {
    let from_the_top = 0.25 * (sorted.len() - 1) as f64;
    let above = from_the_top as usize;
    let below = (above + 1).min(sorted.len() - 1);
    sorted[above] + (from_the_top - above as f64) * (sorted[below] - sorted[above])
}

#[cfg(test)]
mod tests {
    use super::default_threshold;

    #[test]
    fn one_candidate_is_its_own_threshold_and_none_has_none() {
        assert_eq!(default_threshold(&[]), None);
        assert_eq!(default_threshold(&[0.3]), Some(0.3));
    }

    #[test]
    fn few_candidates_are_cut_at_the_75th_percentile() {
        // numpy.percentile([0.9, 0.5, 0.1], 75) and ([0.9, 0.8, 0.2, 0.1], 75).
        assert_eq!(default_threshold(&[0.9, 0.5, 0.1]), Some(0.7));
        assert!((default_threshold(&[0.9, 0.8, 0.2, 0.1]).unwrap() - 0.825).abs() < 1e-12);
    }

    #[test]
    fn many_candidates_are_cut_above_the_largest_gap() {
        assert_eq!(default_threshold(&[0.95, 0.9, 0.88, 0.3, 0.28, 0.2]), Some(0.88));
        assert_eq!(default_threshold(&[0.95, 0.7, 0.4, 0.2, 0.1]), Some(0.7), "the largest of many gaps");
    }

    #[test]
    fn equal_candidates_are_all_kept() {
        assert_eq!(default_threshold(&[0.5; 7]), Some(0.5));
    }
}
