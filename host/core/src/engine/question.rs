//! Questions that the next processed frame answers: bins of a profile, the profile of a bead. Never answered from frames that
//! were there before the question.

use super::program::Program;
use crate::control::{Answer, ClientId, ProfileAnswer, Refusal, RefusalKind, RequestId};
use crate::run::TrackedBatch;
use std::collections::HashMap;
use std::sync::Arc;
use tetherscope_loader::{ProfileLayout, SavedTable, abi};

/// Who asked what.
pub(crate) type QuestionId = (ClientId, RequestId);

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) id: QuestionId,
    pub(crate) what: Asked,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    ProfileLength,
    Profile { bead: u32 },
}

/// Parts of the tables in use, to show a plane beside a profile.
#[derive(Default)]
pub(crate) struct Planes {
    pub(crate) shared: Option<Arc<SavedTable>>,
    pub(crate) by_bead: HashMap<u32, Arc<SavedTable>>,
}

impl Planes {
    /// z and profile of the plane nearest to `z_nm`.
    fn nearest(&self, bead: u32, z_nm: f64, layout: &ProfileLayout) -> Option<(f64, Vec<f64>)> {
        let table = self.by_bead.get(&bead).or(self.shared.as_ref())?;
        let distance = |z: &f64| (z - z_nm).abs();
        let nearest =
            (0..table.z_nm.len()).min_by(|a, b| distance(&table.z_nm[*a]).total_cmp(&distance(&table.z_nm[*b])));
        let (i, n) = (nearest.filter(|_| z_nm.is_finite())?, layout.n_bins as usize);
        Some((table.z_nm[i], table.profiles.get(i * n..(i + 1) * n)?.to_vec()))
    }
}

/// The answer that a tracked batch gives; None: ask the next one.
pub(crate) fn answer(
    question: &Question,
    batch: &TrackedBatch<'_>,
    program: &Program,
) -> Option<Result<Answer, Refusal>> {
    let n_rois = batch.rois.len();
    let bins = batch.layout.n_bins as usize;
    // A bead without a position has an answer too; only a plugin that failed has none.
    let succeeded = |i: &usize| batch.fixes[*i].flags & abi::FLAG_PLUGIN_ERROR == 0;
    match question.what {
        Asked::ProfileLength => {
            (0..batch.fixes.len()).find(succeeded).map(|_| Ok(Answer::ProfileLength(batch.layout.n_bins)))
        }
        Asked::Profile { bead } => {
            let Some(roi) = batch.rois.iter().position(|r| r.bead == bead) else { return Some(Err(gone(bead))) };
            if bins == 0 {
                return Some(Err(no_profiles()));
            }
            let newest = (0..batch.frames.len()).rev().map(|f| f * n_rois + roi).find(succeeded)?;
            let plane = program.planes.as_ref().and_then(|p| p.nearest(bead, batch.fixes[newest].z_nm, batch.layout));
            let (plane_z_nm, plane) = plane.map_or((None, Vec::new()), |(z, p)| (Some(z), p));
            Some(Ok(Answer::Profile(ProfileAnswer {
                frame: batch.frames[newest / n_rois].index,
                bead,
                first_radius_px: batch.layout.first_radius_px,
                step_px: batch.layout.step_px,
                values: batch.profiles[newest * bins..(newest + 1) * bins].to_vec(),
                plane_z_nm,
                plane,
            })))
        }
    }
}

pub(crate) fn gone(bead: u32) -> Refusal {
    Refusal::new(
        RefusalKind::NotFound,
        format!("cannot answer about bead {bead}"),
        "there is no such bead",
        "the snapshot lists the beads",
    )
}

fn no_profiles() -> Refusal {
    Refusal::new(
        RefusalKind::NotNow,
        "cannot show a profile",
        "the tracker in use makes none",
        "choose a tracker with profiles; `tetherscope plugins list` names them",
    )
}
