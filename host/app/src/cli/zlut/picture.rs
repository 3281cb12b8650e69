//! A Z-LUT as a person wants to see it: profiles against focus, and below what held-out frames say of its bias. It computes
//! no number and writes no file.

use tetherscope_analysis::{BiasMap, Canvas, LETTER_PX, LINE_PX, PlaneBias, TEXT_PX};
use tetherscope_files::ZlutTable;

const PAPER: [u8; 3] = [250, 250, 250];
const INK: [u8; 3] = [30, 30, 30];
const FAINT: [u8; 3] = [200, 200, 200];
const BLUE: [u8; 3] = [40, 90, 200];
const RED: [u8; 3] = [210, 40, 40];
const EMPTY_BIN: [u8; 3] = [120, 140, 190];
/// Widest and highest that the heat map's cells may make it.
const MAP_PX: (i64, i64) = (800, 320);
/// Least width: text and charts want room.
const LEAST_WIDTH_PX: i64 = 480;
const CHART_PX: i64 = 120;
const MARGIN_PX: i64 = 10;
/// Room for the numbers at the left.
const LEFT_PX: i64 = 72;
/// Standard deviations of the profiles from black to white.
const CONTRAST: f64 = 5.0;

/// Draws it.
pub(super) fn draw(table: &ZlutTable, map: Option<&BiasMap>) -> Canvas {
    let (n_planes, n_bins) = (table.n_planes() as i64, table.n_bins() as i64);
    let cell = ((MAP_PX.0 / n_planes).clamp(1, 8), (MAP_PX.1 / n_bins.max(1)).clamp(1, 8));
    let plot = (n_planes * cell.0).max(LEAST_WIDTH_PX);
    let width = LEFT_PX + plot + MARGIN_PX;
    let sentence = map.map_or_else(|| "the bias of this table is not known".to_owned(), |m| m.verdict.sentence.clone());
    let lines = wrapped(&sentence, ((width - 2 * MARGIN_PX) / LETTER_PX) as usize);
    let text_px = LINE_PX * (lines.len() as i64 + 1);
    let map_px = n_bins * cell.1;
    let charts = if map.is_some() { 2 * (CHART_PX + 2 * LINE_PX) } else { 0 };
    let mut canvas = Canvas::filled(width, MARGIN_PX + text_px + map_px + 2 * LINE_PX + charts + MARGIN_PX, PAPER);
    let mut y = MARGIN_PX;
    for line in &lines {
        canvas.text(MARGIN_PX, y, line, INK);
        y += LINE_PX;
    }
    y += LINE_PX;
    heat_map(&mut canvas, table, y, cell);
    y += map_px + LINE_PX / 2;
    let (from, to) = (table.z_nm[0], table.z_nm[table.z_nm.len() - 1]);
    canvas.text(MARGIN_PX, y - map_px, "RADIUS", INK);
    canvas.text(LEFT_PX, y, &format!("{from:.0} NM"), INK);
    let right = format!("{to:.0} NM");
    canvas.text(LEFT_PX + n_planes * cell.0 - right.len() as i64 * LETTER_PX, y, &right, INK);
    y += LINE_PX + LINE_PX / 2;
    if let Some(map) = map {
        let x_of =
            |focus: f64| LEFT_PX + ((focus - from) / (to - from) * (n_planes * cell.0 - 1) as f64).round() as i64;
        for a in &map.ambiguous {
            canvas.fill(x_of(a.focus_nm), y - map_px - 3 * LINE_PX, 2, 6, RED);
        }
        y = plane_chart(&mut canvas, map, y, plot, &x_of);
        place_chart(&mut canvas, map, y, plot);
    }
    canvas
}

/// Grey by deviation from the plane's mean: brightness of the lamp does not show.
fn heat_map(canvas: &mut Canvas, table: &ZlutTable, top: i64, cell: (i64, i64)) {
    let n_bins = table.n_bins();
    if n_bins == 0 {
        return;
    }
    let rows: Vec<Vec<f64>> = table.profiles.chunks(n_bins).map(without_mean).collect();
    let known: Vec<f64> = rows.iter().flatten().copied().filter(|v| v.is_finite()).collect();
    let deviation =
        (known.iter().map(|v| v * v).sum::<f64>() / known.len().max(1) as f64).sqrt().max(f64::MIN_POSITIVE);
    for (plane, row) in (0..).zip(&rows) {
        for (bin, v) in (0..).zip(row) {
            let grey = (127.5 + 255.0 * v / (CONTRAST * deviation)).round().clamp(0.0, 255.0) as u8;
            let color = if v.is_finite() { [grey; 3] } else { EMPTY_BIN };
            canvas.fill(LEFT_PX + plane * cell.0, top + bin * cell.1, cell.0, cell.1, color);
        }
    }
}

fn without_mean(profile: &[f64]) -> Vec<f64> {
    let known: Vec<f64> = profile.iter().copied().filter(|v| v.is_finite()).collect();
    let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
    profile.iter().map(|v| v - mean).collect()
}

/// Bias and scatter by plane; red where frames were lost. Returns where the next chart begins.
fn plane_chart(canvas: &mut Canvas, map: &BiasMap, top: i64, plot: i64, x_of: &dyn Fn(f64) -> i64) -> i64 {
    let reach = |p: &PlaneBias| Some(p.bias_nm?.abs() + p.scatter_nm.unwrap_or(0.0));
    let axis = Axis::new(map.planes.iter().filter_map(reach).fold(0.0, f64::max), top);
    axis.draw(canvas, plot, "BIAS BY FOCUS, WITH SCATTER, NM");
    for p in &map.planes {
        let x = x_of(p.focus_nm);
        if p.n_lost > 0 {
            canvas.fill(x, top, 1, 6, RED);
        }
        let Some(bias) = p.bias_nm else { continue };
        let scatter = p.scatter_nm.unwrap_or(0.0);
        let (low, high) = (axis.y(bias - scatter), axis.y(bias + scatter));
        canvas.fill(x, high, 1, low - high + 1, FAINT);
        canvas.fill(x - 1, axis.y(bias) - 1, 3, 3, BLUE);
    }
    top + CHART_PX + 2 * LINE_PX
}

/// Bias by place between two planes.
fn place_chart(canvas: &mut Canvas, map: &BiasMap, top: i64, plot: i64) {
    let axis = Axis::new(map.between.iter().map(|b| b.bias_nm.abs()).fold(0.0, f64::max), top);
    let step = map.between_step_nm.unwrap_or(0.0);
    axis.draw(canvas, plot, &format!("BIAS FROM ONE PLANE TO THE NEXT, {step:.0} NM APART, NM"));
    for b in &map.between {
        let x = LEFT_PX + (b.place * (plot - 8) as f64) as i64;
        let (zero, y) = (axis.y(0.0), axis.y(b.bias_nm));
        canvas.fill(x, zero.min(y), 8, (zero - y).abs() + 1, BLUE);
    }
}

/// The upright axis of a chart, from −limit to +limit.
struct Axis {
    limit: f64,
    top: i64,
}

impl Axis {
    fn new(largest: f64, top: i64) -> Self {
        Self { limit: nice(largest), top }
    }

    fn y(&self, value: f64) -> i64 {
        let half = (CHART_PX / 2) as f64;
        self.top + CHART_PX / 2 - (value / self.limit * half).round().clamp(-half, half) as i64
    }

    fn draw(&self, canvas: &mut Canvas, plot: i64, title: &str) {
        canvas.fill(LEFT_PX - 2, self.top, 1, CHART_PX + 1, INK);
        canvas.fill(LEFT_PX - 2, self.y(0.0), plot, 1, FAINT);
        for v in [self.limit, -self.limit] {
            let text = format!("{v:+}");
            canvas.text(LEFT_PX - 8 - LETTER_PX * text.len() as i64, self.y(v) - TEXT_PX / 2, &text, INK);
        }
        canvas.text(LEFT_PX, self.top + CHART_PX + LINE_PX / 2, title, INK);
    }
}

/// The next of 1, 2, 5, 10 … that is not below.
fn nice(value: f64) -> f64 {
    if !(value.is_finite() && value > 0.0) {
        return 1.0;
    }
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * decade).find(|n| *n >= value).unwrap_or(10.0 * decade)
}

/// Lines of at most `n` letters, broken at blanks.
fn wrapped(text: &str, n: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a line from the start");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= n {
            *line += &format!(" {word}");
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use tetherscope_analysis::{HeldOut, HeldOutScheme, LookedUp, bias_map};

    #[test]
    fn a_table_is_drawn_with_its_bias_and_without() {
        let z_nm: Vec<f64> = (0..20).map(|k| 100.0 * f64::from(k)).collect();
        let profiles: Vec<f64> = z_nm
            .iter()
            .flat_map(|z| (0..12).map(move |b| if b == 3 { f64::NAN } else { (z * 1e-3 + f64::from(b)).sin() }))
            .collect();
        let images = z_nm.iter().map(|&z| LookedUp { focus_nm: z, z_nm: z + 7.0, sigma_z_nm: f64::NAN }).collect();
        let held_out = HeldOut { scheme: HeldOutScheme::HalfOfFrames, table_z_nm: z_nm.clone(), images };
        let map = bias_map(&z_nm, &profiles, &[held_out]);
        let table = ZlutTable { z_nm, profiles, ..ZlutTable::default() };
        let (with, without) = (draw(&table, Some(&map)), draw(&table, None));
        assert!(with.size().1 > without.size().1 && with.size().0 == without.size().0);
        let count = |canvas: Canvas, color: [u8; 3]| canvas.into_rgb().chunks(3).filter(|p| *p == color).count();
        assert_eq!(count(draw(&table, None), EMPTY_BIN), 20 * 8 * 8, "one empty bin in 20 planes of 8 × 8 px a cell");
        assert!(count(with, BLUE) >= 20 * 9, "a dot for each plane");
        assert_eq!(count(without, BLUE), 0);
    }

    #[test]
    fn axes_end_at_round_numbers_and_text_is_broken_at_blanks() {
        assert_eq!([0.0, 0.013, 0.2, 3.0, 99.0].map(nice), [1.0, 0.02, 0.2, 5.0, 100.0]);
        assert_eq!(wrapped("one two  three four", 9), ["one two", "three", "four"]);
    }
}
