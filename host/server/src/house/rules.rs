//! The rules of an environment: configuration, lock file and manifests become a policy.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use casemate_policy::{
    Grant, GrantName, Guards, Policy, PolicyError, ServedName, SourceRule, ToolRule,
    cedar::{Known, Rules},
    default_approval, default_dry_run, default_enabled,
};
use casemate_sandbox::Reviewed;
use casemate_signing::{
    lock::LockFile,
    manifest::{Manifest, PluginName},
};

use super::{
    open::{Refused, Shelf, review},
    store,
};
use crate::{
    advisories::Advisories,
    command::Context,
    config::{Config, ConfigError, PluginConfig, nearest},
    exit::Failure,
};

/// What decides calls, and nothing of what runs them: nothing is compiled, no secret is read, and nothing is written down.
pub(crate) struct Rulebook {
    /// The configuration.
    pub(crate) config: Config,
    /// The prepared rules.
    pub(crate) policy: Policy,
    /// Installed plugins that would not be served, and why.
    pub(crate) refused: Vec<Refused>,
}

impl Rulebook {
    /// Read and verify all that a start would, short of loading it.
    ///
    /// # Errors
    /// When a start would fail too.
    pub(crate) fn read(context: &Context) -> Result<Self, Failure> {
        let config = Config::read(&context.folders.config)?;
        let advisories = Advisories::open(config.advisories.clone()).map_err(Failure::invalid)?;
        let keys = store::keys(&context.folders.state(config.environment))?;
        let shelf = Shelf::open(&context.folders, config.environment, &keys)?;
        let (mut reviewed, mut refused) = (Vec::new(), Vec::new());
        for (id, locked) in shelf.lock.plugins() {
            match shelf.loadable(id, locked).and_then(|package| review(package, &advisories)) {
                Ok((package, _)) => reviewed.push(package),
                Err(failure) => refused.push(Refused { plugin: id.clone(), reason: failure.message }),
            }
        }
        let manifests: Vec<&Manifest> = reviewed.iter().map(Reviewed::manifest).collect();
        let policy = rules(&config, &shelf.lock, &manifests, Names::Strict, None)?;
        Ok(Self { config, policy, refused })
    }
}

/// What becomes of names in the configuration that are of nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// They are faults: a configuration that is taken up fits what is installed.
    Strict,
    /// They stand for nothing: what was installed may be gone since.
    Lenient,
}

/// The prepared rules: every name in the configuration must be of something that exists.
pub(super) fn rules(
    config: &Config,
    lock: &LockFile,
    manifests: &[&Manifest],
    names: Names,
    before: Option<&Policy>,
) -> Result<Policy, ConfigError> {
    let mut faults = Vec::new();
    let mut tools = Vec::new();
    for manifest in manifests {
        let (id, digest) = (manifest.id(), &manifest.component.sha256);
        let settings = config.plugins.get(&manifest.plugin.name);
        let dimensions =
            Arc::new(manifest.scope.iter().map(|(name, dimension)| (name.clone(), dimension.kind)).collect::<BTreeMap<_, _>>());
        let pinned = lock.plugin(&id).is_some_and(|locked| locked.component.to_hex() == *digest);
        for (name, tool) in &manifest.tool {
            let switches =
                settings.and_then(|settings| settings.tools.get(name)).map(|located| located.value.clone()).unwrap_or_default();
            let Ok(served) = ServedName::of(&manifest.plugin.name, name) else { continue };
            tools.push(ToolRule {
                served,
                plugin: id.clone(),
                digest: digest.clone(),
                tool: name.clone(),
                manifest_tool: Arc::new(tool.clone()),
                dimensions: Arc::clone(&dimensions),
                pinned,
                enabled: switches.enabled.unwrap_or_else(|| default_enabled(tool.effect)),
                dry_run: switches.dry_run.unwrap_or_else(|| default_dry_run(tool.effect)),
                approval: switches.approval.unwrap_or_else(|| default_approval(tool.effect)),
                roles: switches.roles,
            });
        }
        if let Some(settings) = settings {
            unknown_names(manifest, settings, &mut faults);
        }
    }
    let installed: BTreeSet<&PluginName> = lock.plugins().keys().map(|id| &id.name).collect();
    for (name, plugin) in &config.plugins {
        if names == Names::Strict && !installed.contains(name) {
            faults.push(missing(
                &plugin.place.to_string(),
                "there is no plugin",
                name.as_str(),
                "casemate install adds it; casemate list shows what is there",
                installed.iter().map(|name| name.as_str()),
            ));
        }
    }
    // Names of plugins that are installed and not served now are no fault of the configuration.
    let complete = names == Names::Strict && manifests.len() == lock.plugins().len();
    if complete {
        for grant in &config.grants {
            for pattern in grant.value.tools.iter().filter(|pattern| !tools.iter().any(|tool| pattern.matches(&tool.served))) {
                faults.push(missing(
                    &grant.place.to_string(),
                    "there is no tool for the pattern",
                    pattern.as_str(),
                    "casemate list shows every tool",
                    tools.iter().map(|tool| tool.served.as_str()),
                ));
            }
        }
    }
    if !faults.is_empty() {
        return Err(ConfigError::new(faults));
    }
    let grants = config.grants.iter().map(|grant| &grant.value);
    let grants: Vec<Grant> = if complete {
        grants.cloned().collect()
    } else {
        grants.filter_map(|grant| served_part(grant, &tools, config)).collect()
    };
    let fault = |errors: Vec<PolicyError>| {
        let place =
            |name: &GrantName| config.grants.iter().find(|grant| grant.value.name == *name).map(|grant| grant.place.to_string());
        let placed = |error: &PolicyError| {
            let flow = error.flow().and_then(|name| config.flow_places.get(name)).map(ToString::to_string);
            let rate = error.breaker().and_then(|setting| config.breaker_places.get(setting)).map(ToString::to_string);
            let place = error.grant().and_then(place).or(flow).or(rate).unwrap_or_else(|| config.path.display().to_string());
            format!("{place}: {error}")
        };
        ConfigError::new(errors.iter().map(placed).collect())
    };
    let policies = policies(config, &grants, &tools, before.filter(|_| !complete))?;
    let guards = Guards { policies, ..config.guards.clone() };
    let policy = Policy::new(config.environment, grants, tools, guards).map_err(fault)?;
    let misspelt = if complete { policy.misspelt() } else { Vec::new() };
    if misspelt.is_empty() { Ok(policy) } else { Err(fault(misspelt)) }
}

/// The operator's own policies, held against the tools that there are. Where some of these are not served now, policies about them are no
/// mistakes: then those in force stay.
fn policies(
    config: &Config,
    grants: &[Grant],
    tools: &[ToolRule],
    before: Option<&Policy>,
) -> Result<Option<Arc<Rules>>, ConfigError> {
    if config.policies.is_empty() {
        return Ok(None);
    }
    // A read of a source is a call, of which policies may speak.
    let sources = config.guards.sources.iter().map(SourceRule::as_tool);
    let tools: Vec<&ToolRule> = tools.iter().chain(sources).collect();
    match (Rules::new(&config.policies, &tools, &Known::of(grants)), before) {
        (Ok(rules), _) => Ok(Some(Arc::new(rules))),
        (Err(_), Some(before)) if before.guards().policies.is_some() => Ok(before.guards().policies.clone()),
        (Err(errors), _) => Err(ConfigError::new(errors.iter().map(ToString::to_string).collect())),
    }
}

/// What is left of a grant while some plugins are not served: less, or the same.
fn served_part(grant: &Grant, tools: &[ToolRule], config: &Config) -> Option<Grant> {
    let mut grant = grant.clone();
    grant.tools.retain(|pattern| tools.iter().any(|tool| pattern.matches(&tool.served)));
    let covered: Vec<&ToolRule> =
        tools.iter().filter(|tool| grant.tools.iter().any(|pattern| pattern.matches(&tool.served))).collect();
    grant.scope.retain(|dimension, _| covered.iter().any(|tool| tool.dimensions.contains_key(dimension)));
    let read: Vec<&ToolRule> =
        config.guards.sources.iter().filter(|source| source.grants().contains(&grant.name)).map(SourceRule::as_tool).collect();
    let counted = || covered.iter().chain(&read);
    grant.budgets.retain(|budget| counted().any(|tool| budget.counts(&tool.served, tool.manifest_tool.effect)));
    (!grant.tools.is_empty() || !read.is_empty()).then_some(grant)
}

/// Names in a plugin's section that its manifest does not have.
fn unknown_names(manifest: &Manifest, settings: &PluginConfig, faults: &mut Vec<String>) {
    let plugin = &manifest.plugin.name;
    let mut check = |place: String, kind: &str, name: &str, known: Vec<&str>| {
        if !known.contains(&name) {
            faults.push(missing(
                &place,
                &format!("plugin `{plugin}` has no {kind}"),
                name,
                &format!("casemate inspect {plugin} shows what it has"),
                known.into_iter(),
            ));
        }
    };
    for (name, tool) in &settings.tools {
        check(tool.place.to_string(), "tool", name.as_str(), manifest.tool.keys().map(|name| name.as_str()).collect());
    }
    for name in settings.upstreams.keys() {
        check(
            settings.place.to_string(),
            "upstream",
            name.as_str(),
            manifest.upstream.keys().map(|name| name.as_str()).collect(),
        );
    }
    for name in settings.upstream_secrets.keys() {
        check(
            settings.place.to_string(),
            "upstream",
            name.as_str(),
            manifest.upstream.keys().map(|name| name.as_str()).collect(),
        );
    }
    for (_, name, _) in settings.secret_sources() {
        check(settings.place.to_string(), "secret", name.as_str(), manifest.secrets.keys().map(|name| name.as_str()).collect());
    }
    for name in settings.sources.keys().filter(|name| !manifest.binds(name)) {
        check(settings.place.to_string(), "source", name.as_str(), manifest.sources.keys().map(|name| name.as_str()).collect());
    }
}

fn missing<'a>(place: &str, what: &str, name: &str, help: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(meant) => format!("{place}: {what} `{name}`\nhelp: did you mean `{meant}`?"),
        None => format!("{place}: {what} `{name}`\nhelp: {help}"),
    }
}
