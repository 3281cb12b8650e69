//! Changes of ROIs that can be taken back: what was done, and its opposite. The ROIs themselves are the engine's; this only
//! remembers edits.

use tetherscope_core::Roi;

/// Most edits that are remembered.
const MOST: usize = 200;

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Edit {
    /// These were put there.
    Add(Vec<Roi>),
    /// These were taken away.
    Remove(Vec<Roi>),
    /// These were moved: before, after.
    Move(Vec<(Roi, Roi)>),
}

impl Edit {
    /// What takes it back.
    pub(crate) fn opposite(&self) -> Self {
        match self {
            Edit::Add(rois) => Edit::Remove(rois.clone()),
            Edit::Remove(rois) => Edit::Add(rois.clone()),
            Edit::Move(pairs) => Edit::Move(pairs.iter().map(|(a, b)| (*b, *a)).collect()),
        }
    }
}

/// What was done and undone.
#[derive(Debug, Default)]
pub(crate) struct History {
    done: Vec<Edit>,
    undone: Vec<Edit>,
}

impl History {
    /// Something new was done: what was undone before can't be done again.
    pub(crate) fn did(&mut self, edit: Edit) {
        self.undone.clear();
        self.done.push(edit);
        let over = self.done.len().saturating_sub(MOST);
        self.done.drain(..over);
    }

    /// The edit to carry out in order to undo.
    pub(crate) fn undo(&mut self) -> Option<Edit> {
        let edit = self.done.pop()?;
        let opposite = edit.opposite();
        self.undone.push(edit);
        Some(opposite)
    }

    /// The edit to carry out again.
    pub(crate) fn redo(&mut self) -> Option<Edit> {
        let edit = self.undone.pop()?;
        self.done.push(edit.clone());
        Some(edit)
    }

    /// Beads have come back under new ids: edits that name the old ones mean the new.
    pub(crate) fn renamed(&mut self, renamed: &[(u32, u32)]) {
        let new = |roi: &mut Roi| {
            if let Some((_, id)) = renamed.iter().find(|(old, _)| *old == roi.bead) {
                roi.bead = *id;
            }
        };
        for edit in self.done.iter_mut().chain(&mut self.undone) {
            match edit {
                Edit::Add(rois) | Edit::Remove(rois) => rois.iter_mut().for_each(new),
                Edit::Move(pairs) => pairs.iter_mut().for_each(|(a, b)| {
                    new(a);
                    new(b);
                }),
            }
        }
    }

    /// Whether there is something to undo, and to redo.
    pub(crate) fn can(&self) -> (bool, bool) {
        (!self.done.is_empty(), !self.undone.is_empty())
    }
}

/// A square ROI with its middle at a point of the frame, pushed inside; none if it doesn't fit at all.
pub(crate) fn round(bead: u32, (x_px, y_px): (f32, f32), size_px: u32, frame: (u32, u32)) -> Option<Roi> {
    if size_px == 0 || size_px > frame.0 || size_px > frame.1 {
        return None;
    }
    let corner = |at: f32, limit: u32| {
        let first = (at + 0.5 - size_px as f32 / 2.0).round() as i32;
        first.clamp(0, (limit - size_px) as i32)
    };
    Some(Roi { bead, x_px: corner(x_px, frame.0), y_px: corner(y_px, frame.1), w_px: size_px, h_px: size_px })
}

/// A ROI moved by pixels of the frame, kept inside.
pub(crate) fn moved(roi: Roi, (dx, dy): (f32, f32), frame: (u32, u32)) -> Roi {
    let along = |at: i32, by: f32, size: u32, limit: u32| {
        (at + by.round() as i32).clamp(0, (limit as i32 - size as i32).max(0))
    };
    Roi { x_px: along(roi.x_px, dx, roi.w_px, frame.0), y_px: along(roi.y_px, dy, roi.h_px, frame.1), ..roi }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roi(bead: u32, x_px: i32) -> Roi {
        Roi { bead, x_px, y_px: 0, w_px: 10, h_px: 10 }
    }

    #[test]
    fn undo_and_redo_go_back_and_forth_until_something_new_is_done() {
        let mut history = History::default();
        history.did(Edit::Add(vec![roi(0, 0)]));
        history.did(Edit::Move(vec![(roi(0, 0), roi(0, 5))]));
        assert_eq!(history.undo(), Some(Edit::Move(vec![(roi(0, 5), roi(0, 0))])));
        assert_eq!(history.undo(), Some(Edit::Remove(vec![roi(0, 0)])));
        assert_eq!(history.undo(), None);
        assert_eq!(history.redo(), Some(Edit::Add(vec![roi(0, 0)])));
        assert_eq!(history.can(), (true, true));
        history.did(Edit::Remove(vec![roi(0, 0)]));
        assert_eq!(history.can(), (true, false));
        assert_eq!(history.redo(), None);
    }

    #[test]
    fn edits_follow_beads_that_came_back_under_new_ids() {
        let mut history = History::default();
        history.did(Edit::Move(vec![(roi(3, 0), roi(3, 5))]));
        history.did(Edit::Remove(vec![roi(3, 5)]));
        assert_eq!(history.undo(), Some(Edit::Add(vec![roi(3, 5)])));
        history.renamed(&[(3, 8)]);
        assert_eq!(history.undo(), Some(Edit::Move(vec![(roi(8, 5), roi(8, 0))])));
        history.redo();
        assert_eq!(history.redo(), Some(Edit::Remove(vec![roi(8, 5)])));
    }

    #[test]
    fn the_history_has_an_end() {
        let mut history = History::default();
        (0..MOST as u32 + 9).for_each(|i| history.did(Edit::Add(vec![roi(i, 0)])));
        assert_eq!((0..).take_while(|_| history.undo().is_some()).count(), MOST);
    }

    #[test]
    fn rois_stay_inside_the_frame() {
        let middle = round(3, (49.5, 49.5), 10, (100, 100)).unwrap();
        assert_eq!((middle.x_px, middle.y_px), (45, 45));
        assert_eq!(round(3, (2.0, 99.0), 10, (100, 100)).map(|r| (r.x_px, r.y_px)), Some((0, 90)));
        assert_eq!(round(3, (2.0, 99.0), 101, (100, 200)), None);
        assert_eq!(moved(middle, (1000.0, -0.4), (100, 100)).x_px, 90);
        assert_eq!(moved(middle, (-7.6, 0.0), (100, 100)).x_px, 37);
    }
}
