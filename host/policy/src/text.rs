//! Text from outside: made visible, quoted and bounded before anyone reads it.

use std::{borrow::Cow, fmt::Write as _};

/// Show every character that a reader would not see, or that would change how the rest is read, as `\u{…}`.
///
/// Line feed and tab stay. What is shown instead: other C0 and C1 controls and DEL (with them every ANSI escape),
/// bidirectional controls, zero-width and other default-ignorable characters, line and paragraph separators, Unicode
/// tags, variation selectors beyond the emoji one, interlinear annotations, private use and noncharacters.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        push_visible(&mut shown, character);
    }
    Cow::Owned(shown)
}

/// One line, with hidden characters made visible and at most `max` characters of the original.
pub fn line(text: &str, max: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(max));
    push_line(&mut shown, text, max, &['\n', '\t']);
    shown
}

/// The same in backticks.
pub fn quote(text: &str, max: usize) -> String {
    let mut shown = String::from("`");
    push_line(&mut shown, text, max, &['\n', '\t', '`']);
    shown.push('`');
    shown
}

/// At most `max` characters of a text; these of them are not shown as they are, either.
fn push_line(shown: &mut String, text: &str, max: usize, escaped: &[char]) {
    for character in text.chars().take(max) {
        if escaped.contains(&character) { push_escape(shown, character) } else { push_visible(shown, character) }
    }
    if text.chars().nth(max).is_some() {
        shown.push('…');
    }
}

fn push_visible(shown: &mut String, character: char) {
    if is_hidden(character) { push_escape(shown, character) } else { shown.push(character) }
}

fn push_escape(shown: &mut String, character: char) {
    // Writing to a string cannot fail.
    let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
}

/// Whether a reader would not see this character, or would see others differently because of it.
pub(crate) fn is_hidden(character: char) -> bool {
    match character {
        '\n' | '\t' | ' '..='~' => false,
        // C0, DEL, C1.
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        // Soft hyphen; combining grapheme joiner; Arabic letter mark; Hangul fillers; Khmer inherent vowels; Mongolian
        // selectors: Default_Ignorable_Code_Point (Unicode 16, DerivedCoreProperties.txt).
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' => true,
        // Zero width, bidi marks, line and paragraph separators, bidi embeddings, invisible operators, bidi isolates.
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        // Hangul filler, variation selectors 1 to 15 (16 chooses the emoji form), byte order mark, half-width filler.
        '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}' => true,
        // Interlinear annotations and the specials around them; shorthand and musical format controls.
        '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => true,
        // Tags, variation selectors 17 to 256 and the rest of that plane's ignorables.
        '\u{e0000}'..='\u{e0fff}' => true,
        // Private use: no two readers agree.
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => true,
        // Braille blank looks like a space and is none.
        '\u{2800}' => true,
        '\u{fdd0}'..='\u{fdef}' => true,
        _ => u32::from(character) & 0xfffe == 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use super::{line, quote, visible};
    use std::borrow::Cow;

    fn check(text: &str, shown: &str) {
        assert_eq!(visible(text), shown);
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in ["", "plain\n\ttext", "Grüße, 東京, Ελλάδα, مرحبا, ❤\u{fe0f}"] {
            assert!(matches!(visible(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn hidden_characters_are_shown() {
        check("a\u{1b}[31mb", "a\\u{1b}[31mb");
        check("a\u{9b}31m", "a\\u{9b}31m");
        check("a\r\u{8}\u{0}\u{7f}", "a\\u{d}\\u{8}\\u{0}\\u{7f}");
        check("\u{202e}gnp.exe", "\\u{202e}gnp.exe");
        check("a\u{2066}b\u{2069}", "a\\u{2066}b\\u{2069}");
        check("a\u{200b}\u{200d}\u{feff}\u{2060}", "a\\u{200b}\\u{200d}\\u{feff}\\u{2060}");
        check("a\u{e0041}\u{e0042}", "a\\u{e0041}\\u{e0042}");
        check("a\u{e0100}", "a\\u{e0100}");
        check("a\u{ffff}\u{10fffe}\u{e000}\u{2028}\u{3164}", "a\\u{ffff}\\u{10fffe}\\u{e000}\\u{2028}\\u{3164}");
    }

    #[test]
    fn a_line_is_one_and_bounded() {
        assert_eq!(line("a`b\nc\td\u{1b}[2J", 80), "a`b\\u{a}c\\u{9}d\\u{1b}[2J");
        assert_eq!(line("abcdef", 3), "abc…");
        assert_eq!(line("abc", 3), "abc");
    }

    #[test]
    fn quotes_are_one_bounded_line() {
        assert_eq!(quote("a`b\nc", 80), "`a\\u{60}b\\u{a}c`");
        assert_eq!(quote("abcdef", 3), "`abc…`");
        assert_eq!(quote("abc", 3), "`abc`");
        assert_eq!(quote("\u{202e}", 3), "`\\u{202e}`");
    }
}
