//! The grammar of a search: operators, one behind the other.

use super::{
    token::{Kind, Token},
    tree::{Column, Expression, Operator, Order, Piece},
    words,
};
use crate::{Bounds, Refused, table::Redaction};

/// Rows that an operator may name.
const ROWS: u32 = 1_000_000;

/// What is left of a search.
pub(super) struct Parser<'t> {
    tokens: &'t [Token<'t>],
    /// Bytes of the whole query.
    length: usize,
    at: usize,
    pub(super) depth: usize,
    pub(super) bounds: Bounds,
    pub(super) redaction: &'t Redaction,
    /// Whether an aggregate may be called.
    pub(super) aggregates: bool,
    /// The `ago(…)` that reaches back furthest: where, and seconds.
    pub(super) reaches_back: Option<(usize, f64)>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(tokens: &'t [Token<'t>], length: usize, bounds: Bounds, redaction: &'t Redaction) -> Self {
        Self { tokens, length, at: 0, depth: 0, bounds, redaction, aggregates: false, reaches_back: None }
    }

    /// A search in a table. It may begin with the table's name, or with an operator.
    pub(super) fn search(&mut self, table: &str) -> Result<Vec<Operator>, Refused> {
        let mut operators = Vec::new();
        if self.peek().is_none() {
            return Ok(operators);
        }
        match self.name_is_next() {
            Some(name) if name == table => {
                self.at += 1;
                if self.peek().is_none() {
                    return Ok(operators);
                }
                self.expect("|", "an operator follows a table's name")?;
            }
            _ => drop(self.eat("|")),
        }
        loop {
            if operators.len() >= self.bounds.stages {
                return self.refuse(format!("a search has at most {} operators; ask for less at once", self.bounds.stages));
            }
            operators.push(self.operator(table)?);
            if self.peek().is_none() {
                return Ok(operators);
            }
            self.expect("|", "the operator ends here, and another one begins with `|`")?;
        }
    }

    fn operator(&mut self, table: &str) -> Result<Operator, Refused> {
        let from = self.at;
        let word = self.hyphenated();
        Ok(match word.as_str() {
            "where" | "filter" => Operator::Where(self.expression()?),
            "project" => Operator::Columns("project", self.columns()?),
            "extend" => Operator::Columns("extend", self.columns()?),
            "distinct" => Operator::Columns("distinct", self.distinct()?),
            "project-away" => Operator::Named("project-away", self.named()?),
            "project-keep" => Operator::Named("project-keep", self.named()?),
            "project-reorder" => Operator::Named("project-reorder", self.named()?),
            "project-rename" => Operator::Rename(self.list(Self::rename)?),
            "summarize" => self.summarize()?,
            "sort" | "order" => {
                self.word("by", "`by` and what to sort by follow")?;
                Operator::Sort(self.list(Self::order)?)
            }
            "top" => {
                let count = self.count()?;
                self.word("by", "`by` and what to sort by follow")?;
                Operator::Top(count, self.order()?)
            }
            "take" | "limit" => Operator::Rows("take", self.count()?),
            "sample" => Operator::Rows("sample", self.count()?),
            "count" => Operator::Count,
            "mv-expand" | "mvexpand" => self.expand()?,
            "parse" => self.parse("parse")?,
            "parse-where" => self.parse("parse-where")?,
            other => {
                self.at = from;
                return self.refuse(match words::fault(other) {
                    Some(fault) => format!("`{other}` {fault}; leave it out"),
                    None if other.is_empty() => "an operator such as `where` stands here".to_owned(),
                    None if from == 0 => {
                        format!("a search in `{table}` begins with that name or with an operator, and `{other}` is neither")
                    }
                    None => format!("`{other}` is none of the operators that a search may hold"),
                });
            }
        })
    }

    /// `mv-expand`: a name, and what follows it without a blank.
    fn hyphenated(&mut self) -> String {
        let Some(name) = self.name_is_next() else { return String::new() };
        let mut word = name.to_owned();
        self.at += 1;
        while self.touches("-", 0)
            && let Some(Token { kind: Kind::Name(next), .. }) = self.tokens.get(self.at + 1)
            && self.adjoins(self.at + 1)
        {
            word.push('-');
            word.push_str(next);
            self.at += 2;
        }
        word
    }

    /// Whether a token begins where the one before it ends.
    fn adjoins(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.tokens.get(before));
        matches!((before, self.tokens.get(at)), (Some(before), Some(token)) if before.end == token.at)
    }

    /// Whether this sign is next but `ahead`, and touches what is before it.
    fn touches(&self, sign: &str, ahead: usize) -> bool {
        let at = self.at + ahead;
        matches!(self.tokens.get(at), Some(Token { kind: Kind::Sign(next), .. }) if *next == sign) && self.adjoins(at)
    }

    fn summarize(&mut self) -> Result<Operator, Refused> {
        self.aggregates = true;
        let is_by = |parser: &Self| parser.name_is_next() == Some("by");
        let what = if is_by(self) { Vec::new() } else { self.columns()? };
        self.aggregates = false;
        let by = if is_by(self) {
            self.at += 1;
            self.columns()?
        } else {
            Vec::new()
        };
        Ok(Operator::Summarize { what, by })
    }

    fn distinct(&mut self) -> Result<Vec<Column>, Refused> {
        if self.eat("*") {
            return Ok(vec![Column { name: None, value: Expression::Every }]);
        }
        self.columns()
    }

    fn columns(&mut self) -> Result<Vec<Column>, Refused> {
        self.list(Self::column)
    }

    fn column(&mut self) -> Result<Column, Refused> {
        let is_named = matches!(self.tokens.get(self.at + 1), Some(Token { kind: Kind::Sign("="), .. }));
        let name = if is_named {
            let name = self.identifier()?;
            self.at += 1;
            Some(name)
        } else {
            None
        };
        Ok(Column { name, value: self.expression()? })
    }

    fn rename(&mut self) -> Result<(String, String), Refused> {
        let new = self.identifier()?;
        self.expect("=", "`=` and the old name follow the new name")?;
        Ok((new, self.identifier()?))
    }

    /// Names in which `*` stands for anything.
    fn named(&mut self) -> Result<Vec<String>, Refused> {
        self.list(|parser| {
            let mut name = String::new();
            loop {
                match parser.peek() {
                    Some(Kind::Sign("*")) if !name.ends_with('*') => name.push('*'),
                    Some(Kind::Name(_)) => name.push_str(&parser.identifier()?),
                    _ => return parser.refuse("a column's name stands here"),
                }
                if matches!(name.as_bytes().last(), Some(b'*')) {
                    parser.at += 1;
                }
                let goes_on = matches!(parser.peek(), Some(Kind::Name(_) | Kind::Sign("*"))) && parser.adjoins(parser.at);
                if !goes_on {
                    return Ok(name);
                }
            }
        })
    }

    fn order(&mut self) -> Result<Order, Refused> {
        let by = self.expression()?;
        let direction = self.one_of(&["asc", "desc"]);
        let nulls = if self.name_is_next() == Some("nulls") {
            self.at += 1;
            let Some(end) = self.one_of(&["first", "last"]) else { return self.refuse("`first` or `last` follows `nulls`") };
            Some(end)
        } else {
            None
        };
        Ok(Order { by, direction, nulls })
    }

    fn expand(&mut self) -> Result<Operator, Refused> {
        let what = self.list(|parser| {
            let column = parser.column()?;
            let kind = if parser.name_is_next() == Some("to") {
                parser.at += 1;
                parser.word("typeof", "`typeof(…)` follows `to`")?;
                Some(parser.type_in_parentheses()?)
            } else {
                None
            };
            Ok((column, kind))
        })?;
        let limit = if self.name_is_next() == Some("limit") {
            self.at += 1;
            Some(self.count()?)
        } else {
            None
        };
        Ok(Operator::Expand { what, limit })
    }

    /// `parse X with * "text" column:type *`
    fn parse(&mut self, operator: &'static str) -> Result<Operator, Refused> {
        let what = self.expression()?;
        self.word("with", "`with` and what to look for follow; `kind` is not read here")?;
        let mut pattern = Vec::new();
        loop {
            let piece = match self.peek() {
                Some(Kind::Sign("*")) => {
                    self.at += 1;
                    Piece::Any
                }
                Some(Kind::Text(text)) => {
                    self.at += 1;
                    Piece::Text(text.clone())
                }
                Some(Kind::Name(_)) => {
                    let name = self.identifier()?;
                    let kind = if self.eat(":") { Some(self.type_name()?) } else { None };
                    Piece::Column(name, kind)
                }
                _ if pattern.is_empty() => return self.refuse("`*`, a text or a new column's name follows `with`"),
                _ => return Ok(Operator::Parse { operator, what, pattern }),
            };
            pattern.push(piece);
        }
    }

    /// A number of rows.
    fn count(&mut self) -> Result<u32, Refused> {
        match self.peek() {
            Some(Kind::Number(number)) if number.parse().is_ok_and(|count: u32| count <= ROWS) => {
                self.at += 1;
                Ok(number.parse().unwrap_or_default())
            }
            _ => self.refuse(format!("a whole number up to {ROWS} stands here")),
        }
    }

    /// The name of a column, old or new.
    pub(super) fn identifier(&mut self) -> Result<String, Refused> {
        match self.peek() {
            Some(Kind::Name(name)) if !name.contains(['!', '~']) => {
                if let Some(fault) = words::fault(name) {
                    return self.refuse(format!("`{name}` {fault}; leave it out"));
                }
                self.may_name(name)?;
                let name = (*name).to_owned();
                self.at += 1;
                Ok(name)
            }
            Some(Kind::Sign("[")) => self.refuse("a name in brackets and quotes is not read here; write it without them"),
            _ => self.refuse("a column's name stands here"),
        }
    }

    /// The name of a member of a value, which may be any word.
    pub(super) fn member(&mut self) -> Result<String, Refused> {
        let Some(name) = self.name_is_next().filter(|name| !name.contains(['!', '~'])) else {
            return self.refuse("a member's name stands behind `.`");
        };
        self.may_name(name)?;
        self.at += 1;
        Ok(name.to_owned())
    }

    /// Nothing is computed from what the operator keeps back.
    pub(super) fn may_name(&self, name: &str) -> Result<(), Refused> {
        if self.redaction.covers(name) {
            return self.refuse(format!("the operator keeps `{name}` back, so a search may not name it; leave it out"));
        }
        Ok(())
    }

    pub(super) fn type_in_parentheses(&mut self) -> Result<&'static str, Refused> {
        self.expect("(", "`(` and a type follow `typeof`")?;
        let name = self.type_name()?;
        self.expect(")", "`)` follows the type")?;
        Ok(name)
    }

    fn type_name(&mut self) -> Result<&'static str, Refused> {
        match self.one_of(&words::TYPES) {
            Some(name) => Ok(name),
            None => self.refuse("a type such as `string` or `long` stands here"),
        }
    }

    /// Things with commas between them.
    pub(super) fn list<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, Refused>) -> Result<Vec<T>, Refused> {
        let mut all = vec![one(self)?];
        while self.eat(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    pub(super) fn peek(&self) -> Option<&'t Kind<'t>> {
        self.tokens.get(self.at).map(|token| &token.kind)
    }

    /// What follows what is next.
    pub(super) fn peek_second(&self) -> Option<&'t Kind<'t>> {
        self.tokens.get(self.at + 1).map(|token| &token.kind)
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// Bytes of the query before what is next.
    pub(super) fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.length, |token| token.at)
    }

    pub(super) fn name_is_next(&self) -> Option<&'t str> {
        match self.peek() {
            Some(Kind::Name(name)) => Some(name),
            _ => None,
        }
    }

    /// Move behind a sign, if it is next.
    pub(super) fn eat(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Kind::Sign(next)) if *next == sign);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn expect(&mut self, sign: &str, why: &str) -> Result<(), Refused> {
        if self.eat(sign) { Ok(()) } else { self.refuse_next(why) }
    }

    /// Move behind a word that has to stand here.
    pub(super) fn word(&mut self, word: &str, why: &str) -> Result<(), Refused> {
        if self.name_is_next() == Some(word) {
            self.at += 1;
            return Ok(());
        }
        self.refuse_next(why)
    }

    /// The word that is next, if it is one of these.
    pub(super) fn one_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        let word = self.name_is_next().and_then(|name| words.iter().find(|word| **word == name))?;
        self.at += 1;
        Some(word)
    }

    /// What stands here is refused.
    pub(super) fn refuse<T>(&self, why: impl Into<String>) -> Result<T, Refused> {
        Err(Refused::new(self.place(), why))
    }

    /// The same, with the reason that a word of KQL has of its own.
    pub(super) fn refuse_next<T>(&self, why: &str) -> Result<T, Refused> {
        match self.name_is_next().and_then(|name| Some((name, words::fault(name)?))) {
            Some((name, fault)) => self.refuse(format!("`{name}` {fault}; leave it out")),
            None => self.refuse(why),
        }
    }
}
