//! Queries in SPL: what is read is written in one way and read back alike, and what is sent is of the granted indexes and of no other.

#![no_main]

use casemate_siem::{Scope, spl::Query};
use libfuzzer_sys::fuzz_target;

const HEAD: &str = "search index IN (\"web\", \"auth\") (";
const TAIL: &str = " | head 7";

fuzz_target!(|text: &str| {
    // As written a query is longer by its quotes, and must not be longer than one may be.
    if text.len() > 2048 {
        return;
    }
    let Ok(query) = Query::parse(text) else { return };
    let written = query.to_string();
    let again = Query::parse(&written).unwrap_or_else(|refused| panic!("{refused} in\n{written}"));
    assert_eq!(again, query);
    assert_eq!(again.to_string(), written);

    let sent = query.scoped(&Scope::new(["web", "auth"]), 7);
    let rest = sent.strip_prefix(HEAD).and_then(|rest| rest.strip_suffix(TAIL)).unwrap_or_else(|| panic!("{sent}"));
    let bare = without_strings(rest);
    // The search expression is in its parentheses, and nothing closes them before its end.
    let mut depth = 1_u32;
    let mut end = None;
    for (at, letter) in bare.char_indices() {
        assert!(letter.is_ascii_graphic() || letter == ' ', "{letter:?} in {sent}");
        assert!(!"[]`\\".contains(letter), "{letter:?} in {sent}");
        match letter {
            '(' => depth += 1,
            ')' => {
                depth = depth.checked_sub(1).unwrap_or_else(|| panic!("{sent}"));
                if depth == 0 && end.is_none() {
                    end = Some(at);
                }
            }
            '|' => assert_eq!(depth, 0, "{sent}"),
            _ => {}
        }
    }
    assert_eq!(depth, 0, "{sent}");
    let (search, stages) = bare.split_at(end.unwrap_or_else(|| panic!("{sent}")));
    assert!(stages == ")" || stages.starts_with(") | "), "{sent}");
    // Single quotes are quotes where something is computed, and nowhere else.
    assert!(!search.contains('\''), "{sent}");
    reads_no_other(search, &sent);
    for stage in stages.split('|').skip(1).map(str::trim) {
        let (command, arguments) = stage.split_once(' ').unwrap_or((stage, ""));
        for other in ["append", "join", "map", "lookup", "inputlookup", "rest", "tstats", "delete", "collect", "union", "from"] {
            assert_ne!(command, other, "{sent}");
        }
        if command == "search" {
            reads_no_other(arguments, &sent);
        }
    }
});

/// No comparison in a search expression is about an index or a time.
fn reads_no_other(search: &str, sent: &str) {
    let search = search.to_lowercase();
    for field in ["index", "_index", "earliest", "latest", "_time", "splunk_server", "savedsearch"] {
        for (at, _) in search.match_indices(field) {
            let before = search[..at].chars().next_back();
            let whole = before.is_none_or(|before| " (,".contains(before));
            let after = &search[at + field.len()..];
            let signs = ["=", "!", "<", ">", "::", ":="];
            let compared = after.starts_with(" in (") || signs.iter().any(|sign| after.trim_start().starts_with(sign));
            assert!(!(whole && compared), "{field} in {sent}");
        }
    }
}

/// A query with its strings emptied. A name in quotes that is compared or computed with is kept, for it is one; of what else stands in it,
/// nothing means anything there.
fn without_strings(query: &str) -> String {
    let mut bare = String::new();
    let mut letters = query.chars();
    while let Some(quote) = letters.next() {
        if !['"', '\''].contains(&quote) {
            bare.push(quote);
            continue;
        }
        let mut inner = String::new();
        loop {
            match letters.next() {
                Some(letter) if letter == quote => break,
                Some('\\') if quote == '"' => {
                    letters.next();
                    inner.push('~');
                }
                Some(letter) if letter.is_ascii_alphanumeric() || letter == '_' => inner.push(letter),
                // Quotes of the other kind, and what would begin something, have no place in a name.
                Some(letter) if quote == '\'' => {
                    assert!(!"\"|[]`\\".contains(letter), "{letter:?} in a name of {query}");
                    inner.push('~');
                }
                Some(_) => inner.push('~'),
                None => panic!("an open quote in {query}"),
            }
        }
        let compared = letters.as_str().starts_with(['=', '!', '<', '>']) || letters.as_str().starts_with(" IN (");
        match quote {
            '\'' => bare.push_str(&format!("'{inner}'")),
            _ if compared => bare.push_str(&inner),
            _ => bare.push('~'),
        }
    }
    bare
}
