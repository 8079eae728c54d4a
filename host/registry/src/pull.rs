//! From a registry: a package's two files, by digest from the first answer on.

use std::fmt;

use casemate_signing::digest::Digest;

use crate::{
    client::Client,
    manifest,
    reference::{Reference, Version},
    referrers::{self, Bundles, LeftOut, ReferrersError},
    request::RequestError,
    session::{Access, Session},
};

const COMPONENT: &str = "the component";
const PACKAGE: &str = "the package";

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PullError {
    /// A whole repository.
    #[error("`{0}` does not say which version\nhelp: add :TAG, or @sha256:… for exactly one package")]
    NoVersion(Reference),
    /// The registry, or what it sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The signatures.
    #[error(transparent)]
    Referrers(#[from] ReferrersError),
}

impl PullError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoVersion(_) => "no-version",
            Self::Request(error) => error.code(),
            Self::Referrers(error) => error.code(),
        }
    }
}

/// Bytes of the component: how many there are, and how many of them are here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// So many arrived.
    pub done: u64,
    /// So many were announced.
    pub total: u64,
}

/// A package as it came. Nothing in it is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The component, of at most `casemate_signing::manifest::check::MAX_COMPONENT` bytes.
    pub component: Vec<u8>,
    /// Each bundle that is attached to it, as it was sent, of at most `casemate_signing::bundle::MAX_BUNDLE` bytes; at least one.
    pub bundles: Vec<Vec<u8>>,
    /// What was listed as a signature of it, and is none.
    pub left_out: Vec<LeftOut>,
    /// The manifest's digest.
    pub digest: Digest,
    /// Exactly this package, wherever its tag goes.
    pub reference: Reference,
}

impl fmt::Debug for Pulled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (component, bundles) = (self.component.len(), self.bundles.len());
        write!(f, "Pulled {{ {}, component: {component} bytes, {bundles} bundles }}", self.reference)
    }
}

impl Client {
    /// Fetch a package and its signatures. `progress` hears of the component's bytes as they arrive.
    pub async fn pull(&self, reference: &Reference, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Pulled, PullError> {
        self.within(reference.registry(), pull(self, reference, progress)).await
    }
}

async fn pull(client: &Client, reference: &Reference, progress: &mut (dyn FnMut(Progress) + Send)) -> Result<Pulled, PullError> {
    let version = reference.version().ok_or_else(|| PullError::NoVersion(reference.clone()))?;
    let mut session = Session::new(client, reference.registry(), reference.repository(), Access::Pull);
    let package = manifest::fetch(&mut session, version, PACKAGE).await?;
    let layer = package.manifest.component().map_err(RequestError::from)?;
    // What is not signed is not worth its download.
    let Bundles { bundles, left_out } = referrers::bundles(&mut session, &package.descriptor).await?;
    let answer = session.blob(&format!("blobs/{}", layer.digest), COMPONENT).await?;
    let total = layer.size;
    let component = answer.exactly(COMPONENT, layer, |done| progress(Progress { done, total })).await?;
    let digest = package.descriptor.digest;
    Ok(Pulled { component, bundles, left_out, digest, reference: reference.at(Version::Digest(digest)) })
}
