//! Publishing an event.

use casemate_plugin::{
    Context, Failure, Readable, clip,
    field::{Line, Uuid},
    path,
    tolerant::{Flag, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, PUBLICATION},
    event,
    field::{Distribution, Number},
};

/// Arguments of `publish_event`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The event's number
    event_id: Number,
    /// The UUID of the organisation that made the event
    org: Uuid,
    /// The event's title, word for word: whoever agrees to this knows it by that
    info: Line<500>,
    /// Who will get it, as the event has it
    distribution: Distribution,
}

/// What was published.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Published {
    event_id: Number,
    info: String,
    distribution: Distribution,
}

/// MISP takes no more than that it is asked.
#[derive(Debug, Serialize)]
struct Body {}

/// `{"saved": true, "success": true, "name": "Job queued", …}`, or only a `name` and a `message` where MISP is older.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    saved: Flag,
    success: Flag,
    name: Text<100>,
}

pub(crate) fn publish(args: Arguments, cx: &Context) -> Result<Published, Failure> {
    let Arguments { event_id, org, info, distribution } = args;
    let event = event::find(event_id.as_str(), &org, cx)?;
    let refused = |why: String| Err(Failure::invalid_arguments(format!("nothing was published: {why}")));
    if event.info.as_str().trim() != info.as_str().trim() {
        return refused(format!(
            "the event `{event_id}` is called `{}`; look which event is meant",
            clip(event.info.as_str(), 200)
        ));
    }
    match event.distribution() {
        Some(known) if known == distribution => {}
        Some(known) => return refused(format!("the event's distribution is {}, not {}", known.as_str(), distribution.as_str())),
        None => return refused("MISP does not say who would get the event".to_owned()),
    }
    if event.is_published() {
        return refused(format!("the event `{event_id}` is published already"));
    }
    let request = api::as_json(api::misp(cx).post(path!("/events/publish/{}", event_id))).json(&Body {});
    let Answer { saved, success, name } = PUBLICATION.send(request, api::failure)?;
    if saved.0 == Some(false) || success.0 == Some(false) {
        return Err(Failure::upstream("MISP did not publish the event; a role or a rule of MISP may not allow it"));
    }
    if saved.0.is_none() && name.0.is_none() {
        return Err(PUBLICATION.unknown("MISP took it and did not say what became of it"));
    }
    Ok(Published { event_id, info: info.to_string(), distribution })
}

impl Readable for Published {
    fn text(&self) -> String {
        let Self { event_id, info, distribution } = self;
        format!("event {event_id} is published, to {}: {info}", distribution.as_str())
    }
}
