//! The grammar of a search: a filter, and pipes behind it.

use super::{
    token::{Kind, Token},
    tree::{Computed, Filter, Pipe, Test},
    words,
};
use crate::{Bounds, Refused, table::Redaction};

/// Entries that a pipe may name.
const ENTRIES: u32 = 1_000_000;

/// What is left of a search.
pub(super) struct Parser<'t> {
    tokens: &'t [Token<'t>],
    length: usize,
    at: usize,
    depth: usize,
    bounds: Bounds,
    redaction: &'t Redaction,
}

impl<'t> Parser<'t> {
    pub(super) fn new(tokens: &'t [Token<'t>], length: usize, bounds: Bounds, redaction: &'t Redaction) -> Self {
        Self { tokens, length, at: 0, depth: 0, bounds, redaction }
    }

    /// The whole query.
    pub(super) fn search(&mut self) -> Result<(Filter, Vec<Pipe>), Refused> {
        let filter = if self.peek().is_none() { Filter::Any } else { self.disjunction()? };
        let mut pipes = Vec::new();
        while self.peek().is_some() {
            self.expect("|", "a filter ends here, and a pipe begins with `|`")?;
            if pipes.len() >= self.bounds.stages {
                return self.refuse(format!("a search has at most {} pipes; ask for less at once", self.bounds.stages));
            }
            pipes.push(self.pipe()?);
        }
        Ok((filter, pipes))
    }

    fn disjunction(&mut self) -> Result<Filter, Refused> {
        if self.depth >= self.bounds.depth {
            return self.refuse(format!("parentheses stand at most {} deep", self.bounds.depth));
        }
        self.depth += 1;
        let mut filters = vec![self.conjunction()?];
        while self.eat_word("or") {
            filters.push(self.conjunction()?);
        }
        self.depth -= 1;
        Ok(single(filters, Filter::One))
    }

    fn conjunction(&mut self) -> Result<Filter, Refused> {
        let mut filters = vec![self.negation()?];
        loop {
            let said = self.eat_word("and");
            let ends = matches!(self.peek(), None | Some(Kind::Sign("|" | ")"))) || self.word_is("or");
            if ends && !said {
                return Ok(single(filters, Filter::All));
            }
            filters.push(self.negation()?);
        }
    }

    fn negation(&mut self) -> Result<Filter, Refused> {
        let mut negated = false;
        for _ in 0..self.bounds.depth {
            if !(self.eat_word("not") || self.eat("!") || self.eat("-")) {
                let filter = self.atom()?;
                return Ok(if negated { Filter::Not(Box::new(filter)) } else { filter });
            }
            negated = !negated;
        }
        self.refuse("this is denied too often")
    }

    fn atom(&mut self) -> Result<Filter, Refused> {
        if self.eat("(") {
            let inside = self.disjunction()?;
            self.expect(")", "`)` or another filter follows; there is no query inside of a query")?;
            return Ok(Filter::Group(Box::new(inside)));
        }
        if matches!(self.peek_at(1), Some(Kind::Sign(":"))) && matches!(self.peek(), Some(Kind::Word(_) | Kind::Text(_))) {
            let name = self.field()?;
            self.at += 1;
            if self.eat("(") {
                return self
                    .refuse_before("a field is tested for one thing at a time; write `a:x or a:y` in place of `a:(x or y)`");
            }
            return Ok(Filter::Field(Some(name), self.test(true)?));
        }
        if matches!(self.peek(), Some(Kind::Sign("*"))) {
            self.at += 1;
            return Ok(Filter::Any);
        }
        self.test(false).map(|test| Filter::Field(None, test))
    }

    /// What a field, or the message, is tested for.
    fn test(&mut self, named: bool) -> Result<Test, Refused> {
        match self.peek() {
            Some(Kind::Sign("*")) if named => {
                self.at += 1;
                Ok(Test::Present)
            }
            Some(Kind::Sign(sign @ ("=" | "!=" | "~" | "!~" | "<" | "<=" | ">" | ">="))) => {
                self.at += 1;
                let (text, begins) = self.value(matches!(*sign, "=" | "!="))?;
                Ok(Test::Compared(sign, text, begins))
            }
            Some(Kind::Sign("{")) => self.refuse("streams are chosen by the arguments; leave `{…}` out"),
            Some(Kind::Word(word)) if matches!(self.peek_at(1), Some(Kind::Sign("(" | "["))) && self.adjoins(self.at + 1) => {
                self.function(word)
            }
            Some(Kind::Word(word)) if words::is_reserved(word) => {
                self.refuse(format!("`{word}` is a word of the language; write it in quotes to look for it"))
            }
            _ => self.value(true).map(|(text, begins)| Test::Phrase(text, begins)),
        }
    }

    fn function(&mut self, word: &str) -> Result<Test, Refused> {
        if word == "range" {
            return self.range();
        }
        let Some(name) = words::FUNCTIONS.into_iter().find(|known| *known == word) else {
            return self.refuse(match words::fault(word) {
                Some(fault) => format!("`{word}` {fault}; leave it out"),
                None => format!("`{word}` is none of the functions that a filter may use; write it in quotes to look for it"),
            });
        };
        self.at += 1;
        self.expect("(", "`(` follows")?;
        let mut values = vec![];
        loop {
            if self.eat(")") && (values.is_empty() || name == "in") {
                break;
            }
            values.push(self.value(name == "i")?);
            if self.eat(")") {
                break;
            }
            self.expect(",", "`,` or `)` follows a text; there is no query inside of a query")?;
        }
        if values.is_empty() {
            return self.refuse_before(format!("`{name}(…)` holds a text"));
        }
        Ok(Test::Function(name, values))
    }

    /// `range[1, 2)`
    fn range(&mut self) -> Result<Test, Refused> {
        self.at += 1;
        let opens = if self.eat("[") { '[' } else { '(' };
        if opens == '(' {
            self.expect("(", "`(` or `[` follows `range`")?;
        }
        let (from, _) = self.value(false)?;
        self.expect(",", "`,` follows the first number")?;
        let (to, _) = self.value(false)?;
        let closes = if self.eat("]") { ']' } else { ')' };
        if closes == ')' {
            self.expect(")", "`)` or `]` ends the range")?;
        }
        Ok(Test::Range(opens, from, to, closes))
    }

    /// A word or a text, perhaps with `*` behind it.
    fn value(&mut self, may_begin: bool) -> Result<(String, bool), Refused> {
        let minus = if self.eat("-") { "-" } else { "" };
        let text = match self.peek() {
            Some(Kind::Word(word)) => format!("{minus}{word}"),
            Some(Kind::Text(text)) if minus.is_empty() => text.clone(),
            Some(Kind::Sign("|")) => return self.refuse("a value stands here; there is no query inside of a query"),
            Some(_) => return self.refuse("a word, or a text in quotes, stands here"),
            None => return self.refuse("the query breaks off where a value is due"),
        };
        self.at += 1;
        if matches!(self.peek(), Some(Kind::Sign(":"))) {
            return self.refuse("`:` follows the name of a field only; write what holds one in quotes");
        }
        let begins = may_begin && matches!(self.peek(), Some(Kind::Sign("*"))) && self.adjoins(self.at);
        self.at += usize::from(begins);
        Ok((text, begins))
    }

    /// The name of a field.
    fn field(&mut self) -> Result<String, Refused> {
        let name = match self.peek() {
            Some(Kind::Word(word)) => (*word).to_owned(),
            Some(Kind::Text(text)) if !text.is_empty() => text.clone(),
            _ => return self.refuse("the name of a field stands here"),
        };
        if let Some(fault) = words::field_fault(&name) {
            return self.refuse(format!("`{name}` {fault}"));
        }
        if self.redaction.covers(&name) {
            return self.refuse(format!("the operator keeps `{name}` back, so a search may not name it; leave it out"));
        }
        self.at += 1;
        Ok(name)
    }

    /// A field after the filter, where `_time` and the like are values as others are.
    fn column(&mut self) -> Result<String, Refused> {
        let name = match self.peek() {
            Some(Kind::Word(word)) => *word,
            Some(Kind::Text(text)) => text,
            _ => return self.field(),
        };
        if !["_time", "_msg", "_stream"].contains(&name) {
            return self.field();
        }
        self.at += 1;
        Ok(name.to_owned())
    }

    fn pipe(&mut self) -> Result<Pipe, Refused> {
        let Some(Kind::Word(word)) = self.peek() else { return self.refuse("a pipe such as `fields` stands here") };
        self.at += 1;
        Ok(match *word {
            "filter" | "where" => Pipe::Filter(self.disjunction()?),
            "fields" | "keep" => Pipe::Named("fields", self.list(Self::column)?),
            "delete" | "drop" | "del" | "rm" => Pipe::Named("delete", self.list(Self::column)?),
            "rename" | "mv" => Pipe::Pairs("rename", self.list(Self::pair)?),
            "copy" | "cp" => Pipe::Pairs("copy", self.list(Self::pair)?),
            "limit" | "head" => Pipe::Number("limit", self.number()?),
            "offset" | "skip" => Pipe::Number("offset", self.number()?),
            "sort" | "order" => {
                self.eat_word("by");
                let by = self.in_parentheses(|parser| {
                    let name = parser.column()?;
                    let down = parser.eat_word("desc");
                    let _ = down || parser.eat_word("asc");
                    Ok((name, down))
                })?;
                Pipe::Sort { by, limit: self.limit()? }
            }
            "uniq" => {
                self.eat_word("by");
                Pipe::Uniq { by: self.in_parentheses(Self::column)?, limit: self.limit()? }
            }
            "top" => {
                let count = match self.peek() {
                    Some(Kind::Word(word)) if word.bytes().all(|byte| byte.is_ascii_digit()) => Some(self.number()?),
                    _ => None,
                };
                self.eat_word("by");
                Pipe::Top { count, by: self.in_parentheses(Self::column)? }
            }
            "stats" => self.stats()?,
            "unpack_json" => Pipe::Unpack("unpack_json", self.from()?),
            "unpack_logfmt" => Pipe::Unpack("unpack_logfmt", self.from()?),
            "extract" => {
                let Some(Kind::Text(pattern)) = self.peek() else { return self.refuse("a pattern in quotes follows `extract`") };
                self.at += 1;
                if let Some(name) = words::placeholders(pattern).find(|name| self.redaction.covers(name)) {
                    return self.refuse_before(format!("the operator keeps `{name}` back; leave it out"));
                }
                Pipe::Extract(pattern.clone(), self.from()?)
            }
            other => {
                self.at -= 1;
                return self.refuse(match words::fault(other) {
                    Some(fault) => format!("`{other}` {fault}; leave it out"),
                    None => format!("`{other}` is none of the pipes that a search may hold"),
                });
            }
        })
    }

    fn stats(&mut self) -> Result<Pipe, Refused> {
        let by = if self.eat_word("by") {
            self.in_parentheses(|parser| {
                let name = parser.column()?;
                if !parser.eat(":") {
                    return Ok((name, None));
                }
                match parser.peek() {
                    Some(Kind::Word(step)) if words::is_step(step) => {
                        parser.at += 1;
                        Ok((name, Some((*step).to_owned())))
                    }
                    _ => parser.refuse("a step such as `1h` or `10` follows `:`"),
                }
            })?
        } else {
            Vec::new()
        };
        let what = self.list(|parser| {
            let Some(Kind::Word(word)) = parser.peek() else { return parser.refuse("a function such as `count()` stands here") };
            let Some(function) = words::STATS.into_iter().find(|known| known == word) else {
                return parser.refuse(format!("`{word}` is none of the functions that `stats` may use"));
            };
            parser.at += 1;
            parser.expect("(", "`(` follows a function")?;
            let mut number = None;
            if function == "quantile" {
                let Some(Kind::Word(word)) = parser.peek() else {
                    return parser.refuse("a number between 0 and 1 comes first");
                };
                if !word.parse().is_ok_and(|number: f64| (0.0..=1.0).contains(&number)) {
                    return parser.refuse("a number between 0 and 1 comes first");
                }
                number = Some((*word).to_owned());
                parser.at += 1;
                parser.expect(",", "`,` and a field follow the number")?;
            }
            let fields = if !parser.eat(")") {
                let fields = parser.list(Self::column)?;
                parser.expect(")", "`,` or `)` follows a field")?;
                fields
            } else if function == "count" {
                Vec::new()
            } else {
                // Of all fields, also those that the operator keeps back.
                return parser.refuse_before(format!("`{function}` without a field reads every field; name each"));
            };
            let name = match parser.peek() {
                Some(Kind::Word("as")) => {
                    parser.at += 1;
                    Some(parser.field()?)
                }
                Some(Kind::Word("if")) => {
                    return parser.refuse("conditions of functions are not read here; filter before `stats`");
                }
                Some(Kind::Word(_) | Kind::Text(_)) => Some(parser.field()?),
                _ => None,
            };
            Ok(Computed { function, number, fields, name })
        })?;
        Ok(Pipe::Stats { by, what })
    }

    fn pair(&mut self) -> Result<(String, String), Refused> {
        let from = self.column()?;
        self.eat_word("as");
        Ok((from, self.field()?))
    }

    fn from(&mut self) -> Result<Option<String>, Refused> {
        if self.eat_word("from") { self.column().map(Some) } else { Ok(None) }
    }

    fn limit(&mut self) -> Result<Option<u32>, Refused> {
        if self.eat_word("limit") { self.number().map(Some) } else { Ok(None) }
    }

    fn number(&mut self) -> Result<u32, Refused> {
        match self.peek() {
            Some(Kind::Word(word)) if word.parse().is_ok_and(|number: u32| number <= ENTRIES) => {
                self.at += 1;
                Ok(word.parse().unwrap_or_default())
            }
            _ => self.refuse(format!("a whole number up to {ENTRIES} stands here")),
        }
    }

    fn in_parentheses<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, Refused>) -> Result<Vec<T>, Refused> {
        self.expect("(", "fields in parentheses follow")?;
        let all = self.list(one)?;
        self.expect(")", "`,` or `)` follows a field")?;
        Ok(all)
    }

    fn list<T>(&mut self, one: impl Fn(&mut Self) -> Result<T, Refused>) -> Result<Vec<T>, Refused> {
        let mut all = vec![one(self)?];
        while self.eat(",") {
            all.push(one(self)?);
        }
        Ok(all)
    }

    fn peek(&self) -> Option<&'t Kind<'t>> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Option<&'t Kind<'t>> {
        self.tokens.get(self.at + ahead).map(|token| &token.kind)
    }

    /// Whether a token begins where the one before it ends.
    fn adjoins(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.tokens.get(before));
        matches!((before, self.tokens.get(at)), (Some(before), Some(token)) if before.end == token.at)
    }

    /// Words of the language have no case.
    fn word_is(&self, word: &str) -> bool {
        let is_named = matches!(self.peek_at(1), Some(Kind::Sign(":"))) && self.adjoins(self.at + 1);
        matches!(self.peek(), Some(Kind::Word(next)) if next.eq_ignore_ascii_case(word)) && !is_named
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is_next = self.word_is(word);
        self.at += usize::from(is_next);
        is_next
    }

    fn eat(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Kind::Sign(next)) if *next == sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str, why: &str) -> Result<(), Refused> {
        if self.eat(sign) { Ok(()) } else { self.refuse(why) }
    }

    /// What stands here is refused.
    fn refuse<T>(&self, why: impl Into<String>) -> Result<T, Refused> {
        Err(Refused::new(self.tokens.get(self.at).map_or(self.length, |token| token.at), why))
    }

    /// What stands before this is refused.
    fn refuse_before<T>(&self, why: impl Into<String>) -> Result<T, Refused> {
        let before = self.at.checked_sub(1).and_then(|at| self.tokens.get(at));
        Err(Refused::new(before.map_or(0, |token| token.at), why))
    }
}

fn single(mut filters: Vec<Filter>, many: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.pop() {
        Some(only) if filters.is_empty() => only,
        Some(last) => {
            filters.push(last);
            many(filters)
        }
        None => Filter::Any,
    }
}
