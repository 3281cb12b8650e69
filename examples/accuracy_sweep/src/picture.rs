//! The results at one look: × Cramér–Rao bound by defocus, a panel for each size and kind of images, xy above z; planes of
//! 100 nm (or the nearest), 10,000 e⁻ (or the first), recorded Z-LUT where there is one.

use crate::images::BANDS_NM;
use crate::measure::{Cell, Zlut};
use std::path::Path;
use tetherscope_analysis::{Canvas, LETTER_PX, LINE_PX, TEXT_PX};
use tetherscope_core::RunError;

const PAPER: [u8; 3] = [250, 250, 250];
const INK: [u8; 3] = [30, 30, 30];
const FAINT: [u8; 3] = [215, 215, 215];
const COLORS: [[u8; 3]; 6] =
    [[200, 60, 50], [230, 150, 30], [150, 90, 190], [40, 110, 210], [20, 150, 90], [90, 90, 90]];
const PANEL_PX: (i64, i64) = (260, 200);
const LEFT_PX: i64 = 50;
const GAP_PX: i64 = 60;
/// Decades of the axis: 1 to 1,000 × the bound, and a little below.
const DECADES: (f64, f64) = (-0.1, 3.0);

/// Draws and writes it.
pub(crate) fn write(path: &Path, cells: &[Cell]) -> Result<(), RunError> {
    let shown = chosen(cells);
    let mut panels: Vec<(String, usize)> = Vec::new();
    let mut methods: Vec<&str> = Vec::new();
    for c in &shown {
        let panel = (c.images.to_string(), c.size_px);
        if !panels.contains(&panel) {
            panels.push(panel);
        }
        if !methods.contains(&c.method) {
            methods.push(c.method);
        }
    }
    let Some(first) = shown.first() else { return Ok(()) };
    let width = (LEFT_PX + panels.len() as i64 * (PANEL_PX.0 + GAP_PX)).max(800);
    let top = LINE_PX * (methods.len() as i64 + 3);
    let mut canvas = Canvas::filled(width, top + 2 * (PANEL_PX.1 + GAP_PX), PAPER);
    let title = format!(
        "RMSE / CRAMER-RAO BOUND; {} Z-LUT, PLANES {} NM APART, {} E, {} BIT",
        first.zlut, first.step_nm, first.light.electrons, first.light.bits
    );
    canvas.text(LEFT_PX, LINE_PX / 2, &title, INK);
    for (i, method) in (0..).zip(&methods) {
        let y = LINE_PX * (i + 2);
        canvas.fill(LEFT_PX, y, 10, 10, COLORS[i as usize % COLORS.len()]);
        canvas.text(LEFT_PX + 2 * LETTER_PX, y, method, INK);
    }
    for (i, panel) in (0..).zip(&panels) {
        let x = LEFT_PX + i * (PANEL_PX.0 + GAP_PX);
        let here: Vec<&Cell> = shown.iter().copied().filter(|c| (c.images.to_string(), c.size_px) == *panel).collect();
        for (row, of, what) in [
            (0, (|c: &Cell| c.xy_rmse() / c.bound.xy_nm()) as fn(&Cell) -> f64, "XY"),
            (1, |c: &Cell| c.z.rmse / c.bound.z_nm, "Z"),
        ] {
            let y = top + row * (PANEL_PX.1 + GAP_PX);
            axes(&mut canvas, x, y, &format!("{what}, {}, {} PX", panel.0, panel.1));
            for (m, method) in methods.iter().enumerate() {
                for c in here.iter().filter(|c| c.method == *method) {
                    let value = of(c);
                    if value.is_finite() && value > 0.0 {
                        let u = x_of(x, c.band_nm) + 6 * m as i64 - 3 * methods.len() as i64;
                        canvas.fill(u, y_of(y, value) - 2, 5, 5, COLORS[m % COLORS.len()]);
                    }
                }
            }
        }
    }
    let (w, h) = canvas.size();
    Ok(tetherscope_files::write_png(path, w, h, &canvas.into_rgb())?)
}

/// The cells of one Z-LUT, distance and light.
fn chosen(cells: &[Cell]) -> Vec<&Cell> {
    let zlut = if cells.iter().any(|c| c.zlut == Zlut::Recorded) { Zlut::Recorded } else { Zlut::Perfect };
    let step = cells.iter().map(|c| c.step_nm).min_by_key(|s| s.abs_diff(100));
    let electrons = cells.iter().map(|c| c.light.electrons).min_by_key(|e| (e - 10_000.0).abs() as u64);
    let fits = |c: &&Cell| c.zlut == zlut && Some(c.step_nm) == step && Some(c.light.electrons) == electrons;
    cells.iter().filter(fits).collect()
}

fn x_of(left: i64, band_nm: f64) -> i64 {
    let (from, to) = (BANDS_NM[0], BANDS_NM[BANDS_NM.len() - 1]);
    left + 20 + ((band_nm - from) / (to - from) * (PANEL_PX.0 - 40) as f64) as i64
}

fn y_of(top: i64, value: f64) -> i64 {
    let share = (value.log10() - DECADES.0) / (DECADES.1 - DECADES.0);
    top + PANEL_PX.1 - (share.clamp(0.0, 1.0) * PANEL_PX.1 as f64) as i64
}

fn axes(canvas: &mut Canvas, x: i64, y: i64, title: &str) {
    for decade in [1.0, 10.0, 100.0, 1000.0] {
        let text = format!("{decade}");
        canvas.fill(x, y_of(y, decade), PANEL_PX.0, 1, if decade == 1.0 { INK } else { FAINT });
        canvas.text(x - LETTER_PX * text.len() as i64 - 2, y_of(y, decade) - TEXT_PX / 2, &text, INK);
    }
    for band in BANDS_NM {
        let text = format!("{}", band / 1000.0);
        canvas.text(x_of(x, band) - LETTER_PX * text.len() as i64 / 2, y + PANEL_PX.1 + LINE_PX / 2, &text, INK);
    }
    canvas.text(x, y + PANEL_PX.1 + 2 * LINE_PX, &format!("{title}; BY FOCUS IN UM"), INK);
}
