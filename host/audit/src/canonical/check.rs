//! Whether a line is written the one way, found out without building anything from it.
//!
//! It says of a line what writing it again would: a property test holds the two together.

use std::cmp::Ordering;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::MAX_TEXT;

/// As deep as a record can be read: the reader that takes it apart goes no further.
const MAX_DEPTH: u32 = 127;

/// Whether this is one JSON value in canonical form, and nothing else.
pub(crate) fn is_canonical(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line) else { return false };
    let mut reader = Reader { rest: line };
    reader.value(MAX_DEPTH).is_some() && reader.rest.is_empty()
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn take(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn value(&mut self, depth: u32) -> Option<()> {
        let deeper = || depth.checked_sub(1);
        match self.rest.as_bytes().first()? {
            b'"' => self.text().map(drop),
            b'{' => self.object(deeper()?),
            b'[' => self.array(deeper()?),
            b't' => self.take("true"),
            b'f' => self.take("false"),
            b'n' => self.take("null"),
            // Numbers are written as strings.
            _ => None,
        }
    }

    fn array(&mut self, depth: u32) -> Option<()> {
        self.take("[")?;
        if self.take("]").is_some() {
            return Some(());
        }
        loop {
            self.value(depth)?;
            if self.take(",").is_none() {
                return self.take("]");
            }
        }
    }

    fn object(&mut self, depth: u32) -> Option<()> {
        self.take("{")?;
        if self.take("}").is_some() {
            return Some(());
        }
        let mut last: Option<Text<'a>> = None;
        loop {
            let key = self.text()?;
            if last.is_some_and(|last| last.compare(&key) != Ordering::Less) {
                return None;
            }
            last = Some(key);
            self.take(":")?;
            self.value(depth)?;
            if self.take(",").is_none() {
                return self.take("}");
            }
        }
    }

    /// A string with its minimal escapes, in NFC, and no longer than one is written.
    fn text(&mut self) -> Option<Text<'a>> {
        self.take("\"")?;
        let (mut end, mut escaped, bytes) = (0, 0, self.rest.as_bytes());
        loop {
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => {
                    let length = escape(bytes.get(end + 1..)?)?;
                    (end, escaped) = (end + 1 + length, escaped + length);
                }
                0..=0x1f => return None,
                _ => end += 1,
            }
        }
        let (written, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..)?;
        let text = Text { written, escaped: escaped > 0 };
        // Escapes stand for ASCII, which no normal form changes; what is around them might join with it, so it is read whole.
        let whole = || match text.escaped {
            true => is_nfc(&text.read()),
            false => is_nfc(written),
        };
        (end - escaped <= MAX_TEXT && (written.is_ascii() || whole())).then_some(text)
    }
}

/// The length of what follows a backslash, if it is the one way to write that character.
fn escape(rest: &[u8]) -> Option<usize> {
    match rest {
        [b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r', ..] => Some(1),
        [b'u', b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f', ..] => Some(5),
        [b'u', b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f', ..] => Some(5),
        _ => None,
    }
}

fn is_nfc(text: &str) -> bool {
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => true,
        IsNormalized::No => false,
        IsNormalized::Maybe => text.nfc().eq(text.chars()),
    }
}

#[derive(Clone, Copy)]
struct Text<'a> {
    written: &'a str,
    escaped: bool,
}

impl Text<'_> {
    fn read(&self) -> String {
        serde_json::from_str(&format!("\"{}\"", self.written)).unwrap_or_default()
    }

    /// By UTF-16 code units (RFC 8785, section 3.2.3).
    fn compare(&self, other: &Self) -> Ordering {
        match (self.escaped || other.escaped, self.written.is_ascii() && other.written.is_ascii()) {
            (false, true) => self.written.cmp(other.written),
            (false, false) => self.written.encode_utf16().cmp(other.written.encode_utf16()),
            (true, _) => self.read().encode_utf16().cmp(other.read().encode_utf16()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::{MAX_TEXT, is_canonical};
    use crate::canonical::{tests::values, write_value};

    /// By writing it again.
    fn by_writing(line: &[u8]) -> bool {
        let Ok(value) = serde_json::from_slice::<Value>(line) else { return false };
        let mut again = String::new();
        write_value(&mut again, &value);
        again.as_bytes() == line
    }

    #[test]
    fn every_other_way_is_refused() {
        for right in ["{}", "[]", "\"\"", r#"{"a":"b","b":[true,false,null,{"c":"\u0000\u001f\b\\\""}]}"#, "\"\u{e9}\u{7f}\""] {
            assert!(is_canonical(right.as_bytes()) && by_writing(right.as_bytes()), "{right}");
        }
        let long = |length| format!("\"{}\"", "x".repeat(length));
        assert!(is_canonical(long(MAX_TEXT).as_bytes()) && !is_canonical(long(MAX_TEXT + 1).as_bytes()));
        let escaped = |length: usize| format!("\"{}\"", "\\n".repeat(length));
        assert!(is_canonical(escaped(MAX_TEXT).as_bytes()) && !is_canonical(escaped(MAX_TEXT + 1).as_bytes()));
        for wrong in [
            "",
            " {}",
            "{} ",
            "{ }",
            "[ ]",
            "1",
            "-1.5",
            "{\"a\":1}",
            "{\"b\":\"\",\"a\":\"\"}",
            "{\"a\":\"\",\"a\":\"\"}",
            "[true,]",
            "{\"a\":\"\",}",
            "\"\\u0061\"",
            "\"\\/\"",
            "\"\\u000a\"",
            "\"\\u000A\"",
            "\"\\u001F\"",
            "\"\n\"",
            "\"e\u{301}\"",
            "\"\\\"\u{338}e\u{301}\"",
            "{\"\u{ff5e}\":\"\",\"\u{1f600}\":\"\"}",
            "tru",
            "\"",
            "\"\\",
            "\"\\u00",
            "{\"a\"",
            "[",
            "nul",
        ] {
            assert!(!is_canonical(wrong.as_bytes()) && !by_writing(wrong.as_bytes()), "{wrong}");
        }
        assert!(!is_canonical(&[b'"', 0xff, b'"']));
        assert!(!is_canonical("[".repeat(100_000).as_bytes()), "without end, and without a stack to lose");
    }

    proptest! {
        #[test]
        fn it_agrees_with_writing_it_again(value in values(), place in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut line = String::new();
            write_value(&mut line, &value);
            prop_assert!(is_canonical(line.as_bytes()));
            let mut line = line.into_bytes();
            let place = place.index(line.len());
            *line.get_mut(place).unwrap() = byte;
            prop_assert_eq!(is_canonical(&line), by_writing(&line), "{}", String::from_utf8_lossy(&line));
        }
    }
}
