//! One event: found for whoever may know of it, and shown with its attributes.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::Uuid,
    path,
    tolerant::{Few, Flag, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Digits},
    attribute::{self, Tags},
    field::{Distribution, EventId, Number},
};

/// Attributes that are shown.
const ATTRIBUTES: usize = 200;
/// Attributes and objects that are looked at.
const MOST: usize = 5_000;

/// Arguments of `get_event`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The event's number or UUID
    event: EventId,
    /// The UUID of the organisation that made the event
    org: Uuid,
}

/// What a list shows of an event. Whatever MISP does not say is left out.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Summary {
    pub(crate) event_id: Number,
    /// Its title
    info: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    /// The organisation that made it
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    published: bool,
    /// Who gets it when it is published
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<Distribution>,
    /// high, medium, low or undefined
    #[serde(skip_serializing_if = "Option::is_none")]
    threat_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<u32>,
    tags: Vec<String>,
}

/// An event.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shown {
    event: Summary,
    attributes: Vec<attribute::Shown>,
    /// Whether there are more than are shown
    more: bool,
}

/// `{"Event": {…}}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Envelope {
    #[serde(rename = "Event")]
    pub(crate) event: Object<Item>,
}

/// An event as MISP sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Item {
    id: Digits,
    uuid: Verbatim<36>,
    pub(crate) info: Verbatim<65_536>,
    date: Text<10>,
    threat_level_id: Digits,
    distribution: Digits,
    published: Flag,
    attribute_count: Digits,
    #[serde(rename = "Orgc")]
    orgc: Object<Org>,
    #[serde(rename = "Tag")]
    tags: Tags,
    #[serde(rename = "Attribute")]
    attributes: Few<Object<attribute::Item>, MOST>,
    #[serde(rename = "Object")]
    objects: Few<Object<Group>, MOST>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Org {
    uuid: Verbatim<36>,
    name: Text<100>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Group {
    name: Text<60>,
    deleted: Flag,
    #[serde(rename = "Attribute")]
    attributes: Few<Object<attribute::Item>, MOST>,
}

/// The event, if it is of this organisation and not tagged tlp:red. What it is otherwise is not said.
pub(crate) fn find(event: &str, org: &Uuid, cx: &Context) -> Result<Item, Failure> {
    let answer = api::as_json(api::misp(cx).get(path!("/events/view/{}", event))).send()?;
    let Envelope { event: Object(item) } = api::read(answer)?;
    if item.id.0 != event && !item.uuid.as_str().eq_ignore_ascii_case(event) {
        return Err(Failure::upstream("MISP answered with another event than the one that was asked for"));
    }
    if item.is_of(org) && !item.tags.are_red() {
        return Ok(item);
    }
    Err(Failure::not_found(format!("there is no event `{event}` of this organisation that may be seen here")))
}

pub(crate) fn get(Arguments { event, org }: Arguments, cx: &Context) -> Result<Shown, Failure> {
    let mut item = find(event.as_str(), &org, cx)?;
    let (plain, objects) = (std::mem::take(&mut item.attributes), std::mem::take(&mut item.objects));
    let event = item.summary().ok_or_else(|| Failure::upstream("MISP answered with an event without a number"))?;
    let mut attributes: Vec<attribute::Shown> = Vec::new();
    for Object(attribute) in plain.0 {
        if !attribute.is_hidden() {
            attributes.extend(attribute.shown(None));
        }
    }
    for Object(group) in objects.0.into_iter().filter(|Object(group)| group.deleted.0 != Some(true)) {
        for Object(attribute) in group.attributes.0 {
            if !attribute.is_hidden() {
                attributes.extend(attribute.shown(Some(group.name.0.as_deref().unwrap_or("object"))));
            }
        }
    }
    let more = attributes.len() > ATTRIBUTES;
    attributes.truncate(ATTRIBUTES);
    Ok(Shown { event, attributes, more })
}

impl Item {
    /// Whether this organisation made it.
    pub(crate) fn is_of(&self, org: &Uuid) -> bool {
        self.orgc.0.uuid.as_str().eq_ignore_ascii_case(org.as_str())
    }

    pub(crate) fn is_red(&self) -> bool {
        self.tags.are_red()
    }

    pub(crate) fn is_published(&self) -> bool {
        self.published.0 == Some(true)
    }

    pub(crate) fn distribution(&self) -> Option<Distribution> {
        Distribution::of(&self.distribution.0)
    }

    /// What a list shows; nothing where it has no number.
    pub(crate) fn summary(self) -> Option<Summary> {
        let threat_level = match self.threat_level_id.0.as_str() {
            "1" => Some("high"),
            "2" => Some("medium"),
            "3" => Some("low"),
            "4" => Some("undefined"),
            _ => None,
        };
        Some(Summary {
            event_id: self.id.0.parse().ok()?,
            info: casemate_plugin::clip(self.info.as_str(), 200),
            published: self.is_published(),
            distribution: self.distribution(),
            threat_level: threat_level.map(str::to_owned),
            attributes: self.attribute_count.0.parse().ok(),
            tags: self.tags.shown(),
            date: self.date.0,
            org: self.orgc.0.name.0,
        })
    }
}

impl Summary {
    /// `42 2026-11-19 Phishing against ours (CIRCL, published)`
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{} ", self.event_id);
        if let Some(date) = &self.date {
            let _ = write!(line, "{date} ");
        }
        let _ = write!(line, "{} (", self.info);
        if let Some(org) = &self.org {
            let _ = write!(line, "{org}, ");
        }
        let _ = write!(line, "{})", if self.published { "published" } else { "not published" });
        line
    }
}

impl Readable for Shown {
    fn text(&self) -> String {
        let mut text = self.event.line();
        if !self.event.tags.is_empty() {
            let _ = write!(text, "\ntags: {}", self.event.tags.join(", "));
        }
        for attribute in &self.attributes {
            let _ = write!(text, "\n{}", attribute.line());
        }
        if self.more {
            text.push_str("\nthere are more attributes; search_attributes finds them by value or type");
        }
        text
    }
}
