//! Texts from anywhere, as they may be shown.

use std::{fmt, sync::Arc};

use casemate_policy::text::line;

use crate::exit::Failure;

/// Longer texts are cut: no column is as wide.
const MAX: usize = 300;
/// Lines of a message.
const MAX_LINES: usize = 8;

/// One line, bounded, with everything in it that could be seen wrongly, or obeyed by a terminal, made visible. Only [`Text::of`] makes one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text(Arc<str>);

impl Text {
    /// Of whatever is written there.
    pub(crate) fn of(text: &str) -> Self {
        Self(line(text, MAX).into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a message says, line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lines(Vec<Text>);

impl Lines {
    pub(crate) fn of(message: &str) -> Self {
        Self(message.lines().take(MAX_LINES).map(Text::of).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Text> {
        self.0.iter()
    }
}

impl From<Failure> for Lines {
    fn from(failure: Failure) -> Self {
        Self::of(&failure.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(Text::of("eye\u{1b}]0;x\u{7}\n\u{202e}look").as_str(), "eye\\u{1b}]0;x\\u{7}\\u{a}\\u{202e}look");
        assert_eq!(Text::of(&"x".repeat(500)).as_str().chars().count(), MAX + 1);
    }
}
