//! What each step of the chain refuses, with its own code.

use super::step::Code;
use crate::{
    bundle::BundleError,
    digest::Digest,
    environment::Environment,
    highwater::{DocumentRollbackError, RollbackError},
    key::Fingerprint,
    keyset::unsigned_by,
    manifest::{
        PluginId, PublisherName, ToolName,
        check::{MAX_COMPONENT, RuleError},
    },
    statement::StatementError,
    time::Timestamp,
};

/// Why a package is not what a trusted publisher signed for this host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// More than [`MAX_COMPONENT`] bytes.
    #[error("the component has {size} bytes, and at most {MAX_COMPONENT} are allowed")]
    ComponentTooLarge {
        /// Its bytes.
        size: usize,
    },
    /// The signature file cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// Signed by a key the operator did not enrol.
    #[error("the package is signed by {0}, which is not enrolled\nhelp: `casemate trust add` enrols a publisher's key")]
    UnknownKey(Fingerprint),
    /// Not signed by the key it names.
    #[error("the signature by {0} does not verify\nhelp: the package was changed after it was signed; do not use it")]
    Signature(Fingerprint),
    /// The signed payload cannot be read.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The manifest breaks rules of the loader.
    #[error("the manifest breaks {} of the loader's rules: {}", .0.len(), shown(.0))]
    Rules(Vec<RuleError>),
    /// The key's owner does not own the plugin's name.
    #[error("the key of `{publisher}` signed `{plugin}`, which `{publisher}` does not own")]
    NameNotOwned {
        /// Whose key it is.
        publisher: PublisherName,
        /// What it signed.
        plugin: PluginId,
    },
    /// The operator took the key back.
    #[error("the key {0} is revoked")]
    KeyRevoked(Fingerprint),
    /// The key is not for here.
    #[error(
        "the key {key} does not serve `{environment}`\nhelp: ask the publisher for a package signed with their `{environment}` key"
    )]
    Environment {
        /// Which key.
        key: Fingerprint,
        /// Where this is.
        environment: Environment,
    },
    /// The key is for something else.
    #[error("the key {0} does not have the role `release`")]
    KeyRole(Fingerprint),
    /// Too few of those who may sign.
    #[error("the package has {counted} of the {threshold} signatures it takes{}", unsigned_by(.missing))]
    Threshold {
        /// Distinct keys that were counted.
        counted: usize,
        /// How many it takes.
        threshold: u64,
        /// Who could still sign.
        missing: Vec<Fingerprint>,
    },
    /// Nobody speaks for the publisher any more.
    #[error(
        "version {version} of the keyset of `{publisher}` expired at {expires}\nhelp: `casemate trust rotate` takes the publisher's next one"
    )]
    KeysetExpired {
        /// Whose.
        publisher: PublisherName,
        /// Which.
        version: u64,
        /// When.
        expires: Timestamp,
    },
    /// The operator wants a list, and there is none.
    #[error("there is no revocation list of `{0}`, and the operator wants one\nhelp: fetch it from the place in the trust file")]
    RevocationsMissing(PublisherName),
    /// The list says nothing about what is still good.
    #[error("version {version} of the revocation list of `{publisher}` expired at {expires}\nhelp: fetch the newest one")]
    RevocationsExpired {
        /// Whose.
        publisher: PublisherName,
        /// Which.
        version: u64,
        /// When.
        expires: Timestamp,
    },
    /// The publisher took the key back, and without it too few have signed.
    #[error("the key {key} is revoked by its publisher: {reason}")]
    RevokedKey {
        /// Which key.
        key: Fingerprint,
        /// The publisher's words.
        reason: String,
    },
    /// The publisher took the release back.
    #[error("release {release} of `{plugin}` is revoked by its publisher: {reason}")]
    RevokedRelease {
        /// Which plugin.
        plugin: PluginId,
        /// Which release.
        release: u64,
        /// The publisher's words.
        reason: String,
    },
    /// The publisher took the component back.
    #[error("the component {component} is revoked by its publisher: {reason}")]
    RevokedComponent {
        /// Which component.
        component: Digest,
        /// The publisher's words.
        reason: String,
    },
    /// Other bytes than were signed.
    #[error("the component has {actual} bytes, and {signed} were signed")]
    ComponentSize {
        /// Its bytes.
        actual: u64,
        /// The statement's.
        signed: u64,
    },
    /// Other bytes than were signed.
    #[error("the component is not the one that was signed\nhelp: it was changed after it was signed; do not use it")]
    ComponentDigest,
}

fn shown(errors: &[RuleError]) -> String {
    errors.iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Code for VerifyError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}

impl VerifyError {
    /// A stable word for logs and scripts, one for each step.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ComponentTooLarge { .. } => "component-too-large",
            Self::Bundle(BundleError::TooLarge) => "bundle-too-large",
            Self::Bundle(_) => "bundle-invalid",
            Self::UnknownKey(_) => "key-unknown",
            Self::Signature(_) => "signature-invalid",
            Self::Statement(_) => "statement-invalid",
            Self::Rules(_) => "manifest-invalid",
            Self::NameNotOwned { .. } => "name-not-owned",
            Self::KeyRevoked(_) => "key-revoked",
            Self::Environment { .. } => "environment-not-served",
            Self::KeyRole(_) => "key-not-for-releases",
            Self::Threshold { .. } => "threshold",
            Self::KeysetExpired { .. } => "keyset-expired",
            Self::RevocationsMissing(_) => "revocations-missing",
            Self::RevocationsExpired { .. } => "revocations-expired",
            Self::RevokedKey { .. } => "revoked-key",
            Self::RevokedRelease { .. } => "revoked-release",
            Self::RevokedComponent { .. } => "revoked-component",
            Self::ComponentSize { .. } => "component-size-differs",
            Self::ComponentDigest => "component-digest-differs",
        }
    }
}

/// Why a verified package is not one the operator agreed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApproveError {
    /// Verified by a keyset, or held against a revocation list, that does not go on from what this host has seen; or by none.
    #[error(transparent)]
    Document(#[from] DocumentRollbackError),
    /// An old release, or a second one with its number.
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    /// Not installed.
    #[error("`{0}` is not in the lock file\nhelp: `casemate install` adds it")]
    NotLocked(PluginId),
    /// Another package than is installed.
    #[error(
        "`{plugin}` is not the package in the lock file: `{field}` differs\nhelp: `casemate install` replaces it, after showing what changed"
    )]
    Locked {
        /// Which plugin.
        plugin: PluginId,
        /// The first field that differs.
        field: &'static str,
    },
    /// Nobody agreed to it on this host.
    #[error("nobody approved `{0}` on this host\nhelp: `casemate install` shows what it asks for")]
    NotApproved(PluginId),
    /// It asks for other authority than was agreed to.
    #[error("`{0}` asks for other capabilities than were approved\nhelp: `casemate install` shows them")]
    Capabilities(PluginId),
    /// A tool says something else than was agreed to.
    #[error(
        "the tool `{tool}` of `{plugin}` is described differently than when it was approved\nhelp: `casemate install` shows it"
    )]
    ToolText {
        /// Which plugin.
        plugin: PluginId,
        /// Which tool.
        tool: ToolName,
    },
}

impl Code for ApproveError {
    fn code(&self) -> &'static str {
        Self::code(self)
    }
}

impl ApproveError {
    /// A stable word for logs and scripts, one for each step.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Document(error) => error.code(),
            Self::Rollback(error) => error.code(),
            Self::NotLocked(_) => "not-locked",
            Self::Locked { .. } => "lock-differs",
            Self::NotApproved(_) => "not-approved",
            Self::Capabilities(_) => "capabilities-changed",
            Self::ToolText { .. } => "tool-text-changed",
        }
    }
}
