//! What is in an index, and in several.

use std::{collections::BTreeSet, fmt::Write as _};

use casemate_plugin::{
    Context, Failure, Readable, Timestamp,
    field::List,
    path,
    tolerant::{Few, Flag, Number, Object, Take, Text, Verbatim, take},
};
use casemate_siem::window::moment;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{api, field::IndexName};

/// Entries of an answer that are looked at. Those that were asked for are fewer: Splunk may compare loosely.
const ENTRIES: usize = 1_000;

/// Arguments of `index_info`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The index, by its exact name
    index: IndexName,
}

/// Arguments of `list_indexes`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListArguments {
    /// The indexes to look at, by their exact names; those that are granted, and no pattern
    index: List<IndexName, 10>,
}

/// An index.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Index {
    index: IndexName,
    /// Whether it is switched off
    disabled: bool,
    /// How many events are in it
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u32>,
    /// The time of the first event
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    /// The time of the last event
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    megabytes: Option<u32>,
}

/// Indexes that were asked about.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Indexes {
    /// Those that there are, by their names
    indexes: Vec<Index>,
    /// Those that Splunk does not have, or does not show to the token's role
    #[serde(skip_serializing_if = "Vec::is_empty")]
    missing: Vec<IndexName>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    entry: Option<Few<Object<Entry>, ENTRIES>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    name: Verbatim<80>,
    content: Object<Content>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Content {
    disabled: Flag,
    total_event_count: Count,
    min_time: Text<30>,
    max_time: Text<30>,
    #[serde(rename = "currentDBSizeMB")]
    megabytes: Count,
}

/// A number, which Splunk writes as one or as a text.
#[derive(Debug, Default)]
struct Count(Option<u32>);

impl Take<'_> for Count {
    fn text(text: &str) -> Self {
        Self(text.parse().ok())
    }

    fn number(number: i64) -> Self {
        Self(Number(Some(number)).count())
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        take(deserializer)
    }
}

pub(crate) fn info(Arguments { index }: Arguments, cx: &Context) -> Result<Index, Failure> {
    let request = api::splunk(cx).get(path!("/services/data/indexes/{}", index)).query("output_mode", "json");
    let Answer { entry } = api::read(request)?;
    let Some(Object(entry)) = entry.unwrap_or_default().0.into_iter().next() else {
        return Err(Failure::upstream("Splunk's answer has no index in it"));
    };
    if entry.name.as_str() != index.as_str() {
        return Err(Failure::upstream("Splunk's answer is about another index"));
    }
    Ok(Index::new(index, entry.content.0))
}

/// One request for all of them. Whatever else its answer holds is not told.
pub(crate) fn list(ListArguments { index }: ListArguments, cx: &Context) -> Result<Indexes, Failure> {
    let asked: BTreeSet<IndexName> = index.into_vec().into_iter().collect();
    if asked.is_empty() {
        return Err(Failure::invalid_arguments("a list is of one index at least; name those that are granted in `index`"));
    }
    let search: Vec<String> = asked.iter().map(|index| format!("name=\"{index}\"")).collect();
    let request = api::splunk(cx).get(path!("/services/data/indexes"));
    let request = request.query("output_mode", "json").query("count", "0").query("search", search.join(" OR "));
    let Answer { entry } = api::read(request)?;
    let Some(Few(mut entries)) = entry else {
        return Err(Failure::upstream("Splunk's answer has no list of indexes in it"));
    };
    let (mut indexes, mut missing) = (Vec::new(), Vec::new());
    for index in asked {
        match entries.iter().position(|Object(entry)| entry.name.as_str() == index.as_str()) {
            Some(at) => indexes.push(Index::new(index, entries.swap_remove(at).0.content.0)),
            None => missing.push(index),
        }
    }
    Ok(Indexes { indexes, missing })
}

impl Index {
    fn new(index: IndexName, content: Content) -> Self {
        Self {
            index,
            disabled: content.disabled.0.unwrap_or_default(),
            events: content.total_event_count.0,
            first: content.min_time.0.as_deref().and_then(time),
            last: content.max_time.0.as_deref().and_then(time),
            megabytes: content.megabytes.0,
        }
    }
}

/// `2026-11-22T06:00:00+0000`: in the zone of Splunk's user, so only what is in UTC is known.
fn time(text: &str) -> Option<Timestamp> {
    let utc = ["+0000", "+00:00", "Z"].iter().find_map(|zone| text.strip_suffix(zone))?;
    moment(&format!("{utc}Z"))
}

impl Readable for Index {
    fn text(&self) -> String {
        let mut text = format!("index {}", self.index);
        if self.disabled {
            text.push_str(", switched off");
        }
        if let Some(events) = self.events {
            let _ = write!(text, ", {events} events");
        }
        if let (Some(first), Some(last)) = (self.first, self.last) {
            let _ = write!(text, ", {first} to {last}");
        }
        if let Some(megabytes) = self.megabytes {
            let _ = write!(text, ", {megabytes} MB");
        }
        text
    }
}

impl Readable for Indexes {
    fn text(&self) -> String {
        let mut text = format!("{} indexes", self.indexes.len());
        for index in &self.indexes {
            let _ = write!(text, "\n{}", index.text());
        }
        for index in &self.missing {
            let _ = write!(text, "\nno index {index} that the token's role may see");
        }
        text
    }
}
