//! Progress bars on a terminal, and nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over frames. `n_frames` 0: unknown.
pub(crate) fn frames(what: &str, n_frames: u64, shown: bool) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let bar = if n_frames == 0 { ProgressBar::no_length() } else { ProgressBar::new(n_frames) };
    let template = if n_frames == 0 {
        "{msg} {spinner} {human_pos} frames, {elapsed}"
    } else {
        "{msg} {bar:30} {human_pos}/{human_len} frames, {per_sec}, {eta} left"
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(what.to_owned())
}

/// A bar from 0 to 100.
pub(crate) fn percent(what: &str, shown: bool) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{msg} {bar:30} {percent} %").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(100).with_style(style).with_message(what.to_owned())
}
