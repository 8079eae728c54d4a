//! Credentials: what each mode needs, and that the component cannot send what only the host may.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Findings, MAX_CONTRACTS, Manifest, Rule, UpstreamName,
    contract::{self, is_field_name, is_path_byte, is_sendable_header, is_token, template},
    identity::shorten,
};
use crate::manifest::{
    Credential, ExchangeCredential, Method, PathCredential, SECRET_SEGMENT, SigV4, Supplied, Upstream, pointer::Pointer,
};

/// A day. A token that is good for longer is a key.
pub(super) const MAX_LASTS: u64 = 24 * 60 * 60;
/// Characters of a fixed text that is put into a request.
const MAX_FIXED: usize = 512;

pub(super) fn check(manifest: &Manifest, name: &UpstreamName, upstream: &Upstream, at: &str, findings: &mut Findings) {
    let Some(credential) = &upstream.credential else { return };
    let at = format!("{at}.credential");
    supplied(manifest, credential, &at, findings);
    match credential {
        Credential::Header(header) => header_name(&header.header, &at, findings),
        Credential::Scheme(scheme) => scheme_name(&scheme.scheme, &at, findings),
        Credential::Basic(_) => {}
        Credential::Query(query) => {
            let name = query.query.as_str();
            if !is_field_name(name) {
                findings.add(&at, Rule::CredentialQuery(shorten(name)));
            }
            if upstream.request.iter().any(|request| request.query.contains_key(name) || request.require.query.contains_key(name))
            {
                findings.add(&at, Rule::CredentialSendable(shorten(name)));
            }
        }
        Credential::Path(path) => path_prefix(path, &at, findings),
        Credential::Exchange(exchange) => self::exchange(manifest, name, exchange, &at, findings),
        Credential::SigV4(signed) => signature(&signed.sigv4, &at, findings),
    }
    for header in credential.headers() {
        if upstream.request.iter().any(|request| request.headers.contains_key(&header)) {
            findings.add(&at, Rule::CredentialSendable(shorten(&header)));
        }
    }
}

/// Whether a secret may be left unset: the one that temporary keys come with.
fn may_be_absent(credential: &Credential, name: &crate::manifest::SecretName) -> bool {
    matches!(credential, Credential::SigV4(signed) if signed.sigv4.session_token.as_ref() == Some(name))
}

/// Every secret and every setting that is named is one that the operator is asked for.
fn supplied(manifest: &Manifest, credential: &Credential, at: &str, findings: &mut Findings) {
    for secret in credential.secrets().into_iter().collect::<BTreeSet<_>>() {
        match manifest.secrets.get(secret) {
            None => findings.add(at, Rule::UnknownSecret(secret.clone())),
            Some(declared) if declared.optional && !may_be_absent(credential, secret) => {
                findings.add(format!("secrets.{secret}"), Rule::OptionalSecret(secret.clone()));
            }
            Some(_) => {}
        }
    }
    for setting in credential.settings().into_iter().collect::<BTreeSet<_>>() {
        if !manifest.settings.as_ref().is_some_and(|schema| is_always_there(schema, setting)) {
            findings.add(at, Rule::UnknownSetting(shorten(setting)));
        }
    }
}

/// A string that the schema requires. What may be absent would be noticed by the upstream only.
fn is_always_there(schema: &Value, setting: &str) -> bool {
    let property = schema.get("properties").and_then(|properties| properties.get(setting));
    let required = schema.get("required").and_then(Value::as_array);
    property.and_then(|property| property.get("type")).is_some_and(|kind| kind == "string")
        && required.is_some_and(|names| names.iter().any(|name| name == setting))
}

fn header_name(name: &str, at: &str, findings: &mut Findings) {
    // `authorization` is refused to components everywhere, so a credential may be put there in full.
    if name != "authorization" && !is_sendable_header(name) {
        findings.add(at, Rule::CredentialHeader(shorten(name)));
    }
}

fn scheme_name(scheme: &str, at: &str, findings: &mut Findings) {
    if !is_token(scheme) {
        findings.add(at, Rule::CredentialScheme(shorten(scheme)));
    }
}

fn path_prefix(path: &PathCredential, at: &str, findings: &mut Findings) {
    let text = path.path.as_str();
    let literal = text.replacen(SECRET_SEGMENT, "x", 1);
    let plain = template(&literal).is_ok_and(|names| names.iter().all(Option::is_none)) && literal != "/";
    if !plain || !text.contains(SECRET_SEGMENT) || !literal.bytes().all(|byte| byte == b'/' || is_path_byte(byte)) {
        findings.add(at, Rule::CredentialPath(shorten(text)));
    }
}

fn signature(signed: &SigV4, at: &str, findings: &mut Findings) {
    for scope in [&signed.region, &signed.service] {
        let fine = match scope {
            Supplied::Fixed(text) => contract::is_token(text),
            Supplied::Setting(_) => true,
            Supplied::Secret(_) => false,
        };
        if !fine {
            findings.add(at, Rule::SigningScope);
        }
    }
}

fn exchange(manifest: &Manifest, own: &UpstreamName, credential: &ExchangeCredential, at: &str, findings: &mut Findings) {
    match (&credential.scheme, &credential.header) {
        (Some(scheme), None) => scheme_name(scheme, at, findings),
        (None, Some(header)) => header_name(header, at, findings),
        _ => findings.add(at, Rule::TokenPlace),
    }
    let exchange = &credential.exchange;
    let at = format!("{at}.exchange");
    let target = exchange.upstream.as_ref().unwrap_or(own);
    let contracts = match manifest.upstream.get(target) {
        Some(upstream) => upstream.request.iter().take(MAX_CONTRACTS).collect::<Vec<_>>(),
        None => {
            findings.add(&at, Rule::UnknownUpstream(target.clone()));
            vec![]
        }
    };
    let everywhere = manifest.upstream.values().flat_map(|upstream| &upstream.request);
    let others = manifest.upstream.iter().filter(|(name, _)| *name != own).filter_map(|(_, other)| match &other.credential {
        Some(Credential::Exchange(other)) => Some(&other.exchange.name),
        _ => None,
    });
    if everywhere.map(|contract| &contract.name).chain(others).any(|name| *name == exchange.name) {
        findings.add(format!("{at}.name"), Rule::DuplicateContract(exchange.name.clone()));
    }
    match template(&exchange.path) {
        Err(why) => findings.add(format!("{at}.path"), Rule::Path { path: shorten(&exchange.path), why }),
        Ok(names) => {
            let names: BTreeSet<&str> = names.into_iter().flatten().collect();
            for name in names.iter().filter(|name| !exchange.parameters.contains_key(**name)) {
                findings.add(format!("{at}.parameters"), Rule::ParameterWithoutPattern((*name).to_owned()));
            }
            for name in exchange.parameters.keys().filter(|name| !names.contains(name.as_str())) {
                findings.add(format!("{at}.parameters"), Rule::PatternWithoutParameter(shorten(name)));
            }
            for contract in contracts.iter().filter(|one| one.method == Method::Post && may_be_one(&one.path, &exchange.path)) {
                findings.add(&at, Rule::ExchangeSendable(contract.name.clone()));
            }
        }
    }
    for name in exchange.body.fields().keys().filter(|name| !is_field_name(name)) {
        findings.add(format!("{at}.body"), Rule::FieldName(shorten(name)));
    }
    for fixed in exchange.supplied() {
        if let Supplied::Fixed(text) = fixed {
            findings.line(format!("{at}.body"), text, MAX_FIXED);
        }
    }
    if !exchange.supplied().any(|supplied| supplied.secret().is_some()) {
        findings.add(&at, Rule::ExchangeWithoutSecret);
    }
    for pointer in [Some(&exchange.token), exchange.lifetime.as_ref(), exchange.expires.as_ref()].into_iter().flatten() {
        if let Err(error) = Pointer::parse(pointer) {
            findings.add(&at, error);
        }
    }
    if exchange.lifetime.is_some() && exchange.expires.is_some() {
        findings.add(&at, Rule::TokenLifetime);
    }
    if let Some(lasts) = exchange.lasts.filter(|lasts| !(1..=MAX_LASTS).contains(lasts)) {
        findings.add(&at, Rule::TokenLasts(lasts));
    }
}

/// Whether one request could fit both paths: a parameter may be anything.
fn may_be_one(a: &str, b: &str) -> bool {
    let same = |(a, b): (&str, &str)| a == b || a.starts_with('{') || b.starts_with('{');
    a.split('/').count() == b.split('/').count() && a.split('/').zip(b.split('/')).all(same)
}
