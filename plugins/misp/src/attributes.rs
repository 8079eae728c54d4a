//! Searching attributes.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::{Line, Whole},
    path,
    tolerant::{Few, Object},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    attribute::{self, Item},
    field::{Category, Last, Number, Tag, Type},
    search::{self, Common, Orgs},
};

/// Attributes of one page at most.
const MOST: usize = 100;

/// Arguments of `search_attributes`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The UUIDs of the organisations that made the events
    orgs: Orgs,
    /// How long ago the event was published at most, such as 30d
    last: Last,
    /// Only attributes of this value, such as an address or a hash
    #[serde(default)]
    value: Option<Line<500>>,
    /// Only attributes of this type, such as ip-dst
    #[serde(default)]
    r#type: Option<Type>,
    /// Only attributes of this category
    #[serde(default)]
    category: Option<Category>,
    /// Only attributes that are good for detection, or only those that are not
    #[serde(default)]
    to_ids: Option<bool>,
    /// Only attributes with this tag
    #[serde(default)]
    tag: Option<Tag>,
    /// How many on a page; 20 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 100>>,
    /// Which page, from 1
    #[serde(default)]
    page: Option<Whole<1, 1000>>,
}

/// Some attributes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    attributes: Vec<Hit>,
    /// The next page, if there may be one
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<i64>,
}

/// One attribute, and the event that it is in.
#[derive(Debug, Serialize, JsonSchema)]
struct Hit {
    event_id: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_info: Option<String>,
    attribute: attribute::Shown,
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    #[serde(rename = "includeEventTags")]
    include_event_tags: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<Category>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_ids: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Found {
    response: Object<Attributes>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attributes {
    #[serde(rename = "Attribute")]
    attributes: Few<Object<Item>, MOST>,
}

pub(crate) fn search(args: Arguments, cx: &Context) -> Result<Listing, Failure> {
    let common = Common::new(&args.orgs, &args.last, args.tag.as_ref(), args.limit, args.page)?;
    let body = Body {
        common,
        include_event_tags: true,
        value: args.value.as_ref().map(Line::as_str),
        r#type: args.r#type.as_ref().map(Type::as_str),
        category: args.category,
        to_ids: args.to_ids,
    };
    let answer = api::as_json(api::misp(cx).post(path!("/attributes/restSearch"))).json(&body).send()?;
    let Found { response: Object(Attributes { attributes }) } = api::read(answer)?;
    let next_page = search::next(attributes.0.len(), args.limit, args.page);
    let may_be_seen = attributes.0.into_iter().map(|Object(item)| item).filter(|item| !item.is_hidden());
    Ok(Listing { attributes: may_be_seen.filter_map(Hit::of).collect(), next_page })
}

impl Hit {
    fn of(mut item: Item) -> Option<Self> {
        Some(Self {
            event_id: item.event_id.0.parse().ok()?,
            event_info: item.event.0.info.0.take(),
            attribute: item.shown(None)?,
        })
    }
}

impl Readable for Listing {
    fn text(&self) -> String {
        let mut text = match self.attributes.len() {
            0 => "no attribute".to_owned(),
            1 => "1 attribute".to_owned(),
            count => format!("{count} attributes"),
        };
        for Hit { event_id, event_info, attribute } in &self.attributes {
            let _ = write!(text, "\n{} in event {event_id}", attribute.line());
            if let Some(info) = event_info {
                let _ = write!(text, ": {info}");
            }
        }
        if let Some(next) = self.next_page {
            let _ = write!(text, "\nmore: ask for page {next}");
        }
        text
    }
}
