//! To a registry: blobs, the package's manifest, its signatures, and last the tag.
//!
//! The tag moves when everything it leads to is there, so nobody finds a package without its signature. The same package gives
//! the same manifests, so that pushing again changes nothing.

use bytes::Bytes;
use casemate_signing::{
    bundle::{MAX_BUNDLE, MEDIA_TYPE},
    digest::Digest,
    manifest::check::MAX_COMPONENT,
    strict_json,
};
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION},
};
use serde_json::{Value, json};

use crate::{
    authority::Authority,
    client::Client,
    manifest::{CONTENT_DIGEST, Descriptor, IMAGE, INDEX, MAX_MANIFEST, Manifest, WASM, WASM_CONFIG},
    reference::{Reference, Version},
    referrers::{self, MAX_SIGNATURES},
    request::RequestError,
    session::{Access, Session, is_bare},
};

const PACKAGE: &str = "the package";
const UPLOAD: &str = "an upload";
const SIGNATURE: &str = "a signature";
const LIST: &str = "the list of signatures";
/// image-spec, "Guidance for an Empty Descriptor".
const EMPTY: (&[u8], &str) = (b"{}", "application/vnd.oci.empty.v1+json");
/// The registry lists the referrer itself.
const SUBJECT: &str = "oci-subject";

/// Why a package was not published, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// Nothing to find it by.
    #[error("`{0}` has no tag to publish under\nhelp: add :TAG; the package's version is a good one")]
    NoTag(Reference),
    /// No component, or too much of one.
    #[error("the component has {0} bytes, and 1 to {MAX_COMPONENT} are allowed")]
    ComponentSize(usize),
    /// The signature file is no list of bundles.
    #[error(
        "the signature file is not one JSON text, or several one a line, of at most {MAX_BUNDLE} bytes and {MAX_SIGNATURES} texts"
    )]
    Bundle,
    /// An upload would go elsewhere.
    #[error("`{0}` wants the upload sent elsewhere, where no credential is sent")]
    UploadElsewhere(Authority),
    /// What the registry keeps is not what was sent.
    #[error("`{0}` says that {1} has another digest than it has")]
    Digest(Authority, &'static str),
    /// The list under the fallback tag cannot be added to.
    #[error("`{0}` has a list of signatures that cannot be added to")]
    Fallback(Authority),
    /// The registry, or what it sent.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl PushError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoTag(_) => "no-tag",
            Self::ComponentSize(_) => "component-size",
            Self::Bundle => "bundle-invalid",
            Self::UploadElsewhere(_) => "upload-elsewhere",
            Self::Digest(..) => "push-digest",
            Self::Fallback(_) => "fallback-invalid",
            Self::Request(error) => error.code(),
        }
    }
}

/// What is published.
#[derive(Clone)]
pub struct Upload {
    /// The component.
    pub component: Vec<u8>,
    /// Its signature file: one bundle, or several one a line.
    pub bundle: Vec<u8>,
    /// The names of the interfaces it imports, as its manifest has them. Registries show them; nothing here reads them back.
    pub imports: Vec<String>,
    /// The names of the interfaces it exports.
    pub exports: Vec<String>,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The manifest's digest.
    pub digest: Digest,
    /// Exactly this package, wherever its tag goes.
    pub reference: Reference,
    /// How many signatures go with it.
    pub signatures: usize,
}

impl Client {
    /// Publish a package and its signatures under the reference's tag.
    pub async fn push(&self, reference: &Reference, upload: Upload) -> Result<Pushed, PushError> {
        self.within(reference.registry(), push(self, reference, upload)).await
    }
}

async fn push(client: &Client, reference: &Reference, upload: Upload) -> Result<Pushed, PushError> {
    let Some(Version::Tag(tag)) = reference.version() else { return Err(PushError::NoTag(reference.clone())) };
    if upload.component.is_empty() || upload.component.len() as u64 > MAX_COMPONENT {
        return Err(PushError::ComponentSize(upload.component.len()));
    }
    let bundles = bundles(&upload.bundle)?;
    let signatures = bundles.len();
    let mut session = Session::new(client, reference.registry(), reference.repository(), Access::Push);

    let config = config(&upload);
    let config = blob(&mut session, config, WASM_CONFIG).await?;
    let component = blob(&mut session, upload.component, WASM).await?;
    let manifest = Manifest::new(config, component).to_bytes();
    let package = Descriptor::of(&manifest, IMAGE);
    put(&mut session, &package.digest.to_string(), manifest.clone(), IMAGE, PACKAGE).await?;
    for bundle in bundles {
        sign(&mut session, bundle, &package).await?;
    }
    put(&mut session, &tag.to_string(), manifest, IMAGE, PACKAGE).await?;
    Ok(Pushed { digest: package.digest, reference: reference.at(Version::Digest(package.digest)), signatures })
}

/// One signature: a bundle, the manifest that ties it to the package, and a place in the list of the package's signatures.
async fn sign(session: &mut Session<'_>, bundle: Vec<u8>, package: &Descriptor) -> Result<(), PushError> {
    let config = blob(session, EMPTY.0.to_vec(), EMPTY.1).await?;
    let layer = blob(session, bundle, MEDIA_TYPE).await?;
    let manifest = Manifest::new(config, layer).about(package.clone(), MEDIA_TYPE).to_bytes();
    let signature = Descriptor { artifact_type: Some(MEDIA_TYPE.to_owned()), ..Descriptor::of(&manifest, IMAGE) };
    let listed = put(session, &signature.digest.to_string(), manifest, IMAGE, SIGNATURE).await?;
    if listed { Ok(()) } else { list(session, &signature, package).await }
}

/// Add a signature to the list under the fallback tag. What else is listed there stays as it is.
async fn list(session: &mut Session<'_>, signature: &Descriptor, package: &Descriptor) -> Result<(), PushError> {
    let registry = session.registry();
    let invalid = || PushError::Fallback(registry.clone());
    let mut index = match referrers::fallback_text(session, package).await? {
        Some(text) => strict_json::parse(&text).map_err(|_| invalid())?,
        None => json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }),
    };
    let Some(Value::Array(manifests)) = index.get_mut("manifests") else { return Err(invalid()) };
    let digest = json!(signature.digest);
    if manifests.iter().any(|descriptor| descriptor.get("digest") == Some(&digest)) {
        return Ok(());
    }
    manifests.push(json!(signature));
    let text = index.to_string().into_bytes();
    if text.len() > MAX_MANIFEST {
        return Err(invalid());
    }
    put(session, &referrers::fallback_tag(package), text, INDEX, LIST).await?;
    Ok(())
}

/// A blob, unless the registry has it.
async fn blob(session: &mut Session<'_>, bytes: Vec<u8>, media_type: &str) -> Result<Descriptor, PushError> {
    let descriptor = Descriptor::of(&bytes, media_type);
    let url = session.url(&format!("blobs/{}", descriptor.digest))?;
    if session.ask(Method::HEAD, url, HeaderMap::new(), None).await?.status() == StatusCode::OK {
        return Ok(descriptor);
    }
    let url = session.url("blobs/uploads/")?;
    let begun = session.ask(Method::POST, url.clone(), HeaderMap::new(), Some(Bytes::new())).await?;
    let begun = begun.expect(UPLOAD, &[StatusCode::ACCEPTED])?;
    let elsewhere = || PushError::UploadElsewhere(session.registry().clone());
    let location = begun.header(LOCATION).and_then(|location| url.join(location).ok());
    let mut location =
        location.filter(|location| location.origin() == url.origin() && is_bare(location)).ok_or_else(elsewhere)?;
    location.query_pairs_mut().append_pair("digest", &descriptor.digest.to_string());
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))]);
    session.ask(Method::PUT, location, headers, Some(bytes.into())).await?.expect(UPLOAD, &[StatusCode::CREATED])?;
    Ok(descriptor)
}

/// A manifest. Says whether the registry lists it with its subject.
async fn put(
    session: &mut Session<'_>,
    version: &str,
    manifest: Vec<u8>,
    media_type: &'static str,
    what: &'static str,
) -> Result<bool, PushError> {
    let digest = Digest::of(&manifest).to_string();
    let url = session.url(&format!("manifests/{version}"))?;
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
    let answer = session.ask(Method::PUT, url, headers, Some(manifest.into())).await?.expect(what, &[StatusCode::CREATED])?;
    if answer.header(CONTENT_DIGEST).is_some_and(|said| said != digest) {
        return Err(PushError::Digest(session.registry().clone(), what));
    }
    Ok(answer.headers().contains_key(SUBJECT))
}

/// The configuration as `wkg` writes it, but without the time: the same package is the same image.
fn config(upload: &Upload) -> Vec<u8> {
    json!({
        "created": "1970-01-01T00:00:00Z",
        "author": null,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [Digest::of(&upload.component)],
        "component": { "exports": upload.exports, "imports": upload.imports, "target": null },
    })
    .to_string()
    .into_bytes()
}

/// One bundle as it is, or each line of several.
fn bundles(file: &[u8]) -> Result<Vec<Vec<u8>>, PushError> {
    if file.len() > MAX_BUNDLE {
        return Err(PushError::Bundle);
    }
    if strict_json::parse(file).is_ok() {
        return Ok(vec![file.to_vec()]);
    }
    let lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let fits = (1..=MAX_SIGNATURES).contains(&lines.len()) && lines.iter().all(|line| strict_json::parse(line).is_ok());
    if fits { Ok(lines.into_iter().map(<[u8]>::to_vec).collect()) } else { Err(PushError::Bundle) }
}
