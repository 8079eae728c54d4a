//! The gate of one plugin: its contracts and the operator's bindings, compiled once, asked of every request.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_signing::manifest::{self, ContractName, Credential, Manifest, Method, PluginId, Protocol, UpstreamName};
use ipnet::IpNet;

use super::{
    Authority, Origin, OriginFault, Outgoing,
    addressee::Addressee,
    body,
    checked::Checked,
    closed,
    contract::{Contract, ContractFault, Miss},
    established::{self, Established, Lookup, Wanted},
    header,
    origin::Scheme,
    percent, query,
    refusal::{Refusal, RefusalReason},
    target::{self, Parts},
};
use crate::{output::LiveRedactor, text::quote};

/// What the operator says about one upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpstreamBinding {
    /// Where it is; none where the manifest says.
    pub origin: Option<String>,
    /// Special-purpose addresses it may resolve to.
    pub allow_private: Vec<IpNet>,
}

/// The gate of one plugin.
#[derive(Debug)]
pub struct Gate {
    plugin: PluginId,
    digest: String,
    upstreams: Vec<Bound>,
    wanted: Wanted,
    secrets: Arc<LiveRedactor>,
}

/// An upstream where it is.
#[derive(Debug)]
struct Bound {
    name: UpstreamName,
    origin: Origin,
    credential: Option<Arc<Credential>>,
    allow_private: Arc<[IpNet]>,
    contracts: Vec<Contract>,
}

/// Why a gate cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// A binding for an upstream that the plugin does not have.
    #[error("plugin `{plugin}` has no upstream `{upstream}`\nhelp: `casemate inspect` shows its upstreams")]
    NoSuchUpstream {
        /// The plugin.
        plugin: PluginId,
        /// The upstream.
        upstream: UpstreamName,
    },
    /// The operator must say where an upstream is, and did not.
    #[error("it is not said where upstream `{upstream}` of `{plugin}` is\nhelp: add `upstream.{upstream}.origin = \"{}://…\"` under `[plugins.{}]`", scheme(protocol), plugin.name)]
    Unbound {
        /// The plugin.
        plugin: PluginId,
        /// The upstream.
        upstream: UpstreamName,
        /// What is spoken to it.
        protocol: Protocol,
    },
    /// The manifest fixes the origin, and the operator names another.
    #[error("upstream `{upstream}` of `{plugin}` is always at `{fixed}`\nhelp: remove `upstream.{upstream}.origin`")]
    Fixed {
        /// The plugin.
        plugin: PluginId,
        /// The upstream.
        upstream: UpstreamName,
        /// Where it is.
        fixed: String,
    },
    /// Not an origin.
    #[error(
        "the origin of upstream `{upstream}`: {fault}\nhelp: write it as `{0}://host` or `{0}://host:port`, in lower case, without anything after",
        scheme(protocol)
    )]
    Origin {
        /// The upstream.
        upstream: UpstreamName,
        /// What is spoken to it.
        protocol: Protocol,
        /// Why.
        fault: OriginFault,
    },
    /// An origin where something else is spoken.
    #[error(
        "upstream `{upstream}` is bound to `{origin}`, where its protocol is not spoken\nhelp: write `{0}://host` or `{0}://host:port`",
        scheme(protocol)
    )]
    Protocol {
        /// The upstream.
        upstream: UpstreamName,
        /// What is spoken to it.
        protocol: Protocol,
        /// As the operator has it.
        origin: Origin,
    },
    /// A contract that cannot be enforced.
    #[error("request contract `{contract}` of upstream `{upstream}` cannot be enforced: {fault}")]
    Contract {
        /// The upstream.
        upstream: UpstreamName,
        /// The contract.
        contract: ContractName,
        /// Why.
        fault: ContractFault,
    },
    /// Two contracts of one name: a tool that may use one could use the other.
    #[error("two request contracts are called `{contract}`")]
    DuplicateContract {
        /// The name.
        contract: ContractName,
    },
}

impl Gate {
    /// Compile a plugin's contracts for the operator's bindings.
    pub fn new(manifest: &Manifest, bindings: &BTreeMap<UpstreamName, UpstreamBinding>) -> Result<Self, GateError> {
        let plugin = PluginId { publisher: manifest.plugin.publisher.clone(), name: manifest.plugin.name.clone() };
        if let Some(upstream) = bindings.keys().find(|upstream| !manifest.upstream.contains_key(upstream)) {
            return Err(GateError::NoSuchUpstream { plugin, upstream: upstream.clone() });
        }
        let dimensions: BTreeSet<_> = manifest.scope.keys().collect();
        let mut names = BTreeSet::new();
        let mut upstreams = Vec::new();
        for (name, upstream) in &manifest.upstream {
            let binding = bindings.get(name).cloned().unwrap_or_default();
            let origin = origin(&plugin, name, upstream, binding.origin)?;
            let mut contracts = Vec::new();
            for contract in &upstream.request {
                if !names.insert(contract.name.clone()) {
                    return Err(GateError::DuplicateContract { contract: contract.name.clone() });
                }
                contracts.push(
                    Contract::compile(contract, name, upstream.credential.as_ref(), &dimensions).map_err(|fault| {
                        GateError::Contract { upstream: name.clone(), contract: contract.name.clone(), fault }
                    })?,
                );
            }
            established::check(&contracts).map_err(|(contract, fault)| GateError::Contract {
                upstream: name.clone(),
                contract,
                fault,
            })?;
            upstreams.push(Bound {
                name: name.clone(),
                origin,
                credential: upstream.credential.clone().map(Arc::new),
                allow_private: binding.allow_private.into(),
                contracts,
            });
        }
        let wanted = Wanted::of(upstreams.iter().flat_map(|bound| &bound.contracts));
        Ok(Self { plugin, digest: manifest.component.sha256.clone(), upstreams, wanted, secrets: Arc::default() })
    }

    /// Also refuse every request that holds one of these secrets, in any spelling that is looked for.
    ///
    /// A plugin is given none, and an upstream may have echoed one: it must not travel on to another upstream, nor be
    /// quoted in a refusal. User names are no secrets in this sense: they stand in innocent requests.
    #[must_use]
    pub fn guarding(self, secrets: Arc<LiveRedactor>) -> Self {
        Self { secrets, ..self }
    }

    /// Before anything is quoted.
    fn holds_secret(&self, request: &Outgoing) -> bool {
        let secrets = self.secrets.now();
        let texts = [&request.method, &request.scheme, &request.authority, &request.path_and_query];
        texts.into_iter().any(|text| secrets.is_in(text.as_bytes()))
            || request.headers.iter().any(|(name, value)| secrets.is_in(name.as_bytes()) || secrets.is_in(value))
            || secrets.is_in(&request.body)
    }

    /// Where an upstream is, and the special-purpose addresses that it may be at.
    pub fn place(&self, upstream: &UpstreamName) -> Option<(&Origin, &[IpNet])> {
        let bound = self.upstreams.iter().find(|bound| bound.name == *upstream)?;
        Some((&bound.origin, &bound.allow_private))
    }

    /// What is added to the requests of an upstream.
    pub fn credential(&self, upstream: &UpstreamName) -> Option<&Credential> {
        self.upstreams.iter().find(|bound| bound.name == *upstream)?.credential.as_deref()
    }

    /// The one request of an upstream that the host may send by itself, to see whether its credential works: a declared read that
    /// has nothing to fill in. None where the manifest names none.
    pub fn probe(&self, upstream: &UpstreamName) -> Option<Checked> {
        let bound = self.upstreams.iter().find(|bound| bound.name == *upstream)?;
        let (contract, query) = bound.contracts.iter().find_map(|contract| Some((contract, contract.probe.as_ref()?)))?;
        let mut url = format!("{}{}", bound.origin, contract.path.literal()?);
        for (at, (name, value)) in query.iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            percent::encode(name, &mut url);
            url.push('=');
            percent::encode(value, &mut url);
        }
        Some(Checked {
            upstream: contract.upstream.clone(),
            contract: contract.name.clone(),
            effect: contract.effect,
            method: contract.method,
            origin: bound.origin.clone(),
            url,
            headers: vec![("accept".to_owned(), "*/*".to_owned())],
            body: Vec::new(),
            targets: BTreeMap::new(),
            credential: bound.credential.clone(),
            allow_private: Arc::clone(&bound.allow_private),
            lookup: None,
            shown: None,
        })
    }

    /// Which values of which reads are to be kept.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Everything but the ceiling and the plan: read the request, find its one contract, hold it against contract, grant and what
    /// is established.
    pub(super) fn read(
        &self,
        authority: &Authority<'_>,
        request: Outgoing,
        established: &Established,
    ) -> Result<(Checked, &Contract), Refusal> {
        if *authority.plugin != self.plugin || authority.digest != self.digest {
            let why = format!("the permit is for `{}`, and this is the gate of `{}`", authority.plugin, self.plugin);
            return Err(Refusal::new(RefusalReason::WrongPlugin, why));
        }
        if self.holds_secret(&request) {
            return Err(Refusal::new(RefusalReason::SecretInRequest, "the request holds a secret that only the host sends"));
        }
        let method = method(&request.method)?;
        let addressee = Addressee::read(&request.scheme, &request.authority, self.upstreams.iter().map(|bound| &bound.name))?;
        let (path, query) = query::read(&request.path_and_query)?;
        let mut headers = header::read(&request.headers, &request.body)?;
        let content_type = headers.get("content-type").cloned();
        let body = body::read(content_type.as_deref(), request.body)?;

        let (bound, contract) =
            self.one_contract(&addressee, |contract| contract.matches(method, &path, &query, body.as_ref()))?;
        if !authority.requests.contains(&contract.name) {
            let why = format!("the tool may not use contract `{}`", contract.name);
            return Err(Refusal::new(RefusalReason::ContractNotGranted, why));
        }
        query::check(contract, &query)?;
        header::check(contract, &headers)?;
        closed::check(contract, body.as_ref().and_then(|body| body.inside.as_ref()))?;
        let parts = Parts { path: &path, query: &query, headers: &headers, body: body.as_ref() };
        let targets = target::check(contract, authority, &parts, established)?;

        let path_url = format!("{}{}", bound.origin, contract.path.write(&path));
        if let Some(body) = &body {
            headers.insert("content-type".to_owned(), body.content_type.clone());
        }
        let headers: Vec<(String, String)> = headers.into_iter().collect();
        let shown = contract.volatile.as_ref().and_then(|it| it.show(&path_url, &query, &headers, body.as_ref()));
        let key = || contract.path.parameters(&path).map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let lookup = self.wanted.has(&contract.name).then(|| Lookup { key: key(), turn: 0 });
        let mut url = path_url;
        let query = query.encode();
        if !query.is_empty() {
            url.push('?');
            url.push_str(&query);
        }
        let checked = Checked {
            upstream: contract.upstream.clone(),
            contract: contract.name.clone(),
            effect: contract.effect,
            method,
            origin: bound.origin.clone(),
            url,
            headers,
            body: body.map(|body| body.bytes).unwrap_or_default(),
            targets,
            credential: bound.credential.clone(),
            allow_private: Arc::clone(&bound.allow_private),
            lookup,
            shown,
        };
        Ok((checked, contract))
    }

    /// The one contract of this addressee that the request is. All of the plugin's are asked, the tool's and the others:
    /// a request that is also one the tool may not make is none that it may.
    fn one_contract(
        &self,
        addressee: &Addressee,
        matches: impl Fn(&Contract) -> Result<(), Miss>,
    ) -> Result<(&Bound, &Contract), Refusal> {
        let mut nearest: Option<(Miss, &ContractName)> = None;
        let mut found: Option<(&Bound, &Contract)> = None;
        for bound in self.upstreams.iter().filter(|bound| addressee.is(&bound.name, &bound.origin)) {
            for contract in &bound.contracts {
                match (matches(contract), found) {
                    (Ok(()), None) => found = Some((bound, contract)),
                    (Ok(()), Some((_, first))) => {
                        let why = format!("the request is both `{}` and `{}`", first.name, contract.name);
                        return Err(Refusal::new(RefusalReason::ContractAmbiguous, why));
                    }
                    (Err(miss), _) => {
                        if nearest.as_ref().is_none_or(|(best, _)| miss.0 > best.0) {
                            nearest = Some((miss, &contract.name));
                        }
                    }
                }
            }
        }
        match (found, nearest) {
            (Some(found), _) => Ok(found),
            (None, Some((miss, name))) => {
                Err(Refusal::new(RefusalReason::NoContract, format!("no contract fits; the nearest is `{name}`: {}", miss.1)))
            }
            (None, None) => {
                let why = format!("no upstream of `{}` is bound to {}", self.plugin, quote(&addressee.to_string(), 300));
                Err(Refusal::new(RefusalReason::OriginNotBound, why))
            }
        }
    }
}

/// Where an upstream is: fixed by the manifest, else as the operator says, else the manifest's default.
fn origin(
    plugin: &PluginId,
    name: &UpstreamName,
    upstream: &manifest::Upstream,
    bound: Option<String>,
) -> Result<Origin, GateError> {
    let protocol = upstream.protocol;
    let text = match (&upstream.origin, bound) {
        (manifest::Origin::Fixed(fixed), Some(other)) if other != *fixed => {
            return Err(GateError::Fixed { plugin: plugin.clone(), upstream: name.clone(), fixed: fixed.clone() });
        }
        (manifest::Origin::Fixed(fixed), _) => fixed.clone(),
        (manifest::Origin::Operator, Some(bound)) => bound,
        (manifest::Origin::Operator, None) => upstream.default_origin.clone().ok_or_else(|| GateError::Unbound {
            plugin: plugin.clone(),
            upstream: name.clone(),
            protocol,
        })?,
    };
    let origin = Origin::parse(&text).map_err(|fault| GateError::Origin { upstream: name.clone(), protocol, fault })?;
    match origin.scheme().carries(protocol) {
        true => Ok(origin),
        false => Err(GateError::Protocol { upstream: name.clone(), protocol, origin }),
    }
}

/// As an origin begins.
fn scheme(protocol: &Protocol) -> &'static str {
    Scheme::encrypted(*protocol).as_str()
}

/// Methods are case-sensitive (RFC 9110, section 9.1).
fn method(text: &str) -> Result<Method, Refusal> {
    [Method::Get, Method::Head, Method::Post, Method::Put, Method::Patch, Method::Delete]
        .into_iter()
        .find(|method| method.as_str() == text)
        .ok_or_else(|| Refusal::new(RefusalReason::MethodUnknown, format!("no contract names the method {}", quote(text, 40))))
}
