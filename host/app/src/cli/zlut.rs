//! `tetherscope zlut`: build a Z-LUT from a video of a sweep, from a recording or live, and see what a file holds.

use super::output::number;
use super::{CommandResult, Context};
use serde_json::json;
use tetherscope_files::ZlutTable;

mod build;
mod inspect;
mod make;
mod picture;
mod rebuild;
mod sweep;

/// Build and look at Z-LUTs
#[derive(clap::Subcommand)]
pub(crate) enum Zlut {
    /// Build a Z-LUT from a recorded focus sweep
    Build(Box<build::Build>),
    /// Build a Z-LUT from a sweep that a recording holds
    Rebuild(rebuild::Rebuild),
    /// Sweep the focus live and build Z-LUTs from it
    Sweep(Box<sweep::Sweep>),
    /// Show what a Z-LUT file holds, and how far its z can be trusted
    Inspect(inspect::Inspect),
}

impl Zlut {
    /// Builds, sweeps or inspects.
    pub(crate) fn run(self, context: &Context) -> CommandResult {
        match self {
            Zlut::Build(c) => c.run(context),
            Zlut::Rebuild(c) => c.run(context),
            Zlut::Sweep(c) => c.run(context),
            Zlut::Inspect(c) => c.run(),
        }
    }
}

fn name_of(bead: Option<u32>) -> String {
    bead.map_or_else(|| "any bead".into(), |b| format!("bead {b}"))
}

fn range(t: &ZlutTable) -> (f64, f64) {
    (t.z_nm.first().copied().unwrap_or(f64::NAN), t.z_nm.last().copied().unwrap_or(f64::NAN))
}

fn table_line(t: &ZlutTable) -> String {
    let (from, to) = range(t);
    let step = (to - from) / (t.n_planes().max(2) - 1) as f64;
    format!(
        "  {}: {} planes × {} bins, {from:.1} to {to:.1} nm, {step:.1} nm apart on average{}\n",
        name_of(t.bead),
        t.n_planes(),
        t.n_bins(),
        if t.bytes.is_some() { ", with the strategy's own data" } else { "" }
    )
}

fn table_json(t: &ZlutTable) -> serde_json::Value {
    let (from, to) = range(t);
    json!({
        "bead": t.bead,
        "n_planes": t.n_planes(),
        "n_bins": t.n_bins(),
        "z_from_nm": number(from),
        "z_to_nm": number(to),
        "has_variance": t.variance.is_some(),
        "own_bytes": t.bytes.as_ref().map_or(0, Vec::len),
        "n_frames_per_plane": t.n_frames_per_plane,
        "checksum": t.checksum(),
    })
}
