//! A look into a Z-LUT file: profiles against focus as colours, how it was made, and where its z is biased. It reads the file
//! and changes nothing.

use super::super::{Context, hint, scrolled};
use super::bias::Bias;
use crate::gui::job::{self, Tell};
use crate::gui::link::Act;
use crate::gui::widget::heat::Heat;
use crate::gui::widget::plot::{Plot, PlotEvent, PlotLook, XAxis};
use iced::widget::{column, container, pick_list, row, slider, text};
use iced::{Alignment, Element, Length};
use std::path::PathBuf;
use std::sync::Arc;
use tetherscope_core::BiasReport;
use tetherscope_files::{StoredZlut, ZlutTable};

/// What was opened.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    path: Option<PathBuf>,
    file: Option<Result<Arc<StoredZlut>, String>>,
    table: usize,
    plane: usize,
    bias: Option<Bias>,
    /// Tables that were looked at.
    n_looked: u64,
}

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum FileMessage {
    /// Look into this file.
    Open(PathBuf),
    /// It was read.
    Read(PathBuf, Result<Arc<StoredZlut>, String>),
    /// Show this table.
    Table(TableName),
    /// Mark this plane.
    Plane(u32),
    /// In the plot of the bias.
    Bias(PlotEvent),
}

/// A table in a pick list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableName {
    index: usize,
    bead: Option<u32>,
}

impl std::fmt::Display for TableName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.bead {
            Some(bead) => write!(f, "bead {bead}"),
            None => f.write_str("any bead"),
        }
    }
}

fn tables(file: &StoredZlut) -> &[ZlutTable] {
    match file {
        StoredZlut::Own(f) => &f.tables,
        StoredZlut::MagScope(t) => std::slice::from_ref(t),
    }
}

impl Opened {
    /// Reads a file on a thread of its own.
    pub(super) fn open(&mut self, path: PathBuf) -> Act<FileMessage> {
        self.path = Some(path.clone());
        Act::Run(job::start("zlut file", move |tell: Tell<FileMessage>| {
            let read = tetherscope_files::read_zlut(&path).map(Arc::new).map_err(|e| e.to_string());
            tell.tell(FileMessage::Read(path, read));
        }))
    }

    /// Reads a file at once.
    pub(super) fn open_now(&mut self, path: PathBuf) {
        self.path = Some(path.clone());
        let read = tetherscope_files::read_zlut(&path).map(Arc::new).map_err(|e| e.to_string());
        self.update(FileMessage::Read(path, read));
    }

    /// Takes what happened.
    pub(super) fn update(&mut self, message: FileMessage) -> Option<Act<FileMessage>> {
        match message {
            FileMessage::Open(path) => return Some(self.open(path)),
            // One that was asked for before the last one comes too late.
            FileMessage::Read(path, read) if self.path.as_ref() == Some(&path) => {
                self.file = Some(read);
                self.choose(0);
            }
            FileMessage::Read(..) => {}
            FileMessage::Table(name) => self.choose(name.index),
            FileMessage::Bias(event) => {
                if let Some(bias) = &mut self.bias {
                    bias.on_plot(event);
                }
            }
            FileMessage::Plane(plane) => self.plane = plane as usize,
        }
        None
    }

    fn choose(&mut self, table: usize) {
        (self.table, self.plane, self.bias) = (table, 0, None);
        self.n_looked += 1;
        if let Some(Ok(file)) = &self.file
            && let StoredZlut::Own(own) = file.as_ref()
            && let Some(table) = own.tables.get(table)
        {
            let report = own.report.as_ref().and_then(BiasReport::from_json);
            self.bias = report.and_then(|r| Bias::of(&r, table.bead, self.n_looked));
        }
    }

    /// The panel.
    pub(super) fn view<'a>(&'a self, context: Context<'a>) -> Element<'a, FileMessage> {
        let title = text("A look into a Z-LUT").size(16);
        let path = self.path.as_ref().map(|p| p.display().to_string()).unwrap_or_default();
        match &self.file {
            None => column![title, hint("load or open a file: its profiles against focus are shown here")].into(),
            Some(Err(why)) => column![title, text(path).size(13), text(why).size(13).style(text::danger)].into(),
            Some(Ok(file)) => {
                let list = tables(file);
                let Some(table) = list.get(self.table) else { return title.into() };
                let names: Vec<TableName> =
                    list.iter().enumerate().map(|(index, t)| TableName { index, bead: t.bead }).collect();
                let chosen = names.get(self.table).copied();
                let choose = pick_list(names, chosen, FileMessage::Table).text_size(13).padding(4);
                let z = table.z_nm.get(self.plane).copied().unwrap_or(f64::NAN);
                let last = table.n_planes().saturating_sub(1) as u32;
                let plane = row![
                    text("plane").size(13),
                    slider(0..=last, self.plane as u32, FileMessage::Plane),
                    text(format!("{} of {}, {z:.0} nm", self.plane + 1, table.n_planes())).size(13),
                ]
                .spacing(8)
                .align_y(Alignment::Center);
                let heat: Element<'_, FileMessage> =
                    Heat::new(&table.profiles, table.n_bins(), Some(self.plane), context.scale).into();
                let (from, to) = (table.z_nm.first().copied(), table.z_nm.last().copied());
                let axis = |z: Option<f64>| text(z.map_or_else(String::new, |z| format!("{z:.0} nm"))).size(12);
                let scale = column![axis(to), iced::widget::space().height(Length::Fill), axis(from)]
                    .width(Length::Fixed(64.0));
                let map = row![scale, container(heat).id("heat").width(Length::Fill).height(Length::Fill)]
                    .height(Length::FillPortion(3));
                let lines = self.bias.iter().flat_map(|b| &b.lines).cloned().chain(about(file));
                let about = scrolled(column(lines.map(|l| text(l).size(13).into())).spacing(3).width(Length::Fill));
                let mut list = column![
                    title,
                    text(path).size(13),
                    row![choose, plane].spacing(10).align_y(Alignment::Center),
                    map,
                    hint("profiles: bins outwards →, focus upwards; purple has no number"),
                ]
                .spacing(6);
                if let Some(bias) = self.bias.as_ref().filter(|b| !b.is_empty()) {
                    let look = PlotLook {
                        view: bias.view,
                        x_axis: XAxis::Number,
                        numbered: true,
                        y_name: "",
                        empty: "",
                        scale: context.scale,
                    };
                    let plot: Element<'_, FileMessage> = Plot::new(bias, look, FileMessage::Bias).into();
                    list = list.push(text("Bias of z over focus, both in nm, from held-out frames").size(13));
                    list = list.push(container(plot).id("bias").height(Length::FillPortion(2)));
                }
                list.push(container(about).height(Length::FillPortion(2))).into()
            }
        }
    }
}

/// `2026-11-28T03:27:37.198737973Z` as people write it.
fn to_the_second(utc: &str) -> String {
    utc.split(['.', 'Z']).next().unwrap_or(utc).replace('T', " ")
}

/// How it was made, line by line.
fn about(file: &StoredZlut) -> Vec<String> {
    let StoredZlut::Own(file) = file else {
        return vec!["a table of MagScope: nothing is known of how it was made".into()];
    };
    let s = &file.settings;
    let mut lines = vec![
        format!("made {} UTC by Tetherscope {}", to_the_second(&file.created_utc), file.program_version),
        format!("tracker {} {}, strategy {} {}", s.tracker.id, s.tracker.version, s.strategy.id, s.strategy.version),
        format!(
            "ROI {} × {} px, {} nm/px, focal-shift factor {}",
            s.roi_w_px, s.roi_h_px, s.nm_per_px, s.focal_shift_factor
        ),
    ];
    if !file.notes.is_empty() {
        lines.push(format!("note: {}", file.notes));
    }
    if file.report.as_ref().and_then(BiasReport::from_json).is_none() {
        lines.push("the file says nothing of bias that this program can read".into());
    }
    lines
}
