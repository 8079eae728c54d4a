//! A place in a query that only moves on.

use crate::{Bounds, Refused};

/// What is left of a query.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    /// At the beginning of a query that is not too long and holds no character that is not seen: line breaks and tabs are white space,
    /// and every other control character, and what changes how others look, is refused wherever it stands.
    ///
    /// # Errors
    /// When it is too long, or holds such a character.
    pub fn new(text: &'t str, bounds: &Bounds) -> Result<Self, Refused> {
        if text.len() > bounds.bytes {
            return Err(Refused::new(bounds.bytes, format!("a query has at most {} bytes; ask for less at once", bounds.bytes)));
        }
        let hidden = |letter: char| casemate_plugin::is_hidden(letter) && !matches!(letter, '\n' | '\r' | '\t');
        match text.char_indices().find(|(_, letter)| hidden(*letter)) {
            Some((at, letter)) => {
                let why = format!("U+{:04X} is not seen, or changes how others look; leave it out", u32::from(letter));
                Err(Refused::new(at, why))
            }
            None => Ok(Self { text, at: 0 }),
        }
    }

    /// Bytes of the query before it.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What is left.
    pub fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Whether nothing is left.
    pub fn is_done(&self) -> bool {
        self.rest().is_empty()
    }

    /// The next character, without moving on.
    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The next character, behind it.
    pub fn bump(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.at += letter.len_utf8();
        Some(letter)
    }

    /// Move behind `text`, if it is next.
    pub fn eat(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    /// Move behind all next characters that are such.
    pub fn take_while(&mut self, is_such: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|letter| !is_such(letter)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Move behind white space: blanks, tabs and line breaks of ASCII. Others only look like it.
    pub fn skip_space(&mut self) {
        self.take_while(|letter| matches!(letter, ' ' | '\t' | '\n' | '\r'));
    }

    /// What stands here is refused.
    pub fn refuse<T>(&self, why: impl Into<String>) -> Result<T, Refused> {
        Err(Refused::new(self.at, why))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn moves_on() {
        let mut cursor = Cursor::new(" a=é|", &Bounds::QUERY).unwrap();
        cursor.skip_space();
        assert_eq!((cursor.take_while(|letter| letter.is_ascii_lowercase()), cursor.at()), ("a", 2));
        assert!(!cursor.eat("==") && cursor.eat("="));
        assert_eq!((cursor.bump(), cursor.at(), cursor.rest()), (Some('é'), 5, "|"));
        assert_eq!((cursor.bump(), cursor.is_done(), cursor.bump(), cursor.peek()), (Some('|'), true, None, None));
        assert_eq!(cursor.refuse::<()>("no").unwrap_err().at, 6);
    }

    #[test]
    fn a_query_is_short_and_seen() {
        let bounds = Bounds { bytes: 4, ..Bounds::QUERY };
        assert!(Cursor::new("a\tb\n", &bounds).is_ok());
        assert_eq!(Cursor::new("abcde", &bounds).unwrap_err().at, 4);
        for hidden in ["a\0", "a\u{1b}", "a\u{7f}", "a\u{85}", "a\u{200b}", "a\u{202e}", "a\u{feff}", "a\u{2028}", "a\u{ad}"] {
            assert_eq!(Cursor::new(hidden, &bounds).unwrap_err().at, 1, "{hidden:?}");
        }
    }
}
