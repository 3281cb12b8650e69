//! Beads and their ROIs, and the commands about them. A bead's id is never used again.

use super::{Asker, Control, Outcome};
use crate::RunError;
use crate::control::{
    Answer, BeadRole, BeadView, BeadsCommand, ClientId, FoundBead, MethodChoice, NewRoi, Picture, PicturePixels,
    Refusal, RefusalKind, RequestId,
};
use crate::engine::display::picture;
use crate::engine::history::Newest;
use crate::engine::program::Program;
use crate::engine::settings::resolve;
use crate::find::{Pixels, StillImage, find_beads, rois_round};
use crate::plan::{Plan, Roi};
use crate::ring::{Next, Policy, Ring, SubscribeOptions};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tetherscope_loader::{BeadFinder, CancelToken, Kind, abi::Rect};

/// Sides of ROIs.
const ROI_SIZES: std::ops::RangeInclusive<u32> = 8..=512;
/// Most beads of one experiment.
const MOST_BEADS: usize = 100_000;
/// Places that are tried for a random bead until there is held to be no room.
const MOST_TRIES: u32 = 20_000;
/// How long a finder waits for the next frame.
const FRAME_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy)]
struct Bead {
    roi: NewRoi,
    role: BeadRole,
}

/// The beads.
pub(crate) struct Beads {
    roi_size_px: u32,
    beads: BTreeMap<u32, Bead>,
    next: u32,
    /// Finders that look now, and who asked.
    searches: Vec<((ClientId, RequestId), CancelToken)>,
}

impl Beads {
    pub(crate) fn new(roi_size_px: u32) -> Self {
        Self { roi_size_px, beads: BTreeMap::new(), next: 0, searches: Vec::new() }
    }

    pub(crate) fn roi_size_px(&self) -> u32 {
        self.roi_size_px
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.beads.is_empty()
    }

    pub(crate) fn next(&self) -> u32 {
        self.next
    }

    pub(crate) fn has(&self, bead: u32) -> bool {
        self.beads.contains_key(&bead)
    }

    pub(crate) fn ids(&self) -> Vec<u32> {
        self.beads.keys().copied().collect()
    }

    /// Their ROIs, by id.
    pub(crate) fn rois(&self) -> Vec<Roi> {
        let size = self.roi_size_px;
        let roi =
            |(bead, b): (&u32, &Bead)| Roi { bead: *bead, x_px: b.roi.x_px, y_px: b.roi.y_px, w_px: size, h_px: size };
        self.beads.iter().map(roi).collect()
    }

    /// As clients see them.
    pub(crate) fn views(&self, newest: &HashMap<u32, Newest>) -> Vec<BeadView> {
        let view = |(bead, b): (&u32, &Bead)| {
            let newest = newest.get(bead);
            BeadView {
                bead: *bead,
                roi: b.roi,
                role: b.role,
                newest: newest.map(|n| n.row),
                lost_for_frames: newest.map_or(0, |n| n.lost_for_frames),
            }
        };
        self.beads.iter().map(view).collect()
    }

    fn add(&mut self, roi: NewRoi) -> u32 {
        let bead = self.next;
        self.beads.insert(bead, Bead { roi, role: BeadRole::Bead });
        self.next += 1;
        bead
    }

    fn require(&self, beads: impl IntoIterator<Item = u32>, what: &str) -> Result<(), Refusal> {
        let missing: Vec<String> = beads.into_iter().filter(|b| !self.has(*b)).map(|b| b.to_string()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(Refusal::new(
            RefusalKind::NotFound,
            format!("cannot {what}"),
            format!("there is no bead {}", missing.join(", ")),
            "the snapshot lists the beads",
        ))
    }

    /// Moves all ROIs that reach beyond a frame of this size into it.
    pub(crate) fn clamp(&mut self, width_px: u32, height_px: u32) {
        let size = self.roi_size_px;
        self.beads.values_mut().for_each(|b| b.roi = clamped(b.roi, size, width_px, height_px));
    }
}

fn clamped(roi: NewRoi, size_px: u32, width_px: u32, height_px: u32) -> NewRoi {
    let last = |limit: u32| i32::try_from(limit.saturating_sub(size_px)).unwrap_or(i32::MAX);
    NewRoi { x_px: roi.x_px.clamp(0, last(width_px)), y_px: roi.y_px.clamp(0, last(height_px)) }
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }
}

impl Control {
    pub(super) fn beads_command(&mut self, asker: &Asker, command: BeadsCommand) -> Result<Outcome, Refusal> {
        match command {
            BeadsCommand::Add { rois } => {
                self.refuse_too_many(rois.len())?;
                let ids = rois.into_iter().map(|roi| self.clamp_roi(roi)).collect::<Vec<_>>();
                let ids = ids.into_iter().map(|roi| self.beads.add(roi)).collect();
                Ok(self.beads_changed(asker, Some(ids)))
            }
            BeadsCommand::Restore { beads } => self.restore(asker, &beads),
            BeadsCommand::Move { moves } => {
                self.beads.require(moves.iter().map(|m| m.0), "move beads")?;
                for (bead, roi) in moves {
                    let roi = self.clamp_roi(roi);
                    self.beads.beads.entry(bead).and_modify(|b| b.roi = roi);
                }
                Ok(self.beads_changed(asker, None))
            }
            BeadsCommand::Remove { beads } => {
                self.beads.require(beads.iter().copied(), "remove beads")?;
                self.beads.beads.retain(|b, _| !beads.contains(b));
                Ok(self.beads_changed(asker, None))
            }
            BeadsCommand::RemoveAll => {
                self.beads.beads.clear();
                Ok(self.beads_changed(asker, None))
            }
            BeadsCommand::Renumber => {
                self.refuse_while_recording("number the beads anew")?;
                self.refuse_while_held("number the beads anew")?;
                let all = std::mem::take(&mut self.beads.beads);
                self.beads.beads = (0..).zip(all.into_values()).collect();
                self.beads.next = self.beads.beads.len() as u32;
                // What was kept under the old numbers belongs to other beads now.
                self.history.forget(|_| true);
                Ok(self.beads_changed(asker, None))
            }
            BeadsCommand::AddRandom { count, seed } => self.add_random(asker, count, seed),
            BeadsCommand::SetRoiSize { size_px } => self.set_roi_size(asker, size_px),
            BeadsCommand::SetRole { bead, role } => {
                self.beads.require([bead], "give a role")?;
                self.beads.beads.entry(bead).and_modify(|b| b.role = role);
                Ok(Outcome::Done(Answer::Done { from_frame: self.frame_now() }))
            }
            BeadsCommand::Find { finder, seed } => self.find(asker, &finder, seed),
            BeadsCommand::CancelFind => {
                self.beads.searches.iter().filter(|(a, _)| a.0 == asker.client).for_each(|(_, token)| token.cancel());
                Ok(Outcome::Done(Answer::Done { from_frame: None }))
            }
        }
    }

    fn clamp_roi(&self, roi: NewRoi) -> NewRoi {
        match self.camera.format() {
            Some(f) => clamped(roi, self.beads.roi_size_px, f.width_px, f.height_px),
            None => roi,
        }
    }

    fn refuse_too_many(&self, n: usize) -> Result<(), Refusal> {
        if self.beads.beads.len() + n <= MOST_BEADS {
            return Ok(());
        }
        Err(Refusal::new(
            RefusalKind::Invalid,
            format!("cannot add {n} beads"),
            format!("there are {}, at most {MOST_BEADS} are possible", self.beads.beads.len()),
            "remove some first",
        ))
    }

    fn restore(&mut self, asker: &Asker, beads: &[(u32, NewRoi)]) -> Result<Outcome, Refusal> {
        self.refuse_too_many(beads.len())?;
        let mut ids = BTreeSet::new();
        let used = beads.iter().map(|b| b.0).find(|b| *b < self.beads.next || !ids.insert(*b) || *b == u32::MAX);
        if let Some(bead) = used {
            return Err(Refusal::new(
                RefusalKind::Invalid,
                format!("cannot restore bead {bead}"),
                format!("ids are never used again; the next free one is {}", self.beads.next),
                "restore beads into a fresh session, or add them with new ids",
            ));
        }
        for (bead, roi) in beads {
            let roi = self.clamp_roi(*roi);
            self.beads.beads.insert(*bead, Bead { roi, role: BeadRole::Bead });
        }
        self.beads.next = ids.last().map_or(self.beads.next, |b| b + 1);
        Ok(self.beads_changed(asker, Some(ids.into_iter().collect())))
    }

    fn add_random(&mut self, asker: &Asker, count: u32, seed: u64) -> Result<Outcome, Refusal> {
        self.refuse_too_many(count as usize)?;
        let format = self.camera.format().ok_or_else(|| {
            Refusal::new(
                RefusalKind::NotNow,
                "cannot place beads",
                "no camera is open, so frames have no size",
                "open one first",
            )
        })?;
        let size = self.beads.roi_size_px;
        let (w, h) = (format.width_px.saturating_sub(size), format.height_px.saturating_sub(size));
        let mut places: Vec<NewRoi> = self.beads.beads.values().map(|b| b.roi).collect();
        let (there, mut dice, mut tries) = (places.len(), Dice(seed), 0);
        while places.len() < there + count as usize {
            let at = |dice: &mut Dice, last: u32| dice.below(u64::from(last) + 1) as i32;
            let roi = NewRoi { x_px: at(&mut dice, w), y_px: at(&mut dice, h) };
            let far = |o: &NewRoi| o.x_px.abs_diff(roi.x_px) >= size || o.y_px.abs_diff(roi.y_px) >= size;
            if places.iter().all(far) {
                places.push(roi);
                tries = 0;
            } else {
                tries += 1;
            }
            if tries > MOST_TRIES || format.width_px < size || format.height_px < size {
                return Err(Refusal::new(
                    RefusalKind::Invalid,
                    format!("cannot place {count} beads"),
                    format!("there is room for {} of {size} px that do not touch", places.len() - there),
                    "place fewer, or use smaller ROIs",
                ));
            }
        }
        let ids = places[there..].iter().map(|roi| self.beads.add(*roi)).collect();
        Ok(self.beads_changed(asker, Some(ids)))
    }

    fn set_roi_size(&mut self, asker: &Asker, size_px: u32) -> Result<Outcome, Refusal> {
        let thing = format!("cannot make ROIs of {size_px} px");
        if !ROI_SIZES.contains(&size_px) || size_px % 2 == 1 {
            let allowed = format!("sides are even, from {} to {} px", ROI_SIZES.start(), ROI_SIZES.end());
            return Err(Refusal::new(RefusalKind::Invalid, thing, allowed, "choose one of these"));
        }
        self.refuse_while_recording("change the size of ROIs")?;
        self.refuse_while_held("change the size of ROIs")?;
        if self.built.zlut.is_some() {
            let cause = "the Z-LUT in use was made with the ROIs' present size";
            return Err(Refusal::new(RefusalKind::NotNow, thing, cause, "unload the Z-LUT first"));
        }
        let spec = super::build::Spec { roi_size_px: size_px, ..self.spec() };
        Ok(self.try_job(
            asker,
            move || super::build::build(&spec),
            move |control, asker, (built, dropped)| {
                let by = (control.beads.roi_size_px as i32 - size_px as i32) / 2;
                control.beads.roi_size_px = size_px;
                for b in control.beads.beads.values_mut() {
                    b.roi = NewRoi { x_px: b.roi.x_px + by, y_px: b.roi.y_px + by };
                }
                if let Some(f) = control.camera.format() {
                    control.beads.clamp(f.width_px, f.height_px);
                }
                control.install(
                    built,
                    dropped,
                    Box::new(move |control, from_frame| {
                        control.done(&asker, from_frame, Answer::Done { from_frame });
                    }),
                );
            },
        ))
    }

    fn beads_changed(&mut self, asker: &Asker, ids: Option<Vec<u32>>) -> Outcome {
        let program = self.make_program();
        self.switch_with(asker, program, |from_frame| ids.map_or(Answer::Done { from_frame }, Answer::Beads))
    }

    /// What is to be done with frames, with everything as it is now.
    pub(crate) fn make_program(&mut self) -> Program {
        let mut program = (*self.program).clone();
        // A sweep keeps the ROIs that it began with.
        program.plan = self.sweep.frozen().cloned().or_else(|| self.make_plan());
        program.planes = self.built.zlut.as_ref().map(|z| z.planes.clone());
        program
    }

    fn make_plan(&mut self) -> Option<Arc<Plan>> {
        let (chain, format) = (self.built.chain.clone()?, self.camera.format()?);
        if self.beads.is_empty() {
            return None;
        }
        let tables = self.built.zlut.as_ref().map(|z| &z.tables);
        match Plan::of_chain(chain, self.options.optics, tables, self.beads.rois(), &format) {
            Ok(plan) => Some(Arc::new(plan)),
            Err(e) => {
                self.warn(crate::control::Severity::Error, e.into());
                None
            }
        }
    }

    /// Finds beads in the next frame, on a thread of its own: it may take minutes, and nobody waits for it.
    fn find(&mut self, asker: &Asker, finder: &MethodChoice, seed: Option<NewRoi>) -> Result<Outcome, Refusal> {
        let (component, params) = resolve(&self.registry, Kind::Finder, finder)?;
        let Some(ring) = self.camera.running().map(|r| r.ring.clone()) else {
            let thing = "cannot find beads";
            return Err(Refusal::new(
                RefusalKind::NotNow,
                thing,
                "no camera runs, so there is no frame",
                "start it first",
            ));
        };
        let size_px = self.beads.roi_size_px;
        let seed = seed.map(|s| Rect { x_px: s.x_px, y_px: s.y_px, w_px: size_px, h_px: size_px });
        let (asker, inputs) = (asker.clone(), self.inputs.clone());
        let (number, cancel) = ((asker.client, asker.request), CancelToken::new());
        let kept = cancel.clone();
        let work = move || {
            let found = next_picture(&ring).and_then(|image| {
                let finder = BeadFinder::create(&component, &params)?;
                let hits = find_beads(&finder, &image, seed, &cancel, |_| {})?;
                let rois = rois_round(&hits, size_px, &image);
                let bead = |(hit, roi): (&tetherscope_loader::Hit, &Option<Roi>)| FoundBead {
                    x_px: hit.x_px,
                    y_px: hit.y_px,
                    score: hit.score,
                    flags: hit.flags,
                    roi: roi.map(|r| NewRoi { x_px: r.x_px, y_px: r.y_px }),
                };
                Ok(hits.iter().zip(&rois).map(bead).collect())
            });
            let answer = found.map(Answer::Found).map_err(Refusal::from);
            // Without an engine nobody waits for the answer.
            let _ = inputs.send(crate::engine::Input::Beside(Box::new(move |control| {
                control.beads.searches.retain(|(n, _)| *n != number);
                control.reply(&asker, answer);
            })));
        };
        std::thread::Builder::new().name("find".into()).spawn(work).map_err(|e| {
            Refusal::new(RefusalKind::Device, "cannot find beads", format!("a thread: {e}"), "close other programs")
        })?;
        // Its end comes through the inputs, so it can't be there before this.
        self.beads.searches.push((number, kept));
        Ok(Outcome::Later)
    }
}

/// The next frame of a running camera.
fn next_picture(ring: &Arc<Ring>) -> Result<StillImage, RunError> {
    let mut one = ring.subscribe(&SubscribeOptions {
        name: "finder".into(),
        capacity: 1,
        in_hand: 1,
        policy: Policy::NewestOnly,
    })?;
    match one.next(FRAME_WITHIN) {
        Next::Frame(frame) => {
            let Picture { width_px, height_px, significant_bits, pixels, .. } = picture(&frame, ring.format());
            let pixels = match pixels {
                PicturePixels::U8(p) => Pixels::U8(p),
                PicturePixels::U16(p) => Pixels::U16(p),
            };
            Ok(StillImage { width_px, height_px, significant_bits, pixels })
        }
        _ => Err(RunError::refused(
            "cannot find beads",
            format!("no frame came within {} s", FRAME_WITHIN.as_secs()),
            "see whether the camera delivers frames",
        )),
    }
}
