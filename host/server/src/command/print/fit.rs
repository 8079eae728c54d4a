//! Long lines on a terminal: broken by us, and never by the terminal.
//!
//! Where a terminal breaks a line, the rest begins in the first column, where the host's own headings and names begin. A publisher's
//! text that is broken there could look like one. So what follows a break is indented, below the text it belongs to.

use std::io::{self, IsTerminal};

use terminal_size::{Width, terminal_size_of};

/// Narrower than this, breaking would leave nothing to read.
const MIN_WIDTH: usize = 40;
/// Where values stand on a capability sheet, below a name that may leave one space.
const VALUES: usize = 16;
/// What follows a break stands no further right than this, however long the name in front is.
const MAX_INDENT: usize = 20;

/// Text as it is printed to standard error.
pub(crate) fn to_stderr(text: &str) -> String {
    fitted(text, width(&io::stderr()))
}

/// Text as it is printed to standard output.
pub(crate) fn to_stdout(text: &str) -> String {
    fitted(text, width(&io::stdout()))
}

/// Columns of a terminal; none where it is something else.
fn width(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<usize> {
    let (Width(columns), _) = terminal_size_of(stream).filter(|_| stream.is_terminal())?;
    Some(usize::from(columns)).filter(|columns| *columns >= MIN_WIDTH)
}

fn fitted(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    text.split_inclusive('\n').map(|line| broken(line, width)).collect()
}

/// A line and its end, in as many lines as it takes.
fn broken(line: &str, width: usize) -> String {
    let indent = indent(line).min(width / 2);
    let (mut text, mut used, mut rest) = (String::new(), 0, line);
    while let Some(end) = end_of_line(rest, width - used) {
        let (now, later) = rest.split_at(end);
        text.push_str(now.trim_end_matches(' '));
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', indent));
        (used, rest) = (indent, later.trim_start_matches(' '));
    }
    text + rest
}

/// Where what follows a break begins: below the text after a name, or a little to the right of where the line begins.
fn indent(line: &str) -> usize {
    let start = line.len() - line.trim_start_matches(' ').len();
    let after_name = line.get(start..).and_then(|text| {
        let gap = text.find(' ')?;
        let value = text.get(gap..)?.trim_start_matches(' ');
        let column = line.len() - value.len();
        (!value.is_empty() && (column - start - gap > 1 || column == VALUES)).then_some(column)
    });
    after_name.filter(|column| *column <= MAX_INDENT).unwrap_or(start + 4)
}

/// How much of `text` fits into `width` columns, if not all of it does: up to a space, or as much as there is place for.
fn end_of_line(text: &str, width: usize) -> Option<usize> {
    let mut used = 0;
    let mut space = None;
    for (at, c) in text.char_indices() {
        if c == '\n' {
            return None;
        }
        used += columns(c);
        if used > width {
            if c == ' ' {
                return Some(at);
            }
            // At least one, or it would never end.
            return Some(space.unwrap_or(at).max(c.len_utf8().min(text.len())));
        }
        // Words that take more than half of a line are broken where it ends.
        if c == ' ' && used > width / 2 {
            space = Some(at);
        }
    }
    None
}

/// As many columns as a character may take: ours are known, and of others it is better to break too soon than too late.
fn columns(c: char) -> usize {
    if c == '\t' {
        return 8;
    }
    if c.is_ascii() || matches!(c, '\u{2500}'..='\u{257f}' | '→' | '·' | '…' | '—') { 1 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, width: usize, expected: &str) {
        assert_eq!(fitted(text, Some(width)), expected);
    }

    #[test]
    fn what_follows_a_break_stands_below_what_it_belongs_to() {
        check("  license       one two three four\n", 32, "  license       one two three\n                four\n");
        check("    description one two three four\n", 32, "    description one two three\n                four\n");
        check("  a       one two three\n", 18, "  a       one two\n         three\n");
        check("  one two three four five six\n", 20, "  one two three four\n      five six\n");
        check(
            "    name         one two three four\nshort\n",
            34,
            "    name         one two three\n                 four\nshort\n",
        );
        check("nothing to break", 16, "nothing to break");
        check("\n\n", 40, "\n\n");
        check("────────────────────", 20, "────────────────────");
    }

    #[test]
    fn a_word_that_is_too_long_is_broken_where_the_line_ends() {
        check(&"a".repeat(25), 10, "aaaaaaaaaa\n    aaaaaa\n    aaaaaa\n    aaa");
        check("  x  ", 10, "  x  ");
    }

    /// A publisher who knows the width of a terminal puts no line of the host's there.
    #[test]
    fn no_text_begins_in_the_first_column_after_a_break() {
        let words = format!("  description   {}signed by SHA256:good{}", "x ".repeat(30), "漢".repeat(90));
        for width in MIN_WIDTH..200 {
            let fitted = fitted(&words, Some(width));
            for line in fitted.lines() {
                assert!(line.starts_with("    ") || line.starts_with("  description"), "{width}: {fitted}");
                assert!(line.chars().map(columns).sum::<usize>() <= width, "{width}: {fitted}");
            }
            let same = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            assert_eq!(same(&fitted), same(&words), "nothing is left out");
        }
    }

    #[test]
    fn what_is_no_terminal_gets_the_lines_as_they_are() {
        let long = "word ".repeat(100);
        assert_eq!(fitted(&long, None), long);
    }
}
