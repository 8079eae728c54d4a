//! Redaction: the exact secrets the host injected, in the spellings in which an upstream echoes them.
//!
//! A text is searched as it is, and as what it says once escapes are read: percent, JSON and HTML escapes, each in any mixture and
//! up to two deep, and lines that were folded. In each reading a secret is looked for as text, in hexadecimal and in base64.
//! This catches echoes, not malice: a plugin that was handed a secret could spell it in a way nobody looks for.
//! That is why none is handed to it.

mod needle;
mod view;

use std::{
    borrow::Cow,
    fmt,
    ops::Range,
    sync::{Arc, PoisonError, RwLock},
};

use needle::{Needle, Needles};
use view::View;

use crate::text::visible;

/// How many escapes may lie over each other: a URL in a query, JSON in a page.
const DEPTH: u8 = 2;

/// Takes secrets out of texts. `Debug` tells nothing.
#[derive(Default)]
pub struct Redactor {
    needles: Needles,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor")
    }
}

/// A place where a secret was found, and what stands there instead.
struct Found<'r> {
    at: Range<usize>,
    shown: &'r str,
}

impl Redactor {
    /// For secrets by name and value. An empty value is none.
    pub fn new(secrets: &[(&str, &str)]) -> Self {
        let mut needles = Vec::new();
        for (name, value) in secrets.iter().filter(|(_, value)| !value.is_empty()) {
            let shown: Arc<str> = format!("‹secret {}›", visible(name)).into();
            needle::add(value, &shown, &mut needles);
        }
        Self { needles: Needles::new(needles) }
    }

    /// The text without secrets, and how many places held one.
    pub fn redact<'t>(&self, text: &'t str) -> (Cow<'t, str>, usize) {
        let mut found = self.find(text.as_bytes());
        for place in &mut found {
            // What is found in bytes may begin or end inside a character.
            while !text.is_char_boundary(place.at.start) {
                place.at.start -= 1;
            }
            while !text.is_char_boundary(place.at.end) {
                place.at.end += 1;
            }
        }
        let found = merged(found);
        if found.is_empty() {
            return (Cow::Borrowed(text), 0);
        }
        let (mut clean, mut from) = (String::with_capacity(text.len()), 0);
        for place in &found {
            clean.push_str(text.get(from..place.at.start).unwrap_or_default());
            clean.push_str(place.shown);
            from = place.at.end;
        }
        clean.push_str(text.get(from..).unwrap_or_default());
        (Cow::Owned(clean), found.len())
    }

    /// The same for bytes that need not be UTF-8.
    pub fn redact_bytes<'b>(&self, bytes: &'b [u8]) -> (Cow<'b, [u8]>, usize) {
        let found = merged(self.find(bytes));
        if found.is_empty() {
            return (Cow::Borrowed(bytes), 0);
        }
        let (mut clean, mut from) = (Vec::with_capacity(bytes.len()), 0);
        for place in &found {
            clean.extend_from_slice(bytes.get(from..place.at.start).unwrap_or_default());
            clean.extend_from_slice(place.shown.as_bytes());
            from = place.at.end;
        }
        clean.extend_from_slice(bytes.get(from..).unwrap_or_default());
        (Cow::Owned(clean), found.len())
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
        !self.find(bytes).is_empty()
    }

    fn find(&self, bytes: &[u8]) -> Vec<Found<'_>> {
        let mut found = Vec::new();
        if !self.needles.is_empty() {
            self.search(bytes, None, DEPTH, &mut found);
        }
        found
    }

    /// Look in a reading of the text, and in what it says once one more escape is read.
    fn search<'r>(&'r self, bytes: &[u8], view: Option<&View>, depth: u8, found: &mut Vec<Found<'r>>) {
        self.needles.scan(bytes, &mut |at: Range<usize>, needle: &'r Needle| {
            let at = view.map_or(at.clone(), |view| view.source(at));
            found.push(Found { at, shown: needle.shown() });
        });
        let Some(left) = depth.checked_sub(1) else { return };
        for read in view::ESCAPES {
            if let Some(next) = read(bytes) {
                let next = next.through(view);
                self.search(next.bytes(), Some(&next), left, found);
            }
        }
    }
}

/// In order, and what overlaps as one: the longer one names it.
fn merged(mut found: Vec<Found<'_>>) -> Vec<Found<'_>> {
    found.sort_by_key(|place| (place.at.start, std::cmp::Reverse(place.at.end)));
    let mut merged: Vec<Found<'_>> = Vec::with_capacity(found.len());
    for place in found {
        match merged.last_mut() {
            Some(last) if place.at.start < last.at.end => {
                if place.at.len() > last.at.len() {
                    last.shown = place.shown;
                }
                last.at.end = last.at.end.max(place.at.end);
            }
            _ => merged.push(place),
        }
    }
    merged
}

/// The redactor of the moment: secrets are renewed while texts are read.
#[derive(Debug, Default)]
pub struct LiveRedactor(RwLock<Arc<Redactor>>);

impl LiveRedactor {
    /// One that begins with these secrets.
    pub fn new(redactor: Redactor) -> Self {
        Self(RwLock::new(Arc::new(redactor)))
    }

    /// As it is now.
    pub fn now(&self) -> Arc<Redactor> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From here on, look for these.
    pub fn replace(&self, redactor: Redactor) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(redactor);
    }
}

#[cfg(test)]
mod tests {
    use base64::{
        Engine as _,
        engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
    };
    use proptest::prelude::*;

    use super::{LiveRedactor, Redactor};

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

    /// Every escape that an upstream might put over an echo.
    fn spellings(secret: &str) -> Vec<String> {
        let percent = |text: &str| {
            text.bytes()
                .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02x}") })
                .collect::<String>()
        };
        let each = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let json = |text: &str| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
        let html = |text: &str| text.chars().map(|c| format!("&#{};", u32::from(c))).collect::<String>();
        let hexed = |text: &str| text.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect::<String>();
        let named = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;");
        let slashed = |text: &str| serde_json::Value::from(text).to_string().replace('/', "\\/");
        vec![
            percent(secret),
            each(secret),
            json(secret),
            html(secret),
            hexed(secret),
            named(secret),
            slashed(secret),
            percent(&percent(secret)),
            each(&each(secret)),
            json(&html(secret)),
            percent(&json(secret)),
            named(&slashed(secret)),
            secret.to_ascii_lowercase(),
            secret.to_ascii_uppercase(),
            secret.replace(' ', "+"),
        ]
    }

    #[test]
    fn escapes_are_read_in_any_mixture_and_two_deep() {
        for secret in [KEY, "pässwörd 🔑 key", "a%41b&amp;c\\u0041", "////////", "plain0123"] {
            let redactor = Redactor::new(&[("key", secret)]);
            for spelling in spellings(secret) {
                let text = format!("<p>{spelling}</p>");
                let (clean, count) = redactor.redact(&text);
                assert!(
                    count == 1
                        && (clean == "<p>‹secret key›</p>"
                            || clean == "<p>\"‹secret key›\"</p>"
                            || clean == "<p>&quot;‹secret key›&quot;</p>"),
                    "{secret}: {text} → {clean}"
                );
                assert!(redactor.is_in(text.as_bytes()));
                assert_eq!(redactor.redact_bytes(text.as_bytes()).0, clean.as_bytes());
            }
        }
    }

    #[test]
    fn wide_characters_and_folded_lines_are_read() {
        let redactor = Redactor::new(&[("key", KEY)]);
        let wide: Vec<u8> = KEY.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = KEY.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [&wide, &big] {
            assert_eq!(
                redactor.redact_bytes(&[b"\xff\xfe", bytes.as_slice()].concat()).0.as_ref(),
                [b"\xff\xfe", "‹secret key›".as_bytes()].concat()
            );
            assert!(redactor.is_in(STANDARD.encode(bytes).as_bytes()));
            assert!(redactor.is_in(bytes.iter().map(|b| format!("{b:02x}")).collect::<String>().as_bytes()));
        }
        let encoded = STANDARD.encode(format!("user:{KEY}"));
        let (head, tail) = encoded.split_at(12);
        assert!(redactor.is_in(format!("{head}\r\n  {tail}").as_bytes()));
    }

    #[test]
    fn nothing_of_a_secret_is_left_in_base64() {
        let redactor = Redactor::new(&[("key", KEY)]);
        for (before, after) in [("u", "x"), ("us", "xy"), ("user:", ""), ("", "12"), ("ab", "3")] {
            let one = redactor.redact(&STANDARD.encode(format!("{before}{KEY}{after}"))).0.into_owned();
            // Another secret of the same length leaves the same: no bit of it stands in what is left.
            let other = KEY.chars().rev().collect::<String>();
            let two =
                Redactor::new(&[("key", &other)]).redact(&STANDARD.encode(format!("{before}{other}{after}"))).0.into_owned();
            assert_eq!(one, two, "{before} {after}");
        }
    }

    #[test]
    fn each_line_of_a_long_secret_is_one() {
        let pem = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----";
        let redactor = Redactor::new(&[("pem", pem)]);
        assert_eq!(redactor.redact("x MIIEvQIBADANBgkqhkiG9w0BAQEFAASC y").0, "x ‹secret pem› y");
        assert_eq!(redactor.redact(&serde_json::Value::from(pem).to_string()).0, "\"‹secret pem›\"");
    }

    #[test]
    fn secrets_that_overlap_leave_nothing() {
        let redactor = Redactor::new(&[("a", "abcdefgh"), ("b", "fghijklm")]);
        assert_eq!(redactor.redact("xabcdefghijklmx").0, "x‹secret a›x");
        assert_eq!(Redactor::new(&[("a", "aaaaaa")]).redact("xaaaaaaaaax").0, "x‹secret a›x");
    }

    #[test]
    fn a_redactor_is_replaced_while_it_is_used() {
        let live = LiveRedactor::new(Redactor::new(&[("old", "old-value")]));
        let held = live.now();
        live.replace(Redactor::new(&[("new", "new-value")]));
        assert!(held.is_in(b"old-value") && live.now().is_in(b"new-value") && !live.now().is_in(b"old-value"));
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
