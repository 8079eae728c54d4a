//! Splunk's Search Processing Language, as far as it searches, computes and counts.
//!
//! A query is a search expression and commands behind it. Both are read into pieces that each know how they are written, and
//! [`Query::scoped`] writes them again behind the indexes that were granted. There is no piece for a subsearch, a macro or a comment, and
//! no command that reads from anywhere but from what the search before it found.
//!
//! What the grammar does not know is how operators bind: what stood in parentheses is written in parentheses, and everything else in the
//! order in which it was read, so Splunk binds them as it would have.

mod commands;
mod eval;
mod piece;
mod reader;
mod search;
mod words;

use piece::Piece;
use reader::Reader;

use crate::{Refused, Scope};

/// A query that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    search: Vec<Piece>,
    stages: Vec<Stage>,
    computed: Vec<String>,
}

/// A command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stage {
    name: &'static str,
    pieces: Vec<Piece>,
}

impl Query {
    /// Read a query.
    ///
    /// # Errors
    /// At the first thing that is not listed here, in words that say what to do instead.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let mut reader = Reader::new(text)?;
        reader.word_if("search");
        // No command here begins a search: one that stands first is of everything that there is.
        let search = if reader.is_next("|") { vec![Piece::Plain("*".to_owned())] } else { search::expression(&mut reader)? };
        let mut stages = Vec::new();
        while reader.eat("|") {
            reader.stage()?;
            let name = commands::name(&mut reader)?;
            stages.push(Stage { name: name.0, pieces: name.1(&mut reader)? });
        }
        match reader.peek() {
            None => Ok(Self { search, stages, computed: reader.computed() }),
            Some(_) => reader.unexpected("a command ends with `|`"),
        }
    }

    /// The query as it is sent: what was read, of these indexes, so many rows at most. Indexes are named as in quotes, and whatever the
    /// search expression says stands in parentheses behind them.
    pub fn scoped(&self, indexes: &Scope, rows: u32) -> String {
        let names: Vec<String> = indexes.names().iter().map(|name| format!("\"{name}\"")).collect();
        let search = piece::written(&self.search);
        format!("search index IN ({}) ({search}){} | head {rows}", names.join(", "), self.written_stages())
    }

    /// The fields that it filters by or computes with. Those that it only shows or leaves out, under their own names, are not among them.
    pub fn computed(&self) -> impl Iterator<Item = &str> {
        self.computed.iter().map(String::as_str)
    }

    fn written_stages(&self) -> String {
        self.stages
            .iter()
            .map(|Stage { name, pieces }| format!(" | {name} {}", piece::written(pieces)).trim_end().to_owned())
            .collect()
    }
}

/// As it is read again: without indexes.
impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", piece::written(&self.search), self.written_stages())
    }
}

/// Whether it is the exact name of an index of events: those that begin with `_` are Splunk's own, and a `*` is no name.
pub fn is_index(name: &str) -> bool {
    (1..=80).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
}
