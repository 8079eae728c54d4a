//! Egress: every request a running plugin makes, held against its contract, the grant, the run's ceiling, what the run has
//! read, and the plan that was agreed to.
//!
//! A run's [`Conduct`] asks the gate and keeps what must be known from one request to the next. The gate reads a request as strictly as it can be read, and what it read is what is sent: URL, form and JSON body
//! are written again from their parsed form, so that the gate and the upstream cannot read two things. Whatever has
//! a second reading is refused, not repaired. Credentials are added behind the gate.

mod addressee;
mod assumed;
mod body;
mod checked;
mod closed;
mod conduct;
mod contract;
mod difference;
mod established;
mod field;
mod gate;
mod header;
mod held;
mod origin;
mod path;
mod percent;
mod plan;
mod query;
mod refusal;
mod requires;
mod target;
mod template;
mod volatile;

pub use assumed::AssumedAnswer;
pub use checked::{Checked, path_segment};
pub use conduct::{Conduct, Verdict};
pub use contract::ContractFault;
pub use gate::{Gate, GateError, UpstreamBinding};
pub use held::{HeldPlan, HeldPlanError};
pub use origin::{Origin, OriginFault, Scheme};
pub use path::PathFault;
pub(crate) use path::PathText;
pub use percent::PercentFault;
pub use plan::{Plan, Planned};
pub use refusal::{Refusal, RefusalReason};

use std::collections::BTreeSet;

use casemate_signing::manifest::{ContractName, Effect, PluginId};

use serde_json::Value;

use crate::{Mode, Permit, ToolRule, scope::GrantedScope};

/// A request as a plugin made it. Nothing in it has been checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The method.
    pub method: String,
    /// The URL's scheme.
    pub scheme: String,
    /// The URL's authority: host and perhaps a port.
    pub authority: String,
    /// The URL's path and query.
    pub path_and_query: String,
    /// Names and values, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What one run may send: a permit's contracts, targets and worst effect, for the call it was given for.
#[derive(Debug, Clone, Copy)]
struct Authority<'a> {
    plugin: &'a PluginId,
    digest: &'a str,
    requests: &'a BTreeSet<ContractName>,
    scope: &'a GrantedScope,
    rule: &'a ToolRule,
    arguments: &'a Value,
    effect: Effect,
    mode: Mode,
}

impl<'a> Authority<'a> {
    /// The authority a permit gives. There is no other way to one.
    fn of(permit: &'a Permit) -> Self {
        Self {
            plugin: permit.plugin(),
            digest: permit.digest(),
            requests: permit.requests(),
            scope: permit.scope(),
            rule: permit.rule(),
            arguments: permit.arguments(),
            effect: permit.effect(),
            mode: permit.mode(),
        }
    }
}
