//! Conditions: `selection and not 1 of filter_*`.

use std::fmt;

/// Characters of a condition.
const LONGEST: usize = 2_000;
/// Parentheses and `not` in each other.
const DEEPEST: usize = 24;

/// A condition, before it is known what its selections are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// A selection by its name.
    Selection(String),
    /// `1 of` and `all of` what matches; `them` is everything.
    Of {
        all: bool,
        pattern: String,
    },
}

/// Why it is none, in words that hold nothing of it but a word of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Condition {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |text: &str| Err(Fault(text.to_owned()));
        if text.len() > LONGEST {
            return Err(Fault(format!("it is longer than {LONGEST} characters")));
        }
        if text.contains('|') {
            return fault("aggregations (`|`) are no longer part of Sigma; a correlation rule says the same");
        }
        let tokens = tokens(text)?;
        let mut reader = Reader { tokens: &tokens, at: 0, depth: 0 };
        let condition = reader.any()?;
        match reader.next() {
            None => Ok(condition),
            Some(")") => fault("a parenthesis is closed that was not opened"),
            Some(word) => Err(Fault(format!("`{word}` is not expected: `and` or `or` is missing before it"))),
        }
    }

    /// The patterns that it names selections by.
    pub(crate) fn patterns(&self) -> Vec<&str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::patterns).collect(),
            Self::Not(part) => part.patterns(),
            Self::Selection(_) => Vec::new(),
            Self::Of { pattern, .. } => vec![pattern],
        }
    }

    /// The names of selections that it means.
    pub(crate) fn names<'a>(&'a self, selections: &[&'a str]) -> Vec<&'a str> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(|part| part.names(selections)).collect(),
            Self::Not(part) => part.names(selections),
            Self::Selection(name) => vec![name],
            Self::Of { pattern, .. } => matching(pattern, selections),
        }
    }
}

/// The selections that a pattern with `*` means. A name that begins with `_` has to be meant by it.
pub(crate) fn matching<'a>(pattern: &str, selections: &[&'a str]) -> Vec<&'a str> {
    let pattern = if pattern == "them" { "*" } else { pattern };
    let hidden = pattern.starts_with('_');
    selections.iter().copied().filter(|name| (hidden || !name.starts_with('_')) && fits(pattern, name)).collect()
}

/// Whether a name fits a pattern with `*`: pieces in their order, the first at the beginning and the last at the end.
fn fits(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(piece) = pieces.next() {
        if pieces.peek().is_none() {
            return rest.ends_with(piece);
        }
        match rest.split_once(piece) {
            Some((_, behind)) => rest = behind,
            None => return false,
        }
    }
    true
}

fn tokens(text: &str) -> Result<Vec<&str>, Fault> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '*');
        let length = match first {
            '(' | ')' => 1,
            letter if word(letter) => rest.find(|letter| !word(letter)).unwrap_or(rest.len()),
            other => return Err(Fault(format!("`{}` has no meaning in a condition", other.escape_default()))),
        };
        let (token, behind) = rest.split_at(length);
        tokens.push(token);
        rest = behind.trim_start();
    }
    Ok(tokens)
}

struct Reader<'a> {
    tokens: &'a [&'a str],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.tokens.get(self.at).copied()
    }

    fn next(&mut self) -> Option<&'a str> {
        let token = self.peek()?;
        self.at += 1;
        Some(token)
    }

    fn take(&mut self, token: &str) -> bool {
        let there = self.peek() == Some(token);
        self.at += usize::from(there);
        there
    }

    fn any(&mut self) -> Result<Condition, Fault> {
        self.chain("or", Self::all, Condition::Any)
    }

    fn all(&mut self) -> Result<Condition, Fault> {
        self.chain("and", Self::one, Condition::All)
    }

    fn chain(
        &mut self,
        word: &str,
        inner: fn(&mut Self) -> Result<Condition, Fault>,
        made: fn(Vec<Condition>) -> Condition,
    ) -> Result<Condition, Fault> {
        let first = inner(self)?;
        let mut parts = vec![first];
        while self.take(word) {
            parts.push(inner(self)?);
        }
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { made(parts) })
    }

    fn one(&mut self) -> Result<Condition, Fault> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Fault("it is nested too deep".to_owned()));
        }
        let found = self.operand();
        self.depth -= 1;
        found
    }

    fn operand(&mut self) -> Result<Condition, Fault> {
        match self.next() {
            None => Err(Fault("it ends where a selection is expected".to_owned())),
            Some("not") => Ok(Condition::Not(Box::new(self.one()?))),
            Some("(") => {
                let inner = self.any()?;
                if self.take(")") { Ok(inner) } else { Err(Fault("a parenthesis is not closed".to_owned())) }
            }
            Some(word @ ("1" | "any" | "all")) if self.peek() == Some("of") => {
                self.at += 1;
                match self.next() {
                    Some(pattern) if pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'*')) => {
                        Ok(Condition::Of { all: word == "all", pattern: pattern.to_owned() })
                    }
                    _ => Err(Fault(format!("behind `{word} of`, the name of selections is expected"))),
                }
            }
            Some(word) if self.peek() == Some("of") => {
                Err(Fault(format!("`{word} of` is not part of Sigma: it is `1 of` or `all of`")))
            }
            Some(word @ (")" | "and" | "or" | "of")) => Err(Fault(format!("`{word}` stands where a selection is expected"))),
            Some(word) if word.contains('*') => Err(Fault(format!("before `{word}`, `1 of` or `all of` is missing"))),
            Some(word) => Ok(Condition::Selection(word.to_owned())),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        fn show(condition: &Condition) -> String {
            let list = |parts: &[Condition]| parts.iter().map(show).collect::<Vec<_>>().join(" ");
            match condition {
                Condition::All(parts) => format!("(and {})", list(parts)),
                Condition::Any(parts) => format!("(or {})", list(parts)),
                Condition::Not(part) => format!("(not {})", show(part)),
                Condition::Selection(name) => name.clone(),
                Condition::Of { all, pattern } => format!("({} {pattern})", if *all { "all" } else { "1" }),
            }
        }
        Condition::parse(text).map_or_else(|fault| fault.to_string(), |condition| show(&condition))
    }

    #[test]
    fn not_binds_before_and_before_or() {
        for (text, expected) in [
            ("selection", "selection"),
            ("a and b and c", "(and a b c)"),
            ("a or b and not c", "(or a (and b (not c)))"),
            ("(a or b) and c", "(and (or a b) c)"),
            ("not (a and not b)", "(not (and a (not b)))"),
            ("a and 1 of b_* and not all of them", "(and a (1 b_*) (not (all them)))"),
            ("any of x*", "(1 x*)"),
            ("nothing or android-1", "(or nothing android-1)"),
            ("not not a", "(not (not a))"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for (text, part) in [
            ("", "ends where"),
            ("a and", "ends where"),
            ("a b", "`b` is not expected"),
            ("a AND b", "`AND` is not expected"),
            ("(a", "not closed"),
            ("a)", "not opened"),
            ("a and or b", "`or` stands"),
            ("2 of sel*", "`2 of` is not part"),
            ("sel*", "`1 of` or `all of` is missing"),
            ("1 of", "name of selections"),
            ("a | count() > 5", "aggregations"),
            ("a & b", "`&` has no meaning"),
            ("a and \u{202e}b", "has no meaning"),
        ] {
            assert!(shown(text).contains(part), "{text}: {}", shown(text));
        }
        assert!(shown(&"(".repeat(1_000)).contains("too deep"));
        assert!(shown(&"not ".repeat(400)).contains("too deep"));
        assert!(shown(&"a or ".repeat(1_000)).contains("longer than"));
    }

    #[test]
    fn names_are_matched_by_pieces() {
        let names = ["selection", "sel_a", "sel_b", "filter_main", "_hidden"];
        for (pattern, expected) in [
            ("them", &["selection", "sel_a", "sel_b", "filter_main"][..]),
            ("sel_*", &["sel_a", "sel_b"]),
            ("*_main", &["filter_main"]),
            ("s*_*b", &["sel_b"]),
            ("_*", &["_hidden"]),
            ("selection", &["selection"]),
            ("sel", &[]),
        ] {
            assert_eq!(matching(pattern, &names), expected, "{pattern}");
        }
        let condition = Condition::parse("sel_a and 1 of filter_* and not gone").unwrap();
        assert_eq!(condition.names(&names), ["sel_a", "filter_main", "gone"]);
    }
}
