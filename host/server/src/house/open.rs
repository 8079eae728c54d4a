//! Opening the house: configuration, trust, lock file and packages become prepared rules and loaded plugins.
//!
//! A plugin that is refused is not served, and the others are; a configuration that makes no sense opens nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use cap_std::fs::Dir;
use casemate_audit::{EventFacts, EventKind, Log, OpenError, Options, Outcome, Sync};
use casemate_ledger::Ledger;
use casemate_policy::{
    Grant, GrantName, Guards, Policy, PolicyError, ServedName, ToolRule,
    cedar::{Known, Rules},
    default_approval, default_dry_run, default_enabled,
};
use casemate_sandbox::{CodeCache, PluginBindings, Reviewed, Runtime, examine};
use casemate_signing::{
    Environment,
    highwater::HighWater,
    lock::{LockFile, Locked},
    manifest::{Manifest, PluginId, PluginName},
    package::Loadable,
    trust::TrustStore,
};
use serde_json::Value;
use tokio::sync::watch;

use super::{
    House, facts,
    heads::{self, Heads, Keeper},
    pending,
    serving::{Ended, GrantLives, MadeOf, Plugins, Served, Serving},
    store::{self, Keys},
};
use crate::{
    advisories::Advisories,
    clock,
    command::Context,
    config::{Config, ConfigError, PluginConfig, nearest},
    exit::Failure,
    folders::{Folders, private},
};

/// Processes of one user that may write an audit chain at once.
const MAX_CHAINS: u32 = 64;

/// What opening needs from outside.
pub struct Opening<'a> {
    /// Folders and program.
    pub context: &'a Context,
    /// The entry point's name, for the log.
    pub via: &'static str,
}

/// An installed plugin that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub plugin: PluginId,
    /// Why, for the operator.
    pub reason: String,
}

impl House {
    /// Open it.
    ///
    /// # Errors
    /// When the configuration, the trust store, the lock file, the host's state or the audit log cannot be used.
    pub async fn open(opening: Opening<'_>) -> Result<Self, Failure> {
        let context = opening.context;
        let config = Arc::new(Config::read(&context.folders.config)?);
        let advisories = Arc::new(Advisories::open(config.advisories.clone()).map_err(Failure::invalid)?);
        let state = context.folders.state(config.environment);
        let keys = store::keys(&state)?;
        // Taken before the files are read: a change in between is seen as one.
        let made_from = store::marks(&context.folders, &state);
        let shelf = Shelf::open(&context.folders, config.environment, &keys)?;
        let cache = CodeCache::new(private(&state.join("cache"))?, keys.code, context.worker());
        let runtime = Runtime::new(cache, config.maxima.clone())?;
        let (log, recovery, head) = open_log(&state, &keys, config.audit_sync_always)?;
        for (id, intent) in &recovery.unfinished {
            tracing::warn!(audit_id = %id, tool = intent.tool_name, principal = intent.principal_id, "the host stopped during this call: whether it happened is not known");
        }
        let (plugins, refused) = shelf.load_all(&runtime, &config, &advisories, &Kept::default());
        log.event(facts::started(&config), clock::now()).await?;
        for fact in plugins.values().map(|plugin| facts::loaded(plugin)).chain(refused.iter().map(facts::load_failed)) {
            log.event(fact, clock::now()).await?;
        }
        let policy = match rules(&config, &shelf.lock, &installed(&plugins), Names::Strict, None) {
            Ok(policy) => policy,
            Err(error) => {
                log.event(facts::config_refused(&error), clock::now()).await?;
                log.close(clock::now())?;
                return Err(error.into());
            }
        };
        log.event(facts::config_loaded(&config), clock::now()).await?;
        let ledger = Ledger::open(&state.join("ledger.db"))?;
        let grants = GrantLives::of(&config, None);
        let serving = Serving { config: Arc::clone(&config), advisories, policy, plugins, refused, grants };
        Ok(Self {
            environment: config.environment,
            http: config.http.clone(),
            via: opening.via,
            folders: context.folders.clone(),
            keys,
            ledger,
            log,
            head,
            runtime,
            serving: RwLock::new(Arc::new(serving)),
            changes: watch::Sender::default(),
            made_from,
        })
    }
}

/// The installed packages and everything that says which of them may be loaded.
pub(crate) struct Shelf<'a> {
    folders: &'a Folders,
    environment: Environment,
    trust: TrustStore,
    pub(crate) lock: LockFile,
    highwater: HighWater,
}

/// What goes on while everything else is loaded.
#[derive(Default)]
pub(super) struct Kept {
    /// Plugins whose signed bytes may still be served.
    pub(super) plugins: Plugins,
    /// Whether they are bound anew, to another configuration.
    pub(super) rebind: bool,
}

impl<'a> Shelf<'a> {
    /// Read what says which packages may be loaded.
    ///
    /// # Errors
    /// When any of it cannot be read or believed: then nothing may.
    pub(crate) fn open(folders: &'a Folders, environment: Environment, keys: &Keys) -> Result<Self, Failure> {
        // Marks of documents before the documents, which are written the other way round: one that is newer than its mark is well.
        let (lock, highwater) = pending::installed(folders, environment, keys)?;
        Ok(Self { folders, environment, trust: store::trust(folders)?, lock, highwater })
    }

    /// Of what was served, what may still be: verified anew, on the way that every start takes. What may not ends here, before
    /// anything else is looked at.
    pub(super) fn retain(&self, before: &Plugins, advisories: &Advisories) -> Plugins {
        let may_stay = |(id, served): &(&PluginId, &Arc<Served>)| {
            let why = match self.lock.plugin(id).map(|locked| self.loadable(id, locked)) {
                None => Ended::Removed,
                Some(Ok(package)) if *package.statement_digest() != served.statement => Ended::Replaced,
                // What let a known fault pass may have ended meanwhile.
                Some(Ok(_)) if advisories.admit(id, served.dependencies.as_ref(), clock::now()).is_ok() => return true,
                Some(_) => Ended::Revoked,
            };
            served.life.end(why);
            false
        };
        before.iter().filter(may_stay).map(|(id, served)| (id.clone(), Arc::clone(served))).collect()
    }

    /// Every locked plugin: kept, loaded, or refused with its reason.
    pub(super) fn load_all(
        &self,
        runtime: &Runtime,
        config: &Config,
        advisories: &Advisories,
        kept: &Kept,
    ) -> (Plugins, Vec<Refused>) {
        let (mut plugins, mut refused) = (Plugins::new(), Vec::new());
        for (id, locked) in self.lock.plugins() {
            let before = kept.plugins.get(id);
            let result = match before {
                Some(served) if !kept.rebind => Ok(Arc::clone(served)),
                _ => self
                    .loadable(id, locked)
                    .and_then(|package| load(runtime, package, config.plugins.get(&id.name), advisories, before))
                    .map(Arc::new),
            };
            match result {
                Ok(plugin) => drop(plugins.insert(id.clone(), plugin)),
                Err(failure) => refused.push(Refused { plugin: id.clone(), reason: failure.message }),
            }
        }
        (plugins, refused)
    }

    /// An installed package, proved.
    pub(crate) fn loadable(&self, id: &PluginId, locked: &Locked) -> Result<Loadable, Failure> {
        if self.lock.plugins().keys().any(|other| other != id && other.name == id.name) {
            return Err(ambiguous(id));
        }
        let (package, _) = store::installed_package(&store::installed(self.folders, id, &locked.version))?;
        let verified = package
            .verify(&self.trust, self.environment, clock::now())
            .map_err(|error| Failure::denied(format!("{}: {error}", error.code())))?;
        if verified.id() != id {
            return Err(Failure::denied(format!("the package installed as `{id}` is `{}`", verified.id())));
        }
        let approved = verified
            .approve(&self.lock, &self.highwater)
            .map_err(|error| Failure::denied(format!("{}: {error}", error.code())))?;
        Ok(approved.loadable())
    }
}

/// From a proved package to a plugin that is served: what it is made of is reviewed before anything of it is compiled.
fn load(
    runtime: &Runtime,
    package: Loadable,
    config: Option<&PluginConfig>,
    advisories: &Advisories,
    before: Option<&Arc<Served>>,
) -> Result<Served, Failure> {
    let statement = *package.statement_digest();
    // The same signed bytes, bound to something else: what ends one ends both.
    let life = before.filter(|before| before.statement == statement).map(|before| Arc::clone(&before.life));
    let (reviewed, made_of) = review(package, advisories)?;
    let prepared = runtime.prepare(reviewed)?;
    let bindings = bindings(prepared.manifest(), config)?;
    Served::new(runtime.bind(prepared, bindings)?, statement, made_of, life)
}

/// What a proved package is made of, held against what is known of that.
pub(super) fn review(package: Loadable, advisories: &Advisories) -> Result<(Reviewed, MadeOf), Failure> {
    examine(package)?.reviewed(|manifest, dependencies| {
        let findings = advisories.admit(&manifest.id(), dependencies, clock::now()).map_err(Failure::denied)?;
        Ok(MadeOf { dependencies: dependencies.cloned(), findings })
    })
}

/// What the operator bound a plugin to, checked against what its manifest declares.
fn bindings(manifest: &Manifest, config: Option<&PluginConfig>) -> Result<PluginBindings, Failure> {
    let Some(config) = config else {
        // Installed and not configured: its upstreams may have defaults, its secrets have none.
        return match manifest.secrets.keys().next() {
            Some(secret) => Err(unset(&manifest.plugin.name, secret.as_str())),
            None => Ok(PluginBindings { settings: "{}".to_owned(), ..PluginBindings::default() }),
        };
    };
    let name = &manifest.plugin.name;
    if let Some(version) = config.version.as_ref().filter(|version| !version.matches(&manifest.plugin.version)) {
        return Err(Failure::invalid(format!(
            "{}: version `{version}` is asked for, `{}` is installed",
            config.place, manifest.plugin.version
        )));
    }
    if let Some(secret) = manifest.secrets.keys().find(|secret| !config.secrets.contains_key(*secret)) {
        return Err(unset(name, secret.as_str()));
    }
    let settings = settings(manifest, config)?;
    let variables = |variable: &str| std::env::var(variable).ok();
    Ok(PluginBindings {
        upstreams: config.upstreams.clone(),
        secrets: config.resolve_secrets(name, &variables)?,
        sources: config.sources.iter().map(|(name, source)| (name.to_string(), source.clone())).collect(),
        settings,
    })
}

/// Sections, secrets and grants go by the short name, so it must be one publisher's.
fn ambiguous(id: &PluginId) -> Failure {
    Failure::denied(format!(
        "another publisher's plugin `{}` is in the lock file too\nhelp: remove one of the two from casemate.lock",
        id.name
    ))
}

fn unset(plugin: &PluginName, secret: &str) -> Failure {
    Failure::invalid(format!(
        "plugin `{plugin}` needs the secret `{secret}`\nhelp: under [plugins.{plugin}], secret.{secret} = {{ env = \"…\" }} or {{ file = \"…\" }}"
    ))
}

fn settings(manifest: &Manifest, config: &PluginConfig) -> Result<String, Failure> {
    let empty = config.settings.as_object().is_none_or(serde_json::Map::is_empty);
    match &manifest.settings {
        None if empty => Ok("{}".to_owned()),
        None => Err(Failure::invalid(format!("{}: plugin `{}` has no settings", config.place, manifest.plugin.name))),
        Some(schema) => match casemate_policy::check_settings(schema, &config.settings) {
            Ok(()) => Ok(config.settings.to_string()),
            Err(error) => {
                Err(Failure::invalid(format!("{}: settings of plugin `{}`: {error}", config.place, manifest.plugin.name)))
            }
        },
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

/// An installed plugin, as far as rules are about it.
pub(super) struct Installed<'a> {
    pub(super) manifest: &'a Manifest,
    /// The component's, lower-case hex.
    pub(super) digest: String,
}

/// Those that are loaded.
pub(super) fn installed(plugins: &Plugins) -> Vec<Installed<'_>> {
    plugins.values().map(|served| Installed { manifest: served.plugin.manifest(), digest: served.plugin.digest().to_owned() }).collect()
}

/// The prepared rules: every name in the configuration must be of something that exists.
pub(super) fn rules(
    config: &Config,
    lock: &LockFile,
    plugins: &[Installed<'_>],
    names: Names,
    before: Option<&Policy>,
) -> Result<Policy, ConfigError> {
    let mut faults = Vec::new();
    let mut tools = Vec::new();
    for Installed { manifest, digest } in plugins {
        let id = manifest.id();
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
    let complete = names == Names::Strict && plugins.len() == lock.plugins().len();
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
    let grants: Vec<Grant> =
        if complete { grants.cloned().collect() } else { grants.filter_map(|grant| served_part(grant, &tools)).collect() };
    let fault = |errors: Vec<PolicyError>| {
        let place =
            |name: &GrantName| config.grants.iter().find(|grant| grant.value.name == *name).map(|grant| grant.place.to_string());
        let placed = |error: &PolicyError| {
            let place = error.grant().and_then(place).unwrap_or_else(|| config.path.display().to_string());
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
    let tools: Vec<&ToolRule> = tools.iter().collect();
    match (Rules::new(&config.policies, &tools, &Known::of(grants)), before) {
        (Ok(rules), _) => Ok(Some(Arc::new(rules))),
        (Err(_), Some(before)) if before.guards().policies.is_some() => Ok(before.guards().policies.clone()),
        (Err(errors), _) => Err(ConfigError::new(errors.iter().map(ToString::to_string).collect())),
    }
}

/// What is left of a grant while some plugins are not served: less, or the same.
fn served_part(grant: &Grant, tools: &[ToolRule]) -> Option<Grant> {
    let mut grant = grant.clone();
    grant.tools.retain(|pattern| tools.iter().any(|tool| pattern.matches(&tool.served)));
    let covered: Vec<&ToolRule> =
        tools.iter().filter(|tool| grant.tools.iter().any(|pattern| pattern.matches(&tool.served))).collect();
    grant.scope.retain(|dimension, _| covered.iter().any(|tool| tool.dimensions.contains_key(dimension)));
    grant.budgets.retain(|budget| covered.iter().any(|tool| budget.counts(&tool.served, tool.manifest_tool.effect)));
    (!grant.tools.is_empty()).then_some(grant)
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
    for name in settings.secrets.keys() {
        check(settings.place.to_string(), "secret", name.as_str(), manifest.secrets.keys().map(|name| name.as_str()).collect());
    }
    for name in settings.sources.keys() {
        check(settings.place.to_string(), "source", name.as_str(), manifest.sources.keys().map(|name| name.as_str()).collect());
    }
}

fn missing<'a>(place: &str, what: &str, name: &str, help: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(meant) => format!("{place}: {what} `{name}`\nhelp: did you mean `{meant}`?"),
        None => format!("{place}: {what} `{name}`\nhelp: {help}"),
    }
}

/// The folders of an environment's audit chains.
pub(crate) struct Chains(pub(crate) Vec<(PathBuf, Dir)>);

/// Every chain there is, in order.
pub(crate) fn chains(state: &Path) -> Result<Chains, Failure> {
    let mut found = Vec::new();
    for number in 0..MAX_CHAINS {
        let path = chain(state, number);
        if path.is_dir() {
            found.push((path.clone(), Dir::open_ambient_dir(&path, cap_std::ambient_authority())?));
        }
    }
    Ok(Chains(found))
}

fn chain(state: &Path, number: u32) -> PathBuf {
    state.join("audit").join(format!("chain-{number}"))
}

/// The first chain that no other process writes to: each process has one of its own. Before, every chain is held against what is
/// known of it.
fn open_log(state: &Path, keys: &Keys, always: bool) -> Result<(Log, casemate_audit::Recovery, Keeper), Failure> {
    let (key, seal) = (keys.audit.verifying_key(), keys.heads.clone());
    // Read before the chains are: those only grow.
    Heads::read(state, &seal)?.ok_or_else(|| heads::missing(state))?.hold(state, &key)?;
    let options = Options { sync: if always { Sync::Always } else { Sync::Group }, ..Options::default() };
    for number in 0..MAX_CHAINS {
        match Log::open(private(&chain(state, number))?, keys.audit.clone(), options.clone(), clock::now()) {
            Err(OpenError::InUse) => {}
            other => {
                let (log, recovery) = other?;
                let keeper = Keeper { state: state.to_owned(), seal, chain: format!("chain-{number}"), key };
                keeper.keep(&log)?;
                return Ok((log, recovery, keeper));
            }
        }
    }
    Err(Failure::failed(format!(
        "{MAX_CHAINS} casemate processes write to `{}` already\nhelp: end some of them",
        state.display()
    )))
}

/// Write down a change that is made from the command line: on disk, before it is made.
pub(crate) fn write_down(state: &Path, kind: EventKind, fields: Value) -> Result<(), Failure> {
    let (log, _, head) = open_log(state, &store::keys(state)?, true)?;
    let event = EventFacts { kind, principal: "local".to_owned(), outcome: Outcome::Allowed, fields };
    tokio::runtime::Builder::new_current_thread().build()?.block_on(log.event(event, clock::now()))?;
    log.close(clock::now())?;
    head.keep(&log)
}
