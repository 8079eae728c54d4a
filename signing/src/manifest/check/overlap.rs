//! Whether one request could be meant for two contracts.
//!
//! The gate must know which contract a request is, since effect and scope hang on it. The test errs on the safe side:
//! two contracts overlap unless method, content type, path, or something both demand tells them apart for certain.

use serde_json::Value;

use super::{
    Findings, RequestContract, Requirement, Rule,
    contract::{Compiled, FORM, Segment, bound_body_places},
};
use crate::{
    digest::Digest,
    manifest::{pattern, pointer::Pointer},
};

/// Find every pair that overlaps.
pub(super) fn check(contracts: &[Compiled<'_>], at: &str, findings: &mut Findings) {
    for (index, first) in contracts.iter().enumerate() {
        for second in contracts.iter().skip(index + 1).filter(|second| overlap(first, second)) {
            let at = format!("{at}.request.{}", second.contract.name);
            findings.add(at, Rule::Overlap(first.contract.name.clone()));
        }
    }
}

fn overlap(a: &Compiled<'_>, b: &Compiled<'_>) -> bool {
    a.contract.method == b.contract.method
        && a.contract.content_type == b.contract.content_type
        && same_path(&a.segments, &b.segments)
        && !told_apart(a.contract, b.contract)
        && !told_apart(b.contract, a.contract)
}

/// Whether some path fits both templates. A template that was refused has no segments, and its error is enough.
fn same_path(a: &[Segment<'_>], b: &[Segment<'_>]) -> bool {
    let may_be_equal = |pair: (&Segment<'_>, &Segment<'_>)| match pair {
        (Segment::Literal(a), Segment::Literal(b)) => a == b,
        (Segment::Literal(literal), Segment::Parameter(Some(pattern)))
        | (Segment::Parameter(Some(pattern)), Segment::Literal(literal)) => pattern.is_match(literal),
        (Segment::Literal(_) | Segment::Parameter(_), _) => true,
    };
    !a.is_empty() && a.len() == b.len() && a.iter().zip(b).all(may_be_equal)
}

/// Whether a request that meets `a` can for certain not meet `b`, by what `a` demands.
fn told_apart(a: &RequestContract, b: &RequestContract) -> bool {
    let form = a.content_type.as_deref() == Some(FORM);
    let in_query = a.require.query.iter().any(|(name, wanted)| match b.require.query.get(name) {
        Some(other) => exclude(wanted, other),
        // What a contract neither declares nor requires may not be sent.
        None => !b.query.contains_key(name),
    });
    let in_body = a.require.body.iter().any(|(name, wanted)| {
        let differs = b.require.body.get(name).is_some_and(|other| exclude(wanted, other));
        differs || b.forbid.body.iter().any(|forbidden| covers(forbidden, name, form)) || (b.closed && !has_room(b, name, form))
    });
    in_query || in_body
}

/// Whether `place` is at or inside `outer`.
fn covers(outer: &str, place: &str, form: bool) -> bool {
    match (Pointer::parse(outer), Pointer::parse(place)) {
        (Ok(outer), Ok(place)) if !form => outer.covers(&place),
        _ => outer == place,
    }
}

/// Whether a closed body could hold something at `place`.
fn has_room(contract: &RequestContract, place: &str, form: bool) -> bool {
    let named = contract.require.body.keys().chain(&contract.allow.body).map(String::as_str);
    named.chain(bound_body_places(contract)).any(|name| covers(name, place, form) || covers(place, name, form))
}

/// Whether no value meets both.
fn exclude(a: &Requirement, b: &Requirement) -> bool {
    match (a, b) {
        (Requirement::Exactly(a), Requirement::Exactly(b)) => a != b,
        (Requirement::Digest(a), Requirement::Digest(b)) => a.sha256 != b.sha256,
        (Requirement::Exactly(value), Requirement::Digest(wanted))
        | (Requirement::Digest(wanted), Requirement::Exactly(value)) => match value {
            Value::String(text) => Digest::of(text.as_bytes()).to_hex() != wanted.sha256,
            _ => true,
        },
        (Requirement::Exactly(value), Requirement::Pattern(wanted))
        | (Requirement::Pattern(wanted), Requirement::Exactly(value)) => match (value, pattern::compile(&wanted.pattern)) {
            (Value::String(text), Ok(pattern)) => !pattern.is_match(text),
            (Value::String(_), Err(_)) => false,
            _ => true,
        },
        // Whether two patterns share a value, or a grant holds one, cannot be told here.
        (Requirement::Pattern(_), Requirement::Pattern(_) | Requirement::Digest(_))
        | (Requirement::Digest(_), Requirement::Pattern(_))
        | (Requirement::Scope(_), _)
        | (_, Requirement::Scope(_)) => false,
    }
}
