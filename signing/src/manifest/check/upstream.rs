//! Where requests go, and what the host adds to them.

use std::net::IpAddr;

use serde_json::Value;
use url::{Host, Url};

use super::{
    Contracts, Findings, MAX_CONTRACTS, Manifest, Placed, Rule, UpstreamName, contract, credential, established,
    identity::shorten, overlap,
};
use crate::manifest::{Credential, Effect, Method, Origin, Protocol, RequestContract, Requirement, Upstream};

/// Upstreams of one plugin.
const MAX_UPSTREAMS: usize = 32;

/// Check every upstream and its contracts, and return the contracts by name.
pub(super) fn check<'a>(manifest: &'a Manifest, findings: &mut Findings) -> Contracts<'a> {
    let mut contracts = Contracts::new();
    if manifest.upstream.len() > MAX_UPSTREAMS {
        findings.add("upstream", Rule::TooMany { what: "upstreams", count: manifest.upstream.len(), max: MAX_UPSTREAMS });
    }
    shared_origins(manifest, findings);
    for (name, upstream) in &manifest.upstream {
        let at = format!("upstream.{name}");
        origins(upstream, &at, findings);
        match upstream.protocol {
            Protocol::Http => {}
            Protocol::Postgresql => database(upstream, &at, findings),
            Protocol::McpSse => calls(upstream, &at, findings),
        }
        credential::check(manifest, name, upstream, &at, findings);
        match upstream.request.len() {
            0 if !manifest.upstream.values().any(|other| exchanges_at(other, name)) => findings.add(&at, Rule::NoContracts),
            count if count > MAX_CONTRACTS => {
                findings.add(&at, Rule::TooMany { what: "request contracts", count, max: MAX_CONTRACTS });
                continue;
            }
            _ => {}
        }
        let mut compiled = Vec::new();
        for request in &upstream.request {
            let at = format!("{at}.request.{}", request.name);
            compiled.push(contract::check(manifest, request, &at, findings));
            if contracts.contains_key(&request.name) {
                findings.add(at, Rule::DuplicateContract(request.name.clone()));
            } else {
                contracts.insert(&request.name, Placed { at, contract: request });
            }
        }
        if upstream.request.iter().filter(|request| request.probe).count() > 1 {
            findings.add(&at, Rule::ManyProbes);
        }
        established::check(upstream, &at, findings);
        overlap::check(&compiled, &at, findings);
    }
    contracts
}

/// Whether the host talks to `name` by itself, to get a token for another upstream.
fn exchanges_at(other: &Upstream, name: &UpstreamName) -> bool {
    other.credential.as_ref().and_then(Credential::upstream) == Some(name)
}

fn origins(upstream: &Upstream, at: &str, findings: &mut Findings) {
    match (&upstream.origin, &upstream.default_origin) {
        (Origin::Fixed(origin), default) => {
            check_origin(origin, &format!("{at}.origin"), findings);
            if default.is_some() {
                findings.add(format!("{at}.default_origin"), Rule::DefaultOriginOnFixed);
            }
        }
        (Origin::Operator, Some(origin)) => check_origin(origin, &format!("{at}.default_origin"), findings),
        (Origin::Operator, None) => {}
    }
}

/// An origin is written exactly as its parsed form is, so that comparing texts compares origins.
fn check_origin(origin: &str, at: &str, findings: &mut Findings) {
    let parsed = Url::parse(origin)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.origin().ascii_serialization() == origin);
    match parsed {
        None => findings.add(at, Rule::OriginForm(shorten(origin))),
        Some(url) if url.scheme() == "http" && !is_loopback(&url) => findings.add(at, Rule::OriginInsecure(shorten(origin))),
        Some(_) => {}
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// What the host makes a statement of: a database in the path, a closed JSON object, and nothing besides. What is asked only reads,
/// whatever a contract would say.
fn database(upstream: &Upstream, at: &str, findings: &mut Findings) {
    if upstream.origin != Origin::Operator || upstream.default_origin.is_some() {
        findings.add(format!("{at}.origin"), Rule::DatabaseOrigin);
    }
    if !matches!(upstream.credential, Some(Credential::Basic(_))) {
        findings.add(format!("{at}.credential"), Rule::DatabaseCredential);
    }
    let is_statement = |request: &RequestContract| {
        let one_segment = request.path.strip_prefix('/').is_some_and(|rest| !rest.is_empty() && !rest.contains('/'));
        let bare = request.query.is_empty() && request.require.query.is_empty() && request.headers.is_empty();
        let reads = request.effect() == Some(Effect::Read) && request.method == Method::Post;
        one_segment && bare && reads && request.closed && request.content_type.as_deref() == Some(contract::JSON)
    };
    for request in upstream.request.iter().filter(|request| !is_statement(request)) {
        findings.add(format!("{at}.request.{}", request.name), Rule::DatabaseRequest);
    }
}

/// What the host makes a call of a tool of: the tool is the contract's to say, so that a server's other tools are out of reach.
fn calls(upstream: &Upstream, at: &str, findings: &mut Findings) {
    let in_a_header =
        |credential: &Credential| matches!(credential, Credential::Header(_) | Credential::Scheme(_) | Credential::Basic(_));
    if !upstream.credential.as_ref().is_none_or(in_a_header) {
        findings.add(format!("{at}.credential"), Rule::McpCredential);
    }
    let is_call = |request: &RequestContract| {
        let bare = request.query.is_empty() && request.require.query.is_empty() && request.headers.is_empty();
        let posted = request.method == Method::Post && request.closed && request.content_type.as_deref() == Some(contract::JSON);
        let exactly = |place: &str| match request.require.body.get(place) {
            Some(Requirement::Exactly(value)) => Some(value),
            _ => None,
        };
        let one_tool = exactly("/jsonrpc").is_some_and(|value| value == "2.0")
            && exactly("/id").is_some_and(|value| value.is_u64() || value.is_string())
            && exactly("/method").is_some_and(|value| value == "tools/call")
            && exactly("/params/name").is_some_and(Value::is_string);
        bare && posted && one_tool && !request.path.contains('{')
    };
    for request in upstream.request.iter().filter(|request| !is_call(request)) {
        findings.add(format!("{at}.request.{}", request.name), Rule::McpRequest);
    }
}

/// A request to a fixed origin is for one upstream.
fn shared_origins(manifest: &Manifest, findings: &mut Findings) {
    let mut seen: Vec<(&str, &UpstreamName)> = Vec::new();
    for (name, upstream) in &manifest.upstream {
        let Origin::Fixed(origin) = &upstream.origin else { continue };
        match seen.iter().find(|(other, _)| other == origin) {
            Some((_, other)) => findings.add(format!("upstream.{name}.origin"), Rule::OriginShared((*other).clone())),
            None => seen.push((origin, name)),
        }
    }
}
