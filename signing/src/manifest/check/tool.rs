//! Tools: what is said about them, and that it covers what they can do.

use super::{
    Contracts, DimensionName, Findings, MAX_DESCRIPTION, MAX_SERVED_NAME, MAX_TITLE, Manifest, RequestContract, Requirement,
    Rule, schema, text,
};
use crate::manifest::{Place, Tool, pointer::Pointer};

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
        for dimension in super::dimensions(contract).collect::<std::collections::BTreeSet<_>>() {
            if !tool.scope.contains_key(dimension) && !is_fixed(contract, dimension) {
                let rule = Rule::DimensionNotBound { contract: name.clone(), dimension: dimension.clone() };
                findings.add(format!("{at}.scope"), rule);
            }
        }
    }
}

/// Whether the contract allows one value only at the place where the dimension is bound.
fn is_fixed(contract: &RequestContract, dimension: &DimensionName) -> bool {
    let place = contract.scope.bound().find(|(bound, _)| *bound == dimension).map(|(_, place)| place);
    let requirement = match place {
        Some(Place::Body(name) | Place::Form(name)) => contract.require.body.get(name),
        Some(Place::Query(name)) => contract.require.query.get(name),
        Some(Place::Path(_) | Place::Header(_)) | None => None,
    };
    let required_elsewhere = super::required_dimensions(contract).any(|required| required == dimension);
    matches!(requirement, Some(Requirement::Exactly(_))) && !required_elsewhere
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
