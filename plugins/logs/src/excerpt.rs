//! A line as it is shown: what is no text replaced, what is too long cut around its match. Nothing else is changed: the host makes visible
//! what hides, and names it.

/// Bytes of one line that are shown.
const MAX_BYTES: usize = 1024;
/// Of them, those before the end of the match.
const BEFORE: usize = 768;

/// A line's text, and whether all of it is there. `at` is where it is interesting.
pub(crate) fn of(line: &[u8], at: usize) -> (String, bool) {
    if line.len() <= MAX_BYTES {
        return (text(line), true);
    }
    let begin = line.len().saturating_sub(MAX_BYTES).min(at.saturating_sub(BEFORE));
    // Not in the middle of a letter.
    let is_inner = |at: &usize| line.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    let begin = (begin..begin + 4).find(|at| !is_inner(at)).unwrap_or(begin);
    let end = line.len().min(begin + MAX_BYTES);
    let end = (end.saturating_sub(3)..=end).rev().find(|at| !is_inner(at)).unwrap_or(end);
    let mark = |cut: bool| if cut { "…" } else { "" };
    (format!("{}{}{}", mark(begin > 0), text(line.get(begin..end).unwrap_or_default()), mark(end < line.len())), false)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Bytes that a text takes at most once it is JSON, or once the host has made visible what hides in it.
pub(crate) fn cost(text: &str) -> usize {
    let of = |letter: char| match letter {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        // `\u{e0041}`, and its backslash doubled.
        _ => 12,
    };
    text.chars().map(of).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_as_it_is() {
        for line in ["", "plain", "tab\there", "\u{1b}[31mred", "größe \u{202e}x", "a\u{0}b"] {
            assert_eq!(of(line.as_bytes(), 0), (line.to_owned(), true));
        }
        assert_eq!(of(b"a\xff\xfeb", 0), ("a\u{fffd}\u{fffd}b".to_owned(), true));
    }

    #[test]
    fn a_long_line_is_cut_around_its_match() {
        let line = format!("{}needle{}", "a".repeat(5_000), "b".repeat(5_000));
        let (text, whole) = of(line.as_bytes(), 5_006);
        assert!(!whole && text.starts_with("…a") && text.ends_with("b…") && text.contains("needle"), "{text}");
        let (text, _) = of(line.as_bytes(), 0);
        assert!(text.starts_with("aaa") && text.ends_with("a…"));
        let (text, _) = of(line.as_bytes(), line.len());
        assert!(text.starts_with("…b") && text.ends_with('b'));
    }

    #[test]
    fn a_cut_is_not_in_a_letter() {
        let line = "é€😀".repeat(1_000);
        for at in 0..line.len() {
            let (text, _) = of(line.as_bytes(), at);
            assert!(!text.contains('\u{fffd}') && text.len() <= MAX_BYTES + 6, "{at}");
        }
        // What is no text at all has no letters.
        assert!(!of(&[0x80; 5_000], 2_500).1);
    }

    #[test]
    fn what_hides_costs_what_it_takes_to_show_it() {
        assert_eq!(cost("ab\"\\"), 6);
        assert!(cost("\u{1b}") >= "\\\\u{1b}".len() && cost("\u{e0041}") >= "\\\\u{e0041}".len());
    }
}
