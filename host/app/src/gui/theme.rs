//! Light, dark and high contrast: colours that people with any common colour blindness tell apart (Okabe and Ito, 2008),
//! and the few styles that the screens share.

use iced::theme::Palette;
use iced::theme::palette::{Extended, Pair};
use iced::widget::{button, container};
use iced::{Background, Border, Color, Theme, color};
use serde::{Deserialize, Serialize};

/// What the user chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Look {
    /// For a dark room.
    #[default]
    Dark,
    /// For a bright one.
    Light,
    /// Black, white and strong colours.
    HighContrast,
}

impl Look {
    /// All, in the order in which they are offered.
    pub(crate) const ALL: [Self; 3] = [Self::Dark, Self::Light, Self::HighContrast];

    /// For files and menus.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high contrast",
        }
    }

    /// The colours of iced's own widgets.
    pub(crate) fn theme(self) -> Theme {
        let palette = match self {
            Self::Dark => Palette {
                background: color!(0x17191d),
                text: color!(0xe8e8e8),
                primary: color!(0x4da3d9),
                success: color!(0x00a87a),
                warning: color!(0xe69f00),
                danger: color!(0xe0651a),
            },
            Self::Light => Palette {
                background: color!(0xfbfbfc),
                text: color!(0x16181b),
                primary: color!(0x0067a3),
                success: color!(0x00795a),
                warning: color!(0x9a6500),
                danger: color!(0xb24700),
            },
            Self::HighContrast => Palette {
                background: color!(0x000000),
                text: color!(0xffffff),
                primary: color!(0xffe100),
                success: color!(0x00ffb7),
                warning: color!(0xffb000),
                danger: color!(0xff7a4d),
            },
        };
        Theme::custom_with_fn(self.name(), palette, move |palette| self.shades(palette))
    }

    /// Shades that iced derives from few colours, but where they would be too faint: rims and weak text are read too.
    fn shades(self, palette: Palette) -> Extended {
        let mut shades = Extended::generate(palette);
        let (weak, strong) = match self {
            Self::Dark => (color!(0xa9adb5), color!(0x4a4f58)),
            Self::Light => (color!(0x555a63), color!(0xb9bdc6)),
            Self::HighContrast => (color!(0xd6d6d6), color!(0x9a9a9a)),
        };
        shades.secondary.base = Pair::new(weak, palette.background);
        shades.secondary.strong = Pair::new(palette.text, palette.background);
        let hovered = if self == Self::HighContrast { Color::BLACK } else { palette.text };
        shades.background.strong = Pair { color: strong, text: hovered };
        if self == Self::HighContrast {
            shades.background.strongest = Pair { color: color!(0xc0c0c0), text: Color::BLACK };
        }
        shades
    }

    /// Colours of curves, those that differ most first.
    pub(crate) fn curves(self) -> [[u8; 3]; 8] {
        match self {
            Self::Light => [
                [0, 103, 163],
                [190, 80, 0],
                [0, 130, 95],
                [175, 80, 135],
                [30, 30, 30],
                [60, 150, 205],
                [150, 110, 0],
                [110, 110, 110],
            ],
            Self::Dark | Self::HighContrast => [
                [86, 180, 233],
                [230, 159, 0],
                [0, 190, 135],
                [225, 140, 190],
                [240, 228, 66],
                [230, 230, 230],
                [235, 115, 30],
                [140, 140, 250],
            ],
        }
    }
}

impl std::fmt::Display for Look {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A panel that stands out from the ground.
pub(crate) fn panel(theme: &Theme) -> container::Style {
    let p = theme.extended_palette();
    container::Style {
        background: Some(Background::Color(p.background.weakest.color)),
        border: Border { color: p.background.strong.color, width: 1.0, radius: 4.0.into() },
        text_color: Some(theme.palette().text),
        ..container::Style::default()
    }
}

/// A bar along an edge of the window.
pub(crate) fn bar(theme: &Theme) -> container::Style {
    let p = theme.extended_palette();
    container::Style { background: Some(Background::Color(p.background.weak.color)), ..panel(theme) }
}

/// The recording bar while something is written.
pub(crate) fn recording(theme: &Theme) -> container::Style {
    let danger = theme.palette().danger;
    container::Style {
        background: Some(Background::Color(Color { a: 0.25, ..danger })),
        border: Border { color: danger, width: 2.0, radius: 4.0.into() },
        ..panel(theme)
    }
}

/// A warning.
pub(crate) fn warning(theme: &Theme) -> container::Style {
    signal(theme, theme.palette().warning)
}

/// An error.
pub(crate) fn error(theme: &Theme) -> container::Style {
    signal(theme, theme.palette().danger)
}

/// A panel with a rim that speaks.
fn signal(theme: &Theme, color: Color) -> container::Style {
    container::Style { border: Border { color, width: 2.0, radius: 4.0.into() }, ..panel(theme) }
}

/// A tab or an item of a list; `chosen` stands out.
pub(crate) fn tab(chosen: bool) -> impl Fn(&Theme, button::Status) -> button::Style {
    move |theme, status| {
        let p = theme.extended_palette();
        let hovered = matches!(status, button::Status::Hovered | button::Status::Pressed);
        let (background, text) = match (chosen, hovered) {
            (true, _) => (Some(p.primary.base.color), p.primary.base.text),
            (false, true) => (Some(p.background.strong.color), p.background.strong.text),
            (false, false) => (None, theme.palette().text),
        };
        button::Style {
            background: background.map(Background::Color),
            text_color: text,
            border: Border { radius: 3.0.into(), ..Border::default() },
            ..button::Style::default()
        }
    }
}

/// A row of a table. A chosen one is tinted, so that the colours in it are still told apart.
pub(crate) fn line(chosen: bool) -> impl Fn(&Theme, button::Status) -> button::Style {
    move |theme, status| {
        let p = theme.palette();
        let hovered = matches!(status, button::Status::Hovered | button::Status::Pressed);
        let opacity = match (chosen, hovered) {
            (true, _) => 0.35,
            (false, true) => 0.15,
            (false, false) => 0.0,
        };
        let rim = if chosen { p.primary } else { Color::TRANSPARENT };
        button::Style {
            background: Some(Background::Color(Color { a: opacity, ..p.primary })),
            text_color: p.text,
            border: Border { color: rim, width: 1.0, radius: 3.0.into() },
            ..button::Style::default()
        }
    }
}

/// A button for what matters most; under the cursor it gets a rim, and its text stays as readable.
pub(crate) fn alarm(theme: &Theme, status: button::Status) -> button::Style {
    let p = theme.extended_palette();
    let Pair { color, text } = p.danger.base;
    let hovered = matches!(status, button::Status::Hovered | button::Status::Pressed);
    let faint = if status == button::Status::Disabled { 0.4 } else { 1.0 };
    button::Style {
        background: Some(Background::Color(Color { a: faint, ..color })),
        text_color: Color { a: faint, ..text },
        border: Border { color: if hovered { theme.palette().text } else { color }, width: 2.0, radius: 3.0.into() },
        ..button::Style::default()
    }
}

/// A quiet button: the ground's colour, a rim.
pub(crate) fn quiet(theme: &Theme, status: button::Status) -> button::Style {
    let p = theme.extended_palette();
    let text = theme.palette().text;
    let (background, text_color) = match status {
        button::Status::Hovered | button::Status::Pressed => (p.background.strong.color, p.background.strong.text),
        button::Status::Active => (p.background.weak.color, text),
        button::Status::Disabled => (p.background.weakest.color, Color { a: 0.4, ..text }),
    };
    button::Style {
        background: Some(Background::Color(background)),
        text_color,
        border: Border { color: p.background.strong.color, width: 1.0, radius: 3.0.into() },
        ..button::Style::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast ratio of WCAG 2.
    fn ratio(a: Color, b: Color) -> f32 {
        let light = |c: Color| {
            let part = |v: f32| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
            0.2126 * part(c.r) + 0.7152 * part(c.g) + 0.0722 * part(c.b)
        };
        let (a, b) = (light(a) + 0.05, light(b) + 0.05);
        a.max(b) / a.min(b)
    }

    #[test]
    fn a_button_that_matters_can_be_read_under_the_cursor_too() {
        for look in Look::ALL {
            let theme = look.theme();
            let styles =
                [button::Status::Active, button::Status::Hovered, button::Status::Pressed].map(|s| alarm(&theme, s));
            for style in styles {
                let Some(Background::Color(ground)) = style.background else { panic!("{style:?}") };
                assert!(ratio(style.text_color, ground) >= 4.5, "{look}: {}", ratio(style.text_color, ground));
            }
            assert_ne!(styles[0].border, styles[1].border, "{look}: it shows that it can be pressed");
        }
    }

    #[test]
    fn text_and_signal_colours_stand_out_from_the_ground_in_every_theme() {
        for look in Look::ALL {
            let p = look.theme().palette();
            let least = if look == Look::HighContrast { 7.0 } else { 4.5 };
            assert!(ratio(p.text, p.background) >= 7.0);
            for signal in [p.primary, p.success, p.warning, p.danger] {
                assert!(ratio(signal, p.background) >= least, "{look}: {signal:?} {}", ratio(signal, p.background));
            }
            let shades = *look.theme().extended_palette();
            let (weak, rim, panel) =
                (shades.secondary.base.color, shades.background.strong, shades.background.weak.color);
            assert!(ratio(weak, panel) >= 4.5, "{look}: weak text {}", ratio(weak, panel));
            assert!(ratio(rim.color, rim.text) >= 4.5, "{look}: a button under the cursor");
            let seen = if look == Look::HighContrast { 3.0 } else { 1.4 };
            assert!(ratio(rim.color, p.background) >= seen, "{look}: rims {}", ratio(rim.color, p.background));
            for [r, g, b] in look.curves() {
                let c = Color::from_rgb8(r, g, b);
                assert!(ratio(c, p.background) >= 3.0, "{look}: curve {c:?} {}", ratio(c, p.background));
            }
        }
    }
}
