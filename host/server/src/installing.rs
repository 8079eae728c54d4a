//! Changing what is installed: one way, whichever command asks for it.
//!
//! A change is made with other changes kept out, and is on record before it counts. A package's files are written first; then lock file
//! and state change in one step: until both name a package, nothing loads it.

pub(crate) mod acquire;
mod attached;
pub(crate) mod consent;
mod facts;
mod names;
pub(crate) mod newer;

use std::path::{Path, PathBuf};

use casemate_audit::EventKind;
use casemate_policy::text::visible;
use casemate_sandbox::{CodeCache, Maxima, Runtime, examine};
use casemate_signing::{
    highwater::HighWater,
    lock::{LockFile, Locked},
    manifest::{Manifest, PluginId},
    package::Verified,
    trust::TrustStore,
};
use serde_json::{Value, json};

use crate::{
    advisories::{Advisories, waived},
    clock,
    command::{Context, print},
    config::{Config, nearest},
    exit::Failure,
    folders::private,
    house::{pending, store, write_down},
};
use acquire::Acquired;
use consent::Agreed;
use facts::facts;
pub(crate) use names::Names;

/// Releases that stay on disk beside the installed one, for `casemate rollback`.
const KEPT: usize = 4;

/// A change under way. Others are kept out while it is made, and not while a person is asked or a registry waited for.
pub(crate) struct Installing<'a> {
    context: &'a Context,
    pub(crate) config: Config,
    state: PathBuf,
    keys: store::Keys,
    trust: TrustStore,
    pub(crate) lock: LockFile,
    highwater: HighWater,
}

/// A package that a trusted publisher signed, with its two files as they were verified and where they came from.
pub(crate) struct Candidate {
    pub(crate) package: Verified,
    pub(crate) files: [Vec<u8>; 2],
    pub(crate) source: String,
}

/// What makes a candidate take the place of another.
pub(crate) enum Reason {
    /// A person wants it, and says so much about its name.
    Install(Names),
    /// The lock file names it, and stays as it is.
    Locked(Names),
    /// A newer release.
    Update,
    /// An older release, as an exception, for a reason that goes on record.
    Rollback(String),
}

impl<'a> Installing<'a> {
    /// Read what is there.
    pub(crate) fn begin(context: &'a Context) -> Result<Self, Failure> {
        let config = Config::read(&context.folders.config)?;
        let state = context.folders.state(config.environment);
        let keys = store::keys(&state)?;
        let (lock, highwater) = pending::installed(&context.folders, config.environment, &keys)?;
        Ok(Self { trust: store::trust(&context.folders)?, lock, highwater, context, config, state, keys })
    }

    /// The installed plugin of that short name or id.
    pub(crate) fn named(&self, name: &str) -> Result<(PluginId, Locked), Failure> {
        named(&self.lock, name).map(|(id, locked)| (id.clone(), locked.clone()))
    }

    /// What is installed of a plugin, verified anew, if that is what was agreed to in this environment. What was agreed to elsewhere,
    /// or cannot be verified any more, is no measure of what a newer release changes.
    pub(crate) fn agreed_to(&self, id: &PluginId, locked: &Locked) -> Option<Manifest> {
        let path = store::installed(&self.context.folders, id, &locked.version);
        let package = self.verify(acquire::installed(&path).ok()?).ok()?.package;
        let is_it = package.id() == id && self.highwater.approval(id) == Some(package.approval());
        is_it.then(|| package.manifest().clone())
    }

    /// Whether its release may be loaded here: it is none that was left behind.
    pub(crate) fn admits(&self, candidate: &Candidate) -> bool {
        let (package, release) = (&candidate.package, candidate.package.manifest().plugin.release);
        self.highwater.admits(package.id(), release, package.statement_digest()).is_ok()
    }

    /// Verify what was acquired.
    pub(crate) fn verify(&self, acquired: Acquired) -> Result<Candidate, Failure> {
        let Acquired { package, files, source, .. } = acquired;
        let package = package
            .verify(&self.trust, self.config.environment, clock::now())
            .map_err(|error| Failure::denied(format!("{}: {error}", error.code())))?;
        Ok(Candidate { package, files, source })
    }

    /// Whose place a candidate would take, as it is now; refused where it is another's and nobody said that this is meant.
    pub(crate) fn replaced(&self, manifest: &Manifest, names: &Names) -> Result<Vec<PluginId>, Failure> {
        names.replaced(manifest, &self.lock, &self.highwater, &self.config)
    }

    /// What is under a plugin's short name in the configuration already.
    pub(crate) fn inherited(&self, manifest: &Manifest) -> String {
        names::inherited(manifest, &self.config)
    }

    /// Whether a package is exactly the one that the lock file names.
    pub(crate) fn as_locked(&self, package: &Verified) -> Result<(), Failure> {
        let id = package.id();
        let Some(locked) = self.lock.plugin(id) else {
            return Err(Failure::denied(format!(
                "not-locked: casemate.lock does not name `{id}`\nhelp: install it without --locked, and review the change of the lock file"
            )));
        };
        match package.differs_from(locked) {
            Some(field) => Err(Failure::denied(format!(
                "lock-differs: casemate.lock names another package of `{id}`: its {field} differs\nhelp: casemate update, without --locked, and review the change of the lock file"
            ))),
            None => Ok(()),
        }
    }

    /// Keep other changes out, and read anew what they may have changed meanwhile.
    fn alone(&mut self) -> Result<store::Changing, Failure> {
        let changing = store::changing(&self.context.folders)?;
        let (folders, environment) = (&self.context.folders, self.config.environment);
        (self.lock, self.highwater) = pending::installed(folders, environment, &self.keys)?;
        Ok(changing)
    }

    /// Put a package in its place. It takes a person's word, or the proof that none is needed.
    pub(crate) fn put(&mut self, candidate: Candidate, agreed: Agreed, reason: &Reason) -> Result<Value, Failure> {
        let Candidate { package, files: [component, bundle], source } = candidate;
        let id = package.id().clone();
        let changing = self.alone()?;
        let replaced = match reason {
            Reason::Install(names) | Reason::Locked(names) => self.replaced(package.manifest(), names)?,
            Reason::Update | Reason::Rollback(_) => self.replaced(package.manifest(), &Names::default())?,
        };
        let present = self.lock.plugin(&id);
        if let Some(held) = present.filter(|present| present.pinned && present.statement != *package.statement_digest()) {
            return Err(pinned(&id, &held.version));
        }
        let mut highwater = self.highwater.clone();
        if let Reason::Rollback(_) = reason {
            highwater.danger_allow_rollback(&package);
        }
        agreed.remember(&mut highwater, &self.lock, &package)?;
        self.remember_documents(&id, &mut highwater)?;
        replaced.iter().for_each(|other| drop(highwater.withdraw(other)));
        let version = package.manifest().plugin.version.clone();
        let before = match reason {
            Reason::Locked(_) => {
                self.as_locked(&package)?;
                None
            }
            _ => {
                let mut locked = package.locked(source);
                // What was gone back from on purpose is not to come again with the next update.
                locked.pinned = matches!(reason, Reason::Rollback(_)) || present.is_some_and(|before| before.pinned);
                self.lock.insert(id.clone(), locked)
            }
        };
        let mut facts = facts(&package, before.as_ref(), &replaced, reason);

        // Only now may a byte of it be parsed as WebAssembly. What does not compile or link is not installed.
        let loadable = package
            .approve(&self.lock, &highwater)
            .map_err(|error| Failure::denied(format!("{}: {error}", error.code())))?
            .loadable();
        // Opened here and not before: a folder of advisories that is broken must not keep a plugin from being taken away.
        let advisories = Advisories::open(self.config.advisories.clone()).map_err(Failure::invalid)?;
        let review = |manifest: &Manifest, dependencies: Option<&_>| advisories.admit(&manifest.id(), dependencies, clock::now());
        let (reviewed, findings) = examine(loadable).map_err(Failure::denied)?.reviewed(review).map_err(Failure::denied)?;
        let cache = CodeCache::new(private(&self.state.join("cache"))?, self.keys.code, self.context.worker());
        let waiting = print::Waiting::for_what("compiling, in a process of its own");
        Runtime::new(cache, Maxima::default())?.prepare(reviewed).map_err(Failure::denied)?;
        drop(waiting);
        waived(&mut facts, findings.iter());
        for finding in &findings {
            print::note(visible(&format!("known of it: {finding}; {}", finding.verdict())));
        }

        let kind = match (reason, &before) {
            (Reason::Rollback(_), _) => EventKind::PluginRolledBack,
            (_, Some(_)) => EventKind::PluginUpdated,
            (_, None) => EventKind::PluginInstalled,
        };
        write_down(&self.state, kind, facts.clone())?;
        let path = store::installed(&self.context.folders, &id, &version);
        store::replace(&path, &component)?;
        store::replace(&store::bundle_of(&path), &bundle)?;
        self.highwater = highwater;
        match reason {
            // Not a byte of it, comments included.
            Reason::Locked(_) => {
                store::keep_highwater(&self.context.folders, self.config.environment, &self.keys, &self.highwater)?;
            }
            _ => self.keep(&changing)?,
        }
        self.forget_oldest(&id, &version)?;
        Ok(facts)
    }

    /// Keyset and revocation list that a package was verified by are the oldest from now on, if they were not yet: what raised their
    /// marks may have been stopped before it did.
    fn remember_documents(&self, id: &PluginId, highwater: &mut HighWater) -> Result<(), Failure> {
        let Some(publisher) = self.trust.publishers().get(&id.publisher) else { return Ok(()) };
        if let Some(keyset) = publisher.keyset() {
            highwater.accept_keyset(keyset).map_err(Failure::denied)?;
        }
        if let Some(list) = publisher.revocations().filter(|_| publisher.revocation_source().is_some()) {
            highwater.accept_revocations(list).map_err(Failure::denied)?;
        }
        Ok(())
    }

    /// Of the releases that were here before, the newest stay.
    fn forget_oldest(&self, id: &PluginId, installed: &semver::Version) -> Result<(), Failure> {
        let folders = &self.context.folders;
        let mut before: Vec<(semver::Version, PathBuf)> = store::kept(folders, id)?
            .into_iter()
            .filter_map(|path| Some((store::version_in(&path, &id.name)?, path)))
            .filter(|(version, _)| version != installed)
            .collect();
        before.sort();
        let too_many = before.len().saturating_sub(KEPT);
        before.iter().take(too_many).try_for_each(|(_, path)| forget(path))
    }

    /// Take a plugin away: its lock entry and what was agreed to, so that nothing loads it; then its files.
    pub(crate) fn remove(&mut self, id: &PluginId) -> Result<Value, Failure> {
        let changing = self.alone()?;
        let Some(locked) = self.lock.remove(id) else { return Err(Failure::invalid(format!("`{id}` is not installed"))) };
        let facts = json!({
            "plugin": id.to_string(),
            "version": locked.version,
            "release": locked.release,
            "digest": locked.component.to_hex(),
        });
        write_down(&self.state, EventKind::PluginRemoved, facts.clone())?;
        self.highwater.withdraw(id);
        self.keep(&changing)?;
        store::kept(&self.context.folders, id)?.iter().try_for_each(|path| forget(path))?;
        Ok(facts)
    }

    /// Hold a plugin at its version, or let it go.
    pub(crate) fn pin(&mut self, id: &PluginId, pinned: bool) -> Result<(), Failure> {
        let changing = self.alone()?;
        let Some(mut locked) = self.lock.plugin(id).cloned() else {
            return Err(Failure::invalid(format!("`{id}` is not installed")));
        };
        locked.pinned = pinned;
        let facts = json!({ "plugin": id.to_string(), "version": locked.version, "pinned": pinned });
        self.lock.insert(id.clone(), locked);
        write_down(&self.state, EventKind::PluginPinned, facts)?;
        self.keep(&changing)
    }

    fn keep(&self, changing: &store::Changing) -> Result<(), Failure> {
        let environment = self.config.environment;
        pending::commit(&self.context.folders, environment, &self.keys, &self.lock, &self.highwater, changing)
    }
}

/// The one installed plugin that a person means by its short name, or publisher/name.
pub(crate) fn named<'a>(lock: &'a LockFile, name: &str) -> Result<(&'a PluginId, &'a Locked), Failure> {
    let mut found = lock.plugins().iter().filter(|(id, _)| id.name.as_str() == name || id.to_string() == name);
    let Some(first) = found.next() else {
        let meant = nearest(name, lock.plugins().keys().map(|id| id.name.as_str()))
            .map_or_else(|| "casemate list shows what is installed".to_owned(), |name| format!("did you mean `{name}`?"));
        return Err(Failure::invalid(format!("no plugin `{name}` is installed\nhelp: {meant}")));
    };
    if found.next().is_some() {
        return Err(Failure::invalid(format!("more than one publisher has a plugin `{name}`\nhelp: name it publisher/name")));
    }
    Ok(first)
}

/// A plugin stays as it is until it is let go.
pub(crate) fn pinned(id: &PluginId, version: &semver::Version) -> Failure {
    Failure::denied(format!("pinned: `{id}` is pinned at {version}\nhelp: casemate pin --off {}", id.name))
}

/// Take the two files of a package away.
fn forget(component: &Path) -> Result<(), Failure> {
    std::fs::remove_file(store::bundle_of(component)).or_else(absent_is_fine)?;
    Ok(std::fs::remove_file(component).or_else(absent_is_fine)?)
}

fn absent_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}
