//! Whether one request could be meant for two contracts.
//!
//! The gate must know which contract a request is, since effect and scope hang on it. The test errs on the safe side:
//! two contracts overlap unless method, content type, path, or something both require tells them apart for certain. These are
//! what the gate finds a request's contract by, and all that it finds it by.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Findings, RequestContract, Requirement, Rule,
    contract::{Compiled, Segment},
};
use crate::{
    digest::Digest,
    manifest::{PatternRequirement, TargetsRequirement, pattern},
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

/// Whether a request that has what `a` requires can for certain not have what `b` requires.
///
/// What a contract forbids, closes or does not name is held against a request once it is known which contract it is, and so
/// tells nothing apart: one that is refused for it would otherwise have been the other contract, with another effect.
fn told_apart(a: &RequestContract, b: &RequestContract) -> bool {
    let differ = |a: &BTreeMap<String, Requirement>, b: &BTreeMap<String, Requirement>| {
        a.iter().any(|(place, wanted)| b.get(place).is_some_and(|other| exclude(wanted, other)))
    };
    differ(&a.require.query, &b.require.query) || differ(&a.require.body, &b.require.body)
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
        (Requirement::Exactly(value), Requirement::Pattern(PatternRequirement { pattern }))
        | (Requirement::Pattern(PatternRequirement { pattern }), Requirement::Exactly(value))
        | (Requirement::Exactly(value), Requirement::Targets(TargetsRequirement { pattern, .. }))
        | (Requirement::Targets(TargetsRequirement { pattern, .. }), Requirement::Exactly(value)) => {
            match (value, pattern::compile(pattern)) {
                (Value::String(text), Ok(pattern)) => !pattern.is_match(text),
                (Value::String(_), Err(_)) => false,
                _ => true,
            }
        }
        // Whether two patterns share a value, a grant holds one or an answer has one, cannot be told here.
        (
            Requirement::Pattern(_) | Requirement::Targets(_),
            Requirement::Pattern(_) | Requirement::Targets(_) | Requirement::Digest(_),
        )
        | (Requirement::Digest(_), Requirement::Pattern(_) | Requirement::Targets(_))
        | (Requirement::Scope(_) | Requirement::Established(_), _)
        | (_, Requirement::Scope(_) | Requirement::Established(_)) => false,
    }
}
