//! SQL, as far as it reads: <https://www.postgresql.org/docs/current/sql-select.html>.
//!
//! A statement is read into words, names, strings and signs, and written again from them in one form: keywords in capitals, every name in
//! double quotes, functions and types in small letters, one blank between any two. So a name is never a word that PostgreSQL knows, and the
//! gate can hold what is sent to a pattern. Functions, types, operators and words are those of a list; what is not listed is refused.
//!
//! Whether it is a statement at all is PostgreSQL's to say. Which tables it reads is the host's to find out: nothing here depends on
//! having understood that.

mod name;
mod sign;
mod token;
mod word;
mod words;

use std::collections::BTreeSet;

use casemate_siem::Refused;
use token::{Placed, Token};

use crate::withheld::Withheld;

/// Why not all columns are taken in any place.
const WHOLE_ROWS: &str = "the operator keeps columns back, so `*` stands in the outermost list of columns only, and rows are not taken whole; name the columns";

/// A statement that may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    text: String,
    parameters: usize,
}

impl Statement {
    /// Read a statement, which may not name what is withheld.
    ///
    /// # Errors
    /// At the first thing that has no place in it, in words that say what to do instead.
    pub fn read(text: &str, withheld: &Withheld) -> Result<Self, Refused> {
        let tokens = token::tokens(text)?;
        Writer::new(&tokens, text.len(), withheld).write()
    }

    /// As it is sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many parameters it has, `$1` to this one.
    pub fn parameters(&self) -> usize {
        self.parameters
    }
}

/// What was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Nothing,
    Keyword(&'static str),
    Function(&'static str),
    Name,
    /// A string, a number, a parameter.
    Value,
    Type,
    Sign(&'static str),
}

/// What a parenthesis belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opener {
    Statement,
    Group,
    Function(&'static str),
    /// `CAST (… AS type)`, which is written `(…) ::type`.
    Cast,
    /// What a window function looks at.
    Window,
}

/// Which part of a query is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clause {
    None,
    With,
    Select,
    From,
    /// What a table is joined on.
    On,
    Window,
    Other,
}

#[derive(Debug, Clone, Copy)]
struct Frame {
    opener: Opener,
    clause: Clause,
}

struct Writer<'w> {
    tokens: &'w [Placed<'w>],
    /// The next token.
    next: usize,
    /// Bytes of the statement.
    length: usize,
    written: Vec<String>,
    last: Last,
    frames: Vec<Frame>,
    used: BTreeSet<usize>,
    withheld: &'w Withheld,
    /// Names that stand alone where a value may be: each could be a whole row.
    alone: Vec<(usize, String)>,
    /// What rows are called.
    rows: BTreeSet<String>,
    star: Option<usize>,
    combines: bool,
}

impl<'w> Writer<'w> {
    fn new(tokens: &'w [Placed<'w>], length: usize, withheld: &'w Withheld) -> Self {
        let frames = vec![Frame { opener: Opener::Statement, clause: Clause::None }];
        Self {
            tokens,
            next: 0,
            length,
            written: Vec::new(),
            last: Last::Nothing,
            frames,
            used: BTreeSet::new(),
            withheld,
            alone: Vec::new(),
            rows: BTreeSet::new(),
            star: None,
            combines: false,
        }
    }

    fn write(mut self) -> Result<Statement, Refused> {
        match self.token(0) {
            Some(Token::Word(word)) if ["select", "with", "values", "table"].contains(&word.as_str()) => {}
            Some(_) => {
                return Err(Refused::new(
                    self.at(),
                    "a statement begins with SELECT, WITH, VALUES or TABLE: it reads, and no other is sent",
                ));
            }
            None => return Err(Refused::new(0, "there is no statement")),
        }
        while let Some(token) = self.token(0) {
            match token {
                Token::Word(word) => self.word(word)?,
                Token::Quoted(name) => self.named(name)?,
                Token::Text(text) => {
                    self.value(format!("'{text}'"))?;
                    if matches!(self.token(0), Some(Token::Text(_))) {
                        return self.refuse("two strings stand beside one another; join them with `||`");
                    }
                }
                Token::Number(number) => self.value(number.clone())?,
                Token::Parameter(number) => {
                    self.used.insert(*number);
                    self.value(format!("${number}"))?;
                }
                Token::Sign(sign) => self.sign(sign)?,
            }
        }
        if self.frames.len() > 1 {
            return self.refuse("a parenthesis is not closed");
        }
        self.ended()
    }

    /// What can be said of the whole only.
    fn ended(self) -> Result<Statement, Refused> {
        let parameters = self.used.last().copied().unwrap_or_default();
        if let Some(missing) = (1..=parameters).find(|number| !self.used.contains(number)) {
            return Err(Refused::new(
                0,
                format!("there is a `${parameters}` and no `${missing}`; parameters are counted from 1"),
            ));
        }
        if !self.withheld.is_empty() {
            if let Some((at, name)) = self.alone.iter().find(|(_, name)| self.rows.contains(name)) {
                let why = format!(
                    "`{name}` may stand for a whole row, of which the operator keeps something back; write `{name}.column`"
                );
                return Err(Refused::new(*at, why));
            }
            if let Some(at) = self.star.filter(|_| self.combines) {
                return Err(Refused::new(at, WHOLE_ROWS));
            }
        }
        Ok(Statement { text: self.written.join(" "), parameters })
    }

    /// A token from here on.
    fn token(&self, ahead: usize) -> Option<&'w Token<'w>> {
        self.tokens.get(self.next + ahead).map(|placed| &placed.token)
    }

    fn is_sign(&self, ahead: usize, sign: &str) -> bool {
        matches!(self.token(ahead), Some(Token::Sign(next)) if *next == sign)
    }

    fn is_word(&self, ahead: usize, words: &[&str]) -> bool {
        matches!(self.token(ahead), Some(Token::Word(word)) if words.contains(&word.as_str()))
    }

    fn at(&self) -> usize {
        self.tokens.get(self.next).map_or(self.length, |placed| placed.at)
    }

    fn refuse<T>(&self, why: impl Into<String>) -> Result<T, Refused> {
        Err(Refused::new(self.at(), why))
    }

    fn frame(&self) -> Frame {
        self.frames.last().copied().unwrap_or(Frame { opener: Opener::Statement, clause: Clause::None })
    }

    fn clause(&mut self, clause: Clause) {
        if let Some(frame) = self.frames.last_mut() {
            frame.clause = clause;
        }
    }

    /// Write one word, and move on.
    fn put(&mut self, text: impl Into<String>, last: Last) {
        self.written.push(text.into());
        self.last = last;
        self.next += 1;
    }

    /// Between a name and a value stands something: a name before a parenthesis would be a function, and before a string a type.
    fn begins_value(&self) -> Result<(), Refused> {
        if matches!(self.last, Last::Name | Last::Value | Last::Type) {
            return self.refuse("an operator, a comma or a keyword stands between a name and a value, or two values");
        }
        Ok(())
    }

    fn value(&mut self, text: String) -> Result<(), Refused> {
        self.begins_value()?;
        self.put(text, Last::Value);
        Ok(())
    }
}
