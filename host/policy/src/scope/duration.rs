//! Lengths of time: a whole number and a unit.

use std::fmt;

use crate::Window;

/// Milliseconds. Zero is no length.
pub(super) fn parse(text: &str) -> Option<u64> {
    text.parse::<Window>().ok().map(Window::as_millis)
}

/// In the longest unit that divides it.
pub(super) fn show(millis: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match Window::from_millis(millis) {
        Some(window) => fmt::Display::fmt(&window, f),
        None => f.write_str("0ms"),
    }
}
