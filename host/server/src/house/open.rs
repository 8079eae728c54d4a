//! Opening the house: configuration, trust, lock file and packages become prepared rules and loaded plugins.
//!
//! A plugin that is refused is not served, and the others are; a configuration that makes no sense opens nothing.

use std::{
    collections::BTreeSet,
    iter,
    num::NonZero,
    path::{Path, PathBuf},
    sync::{
        Arc, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use cap_std::fs::Dir;
use casemate_audit::{EventFacts, EventKind, Log, OnFailure, OpenError, Options, Outcome, Sync};
use casemate_ledger::Ledger;
use casemate_sandbox::{CodeCache, PluginBindings, Reviewed, Runtime, examine_installed};
use casemate_signing::{
    Environment,
    highwater::HighWater,
    key::PublicKey,
    lock::{LockFile, Locked},
    manifest::{Manifest, PluginId, PluginName, SecretName, Upstream, UpstreamName},
    package::Loadable,
    trust::TrustStore,
};
use serde_json::Value;
use tokio::sync::watch;

use super::{
    House, facts,
    gathered::{Gathered, UNREAD},
    heads::{self, Heads, Keeper},
    own_audit, pending, renewal,
    rules::{Names, rules},
    serving::{Ended, GrantLives, MadeOf, Plugins, Served, Serving, manifests},
    store::{self, Keys},
};
use crate::{
    advisories::Advisories,
    clock,
    command::Context,
    config::{Config, PluginConfig},
    exit::Failure,
    folders::{Folders, private},
    mcp::UnderWay,
    telemetry::Telemetry,
};

/// Plugins that are loaded at once: where nothing is compiled yet, each has a compiler of its own.
const MOST_AT_ONCE: usize = 8;
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
        let (log, recovery, head) = open_log(&state, &keys, config.audit.sync, config.audit.on_failure)?;
        for (id, intent) in &recovery.unfinished {
            tracing::warn!(audit_id = %id, tool = intent.tool_name, principal = intent.principal_id, "the host stopped during this call: whether it happened is not known");
        }
        let gathered = Gathered::of(&config, |_| true);
        let Loads { plugins, refused, .. } = shelf.load_all(&runtime, &config, &advisories, &gathered, &Kept::default());
        log.event(facts::started(&config), clock::now()).await?;
        for fact in plugins.values().map(|plugin| facts::loaded(plugin)).chain(refused.iter().map(facts::load_failed)) {
            log.event(fact, clock::now()).await?;
        }
        let policy = match rules(&config, &shelf.lock, &manifests(&plugins), Names::Strict, None) {
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
            via: opening.via,
            folders: context.folders.clone(),
            keys,
            ledger,
            log,
            head,
            runtime,
            telemetry: Telemetry::default(),
            running: UnderWay::default(),
            serving: RwLock::new(Arc::new(serving)),
            changes: watch::Sender::default(),
            activity: own_audit::Activity::default(),
            renewals: renewal::Renewals::default(),
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
    /// What was refused before, and why.
    pub(super) refused: Vec<Refused>,
}

/// What became of everything that is installed.
#[derive(Default)]
pub(super) struct Loads {
    pub(super) plugins: Plugins,
    pub(super) refused: Vec<Refused>,
    /// Those of the refused whose secrets have to be waited for, and nobody has asked for yet.
    pub(super) unread: BTreeSet<PluginName>,
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
        gathered: &Gathered,
        kept: &Kept,
    ) -> Loads {
        let installed: Vec<(&PluginId, &Locked)> = self.lock.plugins().iter().collect();
        let results = spread(&installed, |(id, locked)| {
            let (before, section) = (kept.plugins.get(id), config.plugins.get(&id.name));
            match before {
                Some(served) if !kept.rebind => Some(Ok(Arc::clone(served))),
                _ if section.is_some_and(|section| gathered.lacks(&id.name, section)) => None,
                _ => {
                    let package = self.loadable(id, locked);
                    let loaded = package.and_then(|package| load(runtime, package, (section, gathered), advisories, before));
                    Some(loaded.map(Arc::new))
                }
            }
        });
        let mut loads = Loads::default();
        for ((id, _), result) in installed.into_iter().zip(results) {
            match result {
                Some(Ok(plugin)) => drop(loads.plugins.insert(id.clone(), plugin)),
                Some(Err(failure)) => loads.refused.push(Refused { plugin: id.clone(), reason: failure.message }),
                None => {
                    loads.unread.insert(id.name.clone());
                    let known = kept.refused.iter().find(|refused| refused.plugin == *id);
                    let unread = || Refused { plugin: id.clone(), reason: UNREAD.to_owned() };
                    loads.refused.push(known.cloned().unwrap_or_else(unread));
                }
            }
        }
        loads
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

/// What comes of each, in the same order: worked out on as many threads as the machine runs at once.
fn spread<T: std::marker::Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + std::marker::Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_AT_ONCE).min(items.len());
    let next = AtomicUsize::new(0);
    let share = || {
        let one = || {
            let at = next.fetch_add(1, Ordering::Relaxed);
            items.get(at).map(|item| (at, work(item)))
        };
        iter::from_fn(one).collect::<Vec<_>>()
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(share)).collect();
        let mut done = share();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        done
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// From a proved package to a plugin that is served: what it is made of is reviewed before anything of it is compiled.
fn load(
    runtime: &Runtime,
    package: Loadable,
    (config, gathered): (Option<&PluginConfig>, &Gathered),
    advisories: &Advisories,
    before: Option<&Arc<Served>>,
) -> Result<Served, Failure> {
    let statement = *package.statement_digest();
    // The same signed bytes, bound to something else: what ends one ends both.
    let life = before.filter(|before| before.statement == statement).map(|before| Arc::clone(&before.life));
    let (reviewed, made_of) = review(package, advisories)?;
    let prepared = runtime.prepare(reviewed)?;
    let bindings = bindings(prepared.manifest(), config, gathered)?;
    let loaded = runtime.bind(prepared, bindings)?;
    if let Some(before) = before {
        // What the one before sent may still be echoed.
        loaded.inherit(&before.plugin);
    }
    Served::new(loaded, statement, made_of, life)
}

/// What a proved package is made of, held against what is known of that.
pub(super) fn review(package: Loadable, advisories: &Advisories) -> Result<(Reviewed, MadeOf), Failure> {
    examine_installed(package)?.reviewed(|manifest, dependencies| {
        let findings = advisories.admit(&manifest.id(), dependencies, clock::now()).map_err(Failure::denied)?;
        Ok(MadeOf { dependencies: dependencies.cloned(), findings })
    })
}

/// What the operator bound a plugin to, checked against what its manifest declares.
fn bindings(manifest: &Manifest, config: Option<&PluginConfig>, gathered: &Gathered) -> Result<PluginBindings, Failure> {
    let Some(config) = config else {
        // Installed and not configured: its upstreams may have defaults, its secrets have none.
        return match manifest.secrets.iter().find(|(_, declared)| !declared.optional).map(|(name, _)| name) {
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
    if let Some(secret) = manifest.secrets.keys().find(|secret| !is_given(manifest, config, secret)) {
        return Err(unset(name, secret.as_str()));
    }
    let settings = settings(manifest, config)?;
    Ok(PluginBindings {
        upstreams: config.upstreams.clone(),
        secrets: gathered.secrets(name, config)?,
        sources: config.sources.iter().map(|(name, source)| (name.to_string(), source.clone())).collect(),
        settings,
        traced: config.traced.clone(),
    })
}

/// Whether a secret has a value wherever it is sent.
fn is_given(manifest: &Manifest, config: &PluginConfig, secret: &SecretName) -> bool {
    let own = |upstream: &UpstreamName| config.upstream_secrets.get(upstream).is_some_and(|own| own.contains_key(secret));
    let sent = |upstream: &Upstream| upstream.credential.as_ref().is_some_and(|it| it.secrets().contains(&secret));
    config.secrets.contains_key(secret)
        || manifest.secrets.get(secret).is_some_and(|declared| declared.optional)
        || manifest.upstream.iter().all(|(name, upstream)| !sent(upstream) || own(name))
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

/// The folders of an environment's audit chains.
pub(crate) struct Chains(pub(crate) Vec<(PathBuf, Dir)>);

/// Nothing was written down yet.
pub(crate) fn no_log(place: &Path) -> Failure {
    Failure::invalid(format!(
        "there is no audit log in `{}`\nhelp: it begins with the first call or change; --dir says which host is meant, and `environment` in its configuration which of its logs",
        place.display()
    ))
}

/// Every chain there is, in order.
pub(crate) fn chains(state: &Path) -> Result<Chains, Failure> {
    chains_in(&state.join("audit"))
}

/// The same, in a folder of them.
pub(crate) fn chains_in(audit: &Path) -> Result<Chains, Failure> {
    let mut found = Vec::new();
    for number in 0..MAX_CHAINS {
        let path = audit.join(format!("chain-{number}"));
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
fn open_log(
    state: &Path,
    keys: &Keys,
    sync: Sync,
    on_failure: OnFailure,
) -> Result<(Log, casemate_audit::Recovery, Keeper), Failure> {
    let (key, seal) = (keys.audit.verifying_key(), keys.heads.clone());
    // Read before the chains are: those only grow.
    Heads::read(state, &seal)?.ok_or_else(|| heads::missing(state))?.hold(state, &key)?;
    for number in 0..MAX_CHAINS {
        let name = format!("chain-{number}");
        let options = Options { sync, on_failure, name: name.clone(), ..Options::default() };
        match Log::open(private(&chain(state, number))?, keys.audit.clone(), options, clock::now()) {
            Err(OpenError::InUse) => {}
            other => {
                let (log, recovery) = other?;
                let keeper = Keeper { state: state.to_owned(), seal, chain: name, key };
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

/// Every chain there is, each opened alone and closed in good order. Nobody else may be writing to one.
pub(crate) fn each_chain(state: &Path, mut act: impl FnMut(&str, &Log) -> Result<(), Failure>) -> Result<(), Failure> {
    if chains(state)?.0.is_empty() {
        return Err(no_log(state));
    }
    let keys = store::keys(state)?;
    let (chains, handed_over) = all_chains(state, &keys)?;
    if handed_over > 0 {
        return Err(OpenError::Retired.into());
    }
    for (log, keeper) in chains {
        act(&keeper.chain, &log)?;
        log.close(clock::now())?;
        keeper.keep(&log)?;
    }
    Ok(())
}

/// Every chain, opened; and how many were handed over to another key already.
fn all_chains(state: &Path, keys: &Keys) -> Result<(Vec<(Log, Keeper)>, usize), Failure> {
    let (key, seal) = (keys.audit.verifying_key(), keys.heads.clone());
    Heads::read(state, &seal)?.ok_or_else(|| heads::missing(state))?.hold(state, &key)?;
    let (mut open, mut handed_over) = (Vec::new(), 0);
    for (path, dir) in chains(state)?.0 {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let options = Options { sync: Sync::Always, name: name.clone(), ..Options::default() };
        match Log::open(dir, keys.audit.clone(), options, clock::now()) {
            Ok((log, _)) => {
                let keeper = Keeper { state: state.to_owned(), seal: seal.clone(), chain: name, key };
                keeper.keep(&log)?;
                open.push((log, keeper));
            }
            Err(OpenError::Retired) => handed_over += 1,
            Err(OpenError::InUse) => {
                return Err(Failure::denied(format!(
                    "another casemate writes to audit/{name}\nhelp: stop it first; nothing was changed"
                )));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((open, handed_over))
}

/// Hand every chain over to a new key: the old one and the new one. A stop in between is finished by doing it again.
pub(crate) fn rotate_audit_key(state: &Path) -> Result<(PublicKey, PublicKey), Failure> {
    let keys = store::keys(state)?;
    // All of them are held before the first is handed over.
    let (chains, handed_over) = all_chains(state, &keys)?;
    if chains.is_empty() && handed_over == 0 {
        return Err(no_log(state));
    }
    let next = store::next_audit_key(state)?;
    let public = |key: &ed25519_dalek::SigningKey| PublicKey::from_bytes(key.verifying_key().as_bytes());
    for (log, keeper) in chains {
        log.hand_over(&next, "local", clock::now())?;
        keeper.keep(&log)?;
    }
    store::replace_audit_key(state)?;
    Ok((public(&keys.audit)?, public(&next)?))
}

/// Write down a change that is made from the command line: on disk, before it is made.
pub(crate) fn write_down(state: &Path, kind: EventKind, fields: Value) -> Result<(), Failure> {
    write_event(state, EventFacts { kind, principal: "local".to_owned(), outcome: Outcome::Allowed, fields })
}

/// Write down one event, in a chain that is opened for it: on disk when this returns.
pub(crate) fn write_event(state: &Path, event: EventFacts) -> Result<(), Failure> {
    let (log, _, head) = open_log(state, &store::keys(state)?, Sync::Always, OnFailure::Deny)?;
    tokio::runtime::Builder::new_current_thread().build()?.block_on(log.event(event, clock::now()))?;
    log.close(clock::now())?;
    head.keep(&log)
}
