//! What is wrong with the operator's rules as such: what would be parsed and not enforced is an error.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{PolicyError, PreparedTool, covered};
use crate::{
    Grant, Measure, ServedName, ToolRule,
    flow::{self, FlowRule},
};

/// Verdicts go by a rule's name.
pub(super) fn check_flows(flows: &[FlowRule], errors: &mut Vec<PolicyError>) {
    let mut names = BTreeSet::new();
    for rule in flows.iter().filter(|rule| !names.insert(&rule.name)) {
        let fault =
            "is there twice\nhelp: a rule of the same name as a built-in one needs that one in `without_flows`".to_owned();
        errors.push(PolicyError::Flow { flow: rule.name.clone(), fault });
    }
}

/// A rule that names what is not there is a misspelt rule, and would protect nothing.
pub(super) fn misspelt(flows: &[FlowRule], tools: &[&ToolRule], errors: &mut Vec<PolicyError>) {
    let built_in: BTreeSet<String> = flow::defaults().iter().map(|rule| rule.when.label().to_string()).collect();
    for rule in flows {
        let mut fault = |fault: String| errors.push(PolicyError::Flow { flow: rule.name.clone(), fault });
        let label = rule.when.label();
        let produced = tools.iter().any(|tool| tool.manifest_tool.labels.produces.contains(label));
        if !produced && !built_in.contains(label.as_str()) {
            fault(format!(
                "is about the label `{label}`, and no installed tool's results carry it\nhelp: `casemate inspect` shows a tool's labels"
            ));
        }
        for pattern in &rule.forbids.tools {
            if !tools.iter().any(|tool| pattern.matches(&tool.served)) {
                fault(format!(
                    "names `{pattern}`, and no installed tool is called that\nhelp: `casemate list` shows the installed tools"
                ));
            }
        }
    }
}

/// What is wrong with a grant as such.
pub(super) fn check_grant(
    grant: &Grant,
    tools: &BTreeMap<ServedName, Arc<PreparedTool>>,
    reads: bool,
    errors: &mut Vec<PolicyError>,
) {
    let name = || grant.name.clone();
    if grant.principals.is_empty() {
        errors.push(PolicyError::Empty { grant: name(), what: "principals" });
    }
    // One that is there for log sources needs no tool.
    if grant.tools.is_empty() && !reads {
        errors.push(PolicyError::Empty { grant: name(), what: "tools" });
    }
    for pattern in &grant.tools {
        if !tools.keys().any(|tool| pattern.matches(tool)) {
            errors.push(PolicyError::NoSuchTool { grant: name(), pattern: pattern.to_string() });
        }
    }
    let covered: Vec<&ToolRule> = covered(grant, tools).map(|tool| &tool.rule).collect();
    for dimension in grant.scope.keys() {
        if !covered.iter().any(|rule| rule.dimensions.contains_key(dimension)) {
            errors.push(PolicyError::NoSuchDimension { grant: name(), dimension: dimension.clone() });
        }
    }
    let mut keys: Vec<String> = Vec::new();
    for budget in &grant.budgets {
        let tools: Vec<&str> = budget.tools.iter().map(crate::ToolPattern::as_str).collect();
        let shown = format!("{} per {}", if tools.is_empty() { "*".to_owned() } else { tools.join(", ") }, budget.per);
        let mut fault = |fault: String| errors.push(PolicyError::Budget { grant: name(), budget: shown.clone(), fault });
        let counted: Vec<_> = covered.iter().filter(|rule| budget.counts(&rule.served, rule.manifest_tool.effect)).collect();
        if counted.is_empty() && !(reads && budget.tools.is_empty()) {
            fault("counts none of the grant's tools".to_owned());
        }
        if let Measure::Distinct(dimension, _) = &budget.measure {
            for rule in counted.iter().filter(|rule| !rule.manifest_tool.scope.contains_key(dimension)) {
                fault(format!(
                    "counts values of `{dimension}`, and `{}` does not name one in its arguments\nhelp: leave that tool out with `tools = […]`",
                    rule.served
                ));
            }
        }
        let what = std::mem::discriminant(&budget.measure);
        let dimension = if let Measure::Distinct(dimension, _) = &budget.measure { Some(dimension) } else { None };
        let selector = format!("{tools:?} {:?} {:?} {what:?} {dimension:?}", budget.effect, budget.per);
        if keys.contains(&selector) {
            fault("is there twice".to_owned());
        }
        keys.push(selector);
    }
}
