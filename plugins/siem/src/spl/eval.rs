//! Expressions of `eval` and `where`: operands with operators between them, and functions that compute with what they are given.

use super::{piece::Piece, reader::Reader};
use crate::Refused;

/// Functions. None of these reads a file, a lookup, or another event than the one it is asked about.
const FUNCTIONS: [&str; 87] = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bit_and",
    "bit_not",
    "bit_or",
    "bit_shift_left",
    "bit_shift_right",
    "bit_xor",
    "case",
    "ceil",
    "ceiling",
    "cidrmatch",
    "coalesce",
    "cos",
    "cosh",
    "exact",
    "exp",
    "false",
    "floor",
    "hypot",
    "if",
    "in",
    "ipmask",
    "isarray",
    "isbool",
    "isint",
    "isnotnull",
    "isnull",
    "isnum",
    "isobject",
    "isstr",
    "json_array_to_mv",
    "json_extract",
    "json_keys",
    "json_valid",
    "len",
    "like",
    "ln",
    "log",
    "lower",
    "ltrim",
    "match",
    "max",
    "md5",
    "min",
    "mvappend",
    "mvcount",
    "mvdedup",
    "mvfilter",
    "mvfind",
    "mvindex",
    "mvjoin",
    "mvsort",
    "mvzip",
    "now",
    "null",
    "nullif",
    "pi",
    "pow",
    "printf",
    "relative_time",
    "replace",
    "round",
    "rtrim",
    "sha1",
    "sha256",
    "sha512",
    "sigfig",
    "split",
    "sqrt",
    "strftime",
    "strptime",
    "substr",
    "time",
    "tonumber",
    "tostring",
    "trim",
    "true",
    "typeof",
    "upper",
    "urldecode",
];

const SIGNS: &[&str] = &["!=", "<=", ">=", "==", "=", "<", ">", "+", "-", "*", "/", "%", "."];

/// A whole expression.
pub(super) fn expression(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces = Vec::new();
    loop {
        while is_keyword(reader, "NOT") {
            reader.piece()?;
            pieces.push(Piece::Word("NOT"));
        }
        let negative = reader.eat("-");
        let operand = operand(reader)?;
        pieces.push(if negative { Piece::Signed('-', Box::new(operand)) } else { operand });
        if is_keyword(reader, "IN") {
            if !reader.eat("(") {
                return reader.unexpected("expected `(` and values");
            }
            pieces.push(Piece::Word("IN"));
            pieces.push(Piece::Group(reader.inside(list)?));
        }
        match infix(reader) {
            Some(word) => pieces.push(Piece::Word(word)),
            None => return Ok(pieces),
        }
        reader.piece()?;
    }
}

/// Expressions with commas between them.
fn list(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces = expression(reader)?;
    while reader.eat(",") {
        pieces.push(Piece::Comma);
        pieces.extend(expression(reader)?);
    }
    Ok(pieces)
}

fn is_keyword(reader: &mut Reader<'_>, keyword: &str) -> bool {
    reader.peek().is_some_and(|next| next.is_ascii_alphabetic()) && reader.word_if(keyword)
}

fn infix(reader: &mut Reader<'_>) -> Option<&'static str> {
    let words = ["AND", "OR", "XOR", "LIKE"].into_iter().find(|word| is_keyword(reader, word));
    words.or_else(|| reader.sign(SIGNS))
}

fn operand(reader: &mut Reader<'_>) -> Result<Piece, Refused> {
    const OPERATORS: [&str; 6] = ["AND", "OR", "XOR", "NOT", "LIKE", "IN"];
    reader.piece()?;
    match reader.peek() {
        Some('(') => {
            reader.eat("(");
            reader.inside(expression).map(Piece::Group)
        }
        Some('"') => reader.quoted().map(Piece::Quoted),
        Some('\'') => {
            let name = reader.single_quoted()?;
            reader.compute(&name);
            Ok(Piece::Field(format!("'{name}'")))
        }
        Some(digit) if digit.is_ascii_digit() => reader.number(),
        Some(letter) if letter.is_ascii_alphabetic() || letter == '_' => {
            let word = reader.peek_word();
            if reader.follows(word, '(') {
                call(reader)
            } else if OPERATORS.iter().any(|operator| word.eq_ignore_ascii_case(operator)) {
                reader.refuse(format!("`{word}` stands between two operands"))
            } else {
                let name = reader.letters(|letter| letter.is_ascii_alphanumeric() || letter == '_');
                reader.compute(name);
                Ok(Piece::Field(name.to_owned()))
            }
        }
        _ => reader.unexpected("expected a field, a value or a function"),
    }
}

fn call(reader: &mut Reader<'_>) -> Result<Piece, Refused> {
    let word = reader.peek_word();
    let Some(name) = FUNCTIONS.iter().find(|name| word.eq_ignore_ascii_case(name)) else {
        let why = match word.to_ascii_lowercase().as_str() {
            "lookup" => "`lookup` reads a table that is not an index that was granted".to_owned(),
            "searchmatch" => "`searchmatch` holds a search in a string, which is not read here; compare fields".to_owned(),
            other => format!("the function `{other}` is not one of those that a query may call"),
        };
        return reader.refuse(why);
    };
    reader.letters(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    reader.eat("(");
    let inside = reader.inside(|reader| if reader.is_next(")") { Ok(Vec::new()) } else { list(reader) })?;
    Ok(Piece::Call((*name).to_owned(), inside))
}

/// `name = expression`, with commas between several.
pub(super) fn assignments(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces = Vec::new();
    loop {
        pieces.push(target(reader)?);
        if !reader.eat("=") || reader.is_next("=") {
            return reader.unexpected("expected `=` and an expression");
        }
        pieces.push(Piece::Word("="));
        pieces.extend(expression(reader)?);
        if !reader.eat(",") {
            return Ok(pieces);
        }
        pieces.push(Piece::Comma);
    }
}

/// The field that is set. A name that is computed, as in `{name}`, is none.
fn target(reader: &mut Reader<'_>) -> Result<Piece, Refused> {
    let piece = match reader.is_next("'") {
        true => Piece::Field(format!("'{}'", reader.single_quoted()?)),
        false => reader.field()?,
    };
    match &piece {
        Piece::Field(name) | Piece::Quoted(name) if name.contains(['*', '{', '}']) => {
            reader.refuse("the field that is set has a name without `*` and braces")
        }
        _ => Ok(piece),
    }
}
