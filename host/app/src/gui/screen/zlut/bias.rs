//! How far z of a table is off, over focus: from frames that the table was not made from, as its file keeps it. For the plot
//! below the heat map, which has the same planes.

use crate::gui::widget::plot::columns::{Column, columns};
use crate::gui::widget::plot::{Curves, PlotEvent, PlotView, Range, Window};
use tetherscope_core::{BiasReport, TableBias};

/// Where the plot begins, and returns to.
const HOME: PlotView = PlotView { x: Window::All, y: None };
/// Bias, and the band of one standard deviation round it.
const COLORS: [[u8; 3]; 3] = [[0, 130, 175], [150, 150, 150], [150, 150, 150]];

/// The map of one table.
#[derive(Debug)]
pub(super) struct Bias {
    focus_nm: Vec<f64>,
    /// Mean, mean plus and mean minus standard deviation of z found − focus.
    curves: [Vec<f32>; 3],
    /// In words.
    pub(super) lines: Vec<String>,
    /// What is shown.
    pub(super) view: PlotView,
    number: u64,
}

impl Bias {
    /// Of the table of a bead, None of the one for all. `number` is another for each.
    pub(super) fn of(report: &BiasReport, bead: Option<u32>, number: u64) -> Option<Self> {
        let TableBias { map, .. } = report.tables.iter().find(|t| t.bead == bead)?;
        let value = |v: Option<f64>| v.map_or(f32::NAN, |v| v as f32);
        let focus_nm = map.planes.iter().map(|p| p.focus_nm).collect();
        let band = |sign: f32| {
            let of = |bias, scatter| value(bias) + sign * value(scatter);
            map.planes.iter().map(|p| of(p.bias_nm, p.scatter_nm)).collect()
        };
        let curves = [map.planes.iter().map(|p| value(p.bias_nm)).collect(), band(1.0), band(-1.0)];
        let nm = |v: Option<f64>| v.map_or_else(|| "unknown".to_owned(), |v| format!("{v:.2} nm"));
        let mut lines = vec![map.verdict.sentence.clone()];
        if map.scheme.is_some() {
            lines.push(format!(
                "{} frames held out: {} without z, {} far off; error {} (rms), scatter within a plane {}, the \
                 strategy's own error {}",
                map.n_held_out,
                map.n_without_z,
                map.n_far,
                nm(map.error_rms_nm),
                nm(map.scatter_nm),
                nm(map.sigma_nm)
            ));
        }
        if let Some(step) = map.between_step_nm {
            lines.push(format!("largest bias between planes {step:.0} nm apart: {}", nm(map.worst_between_nm)));
        }
        Some(Self { focus_nm, curves, lines, view: HOME, number })
    }

    /// True if no plane has a number.
    pub(super) fn is_empty(&self) -> bool {
        self.curves[0].iter().all(|v| v.is_nan())
    }

    pub(super) fn on_plot(&mut self, event: PlotEvent) {
        self.view = self.view.after(event, HOME);
    }
}

impl Curves for Bias {
    fn revision(&self) -> u64 {
        self.number
    }

    fn names(&self) -> Vec<(String, [u8; 3])> {
        ["bias", "+ scatter", "− scatter"].into_iter().zip(COLORS).map(|(name, color)| (name.into(), color)).collect()
    }

    fn domain(&self) -> Option<Range> {
        Some((*self.focus_nm.first()?, *self.focus_nm.last()?))
    }

    fn columns(&self, curve: usize, from: f64, to: f64, out: &mut [Column]) {
        columns(&self.focus_nm, &self.curves[curve], from, to, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetherscope_analysis::{HeldOut, HeldOutScheme, LookedUp, bias_map};

    #[test]
    fn the_bias_of_each_plane_is_a_point_of_the_curve() {
        let planes = [0.0, 100.0, 200.0];
        let image = |focus_nm: f64, off: f64| LookedUp { focus_nm, z_nm: focus_nm + off, sigma_z_nm: f64::NAN };
        let images = planes.iter().flat_map(|z| [image(*z, 1.0), image(*z, 3.0)]).collect();
        let scheme = HeldOutScheme::HalfOfFrames;
        let held_out = HeldOut { scheme, table_z_nm: planes.to_vec(), images };
        let map = bias_map(&planes, &[], &[held_out]);
        let report = BiasReport { bias_map_version: map.version, tables: vec![TableBias { bead: Some(3), map }] };
        assert!(Bias::of(&report, None, 0).is_none());
        let bias = Bias::of(&report, Some(3), 0).unwrap();
        assert_eq!(bias.curves[0], [2.0; 3]);
        assert!(bias.curves[1].iter().zip(&bias.curves[2]).all(|(up, down)| *up > 2.0 && *down < 2.0));
        assert_eq!(bias.domain(), Some((0.0, 200.0)));
        assert!(!bias.is_empty() && !bias.lines[0].is_empty());
    }
}
