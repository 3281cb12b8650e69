//! `track --find`: beads of the first frame become the ROIs; on request the list and a picture with boxes are written.

use super::frames::{key_value, params_of};
use super::output::{Output, number};
use super::{Context, overlay, progress};
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
use tetherscope_core::loader::abi::{FLAG_NEIGHBOUR, Rect};
use tetherscope_core::loader::{BeadFinder, Camera, Component, Hit, Kind, LoadError, ParamSet, Registry};
use tetherscope_core::{Roi, RunError, StillImage, find_beads, first_image, roi_round, rois_round};

/// The finder, unless another one is named.
const FINDER: &str = "finder.ncc";

/// How beads are found instead of read from a list.
#[derive(clap::Args)]
#[command(next_help_heading = "Finding beads")]
pub(crate) struct FindArgs {
    /// Find the beads in the first frame, instead of reading their ROIs
    #[arg(long, requires = "roi_px", conflicts_with = "rois")]
    find: bool,
    /// Side of the ROIs, in px
    #[arg(long, value_name = "PX", requires = "find", value_parser = clap::value_parser!(u32).range(4..=4096))]
    roi_px: Option<u32>,
    /// Place of an example bead in the first frame, its middle, in px; without it any round structure of that size is
    /// looked for
    #[arg(long, value_name = "X,Y", requires = "find", value_parser = place, allow_hyphen_values = true)]
    seed_roi: Option<(f64, f64)>,
    /// Method that finds them: `id`, `id@version` or `id#hash`; without it finder.ncc
    #[arg(long, value_name = "METHOD", requires = "find")]
    finder: Option<String>,
    /// Parameter of the finder; may be given several times
    #[arg(long = "find-param", value_name = "KEY=VALUE", value_parser = key_value, requires = "find")]
    find_params: Vec<(String, String)>,
    /// Also write the ROIs that were found (CSV)
    #[arg(long, value_name = "FILE", requires = "find")]
    rois_out: Option<PathBuf>,
    /// Also write the first frame with ROIs, bead ids and scores drawn into it (PNG)
    #[arg(long, value_name = "FILE", requires = "find")]
    overlay: Option<PathBuf>,
}

/// Reads `x,y`.
fn place(text: &str) -> Result<(f64, f64), String> {
    let number = |s: &str| s.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let pair = text.split_once(',').and_then(|(x, y)| number(x).zip(number(y)));
    pair.ok_or_else(|| format!("`{text}` is not of the form x,y, such as 120,80.5"))
}

/// What was found.
pub(crate) struct Found {
    /// ROIs round the beads, the surest first.
    pub(crate) rois: Vec<Roi>,
    /// Method, parameters and seed, for the rows' file.
    pub(crate) settings: serde_json::Value,
    pub(crate) warnings: Vec<String>,
    text: String,
    json: serde_json::Value,
}

impl Found {
    /// Adds what was found to a command's report: first in the text, `found` in the JSON.
    pub(crate) fn add_to(self, output: &mut Output) {
        output.text.insert_str(0, &self.text);
        output.json["found"] = self.json;
    }
}

impl FindArgs {
    /// Finds beads, if that was asked for.
    pub(crate) fn run(
        &self,
        registry: &Registry,
        camera: &Arc<Camera>,
        context: &Context,
    ) -> Result<Option<Found>, RunError> {
        let Some(size_px) = self.roi_px.filter(|_| self.find) else { return Ok(None) };
        let component = registry.resolve(Kind::Finder, self.finder.as_deref().unwrap_or(FINDER))?;
        let params = self.params(component, size_px)?;
        let finder = BeadFinder::create(component, &params)?;
        let image = first_image(camera.clone(), &context.cancel)?;
        let seed = self.seed_roi.map(|at| seed(at, size_px, &image)).transpose()?;
        let bar = progress::percent("finding beads", context.interactive());
        let hits = find_beads(&finder, &image, seed, &context.cancel, |done| bar.set_position((done * 100.0) as u64))?;
        bar.finish_and_clear();
        let rois = rois_round(&hits, size_px, &image);
        let kept: Vec<(Roi, &Hit)> = rois.iter().zip(&hits).filter_map(|(r, h)| r.map(|r| (r, h))).collect();
        if let Some(path) = &self.overlay {
            let picture = overlay::draw(&image, &hits, &rois, size_px);
            tetherscope_files::write_png(path, image.width_px, image.height_px, &picture)?;
        }
        if kept.is_empty() {
            return Err(self.nothing(component, hits.len(), size_px));
        }
        let list: Vec<Roi> = kept.iter().map(|(r, _)| *r).collect();
        if let Some(path) = &self.rois_out {
            tetherscope_files::write_rois(path, &list)?;
        }
        let settings = json!({
            "id": component.info().id,
            "version": component.info().version.to_string(),
            "hash": component.hash(),
            "parameters": params.to_json(),
            "seed": seed.map(|s| json!({"x_px": s.x_px, "y_px": s.y_px, "w_px": s.w_px, "h_px": s.h_px})),
        });
        Ok(Some(self.report(&kept, hits.len() - kept.len(), list, settings)))
    }

    /// The finder's parameters; the ROIs' size is told to every finder that asks for it.
    fn params(&self, component: &Component, size_px: u32) -> Result<ParamSet, LoadError> {
        let mut pairs = self.find_params.clone();
        let asks = component.info().parameters.iter().any(|p| p.key == "roi_px");
        if asks && pairs.iter().all(|(key, _)| key != "roi_px") {
            pairs.push(("roi_px".to_owned(), size_px.to_string()));
        }
        params_of(component, &pairs)
    }

    fn nothing(&self, component: &Component, n_cut: usize, size_px: u32) -> RunError {
        let cause = match n_cut {
            0 => "nothing in the first frame is enough like a bead".to_owned(),
            n => format!("of {n} found none has a ROI of {size_px} × {size_px} px that lies wholly inside the frame"),
        };
        let seed = if self.seed_roi.is_none() { "point at one with --seed-roi x,y, " } else { "choose another seed, " };
        RunError::refused(
            format!("no bead was found by {}", component.label()),
            cause,
            format!("{seed}try another --roi-px, or give the ROIs with --rois"),
        )
    }

    fn report(&self, kept: &[(Roi, &Hit)], n_cut: usize, rois: Vec<Roi>, settings: serde_json::Value) -> Found {
        let is_neighbour = |h: &Hit| h.flags & FLAG_NEIGHBOUR != 0;
        let n_neighbours = kept.iter().filter(|(_, h)| is_neighbour(h)).count();
        let mut text = format!("{} beads found\n", kept.len());
        let mut warnings = Vec::new();
        if n_neighbours > 0 {
            warnings.push(format!(
                "the ROIs of {n_neighbours} beads overlap another one: what is tracked there may be disturbed by it"
            ));
        }
        if n_cut > 0 {
            text += &format!("{n_cut} left out: their ROI leaves the frame\n");
        }
        for path in [&self.rois_out, &self.overlay].into_iter().flatten() {
            text += &format!("wrote {}\n", path.display());
        }
        let bead = |(roi, h): &(Roi, &Hit)| {
            json!({
                "bead": roi.bead, "x_px": h.x_px, "y_px": h.y_px, "score": number(h.score), "flags": h.flags,
                "neighbour": is_neighbour(h),
                "roi": {"x_px": roi.x_px, "y_px": roi.y_px, "w_px": roi.w_px, "h_px": roi.h_px},
            })
        };
        let json = json!({
            "beads": kept.iter().map(bead).collect::<Vec<_>>(),
            "neighbours": n_neighbours,
            "left_out": n_cut,
            "rois": self.rois_out.as_ref().map(|p| p.display().to_string()),
            "overlay": self.overlay.as_ref().map(|p| p.display().to_string()),
        });
        Found { rois, text, json, settings, warnings }
    }
}

/// The ROI of the seed, if it lies in the image.
fn seed((x, y): (f64, f64), size_px: u32, image: &StillImage) -> Result<Rect, RunError> {
    let Roi { x_px, y_px, w_px, h_px, .. } = roi_round(0, x, y, size_px);
    let inside = |at: i32, limit: u32| at >= 0 && i64::from(at) + i64::from(size_px) <= i64::from(limit);
    if inside(x_px, image.width_px) && inside(y_px, image.height_px) {
        return Ok(Rect { x_px, y_px, w_px, h_px });
    }
    Err(RunError::refused(
        format!("cannot take the bead at ({x}, {y}) as the seed"),
        format!("its ROI of {size_px} × {size_px} px leaves the frame of {} × {} px", image.width_px, image.height_px),
        "point at a bead farther inside, or make --roi-px smaller",
    ))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_place_is_two_numbers() {
        assert_eq!(place("12,34.5"), Ok((12.0, 34.5)));
        assert_eq!(place(" 1 , 2 "), Ok((1.0, 2.0)));
        for wrong in ["", "1", "1,", "1,2,3", "a,b", "nan,1", "inf,1"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
