//! Targets: the values a request has at the places a contract binds, each held against the grant.

use std::{borrow::Cow, collections::BTreeMap};

use casemate_signing::manifest::{DimensionName, Place};

use super::{
    Authority,
    body::Body,
    contract::{Contract, Requires, field_pointer},
    field::Fields,
    header::Headers,
    path::PathText,
    refusal::{Refusal, RefusalReason},
};
use crate::{json::Json, scope::ScopeFault};

/// What a request touches, in the grant's spelling.
pub(super) type Targets = BTreeMap<DimensionName, Vec<String>>;

/// A request in its parts.
pub(super) struct Parts<'a> {
    pub(super) path: &'a PathText,
    pub(super) query: &'a Fields,
    pub(super) headers: &'a Headers,
    pub(super) body: Option<&'a Body>,
}

/// Find every bound target and hold it against the grant. A bound place that holds none is a violation: an upstream's
/// default is often "all of them".
pub(super) fn check(contract: &Contract, authority: &Authority<'_>, parts: &Parts<'_>) -> Result<Targets, Refusal> {
    let inside = |pointer: &str| parts.body.and_then(|body| body.inside.as_ref()?.pointer(pointer));
    let mut targets = Targets::new();
    for (dimension, place) in &contract.scope {
        let (shown, found) = match place {
            Place::Path(name) => (format!("path `{name}`"), contract.path_parameter(name, parts.path).map(text)),
            Place::Query(name) => (format!("query `{name}`"), parts.query.value(name).map(text)),
            Place::Header(name) => (format!("header `{name}`"), parts.headers.get(name).map(String::as_str).map(text)),
            Place::Body(pointer) => (format!("body `{pointer}`"), inside(pointer).map(values)),
            Place::Form(name) => (format!("form `{name}`"), inside(&field_pointer(name)).map(values)),
        };
        hold(contract, authority, dimension, &shown, found, &mut targets)?;
    }
    for (name, requires) in &contract.require_query {
        if let Requires::Scope(dimension) = requires {
            hold(contract, authority, dimension, &format!("query `{name}`"), parts.query.value(name).map(text), &mut targets)?;
        }
    }
    for (pointer, requires) in &contract.require_body {
        if let Requires::Scope(dimension) = requires {
            hold(contract, authority, dimension, &format!("body `{pointer}`"), inside(pointer).map(values), &mut targets)?;
        }
    }
    Ok(targets)
}

/// Texts at one place; none in it for what is no text.
type Found<'a> = Vec<Option<Cow<'a, str>>>;

fn hold(
    contract: &Contract,
    authority: &Authority<'_>,
    dimension: &DimensionName,
    place: &str,
    found: Option<Found<'_>>,
    targets: &mut Targets,
) -> Result<(), Refusal> {
    let refuse = |reason, what: String| Err(Refusal::new(reason, format!("contract `{}`, {place}: {what}", contract.name)));
    let found = found.unwrap_or_default();
    if found.is_empty() {
        return refuse(RefusalReason::ScopeMissing, format!("there is no {dimension}"));
    }
    for value in found {
        let Some(value) = value else {
            return refuse(
                RefusalReason::ScopeMalformed,
                "it is neither a text nor a whole number nor a list of these".to_owned(),
            );
        };
        match authority.scope.check(dimension, &value) {
            Ok(value) => {
                let shown = value.to_string();
                let known = targets.entry(dimension.clone()).or_default();
                if !known.contains(&shown) {
                    known.push(shown);
                }
            }
            Err(fault @ ScopeFault::Malformed(_)) => return refuse(RefusalReason::ScopeMalformed, fault.to_string()),
            Err(fault) => return refuse(RefusalReason::OutOfScope, format!("{dimension} {fault}")),
        }
    }
    Ok(())
}

fn text(text: &str) -> Found<'_> {
    vec![Some(Cow::Borrowed(text))]
}

/// A text, a whole number, or each element of a list of these. `null` and an empty list are nothing.
fn values(json: &Json) -> Found<'_> {
    match json {
        Json::Null => Vec::new(),
        Json::Array(items) => items.iter().map(scalar).collect(),
        other => vec![scalar(other)],
    }
}

fn scalar(json: &Json) -> Option<Cow<'_, str>> {
    match json {
        Json::String(text) => Some(Cow::Borrowed(text)),
        // `1e9` and `1.0` are whole to some readers: only digits are whole to all.
        Json::Number(text) if text.bytes().all(|b| b.is_ascii_digit()) => Some(Cow::Borrowed(text)),
        _ => None,
    }
}
