//! Request contracts. A contract is narrower if every request it lets through the other one let through too.
//!
//! Naming a place in a closed body, a query parameter or a header also permits it. So a demand on such a place is narrower only
//! if the place was permitted before.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Verdict, found::Found};
use crate::manifest::{
    Allow, Binding, DimensionName, Forbid, PatternRequirement, Place, RequestContract, Require, Requirement, ScopeBindings,
    Volatile, pattern,
};

pub(super) fn compare(at: &str, before: &RequestContract, after: &RequestContract, found: &mut Found) {
    let RequestContract {
        name: _,
        method,
        path,
        parameters,
        query,
        headers,
        effect: _,
        reason,
        scope,
        content_type,
        require,
        forbid,
        allow,
        closed,
        assume,
        probe,
        volatile,
    } = after;
    let at = |field: &str| format!("{at}.{field}");
    found.equal(at("method"), &before.method, method);
    found.equal(at("path"), &before.path, path);
    found.equal(at("parameters"), &before.parameters, parameters);
    for (at, before, after) in found.entries(&at("query"), &before.query, query) {
        found.equal(at, before, after);
    }
    // A parameter that is required or bound is permitted by that: without its pattern it may be more than it was.
    let bound = |name: &String| after.places().any(|place| matches!(place, Place::Query(known) if known == name));
    let bare = |name: &&String| !query.contains_key(*name) && (require.query.contains_key(*name) || bound(name));
    for name in before.query.keys().filter(bare) {
        found.change(at(&format!("query.{name}")), before.query.get(name), None::<&String>, Verdict::Widened);
    }
    for (at, before, after) in found.entries(&at("headers"), &before.headers, headers) {
        found.equal(at, before, after);
    }
    // A lower effect has fewer grants, approvals and dry runs in its way, and a higher one says that it does worse.
    found.equal_option(at("effect"), before.effect().as_ref(), after.effect().as_ref());
    found.equal_option(at("reason"), before.reason.as_ref(), reason.as_ref());
    bindings(&at("scope"), (before, before.scope.bound().collect()), (after, scope.bound().collect()), found);
    found.equal_option(at("content_type"), before.content_type.as_ref(), content_type.as_ref());
    let Require { body, query } = require;
    let permitted = |place: &str| permits_in_body(before, place);
    requirements(&at("require.body"), &before.require.body, body, permitted, found);
    let permitted = |name: &str| is_kept(&before.query, &after.query, name);
    requirements(&at("require.query"), &before.require.query, query, permitted, found);
    let Forbid { body } = forbid;
    found.demanded(&at("forbid.body"), &before.forbid.body, body);
    let Allow { body } = allow;
    found.allowed(&at("allow.body"), &before.allow.body, body);
    if before.closed != *closed {
        let verdict = if *closed { Verdict::Narrowed } else { Verdict::Widened };
        found.change(at("closed"), Some(&before.closed), Some(closed), verdict);
    }
    // What is assumed decides which requests a person is shown before they agree.
    found.equal_option(at("assume"), before.assume.as_ref(), assume.as_ref());
    // The host sends it by itself.
    if before.probe != *probe {
        let verdict = if *probe { Verdict::Widened } else { Verdict::Narrowed };
        found.change(at("probe"), Some(&before.probe), Some(probe), verdict);
    }
    // A request that is held to a plan may differ there.
    let Volatile { query, headers, body } = volatile;
    found.allowed(&at("volatile.query"), &before.volatile.query, query);
    found.allowed(&at("volatile.headers"), &before.volatile.headers, headers);
    found.allowed(&at("volatile.body"), &before.volatile.body, body);
}

/// What a contract binds, dimension by dimension.
type Bound<'c> = (&'c RequestContract, BTreeMap<&'c DimensionName, &'c Binding>);

/// One more binding is one more check of the same request, where its place was permitted before. What a read establishes is
/// the upstream's word, and nothing is proved by it.
fn bindings(at: &str, (before, old): Bound<'_>, (after, new): Bound<'_>, found: &mut Found) {
    for (name, gone) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        found.change(format!("{at}.{name}"), Some(gone), None::<&Binding>, Verdict::Widened);
    }
    for (name, binding) in &new {
        let at = format!("{at}.{name}");
        match old.get(name) {
            Some(known) => found.equal(at, known, binding),
            None => {
                let permitted = binding.place().is_some_and(|place| permits(before, after, place));
                let verdict = if permitted { Verdict::Narrowed } else { Verdict::Widened };
                found.change(at, None::<&Binding>, Some(binding), verdict);
            }
        }
    }
    // Between nothing and the word `none` there is a reviewer's decision.
    if old.is_empty() && new.is_empty() {
        found.equal_option(at, said(&before.scope), said(&after.scope));
    }
}

/// What a contract says of its targets, if it says anything.
fn said(scope: &ScopeBindings) -> Option<&ScopeBindings> {
    (*scope != ScopeBindings::Unset).then_some(scope)
}

/// Whether what stands at a place now could have stood there before.
fn permits(before: &RequestContract, after: &RequestContract, place: &Place) -> bool {
    match place {
        Place::Path(name) => is_kept(&before.parameters, &after.parameters, name),
        Place::Query(name) => is_kept(&before.query, &after.query, name),
        Place::Header(name) => is_kept(&before.headers, &after.headers, name),
        Place::Body(place) | Place::Form(place) => permits_in_body(before, place),
    }
}

/// Whether a value is still held against the pattern that it was held against.
fn is_kept(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>, name: &str) -> bool {
    before.get(name).is_some_and(|pattern| after.get(name) == Some(pattern))
}

/// An open body permits every place; a closed one those that it names, written alike.
fn permits_in_body(contract: &RequestContract, place: &str) -> bool {
    let bound = || contract.places().any(|known| matches!(known, Place::Body(known) | Place::Form(known) if known == place));
    let named: &BTreeSet<String> = &contract.allow.body;
    contract.content_type.is_some()
        && (!contract.closed || named.contains(place) || contract.require.body.contains_key(place) || bound())
}

/// One more requirement narrows where its place was permitted; one less widens.
fn requirements(
    at: &str,
    before: &BTreeMap<String, Requirement>,
    after: &BTreeMap<String, Requirement>,
    permitted: impl Fn(&str) -> bool,
    found: &mut Found,
) {
    for (place, gone) in before.iter().filter(|(place, _)| !after.contains_key(*place)) {
        found.change(format!("{at}.{place}"), Some(gone), None::<&Requirement>, Verdict::Widened);
    }
    for (place, new) in after {
        let old = before.get(place);
        if old == Some(new) {
            continue;
        }
        let narrower = match old {
            Some(old) => is_within(new, old),
            None => !matches!(new, Requirement::Established(_)) && permitted(place),
        };
        let verdict = if narrower { Verdict::Narrowed } else { Verdict::Widened };
        found.change(format!("{at}.{place}"), old, Some(new), verdict);
    }
}

/// Whether all that fits `new` fits `old`: a fixed text that the pattern describes, or the same pattern with targets in it.
fn is_within(new: &Requirement, old: &Requirement) -> bool {
    match (new, old) {
        (Requirement::Exactly(Value::String(text)), Requirement::Pattern(PatternRequirement { pattern: old })) => {
            pattern::compile(old).is_ok_and(|old| old.is_match(text))
        }
        (Requirement::Targets(new), Requirement::Pattern(PatternRequirement { pattern: old })) => new.pattern == *old,
        _ => false,
    }
}
