//! Words, texts and signs of LogsQL, each with its place.

use crate::{Bounds, Cursor, Refused};

/// Signs, longer ones first.
const SIGNS: [&str; 20] =
    ["!=", "!~", ">=", "<=", "|", "(", ")", "[", "]", ",", ":", "=", "~", "<", ">", "*", "!", "-", "{", "}"];

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind<'t> {
    /// Without quotes.
    Word(&'t str),
    /// What a text says, without its quotes and escapes.
    Text(String),
    Sign(&'static str),
}

/// A token, and the bytes of the query before it and before what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    match cursor.peek() {
        Some('"' | '\'') => text(cursor).map(Kind::Text),
        Some('`') => raw(cursor).map(Kind::Text),
        Some('#') => cursor.refuse("comments are not sent; leave `#` and what follows it out, or put it in quotes"),
        Some(letter) if begins_word(letter) => Ok(Kind::Word(cursor.take_while(is_in_word))),
        Some(letter) => match SIGNS.into_iter().find(|sign| cursor.eat(sign)) {
            Some(sign) => Ok(Kind::Sign(sign)),
            None if letter.is_ascii() => cursor.refuse(format!("`{letter}` has no meaning here; put it in quotes")),
            None => cursor.refuse(format!("U+{:04X} stands outside of a text; put it in quotes", u32::from(letter))),
        },
        None => cursor.refuse("the query breaks off here"),
    }
}

fn begins_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '/' | '@')
}

fn is_in_word(letter: char) -> bool {
    begins_word(letter) || matches!(letter, '-' | '+')
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
            Some('\\') => match cursor.bump() {
                Some(letter @ ('\\' | '"' | '\'')) => text.push(letter),
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                _ => return before.refuse(r#"this is no escape; `\\`, `\"`, `\'`, `\n` and `\t` are, and none in backquotes"#),
            },
            Some(letter) => text.push(letter),
        }
    }
}

/// A text in backquotes, without escapes.
fn raw(cursor: &mut Cursor<'_>) -> Result<String, Refused> {
    let start = *cursor;
    cursor.bump();
    let text = cursor.take_while(|letter| !matches!(letter, '`' | '\n' | '\r')).to_owned();
    if cursor.eat("`") { Ok(text) } else { start.refuse("this text has no end on its line") }
}
