//! Places in a request: every one that a target is bound to, or that a key is at, has to exist.

use super::{
    Findings, Rule,
    contract::{FORM, JSON, is_field_name},
    identity::shorten,
};
use crate::manifest::{Place, RequestContract, pointer::Pointer};

pub(super) fn check(contract: &RequestContract, at: &str, findings: &mut Findings) {
    for (dimension, binding) in contract.scope.bound() {
        if let Some(rule) = binding.place().and_then(|place| fault(contract, place)) {
            findings.add(format!("{at}.scope.{dimension}"), rule);
        }
    }
}

/// Why a request of the contract does not have the place.
pub(super) fn fault(contract: &RequestContract, place: &Place) -> Option<Rule> {
    let content_type = contract.content_type.as_deref();
    match place {
        Place::Path(name) => (!contract.parameters.contains_key(name)).then(|| Rule::PlaceNotInPath(shorten(name))),
        Place::Query(name) => {
            let declared = contract.query.contains_key(name) || contract.require.query.contains_key(name);
            (!declared).then(|| Rule::PlaceNotInQuery(shorten(name)))
        }
        Place::Header(name) => (!contract.headers.contains_key(name)).then(|| Rule::PlaceNotInHeaders(shorten(name))),
        Place::Body(_) if content_type != Some(JSON) => Some(Rule::PlaceNotJson),
        Place::Body(pointer) => Pointer::parse(pointer).err().map(Rule::from),
        Place::Form(_) if content_type != Some(FORM) => Some(Rule::PlaceNotForm),
        Place::Form(field) => (!is_field_name(field)).then(|| Rule::FieldName(shorten(field))),
    }
}

/// The pointers or fields of the body that a target is bound to, or that a key is at.
pub(super) fn in_body(contract: &RequestContract) -> impl Iterator<Item = &str> {
    contract.places().filter_map(|place| match place {
        Place::Body(name) | Place::Form(name) => Some(name.as_str()),
        Place::Path(_) | Place::Query(_) | Place::Header(_) => None,
    })
}

/// Whether `place` is at or inside `outer`: of pointers into a JSON body, or fields of a form.
pub(super) fn covers(outer: &str, place: &str, form: bool) -> bool {
    match (Pointer::parse(outer), Pointer::parse(place)) {
        (Ok(outer), Ok(place)) if !form => outer.covers(&place),
        _ => outer == place,
    }
}
