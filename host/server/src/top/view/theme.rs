//! Colours: the sixteen of the terminal, so that they are the ones its owner reads well; or none.

use ratatui::style::{Color, Modifier, Style};

/// How each kind of thing is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Theme {
    pub(super) plain: Style,
    pub(super) title: Style,
    pub(super) quiet: Style,
    pub(super) accent: Style,
    pub(super) good: Style,
    pub(super) warn: Style,
    pub(super) bad: Style,
    /// What is under way.
    pub(super) busy: Style,
    pub(super) border: Style,
    pub(super) focus: Style,
}

impl Theme {
    /// In colours.
    pub(crate) fn colours() -> Self {
        let of = |colour| Style::new().fg(colour);
        Self {
            plain: Style::new(),
            title: Style::new().add_modifier(Modifier::BOLD),
            quiet: of(Color::DarkGray),
            accent: of(Color::Cyan),
            good: of(Color::Green),
            warn: of(Color::Yellow),
            bad: of(Color::Red),
            busy: of(Color::Blue),
            border: of(Color::DarkGray),
            focus: of(Color::Cyan),
        }
    }

    /// Without any (<https://no-color.org>): every word says what its colour would.
    pub(crate) fn plain() -> Self {
        let none = Style::new();
        Self {
            plain: none,
            title: none,
            quiet: none,
            accent: none,
            good: none,
            warn: none,
            bad: none,
            busy: none,
            border: none,
            focus: none,
        }
    }
}
