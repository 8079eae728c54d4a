//! Bearer tokens: made here, shown once, and kept only as hashes.
//!
//! A token is 256 random bits, so its hash needs no salt and no slow function (NIST SP 800-63B section 5.1.2.2 asks for
//! those only below 112 bits). Whoever reads the file cannot use what is in it.

use std::{collections::BTreeSet, fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use casemate_policy::{InvalidName, InvalidTimestamp, PrincipalId, Timestamp, approval::RoleName};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What every token starts with, so that people and secret scanners recognise one.
pub const PREFIX: &str = "casemate_";

/// Random bytes in a token.
const SECRET_BYTES: usize = 32;

/// The longest text that is looked at as a token. Ours are shorter; anything longer is not hashed.
const PRESENTED_BYTES: usize = 256;

/// A token's name: `^[a-z0-9][a-z0-9._-]{0,63}$`. Its bearer is the principal `token:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenName {
    text: String,
    principal: PrincipalId,
}

/// A text that is not a token's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a token name\nhelp: use 1 to 64 of a-z, 0-9, `.`, `_` and `-`, starting with a letter or digit", .0.escape_debug())]
pub struct InvalidTokenName(String);

impl FromStr for TokenName {
    type Err = InvalidTokenName;

    fn from_str(text: &str) -> Result<Self, InvalidTokenName> {
        let invalid = || InvalidTokenName(text.chars().take(80).collect());
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let starts_plain = text.bytes().next().is_some_and(plain);
        if !starts_plain || text.len() > 64 || !text.bytes().all(|byte| plain(byte) || b"._-".contains(&byte)) {
            return Err(invalid());
        }
        let principal = format!("token:{text}").parse().map_err(|_| invalid())?;
        Ok(Self { text: text.into(), principal })
    }
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A token just made: the only moment its text is known.
pub struct NewToken(Zeroizing<String>);

impl NewToken {
    /// The token's text, to be shown once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewToken(…)")
    }
}

/// What is kept of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    name: TokenName,
    sha256: [u8; 32],
    created: Timestamp,
    expires: Option<Timestamp>,
    roles: BTreeSet<RoleName>,
}

impl TokenRecord {
    /// The token's name.
    #[must_use]
    pub fn name(&self) -> &TokenName {
        &self.name
    }

    /// The principal that its bearer is, `token:NAME`.
    #[must_use]
    pub fn principal(&self) -> &PrincipalId {
        &self.name.principal
    }

    /// When it was made.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// The roles that its bearer has: it holds the grants that name `role:ROLE`.
    #[must_use]
    pub fn roles(&self) -> &BTreeSet<RoleName> {
        &self.roles
    }

    /// The moment from which it opens nothing; none for a token that does not expire.
    #[must_use]
    pub fn expires(&self) -> Option<Timestamp> {
        self.expires
    }
}

/// All tokens of one installation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenFile {
    records: Vec<TokenRecord>,
}

/// Why a text is not a token file.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// Not TOML of the right shape.
    #[error(
        "the token file cannot be read: {0}\nhelp: it is written by `casemate token`; restore it or remove it and make new tokens"
    )]
    Form(String),
    /// A name that no token can have.
    #[error(transparent)]
    Name(#[from] InvalidTokenName),
    /// A hash that is not 64 hexadecimal digits.
    #[error("the hash of token `{0}` is not 64 hexadecimal digits\nhelp: revoke the token and make a new one")]
    Hash(TokenName),
    /// A moment that cannot be read.
    #[error("a date of token `{0}` cannot be read")]
    Date(TokenName, #[source] InvalidTimestamp),
    /// A role that is none.
    #[error("a role of token `{0}` cannot be read")]
    Role(TokenName, #[source] InvalidName),
    /// One name twice.
    #[error("the token file has `{0}` twice\nhelp: remove one of the two")]
    Repeated(TokenName),
}

/// Why no token could be made.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// There is one of this name.
    #[error("there is a token `{0}` already\nhelp: choose another name, or run `casemate token revoke {0}` first")]
    Exists(TokenName),
    /// The machine has no random bytes to give.
    #[error("the operating system gave no random bytes")]
    Random(#[source] getrandom::Error),
}

/// Why a presented token opens nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was never issued here, or was revoked.
    #[error("unknown token")]
    Unknown,
    /// Its time is over.
    #[error("token `{name}` expired at {at}")]
    Expired {
        /// Which token.
        name: TokenName,
        /// Since when.
        at: Timestamp,
    },
}

impl TokenFile {
    /// Reads what [`TokenFile::to_text`] wrote.
    ///
    /// # Errors
    ///
    /// [`TokenFileError`]; a file with anything wrong in it opens nothing at all.
    pub fn parse(text: &str) -> Result<Self, TokenFileError> {
        let form: Form = toml::from_str(text).map_err(|error| TokenFileError::Form(error.message().into()))?;
        let mut file = Self::default();
        for entry in form.token {
            let record = entry.read()?;
            if file.records.iter().any(|other| other.name == record.name) {
                return Err(TokenFileError::Repeated(record.name));
            }
            file.records.push(record);
        }
        Ok(file)
    }

    /// The file's text. It holds no secret, yet is nobody's business: keep it readable for its owner only.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::from("# Bearer tokens for the HTTP endpoint, as SHA-256 hashes. Written by `casemate token`.\n");
        for record in &self.records {
            let TokenRecord { name, sha256, created, expires, roles } = record;
            // Names, hashes, dates and roles have no character that TOML would need escaped.
            text.push_str(&format!("\n[[token]]\nname = \"{name}\"\nsha256 = \"{}\"\ncreated = \"{created}\"\n", hex(sha256)));
            if let Some(expires) = expires {
                text.push_str(&format!("expires = \"{expires}\"\n"));
            }
            if !roles.is_empty() {
                let roles: Vec<String> = roles.iter().map(|role| format!("\"{role}\"")).collect();
                text.push_str(&format!("roles = [{}]\n", roles.join(", ")));
            }
        }
        text
    }

    /// Makes a token called `name`, whose bearer has no roles.
    ///
    /// # Errors
    ///
    /// [`IssueError`].
    pub fn issue(&mut self, name: TokenName, created: Timestamp, expires: Option<Timestamp>) -> Result<NewToken, IssueError> {
        self.issue_with(name, created, expires, BTreeSet::new())
    }

    /// The same with roles.
    ///
    /// # Errors
    ///
    /// [`IssueError`].
    pub fn issue_with(
        &mut self,
        name: TokenName,
        created: Timestamp,
        expires: Option<Timestamp>,
        roles: BTreeSet<RoleName>,
    ) -> Result<NewToken, IssueError> {
        if self.records.iter().any(|record| record.name == name) {
            return Err(IssueError::Exists(name));
        }
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        getrandom::fill(secret.as_mut()).map_err(IssueError::Random)?;
        let token = Zeroizing::new(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(secret.as_ref())));
        self.records.push(TokenRecord { name, sha256: hash(&token), created, expires, roles });
        Ok(NewToken(token))
    }

    /// Forgets the token called `name`; says whether there was one.
    pub fn revoke(&mut self, name: &TokenName) -> bool {
        let before = self.records.len();
        self.records.retain(|record| record.name != *name);
        self.records.len() < before
    }

    /// The tokens, in the order they were made.
    pub fn iter(&self) -> impl Iterator<Item = &TokenRecord> {
        self.records.iter()
    }

    /// The record of the token `presented`, if it is good at `now`.
    ///
    /// # Errors
    ///
    /// [`Refused`].
    pub fn find(&self, presented: &str, now: Timestamp) -> Result<&TokenRecord, Refused> {
        if presented.len() > PRESENTED_BYTES {
            return Err(Refused::Unknown);
        }
        let presented = hash(presented);
        // Every record is compared, whole: the time taken says nothing about which one came close.
        let mut found = None;
        for record in &self.records {
            if bool::from(record.sha256.ct_eq(&presented)) {
                found = Some(record);
            }
        }
        let record = found.ok_or(Refused::Unknown)?;
        match record.expires {
            Some(at) if now >= at => Err(Refused::Expired { name: record.name.clone(), at }),
            _ => Ok(record),
        }
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(default)]
    token: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    sha256: String,
    created: String,
    expires: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
}

impl Entry {
    fn read(self) -> Result<TokenRecord, TokenFileError> {
        let name: TokenName = self.name.parse()?;
        let sha256 = unhex(&self.sha256).ok_or_else(|| TokenFileError::Hash(name.clone()))?;
        let date = |text: &str| text.parse().map_err(|error| TokenFileError::Date(name.clone(), error));
        let created = date(&self.created)?;
        let expires = self.expires.as_deref().map(date).transpose()?;
        let role = |text: &String| text.parse().map_err(|error| TokenFileError::Role(name.clone(), error));
        let roles = self.roles.iter().map(role).collect::<Result<_, _>>()?;
        Ok(TokenRecord { name, sha256, created, expires, roles })
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use casemate_policy::Timestamp;

    use super::{IssueError, PREFIX, Refused, TokenFile, TokenFileError, TokenName};

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn name(text: &str) -> TokenName {
        text.parse().unwrap()
    }

    #[test]
    fn a_token_is_recognisable_long_and_never_the_same() {
        let mut file = TokenFile::default();
        let one = file.issue(name("one"), NOW, None).unwrap();
        let two = file.issue(name("two"), NOW, None).unwrap();
        assert!(one.reveal().starts_with(PREFIX));
        assert_eq!(one.reveal().len(), PREFIX.len() + 43);
        assert_ne!(one.reveal(), two.reveal());
    }

    #[test]
    fn the_file_keeps_no_token_and_reads_back() {
        let mut file = TokenFile::default();
        let token = file.issue(name("ci"), NOW, Some(Timestamp::from_millis(1_798_675_200_000))).unwrap();
        let roles = BTreeSet::from(["soc".parse().unwrap(), "on-call".parse().unwrap()]);
        file.issue_with(name("other.one_2-b"), NOW, None, roles).unwrap();
        let text = file.to_text();
        assert!(!text.contains(token.reveal()) && !text.contains(token.reveal().strip_prefix(PREFIX).unwrap()));
        assert!(!format!("{token:?}{file:?}").contains(token.reveal()));
        let read = TokenFile::parse(&text).unwrap();
        assert_eq!(read, file);
        assert_eq!(read.find(token.reveal(), NOW).unwrap().principal().as_str(), "token:ci");
        assert_eq!(TokenFile::parse("").unwrap(), TokenFile::default());
    }

    #[test]
    fn only_the_whole_token_opens() {
        let mut file = TokenFile::default();
        let token = file.issue(name("ci"), NOW, None).unwrap();
        let good = token.reveal();
        let stored = file.to_text();
        let stored_hash = stored.split("sha256 = \"").nth(1).unwrap().get(..64).unwrap();
        let long = "x".repeat(10_000);
        let changed = good.replace(PREFIX, "Casemate_");
        for bad in ["", PREFIX, good.get(..good.len() - 1).unwrap(), &format!("{good}x"), &changed, stored_hash, &long] {
            assert_eq!(file.find(bad, NOW).unwrap_err(), Refused::Unknown);
        }
        assert!(file.find(good, NOW).is_ok());
    }

    #[test]
    fn expiry_and_revocation_close() {
        let mut file = TokenFile::default();
        let token = file.issue(name("ci"), NOW, Some(NOW.plus_millis(1000))).unwrap();
        assert!(file.find(token.reveal(), NOW.plus_millis(999)).is_ok());
        assert!(matches!(file.find(token.reveal(), NOW.plus_millis(1000)), Err(Refused::Expired { .. })));
        assert!(file.revoke(&name("ci")));
        assert!(!file.revoke(&name("ci")));
        assert_eq!(file.find(token.reveal(), NOW).unwrap_err(), Refused::Unknown);
    }

    #[test]
    fn a_name_is_given_once() {
        let mut file = TokenFile::default();
        file.issue(name("ci"), NOW, None).unwrap();
        assert!(matches!(file.issue(name("ci"), NOW, None), Err(IssueError::Exists(_))));
    }

    #[test]
    fn names_that_could_be_taken_for_something_else_are_refused() {
        for text in ["", "A", "a b", "a:b", "-a", ".a", "ä", "a\n", "a\"", &"a".repeat(65)] {
            assert!(text.parse::<TokenName>().is_err(), "`{text}`");
        }
    }

    #[test]
    fn a_file_with_anything_wrong_opens_nothing() {
        let hash = "ab".repeat(32);
        let entry = |name: &str, hash: &str, more: &str| {
            format!("[[token]]\nname = \"{name}\"\nsha256 = \"{hash}\"\ncreated = \"2026-01-01T00:00:00Z\"\n{more}\n")
        };
        assert!(TokenFile::parse(&entry("ci", &hash, "")).is_ok());
        assert!(matches!(TokenFile::parse(&entry("ci", &hash, "admin = true")), Err(TokenFileError::Form(_))));
        assert!(matches!(TokenFile::parse("tokens = []"), Err(TokenFileError::Form(_))));
        assert!(matches!(TokenFile::parse(&entry("c i", &hash, "")), Err(TokenFileError::Name(_))));
        assert!(matches!(TokenFile::parse(&entry("ci", "ab", "")), Err(TokenFileError::Hash(_))));
        assert!(matches!(TokenFile::parse(&entry("ci", &"zz".repeat(32), "")), Err(TokenFileError::Hash(_))));
        assert!(matches!(TokenFile::parse(&entry("ci", &hash, "expires = \"soon\"")), Err(TokenFileError::Date(..))));
        assert!(matches!(TokenFile::parse(&entry("ci", &hash, "roles = [\"SOC\"]")), Err(TokenFileError::Role(..))));
        let twice = entry("ci", &hash, "") + &entry("ci", &hash, "");
        assert!(matches!(TokenFile::parse(&twice), Err(TokenFileError::Repeated(_))));
    }
}
