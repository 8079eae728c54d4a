//! A little of SPL, read as loosely as it can be: enough to tell what a query would reach.

use serde_json::{Value, json};

use super::Event;

/// Why a query is not run.
pub(super) enum Fault {
    /// It cannot be read.
    Syntax(String),
    /// It can be read, and fails.
    Run(String),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(char),
}

impl Token {
    fn text(&self) -> &str {
        match self {
            Token::Word(text) | Token::Quoted(text) => text,
            Token::Sign(_) => "",
        }
    }
}

/// Run a query over the events of a window. What it names is what it reads.
pub(super) fn run(query: &str, window: (i64, i64), events: &mut Vec<Event>) -> Result<Vec<Event>, Fault> {
    let tokens = tokens(query)?;
    let indexes = indexes(&tokens);
    // What stands in the query beats what stands beside it.
    let within = |name: &str| {
        let value = tokens.windows(3).find_map(|three| match three {
            [field, Token::Sign('='), value] if field.text() == name => Some(value),
            _ => None,
        });
        value?.text().parse::<i64>().ok()
    };
    let window = (within("earliest").unwrap_or(window.0), within("latest").unwrap_or(window.1));
    let mut stages = tokens.split(|token| *token == Token::Sign('|'));
    let base = stages.next().unwrap_or_default();
    let base = base.strip_prefix(&[Token::Word("search".to_owned())]).unwrap_or(base);
    let reads = |event: &&Event| {
        let at = event.get("_at").and_then(Value::as_i64).unwrap_or_default();
        let index = event.get("index").and_then(Value::as_str).unwrap_or_default();
        indexes.iter().any(|name| matches(name, index)) && window.0 <= at && at < window.1
    };
    let mut found: Vec<Event> =
        events.iter().rev().filter(reads).filter(|event| Filter { tokens: base, at: 0 }.any(event)).cloned().collect();
    for stage in stages {
        let Some((name, arguments)) = stage.split_first() else {
            return Err(Fault::Syntax("Missing a search command.".to_owned()));
        };
        match name.text().to_ascii_lowercase().as_str() {
            "head" => {
                let count = arguments.iter().find_map(|token| token.text().parse().ok()).unwrap_or(10);
                found.truncate(count);
            }
            "search" => found.retain(|event| Filter { tokens: arguments, at: 0 }.any(event)),
            "stats" | "top" => found = counted(&found, arguments),
            "table" | "fields" => {
                let names: Vec<&str> = arguments.iter().map(Token::text).collect();
                for event in &mut found {
                    event.retain(|name, _| names.iter().any(|pattern| matches(pattern, name)));
                }
            }
            "reverse" => found.reverse(),
            "delete" => events.retain(|event| !found.contains(event)),
            "inputlookup" | "lookup" | "rest" | "map" => found.push(one("secret", "of a lookup")),
            "where" | "eval" | "sort" | "dedup" | "rename" | "rex" | "bin" | "timechart" | "fillnull" | "append" | "join"
            | "spath" => {}
            other => return Err(Fault::Run(format!("Unknown search command '{other}'."))),
        }
    }
    Ok(found)
}

/// Whether the filter of a list lets an entry through: a word is looked for in every field, and nothing to look for is in all of them.
pub(super) fn is_shown(filter: &str, mut entry: Event) -> Result<bool, String> {
    let Ok(tokens) = tokens(filter) else { return Err(format!("Unable to parse the filter '{filter}'.")) };
    let texts: Vec<&str> = entry.values().filter_map(Value::as_str).collect();
    entry.insert("_raw".to_owned(), json!(texts.join(" ")));
    Ok(Filter { tokens: &tokens, at: 0 }.any(&entry))
}

fn one(name: &str, value: &str) -> Event {
    Event::from_iter([(name.to_owned(), json!(value))])
}

fn counted(found: &[Event], arguments: &[Token]) -> Vec<Event> {
    let by = arguments.iter().position(|token| token.text().eq_ignore_ascii_case("by"));
    let Some(field) = by.and_then(|at| arguments.get(at + 1)).map(Token::text) else {
        return vec![one("count", &found.len().to_string())];
    };
    let mut counts: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for value in found.iter().filter_map(|event| event.get(field)?.as_str()) {
        *counts.entry(value.to_owned()).or_default() += 1;
    }
    let row = |(value, count): (String, usize)| {
        Event::from_iter([(field.to_owned(), json!(value)), ("count".to_owned(), json!(count.to_string()))])
    };
    counts.into_iter().map(row).collect()
}

fn tokens(query: &str) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut letters = query.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '"' => {
                let mut text = String::new();
                loop {
                    match letters.next() {
                        Some('\\') => text.extend(letters.next()),
                        Some('"') => break,
                        Some(letter) => text.push(letter),
                        None => return Err(Fault::Syntax("Unbalanced quotes.".to_owned())),
                    }
                }
                tokens.push(Token::Quoted(text));
            }
            '=' | '<' | '>' | '!' | '(' | ')' | '|' | '[' | ']' | ',' | '`' => tokens.push(Token::Sign(letter)),
            letter => {
                let mut text = letter.to_string();
                while let Some(next) = letters.next_if(|next| !next.is_whitespace() && !"\"=<>!()|[],`".contains(*next)) {
                    text.push(next);
                }
                tokens.push(Token::Word(text));
            }
        }
    }
    let depth = |open: char, close: char| {
        let of = |sign: char| tokens.iter().filter(|token| **token == Token::Sign(sign)).count();
        of(open) == of(close)
    };
    if depth('(', ')') && depth('[', ']') { Ok(tokens) } else { Err(Fault::Syntax("Mismatched parentheses.".to_owned())) }
}

/// Every name behind `index`, wherever it stands; all of them for a macro.
fn indexes(tokens: &[Token]) -> Vec<String> {
    let mut indexes = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let rest = tokens.get(at + 1..).unwrap_or_default();
        if *token == Token::Sign('`') {
            indexes.push("*".to_owned());
        }
        let indexed = token.text().split_once("::").filter(|(field, _)| field.eq_ignore_ascii_case("index"));
        indexes.extend(indexed.map(|(_, name)| name.to_owned()));
        if !token.text().eq_ignore_ascii_case("index") {
            continue;
        }
        match rest {
            [Token::Sign('='), name, ..] => indexes.push(name.text().to_owned()),
            [Token::Sign('!'), Token::Sign('='), ..] => indexes.push("*".to_owned()),
            [word, Token::Sign('('), list @ ..] if word.text().eq_ignore_ascii_case("in") => {
                let list = list.iter().take_while(|token| **token != Token::Sign(')'));
                indexes.extend(list.filter(|token| !token.text().is_empty()).map(|token| token.text().to_owned()));
            }
            _ => {}
        }
    }
    indexes
}

/// `*` stands for any letters; case does not matter.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    let tail = rest.rsplit('*').next().unwrap_or_default();
    let middles = rest.strip_suffix(tail).unwrap_or_default().split('*').filter(|middle| !middle.is_empty());
    let Some(mut text) = text.strip_suffix(tail) else { return false };
    for middle in middles {
        let Some((_, after)) = text.split_once(middle) else { return false };
        text = after;
    }
    true
}

/// A search expression, as far as it goes: what is not understood is true.
struct Filter<'t> {
    tokens: &'t [Token],
    at: usize,
}

impl Filter<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn is(&self, word: &str) -> bool {
        self.peek() == Some(&Token::Word(word.to_owned()))
    }

    /// `AND` binds looser than `OR` in a search expression.
    fn any(&mut self, event: &Event) -> bool {
        let mut all = true;
        while let Some(token) = self.peek() {
            if *token == Token::Sign(')') {
                break;
            }
            if self.is("AND") {
                self.at += 1;
                continue;
            }
            let mut one = self.not(event);
            while self.is("OR") {
                self.at += 1;
                one |= self.not(event);
            }
            all &= one;
        }
        all
    }

    fn not(&mut self, event: &Event) -> bool {
        if self.is("NOT") {
            self.at += 1;
            return !self.term(event);
        }
        self.term(event)
    }

    fn term(&mut self, event: &Event) -> bool {
        let token = self.peek().cloned();
        self.at += 1;
        let token = match token {
            Some(Token::Sign('(')) => {
                let inside = self.any(event);
                self.at += 1;
                return inside;
            }
            Some(Token::Sign('`')) => {
                self.at += self.tokens.iter().skip(self.at).take_while(|token| **token != Token::Sign('`')).count() + 1;
                return true;
            }
            Some(Token::Sign(_)) | None => return true,
            Some(token) => token,
        };
        let is_index = token.text().eq_ignore_ascii_case("index");
        let value = event.get(token.text()).and_then(Value::as_str);
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        match rest {
            [Token::Sign('='), wanted, ..] => {
                self.at += 2;
                is_index || value.is_some_and(|value| matches(wanted.text(), value))
            }
            [Token::Sign('!'), Token::Sign('='), wanted, ..] => {
                self.at += 3;
                is_index || value.is_some_and(|value| !matches(wanted.text(), value))
            }
            [word, Token::Sign('('), list @ ..] if word.text().eq_ignore_ascii_case("in") => {
                let length = list.iter().take_while(|token| **token != Token::Sign(')')).count();
                self.at += length + 3;
                is_index || list.iter().take(length).any(|wanted| value.is_some_and(|value| matches(wanted.text(), value)))
            }
            _ if token.text().contains("::") => true,
            _ => {
                let raw = event.get("_raw").and_then(Value::as_str).unwrap_or_default();
                matches(&format!("*{}*", token.text()), raw)
            }
        }
    }
}
