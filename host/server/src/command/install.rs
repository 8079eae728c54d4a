//! `casemate install`: review, consent, compile, pin.

use casemate_policy::ServedName;
use casemate_registry::{Authority, Version};
use casemate_signing::{
    lock::Locked,
    manifest::{Effect, Manifest, PluginId},
};
use serde_json::Value;

use super::{Context, print, verify::provenance};
use crate::{
    config::Config,
    exit::{Exit, Failure, Outcome},
    installing::{
        Candidate, Installing, Reason,
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
    /// Install although the name is nearly that of an installed plugin.
    #[arg(long)]
    allow_similar: bool,
    /// Install only exactly what casemate.lock names, and change no line of it; without SOURCE, everything it names.
    #[arg(long)]
    locked: bool,
}

/// Install it, or leave everything as it was.
pub fn run(args: &Args, context: &Context) -> Outcome {
    let mut installing = Installing::begin(context)?;
    let sources = match &args.source {
        Some(source) => match &args.registry {
            Some(host) => vec![found(host, &source.to_string(), context, &installing.config)?],
            None => vec![source.clone()],
        },
        None => installing
            .lock
            .plugins()
            .values()
            .map(|locked| locked.source.parse().map_err(Failure::invalid))
            .collect::<Result<_, _>>()?,
    };
    let mut done = Vec::new();
    for source in sources {
        let candidate = installing.verify(acquire::from(&source, context, &installing.config)?)?;
        let manifest = candidate.package.manifest().clone();
        let id = candidate.package.id().clone();
        if args.locked {
            as_locked(&candidate, installing.lock.plugin(&id))?;
        }
        installing.refuse_similar(&id, args.allow_similar)?;
        let agreed =
            args.consent.ask(&candidate.package, "Install", || sheet::page(&manifest, &provenance(&candidate.package)))?;
        done.push((installing.put(candidate, agreed, &Reason::Install)?, id, manifest));
    }
    let text = || done.iter().map(|(_, id, manifest)| installed(id, manifest, &installing.config)).collect::<Vec<_>>().join("\n");
    let json = || match done.as_slice() {
        [(facts, ..)] => facts.clone(),
        all => all.iter().map(|(facts, ..)| facts.clone()).collect::<Value>(),
    };
    print::result(context.format, text, json);
    Ok(Exit::Done)
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

/// Whether a package is the one that the lock file names.
fn as_locked(candidate: &Candidate, locked: Option<&Locked>) -> Result<(), Failure> {
    let id = candidate.package.id();
    let Some(locked) = locked else {
        return Err(Failure::denied(format!(
            "not-locked: casemate.lock does not name `{id}`\nhelp: install it without --locked, and review the change of the lock file"
        )));
    };
    match candidate.package.differs_from(locked) {
        Some(field) => Err(Failure::denied(format!(
            "lock-differs: casemate.lock names another package of `{id}`: its {field} differs\nhelp: casemate update, without --locked, and review the change of the lock file"
        ))),
        None => Ok(()),
    }
}

/// What was installed, and what the configuration that is there already makes of it.
fn installed(id: &PluginId, manifest: &Manifest, config: &Config) -> String {
    let tools = manifest.tool.iter().filter_map(|(name, tool)| Some((ServedName::of(&manifest.plugin.name, name).ok()?, tool)));
    let granted = |name: &ServedName| config.grants.iter().any(|grant| grant.value.tools.iter().any(|tool| tool.matches(name)));
    let (mut now, mut off) = (Vec::new(), Vec::new());
    for (served, tool) in tools {
        if granted(&served) {
            now.push(served.to_string());
        }
        if tool.effect > Effect::Read {
            off.push(served.to_string());
        }
    }
    let count = print::counted(manifest.tool.len(), "tool");
    let mut text = format!("installed {id} {}: {count}, ", manifest.plugin.version);
    match now.as_slice() {
        [] => text.push_str("none of them granted yet"),
        now => text.push_str(&format!("of which grants in the configuration cover: {}", now.join(", "))),
    }
    if !off.is_empty() {
        text.push_str(&format!("\noff until enabled in the configuration: {}", off.join(", ")));
    }
    text
}
