//! Acting on a threat.

use casemate_plugin::{Context, Failure, Readable, path};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Acted, MITIGATION},
    field::{Id, Mitigation},
    threat,
};

/// Arguments of `mitigate_threat`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id of the site that the threat is in
    site_id: Id,
    /// The threat's id
    threat_id: Id,
    /// The id of the agent that the threat is on, as the threat shows it
    agent_id: Id,
    /// What to do. rollback-remediation restores files of the whole computer from snapshots
    action: Mitigation,
}

/// What was done.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Mitigated {
    site_id: Id,
    threat_id: Id,
    agent_id: Id,
    action: Mitigation,
}

/// What SentinelOne is sent: it acts on what fits everything.
#[derive(Debug, Serialize)]
struct Body<'a> {
    filter: Filter<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Filter<'a> {
    ids: [&'a str; 1],
    site_ids: [&'a str; 1],
    agent_ids: [&'a str; 1],
}

pub(crate) fn mitigate(args: Arguments, cx: &Context) -> Result<Mitigated, Failure> {
    let Arguments { site_id, threat_id, agent_id, action } = args;
    if !threat::find(&site_id, &threat_id, cx)?.is_on(&agent_id) {
        return Err(Failure::invalid_arguments(format!(
            "nothing was done: the threat `{threat_id}` is not on the agent `{agent_id}`; get_threat says which one it is on"
        )));
    }
    let filter = Filter { ids: [threat_id.as_str()], site_ids: [site_id.as_str()], agent_ids: [agent_id.as_str()] };
    let request = api::console(cx).post(path!("/web/api/v2.1/threats/mitigate/{}", action.as_str())).json(&Body { filter });
    let acted: Acted = MITIGATION.send(request, api::failure)?;
    acted.on_one(&MITIGATION, "threat")?;
    Ok(Mitigated { site_id, threat_id, agent_id, action })
}

impl Readable for Mitigated {
    fn text(&self) -> String {
        let Self { threat_id, agent_id, action, .. } = self;
        format!("{} is on its way for threat {threat_id} on agent {agent_id}; get_threat says how it ended", action.as_str())
    }
}
