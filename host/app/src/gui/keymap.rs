//! Every shortcut, once: what a key does, and how the list of shortcuts tells it. Keys that a field took while somebody
//! types never come here.

use super::Screen;
use iced::keyboard::{Key, Modifiers, key::Named};

/// What can be done from the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Show a screen.
    Go(Screen),
    /// Camera and tracking on or off.
    StartStop,
    /// Recording on or off.
    Record,
    /// Take back the last change of ROIs.
    Undo,
    /// Do it again.
    Redo,
    /// Select all beads.
    SelectAll,
    /// Select none; close what lies on top.
    Escape,
    /// Remove the selected beads.
    Remove,
    /// Find beads.
    Find,
    /// Measure against the selected bead.
    Reference,
    /// Show all of the frame.
    Fit,
    /// Closer.
    ZoomIn,
    /// Farther.
    ZoomOut,
    /// Save the picture.
    Snapshot,
    /// Plots follow the newest point again.
    Follow,
    /// The next theme.
    NextTheme,
    /// The list of shortcuts.
    Shortcuts,
    /// Close all notices.
    ReadNotices,
    /// Close the window.
    Close,
}

/// A key with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chord {
    /// A character, with Ctrl (Cmd on a Mac) and Shift.
    Char(char, bool, bool),
    /// A named key, with Ctrl.
    Named(Named, bool),
}

use Chord::{Char, Named as Press};

/// Chord, how it is written, what it does, and what that is in words.
const TABLE: [(Chord, &str, Deed, &str); 28] = [
    (Char('1', true, false), "Ctrl+1", Deed::Go(Screen::Live), "show Live"),
    (Char('2', true, false), "Ctrl+2", Deed::Go(Screen::Zlut), "show Z-LUT"),
    (Char('3', true, false), "Ctrl+3", Deed::Go(Screen::Recordings), "show Recordings"),
    (Char('4', true, false), "Ctrl+4", Deed::Go(Screen::Plugins), "show Plugins"),
    (Char('5', true, false), "Ctrl+5", Deed::Go(Screen::Settings), "show Settings"),
    (Press(Named::F5, false), "F5", Deed::StartStop, "start or stop camera and tracking"),
    (Press(Named::F9, false), "F9", Deed::Record, "start or stop recording"),
    (Char('z', true, false), "Ctrl+Z", Deed::Undo, "undo the last change of ROIs"),
    (Char('z', true, true), "Ctrl+Shift+Z", Deed::Redo, "redo it"),
    (Char('y', true, false), "Ctrl+Y", Deed::Redo, "redo it"),
    (Char('a', true, false), "Ctrl+A", Deed::SelectAll, "select all beads"),
    (Press(Named::Escape, false), "Esc", Deed::Escape, "close what lies on top; select no bead"),
    (Press(Named::Delete, false), "Del", Deed::Remove, "remove the selected beads"),
    (Press(Named::Backspace, false), "Backspace", Deed::Remove, "remove the selected beads"),
    (Char('f', true, false), "Ctrl+F", Deed::Find, "find beads"),
    (Char('r', false, false), "R", Deed::Reference, "measure against the selected bead, or no longer"),
    (Char('0', true, false), "Ctrl+0", Deed::Fit, "show all of the frame"),
    (Char('+', true, false), "Ctrl++", Deed::ZoomIn, "zoom in"),
    (Char('=', true, false), "Ctrl+=", Deed::ZoomIn, "zoom in"),
    (Char('-', true, false), "Ctrl+−", Deed::ZoomOut, "zoom out"),
    (Char('s', true, false), "Ctrl+S", Deed::Snapshot, "save the picture as PNG, with and without ROIs"),
    (Press(Named::End, false), "End", Deed::Follow, "plots follow the newest point"),
    (Char('t', true, false), "Ctrl+T", Deed::NextTheme, "next theme: dark, light, high contrast"),
    (Press(Named::F1, false), "F1", Deed::Shortcuts, "this list"),
    (Char('?', false, true), "?", Deed::Shortcuts, "this list"),
    (Char('?', false, false), "?", Deed::Shortcuts, "this list"),
    (Char('d', true, false), "Ctrl+D", Deed::ReadNotices, "close all warnings"),
    (Char('q', true, false), "Ctrl+Q", Deed::Close, "close the window"),
];

/// What a key does.
pub(crate) fn deed(key: &Key, modifiers: Modifiers) -> Option<Deed> {
    let (command, shift) = (modifiers.command(), modifiers.shift());
    let same = |chord: &Chord| match (chord, key.as_ref()) {
        (Char(c, ctrl, with_shift), Key::Character(k)) => {
            // Where a character needs Shift depends on the keyboard; letters say it, others don't.
            let shift_fits = *with_shift == shift || !c.is_alphabetic();
            *ctrl == command && shift_fits && k.to_lowercase() == c.to_string()
        }
        (Press(n, ctrl), Key::Named(k)) => *ctrl == command && k == *n,
        _ => false,
    };
    if modifiers.alt() {
        return None;
    }
    TABLE.iter().find(|(chord, ..)| same(chord)).map(|(_, _, deed, _)| *deed)
}

/// All shortcuts for people: keys, and what they do. Several keys for one deed share a line.
pub(crate) fn list() -> Vec<(String, &'static str)> {
    let mut lines: Vec<(Deed, String, &str)> = Vec::new();
    for (_, keys, deed, words) in TABLE {
        match lines.iter_mut().find(|l| l.0 == deed) {
            Some(line) if line.1.split(" or ").any(|k| k == keys) => {}
            Some(line) => line.1 = format!("{} or {keys}", line.1),
            None => lines.push((deed, keys.to_owned(), words)),
        }
    }
    lines.into_iter().map(|(_, keys, words)| (keys, words)).collect()
}

/// What the mouse does over the picture, for the same list.
pub(crate) const MOUSE: [(&str, &str); 9] = [
    ("click on the picture", "place a ROI"),
    ("click a ROI", "select it; with Ctrl: select it too"),
    ("drag a ROI", "move it, and all that are selected with it"),
    ("right-click a ROI", "remove it"),
    ("Shift + drag", "select with a box"),
    ("drag the picture", "move the view"),
    ("wheel", "zoom at the cursor; in a plot: along time"),
    ("Ctrl + wheel in a plot", "zoom upwards"),
    ("double-click a plot", "show it as at the start"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_chord_means_two_things() {
        for (i, a) in TABLE.iter().enumerate() {
            assert!(TABLE[i + 1..].iter().all(|b| a.0 != b.0), "{}", a.1);
        }
    }

    #[test]
    fn keys_find_their_deeds_whatever_the_keyboard() {
        let key = |c: &str| Key::Character(c.into());
        let ctrl = Modifiers::COMMAND;
        assert_eq!(deed(&key("z"), ctrl), Some(Deed::Undo));
        assert_eq!(deed(&key("Z"), ctrl | Modifiers::SHIFT), Some(Deed::Redo));
        assert_eq!(deed(&key("+"), ctrl | Modifiers::SHIFT), Some(Deed::ZoomIn));
        assert_eq!(deed(&key("z"), Modifiers::default()), None);
        assert_eq!(deed(&key("r"), ctrl), None);
        assert_eq!(deed(&Key::Named(Named::Delete), Modifiers::default()), Some(Deed::Remove));
        assert_eq!(deed(&key("a"), ctrl | Modifiers::ALT), None);
    }

    #[test]
    fn the_list_names_each_deed_once_with_all_its_keys() {
        let list = list();
        assert!(list.contains(&("Ctrl+Shift+Z or Ctrl+Y".into(), "redo it")));
        assert!(list.contains(&("F1 or ?".into(), "this list")));
        assert_eq!(list.iter().filter(|l| l.1 == "this list").count(), 1);
    }
}
