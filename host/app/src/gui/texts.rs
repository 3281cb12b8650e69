//! What is to be read in the window, and where: a file with a line of JSON for each text, field and named place, written anew
//! when something changed. Tests find with it where to click and what a user is told; nobody else needs it.

use iced::advanced::widget::operation::{Outcome, Scrollable, TextInput};
use iced::advanced::widget::{Id, Operation, operate};
use iced::{Rectangle, Task, Vector};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// One text, field or place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Seen {
    /// `text`, `field` or `place`.
    kind: &'static str,
    /// Name of a field or a place.
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    /// What stands there.
    text: String,
    x: f32,
    y: f32,
    w: f32,
    h: f32,
}

/// Collects all that lies in sight.
#[derive(Default)]
struct Look {
    seen: Vec<Seen>,
    /// What scrolled panes show, innermost last, and by how much their content is moved.
    panes: Vec<(Rectangle, Vector)>,
    /// The pane whose content comes next.
    pane: Option<(Rectangle, Vector)>,
}

impl Look {
    fn add(&mut self, kind: &'static str, id: Option<&Id>, bounds: Rectangle, text: &str) {
        let (pane, by) = self.panes.last().copied().unwrap_or((Rectangle::INFINITE, Vector::ZERO));
        let bounds = bounds - by;
        if bounds.intersection(&pane).is_some_and(|b| b.width >= 1.0 && b.height >= bounds.height.min(8.0)) {
            let Rectangle { x, y, width: w, height: h } = bounds;
            self.seen.push(Seen { kind, name: id.map(name).unwrap_or_default(), text: text.to_owned(), x, y, w, h });
        }
    }
}

/// An id as it was written in the view; iced tells it in no other way.
fn name(id: &Id) -> String {
    format!("{id:?}").split('"').nth(1).unwrap_or_default().to_owned()
}

impl Operation<Vec<Seen>> for Look {
    fn traverse(&mut self, on: &mut dyn FnMut(&mut dyn Operation<Vec<Seen>>)) {
        let pane = self.pane.take();
        self.panes.extend(pane);
        on(self);
        if pane.is_some() {
            self.panes.pop();
        }
    }

    fn container(&mut self, id: Option<&Id>, bounds: Rectangle) {
        if id.is_some_and(|id| !name(id).is_empty()) {
            self.add("place", id, bounds, "");
        }
    }

    fn scrollable(&mut self, _: Option<&Id>, bounds: Rectangle, _: Rectangle, by: Vector, _: &mut dyn Scrollable) {
        let (outer, moved) = self.panes.last().copied().unwrap_or((Rectangle::INFINITE, Vector::ZERO));
        let shown = (bounds - moved).intersection(&outer).unwrap_or_default();
        self.pane = Some((shown, moved + by));
    }

    fn text_input(&mut self, id: Option<&Id>, bounds: Rectangle, field: &mut dyn TextInput) {
        let text = field.text().to_owned();
        self.add("field", id, bounds, &text);
    }

    fn text(&mut self, id: Option<&Id>, bounds: Rectangle, text: &str) {
        self.add("text", id, bounds, text);
    }

    fn finish(&self) -> Outcome<Vec<Seen>> {
        Outcome::Some(self.seen.clone())
    }
}

/// Looks at the window as it is drawn next.
pub(crate) fn look() -> Task<Vec<Seen>> {
    operate(Look::default())
}

/// Where the texts go, and what was written last.
pub(crate) struct Texts {
    path: PathBuf,
    last: Vec<Seen>,
}

impl Texts {
    /// A file that is replaced with each change.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, last: Vec::new() }
    }

    /// Writes what is seen, if it is not what was seen before.
    pub(crate) fn write(&mut self, seen: Vec<Seen>) {
        if seen == self.last {
            return;
        }
        let lines: String =
            seen.iter().filter_map(|s| serde_json::to_string(s).ok()).map(|line| format!("{line}\n")).collect();
        if let Err(e) = replace(&self.path, &lines) {
            tracing::warn!("the texts of the window cannot be written into {}: {e}", self.path.display());
        }
        self.last = seen;
    }
}

/// Whole or not at all, for who reads it meanwhile.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(new, path)
}
