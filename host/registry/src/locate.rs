//! From `publisher/name` to a repository: what a host says in `/.well-known/wasm-pkg/registry.json`, as `wkg` reads it.

use casemate_signing::manifest::PluginId;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    authority::Authority,
    client::{Ask, Client},
    manifest,
    reference::{InvalidReference, Reference},
    request::{RequestError, shown},
    session::below,
};

const PATH: &str = "/.well-known/wasm-pkg/registry.json";
/// It has three fields.
const MAX_METADATA: usize = 64 * 1024;
const WHAT: &str = "the registry's metadata";

/// Why a host does not say where its packages are.
#[derive(Debug, thiserror::Error)]
pub enum LocateError {
    /// Another kind of registry.
    #[error("`{host}` keeps packages by `{protocol}`, and only `oci` is known here")]
    Protocol {
        /// Which host.
        host: Authority,
        /// What it says.
        protocol: String,
    },
    /// Not the name of a repository.
    #[error("`{host}` says that its packages are where nothing can be: {error}")]
    Reference {
        /// Which host.
        host: Authority,
        /// What is wrong with it.
        error: InvalidReference,
    },
    /// This machine, which only a person may name.
    #[error("`{host}` says that its packages are at `{registry}`, which is this machine")]
    Loopback {
        /// Which host.
        host: Authority,
        /// What it says.
        registry: Authority,
    },
    /// The host, or what it sent.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl LocateError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Protocol { .. } => "metadata-protocol",
            Self::Reference { .. } => "metadata-reference",
            Self::Loopback { .. } => "metadata-loopback",
            Self::Request(error) => error.code(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    preferred_protocol: Option<String>,
    oci: Option<Oci>,
    /// The older spelling of the same.
    oci_registry: Option<String>,
    oci_namespace_prefix: Option<String>,
    /// Another protocol, given alone.
    warg: Option<Value>,
    warg_url: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Oci {
    registry: Option<String>,
    namespace_prefix: Option<String>,
}

impl Client {
    /// The repository in which `host` keeps `plugin`. A host that says nothing keeps it itself, under the plugin's name.
    pub async fn locate(&self, host: &Authority, plugin: &PluginId) -> Result<Reference, LocateError> {
        self.within(host, locate(self, host, plugin)).await
    }
}

async fn locate(client: &Client, host: &Authority, plugin: &PluginId) -> Result<Reference, LocateError> {
    let ask = Ask { host: host.clone(), method: Method::GET, url: below(host, PATH)?, headers: HeaderMap::new(), body: None };
    let answer = client.send(ask, true, None).await?.expect(WHAT, &[StatusCode::OK, StatusCode::NOT_FOUND])?;
    let metadata = match answer.status() {
        StatusCode::NOT_FOUND => Metadata::default(),
        _ => manifest::parse(&answer.at_most(WHAT, MAX_METADATA).await?, WHAT).map_err(RequestError::from)?,
    };
    reference(metadata, host, plugin)
}

fn reference(metadata: Metadata, host: &Authority, plugin: &PluginId) -> Result<Reference, LocateError> {
    let only_warg =
        metadata.oci.is_none() && metadata.oci_registry.is_none() && (metadata.warg.is_some() || metadata.warg_url.is_some());
    let protocol = metadata.preferred_protocol.unwrap_or_else(|| if only_warg { "warg" } else { "oci" }.to_owned());
    if protocol != "oci" {
        return Err(LocateError::Protocol { host: host.clone(), protocol: shown(&protocol) });
    }
    let oci = metadata.oci.unwrap_or_default();
    // As `wkg` has it: the older spelling wins where both are given.
    let prefix = metadata.oci_namespace_prefix.or(oci.namespace_prefix).unwrap_or_default();
    let invalid = |error: InvalidReference| LocateError::Reference { host: host.clone(), error };
    let registry = match metadata.oci_registry.or(oci.registry) {
        Some(registry) => registry.parse().map_err(|error| invalid(InvalidReference::Host(error)))?,
        None => host.clone(),
    };
    if registry != *host && registry.is_loopback() {
        return Err(LocateError::Loopback { host: host.clone(), registry });
    }
    let repository = format!("{prefix}{plugin}").parse().map_err(invalid)?;
    Ok(Reference::new(registry, repository, None))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(metadata: &str, expected: Result<&str, &str>) {
        let metadata = serde_json::from_str(metadata).unwrap();
        let found = reference(metadata, &"acme.example".parse().unwrap(), &"acme/plugin".parse().unwrap());
        let found = found.map(|reference| reference.to_string());
        assert_eq!(found.as_deref().map_err(|error| error.code()), expected);
    }

    #[test]
    fn where_packages_are_is_read_as_wkg_reads_it() {
        check("{}", Ok("oci://acme.example/acme/plugin"));
        let elsewhere = Ok("oci://ghcr.io/owner/acme/plugin");
        check(r#"{"oci":{"registry":"ghcr.io","namespacePrefix":"owner/"}}"#, elsewhere);
        check(r#"{"preferredProtocol":"oci","oci":{"registry":"ghcr.io","namespacePrefix":"owner/"},"warg":{}}"#, elsewhere);
        check(r#"{"ociRegistry":"ghcr.io","ociNamespacePrefix":"owner/"}"#, elsewhere);
        check(r#"{"oci":{"registry":"ghcr.io"}}"#, Ok("oci://ghcr.io/acme/plugin"));
        check(r#"{"oci":{"namespacePrefix":"pre-"}}"#, Ok("oci://acme.example/pre-acme/plugin"));
    }

    #[test]
    fn each_refusal_has_its_own_error() {
        check(r#"{"preferredProtocol":"warg","oci":{"registry":"ghcr.io"}}"#, Err("metadata-protocol"));
        check(r#"{"warg":{"url":"https://warg.example"}}"#, Err("metadata-protocol"));
        check(r#"{"oci":{"registry":"user@ghcr.io"}}"#, Err("metadata-reference"));
        check(r#"{"oci":{"registry":"ghcr.io/owner"}}"#, Err("metadata-reference"));
        check(r#"{"oci":{"namespacePrefix":"../"}}"#, Err("metadata-reference"));
        check(r#"{"oci":{"namespacePrefix":"Owner/"}}"#, Err("metadata-reference"));
        check(r#"{"oci":{"registry":"127.0.0.1:6379"}}"#, Err("metadata-loopback"));
        check(r#"{"ociRegistry":"localhost"}"#, Err("metadata-loopback"));
    }
}
