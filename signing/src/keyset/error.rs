//! What each rule and each step of a keyset refuses.

use super::{MAX_REVOKED, Role};
use crate::{
    digest::Digest,
    document::DocumentError,
    key::Fingerprint,
    manifest::PublisherName,
    time::Timestamp,
    trust::{MAX_KEYS, Namespace},
};

/// Why a keyset document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysetError {
    /// It cannot be read.
    #[error("the keyset cannot be read: {0}")]
    Document(#[from] DocumentError),
    /// Versions begin at 1.
    #[error("the keyset has version 0, and versions begin at 1")]
    VersionZero,
    /// Names another document before it, or none.
    #[error(
        "keyset version {version} does not name the document before it\nhelp: `previous` is its digest, and null only in version 1"
    )]
    Previous {
        /// Its version.
        version: u64,
    },
    /// A publisher that may publish nothing.
    #[error("the keyset owns no names")]
    NoNamespace,
    /// A name under another publisher's.
    #[error("the keyset claims `{0}`, which is not under its publisher's name")]
    ForeignNamespace(Namespace),
    /// More than [`MAX_KEYS`].
    #[error("the keyset has more than {MAX_KEYS} keys")]
    TooManyKeys,
    /// One key, two entries.
    #[error("the keyset lists the key {0} twice")]
    KeyTwice(Fingerprint),
    /// A key that serves nowhere.
    #[error("the key {0} serves no environment\nhelp: name at least one of `dev`, `stage` and `prod`")]
    NoEnvironment(Fingerprint),
    /// There is one order.
    #[error("the keys are not in the order of their fingerprints")]
    Order,
    /// More than [`MAX_REVOKED`].
    #[error("the keyset revokes more than {MAX_REVOKED} keys")]
    TooManyRevoked,
    /// A revoked key may do nothing.
    #[error("the key {key} is revoked and still has the role `{role}`")]
    RevokedInRole {
        /// Which role.
        role: Role,
        /// Which key.
        key: Fingerprint,
    },
    /// A role names a key that is not there.
    #[error("the key {key} of the role `{role}` is not among the keys")]
    UnknownInRole {
        /// Which role.
        role: Role,
        /// Which key.
        key: Fingerprint,
    },
    /// Nobody would have to sign.
    #[error("the role `{0}` has the threshold 0")]
    ThresholdZero(Role),
    /// More signatures than there can be.
    #[error("the role `{role}` has the threshold {threshold} and {keys} keys")]
    ThresholdTooHigh {
        /// Which role.
        role: Role,
        /// Its threshold.
        threshold: u64,
        /// Its keys.
        keys: usize,
    },
    /// Not the document the operator was told of.
    #[error(
        "the keyset's fingerprint is {actual}, not {expected}\nhelp: ask the publisher again, by another way than the keyset came"
    )]
    Fingerprint {
        /// What the operator gave.
        expected: Fingerprint,
        /// What the document has.
        actual: Fingerprint,
    },
    /// Not the document the trust file pins.
    #[error("the keyset's digest is {actual}, and the trust file pins {expected}")]
    NotPinned {
        /// The trust file's.
        expected: Digest,
        /// The document's.
        actual: Digest,
    },
    /// Not the version the trust file pins.
    #[error("the keyset has version {actual}, and the trust file pins version {expected}")]
    Version {
        /// The trust file's.
        expected: u64,
        /// The document's.
        actual: u64,
    },
    /// Too few of those who may have signed it.
    #[error(
        "the keyset has {counted} of the {threshold} signatures that version {version} asks for{}",
        unsigned_by(.missing)
    )]
    Signatures {
        /// Whose threshold is not met.
        version: u64,
        /// Distinct keys that signed.
        counted: usize,
        /// How many it takes.
        threshold: u64,
        /// Who could still sign.
        missing: Vec<Fingerprint>,
    },
    /// Another publisher's.
    #[error("the keyset is of `{actual}`, not of `{expected}`")]
    Publisher {
        /// Whose is expected.
        expected: PublisherName,
        /// Whose it is.
        actual: PublisherName,
    },
    /// Older, the same again, or one left out.
    #[error("keyset version {version} does not follow version {current}\nhelp: documents are taken one by one, in their order")]
    NotNext {
        /// The version in force.
        current: u64,
        /// The document's.
        version: u64,
    },
    /// It is out of date.
    #[error("keyset version {version} expired at {expires}\nhelp: ask the publisher for a newer one")]
    Expired {
        /// Its version.
        version: u64,
        /// When.
        expires: Timestamp,
    },
}

/// Whose signatures would count besides: the second line of a message.
pub(crate) fn unsigned_by(keys: &[Fingerprint]) -> String {
    match keys {
        [] => String::new(),
        keys => format!("\nhelp: these have not signed: {}", keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

impl KeysetError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Document(DocumentError::PayloadType(_)) => "keyset-other-document",
            Self::Document(DocumentError::Spelling) | Self::Order => "keyset-spelling",
            Self::Document(_) => "keyset-invalid",
            Self::VersionZero => "keyset-version-zero",
            Self::Previous { .. } => "keyset-previous",
            Self::NoNamespace => "keyset-no-namespace",
            Self::ForeignNamespace(_) => "keyset-foreign-namespace",
            Self::TooManyKeys => "keyset-too-many-keys",
            Self::KeyTwice(_) => "keyset-key-twice",
            Self::NoEnvironment(_) => "keyset-no-environment",
            Self::TooManyRevoked => "keyset-too-many-revoked",
            Self::RevokedInRole { .. } => "keyset-revoked-in-role",
            Self::UnknownInRole { .. } => "keyset-unknown-in-role",
            Self::ThresholdZero(_) => "keyset-threshold-zero",
            Self::ThresholdTooHigh { .. } => "keyset-threshold-too-high",
            Self::Fingerprint { .. } => "keyset-fingerprint-differs",
            Self::NotPinned { .. } => "keyset-not-pinned",
            Self::Version { .. } => "keyset-version-differs",
            Self::Signatures { .. } => "keyset-signatures-missing",
            Self::Publisher { .. } => "keyset-other-publisher",
            Self::NotNext { .. } => "keyset-not-next",
            Self::Expired { .. } => "keyset-expired",
        }
    }
}
