//! One request contract: a path, what may be sent, what it may do, and what limits it.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use super::{Findings, MAX_LINE, Manifest, PathFault, Rule, identity::shorten, place, planned};
use crate::{
    digest::Digest,
    manifest::{Effect, RequestContract, Requirement, ScopeBindings, TargetsRequirement, pattern, pointer::Pointer},
};

/// The media types whose bodies the gate parses and writes anew.
pub(crate) const JSON: &str = "application/json";
/// See [`JSON`].
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Characters of a path template.
const MAX_PATH: usize = 512;
/// The group of a pattern that holds targets.
const TARGETS: &str = "targets";
/// Query parameters, headers or body places of one contract.
const MAX_PLACES: usize = 128;

/// Headers the host sets, that frame the message, that authenticate, or that make a server act on another method or
/// path than the gate saw; and the trace, which is the host's word.
const RESERVED_HEADERS: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "cookie2",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// A segment of a path template.
pub(super) enum Segment<'a> {
    Literal(&'a str),
    /// With its pattern, where that is valid.
    Parameter(Option<Regex>),
}

/// A contract as far as the search for overlaps needs it.
pub(super) struct Compiled<'a> {
    pub(super) contract: &'a RequestContract,
    pub(super) segments: Vec<Segment<'a>>,
}

pub(super) fn check<'a>(manifest: &Manifest, contract: &'a RequestContract, at: &str, findings: &mut Findings) -> Compiled<'a> {
    let segments = path(contract, at, findings);
    sendable(contract, at, findings);
    if let Some(reason) = &contract.reason {
        findings.line(format!("{at}.reason"), reason, MAX_LINE);
    }
    effect(contract, at, findings);
    for dimension in contract.dimensions().collect::<BTreeSet<_>>() {
        if !manifest.scope.contains_key(dimension) {
            findings.add(format!("{at}.scope"), Rule::UnknownDimension(dimension.clone()));
        }
    }
    place::check(contract, at, findings);
    body(contract, at, findings);
    planned::check(contract, at, findings);
    if contract.probe && !is_harmless(contract) {
        findings.add(format!("{at}.probe"), Rule::Probe);
    }
    Compiled { contract, segments }
}

fn path<'a>(contract: &'a RequestContract, at: &str, findings: &mut Findings) -> Vec<Segment<'a>> {
    let at_path = format!("{at}.path");
    let names = match template(&contract.path) {
        Ok(names) => names,
        Err(why) => {
            findings.add(at_path, Rule::Path { path: shorten(&contract.path), why });
            return vec![];
        }
    };
    for name in contract.parameters.keys().filter(|name| !names.contains(&Some(name.as_str()))) {
        findings.add(format!("{at}.parameters.{}", shorten(name)), Rule::PatternWithoutParameter(shorten(name)));
    }
    let literals = contract.path.split('/').skip(1);
    literals
        .zip(names)
        .map(|(literal, name)| match name {
            None => Segment::Literal(literal),
            Some(name) => Segment::Parameter(parameter(contract, name, at, findings)),
        })
        .collect()
}

fn parameter(contract: &RequestContract, name: &str, at: &str, findings: &mut Findings) -> Option<Regex> {
    let Some(text) = contract.parameters.get(name) else {
        findings.add(format!("{at}.parameters"), Rule::ParameterWithoutPattern(name.to_owned()));
        return None;
    };
    let at = format!("{at}.parameters.{name}");
    let pattern = match pattern::compile(text) {
        Ok(pattern) => pattern,
        Err(error) => {
            findings.add(at, error);
            return None;
        }
    };
    // An empty or dot segment is removed by servers, so that the path becomes another one; so does a slash once decoded.
    for value in ["", ".", "..", "/", "../..", "a/b", "\\", "a\\b"] {
        if pattern.is_match(value) {
            findings.add(at, Rule::PatternEscapes { parameter: name.to_owned(), value });
            break;
        }
    }
    Some(pattern)
}

/// The name of each segment's parameter, `None` for a literal.
pub(super) fn template(path: &str) -> Result<Vec<Option<&str>>, PathFault> {
    let rest = path.strip_prefix('/').ok_or(PathFault::NotAbsolute)?;
    if path.len() > MAX_PATH {
        return Err(PathFault::Character);
    }
    if rest.is_empty() {
        return Ok(vec![None]);
    }
    let mut names = Vec::new();
    for segment in rest.split('/') {
        names.push(match segment {
            "" => return Err(PathFault::EmptySegment),
            "." | ".." => return Err(PathFault::DotSegment),
            _ if segment.contains(['{', '}']) => {
                let name =
                    segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|name| is_parameter_name(name));
                let name = name.ok_or(PathFault::Parameter)?;
                if names.contains(&Some(name)) {
                    return Err(PathFault::DuplicateParameter);
                }
                Some(name)
            }
            _ if segment.bytes().all(is_path_byte) => None,
            _ => return Err(PathFault::Character),
        });
    }
    Ok(names)
}

/// `pchar` of RFC 3986 without escapes, and without `;`, which some servers cut a segment at.
pub(super) fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

fn is_parameter_name(name: &str) -> bool {
    name.len() <= 39
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// What the component may add to the path: query parameters, headers, and a body of one type.
fn sendable(contract: &RequestContract, at: &str, findings: &mut Findings) {
    let patterns = |place: &str, fields: &BTreeMap<String, String>, findings: &mut Findings| {
        if fields.len() > MAX_PLACES {
            findings.add(format!("{at}.{place}"), Rule::TooMany { what: "fields", count: fields.len(), max: MAX_PLACES });
        }
        for (name, text) in fields {
            if let Err(error) = pattern::compile(text) {
                findings.add(format!("{at}.{place}.{}", shorten(name)), error);
            }
        }
    };
    patterns("query", &contract.query, findings);
    patterns("headers", &contract.headers, findings);
    for name in contract.query.keys().filter(|name| !is_field_name(name)) {
        findings.add(format!("{at}.query.{}", shorten(name)), Rule::FieldName(shorten(name)));
    }
    for name in contract.headers.keys().filter(|name| !is_sendable_header(name)) {
        findings.add(format!("{at}.headers.{}", shorten(name)), Rule::HeaderReserved(shorten(name)));
    }
    if let Some(content_type) = &contract.content_type {
        let media_type = |text: &str| text.split_once('/').is_some_and(|(kind, sub)| is_token(kind) && is_token(sub));
        if !media_type(content_type) || content_type.bytes().any(|b| b.is_ascii_uppercase()) {
            findings.add(format!("{at}.content_type"), Rule::ContentType(shorten(content_type)));
        } else if contract.method.is_safe() {
            findings.add(format!("{at}.content_type"), Rule::BodyOnSafeMethod(contract.method.as_str()));
        }
    }
}

/// Whether the host can send it by itself: it reads, and its path and query are one text.
fn is_harmless(contract: &RequestContract) -> bool {
    let fixed = |requirement: &Requirement| matches!(requirement, Requirement::Exactly(Value::String(_)));
    contract.method.is_safe()
        && contract.effect() == Some(Effect::Read)
        && contract.parameters.is_empty()
        && contract.content_type.is_none()
        && contract.dimensions().next().is_none()
        && contract.require.body.is_empty()
        && contract.require.query.values().all(fixed)
}

/// `token` of RFC 9110, section 5.6.2.
pub(super) fn is_token(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Whether a header is neither the host's nor one that changes what a request means.
pub(super) fn is_sendable_header(name: &str) -> bool {
    is_token(name) && !name.bytes().any(|b| b.is_ascii_uppercase()) && !RESERVED_HEADERS.contains(&name)
}

/// A name that needs no quoting to be shown.
pub(super) fn is_field_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && !name.starts_with('/') && name.bytes().all(|b| b.is_ascii_graphic())
}

/// What it may do, and what limits that.
fn effect(contract: &RequestContract, at: &str, findings: &mut Findings) {
    let method = contract.method.as_str();
    let said_why = contract.reason.is_some();
    if matches!(&contract.scope, ScopeBindings::Bound(bound) if bound.is_empty()) {
        findings.add(format!("{at}.scope"), Rule::EmptyScope);
    }
    if matches!(contract.scope, ScopeBindings::None(_)) {
        if !said_why {
            findings.add(format!("{at}.scope"), Rule::NoScopeWithoutReason);
        }
        if contract.required_dimensions().next().is_some() {
            findings.add(format!("{at}.scope"), Rule::NoScopeButRequired);
        }
    }
    let limited = contract.dimensions().next().is_some();
    match contract.effect() {
        None => findings.add(format!("{at}.effect"), Rule::EffectMissing(method)),
        Some(Effect::Read) if !contract.method.is_safe() && !said_why => {
            findings.add(format!("{at}.effect"), Rule::ReadWithoutReason(method));
        }
        Some(Effect::Read) => {}
        Some(Effect::Write) => {
            if !limited && !matches!(contract.scope, ScopeBindings::None(_)) {
                findings.add(format!("{at}.scope"), Rule::WriteWithoutScope);
            }
        }
        Some(effect @ (Effect::Execute | Effect::Destructive)) => {
            if !limited {
                findings.add(format!("{at}.scope"), Rule::EffectWithoutScope(effect));
            }
        }
    }
}

/// What a body or query must, must not and may hold.
fn body(contract: &RequestContract, at: &str, findings: &mut Findings) {
    let parsed = matches!(contract.content_type.as_deref(), Some(JSON | FORM));
    for (word, said) in [
        ("require.body", !contract.require.body.is_empty()),
        ("forbid", !contract.forbid.body.is_empty()),
        ("allow", !contract.allow.body.is_empty()),
        ("closed", contract.closed),
    ] {
        if said && !parsed {
            findings.add(at, Rule::BodyNotParsed(word));
        }
    }
    let named = contract.require.body.keys().chain(&contract.forbid.body).chain(&contract.allow.body);
    for name in named {
        match contract.content_type.as_deref() {
            Some(JSON) => {
                if let Err(error) = Pointer::parse(name) {
                    findings.add(at, error);
                }
            }
            Some(FORM) if !is_field_name(name) => findings.add(at, Rule::FieldName(shorten(name))),
            _ => {}
        }
    }
    for name in contract.require.query.keys().filter(|name| !is_field_name(name)) {
        findings.add(format!("{at}.require.query"), Rule::FieldName(shorten(name)));
    }
    let requirements = contract.require.body.iter().chain(&contract.require.query);
    for (name, requirement) in requirements {
        let rule = match requirement {
            Requirement::Digest(required) => Digest::from_hex(&required.sha256).err().map(|_| Rule::RequirementDigest),
            Requirement::Pattern(required) => pattern::compile(&required.pattern).err().map(Rule::from),
            Requirement::Targets(required) => targets(required),
            Requirement::Exactly(Value::String(_) | Value::Bool(_)) | Requirement::Scope(_) | Requirement::Established(_) => None,
            Requirement::Exactly(Value::Number(number)) if !number.is_f64() => None,
            Requirement::Exactly(_) => Some(Rule::Requirement),
        };
        if let Some(rule) = rule {
            findings.add(format!("{at}.require.{}", shorten(name)), rule);
        }
    }
    forbidden(contract, at, findings);
}

/// Targets are found in a text by the one group that says where they are.
fn targets(required: &TargetsRequirement) -> Option<Rule> {
    if let Err(error) = pattern::compile(&required.pattern) {
        return Some(error.into());
    }
    (!pattern::is_once(&required.pattern, TARGETS) || required.targets.between.as_deref() == Some(""))
        .then_some(Rule::RequirementTargets)
}

/// A contract that forbids what it binds or requires can never be met.
fn forbidden(contract: &RequestContract, at: &str, findings: &mut Findings) {
    let needed: Vec<&str> = contract.require.body.keys().map(String::as_str).chain(place::in_body(contract)).collect();
    for forbidden in &contract.forbid.body {
        let blocks = |needed: &&str| match (Pointer::parse(forbidden), Pointer::parse(needed)) {
            (Ok(forbidden), Ok(needed)) => forbidden.covers(&needed),
            _ => forbidden == needed,
        };
        if needed.iter().any(blocks) {
            findings.add(format!("{at}.forbid"), Rule::ForbidsNeeded(shorten(forbidden)));
        }
    }
}
