//! Targets: the values a request has at the places a contract binds, and those that a read has established for it, each held
//! against the grant and, above `read`, against what the call named.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use casemate_signing::manifest::{DimensionName, Effect, Place};

use super::{
    Authority,
    body::{Body, Kind},
    contract::{Bound, Contract, field_pointer},
    established::{Established, Found, Key, Source, shown_key},
    field::Fields,
    header::Headers,
    path::PathText,
    refusal::{Refusal, RefusalReason},
    requires::Requires,
};
use crate::{
    json::Json,
    scope::{ScopeFault, ScopeValue},
    text::quote,
};

/// What a request touches, in the grant's spelling. Sorted: the order of an upstream's answer is no part of it.
pub(super) type Targets = BTreeMap<DimensionName, Vec<String>>;

/// A request in its parts.
pub(super) struct Parts<'a> {
    pub(super) path: &'a PathText,
    pub(super) query: &'a Fields,
    pub(super) headers: &'a Headers,
    pub(super) body: Option<&'a Body>,
}

impl<'a> Parts<'a> {
    fn inside(&self, pointer: &str) -> Option<&'a Json> {
        self.body.and_then(|body| body.inside.as_ref()?.pointer(pointer))
    }

    /// The texts at a place; none where there is nothing.
    fn at(&self, contract: &Contract, place: &Place) -> Option<Texts<'a>> {
        match place {
            Place::Path(name) => {
                contract.path.parameters(self.path).find(|(other, _)| other == name).map(|(_, value)| text(value))
            }
            Place::Query(name) => self.query.value(name).map(text),
            Place::Header(name) => self.headers.get(name).map(String::as_str).map(text),
            Place::Body(pointer) => self.inside(pointer).map(values),
            Place::Form(name) => self.inside(&field_pointer(name)).map(values),
        }
    }

    /// The one text at a place; none where there is nothing, several or something else.
    fn one(&self, contract: &Contract, place: &Place) -> Option<Cow<'a, str>> {
        match place {
            Place::Body(pointer) => self.inside(pointer).and_then(scalar),
            other => self.at(contract, other)?.into_iter().next()?,
        }
    }
}

/// Find every target and hold it against the grant, and every value that must be an established one against what is established. A
/// bound place that holds none is a violation: an upstream's default is often "all of them".
pub(super) fn check(
    contract: &Contract,
    authority: &Authority<'_>,
    parts: &Parts<'_>,
    established: &Established,
) -> Result<Targets, Refusal> {
    let judge = Judge { contract, authority, parts, established, named: named(contract, authority) };
    let mut touched = Touched::new();
    for (dimension, bound) in &contract.scope {
        match bound {
            Bound::Place(place) => judge.hold(dimension, &shown(place), parts.at(contract, place), &mut touched)?,
            Bound::Established(source) => judge.hold_established(dimension, source, &mut touched)?,
        }
    }
    for (name, requires) in &contract.require_query {
        let place = Place::Query(name.clone());
        match requires {
            Requires::Scope(dimension) => judge.hold(dimension, &shown(&place), parts.at(contract, &place), &mut touched)?,
            Requires::Established(source) => {
                let found = parts.query.value(name).map(|value| Json::String(value.to_owned()));
                judge.one_of(&shown(&place), found.as_ref(), true, source)?;
            }
            Requires::Targets(targets) => {
                let found = parts.query.value(name).map(|value| Json::String(value.to_owned()));
                judge.hold(&targets.dimension, &shown(&place), Some(texts(targets.of(found.as_ref()))), &mut touched)?;
            }
            Requires::Digest(_) | Requires::Pattern(_) | Requires::Exactly(_) => {}
        }
    }
    let form = parts.body.is_some_and(|body| Kind::of(&body.media_type) == Kind::Form);
    for (pointer, requires) in &contract.require_body {
        let place = format!("body `{pointer}`");
        match requires {
            Requires::Scope(dimension) => judge.hold(dimension, &place, parts.inside(pointer).map(values), &mut touched)?,
            Requires::Targets(targets) => {
                judge.hold(&targets.dimension, &place, Some(texts(targets.of(parts.inside(pointer)))), &mut touched)?;
            }
            Requires::Established(source) => judge.one_of(&place, parts.inside(pointer), form, source)?,
            Requires::Digest(_) | Requires::Pattern(_) | Requires::Exactly(_) => {}
        }
    }
    Ok(touched.into_iter().map(|(dimension, values)| (dimension, values.into_iter().collect())).collect())
}

/// Texts at one place; none in it for what is no text.
type Texts<'a> = Vec<Option<Cow<'a, str>>>;

/// Targets while they are found.
type Touched = BTreeMap<DimensionName, BTreeSet<String>>;

struct Judge<'j> {
    contract: &'j Contract,
    authority: &'j Authority<'j>,
    parts: &'j Parts<'j>,
    established: &'j Established,
    named: BTreeMap<&'j DimensionName, Vec<ScopeValue>>,
}

/// What the call named, per dimension that the tool takes targets in. What only reads is not held to it: it may have to look around.
fn named<'a>(contract: &Contract, authority: &'a Authority<'_>) -> BTreeMap<&'a DimensionName, Vec<ScopeValue>> {
    if contract.effect == Effect::Read {
        return BTreeMap::new();
    }
    let taken = authority.rule.manifest_tool.scope.keys();
    taken.map(|dimension| (dimension, authority.rule.named(dimension, authority.arguments))).collect()
}

impl Judge<'_> {
    fn refuse<T>(&self, reason: RefusalReason, place: &str, what: impl std::fmt::Display) -> Result<T, Refusal> {
        Err(Refusal::new(reason, format!("contract `{}`, {place}: {what}", self.contract.name)))
    }

    /// Take note of a target that the grant allows. Where the tool is told its targets, what changes something changes those and no
    /// others: the grant is for every call, and this is one of them.
    fn touch(&self, dimension: &DimensionName, place: &str, value: &ScopeValue, touched: &mut Touched) -> Result<(), Refusal> {
        if let Some(named) = self.named.get(dimension)
            && !value.is_named(named)
        {
            let (value, named) = (quote(&value.to_string(), 80), shown_names(named));
            let what = format_args!("{dimension} {value} is granted, but the call is about {named}; tell the plugin's publisher");
            return self.refuse(RefusalReason::TargetNotNamed, place, what);
        }
        touched.entry(dimension.clone()).or_default().insert(value.to_string());
        Ok(())
    }

    /// Targets that are in the request.
    fn hold(
        &self,
        dimension: &DimensionName,
        place: &str,
        found: Option<Texts<'_>>,
        touched: &mut Touched,
    ) -> Result<(), Refusal> {
        let found = found.unwrap_or_default();
        if found.is_empty() {
            return self.refuse(RefusalReason::ScopeMissing, place, format_args!("there is no {dimension}"));
        }
        for value in found {
            let Some(value) = value else {
                let what = "it is neither a text nor a whole number nor a list of these";
                return self.refuse(RefusalReason::ScopeMalformed, place, what);
            };
            match self.authority.scope.check(dimension, &value) {
                Ok(value) => self.touch(dimension, place, &value, touched)?,
                Err(fault @ ScopeFault::Malformed(_)) => return self.refuse(RefusalReason::ScopeMalformed, place, fault),
                Err(fault) => return self.refuse(RefusalReason::OutOfScope, place, format_args!("{dimension} {fault}")),
            }
        }
        Ok(())
    }

    /// Targets that a read has established. Every one counts, and where one is missing, nothing is known.
    fn hold_established(&self, dimension: &DimensionName, source: &Source, touched: &mut Touched) -> Result<(), Refusal> {
        let place = format!("{dimension} by `{}`", source.from);
        let key = self.key(&place, source)?;
        let about = shown_key(&key);
        for found in self.values(&place, source, key)? {
            let Some(value) = found.as_ref().and_then(scalar) else {
                let what = format_args!(
                    "for {about} the answer has at `{}` what is no text and no whole number, or nothing",
                    source.value
                );
                return self.refuse(RefusalReason::NotEstablished, &place, what);
            };
            match self.authority.scope.check(dimension, &value) {
                Ok(value) => self.touch(dimension, &place, &value, touched)?,
                Err(fault) => {
                    let what = format_args!("for {about} the answer says: {dimension} {fault}");
                    return self.refuse(RefusalReason::EstablishedOutOfScope, &place, what);
                }
            }
        }
        Ok(())
    }

    /// A value that must be one of those that a read has established. Where there are only texts, as in a query or a form, a
    /// number is known by its digits.
    fn one_of(&self, place: &str, found: Option<&Json>, only_texts: bool, source: &Source) -> Result<(), Refusal> {
        let key = self.key(place, source)?;
        let about = shown_key(&key);
        let known = self.values(place, source, key)?;
        let is_found = |known: &Json| {
            found.is_some_and(|found| {
                known == found || only_texts && scalar(known).is_some_and(|text| Some(text) == scalar(found))
            })
        };
        if known.iter().flatten().any(is_found) {
            return Ok(());
        }
        let what = format_args!("it is none of the values that `{}` established for {about} at `{}`", source.from, source.value);
        self.refuse(RefusalReason::NotAmongEstablished, place, what)
    }

    /// The text of each path parameter of the read, as this request has it.
    fn key(&self, place: &str, source: &Source) -> Result<Key, Refusal> {
        let mut key = Key::new();
        for (name, at) in &source.key {
            let Some(text) = self.parts.one(self.contract, at) else {
                let what = format_args!("the key {name} of `{}` is not one text at {}", source.from, shown(at));
                return self.refuse(RefusalReason::NotEstablished, place, what);
            };
            key.insert(name.clone(), text.into_owned());
        }
        Ok(key)
    }

    fn values(&self, place: &str, source: &Source, key: Key) -> Result<&[Found], Refusal> {
        self.established.values(source, key).or_else(|why| self.refuse(RefusalReason::NotEstablished, place, why))
    }
}

/// Targets of a call as the operator reads them: the first few.
fn shown_names(named: &[ScopeValue]) -> String {
    const SHOWN: usize = 5;
    let mut names: Vec<String> = named.iter().take(SHOWN).map(|value| quote(&value.to_string(), 80)).collect();
    match named.len() {
        0 => names.push("none".to_owned()),
        all if all > SHOWN => names.push(format!("{} others", all - SHOWN)),
        _ => {}
    }
    names.join(", ")
}

/// A place as the operator reads it.
fn shown(place: &Place) -> String {
    match place {
        Place::Path(name) => format!("path `{name}`"),
        Place::Query(name) => format!("query `{name}`"),
        Place::Header(name) => format!("header `{name}`"),
        Place::Body(pointer) => format!("body `{pointer}`"),
        Place::Form(name) => format!("form `{name}`"),
    }
}

fn texts(texts: Vec<&str>) -> Texts<'_> {
    texts.into_iter().map(|text| Some(Cow::Borrowed(text))).collect()
}

fn text(text: &str) -> Texts<'_> {
    vec![Some(Cow::Borrowed(text))]
}

/// A text, a whole number, or each element of a list of these. `null` and an empty list are nothing.
fn values(json: &Json) -> Texts<'_> {
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
