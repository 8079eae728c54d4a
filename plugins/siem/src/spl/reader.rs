//! Reading pieces, with the bounds of every query kept, and note taken of the fields that are computed with.

use super::{
    piece::Piece,
    words::{self, is_bare_field},
};
use crate::{Bounds, Cursor, Refused};

const BOUNDS: Bounds = Bounds::QUERY;

/// What is left of a query, and what was seen of it.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    text: &'t str,
    cursor: Cursor<'t>,
    /// Whether white space stands before what is next.
    spaced: bool,
    depth: usize,
    stages: usize,
    pieces: usize,
    computed: Vec<String>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Result<Self, Refused> {
        let cursor = Cursor::new(text, &BOUNDS)?;
        // Splunk looks for these before it looks for quotes: nowhere are they harmless.
        if let Some(at) = text.find('`') {
            let why = "a backtick begins a macro or a comment, whose text is not read here; leave it out, also in quotes";
            return Err(Refused::new(at, why));
        }
        let mut reader = Self { text, cursor, spaced: true, depth: 0, stages: 0, pieces: 0, computed: Vec::new() };
        reader.cursor.skip_space();
        Ok(reader)
    }

    pub(super) fn at(&self) -> usize {
        self.cursor.at()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.cursor.peek()
    }

    /// Fields in the order in which they were first named.
    pub(super) fn computed(self) -> Vec<String> {
        self.computed
    }

    /// Take note of a field that is filtered by or computed with.
    pub(super) fn compute(&mut self, field: &str) {
        if !self.computed.iter().any(|known| known == field) {
            self.computed.push(field.to_owned());
        }
    }

    /// One more piece. Every piece is counted where it is read.
    pub(super) fn piece(&mut self) -> Result<(), Refused> {
        self.pieces += 1;
        if self.pieces > BOUNDS.nodes {
            return self.refuse(format!("a query has at most {} parts; ask for less at once", BOUNDS.nodes));
        }
        Ok(())
    }

    /// One more command.
    pub(super) fn stage(&mut self) -> Result<(), Refused> {
        self.stages += 1;
        if self.stages > BOUNDS.stages {
            return self.refuse(format!("a query has at most {} commands", BOUNDS.stages));
        }
        Ok(())
    }

    /// What stands in parentheses, of which the first was read.
    pub(super) fn inside<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Refused>) -> Result<T, Refused> {
        self.depth += 1;
        if self.depth > BOUNDS.depth {
            return self.refuse(format!("parentheses are at most {} deep", BOUNDS.depth));
        }
        let inside = read(self)?;
        if !self.eat(")") {
            return self.unexpected("expected `)`");
        }
        self.depth -= 1;
        Ok(inside)
    }

    /// Move behind a sign and the white space behind it, if it is next.
    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let eaten = self.cursor.eat(sign);
        if eaten {
            self.cursor.skip_space();
        }
        eaten
    }

    /// The first of these signs that is next.
    pub(super) fn sign(&mut self, signs: &'static [&'static str]) -> Option<&'static str> {
        signs.iter().find(|sign| self.eat(sign)).copied()
    }

    /// Whether one of these characters is next.
    pub(super) fn is_next(&self, signs: &str) -> bool {
        self.peek().is_some_and(|next| signs.contains(next))
    }

    /// Whether an argument of a command ends here.
    pub(super) fn is_end(&self) -> bool {
        self.peek().is_none_or(|next| next == '|' || next == ')')
    }

    /// The next characters that are such, and the white space behind them.
    pub(super) fn letters(&mut self, is_such: impl Fn(char) -> bool) -> &'t str {
        let letters = self.cursor.take_while(is_such);
        self.skip_space();
        letters
    }

    fn skip_space(&mut self) {
        let at = self.cursor.at();
        self.cursor.skip_space();
        self.spaced = self.cursor.at() > at;
    }

    /// A word or a string and what is next are two, and not one that Splunk could put together.
    pub(super) fn apart(&self) -> Result<(), Refused> {
        let joined = self.peek().is_some_and(|next| next == '"' || words::is_value_letter(next));
        if joined && !self.spaced {
            self.refuse("a blank stands between a word and a string; or put both into one string")
        } else {
            Ok(())
        }
    }

    /// The next word, without moving on.
    pub(super) fn peek_word(&self) -> &'t str {
        let mut ahead = self.cursor;
        ahead.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    }

    /// The word behind the next one, with what is between them.
    pub(super) fn follows(&self, word: &str, sign: char) -> bool {
        let mut ahead = self.cursor;
        ahead.eat(word);
        ahead.skip_space();
        ahead.peek() == Some(sign)
    }

    /// Move behind a word without regard to case, if it is next.
    pub(super) fn word_if(&mut self, word: &str) -> bool {
        let next = self.peek_word();
        let is_next = next.eq_ignore_ascii_case(word) && !self.follows_word(next);
        if is_next {
            self.eat(next);
        }
        is_next
    }

    /// Whether what follows a word directly belongs to it, as in `by-pass` and `as=1`.
    fn follows_word(&self, word: &str) -> bool {
        let mut ahead = self.cursor;
        ahead.eat(word);
        ahead.peek().is_some_and(|next| !matches!(next, ' ' | '\t' | '\n' | '\r' | '(' | '"' | '|'))
    }

    /// A string in double quotes.
    pub(super) fn quoted(&mut self) -> Result<String, Refused> {
        let inner = words::quoted(&mut self.cursor)?;
        self.skip_space();
        self.piece()?;
        Ok(inner)
    }

    /// A field in single quotes, as eval expressions name them.
    pub(super) fn single_quoted(&mut self) -> Result<String, Refused> {
        let at = self.cursor.at();
        let name = words::single_quoted(&mut self.cursor)?;
        self.cursor.skip_space();
        self.piece()?;
        if words::is_quoted_field(name) {
            Ok(name.to_owned())
        } else {
            Err(Refused::new(at, "in single quotes is a field's name: letters, digits, blanks and _.:{}@/()-"))
        }
    }

    /// The name of a field in a list; `*` in it stands for any letters.
    pub(super) fn field(&mut self) -> Result<Piece, Refused> {
        self.piece()?;
        let at = self.cursor.at();
        if self.is_next("\"") {
            let name = self.quoted()?;
            return match words::is_quoted_field(&name) {
                true => Ok(Piece::Quoted(name)),
                false => Err(Refused::new(at, "expected a field's name: letters, digits, blanks and _.:{}@/()-")),
            };
        }
        let name = self.letters(words::is_field_letter);
        if is_bare_field(name) {
            Ok(Piece::Field(name.to_owned()))
        } else {
            self.unexpected_at(at, "expected the name of a field")
        }
    }

    /// A field that is computed with.
    pub(super) fn computed_field(&mut self) -> Result<Piece, Refused> {
        let piece = self.field()?;
        if let Piece::Field(name) | Piece::Quoted(name) = &piece {
            let name = name.clone();
            self.compute(&name);
        }
        Ok(piece)
    }

    /// Digits, and perhaps a fraction.
    pub(super) fn number(&mut self) -> Result<Piece, Refused> {
        self.piece()?;
        let at = self.cursor.at();
        let whole = self.cursor.take_while(|letter| letter.is_ascii_digit());
        let mut number = whole.to_owned();
        let mut ahead = self.cursor;
        if ahead.eat(".") {
            let fraction = ahead.take_while(|letter| letter.is_ascii_digit());
            if !fraction.is_empty() {
                number = format!("{whole}.{fraction}");
                self.cursor = ahead;
            }
        }
        let tail = self.cursor.peek().is_some_and(|next| next.is_ascii_alphabetic() || next == '_');
        self.cursor.skip_space();
        if whole.is_empty() || tail || number.len() > 24 {
            return self.unexpected_at(at, "expected a number");
        }
        Ok(Piece::Plain(number))
    }

    /// What stands here is refused.
    pub(super) fn refuse<T>(&self, why: impl Into<String>) -> Result<T, Refused> {
        self.cursor.refuse(why)
    }

    /// What stands here fits nothing. Some of it has words of its own.
    pub(super) fn unexpected<T>(&self, expected: &str) -> Result<T, Refused> {
        self.unexpected_at(self.at(), expected)
    }

    fn unexpected_at<T>(&self, at: usize, expected: &str) -> Result<T, Refused> {
        let known = match self.text.get(at..).and_then(|rest| rest.chars().next()) {
            Some('[' | ']') => "a bracket begins a subsearch, which would read elsewhere; ask for it in a call of its own",
            Some('"' | '\'') => "a quote stands where no text may",
            Some('\\') => "a backslash stands outside of quotes; put the value in double quotes",
            Some('$') => "a `$` stands where no value may",
            Some(letter) if !letter.is_ascii() => {
                return Err(Refused::new(at, format!("`{letter}` is not ASCII; put it in double quotes if it is searched for")));
            }
            Some(letter) => return Err(Refused::new(at, format!("{expected}, not `{letter}`"))),
            None => return Err(Refused::new(at, format!("{expected}, and the query ends here"))),
        };
        Err(Refused::new(at, known))
    }
}
