//! What the arguments of commands are made of.

use crate::{
    Refused,
    spl::{eval, piece::Piece, reader::Reader, words},
};

/// What an option's value is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Number,
    /// `true`, `false`, `t`, `f`, `1` or `0`.
    Flag,
    /// A length of time, or another short word of letters and digits: `5m`, `-1h@h`.
    Span,
    /// A string, or a plain word.
    Text,
    /// A name that is made.
    Field,
    /// A field that is computed with.
    Computed,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl Kind {
    fn read(self, reader: &mut Reader<'_>) -> Result<Piece, Refused> {
        let at = reader.at();
        match self {
            Self::Number => reader.number(),
            Self::Text => text(reader),
            Self::Field => reader.field(),
            Self::Computed => reader.computed_field(),
            Self::Flag => word(reader, |word| {
                let word = word.to_ascii_lowercase();
                ["true", "false", "t", "f", "1", "0"].contains(&word.as_str())
            }),
            Self::OneOf(words) => word(reader, |word| words.contains(&word)),
            Self::Span => word(reader, |word| (1..=24).contains(&word.len())),
        }
        .map_err(|refused| Refused { at: refused.at.max(at), ..refused })
    }
}

fn word(reader: &mut Reader<'_>, is_such: impl Fn(&str) -> bool) -> Result<Piece, Refused> {
    reader.piece()?;
    let at = reader.at();
    let word = reader.letters(|letter| letter.is_ascii_alphanumeric() || "@+-.".contains(letter));
    if is_such(word) {
        Ok(Piece::Plain(word.to_owned()))
    } else {
        Err(Refused::new(at, "this option does not have such a value"))
    }
}

/// A string, or a word that needs no quotes.
pub(super) fn text(reader: &mut Reader<'_>) -> Result<Piece, Refused> {
    if reader.is_next("\"") {
        return reader.quoted().map(Piece::Quoted);
    }
    reader.piece()?;
    let word = reader.letters(words::is_field_letter);
    if word.is_empty() { reader.unexpected("expected a text") } else { Ok(Piece::Quoted(word.to_owned())) }
}

/// As many of these options as there are.
pub(super) fn settings(reader: &mut Reader<'_>, known: &[(&'static str, Kind)]) -> Result<Vec<Piece>, Refused> {
    let mut pieces = Vec::new();
    loop {
        let word = reader.peek_word();
        let setting = known.iter().find(|(name, _)| word.eq_ignore_ascii_case(name) && reader.follows(word, '='));
        let Some((name, kind)) = setting else { return Ok(pieces) };
        reader.letters(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        reader.eat("=");
        pieces.push(Piece::Setting(name, Box::new(kind.read(reader)?)));
    }
}

fn stops(reader: &Reader<'_>, stop: &[&str]) -> bool {
    let word = reader.peek_word();
    reader.is_end() || stop.iter().any(|stop| word.eq_ignore_ascii_case(stop))
}

/// Fields with commas or blanks between them.
pub(super) fn fields(reader: &mut Reader<'_>, stop: &[&str], computed: bool) -> Result<Vec<Piece>, Refused> {
    list(reader, stop, &[], computed)
}

/// Fields that are computed with, and options among them.
pub(super) fn clause(reader: &mut Reader<'_>, known: &[(&'static str, Kind)], stop: &[&str]) -> Result<Vec<Piece>, Refused> {
    list(reader, stop, known, true)
}

fn list(reader: &mut Reader<'_>, stop: &[&str], known: &[(&'static str, Kind)], computed: bool) -> Result<Vec<Piece>, Refused> {
    let mut pieces = settings(reader, known)?;
    while !stops(reader, stop) {
        pieces.push(if computed { reader.computed_field()? } else { reader.field()? });
        if reader.is_next("=") {
            return reader.refuse("before this `=` is no option that this command has here");
        }
        if reader.eat(",") {
            pieces.push(Piece::Comma);
            if stops(reader, stop) {
                return reader.unexpected("expected another field behind the comma");
            }
        }
        pieces.extend(settings(reader, known)?);
    }
    Ok(pieces)
}

/// What may not be empty.
pub(super) fn need(
    reader: &mut Reader<'_>,
    read: impl FnOnce(&mut Reader<'_>) -> Result<Vec<Piece>, Refused>,
) -> Result<Vec<Piece>, Refused> {
    let pieces = read(reader)?;
    if pieces.is_empty() { reader.unexpected("expected arguments of the command") } else { Ok(pieces) }
}

/// A number, where a digit is next.
pub(super) fn number_if(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    if reader.peek().is_some_and(|next| next.is_ascii_digit()) { Ok(vec![reader.number()?]) } else { Ok(Vec::new()) }
}

/// `AS name`
pub(super) fn alias(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    if reader.word_if("AS") { Ok(vec![Piece::Word("AS"), reader.field()?]) } else { Ok(Vec::new()) }
}

/// Some of these, with commas between them.
pub(super) fn pairs(
    reader: &mut Reader<'_>,
    read: impl Fn(&mut Reader<'_>) -> Result<Vec<Piece>, Refused>,
) -> Result<Vec<Piece>, Refused> {
    let mut pieces = read(reader)?;
    while !reader.is_end() && !reader.peek_word().eq_ignore_ascii_case("IN") {
        if reader.eat(",") {
            pieces.push(Piece::Comma);
        }
        pieces.extend(read(reader)?);
    }
    Ok(pieces)
}

/// `-count, +ip(src)`: what is sorted by.
pub(super) fn order(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces = Vec::new();
    while !reader.is_end() {
        let sign = reader.sign(&["-", "+"]);
        let word = reader.peek_word();
        let key = if reader.follows(word, '(') {
            of_a_field(reader, &["auto", "ip", "num", "str"])?
        } else {
            reader.computed_field()?
        };
        pieces.push(match sign {
            Some("-") => Piece::Signed('-', Box::new(key)),
            _ => key,
        });
        if reader.eat(",") {
            pieces.push(Piece::Comma);
        } else if reader.word_if("desc") || reader.word_if("d") {
            pieces.push(Piece::Word("desc"));
        }
    }
    match pieces.last() {
        Some(Piece::Comma) => reader.unexpected("expected another field behind the comma"),
        _ => Ok(pieces),
    }
}

/// One of these functions, of one field.
pub(super) fn of_a_field(reader: &mut Reader<'_>, functions: &[&str]) -> Result<Piece, Refused> {
    let word = reader.peek_word();
    let Some(name) = functions.iter().find(|name| word.eq_ignore_ascii_case(name)) else {
        return reader.unexpected("expected a function of this command");
    };
    reader.letters(|letter| letter.is_ascii_alphanumeric());
    if !reader.eat("(") {
        return reader.unexpected("expected `(` and a field");
    }
    Ok(Piece::Call((*name).to_owned(), vec![reader.inside(Reader::computed_field)?]))
}

/// What is counted, each perhaps under a name of its own.
pub(super) fn aggregates(reader: &mut Reader<'_>) -> Result<Vec<Piece>, Refused> {
    let mut pieces = Vec::new();
    while !stops(reader, &["BY", "OVER"]) {
        pieces.push(aggregate(reader)?);
        pieces.extend(alias(reader)?);
        if reader.eat(",") {
            pieces.push(Piece::Comma);
            if stops(reader, &["BY", "OVER"]) {
                return reader.unexpected("expected something to count behind the comma");
            }
        }
    }
    Ok(pieces)
}

fn aggregate(reader: &mut Reader<'_>) -> Result<Piece, Refused> {
    reader.piece()?;
    let word = reader.peek_word();
    if !is_aggregate(word) {
        return match word.is_empty() {
            true => reader.unexpected("expected something to count, such as `count`"),
            false => reader.refuse(format!("the function `{word}` is not one of those that a query may count with")),
        };
    }
    let name = word.to_ascii_lowercase();
    reader.letters(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    if !reader.eat("(") {
        return Ok(Piece::Plain(name));
    }
    let inside = reader.inside(|reader| match reader.peek_word() {
        _ if reader.is_next(")") => Ok(Vec::new()),
        eval if eval.eq_ignore_ascii_case("eval") && reader.follows(eval, '(') => {
            reader.eat(eval);
            reader.eat("(");
            Ok(vec![Piece::Call("eval".to_owned(), reader.inside(eval::expression)?)])
        }
        inner if name == "sparkline" && is_aggregate(inner) => {
            let mut pieces = vec![aggregate(reader)?];
            if reader.eat(",") {
                pieces.extend([Piece::Comma, Kind::Span.read(reader)?]);
            }
            Ok(pieces)
        }
        _ => Ok(vec![reader.computed_field()?]),
    })?;
    Ok(Piece::Call(name, inside))
}

fn is_aggregate(word: &str) -> bool {
    const FUNCTIONS: [&str; 33] = [
        "avg",
        "c",
        "count",
        "dc",
        "distinct_count",
        "earliest",
        "earliest_time",
        "estdc",
        "first",
        "last",
        "latest",
        "latest_time",
        "list",
        "max",
        "mean",
        "median",
        "min",
        "mode",
        "per_day",
        "per_hour",
        "per_minute",
        "per_second",
        "range",
        "rate",
        "sparkline",
        "stdev",
        "stdevp",
        "sum",
        "sumsq",
        "values",
        "var",
        "varp",
        "estdc_error",
    ];
    let word = word.to_ascii_lowercase();
    let percentile = ["exactperc", "upperperc", "perc", "p"].iter().find_map(|name| word.strip_prefix(name));
    let is_percentile =
        percentile.is_some_and(|of| (1..=2).contains(&of.len()) && of.bytes().all(|digit| digit.is_ascii_digit()));
    is_percentile || FUNCTIONS.contains(&word.as_str())
}
