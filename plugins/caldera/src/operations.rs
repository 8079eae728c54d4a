//! Operations: an adversary on a group, and what came of it.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, clip, path,
    tolerant::{Few, Flag, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    adversaries::Adversary,
    agents::Agent,
    api,
    field::OperationId,
    link::{self, Link, Outcome, Shown},
};

/// Links in one answer: the newest.
const LINKS: usize = 50;
/// Links whose output is asked for, one request each.
const OUTPUTS: usize = 8;
/// More links, and more agents, than 4 MiB hold.
const READ: usize = 20_000;

/// Arguments of `get_operation`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id that create_operation gave
    operation_id: OperationId,
    /// Whether to also show what the newest 8 finished commands printed; not where it is left out
    #[serde(default)]
    include_output: bool,
}

/// An operation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    operation_id: OperationId,
    name: String,
    /// `running`, `run_one_link`, `paused`, `out_of_time`, `finished` or `cleanup`
    state: String,
    /// Empty where it is on every agent of Caldera
    group: String,
    adversary_id: String,
    adversary: String,
    planner: String,
    /// When it was created
    #[serde(skip_serializing_if = "Option::is_none")]
    started: Option<String>,
    /// How many links succeeded
    succeeded: usize,
    /// How many links failed or timed out
    failed: usize,
    /// How many links have no result yet
    waiting: usize,
    /// The newest 50, the oldest of these first
    links: Vec<Shown>,
    /// Older links that are not listed
    more: usize,
}

/// One operation, as Caldera sends it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Operation {
    pub(crate) id: Verbatim<64>,
    pub(crate) name: Text<120>,
    pub(crate) state: Verbatim<20>,
    pub(crate) group: Verbatim<128>,
    pub(crate) adversary: Object<Adversary>,
    pub(crate) planner: Object<Named>,
    pub(crate) source: Object<Named>,
    pub(crate) auto_close: Flag,
    /// Only where it was not excluded.
    pub(crate) host_group: Few<Object<Agent>, READ>,
    start: Text<30>,
    chain: Few<Object<Link>, READ>,
}

/// A planner or a source of facts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub(crate) id: Verbatim<64>,
    pub(crate) name: Text<60>,
}

/// One operation, without the agents it is on: each of those would bring everything it ever ran.
pub(crate) fn get(cx: &Context, id: &OperationId) -> Result<Operation, Failure> {
    let Object(operation): Object<Operation> = api::get(cx, path!("/api/v2/operations/{}", id), Some("host_group"), "operation")?;
    if operation.id.as_str() != id.as_str() {
        return Err(Failure::upstream("Caldera answered with another operation than the one that was asked for"));
    }
    Ok(operation)
}

impl Operation {
    /// Whether Caldera lets nothing more happen to it.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "finished" | "out_of_time" | "cleanup")
    }
}

pub(crate) fn report(Arguments { operation_id, include_output }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let operation = get(cx, &operation_id)?;
    let mut links: Vec<Link> = operation.chain.0.into_iter().map(|link| link.0).collect();
    let count = |wanted: &[Outcome]| links.iter().filter(|link| wanted.contains(&link.outcome())).count();
    let (succeeded, failed) = (count(&[Outcome::Succeeded]), count(&[Outcome::Failed, Outcome::TimedOut]));
    let waiting = count(&[Outcome::Waiting, Outcome::Paused]);
    let more = links.len().saturating_sub(LINKS);
    links.drain(..more);

    let mut left = if include_output { OUTPUTS } else { 0 };
    let mut shown = Vec::with_capacity(links.len());
    for link in links.into_iter().rev() {
        let output = if left > 0 && link.has_output() {
            left -= 1;
            link::output(cx, &operation_id, link.id.as_str())?
        } else {
            None
        };
        shown.push(link.shown(output));
    }
    shown.reverse();

    let Object(adversary) = operation.adversary;
    Ok(Report {
        operation_id,
        name: operation.name.0.unwrap_or_default(),
        state: clip(operation.state.as_str(), 20),
        group: clip(operation.group.as_str(), 64),
        adversary_id: clip(adversary.adversary_id.as_str(), 64),
        adversary: adversary.name.0.unwrap_or_default(),
        planner: operation.planner.0.name.0.unwrap_or_default(),
        started: operation.start.0,
        succeeded,
        failed,
        waiting,
        links: shown,
        more,
    })
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { operation_id, name, state, group, adversary, succeeded, failed, waiting, .. } = self;
        let group = if group.is_empty() { "every agent" } else { group };
        let mut text = format!(
            "{name} ({operation_id}) is {state}: {adversary} on {group}\n{succeeded} succeeded, {failed} failed, {waiting} waiting"
        );
        for Shown { paw, ability, outcome, output, .. } in &self.links {
            let _ = write!(text, "\n{paw}: {ability}: {}", outcome.words());
            if let Some(output) = output {
                let _ = write!(text, ": {}", clip(&output.stdout, 200));
            }
        }
        if self.more > 0 {
            let _ = write!(text, "\n{} older links are not listed", self.more);
        }
        text
    }
}
