//! Adding an attribute to an event.

use casemate_plugin::{
    Context, Failure, Readable,
    field::{Line, Uuid},
    leak, path,
    tolerant::Object,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, ADDITION, Digits},
    event,
    field::{Category, Number, Type},
};

/// Arguments of `add_attribute`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The event's number
    event_id: Number,
    /// The UUID of the organisation that made the event
    org: Uuid,
    /// Such as ip-dst, sha256 or url
    r#type: Type,
    category: Category,
    /// What it is: an address, a hash, a URL, as the type has it
    value: Line<1000>,
    /// Why it is there
    #[serde(default)]
    comment: Option<Line<500>>,
    /// Whether it is good for detection; not where it is left out
    #[serde(default)]
    to_ids: bool,
}

/// What MISP is sent. For the own organisation only, whatever its event is for.
#[derive(Debug, Serialize)]
struct Body<'a> {
    r#type: &'a str,
    category: Category,
    value: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'a str>,
    to_ids: bool,
    distribution: u8,
}

/// The attribute that was added.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Added {
    event_id: Number,
    attribute_id: Number,
    r#type: Type,
    value: String,
}

/// `{"Attribute": {"id": …, "event_id": …, "distribution": …}}`
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    #[serde(rename = "Attribute")]
    attribute: Object<Made>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Made {
    id: Digits,
    event_id: Digits,
    distribution: Digits,
}

pub(crate) fn add(args: Arguments, cx: &Context) -> Result<Added, Failure> {
    for text in [Some(args.value.as_str()), args.comment.as_ref().map(Line::as_str)].into_iter().flatten() {
        if let Some(what) = leak::found(text) {
            return Err(Failure::invalid_arguments(format!(
                "nothing was added: the text holds {what}, and the whole organisation reads it"
            )));
        }
    }
    event::find(args.event_id.as_str(), &args.org, cx)?;
    let body = Body {
        r#type: args.r#type.as_str(),
        category: args.category,
        value: args.value.as_str(),
        comment: args.comment.as_ref().map(Line::as_str),
        to_ids: args.to_ids,
        distribution: 0,
    };
    let request = api::as_json(api::misp(cx).post(path!("/attributes/add/{}", args.event_id))).json(&body);
    let Answer { attribute: Object(made) } = ADDITION.send(request, api::failure)?;
    let Ok(attribute_id) = made.id.0.parse::<Number>() else {
        return Err(ADDITION.unknown("MISP took it and did not say which attribute it became"));
    };
    if made.event_id.0 != args.event_id.as_str() || made.distribution.0 != "0" {
        return Err(Failure::upstream(format!(
            "the attribute `{attribute_id}` now exists, and is in another event or for others than the own organisation; somebody has to look at it in MISP"
        )));
    }
    Ok(Added { event_id: args.event_id, attribute_id, r#type: args.r#type, value: args.value.to_string() })
}

impl Readable for Added {
    fn text(&self) -> String {
        let Self { event_id, attribute_id, r#type, value } = self;
        format!("added {type} {value} to event {event_id} as {attribute_id}, for the own organisation only")
    }
}
