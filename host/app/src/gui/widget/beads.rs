//! The table of beads: sorted, filtered, several selected. Only the rows in sight are built, so that hundreds of beads cost
//! no more than twenty.

use super::video::raster::Mark;
use crate::gui::theme;
use iced::widget::{button, column, container, row, scrollable, space, text, text_input};
use iced::{Alignment, Color, Element, Length};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use tetherscope_core::loader::abi;

/// Height of a row.
const ROW: f32 = 24.0;

/// One bead's newest row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BeadRow {
    /// Id.
    pub(crate) bead: u32,
    /// Column position, minus that of the reference if there is one.
    pub(crate) x_nm: f64,
    /// Row position, likewise.
    pub(crate) y_nm: f64,
    /// Height, likewise.
    pub(crate) z_nm: f64,
    /// Of z where there is one, else of x.
    pub(crate) sigma_nm: f32,
    /// 0 to 1.
    pub(crate) quality: f32,
    /// `FLAG_*`.
    pub(crate) flags: u32,
    /// Colour.
    pub(crate) mark: Mark,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// Id.
    Bead,
    /// Column position.
    X,
    /// Row position.
    Y,
    /// Height.
    Z,
    /// Uncertainty.
    Sigma,
    /// Quality.
    Quality,
    /// Flags.
    Flags,
}

const COLUMNS: [(By, &str, u16); 7] = [
    (By::Bead, "bead", 4),
    (By::X, "x / nm", 5),
    (By::Y, "y / nm", 5),
    (By::Z, "z / nm", 5),
    (By::Sigma, "σ / nm", 4),
    (By::Quality, "quality", 4),
    (By::Flags, "flags", 6),
];

/// Numbers stand with their ends below each other.
fn is_number(by: By) -> bool {
    !matches!(by, By::Bead | By::Flags)
}

/// Order, filter, and where it is scrolled to.
#[derive(Debug, Clone)]
pub(crate) struct Beads {
    by: By,
    falling: bool,
    filter: String,
    offset: f32,
}

impl Default for Beads {
    fn default() -> Self {
        Self { by: By::Bead, falling: false, filter: String::new(), offset: 0.0 }
    }
}

/// What the user did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum BeadsMessage {
    /// By this column; again: the other way round.
    Sort(By),
    /// Typed a filter.
    Filter(String),
    /// Scrolled to this offset.
    Scrolled(f32),
    /// Clicked a row.
    Clicked(u32),
}

/// Flags in words.
pub(crate) fn flag_words(flags: u32) -> String {
    const WORDS: [(u32, &str); 11] = [
        (abi::FLAG_AT_BORDER, "at border"),
        (abi::FLAG_SATURATED, "saturated"),
        (abi::FLAG_NO_SIGNAL, "no signal"),
        (abi::FLAG_NOT_CONVERGED, "not converged"),
        (abi::FLAG_OUTSIDE_ZLUT, "outside Z-LUT"),
        (abi::FLAG_LOW_CONTRAST, "low contrast"),
        (abi::FLAG_NEIGHBOUR, "neighbour"),
        (abi::FLAG_NON_FINITE, "non-finite"),
        (abi::FLAG_DEADLINE, "deadline"),
        (abi::FLAG_PLUGIN_ERROR, "plugin error"),
        (abi::FLAG_NOT_WRITTEN, "no answer"),
    ];
    let known: Vec<&str> = WORDS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, word)| *word).collect();
    let rest = flags & !WORDS.iter().fold(0, |all, (bit, _)| all | bit);
    if rest == 0 { known.join(", ") } else { format!("{} 0x{rest:x}", known.join(", ")).trim().to_owned() }
}

/// A number for a cell; a dash where there is none.
pub(crate) fn number(v: f64, digits: usize) -> String {
    if v.is_finite() { format!("{v:.digits$}") } else { "–".into() }
}

impl Beads {
    /// Changes the table; a click is the screen's matter.
    pub(crate) fn update(&mut self, message: &BeadsMessage) {
        match message {
            BeadsMessage::Sort(by) => (self.falling, self.by) = (self.by == *by && !self.falling, *by),
            BeadsMessage::Filter(text) => (self.filter, self.offset) = (text.clone(), 0.0),
            BeadsMessage::Scrolled(offset) => self.offset = *offset,
            BeadsMessage::Clicked(_) => {}
        }
    }

    /// The rows that the filter lets through, in order. A filter is ids (`3, 5-9`) or a part of a flag's words.
    pub(crate) fn shown<'r>(&self, rows: &'r [BeadRow]) -> Vec<&'r BeadRow> {
        let wanted = self.filter.trim().to_lowercase();
        let ids = ids(&wanted);
        let passes = |r: &&BeadRow| match &ids {
            _ if wanted.is_empty() => true,
            Some(ids) => ids.iter().any(|(a, b)| (*a..=*b).contains(&r.bead)),
            None => flag_words(r.flags).to_lowercase().contains(&wanted),
        };
        let mut shown: Vec<&BeadRow> = rows.iter().filter(passes).collect();
        shown.sort_by(|a, b| {
            let order = self.order(a, b);
            if self.falling { order.reverse() } else { order }
        });
        shown
    }

    /// What has no number comes last; equal ones by id.
    fn order(&self, a: &BeadRow, b: &BeadRow) -> Ordering {
        let by = |f: fn(&BeadRow) -> f64| {
            let (x, y) = (f(a), f(b));
            match (x.is_nan(), y.is_nan()) {
                (true, false) if self.falling => Ordering::Less,
                (false, true) if self.falling => Ordering::Greater,
                _ => x.is_nan().cmp(&y.is_nan()).then(x.total_cmp(&y)),
            }
        };
        let order = match self.by {
            By::Bead => Ordering::Equal,
            By::X => by(|r| r.x_nm),
            By::Y => by(|r| r.y_nm),
            By::Z => by(|r| r.z_nm),
            By::Sigma => by(|r| r.sigma_nm.into()),
            By::Quality => by(|r| r.quality.into()),
            By::Flags => a.flags.cmp(&b.flags),
        };
        order.then(a.bead.cmp(&b.bead))
    }

    /// The table.
    pub(crate) fn view<'a>(&'a self, rows: &[BeadRow], selected: &BTreeSet<u32>) -> Element<'a, BeadsMessage> {
        let head = row(COLUMNS.map(|(by, name, portion)| {
            let arrow = match (self.by == by, self.falling) {
                (true, false) => " ▴",
                (true, true) => " ▾",
                _ => "",
            };
            let name = text(format!("{name}{arrow}")).size(12).wrapping(text::Wrapping::None).width(Length::Fill);
            button(if is_number(by) { name.align_x(Alignment::End) } else { name })
                .padding([2, 4])
                .width(Length::FillPortion(portion))
                .style(theme::tab(false))
                .on_press(BeadsMessage::Sort(by))
                .into()
        }));
        let shown = self.shown(rows);
        // Somewhat more than a tall window holds: its height is not known here.
        let first = ((self.offset / ROW) as usize).min(shown.len());
        let last = (first + 60).min(shown.len());
        let list = column![
            space().height(Length::Fixed(first as f32 * ROW)),
            column(shown[first..last].iter().map(|r| line(r, selected.contains(&r.bead)))),
            space().height(Length::Fixed((shown.len() - last) as f32 * ROW)),
        ];
        let list = scrollable(list)
            .id("beads")
            .height(Length::Fill)
            .on_scroll(|v| BeadsMessage::Scrolled(v.absolute_offset().y));
        let filter = text_input("filter: 3, 5-9 or a flag", &self.filter)
            .id("bead-filter")
            .size(12)
            .padding(4)
            .width(Length::Fixed(190.0))
            .on_input(BeadsMessage::Filter);
        let count = text(format!("{} of {} beads", shown.len(), rows.len())).size(12);
        let top = row![count, space().width(Length::Fill), filter].align_y(Alignment::Center);
        column![top, head, list].spacing(2).into()
    }
}

fn line<'a>(r: &BeadRow, selected: bool) -> Element<'a, BeadsMessage> {
    let sigma = if r.sigma_nm < 10.0 { 2 } else { 0 };
    let cells = [
        r.bead.to_string(),
        number(r.x_nm, 1),
        number(r.y_nm, 1),
        number(r.z_nm, 1),
        number(r.sigma_nm.into(), sigma),
        number(r.quality.into(), 2),
        flag_words(r.flags),
    ];
    let [red, green, blue] = r.mark.color();
    let mark = container(space().width(Length::Fixed(5.0)).height(Length::Fixed(16.0)))
        .style(move |_| container::background(Color::from_rgb8(red, green, blue)));
    let cells = cells.into_iter().zip(COLUMNS).map(|(cell, (by, _, portion))| {
        let cell = text(cell).size(13).wrapping(text::Wrapping::None).width(Length::Fill);
        let cell = if is_number(by) { cell.align_x(Alignment::End) } else { cell };
        container(cell).padding([0, 4]).width(Length::FillPortion(portion)).into()
    });
    let content = row![mark, row(cells)].spacing(4).align_y(Alignment::Center);
    button(container(content).clip(true))
        .padding([2, 4])
        .height(Length::Fixed(ROW))
        .width(Length::Fill)
        .style(theme::line(selected))
        .on_press(BeadsMessage::Clicked(r.bead))
        .into()
}

/// `3, 5-9` as ranges; none if it is anything else.
fn ids(text: &str) -> Option<Vec<(u32, u32)>> {
    let one = |part: &str| match part.split_once('-') {
        Some((a, b)) => Some((a.trim().parse().ok()?, b.trim().parse().ok()?)),
        None => part.parse().ok().map(|n| (n, n)),
    };
    text.split([',', ' ']).map(str::trim).filter(|p| !p.is_empty()).map(one).collect::<Option<Vec<_>>>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bead(bead: u32, z_nm: f64, flags: u32) -> BeadRow {
        let (x_nm, y_nm, sigma_nm, quality) = (0.0, 0.0, 1.0, 1.0);
        BeadRow { bead, x_nm, y_nm, z_nm, sigma_nm, quality, flags, mark: Mark::Good }
    }

    fn order(table: &Beads, rows: &[BeadRow]) -> Vec<u32> {
        table.shown(rows).iter().map(|r| r.bead).collect()
    }

    #[test]
    fn rows_sort_both_ways_and_those_without_a_number_stay_last() {
        let rows = [bead(0, 5.0, 0), bead(1, f64::NAN, 0), bead(2, -3.0, 0), bead(3, 5.0, 0)];
        let mut table = Beads::default();
        assert_eq!(order(&table, &rows), [0, 1, 2, 3]);
        table.update(&BeadsMessage::Sort(By::Z));
        assert_eq!(order(&table, &rows), [2, 0, 3, 1]);
        table.update(&BeadsMessage::Sort(By::Z));
        assert_eq!(order(&table, &rows), [3, 0, 2, 1]);
        table.update(&BeadsMessage::Sort(By::Bead));
        assert_eq!(order(&table, &rows), [0, 1, 2, 3]);
    }

    #[test]
    fn a_filter_is_ids_or_a_part_of_a_flag() {
        let rows: Vec<BeadRow> =
            (0..12).map(|i| bead(i, 0.0, if i % 5 == 0 { abi::FLAG_SATURATED } else { 0 })).collect();
        let filtered = |filter: &str| {
            let mut table = Beads::default();
            table.update(&BeadsMessage::Filter(filter.into()));
            order(&table, &rows)
        };
        assert_eq!(filtered("3, 5-7"), [3, 5, 6, 7]);
        assert_eq!(filtered("Satur"), [0, 5, 10]);
        assert_eq!(filtered("  ").len(), 12);
        assert!(filtered("no such flag").is_empty());
    }

    #[test]
    fn flags_are_told_in_words_and_unknown_ones_as_numbers() {
        assert_eq!(flag_words(0), "");
        assert_eq!(flag_words(abi::FLAG_AT_BORDER | abi::FLAG_NEIGHBOUR), "at border, neighbour");
        assert_eq!(flag_words(abi::FLAG_SATURATED | 1 << 31), "saturated 0x80000000");
    }
}
