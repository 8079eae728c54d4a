//! The one way from bytes to a package that may be run: `Untrusted → Verified → Approved → Loadable`.
//!
//! Each type is made by the step before it and by nothing else, and each step has its own error. The order is the
//! contract:
//!
//! 1. [`Untrusted::verify`]: caps, bundles, enrolled keys by their hints, `verify_strict` over the exact payload for each;
//!    only then is the payload parsed, once; its fields and rules; the publisher owns the name, and as many distinct keys
//!    signed as its threshold asks for that are not revoked, sign packages and serve this environment; the component is the
//!    one that was signed; the publisher's revocation list names nothing of it.
//! 2. [`Verified::approve`]: keyset, revocation list and release are not below their high-water marks, and none that has a mark
//!    is left out; the lock file names exactly this package; a person agreed to what it may do and to what its tools say.
//! 3. [`Approved::loadable`]: the component may now be parsed as WebAssembly. No type before [`Loadable`] yields it.
//!
//! The bytes that were hashed are the bytes that are yielded: they are never copied to a place that could change.
//!
//! ```
//! use casemate_signing::{
//!     Environment, Loadable, Timestamp, TrustStore, Untrusted, highwater::HighWater, lock::LockFile,
//! };
//!
//! fn load(
//!     package: Untrusted,
//!     trust: &TrustStore,
//!     lock: &LockFile,
//!     state: &HighWater,
//!     now: Timestamp,
//! ) -> Result<Loadable, Box<dyn std::error::Error>> {
//!     let verified = package.verify(trust, Environment::Prod, now)?;
//!     Ok(verified.approve(lock, state)?.loadable())
//! }
//! ```
//!
//! The wrong order does not compile. A verified package has no component to give:
//!
//! ```compile_fail,E0599
//! fn too_early(package: casemate_signing::Verified) -> Vec<u8> {
//!     package.into_parts().1
//! }
//! ```
//!
//! and nothing makes one without verifying:
//!
//! ```compile_fail,E0451
//! fn forged(manifest: casemate_signing::manifest::Manifest) -> casemate_signing::Loadable {
//!     casemate_signing::Loadable { manifest, facts: todo!(), component: vec![] }
//! }
//! ```

mod error;
mod step;
mod verify;

use std::{collections::BTreeSet, fmt, sync::Arc};

pub use error::{ApproveError, VerifyError};
pub use step::{Step, StepName};

use self::step::Steps;
use crate::{
    approval::Approval,
    digest::Digest,
    environment::Environment,
    highwater::{DocumentMark, HighWater},
    key::Fingerprint,
    lock::{LockFile, Locked},
    manifest::{Manifest, PluginId},
    revocation::RevocationList,
    time::Timestamp,
    trust::TrustStore,
};

/// A component and its signature file, as they came. Nothing in them is believed.
pub struct Untrusted {
    component: Vec<u8>,
    bundle: Vec<u8>,
}

impl Untrusted {
    /// The two files of a package. Callers read at most
    /// [`crate::manifest::check::MAX_COMPONENT`] and [`crate::bundle::MAX_BUNDLE`] bytes of each.
    pub fn new(component: Vec<u8>, bundle: Vec<u8>) -> Self {
        Self { component, bundle }
    }

    /// Verify that a trusted publisher signed exactly this, for this environment, and has not taken it back.
    pub fn verify(self, trust: &TrustStore, environment: Environment, now: Timestamp) -> Result<Verified, VerifyError> {
        self.verify_explained(trust, environment, now, &mut |_| {})
    }

    /// [`Untrusted::verify`], which reports each step as it is taken.
    pub fn verify_explained(
        self,
        trust: &TrustStore,
        environment: Environment,
        now: Timestamp,
        observe: &mut dyn FnMut(Step),
    ) -> Result<Verified, VerifyError> {
        let mut steps = Steps(observe);
        let size = steps.take(StepName::Size, verify::size(&self.component), |size| format!("{size} bytes"))?;
        let bundles = steps.take(StepName::Bundle, verify::bundles(&self.bundle), |all| counted(all.len(), "bundle"))?;
        let known = steps.take(StepName::Keys, verify::enrolled(bundles, trust), |known| {
            format!("enrolled: {}", joined(known.iter().map(|one| &one.key)))
        })?;
        let (signers, payload) = steps.take(StepName::Signatures, verify::signatures(known), |(_, payload)| {
            format!("all verify over {} bytes, {}", payload.len(), Digest::of(payload))
        })?;
        let manifest = steps.take(StepName::Statement, verify::statement(&payload), |manifest| {
            let plugin = &manifest.plugin;
            format!("`{}` {} (release {})", manifest.id(), plugin.version, plugin.release)
        })?;
        steps.take(StepName::Rules, verify::rules(&manifest), |()| counted(manifest.tool.len(), "tool"))?;
        let owner =
            steps.take(StepName::Owner, verify::owner(&signers, &manifest), |(name, _)| format!("`{name}` owns the name"))?;
        let signers = steps.take(StepName::Threshold, verify::threshold(&signers, owner, environment, now), |signers| {
            format!("{} of {} for `{environment}`: {}", signers.len(), owner.1.threshold(), joined(signers))
        })?;
        let component =
            steps.take(StepName::Component, verify::component(&self.component, size, &manifest), Digest::to_string)?;
        let revocations = verify::revocations(signers, owner, &manifest, &component, environment, now);
        let (signers, revocations) = steps.take(StepName::Revocations, revocations, |(_, list)| match list {
            Some(list) => format!("nothing is revoked by version {} of the list", list.version()),
            None => "the operator asks for no list".to_owned(),
        })?;
        let facts = Facts {
            id: manifest.id(),
            signers,
            component,
            statement: Digest::of(&payload),
            approval: Approval::of(&manifest),
            keyset: owner.1.keyset().map(DocumentMark::from),
            revocations,
        };
        Ok(Verified { manifest, facts, component: self.component })
    }
}

fn counted(count: usize, of: &str) -> String {
    if count == 1 { format!("1 {of}") } else { format!("{count} {of}s") }
}

fn joined<'k>(keys: impl IntoIterator<Item = &'k Fingerprint>) -> String {
    keys.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What is known of a package once it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    id: PluginId,
    signers: BTreeSet<Fingerprint>,
    component: Digest,
    statement: Digest,
    approval: Approval,
    keyset: Option<DocumentMark>,
    revocations: Option<Arc<RevocationList>>,
}

/// A package that a trusted publisher signed. It may be shown, and not run.
pub struct Verified {
    manifest: Manifest,
    facts: Facts,
    component: Vec<u8>,
}

impl Verified {
    /// What it is and may do.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// `publisher/name`.
    pub fn id(&self) -> &PluginId {
        &self.facts.id
    }

    /// Whose keys signed it: those that were counted, at least as many as its publisher's threshold.
    pub fn signers(&self) -> &BTreeSet<Fingerprint> {
        &self.facts.signers
    }

    /// The keyset it was verified by, if its publisher has one.
    pub fn keyset(&self) -> Option<&DocumentMark> {
        self.facts.keyset.as_ref()
    }

    /// The revocation list it was held against, if its publisher has one here.
    pub fn revocations(&self) -> Option<&RevocationList> {
        self.facts.revocations.as_deref()
    }

    /// The component's digest.
    pub fn component_digest(&self) -> &Digest {
        &self.facts.component
    }

    /// The digest of the signed bytes.
    pub fn statement_digest(&self) -> &Digest {
        &self.facts.statement
    }

    /// What agreeing to it means.
    pub fn approval(&self) -> &Approval {
        &self.facts.approval
    }

    /// Its entry in a lock file; `source` says where it came from.
    pub fn locked(&self, source: String) -> Locked {
        Locked {
            version: self.manifest.plugin.version.clone(),
            release: self.manifest.plugin.release,
            component: self.facts.component,
            statement: self.facts.statement,
            signers: self.facts.signers.clone(),
            source,
            capabilities: self.facts.approval.capabilities,
            tools: self.facts.approval.tools.clone(),
            pinned: false,
        }
    }

    /// Check it against what the operator locked and agreed to.
    pub fn approve(self, lock: &LockFile, state: &HighWater) -> Result<Approved, ApproveError> {
        self.approve_explained(lock, state, &mut |_| {})
    }

    /// [`Verified::approve`], which reports each step as it is taken.
    pub fn approve_explained(
        self,
        lock: &LockFile,
        state: &HighWater,
        observe: &mut dyn FnMut(Step),
    ) -> Result<Approved, ApproveError> {
        let mut steps = Steps(observe);
        let release = self.manifest.plugin.release;
        steps.take(StepName::Documents, self.newest_documents(state), |()| self.documents())?;
        steps.take(StepName::Release, self.newest_release(state), |()| format!("release {release}"))?;
        steps.take(StepName::Lock, self.locked_as(lock), |()| format!("statement {}", self.facts.statement))?;
        steps.take(StepName::Approval, self.agreed_to(state), |()| format!("agreed to {}", self.facts.approval.digest()))?;
        Ok(Approved { package: self })
    }

    /// A package that was verified by documents older than this host has seen, or without those that it has seen, was not verified.
    fn newest_documents(&self, state: &HighWater) -> Result<(), ApproveError> {
        let publisher = &self.facts.id.publisher;
        state.admits_keyset(publisher, self.keyset())?;
        Ok(state.admits_revocations(publisher, self.revocations())?)
    }

    fn documents(&self) -> String {
        let version = |version: Option<u64>| version.map_or("none".to_owned(), |version| version.to_string());
        let (keyset, list) = (self.keyset().map(|keyset| keyset.version), self.revocations().map(RevocationList::version));
        format!("keyset version: {}; revocation list version: {}", version(keyset), version(list))
    }

    fn newest_release(&self, state: &HighWater) -> Result<(), ApproveError> {
        Ok(state.admits(&self.facts.id, self.manifest.plugin.release, &self.facts.statement)?)
    }

    fn locked_as(&self, lock: &LockFile) -> Result<(), ApproveError> {
        let id = &self.facts.id;
        let locked = lock.plugin(id).ok_or_else(|| ApproveError::NotLocked(id.clone()))?;
        match self.differs_from(locked) {
            Some(field) => Err(ApproveError::Locked { plugin: id.clone(), field }),
            None => Ok(()),
        }
    }

    fn agreed_to(&self, state: &HighWater) -> Result<(), ApproveError> {
        let id = &self.facts.id;
        let agreed = state.approval(id).ok_or_else(|| ApproveError::NotApproved(id.clone()))?;
        if agreed.capabilities != self.facts.approval.capabilities {
            return Err(ApproveError::Capabilities(id.clone()));
        }
        for (tool, digest) in &self.facts.approval.tools {
            if agreed.tools.get(tool) != Some(digest) {
                return Err(ApproveError::ToolText { plugin: id.clone(), tool: tool.clone() });
            }
        }
        Ok(())
    }

    /// The first field of the lock file that names another package.
    pub fn differs_from(&self, locked: &Locked) -> Option<&'static str> {
        // The source is for people, and says nothing about the bytes.
        let ours = self.locked(locked.source.clone());
        [
            ("component", ours.component == locked.component),
            ("statement", ours.statement == locked.statement),
            ("version", ours.version == locked.version),
            ("release", ours.release == locked.release),
            // A key that was revoked since counts no more; what is left met the threshold. A key nobody locked is another matter.
            ("signers", ours.signers.is_subset(&locked.signers)),
            ("capabilities", ours.capabilities == locked.capabilities),
            ("tools", ours.tools == locked.tools),
        ]
        .into_iter()
        .find(|(_, same)| !same)
        .map(|(field, _)| field)
    }
}

/// A verified package that the operator locked and agreed to.
pub struct Approved {
    package: Verified,
}

impl Approved {
    /// What it is and may do.
    pub fn manifest(&self) -> &Manifest {
        &self.package.manifest
    }

    /// The component may now be parsed as WebAssembly.
    pub fn loadable(self) -> Loadable {
        let Verified { manifest, facts, component } = self.package;
        Loadable { manifest, facts, component }
    }
}

/// A package whose component may be parsed, compiled and run. What compiles it takes it by value.
pub struct Loadable {
    manifest: Manifest,
    facts: Facts,
    component: Vec<u8>,
}

impl Loadable {
    /// What it is and may do.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// `publisher/name`.
    pub fn id(&self) -> &PluginId {
        &self.facts.id
    }

    /// The component's digest.
    pub fn component_digest(&self) -> &Digest {
        &self.facts.component
    }

    /// The digest of the signed bytes.
    pub fn statement_digest(&self) -> &Digest {
        &self.facts.statement
    }

    /// The manifest and the component: the very bytes whose digest was signed.
    pub fn into_parts(self) -> (Manifest, Vec<u8>) {
        (self.manifest, self.component)
    }
}

/// The types of the chain print what they are, and not the component.
macro_rules! debug {
    ($($type:ident: $facts:expr;)*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let facts: fn(&Self) -> &Facts = $facts;
                f.debug_struct(stringify!($type)).field("facts", facts(self)).finish_non_exhaustive()
            }
        }
    )*};
}

debug! {
    Verified: |package| &package.facts;
    Approved: |package| &package.package.facts;
    Loadable: |package| &package.facts;
}

#[cfg(test)]
mod tests;
