//! The one way from bytes to a package that may be run: `Untrusted → Verified → Approved → Loadable`.
//!
//! Each type is made by the step before it and by nothing else, and each step has its own error. The order is the
//! contract:
//!
//! 1. [`Untrusted::verify`]: caps, bundle, an enrolled key by its hint, `verify_strict` over the exact payload; only
//!    then is the payload parsed, once; its fields and rules; the publisher owns the name, the key is not revoked and
//!    serves this environment; the component is the one that was signed.
//! 2. [`Verified::approve`]: the release is not below the high-water mark; the lock file names exactly this package; a
//!    person agreed to what it may do and to what its tools say.
//! 3. [`Approved::loadable`]: the component may now be parsed as WebAssembly. No type before [`Loadable`] yields it.
//!
//! The bytes that were hashed are the bytes that are yielded: they are never copied to a place that could change.
//!
//! ```
//! use casemate_signing::{Environment, Loadable, TrustStore, Untrusted, highwater::HighWater, lock::LockFile};
//!
//! fn load(
//!     package: Untrusted,
//!     trust: &TrustStore,
//!     lock: &LockFile,
//!     state: &HighWater,
//! ) -> Result<Loadable, Box<dyn std::error::Error>> {
//!     let verified = package.verify(trust, Environment::Prod)?;
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

use std::fmt;

pub use error::{ApproveError, VerifyError};

use crate::{
    approval::Approval,
    bundle::Bundle,
    digest::Digest,
    environment::Environment,
    highwater::HighWater,
    key::Fingerprint,
    lock::{LockFile, Locked},
    manifest::{
        Manifest, PluginId,
        check::{self, MAX_COMPONENT},
    },
    statement,
    trust::TrustStore,
};

/// A component and its signature file, as they came. Nothing in them is believed.
pub struct Untrusted {
    component: Vec<u8>,
    bundle: Vec<u8>,
}

impl Untrusted {
    /// The two files of a package. Callers read at most [`MAX_COMPONENT`] and [`crate::bundle::MAX_BUNDLE`] bytes of each.
    pub fn new(component: Vec<u8>, bundle: Vec<u8>) -> Self {
        Self { component, bundle }
    }

    /// Verify that a trusted publisher signed exactly this, for this environment.
    pub fn verify(self, trust: &TrustStore, environment: Environment) -> Result<Verified, VerifyError> {
        if u64::try_from(self.component.len()).is_ok_and(|size| size > MAX_COMPONENT) {
            return Err(VerifyError::ComponentTooLarge { size: self.component.len() });
        }
        let bundle = Bundle::parse(&self.bundle)?;
        let signer = *bundle.hint();
        let (publisher, owner, enrolled) = trust.find(&signer).ok_or(VerifyError::UnknownKey(signer))?;
        let verified = enrolled.key().verify_strict(&bundle.signed_bytes(), bundle.signature());
        verified.map_err(|_| VerifyError::Signature(signer))?;
        // From here on there is no envelope, only the bytes its signature was over.
        let payload = bundle.into_payload();
        let manifest = statement::parse(&payload)?;
        check::check(&manifest).map_err(VerifyError::Rules)?;
        let id = manifest.id();
        if !owner.owns(&id) {
            return Err(VerifyError::NameNotOwned { publisher: publisher.clone(), plugin: id });
        }
        if enrolled.is_revoked() {
            return Err(VerifyError::KeyRevoked(signer));
        }
        if !enrolled.environments().contains(&environment) {
            return Err(VerifyError::Environment { key: signer, environment });
        }
        let size = self.component.len() as u64;
        if size != manifest.component.size {
            return Err(VerifyError::ComponentSize { actual: size, signed: manifest.component.size });
        }
        let component = Digest::of(&self.component);
        if component.to_hex() != manifest.component.sha256 {
            return Err(VerifyError::ComponentDigest);
        }
        let facts = Facts { id, signer, component, statement: Digest::of(&payload), approval: Approval::of(&manifest) };
        Ok(Verified { manifest, facts, component: self.component })
    }
}

/// What is known of a package once it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    id: PluginId,
    signer: Fingerprint,
    component: Digest,
    statement: Digest,
    approval: Approval,
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

    /// Whose key signed it.
    pub fn signer(&self) -> &Fingerprint {
        &self.facts.signer
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
            signers: [self.facts.signer].into(),
            source,
            capabilities: self.facts.approval.capabilities,
            tools: self.facts.approval.tools.clone(),
        }
    }

    /// Check it against what the operator locked and agreed to.
    pub fn approve(self, lock: &LockFile, state: &HighWater) -> Result<Approved, ApproveError> {
        let id = &self.facts.id;
        state.admits(id, self.manifest.plugin.release, &self.facts.statement)?;
        let locked = lock.plugin(id).ok_or_else(|| ApproveError::NotLocked(id.clone()))?;
        if let Some(field) = self.differs_from(locked) {
            return Err(ApproveError::Locked { plugin: id.clone(), field });
        }
        let agreed = state.approval(id).ok_or_else(|| ApproveError::NotApproved(id.clone()))?;
        if agreed.capabilities != self.facts.approval.capabilities {
            return Err(ApproveError::Capabilities(id.clone()));
        }
        for (tool, digest) in &self.facts.approval.tools {
            if agreed.tools.get(tool) != Some(digest) {
                return Err(ApproveError::ToolText { plugin: id.clone(), tool: tool.clone() });
            }
        }
        Ok(Approved { package: self })
    }

    /// The first field of the lock file that names another package.
    fn differs_from(&self, locked: &Locked) -> Option<&'static str> {
        // The source is for people, and says nothing about the bytes.
        let ours = self.locked(locked.source.clone());
        [
            ("component", ours.component == locked.component),
            ("statement", ours.statement == locked.statement),
            ("version", ours.version == locked.version),
            ("release", ours.release == locked.release),
            ("signers", ours.signers == locked.signers),
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
