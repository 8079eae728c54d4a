//! Fields whose form a pattern says completely: hashes, ids, names, lines of text.

use std::fmt;

use super::InvalidField;
use crate::text::is_hidden;

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

word!(
    /// An MD5 digest, kept in lower case.
    pub Md5, "an MD5 digest: 32 hexadecimal digits", 32..=32, "^[0-9A-Fa-f]{32}$", is_hex, str::to_ascii_lowercase);
word!(
    /// A SHA-1 digest, kept in lower case.
    pub Sha1, "a SHA-1 digest: 40 hexadecimal digits", 40..=40, "^[0-9A-Fa-f]{40}$", is_hex, str::to_ascii_lowercase);
word!(
    /// A SHA-256 digest, kept in lower case.
    pub Sha256, "a SHA-256 digest: 64 hexadecimal digits", 64..=64, "^[0-9A-Fa-f]{64}$", is_hex, str::to_ascii_lowercase);
word!(
    /// A file's MD5, SHA-1 or SHA-256 digest, kept in lower case.
    pub FileHash, "an MD5, SHA-1 or SHA-256 digest: 32, 40 or 64 hexadecimal digits", 32..=64,
    "^([0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$",
    |text| is_hex(text) && matches!(text.len(), 32 | 40 | 64), str::to_ascii_lowercase);
word!(
    /// A UUID in its usual form (RFC 9562), kept in lower case.
    pub Uuid, "a UUID: 8-4-4-4-12 hexadecimal digits", 36..=36,
    "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
    |text| text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    }), str::to_ascii_lowercase);
word!(
    /// A technique or sub-technique of MITRE ATT&CK.
    pub TechniqueId, "an ATT&CK technique: T1059 or T1059.001", 5..=9, "^T[0-9]{4}(\\.[0-9]{3})?$",
    |text| matches!(text.len(), 5 | 9) && text.bytes().enumerate().all(|(at, byte)| match at {
        0 => byte == b'T',
        5 => byte == b'.',
        _ => byte.is_ascii_digit(),
    }), str::to_owned);
word!(
    /// A name as most upstreams have them: letters, digits, `_` and `-`.
    pub Name, "1 to 64 letters, digits, `_` and `-`", 1..=64, "^[A-Za-z0-9_-]{1,64}$",
    |text| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)), str::to_owned);
word!(
    /// A file's name without its folder: safe in a header, a path and a terminal. It starts with a letter or a digit, so it is neither hidden nor an option.
    pub FileName, "a file name: 1 to 128 letters, digits, spaces and ._-+()[], starting with a letter or digit", 1..=128,
    "^[A-Za-z0-9][A-Za-z0-9 ._+()\\[\\]-]{0,127}$",
    |text| text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphanumeric() || (at > 0 && b" ._+()[]-".contains(&byte))),
    str::to_owned);

/// A line of text of 1 to `MAX` characters, without control characters and others that are not seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line<const MAX: usize>(String);

impl<const MAX: usize> Line<MAX> {
    const EXPECTED: &'static str = "a line of text, not too long, without control characters";

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn read(text: &str) -> Result<Self, InvalidField> {
        if (1..=MAX).contains(&text.chars().count()) && !text.chars().any(is_hidden) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidField::new(Self::EXPECTED))
        }
    }
}

impl<const MAX: usize> fmt::Display for Line<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de, const MAX: usize> serde::Deserialize<'de> for Line<MAX> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(super::TextVisitor { expected: Self::EXPECTED, read: Self::read })
    }
}

impl<const MAX: usize> serde::Serialize for Line<MAX> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<const MAX: usize> schemars::JsonSchema for Line<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Line".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX, "pattern": "^[^\\u0000-\\u001f\\u007f]*$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::check_field as check;

    const MD5: &str = "44d88612fea8a8f36de82e1278abb02f";
    const SHA1: &str = "3395856CE81F2B7382DEE72602F798B642F14140";
    const SHA256: &str = "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f";

    #[test]
    fn hashes() {
        check::<Md5>(&[MD5], &[SHA1, SHA256, "", &MD5.replace('4', "g"), &MD5[1..]], true);
        check::<Sha1>(&[SHA1], &[MD5, SHA256, "", &SHA1.replace('3', "x")], true);
        check::<Sha256>(&[SHA256], &[MD5, SHA1, "", &format!("{SHA256}\n"), &format!(" {}", &SHA256[1..])], true);
        let between = "0".repeat(36);
        check::<FileHash>(&[MD5, SHA1, SHA256], &["", &between, "../x", &format!("{SHA256}0"), &SHA256.replace('0', "/")], true);
        assert_eq!(SHA1.parse().map(|hash: FileHash| hash.to_string()), Ok(SHA1.to_ascii_lowercase()));
    }

    #[test]
    fn ids() {
        let uuid = "6Ba7b810-9dad-11d1-80b4-00c04fd430c8";
        check::<Uuid>(
            &[uuid],
            &["", &uuid.replace('-', ""), &uuid.replace('6', "{"), &uuid.replace('-', "_"), &format!("{uuid}0")],
            true,
        );
        check::<TechniqueId>(
            &["T1059", "T1059.001"],
            &["", "T105", "t1059", "T1059.", "T1059.01", "T1059.0011", " T1059", "T1059\n", "T١٠٥٩", "TA0001"],
            true,
        );
    }

    #[test]
    fn names() {
        check::<Name>(&["a", "red-lab_2", &"x".repeat(64)], &["", "a b", "a/b", "é", "a.b", &"x".repeat(65), "a\n"], true);
        check::<FileName>(
            &["a", "invoice (1).pdf", "x.tar.gz", "a[1]-b+c_d"],
            &["", ".bashrc", "../x", "a/b", "a\\b", "a\"b", "a\r\nb", "-rf", "é.txt", "a;b", &"x".repeat(129)],
            true,
        );
    }

    #[test]
    fn lines() {
        check::<Line<5>>(&["a", "größe", "a b"], &["", "abcdef", "a\n", "\u{7f}", "a\u{0}b"], true);
        check::<Line<5>>(&[], &["a\u{202e}b", "\u{e0041}"], false);
    }
}
