//! The one way a record is written: RFC 8785 with every number as a string and every string in NFC.
//!
//! A number has many spellings and many readers round it; a string in two normal forms looks like one. Neither can
//! occur here, so what is hashed is what any reader sees.

mod check;

use std::{borrow::Cow, fmt::Display, fmt::Write as _};

use serde_json::Value;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

pub(crate) use check::is_canonical;

use crate::hash::Hash;

/// Longer texts are named by length and digest: a record is evidence of what was done, not a store of what was sent.
const MAX_TEXT: usize = 4 << 10;

/// The same for one whole value of many parts, such as the arguments of a call.
const MAX_VALUE: usize = 256 << 10;

/// Deeper values are named by length and digest: whatever reads JSON stops somewhere, serde_json at 128 levels, and a record that can be
/// written and not read is one that nobody sees. Arguments that mean something nest no more than 32.
const MAX_NESTED: u8 = 64;

/// An object being written. Keys are given in their sorted order.
pub(crate) struct Object<'a> {
    out: &'a mut String,
    last: &'static str,
}

impl Object<'_> {
    /// Write one object, with what `fill` puts into it.
    pub(crate) fn write(out: &mut String, fill: impl FnOnce(&mut Object<'_>)) {
        out.push('{');
        let mut object = Object { out, last: "" };
        fill(&mut object);
        out.push('}');
    }

    fn key(&mut self, key: &'static str) -> &mut String {
        debug_assert!(self.last < key, "`{key}` after `{}`", self.last);
        if !self.last.is_empty() {
            self.out.push(',');
        }
        self.last = key;
        self.out.push('"');
        self.out.push_str(key);
        self.out.push_str("\":");
        self.out
    }

    pub(crate) fn text(&mut self, key: &'static str, text: &str) {
        write_text(self.key(key), text);
    }

    pub(crate) fn maybe(&mut self, key: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }

    /// A number, or anything else whose text needs no escape.
    pub(crate) fn number(&mut self, key: &'static str, number: impl Display) {
        // Writing to a `String` cannot fail.
        let _ = write!(self.key(key), "\"{number}\"");
    }

    pub(crate) fn value(&mut self, key: &'static str, value: &Value) {
        let out = self.key(key);
        let start = out.len();
        write_nested(out, value, MAX_NESTED);
        bound(out, start);
    }

    pub(crate) fn object(&mut self, key: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        Object::write(self.key(key), fill);
    }

    pub(crate) fn texts<'t>(&mut self, key: &'static str, texts: impl IntoIterator<Item = &'t str>) {
        self.items(key, texts, write_text);
    }

    pub(crate) fn objects<T>(
        &mut self,
        key: &'static str,
        items: impl IntoIterator<Item = T>,
        fill: impl Fn(&mut Object<'_>, T),
    ) {
        self.items(key, items, |out, item| Object::write(out, |object| fill(object, item)));
    }

    fn items<T>(&mut self, key: &'static str, items: impl IntoIterator<Item = T>, write: impl Fn(&mut String, T)) {
        let out = self.key(key);
        let start = out.len();
        out.push('[');
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                out.push(',');
            }
            write(out, item);
        }
        out.push(']');
        bound(out, start);
    }
}

/// Replace what was written since `start` where it is too long.
fn bound(out: &mut String, start: usize) {
    let Some(written) = out.get(start..).filter(|written| written.len() > MAX_VALUE) else { return };
    let marker = omitted(written);
    out.truncate(start);
    write_text(out, &marker);
}

fn omitted(text: &str) -> String {
    format!("‹{} bytes, sha256:{}›", text.len(), Hash::of(&[text.as_bytes()]))
}

/// Write any value: keys sorted by UTF-16 code units, numbers as strings, and what nests deeper than `left` by its digest.
fn write_nested(out: &mut String, value: &Value, left: u8) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => {
            // Writing to a `String` cannot fail.
            let _ = write!(out, "\"{number}\"");
        }
        Value::String(text) => write_text(out, text),
        Value::Array(_) | Value::Object(_) if left == 0 => write_text(out, &omitted(&value.to_string())),
        Value::Array(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_nested(out, item, left - 1);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().map(|(key, value)| (normal(key), value)).collect();
            members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            apart(&mut members);
            out.push('{');
            for (place, (key, value)) in members.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write_escaped(out, key);
                out.push(':');
                write_nested(out, value, left - 1);
            }
            out.push('}');
        }
    }
}

/// Any value, however it nests.
#[cfg(test)]
pub(crate) fn write_value(out: &mut String, value: &Value) {
    write_nested(out, value, u8::MAX);
}

/// Keys that differ only in normal form, or beyond the length that is kept, would become one, and one value would be
/// lost: number the later ones. It cannot fail, so that nobody can keep a refusal out of the log by how a key is spelt.
fn apart(members: &mut [(Cow<'_, str>, &Value)]) {
    let same = |members: &[(Cow<'_, str>, &Value)]| members.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b));
    if !same(members) {
        return;
    }
    for (place, (key, _)) in members.iter_mut().enumerate() {
        *key = Cow::Owned(normal(&format!("{place} {key}")).into_owned());
    }
    members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
}

pub(crate) fn write_text(out: &mut String, text: &str) {
    write_escaped(out, &normal(text));
}

/// NFC, and bounded. Applying it twice changes nothing more, so a reader can check a record by writing it again.
fn normal(text: &str) -> Cow<'_, str> {
    let text = if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.nfc().collect())
    };
    if text.len() > MAX_TEXT { Cow::Owned(omitted(&text)) } else { text }
}

/// RFC 8785, section 3.2.2.2.
fn write_escaped(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(place) = rest.bytes().position(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        let (plain, from) = rest.split_at(place);
        out.push_str(plain);
        let mut chars = from.chars();
        match chars.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\u{8}') => out.push_str("\\b"),
            Some('\t') => out.push_str("\\t"),
            Some('\n') => out.push_str("\\n"),
            Some('\u{c}') => out.push_str("\\f"),
            Some('\r') => out.push_str("\\r"),
            Some(control) => {
                // Writing to a `String` cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{MAX_NESTED, MAX_TEXT, MAX_VALUE, Object, write_value};

    fn written(value: &Value) -> String {
        let mut out = String::new();
        write_value(&mut out, value);
        out
    }

    #[track_caller]
    fn check(value: &Value, expected: &str) {
        assert_eq!(written(value), expected);
    }

    #[test]
    fn numbers_are_strings() {
        check(
            &json!({"b": 1, "a": -2.5, "c": [18_446_744_073_709_551_615_u64]}),
            r#"{"a":"-2.5","b":"1","c":["18446744073709551615"]}"#,
        );
    }

    #[test]
    fn strings_are_in_nfc() {
        check(&json!({"e\u{301}": "e\u{301}"}), "{\"\u{e9}\":\"\u{e9}\"}");
        check(&json!("\u{212b}"), "\"\u{c5}\"");
    }

    #[test]
    fn keys_that_become_one_are_kept_apart() {
        let both = written(&json!({"e\u{301}": "decomposed", "\u{e9}": "composed", "a": "b"}));
        assert!(both.contains("decomposed") && both.contains("\"composed") && both.contains("\"b\""), "{both}");
        assert_eq!(written(&serde_json::from_str(&both).unwrap()), both);
    }

    #[test]
    fn keys_are_sorted_by_utf_16_as_rfc_8785_wants() {
        check(&json!({"\u{ff5e}": "b", "\u{1f600}": "a"}), "{\"\u{1f600}\":\"a\",\"\u{ff5e}\":\"b\"}");
    }

    #[test]
    fn long_texts_and_values_are_named_by_digest() {
        let text = written(&json!("x".repeat(MAX_TEXT + 1)));
        assert!(text.starts_with("\"‹4097 bytes, sha256:") && text.len() < 120, "{text}");
        assert_eq!(written(&serde_json::from_str(&text).unwrap()), text);
        assert_eq!(written(&json!("x".repeat(MAX_TEXT))).len(), MAX_TEXT + 2);

        let mut out = String::new();
        Object::write(&mut out, |object| object.value("many", &json!(vec!["x".repeat(MAX_TEXT); MAX_VALUE / MAX_TEXT + 1])));
        assert!(out.len() < 120 && out.contains("bytes, sha256:"), "{out}");
    }

    /// As deep as a message to this host can be, and deeper than a record can be read.
    #[test]
    fn values_that_nest_too_deeply_are_named_by_digest() {
        let nested = |depth: u8| {
            (1..depth).fold(json!([]), |inner, depth| if depth % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) })
        };
        let value = |value: &Value| {
            let mut out = String::new();
            Object::write(&mut out, |object| object.value("arguments", value));
            out
        };
        let whole = value(&nested(MAX_NESTED));
        assert!(!whole.contains("sha256:") && serde_json::from_str::<Value>(&whole).is_ok(), "{whole}");
        for depth in [MAX_NESTED + 1, 124, 125, 126, 127, 200] {
            let cut = value(&nested(depth));
            assert!(cut.contains(" bytes, sha256:") && serde_json::from_str::<Value>(&cut).is_ok(), "{depth}: {cut}");
            assert!(super::is_canonical(cut.as_bytes()), "{depth}");
        }
    }

    /// Any JSON without numbers.
    pub(super) fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            "\\PC*|[\\x00-\\x1f\"\\\\e\u{301}]*".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,8}", inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_canonical_for_an_independent_writer(value in values()) {
            let ours = written(&value);
            let read: Value = serde_json::from_str(&ours).unwrap();
            prop_assert_eq!(&serde_json_canonicalizer::to_string(&read).unwrap(), &ours);
            prop_assert_eq!(written(&read), ours);
        }
    }
}
