//! What is looked for: each secret in its spellings, and one pass over a text that finds them all.

use std::{ops::Range, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use zeroize::Zeroizing;

use crate::{call::hex, text::visible};

/// Below this, encoded forms would be found in innocent text.
const MIN_ENCODED: usize = 6;
/// A line of a secret of several lines that is this long is a secret by itself.
const MIN_LINE: usize = 16;

/// One spelling of one secret.
pub(super) struct Needle {
    bytes: Zeroizing<Vec<u8>>,
    shown: Arc<str>,
    /// Base64 characters beside it hold bits of the secret too.
    shared: (bool, bool),
}

impl Needle {
    /// What stands in its place.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

/// Every needle, ready to be looked for.
#[derive(Default)]
pub(super) struct Needles {
    /// By their first byte, and longest first.
    needles: Vec<Needle>,
    /// Where each first byte begins in `needles`.
    first: Vec<Range<usize>>,
    /// One bit for each pair of bytes that some needle begins with.
    pairs: Vec<u64>,
}

impl Needles {
    pub(super) fn new(mut needles: Vec<Needle>) -> Self {
        needles.retain(|needle| !needle.bytes.is_empty());
        needles.sort_by(|a, b| (a.bytes.first(), b.bytes.len()).cmp(&(b.bytes.first(), a.bytes.len())));
        let mut pairs = vec![0_u64; 1 << 10];
        let mut mark = |first: u8, second: u8| {
            let pair = usize::from(first) << 8 | usize::from(second);
            if let Some(word) = pairs.get_mut(pair >> 6) {
                *word |= 1 << (pair & 63);
            }
        };
        for needle in &needles {
            match needle.bytes.as_slice() {
                [first, second, ..] => mark(*first, *second),
                [first] => (0..=255).for_each(|second| mark(*first, second)),
                [] => {}
            }
        }
        let begins = |byte: u8| needles.partition_point(|needle| needle.bytes.first() < Some(&byte));
        let ends = |byte: u8| needles.partition_point(|needle| needle.bytes.first() <= Some(&byte));
        let first = (0..=255).map(|byte| begins(byte)..ends(byte)).collect();
        Self { first, pairs, needles }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// Every place where one begins, with the longest that does.
    pub(super) fn scan<'n>(&'n self, bytes: &[u8], found: &mut dyn FnMut(Range<usize>, &'n Needle)) {
        for (at, &byte) in bytes.iter().enumerate() {
            let pair = usize::from(byte) << 8 | usize::from(bytes.get(at + 1).copied().unwrap_or_default());
            if self.pairs.get(pair >> 6).is_none_or(|word| word >> (pair & 63) & 1 == 0) {
                continue;
            }
            let (Some(rest), Some(candidates)) = (bytes.get(at..), self.first.get(usize::from(byte))) else { continue };
            let candidates = self.needles.get(candidates.clone()).unwrap_or_default();
            if let Some(needle) = candidates.iter().find(|needle| rest.starts_with(&needle.bytes)) {
                let (before, after) = needle.shared;
                let end = at + needle.bytes.len();
                let shares = |byte: Option<&u8>| byte.is_some_and(|byte| is_base64(*byte));
                let start = at - usize::from(before && shares(at.checked_sub(1).and_then(|at| bytes.get(at))));
                found(start..end + usize::from(after && shares(bytes.get(end))), needle);
            }
        }
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// Add the spellings of a secret that echoes come in. Escapes are not among them: they are read.
pub(super) fn add(value: &str, shown: &Arc<str>, needles: &mut Vec<Needle>) {
    let mut push = |bytes: Vec<u8>, shared: (bool, bool)| {
        let bytes = Zeroizing::new(bytes);
        if !bytes.is_empty() && !needles.iter().any(|known| *known.bytes == *bytes) {
            needles.push(Needle { bytes, shown: Arc::clone(shown), shared });
        }
    };
    let plain = (false, false);
    push(value.as_bytes().to_vec(), plain);
    push(visible(value).into_owned().into_bytes(), plain);
    if value.len() < MIN_ENCODED {
        return;
    }
    // As a form writes a blank, and as names of hosts and headers are written.
    push(value.replace(' ', "+").into_bytes(), plain);
    push(value.to_ascii_lowercase().into_bytes(), plain);
    push(value.to_ascii_uppercase().into_bytes(), plain);
    if value.contains('\n') {
        value.lines().map(str::trim).filter(|line| line.len() >= MIN_LINE).for_each(|line| push(line.into(), plain));
    }
    let wide = |bytes: fn(u16) -> [u8; 2]| Some(value.encode_utf16().flat_map(bytes).collect::<Vec<u8>>());
    let raws = [Some(value.as_bytes().to_vec()), latin(value), wide(u16::to_le_bytes), wide(u16::to_be_bytes)];
    for raw in raws.into_iter().flatten().map(Zeroizing::new) {
        push(raw.to_vec(), plain);
        let lower = hex(&raw);
        push(lower.to_ascii_uppercase().into_bytes(), plain);
        push(lower.into_bytes(), plain);
        for at in 0..3 {
            let (core, shared) = base64_core(&raw, at);
            if core.len() >= MIN_ENCODED {
                push(core.replace('+', "-").replace('/', "_").into_bytes(), shared);
                push(core.into_bytes(), shared);
            }
        }
    }
}

/// A text in Latin-1, where that differs from UTF-8 and exists.
fn latin(text: &str) -> Option<Vec<u8>> {
    if text.is_ascii() {
        return None;
    }
    text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect()
}

/// The base64 characters that depend on nothing but the secret, where it begins `at` bytes into a group of three: as in
/// `Basic base64(user:secret)`, whatever stands before and after. And whether the character before and after holds bits of both.
fn base64_core(secret: &[u8], at: usize) -> (String, (bool, bool)) {
    let padded = Zeroizing::new([vec![0; at], secret.to_vec()].concat());
    let encoded = STANDARD_NO_PAD.encode(&padded);
    let start = match at {
        0 => 0,
        1 => 2,
        _ => 3,
    };
    // The last character holds bits of what follows, unless the secret ends a group.
    let shared = !padded.len().is_multiple_of(3);
    let end = encoded.len() - usize::from(shared);
    (encoded.get(start..end).unwrap_or_default().to_owned(), (at > 0, shared))
}
