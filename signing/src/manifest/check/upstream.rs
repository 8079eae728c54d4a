//! Where requests go, and what the host adds to them.

use std::{collections::BTreeSet, net::IpAddr};

use url::{Host, Url};

use super::{
    Contracts, Findings, MAX_CONTRACTS, Manifest, Placed, Rule, UpstreamName, contract, established, identity::shorten, overlap,
};
use crate::manifest::{Credential, Origin, Upstream};

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
        credential(manifest, upstream, &at, findings);
        match upstream.request.len() {
            0 => findings.add(&at, Rule::NoContracts),
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
        established::check(upstream, &at, findings);
        overlap::check(&compiled, &at, findings);
    }
    contracts
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

fn credential(manifest: &Manifest, upstream: &Upstream, at: &str, findings: &mut Findings) {
    let Some(credential) = &upstream.credential else { return };
    let at = format!("{at}.credential");
    for secret in credential.secrets().into_iter().collect::<BTreeSet<_>>() {
        if !manifest.secrets.contains_key(secret) {
            findings.add(&at, Rule::UnknownSecret(secret.clone()));
        }
    }
    match credential {
        Credential::Header(header) => {
            let name = header.header.as_str();
            // `authorization` is refused to components everywhere, so a credential may be put there in full.
            if name != "authorization" && !contract::is_sendable_header(name) {
                findings.add(&at, Rule::CredentialHeader(shorten(name)));
            }
            let declared = |request: &&crate::manifest::RequestContract| request.headers.contains_key(name);
            if upstream.request.iter().any(|request| declared(&request)) {
                findings.add(&at, Rule::CredentialSendable(shorten(name)));
            }
        }
        Credential::Scheme(scheme) if !contract::is_token(&scheme.scheme) => {
            findings.add(&at, Rule::CredentialScheme(shorten(&scheme.scheme)));
        }
        Credential::Scheme(_) | Credential::Basic(_) => {}
        Credential::Query(query) => {
            let name = query.query.as_str();
            if !contract::is_field_name(name) {
                findings.add(&at, Rule::CredentialQuery(shorten(name)));
            }
            if upstream.request.iter().any(|request| request.query.contains_key(name) || request.require.query.contains_key(name))
            {
                findings.add(&at, Rule::CredentialSendable(shorten(name)));
            }
        }
    }
}
