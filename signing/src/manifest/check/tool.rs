//! Tools: what is said about them, and that it covers what they can do.

use std::collections::BTreeSet;

use super::{
    Contracts, DimensionName, Findings, MAX_DESCRIPTION, MAX_SERVED_NAME, MAX_TITLE, Manifest, RequestContract, Requirement,
    Rule, schema, text,
};
use crate::manifest::{Binding, Place, Tool, pointer::Pointer};

pub(super) fn check(manifest: &Manifest, contracts: &Contracts<'_>, findings: &mut Findings) {
    for (name, tool) in &manifest.tool {
        let at = format!("tool.{name}");
        let served = manifest.served_name(name);
        if served.len() > MAX_SERVED_NAME {
            findings.add(&at, Rule::ServedName(served));
        }
        findings.line(format!("{at}.title"), &tool.title, MAX_TITLE);
        if let Err(error) = text::prose(&tool.description, MAX_DESCRIPTION) {
            findings.add(format!("{at}.description"), error);
        }
        requests(tool, contracts, &at, findings);
        scope(manifest, tool, &at, findings);
        for error in schema::input(&tool.input_schema).err().unwrap_or_default() {
            findings.add(&at, Rule::InputSchema(error));
        }
        if let Some(output) = &tool.output_schema {
            for error in schema::output(output).err().unwrap_or_default() {
                findings.add(&at, Rule::OutputSchema(error));
            }
        }
    }
}

/// A tool says no less than its requests do.
fn requests(tool: &Tool, contracts: &Contracts<'_>, at: &str, findings: &mut Findings) {
    for name in &tool.requests {
        let Some(contract) = contracts.get(name).map(|placed| placed.contract) else {
            findings.add(format!("{at}.requests"), Rule::UnknownContract(name.clone()));
            continue;
        };
        if let Some(request) = contract.effect().filter(|effect| *effect > tool.effect) {
            let rule = Rule::EffectBelowRequest { tool: tool.effect, contract: name.clone(), request };
            findings.add(format!("{at}.effect"), rule);
        }
        for read in contract.established().map(|established| &established.from).collect::<BTreeSet<_>>() {
            // One that does not exist is the contract's fault, and told there.
            if contracts.contains_key(read) && !tool.requests.contains(read) {
                let rule = Rule::FromNotUsable { contract: name.clone(), read: read.clone() };
                findings.add(format!("{at}.requests"), rule);
            }
        }
        for dimension in contract.dimensions().collect::<BTreeSet<_>>() {
            if !tool.scope.contains_key(dimension) && !is_settled(contract, dimension) {
                let rule = Rule::DimensionNotBound { contract: name.clone(), dimension: dimension.clone() };
                findings.add(format!("{at}.scope"), rule);
            }
        }
    }
}

/// Whether no argument chooses the target: the contract allows one value only at its place, or a read establishes it.
fn is_settled(contract: &RequestContract, dimension: &DimensionName) -> bool {
    let binding = contract.scope.bound().find(|(bound, _)| *bound == dimension).map(|(_, binding)| binding);
    let requirement = match binding {
        Some(Binding::Place(Place::Body(name) | Place::Form(name))) => contract.require.body.get(name),
        Some(Binding::Place(Place::Query(name))) => contract.require.query.get(name),
        Some(Binding::Place(Place::Path(_) | Place::Header(_)) | Binding::Established(_)) | None => None,
    };
    let established = matches!(binding, Some(Binding::Established(_)));
    let required_elsewhere = contract.required_dimensions().any(|required| required == dimension);
    (established || matches!(requirement, Some(Requirement::Exactly(_)))) && !required_elsewhere
}

fn scope(manifest: &Manifest, tool: &Tool, at: &str, findings: &mut Findings) {
    for (dimension, place) in &tool.scope {
        let at = format!("{at}.scope.{dimension}");
        if !manifest.scope.contains_key(dimension) {
            findings.add(&at, Rule::UnknownDimension(dimension.clone()));
        }
        match Pointer::parse(&place.argument) {
            Err(error) => findings.add(at, error),
            Ok(pointer) if !schema::has_place(&tool.input_schema, &pointer) => {
                findings.add(at, Rule::UnknownArgument(pointer.to_string()));
            }
            Ok(_) => {}
        }
    }
}
