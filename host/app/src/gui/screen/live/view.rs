//! How Live is laid out: toolbar, picture and side above, traces and profile below.

use super::super::{Context, hint, quiet};
use super::{Message, SPANS_S, Side, State};
use crate::gui::theme;
use crate::gui::traces::{Axis, OneAxis};
use crate::gui::widget::plot::{Plot, PlotLook, XAxis};
use crate::gui::widget::video::{Look, VideoView};
use iced::widget::{button, column, container, row, space, text, text_input, toggler};
use iced::{Alignment, Element, Length};
use tetherscope_core::control::CameraState;

const SIDES: [(Side, &str); 5] = [
    (Side::Beads, "Beads"),
    (Side::Find, "Find"),
    (Side::Look, "Picture"),
    (Side::Camera, "Camera"),
    (Side::Tracking, "Tracking"),
];

impl State {
    /// How the picture is drawn.
    pub(crate) fn look(&self, context: Context<'_>) -> Look {
        Look {
            transform: self.transform,
            tone: self.tone,
            nm_per_px: context.snapshot.optics.nm_per_px,
            scale: context.scale,
            overlay: self.overlay,
            period: context.period,
        }
    }

    /// The ROIs as they are drawn.
    pub(crate) fn marks(&self) -> &[crate::gui::widget::video::raster::RoiMark] {
        &self.marks
    }

    /// The screen.
    pub(crate) fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let video: Element<'_, Message> =
            VideoView::new(&self.source, self.look(context), &self.marks, Message::Video).into();
        let video = container(video).id("video").width(Length::Fill).height(Length::Fill);
        let tabs = row(SIDES.map(|(side, name)| {
            let tab = button(text(name).size(13)).padding([4, 10]).style(theme::tab(self.side == side));
            tab.on_press(Message::Side(side)).into()
        }))
        .spacing(2);
        let side = container(column![tabs, self.side(context)].spacing(6))
            .padding(6)
            .width(Length::Fixed(430.0))
            .height(Length::Fill)
            .style(theme::panel);
        let above = row![video, side].spacing(6).height(Length::FillPortion(5));
        let below = container(self.plots(context)).height(Length::FillPortion(3));
        column![self.toolbar(context), above, below].spacing(6).padding(6).into()
    }

    fn toolbar<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let (can_undo, can_redo) = self.history.can();
        let running = context.running();
        let start = button(text(if running { "Stop camera" } else { "Start camera" }).size(13))
            .padding([4, 12])
            .style(if running { theme::quiet } else { button::primary })
            .on_press(Message::StartStop);
        let size = self.roi_size.clone().unwrap_or_else(|| context.snapshot.roi_size_px.to_string());
        let size = text_input("", &size)
            .id("roi-size")
            .size(13)
            .padding(4)
            .width(Length::Fixed(48.0))
            .on_input(Message::RoiSize)
            .on_submit(Message::SetRoiSize);
        let some = !self.selected.is_empty();
        let n = context.snapshot.beads.len();
        let frozen = self.source.frozen.is_some();
        row![
            start,
            text("ROI").size(13),
            size,
            text("px").size(13),
            quiet("Undo", can_undo.then_some(Message::Undo)),
            quiet("Redo", can_redo.then_some(Message::Redo)),
            quiet("Remove", some.then_some(Message::Remove)),
            quiet("Remove all", (n > 0).then_some(Message::RemoveAll)),
            quiet("Reference", (some || super::reference(context.snapshot).is_some()).then_some(Message::Reference)),
            quiet("Fit", self.transform.map(|_| Message::Fit)),
            quiet(if frozen { "Go on" } else { "Freeze" }, Some(Message::Freeze)),
            space().width(Length::Fill),
            text(self.status(context)).size(13),
        ]
        .spacing(6)
        .align_y(Alignment::Center)
        .into()
    }

    fn status(&self, context: Context<'_>) -> String {
        let h = &context.snapshot.health;
        match &context.snapshot.camera.state {
            CameraState::Running => format!(
                "{} beads, {} selected   {:.0} frames/s   {:.0} ROIs/s   frame {}",
                context.snapshot.beads.len(),
                self.selected.len(),
                h.frame_rate_hz,
                h.rois_per_s,
                h.newest_frame.map_or_else(|| "–".to_owned(), |f| f.to_string())
            ),
            CameraState::Open => "the camera is open and stands: press Start camera".into(),
            CameraState::Closed => "no camera is open: see Camera at the side".into(),
            CameraState::Failed(_) => "the camera failed: see Camera at the side".into(),
            CameraState::Lost(_) => "the camera is gone; it is looked for".into(),
        }
    }

    fn side<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        match self.side {
            Side::Beads if self.rows.is_empty() => {
                column![hint("no beads yet: click a bead in the picture, or let Find look for them")].padding(8).into()
            }
            Side::Beads => self.table.view(&self.rows, &self.selected).map(Message::Table),
            Side::Find => self.find.view(&self.selected, context).map(Message::Find),
            Side::Look => self.look_view(context).map(Message::Look),
            Side::Camera => self.camera.view(context).map(Message::Camera),
            Side::Tracking => self.tracker.view(context).map(Message::Tracker),
        }
    }

    fn plots<'a>(&'a self, context: Context<'a>) -> Element<'a, Message> {
        let axes = [(Axis::X, "x / nm"), (Axis::Y, "y / nm"), (Axis::Z, "z / nm")];
        let time = if self.clock { XAxis::Clock(self.traces.zero_utc_ns) } else { XAxis::BeforeNow };
        let plot = |(i, (axis, y_name)): (usize, (Axis, &'static str))| {
            let no_z = axis == Axis::Z && context.snapshot.zlut.is_none();
            let empty = match () {
                () if context.snapshot.beads.is_empty() => "no beads yet",
                () if no_z => "no z without a Z-LUT: see Z-LUT above",
                () => "no rows yet",
            };
            let look =
                PlotLook { view: self.plots[i], x_axis: time, numbered: i == 2, y_name, empty, scale: context.scale };
            let curves = OneAxis { traces: &self.traces, axis };
            let plot: Element<'_, Message> = Plot::owned(curves, look, move |e| Message::Plot(i, e)).into();
            container(plot).height(Length::FillPortion(if i == 2 { 6 } else { 5 })).into()
        };
        let traces = column(axes.into_iter().enumerate().map(plot)).width(Length::FillPortion(5));
        let spans = row(SPANS_S.map(|s| {
            let label = if s < 60 { format!("{s} s") } else { format!("{} min", s / 60) };
            quiet(label, Some(Message::Span(s)))
        }))
        .spacing(3);
        let minus = match self.traces.minus {
            Some(m) => format!("minus reference {m}"),
            None => "absolute; R makes the selected bead the reference".into(),
        };
        let clock = toggler(self.clock).label("clock time").text_size(12).size(14).on_toggle(Message::Clock);
        let head = row![text("Traces").size(13), spans, clock, hint(minus)].spacing(8).align_y(Alignment::Center);
        let look = PlotLook {
            view: self.profile.view,
            x_axis: XAxis::Number,
            numbered: true,
            y_name: "",
            empty: if self.selected.is_empty() { "select a bead" } else { "no profile yet" },
            scale: context.scale,
        };
        let profile: Element<'_, Message> = Plot::new(&self.profile, look, Message::Profile).into();
        let profile = column![
            text("Radial profile of the selected bead: intensity over radius / px").size(13),
            container(profile).height(Length::Fill),
        ]
        .spacing(4)
        .width(Length::FillPortion(2));
        row![column![head, traces].spacing(4).width(Length::FillPortion(5)), profile].spacing(6).into()
    }
}
