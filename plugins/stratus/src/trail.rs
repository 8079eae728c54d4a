//! A trail of CloudTrail's, one for each technique against trails.

use casemate_plugin::{
    Failure,
    tolerant::{Few, Flag, Object, Verbatim},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    aws::{self, Refused},
    stage::{Stage, State, foreign},
    technique::Technique,
};

/// Its name, which no other technique has.
fn name(stage: &Stage<'_>) -> &'static str {
    match stage.technique {
        Technique::DeleteTrail => "stratus-red-team-cloudtrail-delete",
        Technique::SelectEvents => "stratus-red-team-cloudtrail-event-selectors",
        _ => "stratus-red-team-cloudtrail-stop",
    }
}

pub(crate) fn arn(stage: &Stage<'_>) -> String {
    format!("arn:aws:cloudtrail:{}:{}:trail/{}", stage.region, stage.account, name(stage))
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Trail {
    #[serde(rename = "TrailARN")]
    arn: Verbatim<256>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Got {
    trail: Object<Trail>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Status {
    is_logging: Flag,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Selectors {
    event_selectors: Few<Object<Selector>, 5>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Selector {
    include_management_events: Flag,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Tagged {
    resource_tag_list: Few<Object<Tags>, 1>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Tags {
    tags_list: Few<Object<Tag>, 50>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Tag {
    key: Verbatim<128>,
    value: Verbatim<256>,
}

/// How far the technique is. Reads no more than it has to.
pub(crate) fn state(stage: &Stage<'_>) -> Result<State, Failure> {
    let read = |action: &str, body: Value| aws::trail(stage.cx.upstream("cloudtrail"), action, &body);
    let got: Got = match aws::json(read("GetTrail", json!({ "Name": name(stage) }))?) {
        Ok(got) => got,
        Err(Refused { code, .. }) if code == "TrailNotFoundException" => return Ok(State::Cold),
        Err(refused) => return Err(refused.into()),
    };
    // The account and the region are in it.
    if got.trail.0.arn.as_str() != arn(stage) {
        return Err(Failure::upstream("nothing was done: CloudTrail told about another trail than the one it was asked for"));
    }
    let Tagged { resource_tag_list } = aws::json(read("ListTags", json!({ "ResourceIdList": [arn(stage)] }))?)?;
    let tags = resource_tag_list.0.iter().flat_map(|Object(tags)| &tags.tags_list.0);
    if !tags.into_iter().any(|Object(tag)| tag.key.as_str() == "StratusRedTeam" && tag.value.as_str() == "true") {
        return Err(foreign("the trail"));
    }
    let detonated = match stage.technique {
        Technique::SelectEvents => {
            let Selectors { event_selectors } = aws::json(read("GetEventSelectors", json!({ "TrailName": name(stage) }))?)?;
            // A trail without selectors logs management events.
            !event_selectors.0.is_empty()
                && event_selectors.0.iter().all(|Object(selector)| selector.include_management_events.0 == Some(false))
        }
        Technique::StopTrail => {
            let Status { is_logging } = aws::json(read("GetTrailStatus", json!({ "Name": name(stage) }))?)?;
            match is_logging.0 {
                Some(is_logging) => !is_logging,
                None => return Err(Failure::upstream("nothing was done: CloudTrail did not say whether the trail is logging")),
            }
        }
        _ => false,
    };
    Ok(if detonated { State::Detonated } else { State::Warm })
}

pub(crate) fn create(stage: &Stage<'_>) -> Result<Vec<&'static str>, Failure> {
    let body = json!({ "Name": name(stage), "S3BucketName": stage.log_bucket, "IsMultiRegionTrail": false,
        "TagsList": [{ "Key": "StratusRedTeam", "Value": "true" }] });
    change(stage, "cloudtrail-warm-up", "CreateTrail", &body)?;
    change(stage, "cloudtrail-warm-up", "StartLogging", &json!({ "Name": name(stage) }))?;
    Ok(vec!["cloudtrail:CreateTrail", "cloudtrail:StartLogging"])
}

pub(crate) fn stop(stage: &Stage<'_>) -> Result<Vec<&'static str>, Failure> {
    change(stage, ATTACK, "StopLogging", &json!({ "Name": name(stage) }))?;
    Ok(vec!["cloudtrail:StopLogging"])
}

pub(crate) fn start(stage: &Stage<'_>) -> Result<Vec<&'static str>, Failure> {
    change(stage, ATTACK, "StartLogging", &json!({ "Name": name(stage) }))?;
    Ok(vec!["cloudtrail:StartLogging"])
}

pub(crate) fn delete(stage: &Stage<'_>) -> Result<Vec<&'static str>, Failure> {
    change(stage, ATTACK, "DeleteTrail", &json!({ "Name": name(stage) }))?;
    Ok(vec!["cloudtrail:DeleteTrail"])
}

/// Whether management events are logged.
pub(crate) fn select(stage: &Stage<'_>, logged: bool) -> Result<Vec<&'static str>, Failure> {
    let selector = if logged {
        json!({ "ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": [] })
    } else {
        json!({ "ReadWriteType": "ReadOnly", "IncludeManagementEvents": false, "DataResources": [
            { "Type": "AWS::S3::Object", "Values": [] }, { "Type": "AWS::Lambda::Function", "Values": [] } ] })
    };
    change(stage, ATTACK, "PutEventSelectors", &json!({ "TrailName": name(stage), "EventSelectors": [selector] }))?;
    Ok(vec!["cloudtrail:PutEventSelectors"])
}

/// The upstream of what attacks and takes back.
const ATTACK: &str = "cloudtrail-attack";

fn change(stage: &Stage<'_>, upstream: &'static str, action: &str, body: &Value) -> Result<(), Failure> {
    let request = aws::trail(stage.cx.upstream(upstream), action, body)?;
    Ok(aws::change(stage.technique, request)?)
}
