//! What is in an index.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, Timestamp, path,
    tolerant::{Few, Flag, Number, Object, Take, Text, take},
};
use casemate_siem::window::moment;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{api, field::IndexName};

/// Arguments of `index_info`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The index, by its exact name
    index: IndexName,
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    entry: Few<Object<Entry>, 1>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    name: Text<80>,
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
    let Some(Object(Entry { name, content: Object(content) })) = entry.0.into_iter().next() else {
        return Err(Failure::upstream("Splunk's answer has no index in it"));
    };
    if name.0.as_deref() != Some(index.as_str()) {
        return Err(Failure::upstream("Splunk's answer is about another index"));
    }
    Ok(Index {
        index,
        disabled: content.disabled.0.unwrap_or_default(),
        events: content.total_event_count.0,
        first: content.min_time.0.as_deref().and_then(time),
        last: content.max_time.0.as_deref().and_then(time),
        megabytes: content.megabytes.0,
    })
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
