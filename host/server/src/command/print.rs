//! Results on standard output: text that is worth reading, or one JSON value.

pub(crate) mod fit;

use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::ProgressBar;
use serde_json::Value;

use super::Format;

/// Write a result; a reader that has gone away is not an error.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Write a note for the person, not part of the result.
pub(crate) fn note(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// One JSON value, indented for a person and in one line for a program that reads lines.
pub(crate) fn json(value: &Value) {
    line(if io::stdout().is_terminal() { format!("{value:#}") } else { value.to_string() });
}

/// Text or JSON, as asked for.
pub(crate) fn result(format: Format, text: impl FnOnce() -> String, value: impl FnOnce() -> Value) {
    match format {
        Format::Text => {
            let text = text();
            let text = text.trim_end();
            if !text.is_empty() {
                line(text);
            }
        }
        Format::Json => json(&value()),
    }
}

/// Says what is waited for, where standard error is a terminal, until it is dropped.
pub(crate) struct Waiting(ProgressBar);

/// Often enough to be seen moving.
const TICK: Duration = Duration::from_millis(120);

impl Waiting {
    /// Begin.
    pub(crate) fn for_what(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Says how far long work has come, where standard error is a terminal and it is long; until it is dropped.
pub(crate) struct Watched {
    since: Instant,
    bar: Option<ProgressBar>,
}

/// What takes no longer than this needs no word.
const LONG: Duration = Duration::from_millis(400);

impl Watched {
    /// Begin.
    pub(crate) fn new() -> Self {
        Self { since: Instant::now(), bar: None }
    }

    /// This far.
    pub(crate) fn show(&mut self, what: impl FnOnce() -> String) {
        if self.since.elapsed() > LONG {
            self.bar.get_or_insert_with(ProgressBar::new_spinner).set_message(what());
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// `1 tool`, `2 tools`.
pub(crate) fn counted(count: usize, of: &str) -> String {
    if count == 1 { format!("1 {of}") } else { format!("{count} {of}s") }
}

/// A table with columns as wide as their widest cell; the first row is its head.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let rows = [vec!["NAME".to_owned(), "V".to_owned()], vec!["a".to_owned(), "0.1.0".to_owned()], vec!["long".to_owned()]];
        assert_eq!(table(&rows), "NAME  V\na     0.1.0\nlong\n");
    }
}
