//! The screen Live: the picture with its ROIs, the beads, their traces. What changes an experiment goes to the engine as
//! commands; edits of ROIs can be undone.

mod edit;
mod find;
mod look;
mod profile;
mod view;

use super::{Context, camera, tracker};
use crate::gui::link::{Act, Asked, Link, map_all};
use crate::gui::rois::{Edit, History};
use crate::gui::shown::Shown;
use crate::gui::traces::Traces;
use crate::gui::widget::beads::{BeadRow, Beads, BeadsMessage};
use crate::gui::widget::plot::{PlotEvent, PlotView, Window};
use crate::gui::widget::video::raster::{Mark, RoiMark};
use crate::gui::widget::video::tone::Tone;
use crate::gui::widget::video::transform::Transform;
use crate::gui::widget::video::{Newest, VideoEvent};
use std::collections::BTreeSet;
use std::sync::Arc;
use tetherscope_core::Roi;
use tetherscope_core::control::{
    Answer, BeadRole, BeadView, BeadsCommand, CameraCommand, CameraState, Command, NewRoi, Picture, Refusal, Snapshot,
};

#[cfg(test)]
pub(crate) use find::FindMessage;
pub(crate) use look::LookMessage;

/// Most beads whose traces are drawn at once.
pub(crate) const MOST_CURVES: usize = 8;
/// Where plots begin, and return to.
const PLOT_HOME: PlotView = PlotView { x: Window::Follow(30.0), y: None };
/// Seconds that a plot can follow.
pub(crate) const SPANS_S: [u32; 5] = [5, 30, 120, 600, 3600];

/// What the side shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Side {
    /// The table.
    #[default]
    Beads,
    /// A bead finder.
    Find,
    /// Contrast and overlay.
    Look,
    /// The camera.
    Camera,
    /// The tracker.
    Tracking,
}

/// Frames as the picture shows them: the engine's newest, or the one that was frozen.
pub(crate) struct Source {
    link: Arc<dyn Link>,
    frozen: Option<Arc<Picture>>,
    live: bool,
    shown: Arc<Shown>,
}

impl Newest for Source {
    fn newest(&self) -> Option<Arc<Picture>> {
        self.frozen.clone().or_else(|| self.link.picture())
    }
    fn is_live(&self) -> bool {
        self.live && self.frozen.is_none()
    }
    fn shown(&self) {
        self.shown.note();
    }
}

/// What the screen remembers.
pub(crate) struct State {
    /// The picture's source.
    pub(crate) source: Source,
    transform: Option<Transform>,
    tone: Tone,
    overlay: bool,
    /// Selected beads.
    pub(crate) selected: BTreeSet<u32>,
    marks: Vec<RoiMark>,
    rows: Vec<BeadRow>,
    history: History,
    drag: Option<Drag>,
    table: Beads,
    /// What the side shows.
    pub(crate) side: Side,
    find: find::Find,
    roi_size: Option<String>,
    /// What is plotted.
    pub(crate) traces: Traces,
    /// One view along for all axes, one upwards for each.
    plots: [PlotView; 3],
    clock: bool,
    profile: profile::Profile,
    /// The panel Camera.
    pub(crate) camera: camera::State,
    /// The panel Tracking.
    pub(crate) tracker: tracker::State,
}

/// ROIs that the mouse holds.
#[derive(Debug, Clone)]
struct Drag {
    from: Vec<Roi>,
    by: (f32, f32),
}

/// What the user did.
#[derive(Debug, Clone)]
pub(crate) enum Message {
    /// Over the picture.
    Video(VideoEvent),
    /// In the table.
    Table(BeadsMessage),
    /// Show this at the side.
    Side(Side),
    /// Camera and tracking on or off.
    StartStop,
    /// Take back the last edit.
    Undo,
    /// Do it again.
    Redo,
    /// Select all.
    SelectAll,
    /// Select none.
    SelectNone,
    /// Remove the selected beads.
    Remove,
    /// Remove all beads.
    RemoveAll,
    /// The selected bead becomes the reference, or no longer is.
    Reference,
    /// All of the frame.
    Fit,
    /// Closer, or farther.
    Zoom(f32),
    /// Typed a size of ROIs.
    RoiSize(String),
    /// The size shall hold.
    SetRoiSize,
    /// Keep this picture, or go on.
    Freeze,
    /// In the panel Find.
    Find(find::FindMessage),
    /// In the panel Look.
    Look(LookMessage),
    /// In the plot of an axis.
    Plot(usize, PlotEvent),
    /// Follow the newest points, with this span.
    Span(u32),
    /// Write times as clock times.
    Clock(bool),
    /// In the profile's plot.
    Profile(PlotEvent),
    /// In the panel Camera.
    Camera(camera::Message),
    /// In the panel Tracking.
    Tracker(tracker::Message),
}

/// What became of a bead in its newest row.
fn mark(bead: &BeadView) -> Mark {
    match (&bead.newest, bead.role) {
        (Some(row), _) if row.x_nm.is_nan() => Mark::Lost,
        (_, BeadRole::Reference) => Mark::Reference,
        (None, _) => Mark::Waiting,
        (Some(row), _) if row.flags != 0 => Mark::Flagged,
        (Some(_), _) => Mark::Good,
    }
}

/// The bead that others are shown relative to.
pub(crate) fn reference(snapshot: &Snapshot) -> Option<u32> {
    snapshot.beads.iter().find(|b| b.role == BeadRole::Reference).map(|b| b.bead)
}

/// The ROI of a bead.
fn roi(bead: &BeadView, size_px: u32) -> Roi {
    Roi { bead: bead.bead, x_px: bead.roi.x_px, y_px: bead.roi.y_px, w_px: size_px, h_px: size_px }
}

impl State {
    /// Nothing is selected yet. Traces begin at `zero_utc_ns`.
    pub(crate) fn new(link: Arc<dyn Link>, shown: Arc<Shown>, zero_utc_ns: i64) -> Self {
        Self {
            source: Source { link: link.clone(), frozen: None, live: false, shown },
            transform: None,
            tone: Tone::default(),
            overlay: true,
            selected: BTreeSet::new(),
            marks: Vec::new(),
            rows: Vec::new(),
            history: History::default(),
            drag: None,
            table: Beads::default(),
            side: Side::default(),
            find: find::Find::default(),
            roi_size: None,
            traces: Traces::new(link, zero_utc_ns),
            plots: [PLOT_HOME; 3],
            clock: false,
            profile: profile::Profile::default(),
            camera: camera::State::default(),
            tracker: tracker::State::default(),
        }
    }

    /// Takes a new snapshot over: marks, rows, what is plotted; and asks for what it needs next.
    pub(crate) fn refresh(&mut self, context: Context<'_>) -> Vec<Act<Message>> {
        let snapshot = context.snapshot;
        self.source.live = context.running();
        self.selected.retain(|s| snapshot.beads.iter().any(|b| b.bead == *s));
        self.rows = snapshot.beads.iter().map(|b| row_of(b, snapshot)).collect();
        self.remark(context);
        self.traces.revision = snapshot.revision;
        self.profile.next_question(self.selected.first().copied(), context.running())
    }

    /// Curves of the selected beads, or of the first ones.
    fn replot(&mut self, context: Context<'_>) {
        let minus = reference(context.snapshot);
        let all = context.snapshot.beads.iter().map(|b| b.bead).filter(|b| Some(*b) != minus);
        let wanted: Vec<u32> = if self.selected.is_empty() {
            all.take(3).collect()
        } else {
            self.selected.iter().copied().take(MOST_CURVES).collect()
        };
        self.traces.minus = minus;
        let colors = context.look.curves();
        self.traces.beads = wanted.into_iter().zip(colors).collect();
        self.profile.colors = [colors[0], colors[1]];
    }

    /// ROIs as they are drawn: where they are, or where the mouse holds them, and what a finder found.
    fn remark(&mut self, context: Context<'_>) {
        self.replot(context);
        let size_px = context.snapshot.roi_size_px;
        let frame = context.frame_px().unwrap_or((u32::MAX >> 1, u32::MAX >> 1));
        let mark = |b: &BeadView| {
            let mut place = roi(b, size_px);
            if let Some(drag) = &self.drag
                && let Some(from) = drag.from.iter().find(|r| r.bead == b.bead)
            {
                place = crate::gui::rois::moved(*from, drag.by, frame);
            }
            RoiMark {
                bead: Some(b.bead),
                x_px: place.x_px,
                y_px: place.y_px,
                w_px: size_px,
                h_px: size_px,
                mark: mark(b),
                selected: self.selected.contains(&b.bead),
            }
        };
        let mut marks: Vec<RoiMark> = context.snapshot.beads.iter().map(mark).collect();
        if self.side == Side::Find {
            marks.extend(self.find.candidates(context.snapshot).map(|roi| RoiMark {
                bead: None,
                x_px: roi.x_px,
                y_px: roi.y_px,
                w_px: size_px,
                h_px: size_px,
                mark: Mark::Waiting,
                selected: false,
            }));
        }
        self.marks = marks;
    }

    /// The rig had a finder asked.
    pub(crate) fn looks_for_beads(&mut self) {
        self.find.asked();
    }

    /// Takes what the user did.
    pub(crate) fn update(&mut self, message: Message, context: Context<'_>) -> Vec<Act<Message>> {
        let acts = match message {
            Message::Video(event) => self.on_video(event, context),
            Message::Table(message) => {
                self.table.update(&message);
                if let BeadsMessage::Clicked(bead) = message {
                    self.click(bead, false);
                }
                Vec::new()
            }
            Message::Side(side) => {
                self.side = side;
                Vec::new()
            }
            Message::StartStop => match context.snapshot.camera.state {
                CameraState::Running => send_camera(CameraCommand::Stop),
                CameraState::Open => send_camera(CameraCommand::Start),
                _ => {
                    // None is open: the one that is chosen is opened first.
                    let mut acts = map_all(self.camera.update(camera::Message::Open, context), Message::Camera);
                    acts.extend(send_camera(CameraCommand::Start));
                    acts
                }
            },
            Message::Undo => self.history.undo().map(|e| self.replay(e)).unwrap_or_default(),
            Message::Redo => self.history.redo().map(|e| self.replay(e)).unwrap_or_default(),
            Message::SelectAll => {
                self.selected = context.snapshot.beads.iter().map(|b| b.bead).collect();
                Vec::new()
            }
            Message::SelectNone => {
                self.selected.clear();
                Vec::new()
            }
            Message::Remove => self.remove(&self.selected.clone(), context),
            Message::RemoveAll => self.remove(&context.snapshot.beads.iter().map(|b| b.bead).collect(), context),
            Message::Reference => self.toggle_reference(context),
            Message::Fit => {
                self.transform = None;
                Vec::new()
            }
            Message::Zoom(factor) => {
                self.zoom_in_the_middle(factor, context);
                Vec::new()
            }
            Message::RoiSize(text) => {
                self.roi_size = Some(text);
                Vec::new()
            }
            Message::SetRoiSize => self.set_roi_size(),
            Message::Freeze => {
                let frozen = self.source.frozen.take();
                self.source.frozen = if frozen.is_some() { None } else { self.source.link.picture() };
                Vec::new()
            }
            Message::Find(message) => map_all(self.find.update(message, &self.selected, context), Message::Find),
            Message::Look(message) => self.on_look(message),
            Message::Plot(axis, event) => {
                self.on_plot(axis, event);
                Vec::new()
            }
            Message::Span(seconds) => {
                self.plots.iter_mut().for_each(|p| p.x = Window::Follow(seconds.into()));
                Vec::new()
            }
            Message::Clock(on) => {
                self.clock = on;
                Vec::new()
            }
            Message::Profile(event) => {
                self.profile.on_plot(event);
                Vec::new()
            }
            Message::Camera(message) => map_all(self.camera.update(message, context), Message::Camera),
            Message::Tracker(message) => map_all(self.tracker.update(message, context), Message::Tracker),
        };
        self.remark(context);
        acts
    }

    /// Time is one for all axes, height is each one's own.
    fn on_plot(&mut self, axis: usize, event: PlotEvent) {
        let after = self.plots[axis].after(event, PLOT_HOME);
        self.plots.iter_mut().for_each(|p| p.x = after.x);
        self.plots[axis].y = after.y;
    }

    fn set_roi_size(&mut self) -> Vec<Act<Message>> {
        let Some(text) = self.roi_size.take() else { return Vec::new() };
        match text.trim().parse() {
            Ok(size_px) => {
                vec![Act::Send(Command::Beads(BeadsCommand::SetRoiSize { size_px }), Asked::Nothing)]
            }
            Err(_) => {
                let text =
                    format!("cannot set the size of ROIs\n`{text}` is no whole number\ngive an even one from 8 to 512");
                vec![Act::Tell(crate::gui::notices::Weight::Error, text)]
            }
        }
    }

    /// Takes a reply to one of this screen's commands.
    pub(crate) fn on_reply(&mut self, asked: &Asked, answer: &Result<Answer, Refusal>, context: Context<'_>) {
        match (asked, answer) {
            (Asked::Added(Edit::Add(rois)), Ok(Answer::Beads(ids))) => {
                let named: Vec<Roi> = rois.iter().zip(ids).map(|(r, id)| Roi { bead: *id, ..*r }).collect();
                self.selected = ids.iter().copied().collect();
                self.history.did(Edit::Add(named));
                self.find.added();
                // What became of them stands in the table.
                if self.side == Side::Find {
                    self.side = Side::Beads;
                }
            }
            (Asked::Restored(Edit::Add(rois)), Ok(Answer::Beads(ids))) => {
                let renamed: Vec<(u32, u32)> = rois.iter().map(|r| r.bead).zip(ids.iter().copied()).collect();
                self.history.renamed(&renamed);
                self.selected = ids.iter().copied().collect();
            }
            (Asked::Edited(edit), Ok(_)) => self.history.did(edit.clone()),
            (Asked::Found, answer) => self.find.on_reply(answer),
            (Asked::Profile, answer) => self.profile.on_reply(answer),
            _ => {}
        }
        self.remark(context);
    }

    /// How beads are selected by a click.
    fn click(&mut self, bead: u32, more: bool) {
        if more {
            if !self.selected.remove(&bead) {
                self.selected.insert(bead);
            }
        } else {
            self.selected = BTreeSet::from([bead]);
        }
    }

    /// A click in the table with Ctrl held; the window knows of the key.
    pub(crate) fn click_more(&mut self, bead: u32, context: Context<'_>) {
        self.click(bead, true);
        self.remark(context);
    }
}

/// A bead's newest row, relative to the reference if both are of the same frame.
fn row_of(bead: &BeadView, snapshot: &Snapshot) -> BeadRow {
    let minus = reference(snapshot).filter(|r| *r != bead.bead);
    let other = minus.and_then(|m| snapshot.beads.iter().find(|b| b.bead == m)?.newest);
    let (mut x_nm, mut y_nm, mut z_nm) = (f64::NAN, f64::NAN, f64::NAN);
    let (mut sigma_nm, mut quality, mut flags) = (f32::NAN, f32::NAN, 0);
    if let Some(row) = &bead.newest {
        (x_nm, y_nm, z_nm) = (row.x_nm, row.y_nm, row.z_nm);
        if minus.is_some() {
            let other = other.filter(|o| o.frame == row.frame);
            let less =
                |v: f64, f: fn(&tetherscope_core::control::NewestRow) -> f64| v - other.as_ref().map_or(f64::NAN, f);
            (x_nm, y_nm, z_nm) = (less(x_nm, |o| o.x_nm), less(y_nm, |o| o.y_nm), less(z_nm, |o| o.z_nm));
        }
        let sigma = if row.sigma_z_nm.is_nan() { row.sigma_x_nm } else { row.sigma_z_nm };
        (sigma_nm, quality, flags) = (sigma as f32, row.quality as f32, row.flags);
    }
    BeadRow { bead: bead.bead, x_nm, y_nm, z_nm, sigma_nm, quality, flags, mark: mark(bead) }
}

fn send_camera(command: CameraCommand) -> Vec<Act<Message>> {
    vec![Act::Send(Command::Camera(command), Asked::Nothing)]
}

/// Where a ROI is, for the engine.
fn place(roi: &Roi) -> NewRoi {
    NewRoi { x_px: roi.x_px, y_px: roi.y_px }
}
