//! Adding a sighting to an attribute.
//!
//! By the attribute's number only. MISP also takes a value, and then adds the sighting to every attribute that has it, in whosever event.

use casemate_plugin::{
    Context, Failure, Readable,
    field::{Line, Uuid},
    path,
    tolerant::{Flag, Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, SIGHTING},
    attribute::Item,
    event,
    field::{Kind, Number},
};

/// Arguments of `add_sighting`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The attribute's number
    attribute_id: Number,
    /// The number of the event that the attribute is in
    event_id: Number,
    /// The UUID of the organisation that made the event
    org: Uuid,
    /// What is said of it
    kind: Kind,
    /// Where it was seen, in a few words
    #[serde(default)]
    source: Option<Line<100>>,
}

#[derive(Debug, Serialize)]
struct Body<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

/// What was said.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sighted {
    attribute_id: Number,
    event_id: Number,
    kind: Kind,
}

/// `{"Attribute": {…}}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope {
    #[serde(rename = "Attribute")]
    attribute: Object<Item>,
}

/// `{"Sighting": {…}}`, or only `{"message": "Sighting added"}` where MISP is older; a refusal may come with status 200.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    saved: Flag,
    message: Text<100>,
    #[serde(rename = "Sighting")]
    sighting: Option<Object<Nothing>>,
}

#[derive(Debug, Default, Deserialize)]
struct Nothing {}

pub(crate) fn add(args: Arguments, cx: &Context) -> Result<Sighted, Failure> {
    let Arguments { attribute_id, event_id, org, kind, source } = args;
    let answer = api::as_json(api::misp(cx).get(path!("/attributes/view/{}", attribute_id))).send()?;
    let Envelope { attribute: Object(attribute) } = api::read(answer)?;
    if attribute.event_id.0 != event_id.as_str() || attribute.is_hidden() {
        return Err(Failure::not_found(format!(
            "there is no attribute `{attribute_id}` in the event `{event_id}` that may be seen here"
        )));
    }
    event::find(event_id.as_str(), &org, cx)?;
    let body = Body { r#type: kind.number(), source: source.as_ref().map(Line::as_str) };
    let request = api::as_json(api::misp(cx).post(path!("/sightings/add/{}", attribute_id))).json(&body);
    let Answer { saved, message, sighting } = SIGHTING.send(request, api::failure)?;
    if saved.0 == Some(false) || message.0.as_deref().is_some_and(|message| message.starts_with("Could not")) {
        return Err(Failure::upstream("MISP did not add the sighting; a role or a setting of MISP may not allow it"));
    }
    if sighting.is_none() && message.0.is_none() {
        return Err(SIGHTING.unknown("MISP took it and did not say what became of it"));
    }
    Ok(Sighted { attribute_id, event_id, kind })
}

impl Readable for Sighted {
    fn text(&self) -> String {
        let Self { attribute_id, event_id, kind } = self;
        format!("attribute {attribute_id} of event {event_id} is said to be {}", kind.as_str())
    }
}
