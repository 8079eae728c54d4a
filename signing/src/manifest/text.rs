//! Plain text: what a manifest may show to a person or a model.
//!
//! A tool's description is read by a model before anyone asked for anything, so a character that a reviewer cannot see
//! (zero width, tag characters, bidirectional overrides: CVE-2021-42574) is a place to hide instructions in.

/// Why a text may not be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing, or only spaces.
    #[error("the text is empty")]
    Empty,
    /// Longer than its kind may be.
    #[error("the text is {length} characters long, and at most {max} are allowed")]
    TooLong {
        /// Its characters.
        length: usize,
        /// The bound.
        max: usize,
    },
    /// A character a reader cannot see, or that changes how others are shown.
    #[error("the text holds the character U+{code:04X}, which a reader cannot see\nhelp: write plain text")]
    Hidden {
        /// The code point.
        code: u32,
    },
}

/// One line of at most `max` characters.
pub fn line(text: &str, max: usize) -> Result<(), TextError> {
    plain(text, max, |_| false)
}

/// Lines of text, at most `max` characters in all; the line feed is the one control character allowed.
pub fn prose(text: &str, max: usize) -> Result<(), TextError> {
    plain(text, max, |c| c == '\n')
}

fn plain(text: &str, max: usize, also: impl Fn(char) -> bool) -> Result<(), TextError> {
    if text.trim().is_empty() {
        return Err(TextError::Empty);
    }
    let length = text.chars().count();
    if length > max {
        return Err(TextError::TooLong { length, max });
    }
    match text.chars().find(|&c| is_hidden(c) && !also(c)) {
        Some(c) => Err(TextError::Hidden { code: c.into() }),
        None => Ok(()),
    }
}

/// Whether a reader cannot see `c`, or sees others differently because of it.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Soft hyphen, joiners, vowels that are not drawn, Mongolian selectors.
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            // Fillers and blanks that look like spaces.
            | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' | '\u{2800}'
            // Zero width, direction marks; separators, bidirectional embeddings; invisible operators, isolates.
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            // Private use, variation selectors, byte order mark, annotations, noncharacters.
            | '\u{E000}'..='\u{F8FF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}'
            // Musical and shorthand format controls; tags, more selectors, more private use.
            | '\u{1D173}'..='\u{1D17A}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{E0000}'..='\u{10FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_passes() {
        for text in ["Look a file up by its hash.", "Größe, 日本語, emoji 🔒, d’accord", "a"] {
            assert_eq!(line(text, 80), Ok(()), "{text}");
        }
        assert_eq!(prose("two\nlines", 80), Ok(()));
    }

    #[test]
    fn bounds_hold() {
        assert_eq!(line("", 8), Err(TextError::Empty));
        assert_eq!(line(" \u{3000}", 8), Err(TextError::Empty));
        assert_eq!(line("äöüß", 4), Ok(()));
        assert_eq!(line("äöüßa", 4), Err(TextError::TooLong { length: 5, max: 4 }));
    }

    #[test]
    fn what_cannot_be_seen_is_refused() {
        let hidden = [
            0x00, 0x07, 0x0A, 0x0D, 0x1B, 0x7F, 0x85, 0x9B, 0xAD, 0x61C, 0x180E, 0x200B, 0x200D, 0x200E, 0x2028, 0x202E, 0x2060,
            0x2066, 0x2069, 0x3164, 0xE000, 0xFE0F, 0xFEFF, 0xFFF9, 0xE0001, 0xE0041, 0xE007F, 0xE0101, 0xF0000, 0x10FFFF,
        ];
        for code in hidden {
            let text = format!("a{}b", char::from_u32(code).unwrap_or('a'));
            assert_eq!(line(&text, 80), Err(TextError::Hidden { code }), "U+{code:04X}");
        }
        assert_eq!(prose("a\rb", 80), Err(TextError::Hidden { code: 0x0D }));
    }
}
