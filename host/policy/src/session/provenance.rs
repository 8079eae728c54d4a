//! Provenance: where a value was seen first, by fingerprint.
//!
//! A value in the arguments of a call that was seen before in an untrusted result, and not before that in what the caller said itself, was
//! named by whoever wrote that result. Values are compared after what people and models do to them on the way: case, surrounding
//! punctuation, and the spellings that analysts use to make an indicator harmless (`hxxp`, `[.]`).

use std::{borrow::Cow, collections::BTreeSet, net::Ipv6Addr};

use serde_json::{Number, Value};
use sha2::{Digest as _, Sha256};

use crate::text::{is_hidden, quote};

/// Fingerprints of one result that are remembered. A result with more counts as having held every value.
pub const MAX_VALUES: usize = 4096;
/// Characters of a whole text that is one value.
const MAX_WHOLE: usize = 512;
/// A token of fewer characters is in every text.
const MIN_TOKEN: usize = 4;

/// A value, without the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    fn of(value: &str) -> Self {
        let digest = Sha256::digest(value.as_bytes());
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self(bytes)
    }

    /// As the ledger keeps it.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// The values of one text or JSON document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// At most [`MAX_VALUES`].
    pub fingerprints: BTreeSet<Fingerprint>,
    /// Whether there were more.
    pub overflow: bool,
}

impl Values {
    /// Add every value of a document: texts as a whole, what looks like an identifier in them, and whole numbers.
    pub fn add(&mut self, document: &Value) {
        match document {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.whole(&decimal(number)),
            Value::String(text) => self.text(text),
            Value::Array(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(fields) => fields.iter().for_each(|(name, field)| {
                // An upstream may put data in names: `{"10.0.0.1": {…}}`.
                self.text(name);
                self.add(field);
            }),
        }
    }

    /// Add the values of a text.
    pub fn text(&mut self, text: &str) {
        let text = normal(text);
        self.whole(&text);
        for token in tokens(&text) {
            if self.overflow {
                // Nothing more is kept, and a long text costs time.
                return;
            }
            self.enter(&token);
        }
    }

    /// A text in its normal spelling.
    fn whole(&mut self, text: &str) {
        let plain = plain(text);
        if (1..=MAX_WHOLE).contains(&plain.len()) {
            self.enter(plain);
        }
    }

    fn enter(&mut self, value: &str) {
        let fingerprint = Fingerprint::of(value);
        if self.fingerprints.len() < MAX_VALUES {
            self.fingerprints.insert(fingerprint);
        } else if !self.fingerprints.contains(&fingerprint) {
            self.overflow = true;
        }
    }
}

/// One argument that provenance is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Where it is (RFC 6901).
    pub pointer: String,
    /// The whole, and what looks like an identifier in it.
    pub fingerprints: BTreeSet<Fingerprint>,
}

/// The arguments of a call whose values somebody chose. Left out: booleans, small numbers, empty texts, and texts in `known`, such as the words
/// of the tool's own schema and the values that the operator granted.
pub fn arguments(arguments: &Value, known: &BTreeSet<String>) -> Vec<Argument> {
    let mut found = Vec::new();
    walk(arguments, &mut String::new(), known, &mut found);
    found
}

fn walk(value: &Value, pointer: &mut String, known: &BTreeSet<String>, found: &mut Vec<Argument>) {
    let below = |name: &str, item: &Value, pointer: &mut String, found: &mut Vec<Argument>| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
        walk(item, pointer, known, found);
        pointer.truncate(length);
    };
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => {
            let text = decimal(number);
            // Ports, limits and counts are no targets.
            if text.len() > MIN_TOKEN + 1 {
                found.push(Argument { pointer: pointer.clone(), fingerprints: BTreeSet::from([Fingerprint::of(&text)]) });
            }
        }
        Value::String(text) => {
            if !known.contains(text.as_str()) {
                let mut values = Values::default();
                values.text(text);
                if !values.fingerprints.is_empty() {
                    found.push(Argument { pointer: pointer.clone(), fingerprints: values.fingerprints });
                }
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| below(&at.to_string(), item, pointer, found));
        }
        Value::Object(fields) => fields.iter().for_each(|(name, field)| below(name, field, pointer, found)),
    }
}

/// A number as it is compared: `7` and `7.0` are one.
fn decimal(number: &Number) -> String {
    // Beyond 2^53 a double has no exact whole part.
    match number.as_f64().filter(|double| number.is_f64() && double.fract() == 0.0 && double.abs() < 9_007_199_254_740_992.0) {
        Some(double) => format!("{double:.0}"),
        None => number.to_string(),
    }
}

/// The one spelling that all spellings of a value have in common: lower case, without characters that nobody sees, in ASCII where there is
/// such a form, and with the dots and signs back in their places that analysts take out of an indicator.
fn normal(text: &str) -> String {
    armed(&unmarked(text).chars().filter_map(common).flat_map(char::to_lowercase).collect::<String>())
}

/// A character as it is compared; none where nobody sees it.
fn common(character: char) -> Option<char> {
    match character {
        // Full stops of other scripts, which host names take for dots (UTS #46, section 2.3).
        '\u{3002}' | '\u{ff61}' => Some('.'),
        // Full-width forms.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0),
        '\u{2028}' | '\u{2029}' => Some(' '),
        _ if character.is_control() => Some(' '),
        _ if is_hidden(character) => None,
        _ => Some(character),
    }
}

/// Without the marks that results have in the place of hidden characters: [`crate::text::visible`] writes them, and who copies a value
/// leaves them out.
fn unmarked(text: &str) -> Cow<'_, str> {
    let Some((before, mut rest)) = text.split_once(MARK) else { return Cow::Borrowed(text) };
    let mut plain = before.to_owned();
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        match rest.split_at_checked(digits).and_then(|(_, after)| after.strip_prefix('}')) {
            Some(after) if (1..=6).contains(&digits) => rest = after,
            _ => plain.push_str(MARK),
        }
        let Some((before, after)) = rest.split_once(MARK) else { break };
        plain.push_str(before);
        rest = after;
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// How [`crate::text::visible`] begins a hidden character.
const MARK: &str = "\\u{";

/// What analysts write between brackets to make an indicator harmless, and what it means.
const SPELLINGS: [(&str, &str); 9] =
    [(".", "."), ("dot", "."), ("d0t", "."), ("://", "://"), (":", ":"), ("//", "//"), ("/", "/"), ("@", "@"), ("at", "@")];

/// With the dots and signs back in their places. The text is in lower case.
fn armed(text: &str) -> String {
    let mut armed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.find(['[', '(', '{', '\\']).and_then(|at| rest.split_at_checked(at)) {
        armed.push_str(before);
        let mut characters = from.chars();
        let open = characters.next();
        let inner = characters.as_str();
        rest = match spelled(open == Some('\\'), inner) {
            Some((meant, after)) => {
                armed.push_str(meant);
                after
            }
            None => {
                armed.extend(open);
                inner
            }
        };
    }
    armed.push_str(rest);
    armed
}

/// What stands between brackets, or behind a backslash, and what comes after it.
fn spelled(escaped: bool, inner: &str) -> Option<(&'static str, &str)> {
    if escaped {
        return inner.strip_prefix('.').map(|after| (".", after));
    }
    let closed = SPELLINGS
        .into_iter()
        .find_map(|(spelling, meant)| Some((meant, inner.strip_prefix(spelling)?.strip_prefix([']', ')', '}'])?)));
    // Some forget the second bracket.
    closed.or_else(|| inner.strip_prefix('.').map(|after| (".", after)))
}

/// Without what surrounds it.
fn plain(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || "\"'`.,;:!?()<>{}[]|".contains(c))
}

/// What looks like an identifier: it has a digit, or one of the signs that hosts, paths, addresses and hashes have inside.
fn tokens(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split(|c: char| c.is_whitespace() || "\"'`,;()<>{}[]|=".contains(c)).flat_map(|word| {
        let address = address(word).map(Cow::Owned);
        let word = scheme(plain(word));
        // A URL or `host:port` is also its host, and a mailbox its domain: the next call may name only that.
        let host = host(&word).filter(|host| !host.is_empty());
        let reached = address.or_else(|| reached(host.unwrap_or(&word)).map(Cow::Owned));
        let host = host.filter(|host| *host != word).map(|host| Cow::Owned(host.to_owned()));
        [Some(word), host, reached].into_iter().flatten().filter(|token| is_identifier(token))
    })
}

/// What a program that follows a host connects to, where it is written in another way: escaped, in letters that look the same, in the ASCII
/// form of a name in another script, or as an address in other numbers.
fn reached(host: &str) -> Option<String> {
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_number = last.starts_with("0x") || (!last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()));
    if host.len() <= MAX_WHOLE && (!host.is_ascii() || host.contains('%') || is_number) {
        url::Host::parse(host).ok().map(|host| host.to_string())
    } else {
        None
    }
}

/// An IPv6 address in its one spelling; the IPv4 address that is inside one in its own.
fn address(word: &str) -> Option<String> {
    let word = word.trim_matches(['.', '!', '?']);
    let colons = word.bytes().filter(|b| *b == b':').count();
    let address = if colons > 1 { word.parse::<Ipv6Addr>().ok() } else { None };
    address.map(|address| address.to_canonical().to_string())
}

/// With a scheme that can be followed.
fn scheme(word: &str) -> Cow<'_, str> {
    match word.strip_prefix("hxxp") {
        Some(rest) => Cow::Owned(format!("http{rest}")),
        None => Cow::Borrowed(word),
    }
}

/// The host in a URL, in `host/path`, `host:port` and `user@host`.
fn host(word: &str) -> Option<&str> {
    let authority = word.split_once("://").map_or(word, |(_, rest)| rest);
    // `//host/path` and `\\\\host\\share` begin with it too.
    let authority = authority.trim_start_matches(['/', '\\']).split(['/', '\\', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    Some(match host.split_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => host,
    })
}

fn is_identifier(token: &str) -> bool {
    (MIN_TOKEN..=MAX_WHOLE).contains(&token.len())
        && (token.chars().any(|c| c.is_ascii_digit()) || token.contains(['.', ':', '/', '@', '_', '-', '\\']))
}

/// For people: which value it was, shortened.
pub fn shown(arguments: &Value, pointer: &str) -> String {
    match arguments.pointer(pointer) {
        Some(Value::String(text)) => quote(text, 60),
        Some(other) => quote(&other.to_string(), 60),
        None => "a value".to_owned(),
    }
}

#[cfg(test)]
#[path = "provenance/tests.rs"]
mod tests;
