//! A public key as OpenSSH writes it: `ssh-ed25519 AAAA… comment`, one line.

use casemate_signing::key::{KeyError, PublicKey};

/// The one kind of key. A FIDO token's Ed25519 key (`sk-ssh-ed25519@…`) is another: it signs more than it is given.
const ED25519: &str = "ssh-ed25519";
/// What the kinds of keys that OpenSSH knows begin with.
const KINDS: [&str; 3] = ["ssh-", "ecdsa-", "sk-"];
/// Characters of a kind that are quoted in an error.
const MAX_KIND: usize = 64;

/// Why a text is not a public key that may be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PublicKeyError {
    /// No such line.
    #[error(
        "not an Ed25519 public key\nhelp: it is PEM that begins with `-----BEGIN PUBLIC KEY-----`, or OpenSSH's one line `ssh-ed25519 AAAA…`"
    )]
    NotAKey,
    /// A list of keys, such as `authorized_keys`.
    #[error("the file has more than one line\nhelp: one public key is expected")]
    Several,
    /// A key of another kind, or a certificate.
    #[error("a `{0}` key does not sign here\nhelp: only `{ED25519}` does; ssh-keygen -t ed25519 makes one")]
    Kind(String),
    /// Ed25519, and not fit to be enrolled.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Read one.
pub(crate) fn public_key(text: &str) -> Result<PublicKey, PublicKeyError> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.next().ok_or(PublicKeyError::NotAKey)?;
    if lines.next().is_some() {
        return Err(PublicKeyError::Several);
    }
    let kind = line.split_whitespace().next().unwrap_or_default();
    if kind != ED25519 && KINDS.iter().any(|start| kind.starts_with(start)) {
        return Err(PublicKeyError::Kind(kind.chars().take(MAX_KIND).collect()));
    }
    let key = ssh_key::PublicKey::from_openssh(line).map_err(|_| PublicKeyError::NotAKey)?;
    let raw = key.key_data().ed25519().ok_or(PublicKeyError::NotAKey)?;
    Ok(PublicKey::from_bytes(&raw.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TEST 1 of RFC 8032, section 7.1.
    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";
    /// The point of order one, encoded as a key.
    const WEAK: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    /// The same key as a FIDO token's.
    const TOKEN: &str = "AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1EaAAAABHNzaDo=";
    /// By `ssh-keygen -t ecdsa`.
    const ECDSA: &str = "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBF91vsaDDF5g/eDcIKvwvJOvEmD2Mbr8RNIbsdmRe6pXvemPT7LViPT5eFyvEIdQ/zJr69ugyoR3LPpLLmHrIx0=";

    fn check(text: &str, expected: Result<&str, PublicKeyError>) {
        let expected = expected.map(str::to_owned);
        assert_eq!(public_key(text).map(|key| key.fingerprint().to_string()), expected, "{text}");
    }

    #[test]
    fn a_line_of_ssh_keygen_is_read() {
        let fingerprint = "SHA256:If4x36FUomFia/hUBG/SJxt77UtqvkWqWId+9H+XIbk";
        for line in
            [format!("ssh-ed25519 {KEY}"), format!("ssh-ed25519 {KEY} dana@fortress\n"), format!("\n ssh-ed25519 {KEY}\r\n\n")]
        {
            check(&line, Ok(fingerprint));
        }
    }

    #[test]
    fn each_refusal_has_its_own_error() {
        let kind = |kind: &str| Err(PublicKeyError::Kind(kind.to_owned()));
        check(&format!("sk-ssh-ed25519@openssh.com {TOKEN}"), kind("sk-ssh-ed25519@openssh.com"));
        check(&format!("ecdsa-sha2-nistp256 {ECDSA}"), kind("ecdsa-sha2-nistp256"));
        check("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==", kind("ssh-rsa"));
        check("ssh-ed25519-cert-v01@openssh.com AAAA", kind("ssh-ed25519-cert-v01@openssh.com"));
        check(&format!("ssh-{}", "x".repeat(1000)), kind(&format!("ssh-{}", "x".repeat(60))));
        check(&format!("ssh-ed25519 {KEY}\nssh-ed25519 {KEY}\n"), Err(PublicKeyError::Several));
        check(&format!("ssh-ed25519 {WEAK}"), Err(PublicKeyError::Key(KeyError::Weak)));
        for text in [
            "",
            "\n\n",
            "ssh-ed25519",
            "ssh-ed25519 x",
            &format!("ssh-ed25519 {}", &KEY[..40]),
            &format!("ssh-ed25519 {KEY}AAAA"),
            // A line that says one thing and holds another.
            &format!("ssh-ed25519 {TOKEN}"),
            &format!("ssh-ed25519 {ECDSA}"),
            KEY,
        ] {
            check(text, Err(PublicKeyError::NotAKey));
        }
    }
}
