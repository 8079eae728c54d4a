//! The signatures of a package: manifests that name it as their subject, each with one bundle.
//!
//! Whoever may push to a repository may attach something to a package in it. So what is no signature, though it is listed as one, is
//! left out, and said; only where nothing else is there is it the package that is refused. What is left is not believed either.
//!
//! The distribution specification, "Listing Referrers", and for registries that know nothing of it "Referrers Tag Schema".

use casemate_signing::{
    bundle::{MAX_BUNDLE, MEDIA_TYPE},
    digest::Digest,
};
use reqwest::{
    StatusCode,
    header::{ACCEPT, HeaderMap, HeaderValue},
};
use url::Url;

use crate::{
    authority::Authority,
    manifest::{self, Descriptor, IMAGE, INDEX},
    page::Pages,
    reference::Version,
    request::RequestError,
    session::Session,
};

/// As many as one payload may have.
pub(crate) const MAX_SIGNATURES: usize = 16;
/// Those and whatever others attached: each costs two requests.
const MAX_LISTED: usize = 64;
/// Bytes of all bundles together. A bundle has some thousand; the small ones are read first.
const MAX_TOTAL: u64 = 4 * MAX_BUNDLE as u64;
/// A package has as many referrers as it has signatures, reports and attestations: some dozens.
const MAX_PAGES: usize = 8;
const LIST: &str = "the list of signatures";
const SIGNATURE: &str = "a signature";

/// Why a package has no signature file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferrersError {
    /// None of the package's referrers is a signature.
    #[error(
        "the package at `{0}` is not signed\nhelp: `casemate publish` sends the signature along; other tools leave it behind"
    )]
    NotSigned(Authority),
    /// More than are read.
    #[error(
        "the package has {0} signatures, and at most {MAX_LISTED} are read\nhelp: whoever runs the registry can take away what is not the publisher's"
    )]
    TooMany(usize),
    /// Listed for this package, and about another.
    #[error("`{0}` lists a signature that is about another package\nhelp: do not use this registry until its operator knows why")]
    Subject(Authority),
    /// Listed as a signature, and something else.
    #[error("`{0}` lists a signature that is not one Sigstore bundle")]
    Type(Authority),
    /// One of them, or all of them together.
    #[error("a signature is larger than {MAX_BUNDLE} bytes, or all are larger than {MAX_TOTAL}")]
    TooLarge,
}

impl ReferrersError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSigned(_) => "not-signed",
            Self::TooMany(_) => "signatures-many",
            Self::Subject(_) => "signature-subject",
            Self::Type(_) => "signature-type",
            Self::TooLarge => "signature-too-large",
        }
    }
}

/// What was listed as a signature, and is not brought along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its manifest.
    pub manifest: Digest,
    /// Why, in one line.
    pub reason: String,
}

/// The bundles of a package, each as it was sent, and what was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bundles {
    pub(crate) bundles: Vec<Vec<u8>>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Either, while a list is read.
#[derive(Debug)]
pub(crate) enum Fault {
    Request(RequestError),
    Referrers(ReferrersError),
}

impl From<RequestError> for Fault {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<ReferrersError> for Fault {
    fn from(error: ReferrersError) -> Self {
        Self::Referrers(error)
    }
}

impl Fault {
    /// Whether it is about one attachment, which whoever attached it can have made so; else it is the registry that fails, or lies.
    fn is_of_one(&self) -> bool {
        match self {
            Self::Referrers(ReferrersError::Subject(_) | ReferrersError::Type(_) | ReferrersError::TooLarge) => true,
            Self::Referrers(ReferrersError::NotSigned(_) | ReferrersError::TooMany(_)) => false,
            Self::Request(error) => matches!(
                error,
                RequestError::NotFound { .. }
                    | RequestError::Manifest(_)
                    | RequestError::TooLarge { .. }
                    | RequestError::Length { .. }
            ),
        }
    }

    fn left_out(&self, manifest: Digest) -> LeftOut {
        let (code, said) = match self {
            Self::Request(error) => (error.code(), error.to_string()),
            Self::Referrers(error) => (error.code(), error.to_string()),
        };
        LeftOut { manifest, reason: format!("{code}: {}", said.lines().next().unwrap_or_default()) }
    }
}

impl From<Fault> for crate::pull::PullError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Request(error) => error.into(),
            Fault::Referrers(error) => error.into(),
        }
    }
}

/// The bundles of the package that `subject` describes. Where none of them is one, the first of them says why.
pub(crate) async fn bundles(session: &mut Session<'_>, subject: &Descriptor) -> Result<Bundles, Fault> {
    let mut found = Bundles::default();
    let mut first = None;
    let mut leave_out = |fault: Fault, manifest: Digest, found: &mut Bundles| {
        if !fault.is_of_one() {
            return Err(fault);
        }
        found.left_out.push(fault.left_out(manifest));
        first.get_or_insert(fault);
        Ok(())
    };
    let mut layers = Vec::new();
    for signature in signatures(session, subject).await? {
        match layer(session, &signature, subject).await {
            Ok(layer) => layers.extend(layer.map(|layer| (layer, signature.digest))),
            Err(fault) => leave_out(fault, signature.digest, &mut found)?,
        }
    }
    // So that one large attachment leaves no room for what the publisher signed.
    layers.sort_by_key(|(layer, manifest)| (layer.size, *manifest));
    let mut left = MAX_TOTAL;
    for (layer, manifest) in &layers {
        match bundle(session, layer, &mut left).await {
            Ok(bundle) => found.bundles.push(bundle),
            Err(fault) => leave_out(fault, *manifest, &mut found)?,
        }
    }
    match first {
        _ if !found.bundles.is_empty() => Ok(found),
        Some(fault) => Err(fault),
        None => Err(ReferrersError::NotSigned(session.registry().clone()).into()),
    }
}

async fn bundle(session: &mut Session<'_>, layer: &Descriptor, left: &mut u64) -> Result<Vec<u8>, Fault> {
    *left = left.checked_sub(layer.size).ok_or(ReferrersError::TooLarge)?;
    let answer = session.blob(&format!("blobs/{}", layer.digest), SIGNATURE).await?;
    Ok(answer.exactly(SIGNATURE, layer, |_| ()).await?)
}

/// Where the signatures of a package are listed, in a registry without the referrers API.
pub(crate) fn fallback_tag(subject: &Descriptor) -> String {
    format!("sha256-{}", subject.digest.to_hex())
}

/// The index under the fallback tag, as it is; none if there is no such tag.
pub(crate) async fn fallback_text(session: &mut Session<'_>, subject: &Descriptor) -> Result<Option<Vec<u8>>, RequestError> {
    let url = session.url(&format!("manifests/{}", fallback_tag(subject)))?;
    let answer = session.get(url, accept()).await?.expect(LIST, &[StatusCode::OK, StatusCode::NOT_FOUND])?;
    match answer.status() {
        StatusCode::NOT_FOUND => Ok(None),
        _ => Ok(Some(manifest::index_text(answer, LIST).await?)),
    }
}

fn accept() -> HeaderMap {
    HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(INDEX))])
}

/// The referrers that may be bundles, each once, always in the same order.
async fn signatures(session: &mut Session<'_>, subject: &Descriptor) -> Result<Vec<Descriptor>, Fault> {
    let mut signatures = match listed(session, subject).await? {
        Some(descriptors) => descriptors,
        None => match fallback_text(session, subject).await? {
            Some(text) => bundles_in(&text)?,
            None => Vec::new(),
        },
    };
    signatures.sort_by_key(|descriptor| descriptor.digest);
    signatures.dedup_by_key(|descriptor| descriptor.digest);
    match signatures.len() {
        0 => Err(ReferrersError::NotSigned(session.registry().clone()).into()),
        count if count > MAX_LISTED => Err(ReferrersError::TooMany(count).into()),
        _ => Ok(signatures),
    }
}

/// What the referrers API lists; nothing if the registry has none.
async fn listed(session: &mut Session<'_>, subject: &Descriptor) -> Result<Option<Vec<Descriptor>>, RequestError> {
    let mut found = Vec::new();
    let mut pages = Pages::new(session.registry(), list_url(session, subject)?, MAX_PAGES);
    while let Some(url) = pages.next()? {
        let answer = session.get(url, accept()).await?.expect(LIST, &[StatusCode::OK, StatusCode::NOT_FOUND])?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        pages.turn(answer.headers())?;
        let text = manifest::index_text(answer, LIST).await?;
        found.extend(bundles_in(&text)?);
    }
    Ok(Some(found))
}

fn list_url(session: &Session<'_>, subject: &Descriptor) -> Result<Url, RequestError> {
    let mut url = session.url(&format!("referrers/{}", subject.digest))?;
    url.query_pairs_mut().append_pair("artifactType", MEDIA_TYPE);
    Ok(url)
}

/// The registry may ignore the filter, so it is applied here. What has no type is asked for it: clients that are older than
/// artifact types leave them out when they copy a list.
fn bundles_in(index: &[u8]) -> Result<Vec<Descriptor>, RequestError> {
    let index = manifest::index(index, LIST)?;
    let may_be = |descriptor: &Descriptor| match &descriptor.artifact_type {
        Some(artifact_type) => artifact_type == MEDIA_TYPE,
        None => descriptor.media_type == IMAGE,
    };
    Ok(index.manifests.into_iter().filter(may_be).collect())
}

/// The one layer of a signature's manifest, which says itself what it is about; none if it never said that it is a signature.
async fn layer(session: &mut Session<'_>, signature: &Descriptor, subject: &Descriptor) -> Result<Option<Descriptor>, Fault> {
    let registry = session.registry();
    let kind = || ReferrersError::Type(registry.clone());
    if signature.media_type != IMAGE {
        return Err(kind().into());
    }
    let fetched = manifest::fetch(session, &Version::Digest(signature.digest), SIGNATURE).await?;
    let is_bundle = fetched.manifest.artifact_type.as_deref() == Some(MEDIA_TYPE);
    if signature.artifact_type.is_none() && !is_bundle {
        return Ok(None);
    }
    let about = fetched.manifest.subject.as_ref().map(|about| about.digest);
    if about != Some(subject.digest) {
        return Err(ReferrersError::Subject(registry.clone()).into());
    }
    if !is_bundle || fetched.descriptor.size != signature.size {
        return Err(kind().into());
    }
    let [layer] = fetched.manifest.layers.as_slice() else { return Err(kind().into()) };
    if layer.media_type != MEDIA_TYPE {
        return Err(kind().into());
    }
    if layer.size > MAX_BUNDLE as u64 {
        return Err(ReferrersError::TooLarge.into());
    }
    Ok(Some(layer.clone()))
}
