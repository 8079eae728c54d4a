//! MITRE Caldera: agents, abilities, adversaries, and operations that run them.
//!
//! The tools are glue; each module holds one of Caldera's objects, or one change. Caldera takes what it does not understand for
//! something else and says that all is well, so a change reads first, is one request, and believes nothing but the answer's content.

mod abilities;
mod adversaries;
mod agents;
mod api;
mod composition;
mod creation;
mod execution;
mod executor;
mod field;
mod link;
mod operations;
mod state;

use casemate_plugin::{Context, Failure, plugin, tool};

/// List the agents that Caldera knows, with their groups, platforms, hosts and privileges; of one group where a group is given.
#[tool(effect = read, idempotent, title = "Caldera agents")]
pub fn list_agents(args: agents::Arguments, cx: &Context) -> Result<agents::Report, Failure> {
    agents::list(args, cx)
}

/// List the abilities in Caldera's catalogue, 100 at a time, by technique, tactic and platform. The answer says how many more
/// there are; ask for them with offset.
#[tool(effect = read, idempotent, title = "Caldera abilities")]
pub fn list_abilities(args: abilities::list::Arguments, cx: &Context) -> Result<abilities::list::Report, Failure> {
    abilities::list::list(args, cx)
}

/// Show one ability: what it runs on each platform and how that is undone, and whether execute_ability can run it alone.
#[tool(effect = read, idempotent, title = "Caldera ability")]
pub fn get_ability(args: abilities::Arguments, cx: &Context) -> Result<abilities::Report, Failure> {
    abilities::report(args, cx)
}

/// List the adversaries that operations can run, each with its abilities in order.
#[tool(effect = read, idempotent, title = "Caldera adversaries")]
pub fn list_adversaries(args: adversaries::Arguments, cx: &Context) -> Result<adversaries::Report, Failure> {
    adversaries::list(args, cx)
}

/// Show an operation: its state, group and adversary, and its newest 50 links with what became of them. With include_output, also
/// what the newest 8 finished ones printed, cut to a few thousand characters.
#[tool(effect = read, idempotent, title = "Caldera operation")]
pub fn get_operation(args: operations::Arguments, cx: &Context) -> Result<operations::Report, Failure> {
    operations::report(args, cx)
}

/// Create an adversary, an ordered list of abilities that exist. It does nothing by itself, and an operator has to grant its id
/// before an operation can run it.
#[tool(effect = write, title = "Create a Caldera adversary")]
pub fn create_adversary(args: composition::Arguments, cx: &Context) -> Result<composition::Report, Failure> {
    composition::create(args, cx)
}

/// Create an operation of an adversary on a group of agents. It is created paused: nothing runs until set_operation_state sets it
/// to running. With keep_open it stays running when the adversary is done, so that execute_ability can go on.
#[tool(effect = destructive, title = "Create a Caldera operation")]
pub fn create_operation(args: creation::Arguments, cx: &Context) -> Result<creation::Report, Failure> {
    creation::create(args, cx)
}

/// Let an operation run, take one step, pause or finish. Running runs its adversary's abilities on every agent of its group, and
/// also everything that was asked of it while it was paused, even if that was reported as having no outcome.
#[tool(effect = destructive, title = "Set a Caldera operation's state")]
pub fn set_operation_state(args: state::Arguments, cx: &Context) -> Result<state::Report, Failure> {
    state::set(args, cx)
}

/// Run one ability on one agent, as a part of a running operation. The command is the ability's own for the agent's platform; there
/// is no way to give another. The agent fetches it with its next beacon; look at the result with get_operation.
#[tool(effect = destructive, title = "Execute a Caldera ability")]
pub fn execute_ability(args: execution::Arguments, cx: &Context) -> Result<execution::Report, Failure> {
    execution::execute(args, cx)
}

plugin!(
    list_agents,
    list_abilities,
    get_ability,
    list_adversaries,
    get_operation,
    create_adversary,
    create_operation,
    set_operation_state,
    execute_ability,
);
