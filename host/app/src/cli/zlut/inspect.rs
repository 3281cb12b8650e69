//! `tetherscope zlut inspect`: what a Z-LUT file holds, and how far its z can be trusted, as text, JSON and picture.

use super::super::CommandResult;
use super::super::output::{Ending, Output};
use super::picture::draw;
use super::{name_of, table_json, table_line};
use serde_json::json;
use std::path::PathBuf;
use tetherscope_analysis::{BiasMap, HeldOutScheme};
use tetherscope_core::{BiasReport, RunError};
use tetherscope_files::{StoredZlut, ZlutFile, ZlutTable};

/// Show what a Z-LUT file holds, and how far its z can be trusted
#[derive(clap::Args)]
pub(crate) struct Inspect {
    /// A .zlut file, or a .txt of MagScope
    file: PathBuf,
    /// Also draw a table: its profiles against focus, and its bias below
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
    /// Show this bead's table only; the picture is of the first table otherwise
    #[arg(long, value_name = "ID")]
    bead: Option<u32>,
}

impl Inspect {
    /// Reads the file and shows it.
    pub(super) fn run(self) -> CommandResult {
        let stored = tetherscope_files::read_zlut(&self.file)?;
        let report = match &stored {
            StoredZlut::Own(file) => file.report.as_ref().and_then(BiasReport::from_json),
            StoredZlut::MagScope(_) => None,
        };
        let tables: Vec<&ZlutTable> = match &stored {
            StoredZlut::Own(file) => {
                file.tables.iter().filter(|t| self.bead.is_none() || t.bead == self.bead).collect()
            }
            StoredZlut::MagScope(table) => vec![table],
        };
        let Some(first) = tables.first() else { return Err(self.no_such_bead(&stored)) };
        let name = self.file.display().to_string();
        let mut text = match &stored {
            StoredZlut::MagScope(_) => format!("{name}: a table of MagScope, without settings\n"),
            StoredZlut::Own(file) => format!("{name}\n{}", settings_text(file)),
        };
        for t in &tables {
            text += &table_line(t);
            match report.as_ref().and_then(|r| r.map_of(t.bead)) {
                Some(map) => text += &map_text(map),
                None => text += "    how far its z can be trusted is not known: build it anew from its sweep\n",
            }
        }
        let mut files = Vec::new();
        if let Some(png) = &self.png {
            let canvas = draw(first, report.as_ref().and_then(|r| r.map_of(first.bead)));
            let (w, h) = canvas.size();
            tetherscope_files::write_png(png, w, h, &canvas.into_rgb())?;
            text += &format!("wrote {}, the table of {}\n", png.display(), name_of(first.bead));
            files.push(png.display().to_string());
        }
        let mut json = json!({
            "file": name,
            "format": if matches!(stored, StoredZlut::Own(_)) { "tetherscope" } else { "magscope" },
            "tables": tables.iter().map(|t| table_json(t)).collect::<Vec<_>>(),
            "bias": report,
            "written": files,
        });
        if let StoredZlut::Own(file) = &stored {
            json["created_utc"] = json!(file.created_utc);
            json["program_version"] = json!(file.program_version);
            json["notes"] = json!(file.notes);
            json["settings"] = json!(file.settings);
            json["settings_hash"] = json!(file.settings.hash());
        }
        Ok((Output { text, json }, Ending::Fine))
    }

    fn no_such_bead(&self, stored: &StoredZlut) -> RunError {
        let all = match stored {
            StoredZlut::Own(file) => file.tables.iter().map(|t| name_of(t.bead)).collect::<Vec<_>>().join(", "),
            StoredZlut::MagScope(_) => name_of(None),
        };
        RunError::refused(
            format!("cannot show bead {} of {}", self.bead.unwrap_or_default(), self.file.display()),
            format!("it has tables of {all}"),
            "name one of these, or leave --bead out",
        )
    }
}

fn settings_text(file: &ZlutFile) -> String {
    let s = &file.settings;
    let mut text = format!("made {} by Tetherscope {}\n", file.created_utc, file.program_version);
    for (what, m, params) in
        [("tracker", &s.tracker, &s.tracker_parameters), ("strategy", &s.strategy, &s.strategy_parameters)]
    {
        text += &format!("{what} {} {} #{}\n", m.id, m.version, m.hash.get(..8).unwrap_or(&m.hash));
        for p in params {
            text += &format!("  {} = {} {}\n", p.key, p.value, p.unit);
        }
    }
    text += &format!(
        "ROI {} × {} px, {} nm/px, focal-shift factor {}, {} with {} bits\n",
        s.roi_w_px, s.roi_h_px, s.nm_per_px, s.focal_shift_factor, s.pixel_format, s.significant_bits
    );
    text += &format!("settings hash {}\n", s.hash());
    if !file.notes.is_empty() {
        text += &format!("note: {}\n", file.notes);
    }
    text
}

/// The map in some lines.
fn map_text(map: &BiasMap) -> String {
    let nm = |v: Option<f64>| v.map_or_else(|| "–".to_owned(), |v| format!("{v:.2} nm"));
    let mut text = format!("    {}\n", map.verdict.sentence);
    let Some(scheme) = map.scheme else { return text };
    let how = match scheme {
        HeldOutScheme::EverySecondPlane => "every second plane held out",
        _ => "half of each plane's frames held out",
    };
    text += &format!(
        "    {how}: {} frames, {} without z, {} far off; error {} rms, mean {}, largest of a plane {}\n",
        map.n_held_out,
        map.n_without_z,
        map.n_far,
        nm(map.error_rms_nm),
        nm(map.error_mean_nm),
        nm(map.worst_plane_nm)
    );
    text += &format!(
        "    scatter within a plane {}, the strategy's own error says {}; every second plane left out: {} rms\n",
        nm(map.scatter_nm),
        nm(map.sigma_nm),
        nm(map.coarse_rms_nm)
    );
    if let (false, Some(step)) = (map.between.is_empty(), map.between_step_nm) {
        let places: Vec<String> = map.between.iter().map(|b| format!("{:.3}: {:+.2}", b.place, b.bias_nm)).collect();
        text += &format!("    bias by place between planes {step:.0} nm apart (nm): {}\n", places.join(", "));
    }
    for (what, planes) in [
        ("z found falls after", &map.falls_at_nm),
        ("ambiguous", &map.ambiguous.iter().map(|a| a.focus_nm).collect::<Vec<_>>()),
    ] {
        if !planes.is_empty() {
            let some: Vec<String> = planes.iter().take(10).map(|z| format!("{z:.0}")).collect();
            let more = if planes.len() > 10 { " …" } else { "" };
            text += &format!("    {what}: {} planes ({}{more} nm)\n", planes.len(), some.join(", "));
        }
    }
    text
}
