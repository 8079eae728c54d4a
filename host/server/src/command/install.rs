//! `casemate install`: review, consent, compile, pin.

use casemate_policy::{ServedName, default_enabled};
use casemate_registry::{Authority, Version};
use casemate_signing::manifest::{Manifest, PluginId, SecretName, Tool, ToolName};
use serde_json::Value;

use super::{Context, print, verify::provenance};
use crate::{
    config::Config,
    exit::{Exit, Failure, Outcome},
    installing::{
        Installing, Names, Reason,
        acquire::{self, Source},
        consent::Consent,
    },
    registries, sheet,
};

/// Install a signed plugin: shows everything it can ever do, asks, compiles it and pins it in casemate.lock.
///
/// Installing grants nothing. Its tools can be called only by a grant in the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A component with its signature beside it, a folder that holds one, or oci://HOST/REPOSITORY with :TAG or @sha256:DIGEST; with
    /// --registry, PUBLISHER/NAME@VERSION.
    #[arg(required_unless_present = "locked")]
    source: Option<Source>,
    /// Look the plugin up at this host, which says where it keeps it (/.well-known/wasm-pkg/registry.json).
    #[arg(long, value_name = "HOST", conflicts_with = "locked")]
    registry: Option<Authority>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    names: Names,
    /// Install only exactly what casemate.lock names, and change no line of it; without SOURCE, everything it names.
    #[arg(long)]
    locked: bool,
}

/// A plugin that was installed: what the log was told of it, and what it is.
struct Done {
    facts: Value,
    manifest: Manifest,
}

/// Install them, one after the other; each whole or not at all.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let mut installing = Installing::begin(context)?;
    // Where each is, and which it has to be.
    let wanted: Vec<(Source, Option<PluginId>)> = match &args.source {
        Some(source) => match &args.registry {
            Some(host) => vec![(found(host, &source.to_string(), context, &installing.config)?, None)],
            None => vec![(source.clone(), None)],
        },
        None => installing.lock.plugins().iter().map(|(id, locked)| (Source::from(locked), Some(id.clone()))).collect(),
    };
    let mut done = Vec::new();
    let mut failed = None;
    for (source, id) in &wanted {
        match one(args, context, &mut installing, source, id.as_ref()) {
            Ok(one) => done.push(one),
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    if let Some(failure) = failed.take_if(|_| done.is_empty()) {
        return Err(failure);
    }
    // What was done is said, whatever stopped the rest.
    let text = || done.iter().map(|one| installed(&one.manifest, &installing.config)).collect::<Vec<_>>().join("\n");
    let json = || match done.as_slice() {
        [one] => one.facts.clone(),
        all => all.iter().map(|one| one.facts.clone()).collect::<Value>(),
    };
    print::result(context.format, text, json);
    failed.map_or(Ok(Exit::Done), Err)
}

fn one(
    args: &Args,
    context: &Context,
    installing: &mut Installing<'_>,
    source: &Source,
    wanted: Option<&PluginId>,
) -> Result<Done, Failure> {
    // Its code stays the first word.
    let missing = |failure: Failure| match wanted {
        Some(id) => {
            let (what, rest) = failure.message.split_once('\n').unwrap_or((&failure.message, ""));
            let message = format!("{what} (casemate.lock names `{id}` there)\n{rest}").trim_end().to_owned();
            Failure { message, ..failure }
        }
        None => failure,
    };
    let candidate =
        acquire::from(source, context, &installing.config).and_then(|acquired| installing.verify(acquired)).map_err(missing)?;
    let manifest = candidate.package.manifest().clone();
    let id = candidate.package.id();
    if let Some(wanted) = wanted.filter(|wanted| *wanted != id) {
        return Err(Failure::denied(format!(
            "lock-differs: casemate.lock names `{wanted}` at `{source}`, and what is there is `{id}`\nhelp: casemate install SOURCE --locked takes `{wanted}` from where it is now"
        )));
    }
    if args.locked {
        installing.as_locked(&candidate.package)?;
    }
    let replaced = installing.replaced(&manifest, &args.names)?;
    if let Some(other) = replaced.first() {
        print::note(format_args!("`{id}` takes the place of `{other}` and inherits {}", installing.inherited(&manifest)));
    }
    let agreed = args.consent.ask(&candidate.package, "Install", || sheet::page(&manifest, &provenance(&candidate.package)))?;
    let names = args.names.clone();
    let reason = if args.locked { Reason::Locked(names) } else { Reason::Install(names) };
    Ok(Done { facts: installing.put(candidate, agreed, &reason)?, manifest })
}

/// Where a host keeps `PUBLISHER/NAME@VERSION`.
fn found(host: &Authority, wanted: &str, context: &Context, config: &Config) -> Result<Source, Failure> {
    let asked = wanted.split_once('@').and_then(|(id, version)| {
        Some((id.parse::<PluginId>().ok()?, version.parse::<semver::Version>().ok()?.to_string().replace('+', "_").parse().ok()?))
    });
    let Some((id, tag)) = asked else {
        return Err(Failure::invalid(format!("`{wanted}` is not PUBLISHER/NAME@VERSION\nhelp: such as acme/dns-lookup@0.1.0")));
    };
    Ok(Source::Registry(registries::find(host, &id, context, config)?.at(Version::Tag(tag))))
}

/// What was installed, and what the configuration that is there already makes of it.
fn installed(manifest: &Manifest, config: &Config) -> String {
    let section = config.plugins.get(&manifest.plugin.name);
    let is_off = |name: &ToolName, tool: &Tool| {
        let switches = section.and_then(|section| section.tools.get(name)).and_then(|tool| tool.value.enabled);
        !switches.unwrap_or_else(|| default_enabled(tool.effect))
    };
    let granted = |name: &ServedName| config.grants.iter().any(|grant| grant.value.tools.iter().any(|tool| tool.matches(name)));
    let (mut now, mut off) = (Vec::new(), Vec::new());
    for (name, tool) in &manifest.tool {
        let Ok(served) = ServedName::of(&manifest.plugin.name, name) else { continue };
        if granted(&served) {
            now.push(served.to_string());
        }
        if is_off(name, tool) {
            off.push(served.to_string());
        }
    }
    let count = print::counted(manifest.tool.len(), "tool");
    let mut text = format!("installed {} {}: {count}, ", manifest.id(), manifest.plugin.version);
    match now.as_slice() {
        [] => text.push_str("none of them granted yet"),
        now => text.push_str(&format!("of which grants in the configuration cover: {}", now.join(", "))),
    }
    if !off.is_empty() {
        text.push_str(&format!("\noff until enabled in the configuration: {}", off.join(", ")));
    }
    let name = &manifest.plugin.name;
    let given = |secret: &SecretName| section.is_some_and(|section| section.secret_sources().any(|(_, name, _)| name == secret));
    let needed: Vec<String> = manifest
        .secrets
        .iter()
        .filter(|(name, secret)| !secret.optional && !given(name))
        .map(|(name, _)| name)
        .map(|secret| format!("secret.{secret}"))
        .collect();
    if !needed.is_empty() {
        text.push_str(&format!("\nnot served before [plugins.{name}] in the configuration has: {}", needed.join(", ")));
    }
    text
}
