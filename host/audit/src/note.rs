//! Signed notes (C2SP signed-note): a text, a blank line, and signature lines that any note verifier understands.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

/// What a signature line begins with: an em dash and a space.
pub(crate) const SIGNATURE: &str = "\u{2014} ";

/// The signature type of plain ed25519 notes.
const ED25519: u8 = 1;

/// The first four bytes of SHA-256 over name, newline, type and key: which key a signature line means.
pub(crate) fn key_id(name: &str, kind: u8, key: &VerifyingKey) -> [u8; 4] {
    let digest: [u8; 32] =
        Sha256::new().chain_update(name).chain_update(b"\n").chain_update([kind]).chain_update(key.as_bytes()).finalize().into();
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

/// One signature line.
pub(crate) fn line(name: &str, id: [u8; 4], signature: &[u8]) -> String {
    format!("{SIGNATURE}{name} {}\n", STANDARD.encode([id.as_slice(), signature].concat()))
}

/// What a signature line says, if it is this signer's.
pub(crate) fn signature_of(line: &str, name: &str, id: [u8; 4]) -> Option<Vec<u8>> {
    let (signer, blob) = line.strip_prefix(SIGNATURE)?.split_once(' ')?;
    let blob = STANDARD.decode(blob).ok()?;
    let (stated, signature) = blob.split_first_chunk::<4>()?;
    (signer == name && *stated == id).then(|| signature.to_vec())
}

/// The whole note. `text` ends with a newline.
pub(crate) fn sign(text: &str, name: &str, key: &SigningKey) -> String {
    format!("{text}\n{}", signature(text, name, key))
}

/// A further signature line for a note's text.
pub(crate) fn signature(text: &str, name: &str, key: &SigningKey) -> String {
    line(name, key_id(name, ED25519, &key.verifying_key()), &key.sign(text.as_bytes()).to_bytes())
}

/// Whether one of the signature lines is `key`'s, under this name, over this text. Lines of other signers are passed over.
pub(crate) fn is_signed<'a>(text: &str, mut signatures: impl Iterator<Item = &'a str>, name: &str, key: &VerifyingKey) -> bool {
    let id = key_id(name, ED25519, key);
    signatures.any(|line| {
        let Some(signature) = signature_of(line, name, id) else { return false };
        Signature::from_slice(&signature).is_ok_and(|signature| key.verify_strict(text.as_bytes(), &signature).is_ok())
    })
}

/// One note in a file of notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// The notes of a file, and how many of its bytes they are: a crash can leave a part of one more at the end.
pub(crate) fn split(file: &str) -> (Vec<Note<'_>>, usize) {
    let mut notes = Vec::new();
    let (mut start, mut end, mut first, mut in_signatures) = (0, 0, 1, false);
    for (number, line) in (1..).zip(file.split_inclusive('\n')) {
        let signature = line.starts_with(SIGNATURE) && line.ends_with('\n');
        if in_signatures && !signature {
            notes.extend(file.get(start..end).map(|text| Note { line: first, text }));
            (start, first, in_signatures) = (end, number, false);
        }
        in_signatures |= signature;
        end += line.len();
    }
    if in_signatures {
        notes.extend(file.get(start..end).map(|text| Note { line: first, text }));
        start = end;
    }
    (notes, start)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use ed25519_dalek::{SigningKey, VerifyingKey};

    use super::{is_signed, sign};

    fn check(note: &str, name: &str, key: &VerifyingKey) -> bool {
        let (text, signatures) = note.rsplit_once("\n\n").unwrap();
        is_signed(&format!("{text}\n"), signatures.lines(), name, key)
    }

    /// The example of Go's `golang.org/x/mod/sumdb/note`.
    #[test]
    fn a_note_signed_by_another_implementation_is_read() {
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
            \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let (_, key) = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".rsplit_once('+').unwrap();
        let key = STANDARD.decode(key).unwrap();
        let key = VerifyingKey::from_bytes(key.get(1..).unwrap().try_into().unwrap()).unwrap();
        assert!(check(note, "PeterNeumann", &key));
        assert!(!check(&note.replace("problem is", "problem was"), "PeterNeumann", &key));
        assert!(!check(note, "PeterNewman", &key));
    }

    #[test]
    fn only_the_right_text_name_and_key_pass() {
        let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));
        let note = sign("a\nb\n", "log", &key);
        assert!(check(&note, "log", &key.verifying_key()));
        assert!(!check(&note, "log", &other.verifying_key()));
        assert!(!check(&note, "gol", &key.verifying_key()));
        assert!(!check(&note.replacen('a', "A", 1), "log", &key.verifying_key()));
        let cosigned = format!("{note}\u{2014} witness AAAAAAAA\n");
        assert!(check(&cosigned, "log", &key.verifying_key()), "a witness's line beside ours does no harm");
    }
}
