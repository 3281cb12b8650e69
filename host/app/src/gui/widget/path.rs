//! A field for a path, with what could follow below it: typed, or clicked from folder to folder. It works wherever the window
//! does, also far away over a slow line, where a file dialog of the desktop does not; folders are read on a thread of their
//! own, because a disk may be slow.

use crate::gui::job::{self, Tell};
use crate::gui::theme;
use iced::widget::{button, column, row, text, text_input};
use iced::{Alignment, Element, Length, Task};
use std::path::{Path, PathBuf, is_separator};

/// Most entries below the field.
const MOST: usize = 12;

/// What is offered below a field. The path itself is the screen's.
#[derive(Debug, Default)]
pub(crate) struct PathField {
    /// For which text, and what follows; none when nothing is offered.
    offered: Option<(String, Offer)>,
}

/// What could follow.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Offer {
    /// Whole paths; folders end with a slash.
    entries: Vec<String>,
    /// How many more there are.
    n_more: usize,
    /// Why there are none.
    failure: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PathMessage {
    /// Typed.
    Typed(String),
    /// Show what there is.
    Browse,
    /// Clicked an entry.
    Chosen(String),
    /// Enter.
    Submitted,
    /// A folder was read, for this text.
    Read(String, Offer),
}

impl PathField {
    /// Takes what happened; the path follows. Files with other endings than these are passed over; none: only folders are
    /// offered. An empty path begins in `home`.
    pub(crate) fn update(
        &mut self,
        message: PathMessage,
        path: &mut String,
        endings: &'static [&'static str],
        home: &Path,
    ) -> Option<Task<PathMessage>> {
        match message {
            PathMessage::Typed(text) => *path = text,
            PathMessage::Browse if self.offered.is_some() => {
                self.offered = None;
                return None;
            }
            PathMessage::Browse if path.trim().is_empty() => *path = folder_text(home),
            PathMessage::Browse => {}
            PathMessage::Chosen(entry) => {
                *path = entry;
                if !path.ends_with(is_separator) {
                    self.offered = None;
                    return None;
                }
            }
            PathMessage::Submitted => {
                self.offered = None;
                return None;
            }
            PathMessage::Read(text, offer) => {
                // One that was asked for before the last letter comes too late.
                if text == *path {
                    self.offered = Some((text, offer));
                }
                return None;
            }
        }
        let text = path.clone();
        Some(job::start("folder", move |tell: Tell<PathMessage>| {
            let offer = offer(&text, endings);
            tell.tell(PathMessage::Read(text, offer));
        }))
    }

    /// The field, and what is offered.
    pub(crate) fn view<'a>(
        &'a self,
        id: &'static str,
        hint: &'a str,
        path: &'a str,
        size: u32,
    ) -> Element<'a, PathMessage> {
        let field = text_input(hint, path).id(id).size(size).padding(4);
        let field = field.on_input(PathMessage::Typed).on_submit(PathMessage::Submitted);
        let browse = button(text("…").size(size)).padding([3, 9]).style(theme::quiet).on_press(PathMessage::Browse);
        let mut list = column![row![field, browse].spacing(4).align_y(Alignment::Center)].spacing(1);
        let Some((_, offer)) = self.offered.as_ref().filter(|(text, _)| text == path) else { return list.into() };
        if let Some(why) = &offer.failure {
            list = list.push(text(why.as_str()).size(12).style(text::warning));
        }
        let up = parent(path).map(|above| entry("../", above));
        let entries = offer.entries.iter().map(|e| entry(last_part(e), e.clone()));
        list = list.extend(up.into_iter().chain(entries));
        if offer.n_more > 0 {
            list = list.push(text(format!("{} more: type some letters", offer.n_more)).size(12).style(text::secondary));
        }
        list.into()
    }
}

fn entry<'a>(shown: &str, whole: String) -> Element<'a, PathMessage> {
    button(text(shown.to_owned()).size(12))
        .padding([1, 8])
        .width(Length::Fill)
        .style(theme::line(false))
        .on_press(PathMessage::Chosen(whole))
        .into()
}

/// A folder as a text that what is in it can be added to.
fn folder_text(folder: &Path) -> String {
    let text = folder.display().to_string();
    if text.ends_with(is_separator) { text } else { text + "/" }
}

/// The folder above the one that a text is in.
fn parent(text: &str) -> Option<String> {
    let (folder, _) = split(text)?;
    Path::new(folder.trim_end_matches('/')).parent().filter(|p| !p.as_os_str().is_empty()).map(folder_text)
}

fn last_part(path: &str) -> &str {
    let end = path.trim_end_matches('/').rfind('/').map_or(0, |at| at + 1);
    &path[end..]
}

/// The folder with its slash, and what was begun in it.
fn split(text: &str) -> Option<(&str, &str)> {
    text.rfind(is_separator).map(|at| text.split_at(at + 1))
}

/// What could follow a text.
fn offer(text: &str, endings: &[&str]) -> Offer {
    let Some((folder, begun)) = split(text) else { return Offer::default() };
    let place = match folder.strip_prefix("~/").zip(etcetera::home_dir().ok()) {
        Some((rest, home)) => home.join(rest),
        None => PathBuf::from(folder),
    };
    let read = match std::fs::read_dir(&place) {
        Ok(read) => read,
        Err(e) => return Offer { failure: Some(format!("{folder}: {e}")), ..Offer::default() },
    };
    let whole = folder_text(&place);
    let name = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let is_folder = entry.path().is_dir();
        let fits = is_folder || endings.iter().any(|e| name.ends_with(e));
        let hidden = name.starts_with('.') && !begun.starts_with('.');
        let end = if is_folder { "/" } else { "" };
        (fits && !hidden && name.starts_with(begun)).then(|| format!("{whole}{name}{end}"))
    };
    let mut entries: Vec<String> = read.filter_map(|e| name(e.ok()?)).collect();
    entries.sort_by_key(|e| (!e.ends_with('/'), e.to_lowercase()));
    let n_more = entries.len().saturating_sub(MOST);
    entries.truncate(MOST);
    Offer { entries, n_more, failure: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.zlut", "a.zlut", "a.csv", ".hidden.zlut"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("zoo")).unwrap();
        folder
    }

    fn names(offer: &Offer) -> Vec<&str> {
        offer.entries.iter().map(|e| last_part(e)).collect()
    }

    #[test]
    fn folders_and_files_that_fit_are_offered_folders_first() {
        let folder = folder();
        let text = folder_text(folder.path());
        assert_eq!(names(&offer(&text, &[".zlut"])), ["zoo/", "a.zlut", "b.zlut"]);
        assert_eq!(names(&offer(&(text.clone() + "a"), &[".zlut"])), ["a.zlut"]);
        assert_eq!(names(&offer(&(text.clone() + ".h"), &[".zlut"])), [".hidden.zlut"]);
        assert_eq!(names(&offer(&text, &[])), ["zoo/"]);
        assert!(offer(&(text + "none/"), &[]).failure.is_some());
        assert_eq!(offer("word", &[".zlut"]), Offer::default());
    }

    #[test]
    fn a_click_goes_into_a_folder_and_takes_a_file() {
        let folder = folder();
        let (mut field, mut path) = (PathField::default(), String::new());
        let tell = |field: &mut PathField, path: &mut String, message| {
            field.update(message, path, &[".zlut"], folder.path()).is_some()
        };
        assert!(tell(&mut field, &mut path, PathMessage::Browse), "the folder is read");
        assert_eq!(path, folder_text(folder.path()));
        let found = offer(&path, &[".zlut"]);
        tell(&mut field, &mut path, PathMessage::Read("elsewhere".into(), Offer::default()));
        assert!(field.offered.is_none(), "too late");
        let text = path.clone();
        tell(&mut field, &mut path, PathMessage::Read(text, found.clone()));
        assert_eq!(field.offered.as_ref().unwrap().1, found);
        assert!(tell(&mut field, &mut path, PathMessage::Chosen(found.entries[0].clone())), "a folder is read too");
        assert!(!tell(&mut field, &mut path, PathMessage::Chosen(found.entries[1].clone())));
        assert!(path.ends_with("a.zlut") && field.offered.is_none());
        assert_eq!(parent("/a/b/c.zlut").as_deref(), Some("/a/"));
        assert_eq!(parent("/a"), None);
    }
}
