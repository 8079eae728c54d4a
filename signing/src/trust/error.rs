//! Why a trust store is not read or not changed.

use super::{MAX_KEYS, MAX_TRUST_FILE, Namespace, VERSION};
use crate::{
    key::{Fingerprint, KeyError},
    keyset::KeysetError,
    manifest::PublisherName,
};

/// Why a key is not enrolled, or a trust file not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// More than [`MAX_TRUST_FILE`] bytes.
    #[error("the trust file is larger than {MAX_TRUST_FILE} bytes")]
    TooLarge,
    /// Not the TOML of a trust file.
    #[error("the trust file cannot be read: {0}")]
    Syntax(String),
    /// Written by another version.
    #[error("the trust file has version {0}, and this program reads version {VERSION}")]
    Version(u64),
    /// The key is not the one the operator was told of.
    #[error("the key's fingerprint is {actual}, not {expected}\nhelp: ask the publisher again, by another way than the key came")]
    Fingerprint {
        /// What the operator gave.
        expected: Fingerprint,
        /// What the key has.
        actual: Fingerprint,
    },
    /// Not a key that may be enrolled.
    #[error("the key {fingerprint} is refused: {error}")]
    Key {
        /// As the file states it.
        fingerprint: Fingerprint,
        /// What is wrong with it.
        error: KeyError,
    },
    /// A key belongs to one publisher, and is listed once.
    #[error("the key {key} is already enrolled for `{publisher}`")]
    AlreadyEnrolled {
        /// Which key.
        key: Fingerprint,
        /// Whose it is.
        publisher: PublisherName,
    },
    /// No such key.
    #[error("the key {0} is not enrolled")]
    NotEnrolled(Fingerprint),
    /// The store must not grow without end.
    #[error("`{0}` has {MAX_KEYS} keys, and no more are allowed")]
    TooManyKeys(PublisherName),
    /// A name under another publisher's.
    #[error("`{publisher}` cannot own `{namespace}`\nhelp: a publisher owns `{publisher}/*`, or names under `{publisher}/`")]
    ForeignNamespace {
        /// Who would own it.
        publisher: PublisherName,
        /// What.
        namespace: Namespace,
    },
    /// A publisher that may publish nothing.
    #[error("`{0}` owns no names")]
    NoNamespace(PublisherName),
    /// A publisher without keys.
    #[error("`{0}` has no keys")]
    NoKeys(PublisherName),
    /// A key that serves nowhere.
    #[error("the key {0} serves no environment\nhelp: name at least one of `dev`, `stage` and `prod`")]
    NoEnvironment(Fingerprint),
    /// A publisher has keys of its own or a keyset, and not both.
    #[error("`{0}` is already trusted\nhelp: `casemate trust remove` forgets a publisher")]
    AlreadyTrusted(PublisherName),
    /// Keys of a keyset are enrolled by the keyset.
    #[error("the keys of `{0}` come from its keyset\nhelp: `casemate trust rotate` takes the publisher's next one")]
    BoundToKeyset(PublisherName),
    /// Only a keyset is followed by another.
    #[error("`{0}` has keys of its own, and no keyset")]
    NoKeyset(PublisherName),
    /// A publisher that may publish nothing here: the keyset and the operator name nothing in common.
    #[error("the keyset of `{0}` owns none of the names it was bound to")]
    NothingInCommon(PublisherName),
    /// A binding that serves nowhere.
    #[error("`{0}` serves no environment\nhelp: name at least one of `dev`, `stage` and `prod`")]
    ServesNowhere(PublisherName),
    /// Not a publisher the operator trusts.
    #[error("`{0}` is not trusted here")]
    NotTrusted(PublisherName),
    /// The pinned document is not there.
    #[error(
        "the keyset version {version} of `{publisher}` is missing\nhelp: it stands in `trust/publishers/{publisher}/{version}.json`"
    )]
    NoDocument {
        /// Whose.
        publisher: PublisherName,
        /// Which.
        version: u64,
    },
    /// The document is refused.
    #[error("the keyset of `{publisher}` is refused: {error}")]
    Keyset {
        /// Whose.
        publisher: PublisherName,
        /// Why.
        error: Box<KeysetError>,
    },
    /// A publisher's entry has keys and a keyset, or fields of the other kind.
    #[error("`{0}` has either keys or a keyset with environments\nhelp: `casemate trust` writes this file")]
    Mixed(PublisherName),
    /// Not a place that a list can be fetched from.
    #[error("`{0}` is no place for a revocation list\nhelp: give an https URL or a path; http is for this machine alone")]
    RevocationSource(String),
}
