//! Where in an operator's file something stands.

use std::{fmt, sync::Arc};

/// A place in a policy file. Lines and columns are counted from one, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    file: Arc<str>,
    line: usize,
    column: usize,
}

impl Place {
    /// The file, as it was named to [`Rules::new`](super::Rules::new).
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, from one.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, from one.
    pub fn column(&self) -> usize {
        self.column
    }
}

/// `file:line:column`, as editors and terminals take it.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One file.
pub(super) struct Source<'a> {
    name: Arc<str>,
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    pub(super) fn new(name: &str, text: &'a str) -> Self {
        Self { name: name.into(), text }
    }

    /// The place of a byte; the end of the file where there is none.
    pub(super) fn place(&self, at: usize) -> Place {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).map_or(0, |line| line.chars().count());
        Place { file: Arc::clone(&self.name), line: before.bytes().filter(|byte| *byte == b'\n').count() + 1, column: column + 1 }
    }
}

/// A piece of a policy's text. Space and comments are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword, a variable, an attribute.
    Word(&'a str),
    /// What is between two quotation marks, as it is written.
    Text(&'a str),
    /// Anything else.
    Mark(char),
}

/// The pieces of a text, each with its first byte.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = (usize, Token<'_>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..)?;
            let first = rest.chars().next()?;
            let here = at;
            if rest.starts_with("//") {
                at += rest.find(['\n', '\r']).unwrap_or(rest.len());
            } else if first.is_whitespace() {
                at += first.len_utf8();
            } else if first == '"' {
                let inside = rest.get(1..)?;
                let length = closing(inside);
                at += (length + 2).min(rest.len());
                return Some((here, Token::Text(inside.get(..length).unwrap_or(inside))));
            } else if first == '_' || first.is_ascii_alphabetic() {
                let length = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
                at += length;
                return Some((here, Token::Word(rest.get(..length)?)));
            } else {
                at += first.len_utf8();
                return Some((here, Token::Mark(first)));
            }
        }
    })
}

/// Where a text in quotation marks ends: before the first that no `\` escapes.
fn closing(inside: &str) -> usize {
    let mut escaped = false;
    for (at, character) in inside.char_indices() {
        match character {
            '"' if !escaped => return at,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    inside.len()
}

#[cfg(test)]
mod tests {
    use super::{
        Source,
        Token::{self, Mark, Text, Word},
        tokens,
    };

    fn check(text: &str, expected: &[(usize, Token<'_>)]) {
        assert_eq!(tokens(text).collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn comments_and_space_are_no_tokens() {
        check("", &[]);
        check(" // forbid \"a\"\r\n\tforbid // b", &[(17, Word("forbid"))]);
        check("a.b", &[(0, Word("a")), (1, Mark('.')), (2, Word("b"))]);
    }

    #[test]
    fn a_text_ends_where_nothing_escapes_its_quotation_mark() {
        check(r#""a\"b//c"d"#, &[(0, Text(r#"a\"b//c"#)), (9, Word("d"))]);
        check(r#""a\\"d"#, &[(0, Text(r"a\\")), (5, Word("d"))]);
        check("\"é", &[(0, Text("é"))]);
        check("\"", &[(0, Text(""))]);
    }

    #[test]
    fn places_are_counted_as_people_count() {
        let source = Source::new("a.cedar", "é\r\nüx\n");
        for (at, line, column) in [(0, 1, 1), (2, 1, 2), (4, 2, 1), (6, 2, 2), (8, 3, 1), (99, 3, 1)] {
            let place = source.place(at);
            assert_eq!((place.line(), place.column(), place.file()), (line, column, "a.cedar"), "{at}");
        }
        assert_eq!(source.place(6).to_string(), "a.cedar:2:2");
    }
}
