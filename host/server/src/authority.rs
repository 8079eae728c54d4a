//! Effective authority: what calling each tool comes to, under each grant, in the words of the configuration.

use casemate_policy::{ApprovalMode, Budget, Grant, Mode, Policy, ToolRule};
use casemate_signing::{Environment, manifest::Effect};

/// The tools that a grant is about.
pub(crate) fn covered<'a>(policy: &'a Policy, grant: &'a Grant) -> impl Iterator<Item = &'a ToolRule> {
    policy.tools().filter(|tool| policy.covers(&grant.name, &tool.served))
}

/// What calling the tool comes to.
pub(crate) fn verdict(environment: Environment, grant: &Grant, tool: &ToolRule) -> String {
    let effect = tool.manifest_tool.effect;
    if !tool.enabled {
        return "off (enabled = false)".to_owned();
    }
    if effect > grant.max_effect {
        return format!("denied: max_effect is {}", grant.max_effect);
    }
    if !tool.roles.is_empty() && tool.roles.is_disjoint(&grant.roles) {
        let roles: Vec<&str> = tool.roles.iter().map(|role| role.as_str()).collect();
        return format!("denied: for the roles {}", roles.join(", "));
    }
    let missing: Vec<&str> = tool
        .manifest_tool
        .scope
        .keys()
        .filter(|dimension| grant.scope.get(*dimension).is_none_or(Vec::is_empty))
        .map(|dimension| dimension.as_str())
        .collect();
    if !missing.is_empty() {
        return format!("denied: no target granted for {}", missing.join(", "));
    }
    if tool.mode() == Mode::DryRun {
        return "dry run: plans, sends nothing above read".to_owned();
    }
    match tool.approval.mode {
        ApprovalMode::None | ApprovalMode::InBand if effect == Effect::Destructive && environment == Environment::Prod => {
            "denied: destructive in prod, and no approver would be asked".to_owned()
        }
        ApprovalMode::None => "yes".to_owned(),
        ApprovalMode::InBand => "yes, once the person at the client agrees".to_owned(),
        ApprovalMode::Operator if tool.approval.quorum > 1 => format!("yes, once {} approvers agree", tool.approval.quorum),
        ApprovalMode::Operator => "yes, once an approver agrees".to_owned(),
    }
}

/// What a budget counts: `5 calls in 1h of eye_*`.
pub(crate) fn budget(budget: &Budget) -> String {
    let tools: Vec<&str> = budget.tools.iter().map(|pattern| pattern.as_str()).collect();
    let of = match (tools.is_empty(), budget.effect) {
        (true, None) => "all of its tools".to_owned(),
        (true, Some(effect)) => format!("tools that {effect} or worse"),
        (false, None) => tools.join(", "),
        (false, Some(effect)) => format!("{} that {effect} or worse", tools.join(", ")),
    };
    format!("{} in {} of {of}", budget.measure, budget.per)
}
