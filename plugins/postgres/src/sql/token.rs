//! The words and signs of a statement, read as PostgreSQL reads them, of which some are not read at all.

use casemate_siem::{Bounds, Cursor, Refused};

/// How large a statement may be.
pub(super) const BOUNDS: Bounds = Bounds { bytes: 4_096, depth: 24, stages: 24, nodes: 1_000 };
/// Bytes of a name: PostgreSQL cuts longer ones, and would then mean another.
const NAME: usize = 63;
/// Parameters that a statement may have.
pub(super) const PARAMETERS: usize = 32;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'t> {
    /// Outside of quotes, in small letters, as PostgreSQL folds it.
    Word(String),
    /// In double quotes, without them.
    Quoted(&'t str),
    /// In single quotes, without them; `''` is kept as it is.
    Text(&'t str),
    Number(String),
    /// `$1`
    Parameter(usize),
    /// An operator, a parenthesis, a comma.
    Sign(&'static str),
}

/// A token and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Placed<'t> {
    pub(super) at: usize,
    pub(super) token: Token<'t>,
}

/// Operators that may stand in a statement.
const OPERATORS: [&str; 34] = [
    "=", "<>", "<", ">", "<=", ">=", "+", "-", "*", "/", "%", "^", "||", "~", "~*", "!~", "!~*", "->", "->>", "#>", "#>>", "@>",
    "<@", "&&", "<<", ">>", "<<=", ">>=", "?", "?|", "?&", "|", "&", "#",
];

pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, Refused> {
    let mut cursor = Cursor::new(text, &BOUNDS)?;
    let mut tokens = Vec::new();
    loop {
        cursor.skip_space();
        let at = cursor.at();
        let Some(letter) = cursor.peek() else { return Ok(tokens) };
        if tokens.len() >= BOUNDS.nodes {
            return cursor.refuse(format!("a statement has at most {} words and signs; ask for less at once", BOUNDS.nodes));
        }
        let token = match letter {
            ';' => {
                cursor.bump();
                cursor.skip_space();
                if cursor.is_done() {
                    return Ok(tokens);
                }
                return Err(Refused::new(
                    at,
                    "`;` ends a statement, and there is one in a call; ask for the next in another call",
                ));
            }
            '\'' => text_token(&mut cursor)?,
            '"' => quoted(&mut cursor)?,
            '$' => parameter(&mut cursor)?,
            '0'..='9' => number(&mut cursor)?,
            '.' if follows_digit(&cursor) => number(&mut cursor)?,
            'a'..='z' | 'A'..='Z' | '_' => word(&mut cursor)?,
            _ => Token::Sign(sign(&mut cursor)?),
        };
        tokens.push(Placed { at, token });
    }
}

fn follows_digit(cursor: &Cursor<'_>) -> bool {
    cursor.rest().chars().nth(1).is_some_and(|next| next.is_ascii_digit())
}

fn is_word_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '$' || !letter.is_ascii()
}

/// `'it''s'`. A backslash means one thing or another by a setting of the server, so it is refused here and welcome in a parameter.
fn text_token<'t>(cursor: &mut Cursor<'t>) -> Result<Token<'t>, Refused> {
    let begin = *cursor;
    cursor.bump();
    let from = *cursor;
    loop {
        let inner = cursor.at() - from.at();
        match cursor.bump() {
            Some('\'') if cursor.peek() == Some('\'') => {
                cursor.bump();
            }
            Some('\'') => return Ok(Token::Text(from.rest().get(..inner).unwrap_or_default())),
            Some('\\') => {
                return Err(Refused::new(
                    begin.at() + 1 + inner,
                    "a backslash stands in a string; give the string as a parameter, `$1`",
                ));
            }
            Some(_) => {}
            None => return begin.refuse("this quote is not closed"),
        }
    }
}

/// `"Order"`
fn quoted<'t>(cursor: &mut Cursor<'t>) -> Result<Token<'t>, Refused> {
    let begin = *cursor;
    cursor.bump();
    let name = cursor.take_while(|letter| letter != '"');
    if !cursor.eat("\"") {
        return begin.refuse("this quote is not closed");
    }
    if cursor.peek() == Some('"') {
        return begin.refuse("a name holds no double quotes here");
    }
    if name.is_empty() || name.contains(['\n', '\r', '\t']) {
        return begin.refuse("a name is not empty, and stands on one line, without tabs");
    }
    named(&begin, name)?;
    Ok(Token::Quoted(name))
}

fn named(begin: &Cursor<'_>, name: &str) -> Result<(), Refused> {
    if name.len() > NAME { begin.refuse(format!("a name has at most {NAME} bytes")) } else { Ok(()) }
}

/// `$1`, and no other dollar.
fn parameter(cursor: &mut Cursor<'_>) -> Result<Token<'static>, Refused> {
    let begin = *cursor;
    cursor.bump();
    let digits = cursor.take_while(|letter| letter.is_ascii_digit());
    if cursor.peek().is_some_and(is_word_letter) || digits.is_empty() {
        return begin.refuse("a `$` begins a parameter, such as `$1`; a string stands in single quotes");
    }
    match digits.parse() {
        Ok(number) if (1..=PARAMETERS).contains(&number) && !digits.starts_with('0') => Ok(Token::Parameter(number)),
        _ => begin.refuse(format!("parameters are `$1` to `${PARAMETERS}`")),
    }
}

/// `12`, `1.5` and `.5`.
fn number(cursor: &mut Cursor<'_>) -> Result<Token<'static>, Refused> {
    let begin = *cursor;
    let whole = cursor.take_while(|letter| letter.is_ascii_digit());
    let mut number = if whole.is_empty() { "0".to_owned() } else { whole.to_owned() };
    if cursor.eat(".") {
        let fraction = cursor.take_while(|letter| letter.is_ascii_digit());
        if fraction.is_empty() {
            return begin.refuse("a digit follows the point of a number");
        }
        number = format!("{number}.{fraction}");
    }
    if cursor.peek().is_some_and(|next| is_word_letter(next) || next == '.') {
        return begin.refuse("a number is digits, perhaps with a point, and a blank stands behind it");
    }
    Ok(Token::Number(number))
}

fn word(cursor: &mut Cursor<'_>) -> Result<Token<'static>, Refused> {
    let begin = *cursor;
    let word = cursor.take_while(is_word_letter);
    if !word.is_ascii() || word.contains('$') {
        return begin.refuse("a name with other letters than those of ASCII, digits and `_` stands in double quotes");
    }
    let word = word.to_ascii_lowercase();
    if matches!(word.as_str(), "e" | "b" | "x" | "n") && cursor.peek() == Some('\'') {
        return begin
            .refuse("a string stands in plain single quotes, with no letter before it; give what needs one as a parameter");
    }
    if word == "u" && (cursor.rest().starts_with("&'") || cursor.rest().starts_with("&\"")) {
        return begin.refuse("`U&` writes letters by their numbers; write them as they are, or give the string as a parameter");
    }
    named(&begin, &word)?;
    Ok(Token::Word(word))
}

/// Of which PostgreSQL takes as many as there are.
fn is_operator_letter(letter: char) -> bool {
    "+-*/<>=~!@#%^&|`?".contains(letter)
}

fn sign(cursor: &mut Cursor<'_>) -> Result<&'static str, Refused> {
    for sign in ["(", ")", "[", "]", ",", ".", "::"] {
        if cursor.eat(sign) {
            return Ok(sign);
        }
    }
    let begin = *cursor;
    let run = cursor.take_while(is_operator_letter);
    if run.contains("--") || run.contains("/*") {
        return begin.refuse("comments are not read; leave them out");
    }
    // The end of an operator as PostgreSQL finds it: a sign before a number is none of it, unless the operator has one of these letters.
    let mut end = run.len();
    while end > 1
        && run
            .get(..end)
            .is_some_and(|run| run.ends_with(['+', '-']) && !run.contains(['~', '!', '@', '#', '%', '^', '&', '|', '`', '?']))
    {
        end -= 1;
    }
    let operator = match run.get(..end).unwrap_or_default() {
        "!=" => "<>",
        operator => operator,
    };
    if let Some(known) = OPERATORS.into_iter().find(|known| *known == operator) {
        *cursor = begin;
        for _ in 0..end {
            cursor.bump();
        }
        return Ok(known);
    }
    match begin.peek() {
        _ if !run.is_empty() => begin.refuse(format!("`{}` is no operator that is known here", casemate_plugin::clip(run, 40))),
        Some('\\') => begin.refuse("a backslash stands outside of quotes; there are no commands of psql"),
        Some(':') => begin.refuse("a single `:` is not read: there are no slices, and parameters are `$1`"),
        Some(letter) if !letter.is_ascii() => {
            begin.refuse(format!("`{letter}` is not ASCII; put it in quotes if it belongs to a name or a string"))
        }
        Some(letter) => begin.refuse(format!("`{letter}` has no place in a statement")),
        None => begin.refuse("the statement ends here"),
    }
}
