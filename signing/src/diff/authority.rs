//! Everything of a manifest but its contracts and tools. Every field is named, so that a new one has to be compared.

use std::collections::BTreeMap;

use super::{Verdict, contract, found::Found, settings, tool};
use crate::manifest::{
    Dimension, Identity, Limits, Manifest, Origin, Prompt, PromptName, RequestContract, SecretDeclaration, SourceDeclaration,
    Upstream,
};

pub(super) fn compare(before: &Manifest, after: &Manifest, found: &mut Found) {
    // The component is other bytes in every release, and each is signed; what it may do is in the rest.
    let Manifest {
        plugin,
        wit,
        component: _,
        imports,
        limits,
        secrets,
        settings,
        sources,
        scope,
        upstream,
        tool,
        prompt,
        sbom: _,
        build: _,
    } = after;
    identity(&before.plugin, plugin, found);
    found.equal("wit", &before.wit, wit);
    found.allowed("imports", &before.imports, imports);
    bounds(&before.limits, limits, found);
    for (at, before, SecretDeclaration { description, optional }) in found.entries("secrets", &before.secrets, secrets) {
        found.equal(format!("{at}.description"), &before.description, description);
        found.equal(format!("{at}.optional"), &before.optional, optional);
    }
    settings::compare(before.settings.as_ref(), settings.as_ref(), found);
    for (at, before, SourceDeclaration { description, many }) in found.entries("sources", &before.sources, sources) {
        found.equal(format!("{at}.description"), &before.description, description);
        found.equal(format!("{at}.many"), &before.many, many);
    }
    for (name, gone) in before.scope.iter().filter(|(name, _)| !scope.contains_key(*name)) {
        // A dimension limits; without it, fewer things are asked of a target.
        found.change(format!("scope.{name}"), Some(gone), None::<&Dimension>, Verdict::Widened);
    }
    for (name, Dimension { kind, description }) in scope {
        let at = format!("scope.{name}");
        match before.scope.get(name) {
            None => found.change(at, None::<&Dimension>, scope.get(name), Verdict::Widened),
            Some(before) => {
                found.equal(format!("{at}.kind"), &before.kind, kind);
                found.equal(format!("{at}.description"), &before.description, description);
            }
        }
    }
    for (at, before, after) in found.entries("upstream", &before.upstream, upstream) {
        upstream_of(&at, before, after, found);
    }
    tool::compare(&before.tool, tool, found);
    prompts(&before.prompt, prompt, found);
}

/// What a prompt says is said to a model: any other word needs a person, as a tool's description does.
fn prompts(before: &BTreeMap<PromptName, Prompt>, after: &BTreeMap<PromptName, Prompt>, found: &mut Found) {
    for (at, before, Prompt { title, description, argument, attach, text }) in found.entries("prompt", before, after) {
        found.equal(format!("{at}.title"), &before.title, title);
        found.equal(format!("{at}.description"), &before.description, description);
        found.equal(format!("{at}.argument"), &before.argument, argument);
        found.equal(format!("{at}.attach"), &before.attach, attach);
        found.equal(format!("{at}.text"), &before.text, text);
    }
}

fn identity(before: &Identity, after: &Identity, found: &mut Found) {
    // Version and release say which package it is, and rise with each.
    let Identity { name, publisher, version: _, release: _, description, license, source, icon } = after;
    found.equal("plugin.name", &before.name, name);
    found.equal("plugin.publisher", &before.publisher, publisher);
    found.words(None, "description", Some(&before.description), Some(description));
    found.words(None, "license", Some(&before.license), Some(license));
    found.words(None, "source", Some(&before.source), Some(source));
    found.words(None, "icon", before.icon.as_ref(), icon.as_ref());
}

fn bounds(before: &Limits, after: &Limits, found: &mut Found) {
    let Limits { memory_mib, deadline_ms, fuel_millions, output_kib, requests, request_kib, response_kib } = after;
    for (name, before, after) in [
        ("memory_mib", before.memory_mib, memory_mib),
        ("deadline_ms", before.deadline_ms, deadline_ms),
        ("fuel_millions", before.fuel_millions, fuel_millions),
        ("output_kib", before.output_kib, output_kib),
        ("requests", before.requests, requests),
        ("request_kib", before.request_kib, request_kib),
        ("response_kib", before.response_kib, response_kib),
    ] {
        if before != *after {
            // What is not stated is the host's default, which is not known here.
            let narrower = matches!((before, after), (Some(before), Some(after)) if *after < before);
            let verdict = if narrower { Verdict::Narrowed } else { Verdict::Widened };
            found.change(format!("limits.{name}"), before.as_ref(), after.as_ref(), verdict);
        }
    }
}

fn upstream_of(at: &str, before: &Upstream, after: &Upstream, found: &mut Found) {
    let Upstream { protocol, origin, default_origin, credential, request } = after;
    found.equal(format!("{at}.protocol"), &before.protocol, protocol);
    found.equal(format!("{at}.origin"), &before.origin, origin);
    match (&before.default_origin, default_origin) {
        // Without a default, the operator has to choose.
        (Some(_), None) if *origin == Origin::Operator => {
            found.change(format!("{at}.default_origin"), before.default_origin.as_ref(), None::<&String>, Verdict::Narrowed);
        }
        (old, new) => found.equal_option(format!("{at}.default_origin"), old.as_ref(), new.as_ref()),
    }
    found.equal_option(format!("{at}.credential"), before.credential.as_ref(), credential.as_ref());
    let named = |contracts: &[RequestContract]| contracts.iter().map(|one| (one.name.clone(), one.clone())).collect();
    let (old, new) = (named(&before.request), named(request));
    for (at, before, after) in found.entries(&format!("{at}.request"), &old, &new) {
        contract::compare(&at, before, after, found);
    }
}
