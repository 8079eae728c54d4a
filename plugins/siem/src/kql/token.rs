//! Words, numbers, texts and signs of KQL, each with its place.
//!
//! What has no place in a search is refused here already: comments and statements, whose end could be seen elsewhere by Kusto, and
//! spellings of texts and names that are there to be overlooked.

use crate::{Bounds, Cursor, Refused};

/// Characters of a literal such as `datetime(2026-11-22T06:00:00Z)` between its parentheses.
const TYPED: usize = 40;

/// Literals whose content is not an expression.
const TYPES: [&str; 5] = ["datetime", "date", "timespan", "time", "guid"];

/// Units of a span of time, and their seconds; those below a second have none.
const UNITS: [(&str, f64); 16] = [
    ("d", 86_400.0),
    ("day", 86_400.0),
    ("days", 86_400.0),
    ("h", 3_600.0),
    ("hour", 3_600.0),
    ("hours", 3_600.0),
    ("m", 60.0),
    ("min", 60.0),
    ("minute", 60.0),
    ("minutes", 60.0),
    ("s", 1.0),
    ("second", 1.0),
    ("seconds", 1.0),
    ("ms", 0.0),
    ("microsecond", 0.0),
    ("tick", 0.0),
];

/// Signs, longer ones first.
const SIGNS: [&str; 27] = [
    "..", "==", "=~", "!=", "!~", "<=", ">=", "<>", "|", "(", ")", "[", "]", "{", "}", ",", ".", "=", "<", ">", "+", "-", "*",
    "/", "%", ":", "!",
];

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'t> {
    /// A column, a function, an operator: `TimeGenerated`, `in~`, `!has`.
    Name(&'t str),
    /// `1`, `0.5`, `1e3`
    Number(&'t str),
    /// `1d`, with its seconds.
    Span(&'t str, f64),
    /// What a text says, without its quotes and escapes.
    Text(String),
    /// `datetime(…)`: the type, and what is between the parentheses.
    Typed(&'static str, &'t str),
    Sign(&'static str),
}

/// A token, and the bytes of the query before it and before what follows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind<'t>,
    pub(super) at: usize,
    pub(super) end: usize,
}

/// All tokens of a query.
pub(super) fn tokens<'t>(query: &'t str, bounds: &Bounds) -> Result<Vec<Token<'t>>, Refused> {
    let mut cursor = Cursor::new(query, bounds)?;
    let mut tokens = Vec::new();
    loop {
        cursor.skip_space();
        if cursor.is_done() {
            return Ok(tokens);
        }
        if tokens.len() >= bounds.nodes {
            return cursor.refuse(format!("a query has at most {} words and signs; ask for less at once", bounds.nodes));
        }
        let at = cursor.at();
        let kind = token(&mut cursor)?;
        tokens.push(Token { kind, at, end: cursor.at() });
    }
}

fn token<'t>(cursor: &mut Cursor<'t>) -> Result<Kind<'t>, Refused> {
    let rest = cursor.rest();
    let next = rest.chars().nth(1);
    match cursor.peek() {
        Some('"' | '\'') => text(cursor).map(Kind::Text),
        Some('@') if matches!(next, Some('"' | '\'')) => verbatim(cursor).map(Kind::Text),
        Some('h' | 'H') if matches!(next, Some('"' | '\'' | '@')) => {
            cursor.refuse("a text before which `h` stands is kept out of logs, and so out of sight; write it without `h`")
        }
        Some('/') if next == Some('/') => cursor.refuse("comments are not sent; leave `//` and what follows it out"),
        Some('`' | '~') if rest.starts_with("```") || rest.starts_with("~~~") => {
            cursor.refuse("a text over several lines is not read here; write it in quotes")
        }
        Some(';') => cursor.refuse("a search is one statement; leave `;` out, and whatever is before or behind it"),
        Some('$') => cursor.refuse("`$` names the sides of a join or a table's own name; leave it out"),
        Some('#') => cursor.refuse("`#` begins a directive; leave it out"),
        Some('0'..='9') => number(cursor),
        Some(letter) if letter == '_' || letter.is_ascii_alphabetic() => Ok(word(cursor)?),
        Some('!') if next.is_some_and(|letter| letter.is_ascii_alphabetic()) => Ok(Kind::Name(name(cursor))),
        Some(letter) => match SIGNS.into_iter().find(|sign| cursor.eat(sign)) {
            Some(sign) => Ok(Kind::Sign(sign)),
            None if letter.is_ascii() => cursor.refuse(format!("`{letter}` has no meaning here")),
            None => cursor.refuse(format!("U+{:04X} stands outside of a text; names and operators are ASCII", u32::from(letter))),
        },
        None => cursor.refuse("the query breaks off here"),
    }
}

/// A name with what belongs to an operator: `!in~`.
fn name<'t>(cursor: &mut Cursor<'t>) -> &'t str {
    let rest = cursor.rest();
    let from = cursor.at();
    cursor.eat("!");
    let word = cursor.take_while(is_word);
    if word == "in" {
        cursor.eat("~");
    }
    rest.get(..cursor.at() - from).unwrap_or_default()
}

fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_ascii_alphanumeric()
}

fn word<'t>(cursor: &mut Cursor<'t>) -> Result<Kind<'t>, Refused> {
    let word = name(cursor);
    let Some(known) = TYPES.into_iter().find(|known| *known == word) else { return Ok(Kind::Name(word)) };
    let mut ahead = *cursor;
    ahead.skip_space();
    if !ahead.eat("(") {
        return Ok(Kind::Name(word));
    }
    let content = ahead.take_while(|letter| letter.is_ascii_alphanumeric() || " -:+.".contains(letter));
    if content.len() > TYPED || content.trim().is_empty() || !ahead.eat(")") {
        return ahead.refuse(format!("`{known}(…)` holds one literal, such as datetime(2026-11-22T06:00:00Z) or timespan(1d)"));
    }
    *cursor = ahead;
    Ok(Kind::Typed(known, content.trim()))
}

fn number<'t>(cursor: &mut Cursor<'t>) -> Result<Kind<'t>, Refused> {
    let (start, rest) = (*cursor, cursor.rest());
    let digits = |cursor: &mut Cursor<'t>| !cursor.take_while(|letter| letter.is_ascii_digit()).is_empty();
    digits(cursor);
    // `1..5` is a range, not `1.` and `.5`.
    let mut ahead = *cursor;
    if ahead.eat(".") && digits(&mut ahead) {
        *cursor = ahead;
    }
    let mut ahead = *cursor;
    if ahead.eat("e") || ahead.eat("E") {
        let _ = ahead.eat("-") || ahead.eat("+");
        if digits(&mut ahead) {
            *cursor = ahead;
        }
    }
    let written = |cursor: &Cursor<'t>| rest.get(..cursor.at() - start.at()).unwrap_or_default();
    let number = written(cursor);
    let unit = cursor.take_while(is_word);
    let amount: f64 = number.parse().unwrap_or(f64::INFINITY);
    match UNITS.into_iter().find(|(known, _)| *known == unit) {
        Some((_, seconds)) => Ok(Kind::Span(written(cursor), amount * seconds)),
        None if unit.is_empty() && amount.is_finite() => Ok(Kind::Number(number)),
        None => start.refuse("this is no number and no span of time such as `5`, `0.5` or `1d`"),
    }
}

/// `"…"` and `'…'`, with escapes.
fn text(cursor: &mut Cursor<'_>) -> Result<String, Refused> {
    let start = *cursor;
    let quote = cursor.bump();
    let mut text = String::new();
    loop {
        let before = *cursor;
        match cursor.bump() {
            None | Some('\n' | '\r') => return start.refuse("this text has no end on its line"),
            letter if letter == quote => return Ok(text),
            Some('\\') => match escape(cursor) {
                Some(letter) => text.push(letter),
                None => return before.refuse(r#"this is no escape; `\\`, `\"`, `\'`, `\n`, `\r`, `\t` and `\u00e9` are"#),
            },
            Some(letter) => text.push(letter),
        }
    }
}

fn escape(cursor: &mut Cursor<'_>) -> Option<char> {
    Some(match cursor.bump()? {
        letter @ ('\\' | '"' | '\'') => letter,
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let digits = cursor.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            cursor.eat(digits);
            char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
        }
        _ => return None,
    })
}

/// `@"…"` and `@'…'`: no escapes, and a quote is written twice.
fn verbatim(cursor: &mut Cursor<'_>) -> Result<String, Refused> {
    let start = *cursor;
    cursor.bump();
    let quote = cursor.bump();
    let mut text = String::new();
    loop {
        match cursor.bump() {
            None | Some('\n' | '\r') => return start.refuse("this text has no end on its line"),
            letter if letter == quote => {
                if cursor.peek() != quote {
                    return Ok(text);
                }
                cursor.bump();
                text.extend(quote);
            }
            Some(letter) => text.push(letter),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn kinds(query: &str) -> Vec<Kind<'_>> {
        tokens(query, &Bounds::QUERY).unwrap().into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn words_numbers_and_signs() {
        let text = |text: &str| Kind::Text(text.to_owned());
        for (query, expected) in [
            ("a|b", vec![Kind::Name("a"), Kind::Sign("|"), Kind::Name("b")]),
            ("!in~(1)", vec![Kind::Name("!in~"), Kind::Sign("("), Kind::Number("1"), Kind::Sign(")")]),
            ("in ~", vec![]),
            ("1..5", vec![Kind::Number("1"), Kind::Sign(".."), Kind::Number("5")]),
            ("1.5e3 2d", vec![Kind::Number("1.5e3"), Kind::Span("2d", 172_800.0)]),
            ("a.b=~'c'", vec![Kind::Name("a"), Kind::Sign("."), Kind::Name("b"), Kind::Sign("=~"), text("c")]),
            ("datetime( 2026-11-22 )", vec![Kind::Typed("datetime", "2026-11-22")]),
            ("date time", vec![Kind::Name("date"), Kind::Name("time")]),
        ] {
            if expected.is_empty() {
                assert!(tokens(query, &Bounds::QUERY).is_err(), "{query}");
            } else {
                assert_eq!(kinds(query), expected, "{query}");
            }
        }
    }

    /// As Kusto reads them.
    #[test]
    fn texts_say_what_kusto_reads() {
        for (written, said) in [
            (r#""a\"b\\""#, r#"a"b\"#),
            (r"'a\'b'", "a'b"),
            (r#""\n\r\t""#, "\n\r\t"),
            (r#""\u007c""#, "|"),
            (r#"@"C:\x""#, r"C:\x"),
            (r#"@"a""b""#, "a\"b"),
            (r"@'a''b'", "a'b"),
            (r#"@"\""#, r"\"),
            ("'größe'", "größe"),
        ] {
            assert_eq!(kinds(written), [Kind::Text(said.to_owned())], "{written}");
        }
        for bad in
            [r#""a"#, r#""\q""#, r#""\ud83d""#, r#""\x7c""#, "\"a\nb\"", r#"@"a"#, "h'x'", "H\"x\"", "h@'x'", "```x```", "'\\'"]
        {
            assert!(tokens(bad, &Bounds::QUERY).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_hides_is_refused_where_it_stands() {
        for (query, at) in [
            ("a // b", 2),
            ("a; b", 1),
            ("a | b\u{200b}", 5),
            ("wh\u{435}re", 2),
            ("a \u{ff5c} b", 2),
            ("$left", 0),
            ("a #x", 2),
            ("datetime(1 | b)", 11),
            ("5x", 0),
            ("a\0", 1),
            ("a \u{a0}b", 2),
        ] {
            assert_eq!(tokens(query, &Bounds::QUERY).unwrap_err().at, at, "{query}");
        }
        let many = "1 ".repeat(Bounds::QUERY.nodes + 1);
        assert!(tokens(&many, &Bounds::QUERY).is_err());
    }
}
