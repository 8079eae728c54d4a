//! What a contract says about plans: the answer a dry run assumes, and the places that a plan does not bind.

use std::collections::BTreeSet;

use super::{
    Findings, Rule,
    contract::{FORM, JSON, is_field_name},
    identity::shorten,
    place,
};
use crate::manifest::{Effect, Place, RequestContract, pointer::Pointer};

/// Bytes of an assumed answer's body, as compact JSON. It stands in the manifest, and a person reads it.
const MAX_ASSUMED_BODY: usize = 16 << 10;

pub(super) fn check(contract: &RequestContract, at: &str, findings: &mut Findings) {
    let only_read = contract.effect() == Some(Effect::Read);
    if let Some(assume) = &contract.assume {
        let at = format!("{at}.assume");
        if only_read {
            findings.add(&at, Rule::AssumeOnRead);
        }
        if !(200..=299).contains(&assume.status) {
            findings.add(&at, Rule::AssumeStatus(assume.status));
        }
        let bytes = assume.body.as_ref().map_or(0, |body| body.to_string().len());
        if bytes > MAX_ASSUMED_BODY {
            findings.add(&at, Rule::AssumeBody { bytes, max: MAX_ASSUMED_BODY });
        }
    }
    if !contract.volatile.is_empty() {
        let at = format!("{at}.volatile");
        if only_read {
            findings.add(&at, Rule::VolatileOnRead);
        }
        volatile_fields(contract, &at, findings);
        volatile_body(contract, &at, findings);
    }
}

/// Query parameters and headers: named by the contract, and nothing hangs on what is there.
fn volatile_fields(contract: &RequestContract, at: &str, findings: &mut Findings) {
    let held = |place: Place| contract.places().any(|known| *known == place);
    for name in &contract.volatile.query {
        let at = format!("{at}.query.{}", shorten(name));
        if contract.require.query.contains_key(name) || held(Place::Query(name.clone())) {
            findings.add(at, Rule::VolatileHeld(shorten(name)));
        } else if !contract.query.contains_key(name) {
            findings.add(at, Rule::PlaceNotInQuery(shorten(name)));
        }
    }
    for name in &contract.volatile.headers {
        let at = format!("{at}.headers.{}", shorten(name));
        if held(Place::Header(name.clone())) {
            findings.add(at, Rule::VolatileHeld(shorten(name)));
        } else if !contract.headers.contains_key(name) {
            findings.add(at, Rule::PlaceNotInHeaders(shorten(name)));
        }
    }
}

/// Places of the body: allowed by the contract, and nothing that is bound, required or a key is there, around or inside.
fn volatile_body(contract: &RequestContract, at: &str, findings: &mut Findings) {
    let form = match contract.content_type.as_deref() {
        Some(JSON) => false,
        Some(FORM) => true,
        _ if contract.volatile.body.is_empty() => return,
        _ => {
            findings.add(at, Rule::BodyNotParsed("volatile.body"));
            return;
        }
    };
    let held: BTreeSet<&str> = contract.require.body.keys().map(String::as_str).chain(place::in_body(contract)).collect();
    for name in &contract.volatile.body {
        let at = format!("{at}.body.{}", shorten(name));
        let allowed = || contract.allow.body.iter().any(|allowed| place::covers(allowed, name, form));
        if form && !is_field_name(name) {
            findings.add(at, Rule::FieldName(shorten(name)));
        } else if let Some(error) = Pointer::parse(name).err().filter(|_| !form) {
            findings.add(at, error);
        } else if held.iter().any(|held| place::covers(held, name, form) || place::covers(name, held, form)) {
            findings.add(at, Rule::VolatileHeld(shorten(name)));
        } else if !allowed() {
            findings.add(at, Rule::VolatileNotAllowed(shorten(name)));
        }
    }
}
