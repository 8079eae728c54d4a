//! Searching events.

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
    event::{Envelope, Item, Summary},
    field::{Last, Tag, Type},
    search::{self, Common, Orgs},
};

/// Events of one page at most.
const MOST: usize = 100;

/// Arguments of `search_events`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The UUIDs of the organisations that made the events
    orgs: Orgs,
    /// How long ago the event was published at most, such as 30d
    last: Last,
    /// Only events that have an attribute of this value
    #[serde(default)]
    value: Option<Line<500>>,
    /// Only events that have an attribute of this type, such as ip-dst
    #[serde(default)]
    r#type: Option<Type>,
    /// Only events with this tag
    #[serde(default)]
    tag: Option<Tag>,
    /// How many on a page; 20 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 100>>,
    /// Which page, from 1
    #[serde(default)]
    page: Option<Whole<1, 1000>>,
}

/// Some events.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    events: Vec<Summary>,
    /// The next page, if there may be one
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<i64>,
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    #[serde(flatten)]
    common: Common<'a>,
    metadata: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Found {
    response: Few<Object<Envelope>, MOST>,
}

pub(crate) fn search(args: Arguments, cx: &Context) -> Result<Listing, Failure> {
    let common = Common::new(&args.orgs, &args.last, args.tag.as_ref(), args.limit, args.page)?;
    let body = Body {
        common,
        metadata: true,
        value: args.value.as_ref().map(Line::as_str),
        r#type: args.r#type.as_ref().map(Type::as_str),
    };
    let Found { response } = api::read(api::as_json(api::misp(cx).post(path!("/events/restSearch"))).json(&body).send()?)?;
    let next_page = search::next(response.0.len(), args.limit, args.page);
    // What is asked for is of these organisations and not red; what is not is not shown, whoever sent it.
    let may_be_seen = |item: &Item| !item.is_red() && args.orgs.as_slice().iter().any(|org| item.is_of(org));
    let events = response.0.into_iter().map(|Object(envelope)| envelope.event.0).filter(may_be_seen);
    Ok(Listing { events: events.filter_map(Item::summary).collect(), next_page })
}

impl Readable for Listing {
    fn text(&self) -> String {
        let mut text = match self.events.len() {
            0 => "no event".to_owned(),
            1 => "1 event".to_owned(),
            count => format!("{count} events"),
        };
        for event in &self.events {
            let _ = write!(text, "\n{}", event.line());
        }
        if let Some(next) = self.next_page {
            let _ = write!(text, "\nmore: ask for page {next}");
        }
        text
    }
}
