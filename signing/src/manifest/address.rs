//! Addresses of one's own: where something is said to be that is given, and never gone to.

use std::fmt;

/// The longest address.
const MAX_ADDRESS: usize = 256;

/// Schemes that lead somewhere, run something, or are this host's or the protocol's own: what they name is not what is given here.
const RESERVED: [&str; 24] = [
    "about",
    "blob",
    "casemate",
    "chrome",
    "cid",
    "data",
    "file",
    "filesystem",
    "ftp",
    "git",
    "http",
    "https",
    "javascript",
    "jar",
    "mailto",
    "resource",
    "sftp",
    "skill",
    "ssh",
    "tel",
    "ui",
    "vbscript",
    "ws",
    "wss",
];

/// Why an address is none of one's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressError {
    /// Not `scheme://name/name`.
    Form,
    /// A scheme of somebody else's.
    Reserved,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => write!(
                f,
                "it is no address of the form `scheme://name/name`\nhelp: a scheme in lower case, and names of letters, digits and `._~-`; at most {MAX_ADDRESS} characters, nothing escaped, no query"
            ),
            Self::Reserved => f.write_str(
                "its scheme means something to clients, or is the host's\nhelp: choose one of your own, such as `cases`",
            ),
        }
    }
}

impl std::error::Error for AddressError {}

/// Whether this is an address in its only spelling, with a scheme that is nobody else's.
///
/// # Errors
/// Where it is not.
pub fn own(address: &str) -> Result<(), AddressError> {
    let (scheme, rest) = address.split_once("://").ok_or(AddressError::Form)?;
    let is_scheme = (2..=32).contains(&scheme.len())
        && scheme
            .bytes()
            .enumerate()
            .all(|(at, byte)| byte.is_ascii_lowercase() || at > 0 && (byte.is_ascii_digit() || byte == b'-'));
    if !is_scheme || address.len() > MAX_ADDRESS || !rest.split('/').all(is_segment) {
        return Err(AddressError::Form);
    }
    if RESERVED.contains(&scheme) { Err(AddressError::Reserved) } else { Ok(()) }
}

/// A name between two slashes. None begins with a dot, so none is `..`.
pub fn is_segment(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte));
    (1..=64).contains(&text.len()) && plain && !text.starts_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ones_own_has_one_spelling() {
        for address in ["cases://open", "test://static-text", "case-2://a/b.json", "cases://2024/a~b_c/1"] {
            assert_eq!(own(address), Ok(()), "{address}");
        }
        for address in [
            "",
            "cases",
            "cases:",
            "cases:a",
            "cases:/a",
            "cases://",
            "cases:///a",
            "cases://a/",
            "cases://a//b",
            "cases://a/../b",
            "cases://..",
            "cases://.a",
            "Cases://a",
            "c://a",
            "1a://b",
            "-a://b",
            "ca ses://a",
            "ca+ses://a",
            "cases://a?b",
            "cases://a#b",
            "cases://a%2fb",
            "cases://user@a",
            "cases://a:1",
            "cases://ä",
            "cases://a b",
            "cases://a\n",
            "cases://{a}",
        ] {
            assert_eq!(own(address), Err(AddressError::Form), "{address}");
        }
        let long = |length: usize| format!("cases://{}", vec!["a".repeat(62); length].join("/"));
        assert_eq!((own(&long(3)), own(&long(4))), (Ok(()), Err(AddressError::Form)));
        assert_eq!(own(&format!("cases://{}", "a".repeat(65))), Err(AddressError::Form));
    }

    #[test]
    fn a_scheme_of_somebody_elses_is_refused() {
        for scheme in RESERVED {
            assert_eq!(own(&format!("{scheme}://a")), Err(AddressError::Reserved), "{scheme}");
        }
    }
}
