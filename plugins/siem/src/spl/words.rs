//! Names, strings and values, letter by letter.

use crate::{Cursor, Refused};

/// A string in double quotes, without them. A backslash belongs to the character behind it, so that `\"` ends nothing and `\\` hides no
/// quote; both are kept as they are written.
pub(super) fn quoted(cursor: &mut Cursor<'_>) -> Result<String, Refused> {
    let begin = *cursor;
    cursor.eat("\"");
    let from = cursor.at() - begin.at();
    loop {
        let at = cursor.at();
        match cursor.bump() {
            Some('"') => return Ok(begin.rest().get(from..at - begin.at()).unwrap_or_default().to_owned()),
            Some('\\') if cursor.peek().is_some() => {
                cursor.bump();
            }
            Some('\n' | '\r' | '\t') => {
                return Err(Refused::new(at, "a string stands on one line, without tabs; close the quote before"));
            }
            Some(_) => {}
            None => return begin.refuse("this quote is not closed"),
        }
    }
}

/// What stands between single quotes.
pub(super) fn single_quoted<'t>(cursor: &mut Cursor<'t>) -> Result<&'t str, Refused> {
    let begin = *cursor;
    cursor.eat("'");
    let inner = cursor.take_while(|letter| letter != '\'');
    if cursor.eat("'") { Ok(inner) } else { begin.refuse("this quote is not closed") }
}

/// Of names of fields in lists, without quotes.
pub(super) fn is_field_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_.:*{}@-".contains(letter)
}

/// Whether each colon stands inside a name. `index::main` is another spelling of a comparison, and `index:=main` would be two to whom a
/// colon is none of the name.
fn has_colons_inside(name: &str) -> bool {
    !name.contains("::") && !name.ends_with(':')
}

/// A name as it stands in lists.
pub(super) fn is_bare_field(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric() || "_*@".contains(first))
        && name.len() <= 128
        && name.chars().all(is_field_letter)
        && has_colons_inside(name)
}

/// A name that is compared without quotes.
pub(super) fn is_simple_field(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.:{}".contains(letter))
        && has_colons_inside(name)
}

/// A name as it stands in quotes: with blanks inside, and not one at an end.
pub(super) fn is_quoted_field(name: &str) -> bool {
    let is_letter = |letter: char| is_field_letter(letter) || " /()".contains(letter);
    name.starts_with(|first: char| first.is_ascii_alphanumeric() || "_*@".contains(first))
        && name.len() <= 128
        && !name.ends_with(' ')
        && name.chars().all(is_letter)
        && has_colons_inside(name)
}

/// Of values and words that are searched for, without quotes.
pub(super) fn is_value_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_.*:/@%+~?#&;^{}$-".contains(letter)
}

/// What stands without quotes where it is written: everything else is written in quotes, which mean the same.
pub(super) fn is_plain(word: &str) -> bool {
    const RESERVED: [&str; 8] = ["and", "or", "not", "in", "xor", "term", "case", "search"];
    word.starts_with(|first: char| first.is_ascii_alphanumeric() || "_*".contains(first))
        && word.chars().all(|letter| letter.is_ascii_alphanumeric() || "_.*-".contains(letter))
        && !RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

/// What a comparison in a search expression may not be about, in lower case, and why.
pub(super) fn reserved(field: &str) -> Option<&'static str> {
    const TIME: &str = "the span of time is said in the argument `window`";
    const INDEX: &str = "indexes are named in the argument `index`";
    const SERVER: &str = "which server searches is not for the query to say";
    const SAVED: &str = "a saved search has a text of its own, which is not read here";
    let field = field.to_ascii_lowercase();
    match field.as_str() {
        "index" | "_index" | "indexes" => Some(INDEX),
        "splunk_server" | "splunk_server_group" | "search_group" => Some(SERVER),
        "savedsearch" | "savedsplunk" | "savedsearch_name" => Some(SAVED),
        "earliest" | "latest" | "_time" | "_indextime" | "timeformat" | "starttime" | "endtime" | "starttimeu" | "endtimeu"
        | "now" => Some(TIME),
        other => {
            let is_span =
                ["_index_", "index_earliest", "index_latest", "searchtimespan"].iter().any(|prefix| other.starts_with(prefix));
            let is_ago = ["ago", "agou"].iter().any(|suffix| other.ends_with(suffix));
            let is_relative = ["start", "end", "seconds", "minutes", "hours", "days", "weeks", "months"]
                .iter()
                .any(|word| other.starts_with(word));
            (is_span || is_ago && is_relative).then_some(TIME)
        }
    }
}
