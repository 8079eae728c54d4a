//! `oci://host[:port]/repository[:tag|@sha256:…]`: which package, and where.

use std::{fmt, str::FromStr};

use casemate_signing::digest::Digest;

use crate::{
    authority::{Authority, InvalidAuthority},
    request::{shown, shown_url},
};

const SCHEME: &str = "oci://";
/// Host and repository together: the distribution specification advises clients to keep to it.
const MAX_NAME: usize = 255;
/// The distribution specification, "Pulling manifests".
const MAX_TAG: usize = 128;

/// Text that is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// No `oci://`.
    #[error("`{0}` does not start with `oci://`\nhelp: a package in a registry is written oci://HOST/REPOSITORY:TAG")]
    Scheme(String),
    /// No host, or one with a second reading.
    #[error(transparent)]
    Host(#[from] InvalidAuthority),
    /// Nothing after the host.
    #[error("`{0}` names no repository\nhelp: a package in a registry is written oci://HOST/REPOSITORY:TAG")]
    NoRepository(String),
    /// Characters that a repository cannot have.
    #[error(
        "`{0}` is not a repository\nhelp: it is lower-case letters and digits with single `.`, `_`, `-` or `/` between them, and at most {MAX_NAME} characters with its host"
    )]
    Repository(String),
    /// Characters that a tag cannot have.
    #[error("`{0}` is not a tag\nhelp: it is at most {MAX_TAG} letters, digits, `_`, `.` and `-`, and starts with no `.` or `-`")]
    Tag(String),
    /// Not `sha256:` and 64 lower-case hex digits.
    #[error("`{0}` is not a digest\nhelp: it is written `@sha256:` followed by 64 lower-case hex digits")]
    Digest(String),
    /// Both: they could name two packages.
    #[error("`{0}` has a tag and a digest\nhelp: a digest names one package; leave the tag out")]
    TagAndDigest(String),
}

impl InvalidReference {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Scheme(_) => "reference-scheme",
            Self::Host(_) => "reference-host",
            Self::NoRepository(_) => "reference-no-repository",
            Self::Repository(_) => "reference-repository",
            Self::Tag(_) => "reference-tag",
            Self::Digest(_) => "reference-digest",
            Self::TagAndDigest(_) => "reference-tag-and-digest",
        }
    }
}

/// A repository's name inside its registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository(String);

/// A name that the registry can move from one package to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// Which of a repository's packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// Whatever the registry says this is, once.
    Tag(Tag),
    /// The manifest with this digest and no other.
    Digest(Digest),
}

/// A package in a registry, or a whole repository where no version is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    registry: Authority,
    repository: Repository,
    version: Option<Version>,
}

impl Reference {
    pub(crate) fn new(registry: Authority, repository: Repository, version: Option<Version>) -> Self {
        Self { registry, repository, version }
    }

    /// Where.
    pub fn registry(&self) -> &Authority {
        &self.registry
    }

    /// What of it.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Which, if that is said.
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// The same repository at another version.
    pub fn at(&self, version: Version) -> Self {
        Self { version: Some(version), ..self.clone() }
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| InvalidReference::Scheme(shown_url(text)))?;
        let (host, path) = rest.split_once('/').ok_or_else(|| InvalidReference::NoRepository(shown_url(text)))?;
        let registry: Authority = host.parse()?;
        let (path, version) = match path.split_once('@') {
            Some((path, _)) if path.contains(':') => return Err(InvalidReference::TagAndDigest(shown_url(text))),
            Some((path, digest)) => {
                let digest = digest.parse().map_err(|_| InvalidReference::Digest(shown(digest)))?;
                (path, Some(Version::Digest(digest)))
            }
            None => match path.split_once(':') {
                Some((path, tag)) => (path, Some(Version::Tag(tag.parse()?))),
                None => (path, None),
            },
        };
        let repository: Repository = path.parse()?;
        if registry.to_string().len() + 1 + path.len() > MAX_NAME {
            return Err(InvalidReference::Repository(shown(path)));
        }
        Ok(Self { registry, repository, version })
    }
}

impl FromStr for Repository {
    type Err = InvalidReference;
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        if text.len() <= MAX_NAME && text.split('/').all(is_component) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidReference::Repository(shown(text)))
        }
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, as the distribution specification has it.
fn is_component(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let separators = text.split(|c: char| c.is_ascii() && letter(c as u8)).filter(|part| !part.is_empty());
    text.bytes().next().is_some_and(letter)
        && text.bytes().next_back().is_some_and(letter)
        && separators.into_iter().all(|part| matches!(part, "." | "_" | "__") || part.bytes().all(|byte| byte == b'-'))
}

impl FromStr for Tag {
    type Err = InvalidReference;
    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let fits = (1..=MAX_TAG).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
            && !text.starts_with(['.', '-']);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidReference::Tag(shown(text))) }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As it stands in a request's path.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(f),
            Self::Digest(digest) => digest.fmt(f),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.registry, self.repository)?;
        match &self.version {
            Some(Version::Tag(tag)) => write!(f, ":{tag}"),
            Some(Version::Digest(digest)) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn text_goes_both_ways() {
        for text in [
            "oci://ghcr.io/acme/plugin",
            "oci://ghcr.io/acme/plugin:1.0.0",
            "oci://127.0.0.1:5000/a:_x-Y.9",
            "oci://[::1]:5000/a__b/c---d.e_f:latest",
            &format!("oci://ghcr.io/acme/plugin@{DIGEST}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_refusal_shows_no_credential() {
        for text in [
            "https://user:secret@ghcr.io/acme/plugin:1",
            "https://ghcr.io/acme/plugin?token=secret",
            "oci://user:secret@ghcr.io/acme/plugin",
            "oci://user:secret@ghcr.io",
        ] {
            let refused = text.parse::<Reference>().unwrap_err().to_string();
            assert!(!refused.contains("secret") && refused.contains("ghcr.io"), "{refused}");
        }
    }

    #[test]
    fn each_refusal_has_its_own_error() {
        let long = "a".repeat(250);
        for (text, code) in [
            ("ghcr.io/acme/plugin:1", "reference-scheme"),
            ("https://ghcr.io/acme/plugin:1", "reference-scheme"),
            ("OCI://ghcr.io/acme/plugin:1", "reference-scheme"),
            ("oci://user:password@ghcr.io/acme/plugin", "reference-host"),
            ("oci:///acme/plugin", "reference-host"),
            ("oci://127.1/acme", "reference-host"),
            ("oci://ghcr.io", "reference-no-repository"),
            ("oci://ghcr.io/", "reference-repository"),
            ("oci://ghcr.io/:tag", "reference-repository"),
            ("oci://ghcr.io/Acme", "reference-repository"),
            ("oci://ghcr.io/a//b", "reference-repository"),
            ("oci://ghcr.io/a/../b", "reference-repository"),
            ("oci://ghcr.io/a/%2e%2e/b", "reference-repository"),
            ("oci://ghcr.io/a/b/", "reference-repository"),
            ("oci://ghcr.io/a..b", "reference-repository"),
            ("oci://ghcr.io/a___b", "reference-repository"),
            ("oci://ghcr.io/a.-b", "reference-repository"),
            ("oci://ghcr.io/-a", "reference-repository"),
            ("oci://ghcr.io/a-", "reference-repository"),
            ("oci://ghcr.io/a?b", "reference-repository"),
            ("oci://ghcr.io/a#b", "reference-repository"),
            ("oci://ghcr.io/ä", "reference-repository"),
            (&format!("oci://ghcr.io/{long}"), "reference-repository"),
            ("oci://ghcr.io/a:", "reference-tag"),
            ("oci://ghcr.io/a:.x", "reference-tag"),
            ("oci://ghcr.io/a:-x", "reference-tag"),
            ("oci://ghcr.io/a:x/y", "reference-tag"),
            ("oci://ghcr.io/a:x:y", "reference-tag"),
            (&format!("oci://ghcr.io/a:{}", "x".repeat(129)), "reference-tag"),
            ("oci://ghcr.io/a@sha256:00", "reference-digest"),
            ("oci://ghcr.io/a@", "reference-digest"),
            (&format!("oci://ghcr.io/a@{}", DIGEST.to_uppercase()), "reference-digest"),
            (&format!("oci://ghcr.io/a:1@{DIGEST}"), "reference-tag-and-digest"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap_err().code(), code, "{text}");
        }
    }
}
