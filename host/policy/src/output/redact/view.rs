//! Readings: what bytes say once their escapes are read, and where in the bytes each part of it stands.
//!
//! What is no escape is itself, so that a text which is escaped in part is read whole.

use std::ops::Range;

use memchr::memchr;

/// Reads one kind of escape; nothing where there is none.
pub(super) type Read = fn(&[u8]) -> Option<View>;

/// Each kind of escape.
pub(super) const ESCAPES: [Read; 4] = [percent, json, html, folded];

/// Characters that HTML has a name for and that keys are made of (WHATWG HTML, named character references).
const NAMED: [(&str, char); 38] = [
    ("amp", '&'),
    ("AMP", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("GT", '>'),
    ("Hat", '^'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("LT", '<'),
    ("nbsp", '\u{a0}'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("QUOT", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rpar", ')'),
    ("semi", ';'),
    ("sol", '/'),
    ("tilde", '~'),
    ("verbar", '|'),
];
/// The longest of them, numbers included, without `&` and `;`.
const LONGEST: usize = 10;

/// Bytes as they read, and of each the place where it was written.
pub(super) struct View {
    bytes: Vec<u8>,
    from: Vec<usize>,
    /// Where the source ends.
    end: usize,
}

impl View {
    fn of(source: &[u8]) -> Self {
        Self { bytes: Vec::with_capacity(source.len()), from: Vec::with_capacity(source.len()), end: source.len() }
    }

    fn push(&mut self, byte: u8, from: usize) {
        self.bytes.push(byte);
        self.from.push(from);
    }

    fn character(&mut self, character: char, from: usize) {
        let mut buffer = [0; 4];
        character.encode_utf8(&mut buffer).bytes().for_each(|byte| self.push(byte, from));
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole of what was written for a part of the reading.
    pub(super) fn source(&self, at: Range<usize>) -> Range<usize> {
        let start = self.from.get(at.start).copied().unwrap_or(self.end);
        let last = at.end.checked_sub(1).and_then(|last| self.from.get(last)).copied().unwrap_or(start);
        let mut after = self.from.get(at.end..).unwrap_or_default().iter();
        start..after.find(|from| **from > last).copied().unwrap_or(self.end)
    }

    /// A reading of a reading, with places in the first source.
    pub(super) fn through(mut self, view: Option<&Self>) -> Self {
        if let Some(view) = view {
            for from in &mut self.from {
                *from = view.from.get(*from).copied().unwrap_or(view.end);
            }
            self.end = view.end;
        }
        self
    }
}

/// `%2F`, in either case.
fn percent(source: &[u8]) -> Option<View> {
    read(source, b'%', |rest| match rest {
        [_, high, low, ..] => Some((Escaped::Byte(digit(*high)? << 4 | digit(*low)?), 3)),
        _ => None,
    })
}

/// `\u00e9`, a pair of them, `\/`.
fn json(source: &[u8]) -> Option<View> {
    read(source, b'\\', |rest| {
        let unit = |rest: &[u8]| match rest {
            [b'\\', b'u', a, b, c, d, ..] => {
                [a, b, c, d].iter().try_fold(0_u16, |unit, at| Some(unit << 4 | u16::from(digit(**at)?)))
            }
            _ => None,
        };
        let simple = |c: char| Some((Escaped::Character(c), 2));
        match rest.get(1)? {
            b'u' => {
                let first = unit(rest)?;
                if let Some(c) = char::from_u32(first.into()) {
                    return Some((Escaped::Character(c), 6));
                }
                let pair = [first, unit(rest.get(6..)?)?];
                char::decode_utf16(pair).next()?.ok().map(|c| (Escaped::Character(c), 12))
            }
            b'n' => simple('\n'),
            b'r' => simple('\r'),
            b't' => simple('\t'),
            b'b' => simple('\u{8}'),
            b'f' => simple('\u{c}'),
            other @ (b'"' | b'\\' | b'/' | b'\'') => simple(char::from(*other)),
            _ => None,
        }
    })
}

/// `&amp;`, `&#38;`, `&#x26;`.
fn html(source: &[u8]) -> Option<View> {
    read(source, b'&', |rest| {
        let inside = rest.get(1..)?;
        let end = inside.iter().take(LONGEST).position(|byte| *byte == b';')?;
        let name = std::str::from_utf8(inside.get(..end)?).ok()?;
        let character = match name.strip_prefix('#') {
            Some(number) => {
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(number) => u32::from_str_radix(number, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
            None => NAMED.iter().find(|(known, _)| *known == name)?.1,
        };
        Some((Escaped::Character(character), end + 2))
    })
}

/// Line breaks, and the blanks after them, that stand where a text was too long for its lines.
fn folded(source: &[u8]) -> Option<View> {
    memchr(b'\n', source)?;
    let mut view = View::of(source);
    let mut broken = false;
    for (at, &byte) in source.iter().enumerate() {
        match byte {
            b'\r' | b'\n' => broken = true,
            b' ' | b'\t' if broken => {}
            _ => {
                broken = false;
                view.push(byte, at);
            }
        }
    }
    Some(view)
}

/// What an escape stands for.
enum Escaped {
    Byte(u8),
    Character(char),
}

/// Read every escape that begins with `mark`; `one` gives what it stands for and its length.
fn read(source: &[u8], mark: u8, one: impl Fn(&[u8]) -> Option<(Escaped, usize)>) -> Option<View> {
    memchr(mark, source)?;
    let (mut view, mut at, mut any) = (View::of(source), 0, false);
    while let Some((&byte, rest)) = source.get(at..).and_then(|rest| Some((rest.first()?, rest))) {
        match if byte == mark { one(rest) } else { None } {
            Some((escaped, length)) => {
                any = true;
                match escaped {
                    Escaped::Byte(byte) => view.push(byte, at),
                    Escaped::Character(character) => view.character(character, at),
                }
                at += length;
            }
            None => {
                view.push(byte, at);
                at += 1;
            }
        }
    }
    any.then_some(view)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
