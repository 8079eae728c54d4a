//! Creating an operation: always paused, always on a group, and only if it turns out as asked.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, FailureKind, Readable, clip,
    field::{Line, Name},
    path,
    tolerant::Object,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    adversaries::Adversary,
    api::{self, Change},
    field::{AdversaryId, Group, OperationId},
    operations::Operation,
};

/// Caldera's name for the adversary that is none.
const AD_HOC: &str = "ad-hoc";
/// The one state that an operation is created in.
const PAUSED: &str = "paused";
/// Agents that are named in an answer.
const PAWS: usize = 100;

const CHANGE: Change =
    Change::new("operation", "a paused operation may exist now, of which nothing runs; somebody has to look in Caldera");

/// Arguments of `create_operation`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// What people call it
    name: Line<100>,
    /// The adversary to run, by its id; ad-hoc for none, to run single abilities with execute_ability
    adversary_id: AdversaryId,
    /// The group of agents to run it on
    group: Group,
    /// The planner's id; Caldera's default, which runs one ability after the other, where it is left out
    #[serde(default)]
    planner_id: Option<Name>,
    /// The id of the source of facts; Caldera's default where it is left out
    #[serde(default)]
    source_id: Option<Name>,
    /// Whether it stays running when the adversary is done; not where it is left out
    #[serde(default)]
    keep_open: bool,
}

/// What Caldera is asked for. Everything it would choose by itself and could get wrong is said.
#[derive(Debug, Serialize)]
struct Body<'a> {
    name: &'a str,
    group: &'a str,
    state: &'static str,
    auto_close: bool,
    adversary: AdversaryRef<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    planner: Option<Ref<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<Ref<'a>>,
}

#[derive(Debug, Serialize)]
struct AdversaryRef<'a> {
    adversary_id: &'a str,
}

#[derive(Debug, Serialize)]
struct Ref<'a> {
    id: &'a str,
}

/// The new operation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    operation_id: OperationId,
    name: String,
    /// Always `paused`
    state: &'static str,
    group: Group,
    adversary_id: AdversaryId,
    adversary: String,
    /// How many abilities the adversary has
    abilities: usize,
    planner: String,
    /// The agents of the group now, by their paws; the first 100. Others that join it later are taken, too
    paws: Vec<String>,
    /// How many agents the group has now
    agents: usize,
}

pub(crate) fn create(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let steps = steps(cx, &args.adversary_id)?;
    let body = Body {
        name: args.name.as_str(),
        group: args.group.as_str(),
        state: PAUSED,
        auto_close: !args.keep_open,
        adversary: AdversaryRef { adversary_id: args.adversary_id.as_str() },
        planner: args.planner_id.as_ref().map(|id| Ref { id: id.as_str() }),
        source: args.source_id.as_ref().map(|id| Ref { id: id.as_str() }),
    };
    let request = api::caldera(cx).post(path!("/api/v2/operations")).json(&body);
    let Object(created): Object<Operation> = CHANGE.send(request)?;
    let Ok(operation_id) = created.id.as_str().parse::<OperationId>() else {
        return Err(CHANGE.unknown("Caldera took it and did not say which operation it created"));
    };
    if let Some(what) = difference(&args, &steps, &created) {
        let advice = if created.state.as_str() == PAUSED {
            "it is paused and nothing of it ran: let somebody delete it in Caldera"
        } else {
            "it is not paused: set it to finished with set_operation_state, or let somebody stop it in Caldera at once"
        };
        return Err(Failure::upstream(format!(
            "the operation `{operation_id}` now exists and is not what was asked for: {what}; {advice}"
        )));
    }
    let agents = &created.host_group.0;
    Ok(Report {
        operation_id,
        name: created.name.0.unwrap_or_default(),
        state: PAUSED,
        abilities: steps.len(),
        adversary: created.adversary.0.name.0.unwrap_or_default(),
        planner: created.planner.0.name.0.unwrap_or_default(),
        paws: agents.iter().take(PAWS).map(|agent| clip(agent.0.paw.as_str(), 64)).collect(),
        agents: agents.len(),
        group: args.group,
        adversary_id: args.adversary_id,
    })
}

/// The abilities of the adversary that is asked for. One that does not exist would be replaced in silence by one without abilities.
fn steps(cx: &Context, id: &AdversaryId) -> Result<Vec<String>, Failure> {
    let found: Result<Object<Adversary>, Failure> = api::get(cx, path!("/api/v2/adversaries/{}", id), None, "adversary");
    match found {
        Ok(Object(adversary)) if adversary.adversary_id.as_str() == id.as_str() => {
            Ok(adversary.atomic_ordering.0.iter().map(|step| step.as_str().to_owned()).collect())
        }
        Ok(_) => Err(Failure::upstream("Caldera answered with another adversary than the one that was asked for")),
        // Which is what is wanted here.
        Err(failure) if failure.kind() == FailureKind::NotFound && id.as_str() == AD_HOC => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// What is different from what was asked for, if anything is.
fn difference(args: &Arguments, steps: &[String], created: &Operation) -> Option<String> {
    let Object(adversary) = &created.adversary;
    let is = |wanted: &Option<Name>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted.as_str() == found);
    let quoted = |what: &str, text: &str| Some(format!("its {what} is `{}`", clip(text, 64)));
    if created.state.as_str() != PAUSED {
        return quoted("state", created.state.as_str());
    }
    if created.group.as_str() != args.group.as_str() {
        return quoted("group", created.group.as_str());
    }
    if adversary.adversary_id.as_str() != args.adversary_id.as_str() {
        return quoted("adversary", adversary.adversary_id.as_str());
    }
    if !adversary.atomic_ordering.0.iter().map(|step| step.as_str()).eq(steps.iter().map(String::as_str)) {
        return Some("its adversary has other abilities than a moment ago".to_owned());
    }
    if let Some(agent) = created.host_group.0.iter().find(|agent| agent.0.group.as_str() != args.group.as_str()) {
        return Some(format!("it is also on an agent of the group `{}`", clip(agent.0.group.as_str(), 64)));
    }
    if !is(&args.planner_id, created.planner.0.id.as_str()) {
        return quoted("planner", created.planner.0.id.as_str());
    }
    if !is(&args.source_id, created.source.0.id.as_str()) {
        return quoted("source", created.source.0.id.as_str());
    }
    if created.auto_close.0 != Some(!args.keep_open) {
        return Some("it does not end as it was asked to".to_owned());
    }
    None
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { operation_id, name, group, adversary, abilities, agents, .. } = self;
        let mut text = format!(
            "created {name} ({operation_id}), paused: {adversary} with {abilities} abilities on {agents} agents of group {group}"
        );
        if *agents == 0 {
            let _ = write!(text, "\nthe group has no agents, so nothing will run");
        }
        text.push_str("\nset_operation_state lets it run");
        text
    }
}
