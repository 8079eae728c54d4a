//! Letting an operation run, pause or end.

use casemate_plugin::{Context, Failure, Readable, clip, path, tolerant::Object};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Change},
    field::{AdversaryId, Group, OperationId},
    operations::{self, Operation},
};

const CHANGE: Change = Change::new("state", "the operation may have changed its state; look with get_operation");

/// Arguments of `set_operation_state`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The id that create_operation gave
    operation_id: OperationId,
    /// running runs it; run_one_link takes one step and pauses; paused stops after what is running; finished ends it for good
    state: State,
}

/// A state that an operation can be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum State {
    Running,
    RunOneLink,
    Paused,
    Finished,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::RunOneLink => "run_one_link",
            Self::Paused => "paused",
            Self::Finished => "finished",
        }
    }
}

/// What Caldera is asked for.
#[derive(Debug, Serialize)]
struct Body {
    state: State,
}

/// The operation as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    operation_id: OperationId,
    name: String,
    /// What it was
    before: String,
    /// What it is
    state: State,
    group: Group,
    adversary_id: AdversaryId,
}

pub(crate) fn set(Arguments { operation_id, state }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let operation = operations::get(cx, &operation_id)?;
    if operation.is_over() {
        let was = clip(operation.state.as_str(), 20);
        return Err(Failure::invalid_arguments(format!("the operation is `{was}`, which cannot be changed any more")));
    }
    // The host holds both against the grant, too; here is said what is the matter with them.
    let Ok(group) = operation.group.as_str().parse::<Group>() else {
        return Err(Failure::invalid_arguments(
            "the operation is on every agent that Caldera has, or on a group that no grant can name; only a person in Caldera can set it",
        ));
    };
    let adversary = operation.adversary.0.adversary_id.as_str();
    let Ok(adversary_id) = adversary.parse::<AdversaryId>() else {
        return Err(Failure::invalid_arguments("the operation's adversary is one that no grant can name"));
    };
    let path = path!("/api/v2/operations/{}", operation_id);
    let request = api::caldera(cx).patch(path).json(&Body { state });
    let Object(changed): Object<Operation> = CHANGE.send(request)?;
    if changed.id.as_str() != operation_id.as_str() || changed.state.as_str() != state.as_str() {
        return Err(Failure::upstream(format!(
            "the operation was to be `{}`, and Caldera answered that it is `{}`; look with get_operation",
            state.as_str(),
            clip(changed.state.as_str(), 20),
        )));
    }
    Ok(Report {
        operation_id,
        name: operation.name.0.unwrap_or_default(),
        before: clip(operation.state.as_str(), 20),
        state,
        group,
        adversary_id,
    })
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { operation_id, name, before, state, group, adversary_id } = self;
        format!("{name} ({operation_id}) was {before} and is {}: {adversary_id} on group {group}", state.as_str())
    }
}
