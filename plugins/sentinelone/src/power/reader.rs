//! The grammar: it reads tokens, and writes what it has read in the one spelling.

use super::{
    Fault, Query,
    token::{Kind, Token},
    words,
};

/// How deep parentheses stand in each other. The gate's pattern is as deep.
const MAX_DEPTH: usize = 4;
/// Stages of a query.
const MAX_STAGES: usize = 20;
/// `? :` in one query: each holds the next.
const MAX_CHOICES: usize = 20;
/// Rows that a stage may keep.
const MAX_ROWS: usize = 1_000;

/// Read a whole query.
pub(super) fn read(tokens: Vec<Token>) -> Result<Query, Fault> {
    let mut reader = Reader { tokens, next: 0, out: String::new(), depth: 0, choices: 0, context: Context::First };
    let mut query = Query::default();
    if !matches!(reader.kind(), Kind::Sign("|") | Kind::End) {
        reader.either()?;
        query.filter = Some(std::mem::take(&mut reader.out));
    }
    while reader.accept("|") {
        if query.stages.len() == MAX_STAGES {
            return reader.fault(format!("there are more than {MAX_STAGES} stages"));
        }
        reader.stage()?;
        query.stages.push(std::mem::take(&mut reader.out));
    }
    match reader.kind() {
        Kind::End if query == Query::default() => reader.fault("there is no query"),
        Kind::End => Ok(query),
        _ => reader.unexpected("a pipe, `and` or `or`"),
    }
}

/// Where an expression stands: in a filter, what stands side by side is meant together, and `*` is every field in the first one only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Context {
    First,
    Filter,
    Value,
}

struct Reader {
    tokens: Vec<Token>,
    next: usize,
    out: String,
    depth: usize,
    choices: usize,
    context: Context,
}

impl Reader {
    fn kind(&self) -> &Kind {
        self.tokens.get(self.next).map_or(&Kind::End, |token| &token.kind)
    }

    fn second(&self) -> &Kind {
        self.tokens.get(self.next + 1).map_or(&Kind::End, |token| &token.kind)
    }

    fn fault<T>(&self, why: impl Into<String>) -> Result<T, Fault> {
        // The last one is the end, and never passed.
        let at = self.tokens.get(self.next).or(self.tokens.last()).map_or(super::Place { line: 1, column: 1 }, |token| token.at);
        Err(Fault::new(at, why))
    }

    fn unexpected<T>(&self, expected: &str) -> Result<T, Fault> {
        let found = match self.kind() {
            Kind::Name(name) => match words::refused(name) {
                Some(why) => return self.fault(format!("`{name}` is not allowed: it {why}")),
                None => format!("`{name}`"),
            },
            Kind::Text(_) => "a text".to_owned(),
            Kind::Number(number) => format!("`{number}`"),
            Kind::Sign("|") if self.depth > 0 => {
                return self.fault(
                    "a pipe inside parentheses begins a subquery, which the site's filter is no part of: that is not allowed",
                );
            }
            Kind::Sign(sign) => format!("`{sign}`"),
            Kind::End => "the end".to_owned(),
        };
        self.fault(format!("{found} stands where {expected} is expected"))
    }

    fn advance(&mut self) {
        self.next += 1;
    }

    fn is(&self, sign: &str) -> bool {
        matches!(self.kind(), Kind::Sign(found) if *found == sign)
    }

    fn accept(&mut self, sign: &str) -> bool {
        let found = self.is(sign);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), Fault> {
        if self.accept(sign) { Ok(()) } else { self.unexpected(&format!("`{sign}`")) }
    }

    /// A word of the language, also as the sign that means it.
    fn accept_word(&mut self, word: &str) -> bool {
        let found = match self.kind() {
            Kind::Name(name) => {
                name == word || name.chars().all(|letter| letter.is_ascii_uppercase()) && name.eq_ignore_ascii_case(word)
            }
            Kind::Sign(sign) => *sign == word,
            _ => false,
        };
        if found {
            self.advance();
        }
        found
    }

    fn write(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// What stands behind a pipe.
    fn stage(&mut self) -> Result<(), Fault> {
        let Kind::Name(name) = self.kind().clone() else { return self.unexpected("a command") };
        let command = name.as_str();
        if !matches!(command, "filter" | "columns" | "let" | "group" | "sort" | "limit" | "parse") {
            let why = words::refused(command).map_or_else(|| "is none that is known here".to_owned(), str::to_owned);
            return self.fault(format!("the command `{command}` is not allowed: it {why}; there are {}", words::COMMANDS));
        }
        self.advance();
        self.write(command);
        self.write(" ");
        match command {
            "filter" => {
                self.context = Context::Filter;
                self.either()
            }
            "sort" => self.list(Self::key),
            "limit" => self.rows(),
            "parse" => self.parse(),
            "let" => self.list(|reader| reader.column(true)),
            "columns" => self.list(|reader| reader.column(false)),
            _ => {
                self.list(|reader| reader.column(false))?;
                if self.accept_word("by") {
                    self.write(" by ");
                    self.list(|reader| reader.column(false))?;
                }
                Ok(())
            }
        }
    }

    /// One or several, between commas.
    fn list(&mut self, one: impl Fn(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        self.context = Context::Value;
        one(self)?;
        while self.accept(",") {
            self.write(", ");
            one(self)?;
        }
        Ok(())
    }

    /// `name = value`, or only the value.
    fn column(&mut self, named: bool) -> Result<(), Fault> {
        if matches!(self.kind(), Kind::Name(_) | Kind::Text(_)) && matches!(self.second(), Kind::Sign("=")) {
            self.label()?;
            self.expect("=")?;
            self.write(" = ");
        } else if named {
            return self.unexpected("a name and `=`");
        }
        self.choice()
    }

    /// A column, as it is called.
    fn label(&mut self) -> Result<(), Fault> {
        if matches!(self.kind(), Kind::Text(_)) { self.text() } else { self.field() }
    }

    fn key(&mut self) -> Result<(), Fault> {
        if self.accept("-") {
            self.write("-");
        } else if self.accept("+") {
            self.write("+");
        }
        self.label()
    }

    fn rows(&mut self) -> Result<(), Fault> {
        match self.kind().clone() {
            Kind::Number(number) if number.parse().is_ok_and(|rows: usize| (1..=MAX_ROWS).contains(&rows)) => {
                self.advance();
                self.write(&number);
                Ok(())
            }
            _ => self.fault(format!("a limit is a whole number from 1 to {MAX_ROWS}")),
        }
    }

    fn parse(&mut self) -> Result<(), Fault> {
        self.text()?;
        if !self.accept_word("from") {
            return self.unexpected("`from` and a field");
        }
        self.write(" from ");
        self.field()
    }

    /// `a ? b : c`
    fn choice(&mut self) -> Result<(), Fault> {
        self.either()?;
        if !self.accept("?") {
            return Ok(());
        }
        self.choices += 1;
        if self.choices > MAX_CHOICES {
            return self.fault(format!("there are more than {MAX_CHOICES} choices (`? :`)"));
        }
        self.write(" ? ");
        self.choice()?;
        self.expect(":")?;
        self.write(" : ");
        self.choice()
    }

    fn either(&mut self) -> Result<(), Fault> {
        self.both()?;
        while self.accept_word("or") {
            self.write(" or ");
            self.both()?;
        }
        Ok(())
    }

    fn both(&mut self) -> Result<(), Fault> {
        self.negated()?;
        while self.accept_word("and") || self.begins_another() {
            self.write(" and ");
            self.negated()?;
        }
        Ok(())
    }

    /// In a filter, two conditions side by side are both meant.
    fn begins_another(&self) -> bool {
        self.context != Context::Value
            && match self.kind() {
                Kind::Name(name) => !words::is_keyword(name) || name.eq_ignore_ascii_case("not"),
                Kind::Text(_) | Kind::Sign("(" | "not" | "*") => true,
                Kind::Number(_) | Kind::Sign(_) | Kind::End => false,
            }
    }

    fn negated(&mut self) -> Result<(), Fault> {
        while self.accept_word("not") {
            self.write("not ");
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<(), Fault> {
        // Every field at once: not a value, so nothing but a search can be done with it.
        if self.context == Context::First && self.is("*") {
            self.advance();
            self.write("*");
            return if self.search()? { Ok(()) } else { self.unexpected("`contains` or `matches`") };
        }
        self.sum()?;
        if self.search()? {
            return Ok(());
        }
        let Kind::Sign(sign @ ("=" | "!=" | "<" | "<=" | ">" | ">=")) = *self.kind() else { return Ok(()) };
        self.advance();
        self.write(" ");
        self.write(sign);
        self.write(" ");
        if sign == "=" && self.accept("*") {
            self.write("*");
            return Ok(());
        }
        self.sum()
    }

    /// `contains`, `matches` and `in`, with one text or a list of values in parentheses. A list holds nothing else: there is no subquery.
    fn search(&mut self) -> Result<bool, Fault> {
        let Kind::Name(name) = self.kind().clone() else { return Ok(false) };
        let (operator, modifier) =
            name.split_once(':').map_or((name.as_str(), None), |(operator, modifier)| (operator, Some(modifier)));
        let numbers = match (operator, modifier) {
            ("contains" | "matches", None | Some("anycase" | "matchcase")) => false,
            ("in", None | Some("anycase" | "matchcase")) => true,
            _ if name.contains(':') => return self.fault(format!("`{name}` is not allowed: there are :anycase and :matchcase")),
            _ => return Ok(false),
        };
        self.advance();
        self.write(" ");
        self.write(&name);
        self.write(" ");
        if !numbers && matches!(self.kind(), Kind::Text(_)) {
            self.text()?;
            return Ok(true);
        }
        self.open()?;
        loop {
            match self.kind().clone() {
                Kind::Text(_) => self.text()?,
                Kind::Number(number) if numbers => {
                    self.advance();
                    self.write(&number);
                }
                Kind::Name(word) if numbers && matches!(word.as_str(), "true" | "false") => {
                    self.advance();
                    self.write(&word);
                }
                Kind::Name(word) if words::refused(&word).is_none() => {
                    return self.fault("a list holds texts in quotes and numbers only: a subquery is not allowed, since the site's filter is no part of it");
                }
                Kind::Sign("|") => return self.unexpected("a value"),
                _ => return self.unexpected(if numbers { "a text in quotes or a number" } else { "a text in quotes" }),
            }
            if !self.accept(",") {
                break;
            }
            self.write(", ");
        }
        self.close()?;
        Ok(true)
    }

    fn sum(&mut self) -> Result<(), Fault> {
        self.product()?;
        while let Kind::Sign(sign @ ("+" | "-")) = *self.kind() {
            self.advance();
            self.write(" ");
            self.write(sign);
            self.write(" ");
            self.product()?;
        }
        Ok(())
    }

    fn product(&mut self) -> Result<(), Fault> {
        self.value()?;
        loop {
            let Kind::Sign(sign @ ("*" | "/" | "%")) = *self.kind() else { return Ok(()) };
            // In the first filter, `* contains` is a condition of its own.
            if sign == "*"
                && matches!(self.second(), Kind::Name(name) if name.starts_with("contains") || name.starts_with("matches"))
            {
                return Ok(());
            }
            self.advance();
            self.write(" ");
            self.write(sign);
            self.write(" ");
            self.value()?;
        }
    }

    fn value(&mut self) -> Result<(), Fault> {
        if self.accept("-") {
            self.write("-");
        }
        match self.kind().clone() {
            Kind::Text(_) => self.text(),
            Kind::Number(number) => {
                self.advance();
                self.write(&number);
                Ok(())
            }
            Kind::Sign("(") => {
                self.open()?;
                self.choice()?;
                self.close()
            }
            Kind::Name(name) if matches!(self.second(), Kind::Sign("(")) => self.function(&name),
            Kind::Name(_) => self.field(),
            Kind::Sign(_) | Kind::End => self.unexpected("a field, a value or a function"),
        }
    }

    /// `name(a, b)`. In a filter, what is in parentheses is a value again.
    fn function(&mut self, name: &str) -> Result<(), Fault> {
        if !words::is_function(name) {
            if words::is_keyword(name) || words::refused(name).is_some() {
                return self.unexpected("a value");
            }
            return self.fault(format!("the function `{name}` is none of those that are known here"));
        }
        self.advance();
        self.write(name);
        self.open()?;
        let context = std::mem::replace(&mut self.context, Context::Value);
        if !self.is(")") {
            self.choice()?;
            while self.accept(",") {
                self.write(", ");
                self.choice()?;
            }
        }
        self.context = context;
        self.close()
    }

    fn open(&mut self) -> Result<(), Fault> {
        if self.depth == MAX_DEPTH {
            return self.fault(format!("parentheses stand in each other more than {MAX_DEPTH} deep"));
        }
        self.expect("(")?;
        self.depth += 1;
        self.write("(");
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        self.expect(")")?;
        self.depth -= 1;
        self.write(")");
        Ok(())
    }

    /// A field, a column, or `true`, `false` and `null`.
    fn field(&mut self) -> Result<(), Fault> {
        let Kind::Name(name) = self.kind().clone() else { return self.unexpected("a field") };
        if words::refused(&name).is_some() || words::is_keyword(&name) || name.contains(':') {
            return self.unexpected("a field");
        }
        if name.starts_with('#') && (self.context == Context::Value || !words::is_shortcut(&name)) {
            return self.fault(format!(
                "`{name}` is not allowed here: shortcuts such as #ip stand in filters, and only those that SentinelOne has"
            ));
        }
        self.advance();
        self.write(&name);
        Ok(())
    }

    /// A text, in the quotes that it does not hold, with two backslashes for each.
    fn text(&mut self) -> Result<(), Fault> {
        let Kind::Text(text) = self.kind().clone() else { return self.unexpected("a text in quotes") };
        self.advance();
        let quote = if text.contains('\'') { "\"" } else { "'" };
        self.write(quote);
        self.write(&text.replace('\\', r"\\"));
        self.write(quote);
        Ok(())
    }
}
