//! What somebody should look at.

use std::time::Duration;

use casemate_plugin::{
    Change, Context, Failure, Readable, clip,
    field::{Line, Passage},
    leak,
    tolerant::{Object, Text, Verbatim},
    traffic,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    api::{self, Declined},
    document,
    field::RequestId,
};

const CHANGE: Change =
    Change { service: "Caido", unknown: "a finding may exist now; look at Caido's findings", patience: Duration::from_secs(10) };
/// Who says so, to the people who read it.
const REPORTER: &str = "Casemate";

/// Arguments of `create_finding`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id that get_requests gave
    request_id: RequestId,
    /// What it is, in a few words
    title: Line<200>,
    /// What was seen, and why it matters
    #[serde(default)]
    description: Option<Passage<8_000>>,
}

/// The finding as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    finding_id: String,
    request_id: RequestId,
    title: String,
    /// Where the request went
    host: String,
    path: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Answer {
    create_finding: Object<Creation>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    error: Object<Declined>,
    finding: Object<Finding>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Finding {
    id: Verbatim<18>,
    title: Text<200>,
    host: Text<255>,
    path: Verbatim<16_384>,
}

pub(crate) fn create(Arguments { request_id, title, description }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let texts = [Some(title.as_str()), description.as_ref().map(Passage::as_str)];
    if let Some(what) = texts.into_iter().flatten().find_map(leak::found) {
        return Err(Failure::invalid_arguments(format!(
            "nothing was written: the finding holds {what}; say where it is instead"
        )));
    }
    let input = match &description {
        Some(description) => json!({ "reporter": REPORTER, "title": title, "description": description }),
        None => json!({ "reporter": REPORTER, "title": title }),
    };
    let variables = json!({ "requestId": request_id, "input": input });
    let Answer { create_finding: Object(created) } = api::change(cx, CHANGE, document::CREATE_FINDING, &variables)?;
    if let Some(failure) = created.error.0.failure() {
        return Err(failure);
    }
    let Object(finding) = created.finding;
    if finding.id.as_str().is_empty() {
        return Err(CHANGE.unknown("Caido took it and did not say which finding it became"));
    }
    Ok(Report {
        finding_id: clip(finding.id.as_str(), 18),
        request_id,
        title: finding.title.0.unwrap_or_default(),
        host: finding.host.0.unwrap_or_default(),
        path: clip(&traffic::url(finding.path.as_str()), 300),
    })
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { finding_id, request_id, title, .. } = self;
        format!("finding {finding_id} of request {request_id}: {title}")
    }
}
