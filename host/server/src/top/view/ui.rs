//! What the person at the terminal looks at: which panel, how far down, and whether the picture stands still.

use super::{panel::Panel, theme::Theme};

/// Lines that a page is scrolled by.
const PAGE: usize = 10;

/// What was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Quit,
    Escape,
    Next,
    Back,
    Down,
    Up,
    PageDown,
    PageUp,
    First,
    Last,
    Pause,
    Help,
    /// The panel of this number, from 0.
    Panel(usize),
}

/// What is looked at.
#[derive(Debug, Clone)]
pub(crate) struct Ui {
    pub(super) theme: Theme,
    focus: usize,
    /// Rows of each panel that are above what is shown.
    offsets: [usize; Panel::ALL.len()],
    paused: bool,
    help: bool,
}

impl Ui {
    pub(crate) fn new(theme: Theme) -> Self {
        Self { theme, focus: 0, offsets: [0; Panel::ALL.len()], paused: false, help: false }
    }

    /// Take up a key.
    pub(crate) fn press(&mut self, key: Key) {
        if self.help {
            // Whatever is typed closes it.
            self.help = false;
            return;
        }
        let count = Panel::ALL.len();
        match key {
            Key::Next => self.focus = (self.focus + 1) % count,
            Key::Back => self.focus = (self.focus + count - 1) % count,
            Key::Panel(panel) => self.focus = panel.min(count - 1),
            Key::Down => self.scroll(|offset| offset.saturating_add(1)),
            Key::Up => self.scroll(|offset| offset.saturating_sub(1)),
            Key::PageDown => self.scroll(|offset| offset.saturating_add(PAGE)),
            Key::PageUp => self.scroll(|offset| offset.saturating_sub(PAGE)),
            Key::First => self.scroll(|_| 0),
            // As far as there is something: the next frame knows.
            Key::Last => self.scroll(|_| usize::MAX),
            Key::Pause => self.paused = !self.paused,
            Key::Help => self.help = true,
            Key::Escape => self.paused = false,
            Key::Quit => {}
        }
    }

    fn scroll(&mut self, to: impl Fn(usize) -> usize) {
        let panel = self.focus();
        let offset = self.offset(panel);
        *offset = to(*offset);
    }

    /// The panel that keys are about.
    pub(super) fn focus(&self) -> Panel {
        Panel::ALL.get(self.focus).copied().unwrap_or(Panel::Calls)
    }

    /// How far down a panel is. Whoever draws it puts it back where there is nothing more.
    pub(super) fn offset(&mut self, panel: Panel) -> &mut usize {
        let [calls, latency, denials, budgets, approvals, plugins, callers, audit] = &mut self.offsets;
        match panel {
            Panel::Calls => calls,
            Panel::Latency => latency,
            Panel::Denials => denials,
            Panel::Budgets => budgets,
            Panel::Approvals => approvals,
            Panel::Plugins => plugins,
            Panel::Callers => callers,
            Panel::Audit => audit,
        }
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn shows_help(&self) -> bool {
        self.help
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_move_through_panels_and_their_rows() {
        let mut ui = Ui::new(Theme::plain());
        ui.press(Key::Back);
        assert_eq!(ui.focus(), Panel::Audit);
        ui.press(Key::Next);
        assert_eq!(ui.focus(), Panel::Calls);
        ui.press(Key::Panel(3));
        assert_eq!(ui.focus(), Panel::Budgets);
        for (key, offset) in [(Key::Up, 0), (Key::PageDown, 10), (Key::Down, 11), (Key::PageUp, 1), (Key::First, 0)] {
            ui.press(key);
            assert_eq!(*ui.offset(Panel::Budgets), offset, "{key:?}");
        }
        ui.press(Key::Last);
        ui.press(Key::Down);
        assert_eq!(*ui.offset(Panel::Budgets), usize::MAX);
        assert_eq!(*ui.offset(Panel::Calls), 0);
    }

    #[test]
    fn the_picture_stands_still_until_somebody_says_otherwise() {
        let mut ui = Ui::new(Theme::plain());
        ui.press(Key::Pause);
        assert!(ui.is_paused());
        ui.press(Key::Help);
        ui.press(Key::Pause);
        assert!(ui.is_paused() && !ui.shows_help(), "a key on the help closes it, and does nothing else");
        ui.press(Key::Escape);
        assert!(!ui.is_paused());
    }
}
