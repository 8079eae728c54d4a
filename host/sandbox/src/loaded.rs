//! A plugin that is ready to be called: verified, compiled, linked, bound to its upstreams.

use std::{collections::BTreeMap, sync::Arc};

use casemate_policy::{
    egress::{Gate, GateError},
    output::Redactor,
};
use casemate_signing::manifest::{Manifest, PluginId, UpstreamName};

use crate::{
    compile::CacheError,
    dependencies::MetadataError,
    egress::{Probed, Secrets, TransportError, Upstreams},
    imports::ImportError,
    limits::Limits,
    places::PluginPlaces,
    source::BoundSource,
    state::{State, bindings::PluginPre},
};

/// Why a package that was verified is still not served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its imports or exports refuse it.
    #[error("{code}: {0}", code = .0.code())]
    Imports(#[from] ImportError),
    /// It says something else of itself than its manifest does.
    #[error("{code}: {0}", code = .0.code())]
    Metadata(#[from] MetadataError),
    /// It has no compiled code.
    #[error("{code}: {0}", code = .0.code())]
    Code(#[from] CacheError),
    /// Its contracts do not fit the operator's bindings.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// No HTTP client for one of its upstreams.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// wasmtime does not link it.
    #[error(
        "link-refused: the component cannot be linked: {0}\nhelp: it was built for another version of the world `casemate:plugin/plugin`"
    )]
    Link(String),
}

/// A plugin that is ready to be called.
pub struct Loaded {
    pub(crate) id: PluginId,
    pub(crate) digest: String,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) pre: PluginPre<State>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) limits: Limits,
    pub(crate) sources: Arc<BTreeMap<String, BoundSource>>,
    pub(crate) settings: String,
    pub(crate) places: Arc<PluginPlaces>,
    /// One for each linear memory: the pool has as many memories as the host has places.
    pub(crate) places_of_a_call: u32,
}

impl Loaded {
    /// `publisher/name`.
    pub fn id(&self) -> &PluginId {
        &self.id
    }

    /// Lower-case hex SHA-256 of the component.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The signed manifest.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// What one call may use.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What removes this plugin's secrets from a text.
    pub fn redactor(&self) -> Arc<Redactor> {
        self.upstreams.redactor()
    }

    /// Send these secrets from the next request on. Those before are removed from texts for a while longer.
    pub fn renew(&self, secrets: Secrets) {
        self.upstreams.secrets().renew(secrets);
    }

    /// Whether these are the secrets that it sends.
    pub fn sends(&self, secrets: &Secrets) -> bool {
        self.upstreams.secrets().has(secrets)
    }

    /// Remove from texts what another sent, too: it was served in this one's place.
    pub fn inherit(&self, before: &Self) {
        self.upstreams.secrets().inherit(before.upstreams.secrets());
    }

    /// Whether some upstream of it is told under which trace it is asked.
    pub fn is_traced(&self) -> bool {
        self.upstreams.is_traced()
    }

    /// Send the request of an upstream that the manifest names as harmless, or get its token, to see whether its credential works.
    /// None where the manifest names neither.
    pub async fn probe(&self, upstream: &UpstreamName) -> Option<Probed> {
        self.upstreams.probe(upstream, self.limits.response_bytes).await
    }
}
