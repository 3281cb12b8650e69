//! ROIs by mouse and keys: placed, moved, removed, selected; each edit with its undo.

use super::{Context, Drag, Message, State, place, reference, roi};
use crate::gui::link::{Act, Asked};
use crate::gui::rois::{self, Edit};
use crate::gui::widget::video::VideoEvent;
use crate::gui::widget::video::transform::Transform;
use std::collections::BTreeSet;
use tetherscope_core::Roi;
use tetherscope_core::control::{BeadRole, BeadsCommand, Command};

fn beads(command: BeadsCommand, asked: Asked) -> Vec<Act<Message>> {
    vec![Act::Send(Command::Beads(command), asked)]
}

/// The command that carries out an edit.
fn command(edit: &Edit) -> BeadsCommand {
    match edit {
        Edit::Add(rois) => BeadsCommand::Add { rois: rois.iter().map(place).collect() },
        Edit::Remove(rois) => BeadsCommand::Remove { beads: rois.iter().map(|r| r.bead).collect() },
        Edit::Move(pairs) => BeadsCommand::Move { moves: pairs.iter().map(|(_, to)| (to.bead, place(to))).collect() },
    }
}

impl State {
    /// What the mouse did over the picture.
    pub(super) fn on_video(&mut self, event: VideoEvent, context: Context<'_>) -> Vec<Act<Message>> {
        match event {
            VideoEvent::Zoomed { at, factor, shown } => {
                let now = self.transform.unwrap_or(shown.transform);
                self.transform = Some(now.zoomed(at, factor, shown.frame, shown.widget));
            }
            VideoEvent::Panned { by, shown } => {
                self.transform = Some(self.transform.unwrap_or(shown.transform).panned(by, shown.frame));
            }
            VideoEvent::ClickedEmpty { at } => return self.place_bead(at, context),
            VideoEvent::ClickedRoi { bead, more } => self.click(bead, more),
            VideoEvent::RightClicked { bead } => return self.remove(&BTreeSet::from([bead]), context),
            VideoEvent::Dragged { bead, by } => self.drag(bead, by, context),
            VideoEvent::Dropped => return self.drop_rois(context),
            VideoEvent::Boxed { from, to, more } => {
                if !more {
                    self.selected.clear();
                }
                let half = context.snapshot.roi_size_px as f32 / 2.0;
                let inside = |x: i32, y: i32| {
                    let (x, y) = (x as f32 + half, y as f32 + half);
                    x >= from.0 && x <= to.0 && y >= from.1 && y <= to.1
                };
                let hit = context.snapshot.beads.iter().filter(|b| inside(b.roi.x_px, b.roi.y_px));
                self.selected.extend(hit.map(|b| b.bead));
            }
        }
        Vec::new()
    }

    fn place_bead(&mut self, at: (f32, f32), context: Context<'_>) -> Vec<Act<Message>> {
        let Some(frame) = context.frame_px() else { return Vec::new() };
        // Outside the picture nothing is meant.
        if at.0 < -0.5 || at.1 < -0.5 || at.0 > frame.0 as f32 - 0.5 || at.1 > frame.1 as f32 - 0.5 {
            return Vec::new();
        }
        let size_px = context.snapshot.roi_size_px;
        let Some(roi) = rois::round(0, at, size_px, frame) else {
            let text = format!(
                "cannot place a ROI\nit has {size_px} × {size_px} px, the frame {} × {}\nmake ROIs smaller",
                frame.0, frame.1
            );
            return vec![Act::Tell(crate::gui::notices::Weight::Error, text)];
        };
        let edit = Edit::Add(vec![roi]);
        beads(command(&edit), Asked::Added(edit))
    }

    /// The ROI that was dragged, and all that are selected with it.
    fn drag(&mut self, bead: u32, by: (f32, f32), context: Context<'_>) {
        if self.drag.is_none() {
            if !self.selected.contains(&bead) {
                self.selected = BTreeSet::from([bead]);
            }
            let size_px = context.snapshot.roi_size_px;
            let held = context.snapshot.beads.iter().filter(|b| self.selected.contains(&b.bead));
            self.drag = Some(Drag { from: held.map(|b| roi(b, size_px)).collect(), by: (0.0, 0.0) });
        }
        if let Some(drag) = &mut self.drag {
            drag.by = (drag.by.0 + by.0, drag.by.1 + by.1);
        }
    }

    fn drop_rois(&mut self, context: Context<'_>) -> Vec<Act<Message>> {
        let (Some(drag), Some(frame)) = (self.drag.take(), context.frame_px()) else { return Vec::new() };
        let pairs: Vec<(Roi, Roi)> =
            drag.from.iter().map(|r| (*r, rois::moved(*r, drag.by, frame))).filter(|(a, b)| a != b).collect();
        if pairs.is_empty() {
            return Vec::new();
        }
        let edit = Edit::Move(pairs);
        beads(command(&edit), Asked::Edited(edit))
    }

    pub(super) fn remove(&mut self, which: &BTreeSet<u32>, context: Context<'_>) -> Vec<Act<Message>> {
        let size_px = context.snapshot.roi_size_px;
        let gone = context.snapshot.beads.iter().filter(|b| which.contains(&b.bead));
        let edit = Edit::Remove(gone.map(|b| roi(b, size_px)).collect());
        if edit == Edit::Remove(Vec::new()) {
            return Vec::new();
        }
        beads(command(&edit), Asked::Edited(edit))
    }

    /// Carries out an edit that was undone or is done again. Beads that come back get new ids: ids are never re-used.
    pub(super) fn replay(&mut self, edit: Edit) -> Vec<Act<Message>> {
        let asked = if matches!(edit, Edit::Add(_)) { Asked::Restored(edit.clone()) } else { Asked::Replayed };
        beads(command(&edit), asked)
    }

    pub(super) fn toggle_reference(&mut self, context: Context<'_>) -> Vec<Act<Message>> {
        let now = reference(context.snapshot);
        let Some(bead) = self.selected.first().copied().or(now) else { return Vec::new() };
        let set = |bead, role| Act::Send(Command::Beads(BeadsCommand::SetRole { bead, role }), Asked::Nothing);
        match now {
            Some(was) if was == bead => vec![set(bead, BeadRole::Bead)],
            Some(was) => vec![set(was, BeadRole::Bead), set(bead, BeadRole::Reference)],
            None => vec![set(bead, BeadRole::Reference)],
        }
    }

    /// Zoom by keys: the middle stays.
    pub(super) fn zoom_in_the_middle(&mut self, factor: f32, context: Context<'_>) {
        let Some((w, h)) = context.frame_px() else { return };
        let frame = (w as f32, h as f32);
        // The size of the widget is not known here; of what fits, one pixel each is a fair start.
        let now = self.transform.unwrap_or_else(|| Transform::fit(frame, frame));
        self.transform = Some(now.zoomed((now.x_px, now.y_px), factor, frame, (frame.0 / 2.0, frame.1 / 2.0)));
    }
}
