//! JSON with one reading: what two parsers could read differently is refused, and what was read can be written again
//! byte for byte the same for every reader.
//!
//! Refused beyond RFC 8259's grammar: a byte order mark, duplicate keys, keys that differ only in case (Go's
//! `encoding/json` takes them for one), NUL in keys, lone surrogates, nesting beyond [`MAX_DEPTH`], trailing bytes.
//! Numbers keep their text: a 64-bit identifier passes unrounded.

use std::collections::HashSet;

use serde_json::Value;

/// Containers inside one another.
pub(crate) const MAX_DEPTH: usize = 32;
/// Characters of one number: no reader needs more, and long ones are slow to read.
const MAX_NUMBER: usize = 64;

/// A parsed value. Objects keep the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    /// Its text, which fits the grammar.
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Why a text has no single reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonFault {
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("it is not JSON at byte {0}")]
    Syntax(usize),
    #[error("a key appears twice, or in two spellings of case, before byte {0}")]
    DuplicateKey(usize),
    #[error("a key has a NUL in it before byte {0}")]
    NulInKey(usize),
    #[error("it nests more than {MAX_DEPTH} levels at byte {0}")]
    TooDeep(usize),
}

impl Json {
    /// Parse the whole of `bytes`.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, JsonFault> {
        let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::NotUtf8)?;
        let mut reader = Reader { text, at: 0 };
        reader.skip_space();
        let value = reader.value(0)?;
        reader.skip_space();
        if reader.at == text.len() { Ok(value) } else { Err(JsonFault::Syntax(reader.at)) }
    }

    /// What an RFC 6901 pointer leads to.
    pub(crate) fn pointer(&self, pointer: &str) -> Option<&Self> {
        self.follow(pointer, |key, token| key == token)
    }

    /// Whether a pointer leads anywhere for a reader that does not tell case.
    pub(crate) fn has_in_any_case(&self, pointer: &str) -> bool {
        self.follow(pointer, |key, token| fold(key) == fold(token)).is_some()
    }

    fn follow(&self, pointer: &str, same: fn(&str, &str) -> bool) -> Option<&Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |value, token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            match value {
                Self::Object(entries) => entries.iter().find(|(key, _)| same(key, &token)).map(|(_, value)| value),
                Self::Array(items) => array_index(&token).and_then(|index| items.get(index)),
                _ => None,
            }
        })
    }

    /// Put a text where a pointer leads to one value; whether it does. Lists and objects stay.
    pub(crate) fn replace_single(&mut self, pointer: &str, text: &str) -> bool {
        let Some(rest) = pointer.strip_prefix('/') else { return false };
        let found = rest.split('/').try_fold(self, |value, token| {
            let token = token.replace("~1", "/").replace("~0", "~");
            match value {
                Self::Object(entries) => entries.iter_mut().find(|(key, _)| *key == token).map(|(_, value)| value),
                Self::Array(items) => array_index(&token).and_then(|index| items.get_mut(index)),
                _ => None,
            }
        });
        match found {
            None | Some(Self::Array(_) | Self::Object(_)) => false,
            Some(single) => {
                *single = Self::String(text.to_owned());
                true
            }
        }
    }

    /// Compact JSON, keys in the order they were read.
    pub(crate) fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(entries) => {
                out.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    write_string(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }

    /// As a `serde_json` value; none where a number is beyond a double.
    pub(crate) fn to_value(&self) -> Option<serde_json::Value> {
        Some(match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(text) => serde_json::Value::Number(text.parse().ok()?),
            Self::String(text) => text.as_str().into(),
            Self::Array(items) => serde_json::Value::Array(items.iter().map(Self::to_value).collect::<Option<_>>()?),
            Self::Object(entries) => serde_json::Value::Object(
                entries.iter().map(|(key, value)| Some((key.clone(), value.to_value()?))).collect::<Option<_>>()?,
            ),
        })
    }
}

/// RFC 6901: digits without a leading zero.
pub(crate) fn array_index(token: &str) -> Option<usize> {
    let plain = token == "0" || !token.starts_with('0') && token.bytes().all(|b| b.is_ascii_digit());
    if plain { token.parse().ok() } else { None }
}

/// A key as readers see it that do not tell case. Upper before lower case, so that `ſ` and the Kelvin sign fall on
/// `s` and `k`, as they do in Go's `encoding/json`.
pub(crate) fn fold(key: &str) -> String {
    if key.is_ascii() { key.to_ascii_lowercase() } else { key.to_uppercase().to_lowercase() }
}

/// Escapes what RFC 8259 requires, and U+2028 and U+2029, which end a line for JavaScript.
fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\u{1f}' | '\u{7f}' | '\u{2028}' | '\u{2029}' => {
                use std::fmt::Write as _;
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn fault<T>(&self) -> Result<T, JsonFault> {
        Err(JsonFault::Syntax(self.at))
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, word: &str) -> Result<(), JsonFault> {
        if self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word.as_bytes())) {
            self.at += word.len();
            Ok(())
        } else {
            self.fault()
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonFault> {
        match self.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => Err(JsonFault::TooDeep(self.at)),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Json::String),
            Some(b't') => self.expect("true").map(|()| Json::Bool(true)),
            Some(b'f') => self.expect("false").map(|()| Json::Bool(false)),
            Some(b'n') => self.expect("null").map(|()| Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fault(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonFault> {
        self.at += 1;
        let mut entries = Vec::new();
        let mut folded = HashSet::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(entries));
        }
        loop {
            self.skip_space();
            let key = self.string()?;
            if key.contains('\0') {
                return Err(JsonFault::NulInKey(self.at));
            }
            if !folded.insert(fold(&key)) {
                return Err(JsonFault::DuplicateKey(self.at));
            }
            self.skip_space();
            self.expect(":")?;
            self.skip_space();
            entries.push((key, self.value(depth + 1)?));
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Json::Object(entries));
                }
                _ => return self.fault(),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json, JsonFault> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth + 1)?);
            self.skip_space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Json::Array(items));
                }
                _ => return self.fault(),
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonFault> {
        self.expect("\"")?;
        let mut text = String::new();
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            // All of these are ASCII, so the slice ends at a character.
            let plain =
                rest.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20).ok_or(JsonFault::Syntax(self.text.len()))?;
            text.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => {
                    self.at += 1;
                    text.push(self.escape()?);
                }
                _ => return self.fault(),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonFault> {
        let Some(byte) = self.peek() else { return self.fault() };
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode_escape(),
            _ => return Err(JsonFault::Syntax(self.at - 1)),
        })
    }

    fn unicode_escape(&mut self) -> Result<char, JsonFault> {
        let first = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&first) {
            self.expect("\\u")?;
            let second = self.hex4()?;
            if !(0xdc00..0xe000).contains(&second) {
                return self.fault();
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        // A lone low surrogate is no character.
        char::from_u32(code).ok_or(JsonFault::Syntax(self.at))
    }

    fn hex4(&mut self) -> Result<u32, JsonFault> {
        let digits = self.text.get(self.at..self.at + 4).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else { return self.fault() };
        self.at += 4;
        Ok(code)
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    fn number(&mut self) -> Result<Json, JsonFault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        if text.len() > MAX_NUMBER { Err(JsonFault::Syntax(start)) } else { Ok(Json::Number(text.to_owned())) }
    }

    /// At least one.
    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { self.fault() } else { Ok(()) }
    }
}

/// Every string and every key, changed.
pub(crate) fn map_texts(value: Value, change: &mut dyn FnMut(String) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(|item| map_texts(item, change)).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (change(key), map_texts(value, change))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
#[path = "json/tests.rs"]
mod tests;
