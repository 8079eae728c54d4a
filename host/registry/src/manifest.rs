//! The documents a registry keeps: image manifests and indexes, read strictly and written in one way.
//!
//! See <https://github.com/opencontainers/image-spec> and, for components,
//! <https://tag-runtime.cncf.io/wgs/wasm/deliverables/wasm-oci-artifact/>.

use casemate_signing::{digest::Digest, manifest::check::MAX_COMPONENT, strict_json};
use reqwest::{
    StatusCode,
    header::{ACCEPT, HeaderMap, HeaderValue},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    body::Answer,
    reference::Version,
    request::{RequestError, shown},
    session::Session,
};

/// Bytes of a manifest or an index: registries take 4 MiB, and a component's has one KiB.
pub const MAX_MANIFEST: usize = 1024 * 1024;

pub(crate) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const WASM: &str = "application/wasm";
/// Either, so that an index is called one instead of being turned into something else on the way.
const EITHER: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
/// What a registry says a manifest's digest is.
pub(crate) const CONTENT_DIGEST: &str = "docker-content-digest";
/// What a schema has been since 2017.
const SCHEMA: u64 = 2;

/// A document that is not what it has to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Not JSON with one reading.
    #[error("{0} is not strict JSON")]
    Json(&'static str),
    /// Other fields.
    #[error("{0} does not have the fields of an OCI manifest")]
    Shape(&'static str),
    /// A list of manifests.
    #[error("{0} is an index, which names several packages\nhelp: name one of them by its digest")]
    Index(&'static str),
    /// Another kind of document, or two opinions about it.
    #[error("{what} is `{found}`, which is not an OCI manifest")]
    MediaType {
        /// Which document.
        what: &'static str,
        /// What it says it is.
        found: String,
    },
    /// The registry says it sent something else than it sent.
    #[error("{0} has another digest than the registry says it has")]
    ContentDigest(&'static str),
    /// An artifact of another kind.
    #[error("the package is an artifact of the type `{0}`, which is no WebAssembly component")]
    ArtifactType(String),
    /// Another kind of image.
    #[error(
        "the package's configuration is `{0}`\nhelp: a component's is `{WASM_CONFIG}`, as `casemate publish` and `wkg` write it"
    )]
    ConfigType(String),
    /// None, or several.
    #[error("the package has {0} layers, and a component has one")]
    Layers(usize),
    /// A layer that is no component.
    #[error("the package's layer is `{0}`\nhelp: a component's is `{WASM}`, and is never compressed")]
    LayerType(String),
    /// More than a component may have.
    #[error("the component has {0} bytes, and at most {MAX_COMPONENT} are allowed")]
    ComponentSize(u64),
}

impl ManifestError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "manifest-json",
            Self::Shape(_) => "manifest-shape",
            Self::Index(_) => "manifest-index",
            Self::MediaType { .. } => "manifest-type",
            Self::ContentDigest(_) => "manifest-digest",
            Self::ArtifactType(_) => "artifact-type",
            Self::ConfigType(_) => "config-type",
            Self::Layers(_) => "layer-count",
            Self::LayerType(_) => "layer-type",
            Self::ComponentSize(_) => "component-too-large",
        }
    }
}

/// A blob or a manifest, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
}

impl Descriptor {
    /// What describes `bytes`.
    pub(crate) fn of(bytes: &[u8], media_type: &str) -> Self {
        Self { media_type: media_type.to_owned(), digest: Digest::of(bytes), size: bytes.len() as u64, artifact_type: None }
    }
}

/// An image manifest. What else stands in one is not looked at: nothing is done with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    schema_version: u64,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Descriptor>,
}

impl Manifest {
    pub(crate) fn new(config: Descriptor, layer: Descriptor) -> Self {
        let media_type = Some(IMAGE.to_owned());
        Self { schema_version: SCHEMA, media_type, artifact_type: None, config, layers: vec![layer], subject: None }
    }

    /// A manifest of this type that belongs to another.
    pub(crate) fn about(self, subject: Descriptor, artifact_type: &str) -> Self {
        Self { artifact_type: Some(artifact_type.to_owned()), subject: Some(subject), ..self }
    }

    /// As it is sent: the same fields in the same order give the same digest.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        serde_json::json!(self).to_string().into_bytes()
    }

    /// The one layer of a component's image.
    pub(crate) fn component(&self) -> Result<&Descriptor, ManifestError> {
        if let Some(other) = self.artifact_type.as_ref().filter(|artifact_type| *artifact_type != WASM_CONFIG) {
            return Err(ManifestError::ArtifactType(shown(other)));
        }
        if self.config.media_type != WASM_CONFIG {
            return Err(ManifestError::ConfigType(shown(&self.config.media_type)));
        }
        let [layer] = self.layers.as_slice() else { return Err(ManifestError::Layers(self.layers.len())) };
        if layer.media_type != WASM {
            return Err(ManifestError::LayerType(shown(&layer.media_type)));
        }
        if layer.size > MAX_COMPONENT {
            return Err(ManifestError::ComponentSize(layer.size));
        }
        Ok(layer)
    }
}

/// A list of manifests.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    schema_version: u64,
    #[serde(default)]
    media_type: Option<String>,
    pub(crate) manifests: Vec<Descriptor>,
}

/// A manifest, and what its bytes are.
pub(crate) struct Fetched {
    pub(crate) manifest: Manifest,
    pub(crate) descriptor: Descriptor,
}

/// One manifest. By digest it is the one that was asked for; by tag its digest is what everything after goes by.
pub(crate) async fn fetch(session: &mut Session<'_>, version: &Version, what: &'static str) -> Result<Fetched, RequestError> {
    let accept = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(EITHER))]);
    let url = session.url(&format!("manifests/{version}"))?;
    let answer = session.get(url, accept).await?.expect(what, &[StatusCode::OK])?;
    let host = answer.host().clone();
    typed(&answer, IMAGE, what)?;
    let said = answer.header(CONTENT_DIGEST).map(str::to_owned);
    let bytes = answer.at_most(what, MAX_MANIFEST).await?;
    let descriptor = Descriptor::of(&bytes, IMAGE);
    if matches!(version, Version::Digest(asked) if *asked != descriptor.digest) {
        return Err(RequestError::Digest { host, what });
    }
    if said.is_some_and(|said| said != descriptor.digest.to_string()) {
        return Err(ManifestError::ContentDigest(what).into());
    }
    let manifest: Manifest = parse(&bytes, what)?;
    same(manifest.schema_version, manifest.media_type.as_deref(), IMAGE, what)?;
    Ok(Fetched { manifest, descriptor })
}

/// The body of an answer that is an index.
pub(crate) async fn index_text(answer: Answer, what: &'static str) -> Result<Vec<u8>, RequestError> {
    typed(&answer, INDEX, what)?;
    answer.at_most(what, MAX_MANIFEST).await
}

pub(crate) fn index(bytes: &[u8], what: &'static str) -> Result<Index, RequestError> {
    let index: Index = parse(bytes, what)?;
    same(index.schema_version, index.media_type.as_deref(), INDEX, what)?;
    Ok(index)
}

pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, ManifestError> {
    let value = strict_json::parse(bytes).map_err(|_| ManifestError::Json(what))?;
    serde_json::from_value(value).map_err(|_| ManifestError::Shape(what))
}

/// The header's opinion.
fn typed(answer: &Answer, expected: &str, what: &'static str) -> Result<(), ManifestError> {
    match answer.media_type() {
        found if found == expected => Ok(()),
        INDEX => Err(ManifestError::Index(what)),
        found => Err(ManifestError::MediaType { what, found: shown(found) }),
    }
}

/// The document's own opinion, which must not be another (image-spec, "manifest.md", `mediaType`).
fn same(schema: u64, media_type: Option<&str>, expected: &str, what: &'static str) -> Result<(), ManifestError> {
    match media_type {
        _ if schema != SCHEMA => Err(ManifestError::Shape(what)),
        Some(found) if found != expected => Err(ManifestError::MediaType { what, found: shown(found) }),
        _ => Ok(()),
    }
}
