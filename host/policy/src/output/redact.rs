//! Redaction: the exact secrets the host injected, in the spellings in which an upstream echoes them.
//!
//! This catches echoes, not malice: a plugin that was handed a secret could spell it in a way nobody looks for.
//! That is why none is handed to it.

use std::{borrow::Cow, fmt};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use memchr::memmem;
use zeroize::Zeroizing;

use crate::{call::hex, egress::encode_percent, text::visible};

/// Below this, encoded forms would be found in innocent text.
const MIN_ENCODED: usize = 6;

/// Takes secrets out of texts. Prepared once per plugin; `Debug` tells nothing.
#[derive(Default)]
pub struct Redactor {
    /// What to look for, longest first, and what stands there instead.
    needles: Vec<(Zeroizing<String>, String)>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// For secrets by name and value. An empty value is none.
    pub fn new(secrets: &[(&str, &str)]) -> Self {
        let mut needles: Vec<(Zeroizing<String>, String)> = Vec::new();
        for (name, value) in secrets.iter().filter(|(_, value)| !value.is_empty()) {
            let shown = format!("‹secret {}›", visible(name));
            for form in forms(value) {
                if !needles.iter().any(|(known, _)| **known == *form) {
                    needles.push((form, shown.clone()));
                }
            }
        }
        needles.sort_by_key(|(needle, _)| std::cmp::Reverse(needle.len()));
        Self { needles }
    }

    /// The text without secrets, and how many places held one.
    pub fn redact<'t>(&self, text: &'t str) -> (Cow<'t, str>, usize) {
        let mut redacted = Cow::Borrowed(text);
        let mut count = 0;
        for (needle, shown) in &self.needles {
            let found = memmem::find_iter(redacted.as_bytes(), needle.as_bytes()).count();
            if found > 0 {
                count += found;
                redacted = Cow::Owned(redacted.replace(needle.as_str(), shown));
            }
        }
        (redacted, count)
    }

    /// The same for bytes that are not UTF-8. Secrets are looked for as they are, and as Latin-1 would write them.
    pub fn redact_bytes<'b>(&self, bytes: &'b [u8]) -> (Cow<'b, [u8]>, usize) {
        let mut redacted = Cow::Borrowed(bytes);
        let mut count = 0;
        for (needle, shown) in &self.needles {
            let latin = latin(needle);
            for needle in [Some(needle.as_bytes()), latin.as_ref().map(|bytes| bytes.as_slice())].into_iter().flatten() {
                if let Some((clean, found)) = replace(&redacted, needle, shown.as_bytes()) {
                    count += found;
                    redacted = Cow::Owned(clean);
                }
            }
        }
        (redacted, count)
    }

    pub(super) fn redact_counting(&self, text: String, count: &mut usize) -> String {
        let (redacted, found) = self.redact(&text);
        *count += found;
        match redacted {
            Cow::Borrowed(_) => text,
            Cow::Owned(redacted) => redacted,
        }
    }

    /// Whether bytes hold a secret.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.needles.iter().any(|(needle, _)| memmem::find(bytes, needle.as_bytes()).is_some())
    }
}

/// A needle in Latin-1, where that differs from UTF-8 and exists.
fn latin(needle: &str) -> Option<Zeroizing<Vec<u8>>> {
    if needle.is_ascii() {
        return None;
    }
    needle.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<u8>>>().map(Zeroizing::new)
}

/// The bytes with every `needle` replaced, and how many there were; `None` where there is none.
fn replace(bytes: &[u8], needle: &[u8], shown: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut clean, mut rest, mut count) = (Vec::new(), bytes, 0);
    while let Some((before, found)) = memmem::find(rest, needle).and_then(|at| rest.split_at_checked(at)) {
        clean.extend_from_slice(before);
        clean.extend_from_slice(shown);
        rest = found.get(needle.len()..).unwrap_or_default();
        count += 1;
    }
    clean.extend_from_slice(rest);
    (count > 0).then_some((clean, count))
}

/// The spellings of a secret that echoes come in.
fn forms(value: &str) -> Vec<Zeroizing<String>> {
    let mut forms = vec![value.to_owned(), visible(value).into_owned(), json_inside(value)];
    if value.len() >= MIN_ENCODED {
        let lower = hex(value.as_bytes());
        forms.push(lower.to_ascii_uppercase());
        forms.push(lower);
        let mut percent = String::new();
        encode_percent(value, &mut percent);
        forms.push(percent.replace("%20", "+"));
        forms.push(lower_escapes(&percent));
        forms.push(percent);
        for at in 0..3 {
            let core = base64_core(value.as_bytes(), at);
            if core.len() >= MIN_ENCODED {
                forms.push(core.replace('+', "-").replace('/', "_"));
                forms.push(core);
            }
        }
    }
    forms.into_iter().filter(|form| !form.is_empty()).map(Zeroizing::new).collect()
}

/// As inside a JSON string.
fn json_inside(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// `%2F` as `%2f`.
fn lower_escapes(percent: &str) -> String {
    let mut out = String::with_capacity(percent.len());
    let mut left = 0;
    for character in percent.chars() {
        left = if character == '%' { 3_u8 } else { left };
        out.push(if left > 0 { character.to_ascii_lowercase() } else { character });
        left = left.saturating_sub(1);
    }
    out
}

/// The base64 characters that depend on nothing but the secret, where it begins `at` bytes into a group of three:
/// as in `Basic base64(user:secret)`, whatever stands before and after.
fn base64_core(secret: &[u8], at: usize) -> String {
    let padded = [vec![0; at], secret.to_vec()].concat();
    let encoded = STANDARD_NO_PAD.encode(&padded);
    let start = match at {
        0 => 0,
        1 => 2,
        _ => 3,
    };
    // The last character holds bits of what follows, unless the secret ends a group.
    let end = encoded.len() - usize::from(!padded.len().is_multiple_of(3));
    encoded.get(start..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };
    use proptest::prelude::*;

    use super::Redactor;

    const KEY: &str = "k3y/with+odd=chars\"&";

    fn gone(text: &str) {
        let redactor = Redactor::new(&[("api_key", KEY)]);
        let (redacted, count) = redactor.redact(text);
        assert!(count > 0 && redacted.contains("‹secret api_key›"), "{text} → {redacted}");
        assert!(!redacted.contains(KEY));
    }

    #[test]
    fn every_spelling_of_an_echo_is_found() {
        gone(KEY);
        gone(&format!("a{KEY}b"));
        gone(&serde_json::json!({ "k": KEY }).to_string());
        gone("k3y%2Fwith%2Bodd%3Dchars%22%26");
        gone("k3y%2fwith%2bodd%3dchars%22%26");
        gone(&KEY.bytes().map(|b| format!("{b:02x}")).collect::<String>());
        gone(&KEY.bytes().map(|b| format!("{b:02X}")).collect::<String>());
        for before in ["", "u:", "us:", "user:"] {
            gone(&STANDARD.encode(format!("{before}{KEY}")));
            gone(&URL_SAFE_NO_PAD.encode(format!("{before}{KEY} and more")));
        }
    }

    #[test]
    fn innocent_text_is_left_alone() {
        let redactor = Redactor::new(&[("api_key", KEY), ("empty", "")]);
        assert_eq!(redactor.redact("nothing here").1, 0);
        assert_eq!(Redactor::default().redact(KEY), (KEY.into(), 0));
        assert!(redactor.is_in(format!("\0{KEY}").as_bytes()) && !redactor.is_in(b"\x00nothing") && !redactor.is_in(b""));
        assert_eq!(format!("{redactor:?}"), "Redactor");
    }

    #[test]
    fn the_longer_secret_wins() {
        let redactor = Redactor::new(&[("short", "abc"), ("long", "abcdef")]);
        assert_eq!(redactor.redact("abcdef abc").0, "‹secret long› ‹secret short›");
    }

    #[test]
    fn bytes_that_are_no_text_keep_no_secret() {
        let redactor = Redactor::new(&[("short", "pässw"), ("long", "pässwörd-key")]);
        let utf8 = [b"\xff ", "pässwörd-key".as_bytes(), b" \xfe"].concat();
        let shown = [b"\xff ".as_slice(), "‹secret long›".as_bytes(), b" \xfe"].concat();
        assert_eq!(redactor.redact_bytes(&utf8), (shown.clone().into(), 1));
        // The same in Latin-1: one byte a character, and no valid UTF-8.
        assert_eq!(redactor.redact_bytes(b"\xff p\xe4ssw\xf6rd-key \xfe"), (shown.into(), 1));
        let (clean, count) = redactor.redact_bytes(b"p\xe4ssw p\xe4ssw");
        assert_eq!((clean.as_ref(), count), ("‹secret short› ‹secret short›".as_bytes(), 2));
        let encoded = [b"\xff", STANDARD.encode("pässwörd-key").as_bytes()].concat();
        assert_eq!(redactor.redact_bytes(&encoded).1, 1);
    }

    #[test]
    fn innocent_bytes_are_left_alone() {
        let redactor = Redactor::new(&[("api_key", "pässwörd-key"), ("empty", "")]);
        for bytes in [b"".as_slice(), b"\xff\0\x01\xfe", b"p\xe4sswort-key"] {
            let (same, count) = redactor.redact_bytes(bytes);
            assert!(matches!(same, std::borrow::Cow::Borrowed(_)) && count == 0);
            assert_eq!(same, bytes);
        }
    }

    proptest! {
        #[test]
        fn no_text_keeps_a_secret(before in ".{0,20}", secret in "[ -~]{8,40}", after in ".{0,20}") {
            // A secret of words that stand in the replacement would be found in it: real ones are not.
            prop_assume!(!"‹secret key›".contains(secret.trim()));
            let text = format!("{before}{secret}{after}");
            let redactor = Redactor::new(&[("key", &secret)]);
            let (redacted, count) = redactor.redact(&text);
            prop_assert!(count >= 1);
            prop_assert!(!redacted.contains(&secret));
            let encoded = STANDARD.encode(&text);
            prop_assert!(redactor.redact(&encoded).1 >= 1);
        }
    }
}
