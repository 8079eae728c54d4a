//! What the person at the terminal sees.

use std::io::{self, IsTerminal, Write};

/// A line of the story. A terminal that has gone away does not matter.
pub(crate) fn said(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// The start of an act.
pub(crate) fn act(text: &str) {
    said(&format!("\n{}", paint("1;7", &format!(" {text} "))));
}

/// The start of a scene.
pub(crate) fn heading(text: &str) {
    said(&format!("\n{}", paint("1", &format!("━━ {text} {}", "━".repeat(76_usize.saturating_sub(text.chars().count()))))));
}

/// Something that went as it should.
pub(crate) fn good(text: &str) {
    said(&format!("{} {text}", paint("32", "✓")));
}

/// A command or a call, as it was given.
pub(crate) fn prompt(text: &str) {
    said(&paint("36", text));
}

/// An answer, indented, and cut where it would push everything else off the screen.
pub(crate) fn answer(text: &str, lines: usize) {
    let all: Vec<&str> = text.trim_end().lines().collect();
    for line in all.iter().take(lines) {
        said(&format!("  {line}"));
    }
    if all.len() > lines {
        said(&paint("2", &format!("  … {} more lines", all.len() - lines)));
    }
}

fn paint(code: &str, text: &str) -> String {
    if io::stdout().is_terminal() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
