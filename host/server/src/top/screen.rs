//! The terminal while it is drawn on, and as it was before, whatever ends the drawing.

use std::{
    io::{self, Stdout, stdout},
    panic,
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

use super::{
    Model, Ui,
    view::{Key, draw},
};

/// A terminal that is drawn on. Dropped, it is as it was.
pub(super) struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    /// # Errors
    /// When there is no terminal, or it cannot be drawn on.
    pub(super) fn open() -> io::Result<Self> {
        let before = panic::take_hook();
        // What went wrong is said where it can be read.
        panic::set_hook(Box::new(move |why| {
            leave();
            before(why);
        }));
        let opened = enable_raw_mode()
            .and_then(|()| execute!(stdout(), EnterAlternateScreen))
            .and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        opened.map(Self).inspect_err(|_| leave())
    }

    /// Draw a frame, as large as the terminal is by now.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub(super) fn draw(&mut self, model: &Model, ui: &mut Ui) -> io::Result<()> {
        self.0.draw(|frame| {
            let area = frame.area();
            draw(frame.buffer_mut(), area, model, ui);
        })?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Whatever of it fails, the rest is done.
fn leave() {
    let _ = disable_raw_mode();
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
}

/// What a key means; none where it means nothing.
pub(super) fn key(typed: KeyEvent) -> Option<Key> {
    if typed.kind == KeyEventKind::Release {
        return None;
    }
    let held = typed.modifiers;
    Some(match typed.code {
        KeyCode::Char('c' | 'd') if held.contains(KeyModifiers::CONTROL) => Key::Quit,
        _ if held.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => return None,
        KeyCode::Char('q') => Key::Quit,
        KeyCode::Esc => Key::Escape,
        KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => Key::Next,
        KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => Key::Back,
        KeyCode::Down | KeyCode::Char('j') => Key::Down,
        KeyCode::Up | KeyCode::Char('k') => Key::Up,
        KeyCode::PageDown | KeyCode::Char(' ') => Key::PageDown,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::Home | KeyCode::Char('g') => Key::First,
        KeyCode::End | KeyCode::Char('G') => Key::Last,
        KeyCode::Char('p') => Key::Pause,
        KeyCode::Char('?') | KeyCode::F(1) => Key::Help,
        KeyCode::Char(digit @ '1'..='8') => Key::Panel(usize::try_from(digit.to_digit(10)?).ok()? - 1),
        _ => return None,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn keys_mean_what_the_foot_says() {
        let of = |code, held| key(KeyEvent::new(code, held));
        assert_eq!(of(KeyCode::Char('q'), KeyModifiers::NONE), Some(Key::Quit));
        assert_eq!(of(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Key::Quit));
        assert_eq!(of(KeyCode::Char('c'), KeyModifiers::NONE), None);
        assert_eq!(of(KeyCode::Char('p'), KeyModifiers::CONTROL), None);
        assert_eq!(of(KeyCode::Char('3'), KeyModifiers::NONE), Some(Key::Panel(2)));
        assert_eq!(of(KeyCode::Char('9'), KeyModifiers::NONE), None);
        assert_eq!(of(KeyCode::BackTab, KeyModifiers::SHIFT), Some(Key::Back));
        assert_eq!(of(KeyCode::Char('?'), KeyModifiers::SHIFT), Some(Key::Help));
    }

    /// Run on a terminal by the test below.
    #[test]
    #[ignore = "it takes a terminal, and panics"]
    fn panics_on_a_terminal() {
        let _screen = Screen::open().unwrap();
        panic!("something went wrong");
    }

    #[test]
    fn a_panic_leaves_the_terminal_as_it_was() {
        let this = std::env::current_exe().unwrap();
        let line = format!(
            "stty -a > /dev/null; {} --exact --ignored --nocapture top::screen::tests::panics_on_a_terminal; stty -a",
            this.display()
        );
        let ran = Command::new("script").args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").output().unwrap();
        let shown = String::from_utf8_lossy(&ran.stdout);
        let (drawn, after) = shown.split_once("\u{1b}[?1049l").unwrap_or_else(|| panic!("{shown}"));
        assert!(drawn.contains("\u{1b}[?1049h") && after.contains("\u{1b}[?25h"), "{shown}");
        assert!(after.contains("something went wrong") && after.contains(" icanon") && after.contains(" echo "), "{shown}");
    }
}
