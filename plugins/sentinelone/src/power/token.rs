//! The words, texts, numbers and signs of a query, each with its place. What is none of these is refused here.

use std::iter::Peekable;
use std::str::Chars;

use super::{Fault, Place};

/// Bytes of one text: what SentinelOne takes as a regular expression.
const MAX_TEXT: usize = 1_000;
/// Characters of a name.
const MAX_NAME: usize = 120;

/// What stands in a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// `src.process.name`, `#ip`, `group`, `contains:anycase`
    Name(String),
    /// `'text'`, without its quotes and escapes.
    Text(String),
    /// `1_000.5`, without what only makes it easier to read.
    Number(String),
    /// `|`, `(`, `<=`, in one spelling.
    Sign(&'static str),
    /// Nothing more.
    End,
}

/// What stands where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: Place,
}

/// Signs as they are written, longest first, and in the one spelling.
const SIGNS: [(&str, &str); 23] = [
    ("||", "or"),
    ("&&", "and"),
    ("==", "="),
    ("!=", "!="),
    ("<=", "<="),
    (">=", ">="),
    ("->", "->"),
    ("|", "|"),
    ("!", "not"),
    ("=", "="),
    ("<", "<"),
    (">", ">"),
    ("+", "+"),
    ("-", "-"),
    ("*", "*"),
    ("/", "/"),
    ("%", "%"),
    ("(", "("),
    (")", ")"),
    (",", ","),
    ("?", "?"),
    (":", ":"),
    // Refused by name in `other`, but known as one character.
    ("$", "$"),
];

/// Everything that stands in the text, to its end.
pub(super) fn read(text: &str) -> Result<Vec<Token>, Fault> {
    let mut scan = Scan { rest: text.chars().peekable(), at: Place { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    loop {
        scan.pass_over();
        let at = scan.at;
        let Some(&first) = scan.rest.peek() else {
            tokens.push(Token { kind: Kind::End, at });
            return Ok(tokens);
        };
        let kind = match first {
            'a'..='z' | 'A'..='Z' | '_' | '#' => scan.name()?,
            '0'..='9' => scan.number()?,
            '\'' | '"' => scan.text()?,
            other => scan.sign(other)?,
        };
        tokens.push(Token { kind, at });
    }
}

struct Scan<'a> {
    rest: Peekable<Chars<'a>>,
    at: Place,
}

impl Scan<'_> {
    fn next(&mut self) -> Option<char> {
        let letter = self.rest.next()?;
        if letter == '\n' {
            self.at = Place { line: self.at.line + 1, column: 1 };
        } else {
            self.at.column += 1;
        }
        Some(letter)
    }

    /// White space, and comments to the end of their line. A comment is not sent.
    fn pass_over(&mut self) {
        loop {
            match self.rest.peek().copied() {
                Some(' ' | '\t' | '\n') => {
                    self.next();
                }
                Some('/') if self.second() == Some('/') => {
                    while self.rest.peek().is_some_and(|letter| *letter != '\n') {
                        self.next();
                    }
                }
                _ => return,
            }
        }
    }

    fn second(&self) -> Option<char> {
        self.rest.clone().nth(1)
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(letter) = self.rest.next_if(|letter| fits(*letter)) {
            self.at.column += 1;
            taken.push(letter);
        }
        taken
    }

    /// A name; with what modifies it, where it is a search operator.
    fn name(&mut self) -> Result<Kind, Fault> {
        let at = self.at;
        let mut name = String::new();
        if let Some(first) = self.next() {
            name.push(first);
        }
        name.push_str(&self.take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.')));
        if name == "#" || name.ends_with('.') || name.contains("..") || name.len() > MAX_NAME {
            return Err(Fault::new(at, "this is no name of a field: letters, digits, `_`, and `.` between them"));
        }
        match self.rest.peek() {
            Some(':') if matches!(name.as_str(), "contains" | "matches" | "in") => {
                self.next();
                name.push(':');
                name.push_str(&self.take_while(|letter| letter.is_ascii_alphabetic()));
                Ok(Kind::Name(name))
            }
            Some('-' | ':') => Err(Fault::new(
                self.at,
                "a name cannot hold `-` or `:` here; write spaces around them where they subtract or choose",
            )),
            _ => Ok(Kind::Name(name)),
        }
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let at = self.at;
        let written = self.take_while(|letter| letter.is_ascii_digit() || matches!(letter, '_' | '.'));
        let number: String = written.chars().filter(|letter| *letter != '_').collect();
        let follows = self.rest.peek().is_some_and(|letter| letter.is_ascii_alphabetic() || matches!(letter, '#' | ':'));
        if number.len() > 20 || number.ends_with('.') || number.matches('.').count() > 1 || follows {
            return Err(Fault::new(at, "this is no number; a length of time is a text, such as '1h'"));
        }
        Ok(Kind::Number(number))
    }

    fn text(&mut self) -> Result<Kind, Fault> {
        let at = self.at;
        let quote = self.next().unwrap_or('\'');
        let mut text = String::new();
        loop {
            let here = self.at;
            match self.next() {
                Some(end) if end == quote => break,
                Some('\\') => match self.next() {
                    Some(escaped @ ('\\' | '\'' | '"')) => text.push(escaped),
                    _ => {
                        return Err(Fault::new(
                            here,
                            r"write `\\` for a backslash: a single one stands before `\` and quotes only",
                        ));
                    }
                },
                Some('\n' | '\t') | None => return Err(Fault::new(at, "this text has no end on its line")),
                Some(letter) => text.push(letter),
            }
        }
        if text.contains('\'') && text.contains('"') {
            return Err(Fault::new(at, "a text cannot hold both kinds of quotes; search for its parts"));
        }
        if text.len() > MAX_TEXT {
            return Err(Fault::new(at, format!("this text is longer than {MAX_TEXT} bytes")));
        }
        Ok(Kind::Text(text))
    }

    fn sign(&mut self, first: char) -> Result<Kind, Fault> {
        let at = self.at;
        let pair: String = self.rest.clone().take(2).collect();
        let found = SIGNS.iter().find(|(written, _)| pair.starts_with(written));
        let why = match found {
            Some((_, "->")) => "functions of one's own (`func(x) -> …`) are not allowed".to_owned(),
            Some((_, "$")) => "`$\"…\"` is not allowed; write `message matches '…'`".to_owned(),
            Some((written, sign)) => {
                for _ in written.chars() {
                    self.next();
                }
                return Ok(Kind::Sign(sign));
            }
            None if first == '\\' => "a backslash stands in texts only".to_owned(),
            None if first == ';' => "`;` is not allowed: a call is one query".to_owned(),
            None => format!("`{first}` is not allowed outside of a text"),
        };
        Err(Fault::new(at, why))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = read(text).unwrap().into_iter().map(|token| token.kind).collect();
        assert_eq!(kinds.pop(), Some(Kind::End));
        kinds
    }

    fn name(text: &str) -> Kind {
        Kind::Name(text.to_owned())
    }

    #[test]
    fn what_stands_there() {
        assert_eq!(kinds("a.b_c=#ip"), [name("a.b_c"), Kind::Sign("="), name("#ip")]);
        assert_eq!(kinds("a && b||c"), [name("a"), Kind::Sign("and"), name("b"), Kind::Sign("or"), name("c")]);
        assert_eq!(kinds(r"'a\'b' "), [Kind::Text("a'b".into())]);
        assert_eq!(kinds(r#""a\\b|c" "#), [Kind::Text(r"a\b|c".into())]);
        assert_eq!(kinds("1_000 2.5 // 3 | union\n4"), ["1000", "2.5", "4"].map(|it| Kind::Number(it.into())));
        assert_eq!(kinds("in:anycase a / b 'http://x'").len(), 5);
    }

    #[test]
    fn each_has_its_place() {
        let tokens = read("a\n  'é' b").unwrap();
        let places: Vec<_> = tokens.iter().map(|token| (token.at.line, token.at.column)).collect();
        assert_eq!(places, [(1, 1), (2, 3), (2, 7), (2, 8)]);
    }

    #[test]
    fn what_has_two_readings_is_none() {
        for text in [
            "'a",
            "'a\nb'",
            r"'a\'",
            r"'\d'",
            "a-b",
            "a:b",
            "a..b",
            "a.",
            "#",
            "1h",
            "1..2",
            "1.",
            "a;b",
            "`a`",
            "a\\b",
            "$'x'",
            "{a}",
            "[a]",
            "@a",
            "a\u{a0}b",
            "é",
            "x -> y",
            r#"'a"\''"#,
            "a & b",
            "~a",
            "^",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
