//! Items as Burp's extension writes them: JSON objects with an empty line between two. Those of the history are cut at 5,000 characters each,
//! so that the JSON of a long one is broken off. Where there are none, it says so in words.

/// What stands where an item was cut.
const CUT: &str = "... (truncated)";

/// The items.
pub(crate) fn items(text: &str) -> Vec<&str> {
    text.split("\n\n").map(str::trim).filter(|block| block.starts_with('{')).collect()
}

/// A text member of an item, as far as it is there; and whether it is cut.
pub(crate) fn member(item: &str, name: &str) -> Option<(String, bool)> {
    let key = format!("\"{name}\"");
    let mut from = 0;
    loop {
        let at = from + item.get(from..)?.find(&key)?;
        let behind = item.get(at + key.len()..)?.trim_start();
        // Inside a text the quotes are escaped, so this is a key wherever a colon follows; its value may be no text.
        match behind.strip_prefix(':').map(str::trim_start) {
            Some(value) if !item.get(..at)?.ends_with('\\') => return text(value.strip_prefix('"')?),
            _ => from = at + key.len(),
        }
    }
}

/// A JSON text from behind its first quote.
fn text(rest: &str) -> Option<(String, bool)> {
    let mut escaped = false;
    let end = rest.char_indices().find_map(|(at, letter)| match letter {
        _ if escaped => {
            escaped = false;
            None
        }
        '\\' => {
            escaped = true;
            None
        }
        '"' => Some(at),
        _ => None,
    });
    let read = |text: &str| serde_json::from_str::<String>(&format!("\"{text}\"")).ok();
    if let Some(end) = end {
        return read(rest.get(..end)?).map(|text| (text, false));
    }
    let rest = rest.strip_suffix(CUT).unwrap_or(rest);
    // An escape that is cut in two is left out: the longest is two of six letters.
    (0..=12).find_map(|left_out| read(rest.get(..rest.len().checked_sub(left_out)?)?)).map(|text| (text, true))
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn items_are_found_whole_and_cut() {
        let whole =
            r#"{"request":"GET / HTTP/1.1\r\nX: \"response\":\r\n\r\n","response":"HTTP/1.1 200 OK\r\n\r\n","notes":null}"#;
        let cut = r#"{"request":"GET / HTTP/1.1\r\n\u00e9 \ud83d\ude00 tail\u00... (truncated)"#;
        let text = format!("{whole}\n\n{cut}");
        let items = items(&text);
        assert_eq!(items.len(), 2);
        assert_eq!(member(items[0], "request"), Some(("GET / HTTP/1.1\r\nX: \"response\":\r\n\r\n".to_owned(), false)));
        assert_eq!(member(items[0], "response"), Some(("HTTP/1.1 200 OK\r\n\r\n".to_owned(), false)));
        assert_eq!(member(items[0], "notes"), None);
        assert_eq!(member(items[1], "request"), Some(("GET / HTTP/1.1\r\né \u{1f600} tail".to_owned(), true)));
        assert_eq!(member(items[1], "response"), None);
    }

    #[test]
    fn what_is_none_is_none() {
        assert_eq!(items("Reached end of items"), Vec::<&str>::new());
        for item in ["{", "{\"request\"", "{\"request\":", "{\"request\":1}", "{\"other\":\"request\"}", "{\"request\":\"\\"] {
            assert!(member(item, "request").is_none_or(|(text, _)| text.is_empty()), "{item}");
        }
        assert_eq!(member("{\"request\":\"a\\u", "request"), Some(("a".to_owned(), true)));
    }
}
