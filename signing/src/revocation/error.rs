//! What each rule of a revocation list refuses.

use std::collections::BTreeSet;

use super::MAX_ENTRIES;
use crate::{
    document::DocumentError,
    environment::Environment,
    key::Fingerprint,
    keyset::unsigned_by,
    manifest::{PluginId, PublisherName, text::TextError},
    time::Timestamp,
};

/// Why a revocation list is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// It cannot be read.
    #[error("the revocation list cannot be read: {0}")]
    Document(#[from] DocumentError),
    /// Nobody the operator trusts.
    #[error("the revocation list's publisher `{0}` is not trusted here")]
    UnknownPublisher(PublisherName),
    /// Another publisher's.
    #[error("the revocation list is of `{actual}`, not of `{expected}`")]
    Publisher {
        /// Whose is expected.
        expected: PublisherName,
        /// Whose it is.
        actual: PublisherName,
    },
    /// Versions begin at 1.
    #[error("the revocation list has version 0, and versions begin at 1")]
    VersionZero,
    /// Expired before it was issued.
    #[error("the revocation list expires at {expires}, and was issued at {issued}")]
    Dates {
        /// When it was issued.
        issued: Timestamp,
        /// When it expires.
        expires: Timestamp,
    },
    /// More than [`MAX_ENTRIES`].
    #[error("the revocation list has more than {MAX_ENTRIES} entries")]
    TooManyEntries,
    /// There is one order, and no entry twice.
    #[error("the entries are not in their order, or one is there twice")]
    Order,
    /// A reason that cannot be shown.
    #[error("a reason cannot be shown: {0}")]
    Reason(#[from] TextError),
    /// A list reaches its publisher's plugins only.
    #[error("the revocation list of `{publisher}` names `{plugin}`, which is not theirs")]
    ForeignPlugin {
        /// Whose list it is.
        publisher: PublisherName,
        /// What it names.
        plugin: PluginId,
    },
    /// A list reaches its publisher's keys only.
    #[error("the revocation list of `{publisher}` names the key {key} of `{owner}`")]
    ForeignKey {
        /// Whose list it is.
        publisher: PublisherName,
        /// What it names.
        key: Fingerprint,
        /// Whose key that is.
        owner: PublisherName,
    },
    /// Too few of those who may have signed it.
    #[error("the revocation list has {counted} of the {threshold} signatures it takes{}", unsigned_by(.missing))]
    Signatures {
        /// Distinct keys that signed.
        counted: usize,
        /// How many it takes.
        threshold: u64,
        /// Who could still sign.
        missing: Vec<Fingerprint>,
    },
    /// Nobody who signed it speaks for some of the places that it would reach.
    #[error("the revocation list is signed by no key that serves {}{}", named(.environments), could_sign(.missing))]
    Environments {
        /// Where its publisher is trusted, and none of those who signed.
        environments: BTreeSet<Environment>,
        /// Who could sign for one of them.
        missing: Vec<Fingerprint>,
    },
}

fn named(environments: &BTreeSet<Environment>) -> String {
    environments.iter().map(|place| format!("`{place}`")).collect::<Vec<_>>().join(" and ")
}

fn could_sign(keys: &[Fingerprint]) -> String {
    match keys {
        [] => "\nhelp: no key that may is enrolled; `casemate trust add` enrols one that the publisher has there".to_owned(),
        keys => unsigned_by(keys),
    }
}

impl RevocationError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Document(DocumentError::PayloadType(_)) => "revocations-other-document",
            Self::Document(DocumentError::Spelling) | Self::Order => "revocations-spelling",
            Self::Document(_) => "revocations-invalid",
            Self::UnknownPublisher(_) => "revocations-unknown-publisher",
            Self::Publisher { .. } => "revocations-other-publisher",
            Self::VersionZero => "revocations-version-zero",
            Self::Dates { .. } => "revocations-dates",
            Self::TooManyEntries => "revocations-too-many",
            Self::Reason(_) => "revocations-reason",
            Self::ForeignPlugin { .. } => "revocations-foreign-plugin",
            Self::ForeignKey { .. } => "revocations-foreign-key",
            Self::Signatures { .. } => "revocations-signatures-missing",
            Self::Environments { .. } => "revocations-environments",
        }
    }
}
