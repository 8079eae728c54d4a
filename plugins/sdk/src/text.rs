//! Text from outside, made short and plain before it goes anywhere.

/// The text on one line and at most `characters` long, an ellipsis included where something was cut.
///
/// White space becomes single spaces. Control characters, bidirectional controls, zero-width characters and Unicode
/// tags, which can hide or reorder what a person sees, become U+FFFD. The host makes the same characters visible in
/// whatever a plugin returns; here they also cannot eat up the length.
pub fn clip(text: &str, characters: usize) -> String {
    let mut clipped = String::new();
    let mut length = 0;
    let mut space = false;
    for letter in text.chars() {
        if letter.is_whitespace() {
            space = !clipped.is_empty();
            continue;
        }
        let wanted = 1 + usize::from(space);
        if length + wanted > characters {
            // Room for the ellipsis.
            if length == characters {
                clipped.pop();
            }
            if characters > 0 {
                clipped.push('…');
            }
            return clipped;
        }
        if std::mem::take(&mut space) {
            clipped.push(' ');
        }
        clipped.push(if is_hidden(letter) { char::REPLACEMENT_CHARACTER } else { letter });
        length += wanted;
    }
    clipped
}

/// The text of at most `characters`, an ellipsis included where something was cut, with its lines as they are.
///
/// Line breaks are single `\n`, tabs are spaces, and what is not seen becomes U+FFFD as in [`clip`]. For what a program printed:
/// its lines and columns mean something.
pub fn clip_lines(text: &str, characters: usize) -> String {
    let plain = |letter: char| match letter {
        '\n' => '\n',
        '\t' => ' ',
        other if is_hidden(other) => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    // One letter more than there is room for says whether something is cut.
    let mut clipped: String = text.replace("\r\n", "\n").chars().map(plain).take(characters.saturating_add(1)).collect();
    if clipped.chars().count() > characters {
        clipped.pop();
        if clipped.pop().is_some() {
            clipped.push('…');
        }
    }
    clipped
}

/// Characters that are not seen, or that change how others are seen.
pub fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}'          // soft hyphen, joiners, Mongolian selectors
                | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{2800}' // fillers and blanks that look like spaces
                | '\u{200b}'..='\u{200f}'                                        // zero width, direction marks
                | '\u{2028}'..='\u{202e}'                                        // separators, bidirectional embeddings
                | '\u{2060}'..='\u{206f}'                                        // invisible operators, isolates
                | '\u{e000}'..='\u{f8ff}'                                        // private use
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'                           // variation selectors, byte order mark
                | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'              // annotations, noncharacters
                | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'          // shorthand and musical format controls
                | '\u{e0000}'..='\u{10ffff}' // tags, more selectors, private use
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_fits() {
        assert_eq!(clip("a b", 3), "a b");
        assert_eq!(clip("  a \r\n\t b  ", 3), "a b");
        assert_eq!(clip("größe", 5), "größe");
        assert_eq!(clip("", 0), "");
    }

    #[test]
    fn cuts_what_does_not() {
        assert_eq!(clip("abcdef", 3), "ab…");
        assert_eq!(clip("ab cdef", 3), "ab…");
        assert_eq!(clip("abcdef", 1), "…");
        assert_eq!(clip("abcdef", 0), "");
        for length in 0..8 {
            assert!(clip("a bc def ghij", length).chars().count() <= length);
        }
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(clip_lines("PID  CMD\r\n 1\tinit\n", 99), "PID  CMD\n 1 init\n");
        assert_eq!(clip_lines("a\u{1b}[31m\rb\u{202e}", 99), "a\u{fffd}[31m\u{fffd}b\u{fffd}");
        assert_eq!(clip_lines("abc", 3), "abc");
        assert_eq!(clip_lines("abcd", 3), "ab…");
        assert_eq!(clip_lines("ab", 1), "…");
        assert_eq!(clip_lines("ab", 0), "");
    }

    #[test]
    fn shows_what_hides() {
        for hidden in ['\u{0}', '\u{1b}', '\u{7f}', '\u{9b}', '\u{202e}', '\u{200b}', '\u{e0041}', '\u{feff}', '\u{2066}'] {
            assert_eq!(clip(&format!("a{hidden}b"), 9), "a\u{fffd}b", "{hidden:?}");
        }
    }
}
