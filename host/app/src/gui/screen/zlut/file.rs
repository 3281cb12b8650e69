//! A look into a Z-LUT file: profiles against focus as colours, how it was made, and where its z is biased. It reads the file
//! and changes nothing.

use super::super::{Context, hint};
use crate::gui::job::{self, Tell};
use crate::gui::link::Act;
use crate::gui::widget::heat::Heat;
use iced::widget::{column, container, pick_list, row, scrollable, slider, text};
use iced::{Alignment, Element, Length};
use std::path::PathBuf;
use std::sync::Arc;
use tetherscope_files::{StoredZlut, ZlutTable};

/// What was opened.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    path: Option<PathBuf>,
    file: Option<Result<Arc<StoredZlut>, String>>,
    table: usize,
    plane: usize,
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

    /// Takes what happened.
    pub(super) fn update(&mut self, message: FileMessage) -> Option<Act<FileMessage>> {
        match message {
            FileMessage::Open(path) => return Some(self.open(path)),
            // One that was asked for before the last one comes too late.
            FileMessage::Read(path, read) if self.path.as_ref() == Some(&path) => {
                (self.file, self.table, self.plane) = (Some(read), 0, 0);
            }
            FileMessage::Read(..) => {}
            FileMessage::Table(name) => (self.table, self.plane) = (name.index, 0),
            FileMessage::Plane(plane) => self.plane = plane as usize,
        }
        None
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
                let about = scrollable(column(about(file).into_iter().map(|l| text(l).size(13).into())).spacing(3));
                column![
                    title,
                    text(path).size(13),
                    row![choose, plane].spacing(10).align_y(Alignment::Center),
                    map,
                    hint("bins outwards →, focus upwards; purple has no number"),
                    container(about).height(Length::FillPortion(2)),
                ]
                .spacing(6)
                .into()
            }
        }
    }
}

/// How it was made, line by line.
fn about(file: &StoredZlut) -> Vec<String> {
    let StoredZlut::Own(file) = file else {
        return vec!["a table of MagScope: nothing is known of how it was made".into()];
    };
    let s = &file.settings;
    let mut lines = vec![
        format!("made {} by Tetherscope {}", file.created_utc, file.program_version),
        format!("tracker {} {}, strategy {} {}", s.tracker.id, s.tracker.version, s.strategy.id, s.strategy.version),
        format!(
            "ROI {} × {} px, {} nm/px, focal-shift factor {}",
            s.roi_w_px, s.roi_h_px, s.nm_per_px, s.focal_shift_factor
        ),
    ];
    if !file.notes.is_empty() {
        lines.push(format!("note: {}", file.notes));
    }
    match &file.report {
        None => lines.push("no bias report is in the file".into()),
        Some(report) => {
            lines.push("bias report, from frames that the tables were not made from:".into());
            flat("", report, &mut lines);
        }
    }
    lines
}

/// A report as lines `name: value`; long lists are told by their ends.
fn flat(name: &str, value: &serde_json::Value, lines: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, v) in map {
                let name = if name.is_empty() { key.clone() } else { format!("{name} {key}") };
                flat(&name.replace('_', " "), v, lines);
            }
        }
        serde_json::Value::Array(list) if list.iter().all(|v| !v.is_object()) => {
            let numbers: Vec<f64> = list.iter().filter_map(serde_json::Value::as_f64).collect();
            let (min, max) =
                numbers.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
            if numbers.is_empty() {
                lines.push(format!("{name}: {}", list.len()));
            } else {
                lines.push(format!("{name}: {} values, {min:.3} to {max:.3}", list.len()));
            }
        }
        serde_json::Value::Array(list) => {
            for (i, v) in list.iter().enumerate().take(20) {
                flat(&format!("{name} {i}"), v, lines);
            }
        }
        serde_json::Value::Number(n) => lines.push(format!("{name}: {:.4}", n.as_f64().unwrap_or(f64::NAN))),
        other => lines.push(format!("{name}: {}", other.to_string().trim_matches('"'))),
    }
}
