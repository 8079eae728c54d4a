//! What each step of the chain refuses, with its own code.

use crate::{
    bundle::BundleError,
    environment::Environment,
    highwater::RollbackError,
    key::Fingerprint,
    manifest::{
        PluginId, PublisherName, ToolName,
        check::{MAX_COMPONENT, RuleError},
    },
    statement::StatementError,
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
            Self::ComponentSize { .. } => "component-size-differs",
            Self::ComponentDigest => "component-digest-differs",
        }
    }
}

/// Why a verified package is not one the operator agreed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApproveError {
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

impl ApproveError {
    /// A stable word for logs and scripts, one for each step.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rollback(RollbackError::Older { .. }) => "release-older",
            Self::Rollback(RollbackError::Replaced { .. }) => "release-replaced",
            Self::NotLocked(_) => "not-locked",
            Self::Locked { .. } => "lock-differs",
            Self::NotApproved(_) => "not-approved",
            Self::Capabilities(_) => "capabilities-changed",
            Self::ToolText { .. } => "tool-text-changed",
        }
    }
}
