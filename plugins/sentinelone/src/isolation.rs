//! Taking a computer off the network.

use casemate_plugin::{
    Context, Failure, Readable, clip,
    field::Line,
    path,
    tolerant::{Few, Object, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Acted, ISOLATION, Known, Page, Short},
    field::Id,
};

/// Arguments of `isolate_agent`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id of the site that the agent is in
    site_id: Id,
    /// The agent's id, as a threat shows it
    agent_id: Id,
    /// The computer's whole name, as a threat shows it: whoever agrees to this knows computers by their names
    computer_name: Line<253>,
}

/// The isolated computer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Isolated {
    site_id: Id,
    agent_id: Id,
    computer_name: String,
    /// What the network was before, such as connected
    was: String,
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
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Agent {
    id: Known,
    site_id: Known,
    computer_name: Verbatim<253>,
    network_status: Short,
}

pub(crate) fn isolate(Arguments { site_id, agent_id, computer_name }: Arguments, cx: &Context) -> Result<Isolated, Failure> {
    let answer = api::console(cx).get(path!("/web/api/v2.1/agents")).query("siteIds", &site_id).query("ids", &agent_id).send()?;
    let Page { data, .. }: Page<Few<Object<Agent>, 2>> = api::read(answer)?;
    let mut found = data.0.into_iter().map(|Object(agent)| agent);
    let agent = match (found.next(), found.next()) {
        (None, _) => return Err(Failure::not_found(format!("nothing was done: there is no agent `{agent_id}` in this site"))),
        (Some(agent), None) if api::is(&agent.id, &agent_id) && api::is(&agent.site_id, &site_id) => agent,
        _ => {
            return Err(Failure::upstream(
                "nothing was done: SentinelOne answered with other agents than the one that was asked for",
            ));
        }
    };
    if agent.computer_name.as_str() != computer_name.as_str() {
        return Err(Failure::invalid_arguments(format!(
            "nothing was done: the agent `{agent_id}` is `{}`, not `{}`; look which computer is meant",
            clip(agent.computer_name.as_str(), 64),
            clip(computer_name.as_str(), 64),
        )));
    }
    let was = agent.network_status.0.unwrap_or_else(|| "unknown".to_owned());
    if matches!(was.as_str(), "disconnected" | "disconnecting") {
        return Err(Failure::invalid_arguments(format!("nothing was done: the computer is already off the network ({was})")));
    }
    let body = Body { filter: Filter { ids: [agent_id.as_str()], site_ids: [site_id.as_str()] } };
    let request = api::console(cx).post(path!("/web/api/v2.1/agents/actions/disconnect")).json(&body);
    let acted: Acted = ISOLATION.send(request, api::failure)?;
    acted.on_one(&ISOLATION, "agent")?;
    Ok(Isolated { site_id, agent_id, computer_name: computer_name.to_string(), was })
}

impl Readable for Isolated {
    fn text(&self) -> String {
        let Self { computer_name, agent_id, was, .. } = self;
        format!("{computer_name} (agent {agent_id}) is told to leave the network; it was {was}")
    }
}
