//! Checked requests: what may be sent, byte for byte as it was read.

use std::{collections::BTreeMap, sync::Arc};

use casemate_signing::manifest::{ContractName, Credential, DimensionName, Effect, Method, UpstreamName};
use ipnet::IpNet;

use super::{Origin, established::Lookup, percent, volatile::Shown};

/// A request that passed the gate, written again from what the gate read. Only the gate makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    pub(super) upstream: UpstreamName,
    pub(super) contract: ContractName,
    pub(super) effect: Effect,
    pub(super) method: Method,
    pub(super) origin: Origin,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) targets: BTreeMap<DimensionName, Vec<String>>,
    pub(super) credential: Option<Arc<Credential>>,
    pub(super) allow_private: Arc<[IpNet]>,
    /// What its answer establishes, if anything.
    pub(super) lookup: Option<Lookup>,
    /// How a plan shows it, where that is not as it is sent.
    pub(super) shown: Option<Shown>,
}

impl Checked {
    /// The upstream it goes to.
    pub fn upstream(&self) -> &UpstreamName {
        &self.upstream
    }

    /// The contract it is one of.
    pub fn contract(&self) -> &ContractName {
        &self.contract
    }

    /// The contract's effect.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The method.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The whole URL, without any credential.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL's origin: the operator's binding.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Lower-case names and values, in the order of the names. Never `host`, `content-length` or `accept-encoding`,
    /// which the transport sets, nor a credential.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The whole body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// What it touches, per dimension.
    pub fn targets(&self) -> &BTreeMap<DimensionName, Vec<String>> {
        &self.targets
    }

    /// What the transport adds, behind this gate.
    pub fn credential(&self) -> Option<&Credential> {
        self.credential.as_deref()
    }

    /// The special-purpose addresses that the operator allows for this upstream; see [`crate::address::permit`].
    pub fn allow_private(&self) -> &[IpNet] {
        &self.allow_private
    }

    /// The segments of the path, decoded: without the query.
    pub fn segments(&self) -> impl Iterator<Item = String> {
        let origin = self.origin.to_string();
        let path = self.url.strip_prefix(&origin).unwrap_or_default().split('?').next().unwrap_or_default();
        // Written by this gate, so it can be read.
        path.split('/').skip(1).filter_map(|segment| percent::decode(segment, false).ok())
    }

    /// The URL with segments before its path: for a credential whose place is the path. What is given stands as it is.
    pub fn url_under(&self, prefix: &str) -> String {
        under(&self.origin, prefix, &self.url)
    }

    /// The URL with one more query parameter, encoded: for a credential whose place is the query.
    pub fn url_with_query(&self, name: &str, value: &str) -> String {
        let mut url = self.url.clone();
        url.push(if url.contains('?') { '&' } else { '?' });
        percent::encode(name, &mut url);
        url.push('=');
        percent::encode(value, &mut url);
        url
    }
}

/// A URL of this origin with `prefix` before its path. A path of `/` adds nothing.
pub(super) fn under(origin: &Origin, prefix: &str, url: &str) -> String {
    let origin = origin.to_string();
    let path = url.strip_prefix(&origin).unwrap_or_default();
    let path = match path.strip_prefix('/') {
        Some(rest) if rest.is_empty() || rest.starts_with('?') => rest,
        _ => path,
    };
    format!("{origin}{prefix}{path}")
}

/// A text as it stands in one segment of a path.
pub fn path_segment(text: &str) -> String {
    let mut segment = String::new();
    percent::encode(text, &mut segment);
    segment
}
