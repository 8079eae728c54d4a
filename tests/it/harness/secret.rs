//! The secret that a house is given, and the look for it everywhere it must not be.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

/// A secret nobody has ever used, so that finding it means a leak.
#[derive(Debug, Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new() -> Self {
        let mut bytes = [0_u8; 16];
        fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
        // Letters far from hexadecimal in both cases, so that none of the forms below is like another.
        Self(format!(
            "cmT3st-{}",
            bytes.iter().map(|byte| format!("{byte:02x}").replace('a', "Q").replace('b', "z")).collect::<String>()
        ))
    }

    /// A value of a test's choice.
    pub(crate) fn of(value: &str) -> Self {
        Self(value.to_owned())
    }

    pub(crate) fn value(&self) -> &str {
        &self.0
    }

    /// The spellings a leak could have.
    fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let bytes = self.0.as_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut forms = vec![
            ("plain", bytes.to_vec()),
            ("reversed", bytes.iter().rev().copied().collect()),
            ("HEX", hex.to_ascii_uppercase().into_bytes()),
            ("hex", hex.into_bytes()),
            ("spaced", bytes.iter().flat_map(|&byte| [byte, b' ']).collect()),
            ("rotated", bytes.iter().map(|byte| byte + 1).collect()),
            ("percent", bytes.iter().map(|byte| format!("%{byte:02X}")).collect::<String>().into_bytes()),
        ];
        let each = |form: &dyn Fn(u8) -> String| bytes.iter().map(|&byte| form(byte)).collect::<String>().into_bytes();
        let wide = |form: fn(u16) -> [u8; 2]| self.0.encode_utf16().flat_map(form).collect::<Vec<u8>>();
        forms.extend([
            ("lower percent", each(&|byte| format!("%{byte:02x}"))),
            ("double percent", each(&|byte| format!("%25{byte:02X}"))),
            ("JSON", self.0.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<String>().into_bytes()),
            ("HTML", self.0.chars().map(|c| format!("&#{};", u32::from(c))).collect::<String>().into_bytes()),
            ("UTF-16LE", wide(u16::to_le_bytes)),
            ("UTF-16BE", wide(u16::to_be_bytes)),
        ]);
        // Base64 looks different at each of three alignments; the first and last characters depend on their neighbours.
        forms.extend((0..3).map(|shift| {
            let aligned = &bytes[shift..shift + (bytes.len() - shift) / 3 * 3];
            ("base64", base64(aligned).into_bytes())
        }));
        // Four characters stand in any text.
        forms.retain(|(_, form)| form.len() >= 6);
        forms
    }

    /// The spelling in which the secret is in `bytes`, if it is.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Option<&'static str> {
        // What is no text is replaced and stays no text; looking for a text in one is fast.
        let text = String::from_utf8_lossy(bytes);
        let is_text = matches!(text, std::borrow::Cow::Borrowed(_));
        let holds = |form: &[u8]| match std::str::from_utf8(form) {
            Ok(form) => text.contains(form),
            Err(_) => !is_text && bytes.windows(form.len()).any(|window| window == form),
        };
        self.forms().into_iter().find(|(_, form)| holds(form)).map(|(name, _)| name)
    }

    /// It is nowhere in this text.
    #[track_caller]
    pub(crate) fn assert_not_in(&self, what: &str, bytes: &[u8]) {
        assert_eq!(self.found_in(bytes), None, "the secret is in {what}");
    }

    /// It is in no file below a folder, but for `except`.
    #[track_caller]
    pub(crate) fn assert_not_below(&self, folder: &Path, except: &Path) {
        for path in files(folder).into_iter().filter(|path| path != except) {
            self.assert_not_in(&path.display().to_string(), &fs::read(&path).unwrap_or_default());
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Base64 of whole groups of three.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte));
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift & 63) as usize]))
    };
    bytes.chunks_exact(3).flat_map(group).collect()
}

#[test]
fn a_leak_would_be_found_in_every_spelling() {
    let secret = Secret::new();
    for (name, form) in secret.forms() {
        assert!(secret.found_in(&[b"before ", form.as_slice(), b" after"].concat()).is_some(), "{name}");
    }
    for before in ["", "u", "us", "user:"] {
        let text = format!("{before}{}..", secret.value());
        let padded = &text.as_bytes()[..text.len() / 3 * 3];
        assert_eq!(secret.found_in(base64(padded).as_bytes()), Some("base64"), "{before}");
    }
    assert_eq!(secret.found_in(b"nothing"), None);
}
