//! What a manifest allows, told in another way than the comparison tells it: whether one thing may be done.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::manifest::{Binding, Effect, Established, Manifest, Method, Origin, Place, RequestContract, Requirement, pattern};

/// One thing that a plugin could do or be given.
#[derive(Debug, Clone)]
pub(super) enum Element {
    Import(String),
    Secret(String),
    /// So much of one limit, on a host with this default.
    Limit {
        name: String,
        amount: u64,
        default: u64,
    },
    /// Settings with this `page`.
    Page(i64),
    /// Talks to this origin where the operator chose none.
    Unchosen(String),
    /// Credential as it is sent.
    Credential(String),
    /// A result without this label.
    Unlabelled {
        tool: String,
        label: String,
    },
    Request(Request),
}

/// One request of a tool, under one grant.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) tool: String,
    pub(super) contract: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Option<(String, BTreeMap<String, String>)>,
    pub(super) arguments: BTreeMap<String, String>,
    pub(super) granted: BTreeSet<String>,
    pub(super) greatest: Effect,
    /// Which text each read has shown at each place, for each key.
    pub(super) shown: BTreeMap<(String, String, String), String>,
}

pub(super) fn allows(manifest: &Manifest, element: &Element) -> bool {
    match element {
        Element::Import(name) => manifest.imports.contains(name),
        Element::Secret(name) => manifest.secrets.keys().any(|secret| secret.as_str() == name),
        Element::Limit { name, amount, default } => {
            let limits = serde_json::to_value(&manifest.limits).unwrap();
            *amount <= limits.get(name).and_then(Value::as_u64).unwrap_or(*default)
        }
        Element::Page(page) => manifest.settings.as_ref().is_some_and(|schema| {
            let page_schema = schema.pointer("/properties/page");
            let bound = |name: &str| page_schema.and_then(|schema| schema.get(name)).and_then(Value::as_i64);
            page_schema.is_some()
                && bound("minimum").is_none_or(|least| least <= *page)
                && bound("maximum").is_none_or(|most| *page <= most)
        }),
        Element::Unchosen(origin) => manifest.upstream.values().any(|upstream| match &upstream.origin {
            Origin::Operator => upstream.default_origin.as_ref() == Some(origin),
            Origin::Fixed(fixed) => fixed == origin,
        }),
        Element::Credential(text) => {
            manifest.upstream.values().any(|upstream| serde_json::to_string(&upstream.credential).unwrap() == *text)
        }
        Element::Unlabelled { tool, label } => manifest.tool.iter().any(|(name, known)| {
            name.as_str() == tool && !known.labels.produces.iter().any(|produced| produced.as_str() == label)
        }),
        Element::Request(request) => request_is_allowed(manifest, request),
    }
}

fn request_is_allowed(manifest: &Manifest, request: &Request) -> bool {
    let Some((_, tool)) = manifest.tool.iter().find(|(name, _)| name.as_str() == request.tool) else { return false };
    if tool.effect > request.greatest || !tool.requests.iter().any(|name| name.as_str() == request.contract) {
        return false;
    }
    let granted = |value: Option<&String>| value.is_some_and(|value| request.granted.contains(value));
    if !tool.scope.values().all(|place| granted(request.arguments.get(&place.argument))) {
        return false;
    }
    let contracts = manifest.upstream.values().flat_map(|upstream| &upstream.request);
    let mut named = contracts.filter(|contract| contract.name.as_str() == request.contract);
    named.any(|contract| contract_allows(contract, request))
}

fn contract_allows(contract: &RequestContract, request: &Request) -> bool {
    let matches = |text: &str, value: &str| pattern::compile(text).is_ok_and(|pattern| pattern.is_match(value));
    let granted = |value: Option<&String>| value.is_some_and(|value| request.granted.contains(value));
    let empty = BTreeMap::new();
    let inside = request.body.as_ref().map_or(&empty, |(_, inside)| inside);
    let bound: Vec<&Place> = contract.places().collect();
    let at = |place: &Place| match place {
        Place::Path(_) => None,
        Place::Query(name) => request.query.get(name),
        Place::Header(name) => request.headers.get(name),
        Place::Body(name) | Place::Form(name) => inside.get(name),
    };
    let shown = |established: &Established| {
        let key = established.key.values().next().and_then(at)?;
        request.shown.get(&(established.from.to_string(), key.clone(), established.value.clone()))
    };
    let bound_query = |name: &String| bound.iter().any(|place| matches!(place, Place::Query(known) if known == name));
    let bound_header = |name: &String| bound.iter().any(|place| matches!(place, Place::Header(known) if known == name));
    let bound_body =
        |name: &String| bound.iter().any(|place| matches!(place, Place::Body(known) | Place::Form(known) if known == name));
    let met = |requirement: &Requirement, value: Option<&String>| match (requirement, value) {
        (_, None) => false,
        (Requirement::Exactly(wanted), Some(value)) => wanted == value.as_str(),
        (Requirement::Pattern(wanted), Some(value)) => matches(&wanted.pattern, value),
        (Requirement::Targets(wanted), Some(value)) => matches(&wanted.pattern, value) && request.granted.contains(value),
        (Requirement::Scope(_), Some(value)) => request.granted.contains(value),
        (Requirement::Digest(wanted), Some(value)) => crate::Digest::of(value.as_bytes()).to_hex() == wanted.sha256,
        (Requirement::Established(wanted), Some(value)) => shown(wanted) == Some(value),
    };
    contract.effect().is_some_and(|effect| effect <= request.greatest)
        && contract.method == request.method
        && contract.path == request.path
        // What is not named is refused; a place that is only bound or required is named as well.
        && request.query.iter().all(|(name, value)| match contract.query.get(name) {
            Some(pattern) => matches(pattern, value),
            None => bound_query(name) || contract.require.query.contains_key(name),
        })
        && request.headers.iter().all(|(name, value)| match contract.headers.get(name) {
            Some(pattern) => matches(pattern, value),
            None => bound_header(name),
        })
        && contract.content_type.as_ref() == request.body.as_ref().map(|(kind, _)| kind)
        && contract.require.query.iter().all(|(name, wanted)| met(wanted, request.query.get(name)))
        && contract.require.body.iter().all(|(place, wanted)| met(wanted, inside.get(place)))
        && contract.forbid.body.iter().all(|place| !inside.contains_key(place))
        && (!contract.closed
            || inside.keys().all(|place| {
                contract.allow.body.contains(place) || contract.require.body.contains_key(place) || bound_body(place)
            }))
        && contract.scope.bound().all(|(_, binding)| match binding {
            Binding::Place(Place::Path(_)) => true,
            Binding::Place(place) => granted(at(place)),
            Binding::Established(established) => granted(shown(established)),
        })
}
