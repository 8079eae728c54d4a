//! Changing what is installed: one way, whichever command asks for it.
//!
//! A change is made with other changes kept out, and is on record before it counts. Packages, state and last the lock file are
//! written, each whole or not at all: until the lock file names a package, nothing loads it.

pub(crate) mod acquire;
pub(crate) mod consent;

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
    config::{Config, distance, nearest},
    exit::Failure,
    folders::private,
    house::{store, write_down},
};
use acquire::Acquired;
use consent::Agreed;

/// Two names this near are told apart by nobody in a hurry.
const SIMILAR: usize = 1;
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
    /// A person wants it.
    Install,
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
        Ok(Self {
            trust: store::trust(&context.folders)?,
            lock: store::lock(&context.folders)?,
            highwater: store::highwater(&state, &keys)?,
            context,
            config,
            state,
            keys,
        })
    }

    /// The installed plugin of that short name or id.
    pub(crate) fn named(&self, name: &str) -> Result<(PluginId, Locked), Failure> {
        named(&self.lock, name).map(|(id, locked)| (id.clone(), locked.clone()))
    }

    /// What is installed of a plugin, verified anew.
    pub(crate) fn present(&self, id: &PluginId, locked: &Locked) -> Result<Manifest, Failure> {
        let path = store::installed(&self.context.folders, id, &locked.version);
        let candidate = self.verify(acquire::installed(&path)?)?;
        if candidate.package.id() != id {
            return Err(Failure::denied(format!("the package installed as `{id}` is `{}`", candidate.package.id())));
        }
        Ok(candidate.package.manifest().clone())
    }

    /// Verify what was acquired.
    pub(crate) fn verify(&self, acquired: Acquired) -> Result<Candidate, Failure> {
        let Acquired { package, files, source } = acquired;
        let package = package
            .verify(&self.trust, self.config.environment, clock::now())
            .map_err(|error| Failure::denied(format!("{}: {error}", error.code())))?;
        Ok(Candidate { package, files, source })
    }

    /// A short name names a section of the configuration, its secrets and the tools of a grant, so it belongs to one publisher; a
    /// name that is nearly another's is told apart by nobody in a hurry.
    pub(crate) fn refuse_similar(&self, id: &PluginId, allowed: bool) -> Result<(), Failure> {
        let others = || self.lock.plugins().keys().filter(|other| *other != id);
        if let Some(other) = others().find(|other| other.name == id.name) {
            return Err(Failure::denied(format!(
                "name-taken: `{id}` has the short name of `{other}`, which is installed and whose configuration and grants it would inherit\nhelp: one of the two publishers has to choose another name"
            )));
        }
        match others().find(|other| distance(other.name.as_str(), id.name.as_str()) <= SIMILAR) {
            Some(other) if !allowed => Err(Failure::denied(format!(
                "name-similar: `{id}` is nearly the name of `{other}`, which is installed\nhelp: --allow-similar, if both are meant to be there"
            ))),
            _ => Ok(()),
        }
    }

    /// Keep other changes out, and read anew what they may have changed meanwhile.
    fn alone(&mut self) -> Result<store::Changing, Failure> {
        let changing = store::changing(&self.context.folders)?;
        self.lock = store::lock(&self.context.folders)?;
        self.highwater = store::highwater(&self.state, &self.keys)?;
        Ok(changing)
    }

    /// Put a package in its place. It takes a person's word, or the proof that none is needed.
    pub(crate) fn put(&mut self, candidate: Candidate, agreed: Agreed, reason: &Reason) -> Result<Value, Failure> {
        let Candidate { package, files: [component, bundle], source } = candidate;
        let id = package.id().clone();
        let _changing = self.alone()?;
        self.refuse_similar(&id, true)?;
        let present = self.lock.plugin(&id);
        if let Some(held) = present.filter(|present| present.pinned && present.statement != *package.statement_digest()) {
            return Err(pinned(&id, &held.version));
        }
        let mut highwater = self.highwater.clone();
        if let Reason::Rollback(_) = reason {
            highwater.danger_allow_rollback(&package);
        }
        agreed.remember(&mut highwater, &self.lock, &package)?;
        let mut locked = package.locked(source);
        // What was gone back from on purpose is not to come again with the next update.
        locked.pinned = matches!(reason, Reason::Rollback(_)) || self.lock.plugin(&id).is_some_and(|before| before.pinned);
        let version = locked.version.clone();
        let before = self.lock.insert(id.clone(), locked);
        let mut facts = facts(&package, before.as_ref(), reason);

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
        Runtime::new(cache, Maxima::default())?.prepare(reviewed).map_err(Failure::denied)?;
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
        store::keep_highwater(&self.state, &self.keys, &highwater)?;
        self.highwater = highwater;
        self.keep_lock()?;
        self.forget_oldest(&id, &version)?;
        Ok(facts)
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

    /// Take a plugin away: from the lock file first, so that nothing loads it; then what was agreed to, and its files.
    pub(crate) fn remove(&mut self, id: &PluginId) -> Result<Value, Failure> {
        let _changing = self.alone()?;
        let Some(locked) = self.lock.remove(id) else { return Err(Failure::invalid(format!("`{id}` is not installed"))) };
        let facts = json!({
            "plugin": id.to_string(),
            "version": locked.version,
            "release": locked.release,
            "digest": locked.component.to_hex(),
        });
        write_down(&self.state, EventKind::PluginRemoved, facts.clone())?;
        self.keep_lock()?;
        self.highwater.withdraw(id);
        store::keep_highwater(&self.state, &self.keys, &self.highwater)?;
        store::kept(&self.context.folders, id)?.iter().try_for_each(|path| forget(path))?;
        Ok(facts)
    }

    /// Hold a plugin at its version, or let it go.
    pub(crate) fn pin(&mut self, id: &PluginId, pinned: bool) -> Result<(), Failure> {
        let _changing = self.alone()?;
        let Some(mut locked) = self.lock.plugin(id).cloned() else {
            return Err(Failure::invalid(format!("`{id}` is not installed")));
        };
        locked.pinned = pinned;
        let facts = json!({ "plugin": id.to_string(), "version": locked.version, "pinned": pinned });
        self.lock.insert(id.clone(), locked);
        write_down(&self.state, EventKind::PluginPinned, facts)?;
        self.keep_lock()
    }

    fn keep_lock(&self) -> Result<(), Failure> {
        store::replace(&self.context.folders.lock(), self.lock.to_text().as_bytes())
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

/// What the log is told of a change.
fn facts(package: &Verified, before: Option<&Locked>, reason: &Reason) -> Value {
    let mut facts = json!({
        "plugin": package.id().to_string(),
        "version": package.manifest().plugin.version,
        "release": package.manifest().plugin.release,
        "digest": package.component_digest().to_hex(),
        "capabilities": package.approval().capabilities.to_hex(),
        "signers": package.signers().iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    let mut more = Vec::new();
    if let Some(before) = before {
        more.extend([("from_version", json!(before.version)), ("from_release", json!(before.release))]);
    }
    if let Reason::Rollback(reason) = reason {
        more.push(("reason", json!(reason)));
    }
    if let Some(facts) = facts.as_object_mut() {
        facts.extend(more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    facts
}
