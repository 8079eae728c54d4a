//! Values that an argument could become: signed ones, and those that the principal's own grants name.

use std::collections::BTreeSet;

use casemate_policy::{Principal, grantable, visible, visible_sources};
use casemate_signing::manifest::{Manifest, Tool};
use serde_json::Value;

use super::{House, Serving, address, offers, own_audit};
use crate::{clock, mcp::Completing};

/// Numbers of lines worth offering.
const LINES: [&str; 4] = ["20", "100", "500", "2000"];

/// The values, in order.
pub(super) fn values(house: &House, serving: &Serving, principal: &Principal, what: &Completing) -> Vec<String> {
    match what {
        Completing::Prompt { name, argument } => of_prompt(serving, principal, name, argument),
        Completing::Template { uri, variable } => of_template(house, serving, principal, uri, variable),
    }
}

fn of_prompt(serving: &Serving, principal: &Principal, name: &str, argument: &str) -> Vec<String> {
    let Some((manifest, prompt)) = offers::named(serving, principal, name) else { return Vec::new() };
    match prompt.argument(argument) {
        None => Vec::new(),
        Some(declared) if !declared.values.is_empty() => declared.values.clone(),
        Some(_) => of_arguments(serving, principal, manifest, argument),
    }
}

/// What tools of the plugin take in an argument of that name, as far as this principal may call them: what their schemas enumerate, and
/// where it names a target, the values that its own grants allow.
fn of_arguments(serving: &Serving, principal: &Principal, manifest: &Manifest, argument: &str) -> Vec<String> {
    let now = clock::now();
    let tools = visible(serving.policy(), principal, now).into_iter().filter(|rule| rule.plugin == manifest.id());
    let mut values = BTreeSet::new();
    for rule in tools {
        let tool = &rule.manifest_tool;
        values.extend(enumerated(tool, argument));
        let pointer = format!("/{argument}");
        let bound = tool.scope.iter().filter(|(dimension, place)| place.argument == pointer || dimension.as_str() == argument);
        for (dimension, _) in bound {
            values.extend(grantable(serving.policy(), principal, &rule.served, dimension, now));
        }
    }
    values.into_iter().collect()
}

fn enumerated(tool: &Tool, argument: &str) -> Vec<String> {
    let property = tool.input_schema.get("properties").and_then(|properties| properties.get(argument));
    let values = property.and_then(|property| property.get("enum")).and_then(Value::as_array);
    values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn of_template(house: &House, serving: &Serving, principal: &Principal, uri: &str, variable: &str) -> Vec<String> {
    let sources = || {
        let sources = visible_sources(serving.policy(), principal, clock::now()).into_iter();
        let known = |name| serving.config().sources.get(name).is_some_and(|source| source.value.has_parts());
        sources.map(casemate_policy::SourceRule::name).filter(|name| known(name)).map(ToString::to_string).collect::<Vec<_>>()
    };
    match (uri, variable) {
        (address::PLUGIN, "name") => {
            let plugins = visible(serving.policy(), principal, clock::now()).into_iter().map(|rule| rule.plugin.name.to_string());
            plugins.collect::<BTreeSet<_>>().into_iter().collect()
        }
        (address::RANGE | address::TAIL, "source") => sources(),
        (address::TAIL, "lines") if !sources().is_empty() => LINES.map(str::to_owned).to_vec(),
        (own_audit::TEMPLATE, "audit_id") => {
            // It reads the log, so it counts like a call.
            house.ledger.count_call(principal.id(), serving.policy().guards().breaker.burst, clock::now());
            let state = house.folders.state(house.environment);
            let records = tokio::task::block_in_place(|| own_audit::read(&state, principal.id(), None)).unwrap_or_default();
            let mut seen = BTreeSet::new();
            let id = |record: &Value| {
                let id = record.get("intent").or_else(|| record.get("event_id"))?.as_str()?.to_owned();
                seen.insert(id.clone()).then_some(id)
            };
            records.iter().filter_map(id).collect()
        }
        _ => Vec::new(),
    }
}
