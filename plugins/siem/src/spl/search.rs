//! Search expressions: words, strings and comparisons, with `AND`, `OR`, `NOT` and parentheses.

use super::{piece::Piece, reader::Reader, words};
use crate::Refused;

const SIGNS: &[&str] = &["!=", "<=", ">=", "=", "<", ">"];

/// A whole expression: at least one term, with an operator or a blank between two of them.
pub(super) fn expression(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces = Vec::new();
    loop {
        if reader.is_end() {
            return match pieces.last() {
                Some(Piece::Word(word)) => reader.refuse(format!("`{word}` stands before a term")),
                Some(_) => Ok(pieces),
                None => reader.refuse("expected what is searched for, such as `*`"),
            };
        }
        let piece = match operator(reader)? {
            Some(word) => {
                if word != "NOT" && matches!(pieces.last(), None | Some(Piece::Word(_))) {
                    return reader.refuse(format!("`{word}` stands between two terms"));
                }
                if word == "NOT" && matches!(pieces.last(), Some(Piece::Word("NOT"))) {
                    return reader.refuse("`NOT` stands once before a term");
                }
                Piece::Word(word)
            }
            None => term(reader)?,
        };
        pieces.push(piece);
    }
}

/// Operators are in capitals. In small letters they would be words, and look like what they are not.
fn operator(reader: &mut Reader<'_>) -> Result<Option<&'static str>, Refused> {
    let next = reader.peek_word();
    let Some(word) = ["AND", "OR", "NOT"].into_iter().find(|word| next.eq_ignore_ascii_case(word)) else { return Ok(None) };
    if next != word {
        return reader.refuse(format!("write `{word}` in capitals, or in double quotes if it is searched for"));
    }
    if !reader.word_if(word) {
        return reader.refuse(format!("`{word}` is an operator; put what is searched for in double quotes"));
    }
    reader.piece()?;
    Ok(Some(word))
}

fn term(reader: &mut Reader<'_>) -> Result<Piece, Refused> {
    reader.piece()?;
    if reader.eat("(") {
        return reader.inside(expression).map(Piece::Group);
    }
    let at = reader.at();
    if reader.is_next("\"") {
        let text = reader.quoted()?;
        if reader.is_next("=!<>") || is_in(reader) {
            return comparison(reader, at, &text);
        }
        reader.apart()?;
        return Ok(Piece::Quoted(text));
    }
    let before = reader.peek_word();
    for exact in ["TERM", "CASE"] {
        if before == exact && reader.follows(exact, '(') {
            return directive(reader, exact);
        }
    }
    let word = reader.letters(words::is_value_letter);
    if word.is_empty() {
        return reader.unexpected("expected what is searched for");
    }
    if reader.is_next("=!<>") || is_in(reader) {
        return comparison(reader, at, word);
    }
    if word.contains("::") {
        return Err(Refused::new(
            at,
            "`::` names a field of the index itself; compare a field with `=`, or put it in double quotes",
        ));
    }
    ends_here(reader, "put what is searched for in double quotes")?;
    Ok(plain(word))
}

fn is_in(reader: &Reader<'_>) -> bool {
    let next = reader.peek_word();
    next.eq_ignore_ascii_case("in") && reader.follows(next, '(')
}

/// `TERM(192.0.2.1)`: the word as it was indexed.
fn directive(reader: &mut Reader<'_>, name: &str) -> Result<Piece, Refused> {
    reader.eat(name);
    reader.eat("(");
    let inside = reader.inside(|reader| {
        let value = value(reader)?;
        match &value {
            Piece::Plain(text) | Piece::Quoted(text) if text.contains("::") => {
                reader.refuse("`::` names a field of the index itself")
            }
            _ => Ok(value),
        }
    })?;
    Ok(Piece::Call(name.to_owned(), vec![inside]))
}

fn comparison(reader: &mut Reader<'_>, at: usize, field: &str) -> Result<Piece, Refused> {
    if !words::is_quoted_field(field) || field.contains('*') {
        let why = "before a comparison is the name of a field: letters, digits and _.:{}@-, without `*`";
        return Err(Refused::new(at, why));
    }
    if let Some(why) = words::reserved(field) {
        return Err(Refused::new(at, format!("`{field}` is not compared here: {why}")));
    }
    reader.compute(field);
    let name = if words::is_simple_field(field) { field.to_owned() } else { format!("\"{field}\"") };
    if is_in(reader) {
        reader.letters(|letter| letter.is_ascii_alphabetic());
        reader.eat("(");
        let values = reader.inside(values)?;
        return Ok(Piece::Compare(name, " IN ", Box::new(Piece::Group(values))));
    }
    let Some(sign) = reader.sign(SIGNS) else { return reader.unexpected("expected `=`") };
    if reader.is_next("=<>!") {
        return reader.refuse("comparisons are = != < <= > and >=");
    }
    Ok(Piece::Compare(name, sign, Box::new(value(reader)?)))
}

fn values(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut values = vec![value(reader)?];
    while reader.eat(",") {
        values.push(Piece::Comma);
        values.push(value(reader)?);
    }
    Ok(values)
}

/// What a field is compared with.
fn value(reader: &mut Reader<'_>) -> Result<Piece, Refused> {
    reader.piece()?;
    if reader.is_next("\"") {
        let text = reader.quoted()?;
        ends_here(reader, "put the whole value in double quotes")?;
        return Ok(Piece::Quoted(text));
    }
    let word = reader.letters(words::is_value_letter);
    if word.is_empty() {
        return reader.unexpected("expected a value");
    }
    ends_here(reader, "put the value in double quotes")?;
    Ok(plain(word))
}

/// A word is followed by white space, and not by what could be read as a part of it.
fn ends_here(reader: &Reader<'_>, or: &str) -> Result<(), Refused> {
    reader.apart()?;
    if reader.is_next("=!<>\'[]$`") || reader.peek().is_some_and(|next| !next.is_ascii()) {
        return reader.unexpected(or);
    }
    Ok(())
}

fn plain(word: &str) -> Piece {
    if words::is_plain(word) { Piece::Plain(word.to_owned()) } else { Piece::Quoted(word.to_owned()) }
}
