//! Established values: what the answered reads of one call have shown, for the requests that are held against it.
//!
//! Only what some contract names is kept, and only from an answer with one reading. The newest read of a thing counts: where
//! its answer cannot be used, nothing is established, whatever an older one said.

use std::collections::BTreeMap;

use casemate_signing::manifest::{self, ContractName, Place, pointer::Pointer};

use super::{
    body::Kind,
    contract::{Contract, ContractFault},
};
use crate::{
    json::{Json, array_index},
    text::quote,
};

/// Values of one call: more than any list that a person could review the targets of.
const MAX_VALUES: usize = 10_000;
/// Bytes of their texts.
const MAX_TEXT: usize = 1 << 20;

/// `from`, compiled: which read, where its key is in a request, and where the values are in its answer.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) from: ContractName,
    pub(super) key: BTreeMap<String, Place>,
    pub(super) value: Pointer,
}

impl Source {
    /// Compile, refusing what leads nowhere. That the read exists is [`check`]'s to say.
    pub(super) fn compile(established: &manifest::Established) -> Result<Self, ContractFault> {
        let value = Pointer::parse(&established.value).map_err(|_| ContractFault::Established(established.from.clone()))?;
        Ok(Self { from: established.from.clone(), key: established.key.clone(), value })
    }
}

/// Every `from` of an upstream's contracts names one of them that can be read: GET, `read`, without a body, about exactly what
/// the key says, and not itself held against another read.
pub(super) fn check(contracts: &[Contract]) -> Result<(), (ContractName, ContractFault)> {
    for contract in contracts {
        for source in contract.sources() {
            let read = contracts.iter().find(|read| read.name == source.from).filter(|read| read.only_reads());
            let fits = read.is_some_and(|read| {
                let mut names: Vec<&str> = read.path.names().collect();
                names.sort_unstable();
                !names.is_empty() && source.key.keys().map(String::as_str).eq(names) && read.sources().next().is_none()
            });
            if !fits {
                return Err((contract.name.clone(), ContractFault::Established(source.from.clone())));
            }
        }
    }
    Ok(())
}

/// Which values of which reads are kept: everything that some `from` of the plugin names.
#[derive(Debug, Default)]
pub(super) struct Wanted(BTreeMap<ContractName, Vec<Pointer>>);

impl Wanted {
    /// What these contracts name.
    pub(super) fn of<'c>(contracts: impl Iterator<Item = &'c Contract>) -> Self {
        let mut wanted = Self::default();
        for source in contracts.flat_map(Contract::sources) {
            let values = wanted.0.entry(source.from.clone()).or_default();
            if !values.contains(&source.value) {
                values.push(source.value.clone());
            }
        }
        wanted
    }

    /// Whether an answer to a request of this contract establishes something.
    pub(super) fn has(&self, contract: &ContractName) -> bool {
        self.0.contains_key(contract)
    }
}

/// What one read is about: the text of each of its path parameters.
pub(super) type Key = BTreeMap<String, String>;

/// A read that establishes something: what it is about, and which of its call's requests it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) key: Key,
    pub(super) turn: u64,
}

/// What stands at the place: a text, number or boolean; none where something else does, or nothing.
pub(super) type Found = Option<Json>;

/// What the answered reads of one call have shown.
#[derive(Debug, Default)]
pub(super) struct Established(BTreeMap<(ContractName, Key), Answer>);

/// The newest answer to a read.
#[derive(Debug)]
struct Answer {
    turn: u64,
    shown: Result<BTreeMap<Pointer, Vec<Found>>, Nothing>,
}

/// Why an answer establishes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Nothing {
    #[error("it was not answered in this call")]
    NotAnswered,
    #[error("it was answered with status {0}")]
    Status(u16),
    #[error("its answer is not JSON with one reading")]
    NotJson,
    #[error("with its answer there would be more than {MAX_VALUES} values or {MAX_TEXT} bytes to keep")]
    TooMuch,
}

impl Established {
    /// Take the answer to a read, unless a newer one of the same thing was answered before.
    pub(super) fn answered(
        &mut self,
        wanted: &Wanted,
        contract: &ContractName,
        lookup: &Lookup,
        (status, content_type, body): (u16, Option<&str>, &[u8]),
    ) {
        let Some(pointers) = wanted.0.get(contract) else { return };
        let about = (contract.clone(), lookup.key.clone());
        if self.0.get(&about).is_some_and(|known| known.turn > lookup.turn) {
            return;
        }
        // What it replaces does not count against it.
        self.0.remove(&about);
        let room = self.room();
        let shown = match status {
            200 => read(content_type, body, pointers, room),
            other => Err(Nothing::Status(other)),
        };
        self.0.insert(about, Answer { turn: lookup.turn, shown });
    }

    /// What a read has shown at the place that `source` names, for this key; else why it has shown nothing, for the operator.
    pub(super) fn values(&self, source: &Source, key: Key) -> Result<&[Found], String> {
        let about = (source.from.clone(), key);
        let shown = match self.0.get(&about) {
            Some(answer) => answer.shown.as_ref().map_err(|nothing| *nothing),
            None => Err(Nothing::NotAnswered),
        };
        shown.map(|values| values.get(&source.value).map(Vec::as_slice).unwrap_or_default()).map_err(|nothing| {
            let (from, key) = about;
            format!("`{from}` has established nothing for {}: {nothing}", shown_key(&key))
        })
    }

    /// How much more can be kept.
    fn room(&self) -> Room {
        let kept = self.0.values().filter_map(|answer| answer.shown.as_ref().ok()).flat_map(BTreeMap::values).flatten();
        kept.fold(Room { values: MAX_VALUES, text: MAX_TEXT }, |room, found| Room {
            values: room.values.saturating_sub(1),
            text: room.text.saturating_sub(length(found)),
        })
    }
}

/// A key as the operator reads it.
pub(super) fn shown_key(key: &Key) -> String {
    let parts: Vec<String> = key.iter().map(|(name, text)| format!("{name} {}", quote(text, 80))).collect();
    parts.join(", ")
}

/// Values and bytes that can still be kept.
struct Room {
    values: usize,
    text: usize,
}

impl Room {
    fn take(&mut self, found: &Found) -> Result<(), Nothing> {
        self.values = self.values.checked_sub(1).ok_or(Nothing::TooMuch)?;
        self.text = self.text.checked_sub(length(found)).ok_or(Nothing::TooMuch)?;
        Ok(())
    }
}

fn length(found: &Found) -> usize {
    match found {
        Some(Json::String(text) | Json::Number(text)) => text.len(),
        _ => 0,
    }
}

fn read(
    content_type: Option<&str>,
    body: &[u8],
    pointers: &[Pointer],
    mut room: Room,
) -> Result<BTreeMap<Pointer, Vec<Found>>, Nothing> {
    if !content_type.is_some_and(is_json) {
        return Err(Nothing::NotJson);
    }
    let json = Json::parse(body).map_err(|_| Nothing::NotJson)?;
    let mut shown = BTreeMap::new();
    for pointer in pointers {
        let mut found = Vec::new();
        collect(&json, pointer.tokens(), &mut found, &mut room)?;
        shown.insert(pointer.clone(), found);
    }
    Ok(shown)
}

/// `application/json` or a `+json`, in no other encoding than UTF-8.
fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    parts.next().is_some_and(|media_type| Kind::of(&media_type) == Kind::Json)
        && parts.all(|part| match part.split_once('=') {
            Some(("charset", charset)) => matches!(charset, "utf-8" | "\"utf-8\""),
            _ => true,
        })
}

/// Everything that the tokens lead to. Wherever they lead to nothing, or to no single value, that is noted: it is nothing that
/// a target could be held against.
fn collect(value: &Json, tokens: &[String], found: &mut Vec<Found>, room: &mut Room) -> Result<(), Nothing> {
    match (tokens.split_first(), value) {
        (None, Json::Array(items)) if !items.is_empty() => items.iter().try_for_each(|item| keep(single(item), found, room)),
        (None, other) => keep(single(other), found, room),
        (Some((token, rest)), Json::Array(items)) if token == "*" && !items.is_empty() => {
            items.iter().try_for_each(|item| collect(item, rest, found, room))
        }
        (Some((token, rest)), Json::Array(items)) => match array_index(token).and_then(|index| items.get(index)) {
            Some(inner) => collect(inner, rest, found, room),
            None => keep(None, found, room),
        },
        (Some((token, rest)), Json::Object(entries)) if token != "*" => match entries.iter().find(|(key, _)| key == token) {
            Some((_, inner)) => collect(inner, rest, found, room),
            None => keep(None, found, room),
        },
        (Some(_), _) => keep(None, found, room),
    }
}

fn keep(one: Found, found: &mut Vec<Found>, room: &mut Room) -> Result<(), Nothing> {
    room.take(&one)?;
    found.push(one);
    Ok(())
}

/// A text, number or boolean.
fn single(value: &Json) -> Found {
    match value {
        Json::String(_) | Json::Number(_) | Json::Bool(_) => Some(value.clone()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
#[path = "established/tests.rs"]
mod tests;
