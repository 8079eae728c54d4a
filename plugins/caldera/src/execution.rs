//! Running one ability on one agent, by asking a running operation for a link.
//!
//! Caldera runs any command in such a request, and one for an operation that does not run is answered when it does, if ever, and
//! runs then. So the command is the ability's own, and an operation that does not run is not asked.

use casemate_plugin::{Context, Failure, Readable, clip, field::Name, path, tolerant::Object};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    abilities, agents,
    api::{self, Change},
    executor::{self, Executor},
    field::{AbilityId, Group, OperationId},
    link::{Link, Outcome},
    operations,
};

const CHANGE: Change = Change::new(
    "link",
    "the command may have run, or may run at any later time, as soon as the operation is running; look with get_operation",
);

/// Arguments of `execute_ability`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The operation it becomes a part of; it has to be running
    operation_id: OperationId,
    /// The agent to run it on, by its paw
    paw: Name,
    /// The group that the agent is in
    group: Group,
    /// The ability to run, by its id
    ability_id: AbilityId,
}

/// What Caldera is asked for. Nothing in it is the caller's but the two ids.
#[derive(Debug, Serialize)]
struct Body<'a> {
    paw: &'a str,
    executor: ExecutorBody<'a>,
    ability: AbilityBody<'a>,
}

#[derive(Debug, Serialize)]
struct ExecutorBody<'a> {
    name: &'a str,
    platform: &'a str,
    command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<i64>,
}

#[derive(Debug, Serialize)]
struct AbilityBody<'a> {
    ability_id: &'a str,
    name: &'a str,
    tactic: &'a str,
    technique_id: &'a str,
    technique_name: &'a str,
}

/// The link, which its agent will fetch.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    operation_id: OperationId,
    link_id: String,
    paw: Name,
    host: String,
    group: Group,
    ability_id: AbilityId,
    ability: String,
    technique_id: String,
    /// The executor and platform
    executor: String,
    /// On one line, cut at 2,000 characters
    command: String,
    /// What became of it so far
    outcome: Outcome,
}

pub(crate) fn execute(Arguments { operation_id, paw, group, ability_id }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let operation = operations::get(cx, &operation_id)?;
    let state = operation.state.as_str();
    if operation.is_over() {
        return Err(refused(&format!("the operation is `{}`; create another one", clip(state, 20))));
    }
    if !matches!(state, "running" | "run_one_link") {
        let why = "Caldera would not answer, and run the command as soon as it is running: set it to running first";
        return Err(refused(&format!("the operation is `{}`; {why}", clip(state, 20))));
    }
    let agent = agents::get(cx, &paw)?;
    if agent.group.as_str() != group.as_str() {
        let (own, asked) = (clip(agent.group.as_str(), 64), group.as_str());
        return Err(refused(&format!("the agent is in group `{own}`, and not in `{asked}`")));
    }
    // An operation without a group is on every agent.
    if !operation.group.as_str().is_empty() && operation.group.as_str() != group.as_str() {
        let other = clip(operation.group.as_str(), 64);
        return Err(refused(&format!("the operation is on group `{other}`, and not on `{}`", group.as_str())));
    }
    if agent.trusted.0 != Some(true) {
        return Err(refused("the agent is not trusted, so Caldera would not let it run anything"));
    }
    let ability = abilities::get(cx, &ability_id)?;
    if let Some(obstacle) = ability.obstacle() {
        return Err(refused(&format!("the ability cannot be run alone: {obstacle}")));
    }
    let executors: Vec<&Executor> = ability.executors().collect();
    let Some(executor) = executor::choose(executors.iter().copied(), &agent) else {
        let platform = clip(agent.platform.as_str(), 40);
        return Err(refused(&format!("the ability has no command for `{platform}` that the agent has an executor for")));
    };
    if let Some(obstacle) = executor.obstacle() {
        return Err(refused(&format!("the ability cannot be run alone: {obstacle}")));
    }

    let body = Body {
        paw: paw.as_str(),
        executor: ExecutorBody {
            name: executor.name.as_str(),
            platform: executor.platform.as_str(),
            command: executor.command.as_str(),
            timeout: executor.timeout(),
        },
        ability: AbilityBody {
            ability_id: ability_id.as_str(),
            name: ability.name.as_str(),
            tactic: ability.tactic.as_str(),
            technique_id: ability.technique_id.as_str(),
            technique_name: ability.technique_name.as_str(),
        },
    };
    let path = path!("/api/v2/operations/{}/potential-links", operation_id);
    let Object(link): Object<Link> = CHANGE.send(api::caldera(cx).post(path).json(&body))?;
    let link_id = clip(link.id.as_str(), 64);
    if link_id.is_empty() {
        return Err(CHANGE.unknown("Caldera took it and did not say which link it made"));
    }
    if link.paw.as_str() != paw.as_str() || link.ability.0.ability_id.as_str() != ability_id.as_str() {
        return Err(Failure::upstream(format!(
            "the link `{link_id}` now exists and is not what was asked for: it is for another agent or ability; \
             let somebody look at the operation in Caldera at once"
        )));
    }
    Ok(Report {
        link_id,
        outcome: link.outcome(),
        host: agent.host.0.unwrap_or_default(),
        ability: clip(ability.name.as_str(), 200),
        technique_id: clip(ability.technique_id.as_str(), 20),
        executor: clip(&format!("{} on {}", executor.name.as_str(), executor.platform.as_str()), 130),
        command: clip(executor.command.as_str(), 2_000),
        operation_id,
        paw,
        group,
        ability_id,
    })
}

/// Nothing was sent, and this is why.
fn refused(why: &str) -> Failure {
    Failure::invalid_arguments(format!("nothing was run: {why}"))
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { operation_id, link_id, paw, host, ability, technique_id, executor, command, outcome, .. } = self;
        format!(
            "{paw} on {host}: {ability} ({technique_id}) by {executor}: {command}\n\
             link {link_id} is {}; its result will be in the operation {operation_id}",
            outcome.words(),
        )
    }
}
