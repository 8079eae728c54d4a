//! Volatile places: a request as a plan shows it, without what differs each time it is made.

use std::collections::BTreeSet;

use casemate_signing::manifest::{Place, RequestContract};

use super::{
    body::{Body, Kind},
    contract::ContractFault,
    field::Fields,
    percent,
};
use crate::json::Json;

/// What stands in a plan for what is volatile. No URL and no header value can hold it; a body can, so that a plan also lists the
/// places.
pub(super) const MARK: &str = "‹volatile›";

/// A contract's volatile places.
#[derive(Debug)]
pub(super) struct Volatile {
    query: BTreeSet<String>,
    headers: BTreeSet<String>,
    /// By JSON Pointer; a form's fields are the members of an object.
    body: BTreeSet<String>,
}

/// A request as a plan shows it, where that is not as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// What was taken out, for people.
    pub(super) places: Vec<String>,
}

impl Volatile {
    /// Compile, refusing what is not the contract's to leave open: what it does not name, and what something hangs on. `inside`
    /// gives the pointer of a place in the body.
    pub(super) fn compile(
        contract: &RequestContract,
        kind: Option<Kind>,
        inside: &dyn Fn(&str) -> String,
    ) -> Result<Option<Self>, ContractFault> {
        let volatile = &contract.volatile;
        if volatile.is_empty() {
            return Ok(None);
        }
        let held_at = |place: Place| contract.places().any(|known| *known == place);
        for name in &volatile.query {
            let held = contract.require.query.contains_key(name) || held_at(Place::Query(name.clone()));
            if held || !contract.query.contains_key(name) {
                return Err(ContractFault::Volatile(name.clone()));
            }
        }
        for name in &volatile.headers {
            if held_at(Place::Header(name.clone())) || !contract.headers.contains_key(name) {
                return Err(ContractFault::Volatile(name.clone()));
            }
        }
        if !volatile.body.is_empty() && !kind.is_some_and(Kind::is_read) {
            return Err(ContractFault::UnreadBody);
        }
        let bound = contract.places().filter_map(|place| match place {
            Place::Body(name) | Place::Form(name) => Some(inside(name)),
            Place::Path(_) | Place::Query(_) | Place::Header(_) => None,
        });
        let held: Vec<String> = bound.chain(contract.require.body.keys().map(|name| inside(name))).collect();
        for name in &volatile.body {
            let pointer = inside(name);
            let allowed = contract.allow.body.iter().any(|allowed| covers(&inside(allowed), &pointer));
            if !allowed || held.iter().any(|held| covers(held, &pointer) || covers(&pointer, held)) {
                return Err(ContractFault::Volatile(name.clone()));
            }
        }
        let body = volatile.body.iter().map(|name| inside(name)).collect();
        Ok(Some(Self { query: volatile.query.clone(), headers: volatile.headers.clone(), body }))
    }

    /// A request as a plan shows it; none where it has nothing volatile. `path` is its URL without the query.
    pub(super) fn show(&self, path: &str, query: &Fields, headers: &[(String, String)], body: Option<&Body>) -> Option<Shown> {
        let mut shown = Shown { url: path.to_owned(), headers: headers.to_vec(), body: Vec::new(), places: Vec::new() };
        for (at, (name, value)) in query.iter().enumerate() {
            shown.url.push(if at == 0 { '?' } else { '&' });
            percent::encode(name, &mut shown.url);
            shown.url.push('=');
            if self.query.contains(name) {
                shown.url.push_str(MARK);
                shown.places.push(format!("query {name}"));
            } else {
                percent::encode(value, &mut shown.url);
            }
        }
        for (name, value) in &mut shown.headers {
            if self.headers.contains(name) {
                MARK.clone_into(value);
                shown.places.push(format!("header {name}"));
            }
        }
        if let Some(body) = body {
            shown.body = self.show_body(body, &mut shown.places);
        }
        (!shown.places.is_empty()).then_some(shown)
    }

    /// The body with a mark in each volatile place that has one value: a list or an object there is bound like everything else.
    fn show_body(&self, body: &Body, places: &mut Vec<String>) -> Vec<u8> {
        let Some(inside) = &body.inside else { return body.bytes.clone() };
        let mut inside = inside.clone();
        for pointer in &self.body {
            if inside.replace_single(pointer, MARK) {
                places.push(format!("body {pointer}"));
            }
        }
        match (Kind::of(&body.media_type), &inside) {
            (Kind::Form, Json::Object(fields)) => form(fields, &self.body).into_bytes(),
            _ => {
                let mut text = String::with_capacity(body.bytes.len());
                inside.write(&mut text);
                text.into_bytes()
            }
        }
    }
}

/// A form as it is sent, but for the marks.
fn form(fields: &[(String, Json)], volatile: &BTreeSet<String>) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        if !out.is_empty() {
            out.push('&');
        }
        percent::encode(name, &mut out);
        out.push('=');
        match value {
            _ if volatile.contains(&super::contract::field_pointer(name)) => out.push_str(MARK),
            Json::String(text) => percent::encode(text, &mut out),
            // A form has only texts.
            _ => {}
        }
    }
    out
}

/// Whether `pointer` is at or inside `outer`.
fn covers(outer: &str, pointer: &str) -> bool {
    pointer.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
#[path = "volatile/tests.rs"]
mod tests;
