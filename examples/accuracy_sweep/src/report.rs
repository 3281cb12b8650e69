//! What is written: one CSV row for each cell, a summary in Markdown, and the images of one condition for other programs.
//! Nothing is overwritten.

use crate::images::{Light, NM_PER_PX, Rendered};
use crate::measure::{Cell, Zlut};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use tetherscope_core::RunError;
use tetherscope_files::{FocusRow, GreyDepth, TiffStackOptions, TiffStackWriter, TruthRow, TruthWriter, write_focus};

/// Distance of the planes in the sweep that is written.
const WRITTEN_STEP_NM: f64 = 100.0;

/// Makes a folder that does not exist yet.
pub(crate) fn new_folder(path: &Path) -> Result<(), RunError> {
    std::fs::create_dir(path).map_err(|e| failed(path, &e))
}

fn failed(path: &Path, e: &std::io::Error) -> RunError {
    RunError::refused(format!("cannot write {}", path.display()), e.to_string(), "choose another --out")
}

/// Writes a new text file.
pub(crate) fn write_text(path: &Path, text: &str) -> Result<(), RunError> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).open(path);
    file.and_then(|mut f| std::io::Write::write_all(&mut f, text.as_bytes())).map_err(|e| failed(path, &e))
}

/// One row a cell. Positions and errors in nm, `per_sigma` in the method's own standard errors; nan where there is nothing.
pub(crate) fn write_csv(path: &Path, cells: &[Cell]) -> Result<(), RunError> {
    let mut text = String::from(
        "images,zlut,roi_px,plane_step_nm,electrons,bits,method,band_nm,n,n_without_xy,n_without_z,n_far,\
         n_far_unflagged,x_bias_nm,y_bias_nm,z_bias_nm,x_rmse_nm,y_rmse_nm,z_rmse_nm,x_bound_nm,y_bound_nm,z_bound_nm,\
         xy_per_bound,z_per_bound,x_per_sigma,y_per_sigma,z_per_sigma\n",
    );
    for c in cells {
        let b = &c.bound;
        let head = [
            c.images.to_string(),
            c.zlut.to_string(),
            c.size_px.to_string(),
            c.step_nm.to_string(),
            c.light.electrons.to_string(),
            c.light.bits.to_string(),
            c.method.to_owned(),
            c.band_nm.to_string(),
        ];
        let counts = [c.n, c.n_without_xy, c.n_without_z, c.n_far, c.n_far_unflagged].map(|n| n.to_string());
        let numbers = [
            c.x.bias,
            c.y.bias,
            c.z.bias,
            c.x.rmse,
            c.y.rmse,
            c.z.rmse,
            b.x_nm,
            b.y_nm,
            b.z_nm,
            c.xy_rmse() / b.xy_nm(),
            c.z.rmse / b.z_nm,
            c.x.per_sigma,
            c.y.per_sigma,
            c.z.per_sigma,
        ]
        .map(|v| format!("{v:.6}"));
        text += &[&head[..], &counts, &numbers].concat().join(",");
        text.push('\n');
    }
    write_text(path, &text)
}

/// A method over all bands: root mean square of its errors and of the bounds.
pub(crate) struct Overall {
    pub(crate) xy_nm: f64,
    pub(crate) z_nm: f64,
    pub(crate) xy_per_bound: f64,
    pub(crate) z_per_bound: f64,
    n_lost: usize,
    n: usize,
}

/// Over the bands of one condition.
pub(crate) fn overall(cells: &[&Cell]) -> Overall {
    let rms =
        |of: &dyn Fn(&Cell) -> f64| (cells.iter().map(|c| of(c).powi(2)).sum::<f64>() / cells.len() as f64).sqrt();
    let (xy_nm, z_nm) = (rms(&Cell::xy_rmse), rms(&|c| c.z.rmse));
    Overall {
        xy_nm,
        z_nm,
        xy_per_bound: xy_nm / rms(&|c| c.bound.xy_nm()),
        z_per_bound: z_nm / rms(&|c| c.bound.z_nm),
        n_lost: cells.iter().map(|c| c.n_far + c.n_without_z.max(c.n_without_xy)).sum(),
        n: cells.iter().map(|c| c.n).sum(),
    }
}

/// Tables in Markdown: for each kind of images, size and light one, methods by Z-LUT and distance of planes.
pub(crate) fn summary(cells: &[Cell]) -> String {
    let mut tables: BTreeMap<(String, usize, u64), Vec<&Cell>> = BTreeMap::new();
    for c in cells {
        tables.entry((c.images.to_string(), c.size_px, c.light.electrons as u64)).or_default().push(c);
    }
    let mut text = String::from(
        "RMSE over five z bands in nm (× Cramér–Rao bound; gain and offset free). Lost: without a position or z, or more \
         than 100 nm (xy) or 500 nm (z) off; not in the RMSE.\n",
    );
    for ((images, size_px, electrons), cells) in tables {
        let bits = cells[0].light.bits;
        let _ = writeln!(text, "\n### {images} images, {size_px} px, {electrons} e⁻, {bits} bit\n");
        text += "| Z-LUT | planes | method | xy | z | lost |\n|---|---|---|---|---|---|\n";
        let mut rows: Vec<(Zlut, usize, &str, Vec<&Cell>)> = Vec::new();
        for c in cells {
            match rows.iter_mut().find(|r| (r.0, r.1, r.2) == (c.zlut, c.step_nm, c.method)) {
                Some(row) => row.3.push(c),
                None => rows.push((c.zlut, c.step_nm, c.method, vec![c])),
            }
        }
        rows.sort_by_key(|r| (r.0 == Zlut::Recorded, r.1));
        for (zlut, step_nm, method, cells) in rows {
            let o = overall(&cells);
            let _ = writeln!(
                text,
                "| {zlut} | {step_nm} nm | {method} | {:.3} ({:.2}) | {:.3} ({:.2}) | {} of {} |",
                o.xy_nm, o.xy_per_bound, o.z_nm, o.z_per_bound, o.n_lost, o.n
            );
        }
    }
    text
}

/// The images of one condition: `sweep.tif` and `sweep.csv` (perfect Z-LUT), `beads.tif`, `truth.csv`, `bound.csv`.
pub(crate) fn write_images(folder: &Path, rendered: &Rendered, light: Light, n_draws: usize) -> Result<(), RunError> {
    new_folder(folder)?;
    let size = rendered.condition.size_px as u32;
    let depth = if light.bits == 8 { GreyDepth::U8 } else { GreyDepth::U16 };
    let options =
        TiffStackOptions { width_px: size, height_px: size, depth, nm_per_px: Some(NM_PER_PX), frame_interval_s: None };
    let mut video = TiffStackWriter::create(folder.join("sweep.tif"), &options)?;
    let mut focus = Vec::new();
    for (z, pixels) in rendered.sweep(false, light).iter().filter(|(z, _)| z % WRITTEN_STEP_NM == 0.0) {
        video.write_plane(pixels)?;
        let frame = focus.len() as u64;
        focus.push(FocusRow { frame, time_s: frame as f64 * 0.01, focus_nm: *z });
    }
    video.finish()?;
    write_focus(folder.join("sweep.csv"), &focus)?;
    let mut video = TiffStackWriter::create(folder.join("beads.tif"), &options)?;
    let mut truth = TruthWriter::create(folder.join("truth.csv"))?;
    for (frame, (place, pixels)) in rendered.draws(light, n_draws).iter().enumerate() {
        video.write_plane(pixels)?;
        let [x, y, z_nm] = rendered.test.places[*place];
        let (x_px, y_px) = (rendered.centre_px + x / NM_PER_PX, rendered.centre_px + y / NM_PER_PX);
        let (x_nm, y_nm, time_s) = (x_px * NM_PER_PX, y_px * NM_PER_PX, frame as f64 * 0.01);
        truth.write(&[TruthRow { frame: frame as u64, bead: 0, time_s, x_px, y_px, z_nm, x_nm, y_nm }])?;
    }
    video.finish()?;
    truth.finish()?;
    let mut text = String::from("band_nm,x_nm,y_nm,z_nm\n");
    for (band, b) in crate::images::BANDS_NM.iter().zip(rendered.bounds(light)?) {
        let _ = writeln!(text, "{band},{:.6},{:.6},{:.6}", b.x_nm, b.y_nm, b.z_nm);
    }
    write_text(&folder.join("bound.csv"), &text)
}
