//! What a read establishes: that the read exists, can be asked for, and says which answer is meant.

use std::collections::BTreeSet;

use super::{ContractName, Findings, Rule, identity::shorten, place};
use crate::manifest::{Effect, Established, Method, RequestContract, Requirement, Upstream, pointer::Pointer};

pub(super) fn check(upstream: &Upstream, at: &str, findings: &mut Findings) {
    let named: BTreeSet<&ContractName> =
        upstream.request.iter().flat_map(RequestContract::established).map(|established| &established.from).collect();
    for contract in &upstream.request {
        let at = format!("{at}.request.{}", contract.name);
        // A read whose own target is established by a read would be established by what the component chose to ask first.
        if contract.established().next().is_some() && named.contains(&contract.name) {
            findings.add(&at, Rule::FromChained(contract.name.clone()));
        }
        for (dimension, binding) in contract.scope.bound() {
            if let Some(established) = binding.established() {
                one(upstream, contract, established, &format!("{at}.scope.{dimension}"), findings);
            }
        }
        for (name, requirement) in contract.require.body.iter().chain(&contract.require.query) {
            if let Requirement::Established(established) = requirement {
                one(upstream, contract, established, &format!("{at}.require.{}", shorten(name)), findings);
            }
        }
    }
}

fn one(upstream: &Upstream, contract: &RequestContract, established: &Established, at: &str, findings: &mut Findings) {
    let Some(read) = upstream.request.iter().find(|read| read.name == established.from) else {
        findings.add(at, Rule::FromUnknown(established.from.clone()));
        return;
    };
    if read.method != Method::Get || read.effect() != Some(Effect::Read) || read.content_type.is_some() {
        findings.add(at, Rule::FromNotRead(read.name.clone()));
    }
    if read.parameters.is_empty() {
        findings.add(at, Rule::FromWithoutParameter(read.name.clone()));
    }
    for name in read.parameters.keys().filter(|name| !established.key.contains_key(*name)) {
        findings.add(at, Rule::KeyMissing { read: read.name.clone(), parameter: shorten(name) });
    }
    for (name, place) in &established.key {
        let at = format!("{at}.key.{}", shorten(name));
        if !read.parameters.contains_key(name) {
            findings.add(&at, Rule::KeyUnknown { read: read.name.clone(), parameter: shorten(name) });
        }
        if let Some(rule) = place::fault(contract, place) {
            findings.add(at, rule);
        }
    }
    if let Err(error) = Pointer::parse(&established.value) {
        findings.add(format!("{at}.value"), error);
    }
}
