//! What is trusted, installed and revoked takes effect while serving.
//!
//! A reload goes the way of a start: [`Shelf`] reads everything anew and verifies every package, and what it refuses is not served.
//! What may no longer be served ends first, with its calls; the rest follows as one new [`Serving`].

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, PoisonError},
    time::Duration,
};

use casemate_audit::EventFacts;
use casemate_policy::Policy;
use casemate_signing::manifest::PluginName;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    House, facts,
    gathered::Gathered,
    open::{Kept, Loads, Refused, Shelf},
    renewal,
    rules::{Names, rules},
    serving::{Ended, GrantLives, Plugins, Serving, manifests},
    store,
};
use crate::{advisories::Advisories, clock, config::Config, exit::Failure, systemd};

/// How often files are looked at. A revocation is promised to take effect within a second.
const LOOK: Duration = Duration::from_millis(250);
/// A change is often of several files, one right after the other: what is read after this is most likely whole.
const SETTLE: Duration = Duration::from_millis(50);
/// Everything is verified anew this often though no file changed: trust and packages can become invalid by time alone, and a package
/// can be changed on disk.
const VERIFY: Duration = Duration::from_secs(30);
/// How often the log is signed and its newest checkpoint kept outside of it: what is newer can be cut off unseen.
const KEEP: Duration = Duration::from_secs(60);

/// Follow what says which plugins may be served, until `shutdown`. SIGHUP takes up the configuration too.
pub(crate) async fn follow(house: Arc<House>, shutdown: CancellationToken) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else {
        tracing::error!("SIGHUP cannot be listened to; the host stops rather than serve what may be revoked");
        return shutdown.cancel();
    };
    let state = house.folders.state(house.environment);
    let mut known = Some(house.made_from.clone());
    let (mut verified, mut kept) = (Instant::now(), Instant::now());
    let mut keeping: Option<JoinHandle<()>> = None;
    let mut renewing: Option<JoinHandle<()>> = None;
    let mut preparing: Option<JoinHandle<Prepared>> = None;
    loop {
        let (mut told, mut prepared) = (false, None);
        tokio::select! {
            () = shutdown.cancelled() => return,
            hung_up = hangup.recv() => told = hung_up.is_some(),
            done = async { preparing.as_mut()?.await.ok() }, if preparing.is_some() => (preparing, prepared) = (None, Some(done)),
            () = sleep(LOOK) => {}
        }
        if told {
            systemd::reloading();
            // What was being prepared is of the configuration before.
            let (path, before) = (house.folders.config.clone(), house.serving());
            preparing = Some(spawn_blocking(move || Prepared::anew(&path, &before)));
        }
        // It panicked: nothing is known of what it would have said.
        let prepared = prepared.map(Option::unwrap_or_default);
        let reloads = prepared.as_ref().is_some_and(|prepared| prepared.config.is_some());
        let mut marks = store::marks(&house.folders, &state);
        if known.as_ref() != Some(&marks) {
            sleep(SETTLE).await;
            // Taken before the files are read: a change in between is seen as one.
            marks = store::marks(&house.folders, &state);
        }
        let lost = house.renewals.is_any_lost();
        if prepared.is_some() || lost || known.as_ref() != Some(&marks) || verified.elapsed() >= VERIFY {
            // What could not be read is looked at again, though it be the same: the fault may have been the machine's.
            let taken = house.take_up(prepared.unwrap_or_default()).await;
            known = taken.whole.then_some(marks);
            if reloads {
                systemd::ready();
            }
            verified = Instant::now();
            // Beside: a vault that is slow to answer must not hold up a revocation.
            if !taken.unread.is_empty() && preparing.is_none() {
                let config = Arc::clone(&house.serving().config);
                preparing = Some(spawn_blocking(move || Prepared::missing(&config, &taken.unread)));
            }
        }
        // Beside, too.
        if renewing.as_ref().is_none_or(JoinHandle::is_finished) {
            renewing = Some(tokio::spawn(renewal::look(Arc::clone(&house))));
        }
        // Beside, and one at a time: a slow disk, or another process at the file, must not hold up a revocation.
        if (reloads || kept.elapsed() >= KEEP) && keeping.as_ref().is_none_or(JoinHandle::is_finished) {
            keeping = Some(tokio::spawn(keep_head(Arc::clone(&house))));
            kept = Instant::now();
        }
    }
}

/// What was read beside, for the next look at everything.
#[derive(Default)]
struct Prepared {
    /// The configuration that is there, where it is to be taken up.
    config: Option<Result<Config, Failure>>,
    gathered: Gathered,
}

impl Prepared {
    /// The configuration as it is now, and the secrets that it names. One that cannot be taken up asks nobody for any.
    fn anew(path: &Path, before: &Serving) -> Self {
        let config = Config::read(path).map_err(Failure::from).and_then(|config| {
            same_start(&before.config, &config)?;
            Ok(config)
        });
        let gathered = config.as_ref().map(|config| Gathered::of(config, |_| true)).unwrap_or_default();
        Self { config: Some(config), gathered }
    }

    /// The secrets of these plugins, as the configuration in force has them.
    fn missing(config: &Config, unread: &BTreeSet<PluginName>) -> Self {
        Self { config: None, gathered: Gathered::of(config, |name| unread.contains(name)) }
    }
}

/// What a look at everything came to.
struct Look {
    next: Serving,
    /// Why the configuration that is there was not taken up.
    misfit: Option<Failure>,
    taken: Taken,
}

/// How far a look got.
struct Taken {
    /// Whether everything that says what may be served could be read.
    whole: bool,
    /// Plugins that are not served because nobody has asked for their secrets yet.
    unread: BTreeSet<PluginName>,
}

impl Look {
    fn of((next, unread): (Serving, BTreeSet<PluginName>)) -> Self {
        Self { next, misfit: None, taken: Taken { whole: true, unread } }
    }

    fn of_nothing(nothing: Serving) -> Self {
        Self { next: nothing, misfit: None, taken: Taken { whole: false, unread: BTreeSet::new() } }
    }
}

impl House {
    /// Take up everything as it is now; the configuration too where one was prepared, or the one in force stays.
    async fn take_up(self: &Arc<Self>, prepared: Prepared) -> Taken {
        let before = self.serving();
        let house = Arc::clone(self);
        let looked = Arc::clone(&before);
        // Files are read and packages hashed: not on a thread that serves.
        let look = match spawn_blocking(move || house.look(&looked, prepared)).await {
            Ok(look) => look,
            // It panicked: what it would have said is not known, so nothing may be served.
            Err(_) => Look::of_nothing(self.nothing(&before, &Failure::failed("the plugins could not be looked at"))),
        };
        if let Some(misfit) = &look.misfit {
            tracing::error!(error = %misfit.message, "the configuration was not taken up; the one before stays in force");
            self.note(facts::config_refused(&misfit.message)).await;
        }
        self.replace(&before, look.next).await;
        look.taken
    }

    fn look(&self, before: &Serving, prepared: Prepared) -> Look {
        let shelf = match Shelf::open(&self.folders, self.environment, &self.keys) {
            Ok(shelf) => shelf,
            Err(failure) => return Look::of_nothing(self.nothing(before, &failure)),
        };
        let mut kept = shelf.retain(&before.plugins, &before.advisories);
        for lost in self.renewals.take_lost().iter().filter_map(|id| kept.remove(id)) {
            lost.life.end(Ended::Secretless);
        }
        let Prepared { config, gathered } = prepared;
        let Some(config) = config else { return Look::of(self.as_configured(&shelf, before, kept, &gathered)) };
        match config.and_then(|config| self.reconfigured(&shelf, before, &kept, config, &gathered)) {
            Ok(next) => Look::of(next),
            // What was gathered is of another configuration.
            Err(misfit) => {
                Look { misfit: Some(misfit), ..Look::of(self.as_configured(&shelf, before, kept, &Gathered::default())) }
            }
        }
    }

    /// What may be served, under the configuration that is there now.
    fn reconfigured(
        &self,
        shelf: &Shelf<'_>,
        before: &Serving,
        kept: &Plugins,
        config: Config,
        gathered: &Gathered,
    ) -> Result<(Serving, BTreeSet<PluginName>), Failure> {
        let advisories = Arc::new(Advisories::open(config.advisories.clone()).map_err(Failure::invalid)?);
        let kept = Kept { plugins: kept.clone(), rebind: true, refused: Vec::new() };
        let Loads { plugins, refused, unread } = shelf.load_all(&self.runtime, &config, &advisories, gathered, &kept);
        let policy = rules(&config, &shelf.lock, &manifests(&plugins), Names::Strict, Some(&before.policy))?;
        let grants = GrantLives::of(&config, Some(before));
        Ok((Serving { config: Arc::new(config), advisories, policy, plugins, refused, grants }, unread))
    }

    /// What may be served, under the configuration in force.
    fn as_configured(
        &self,
        shelf: &Shelf<'_>,
        before: &Serving,
        kept: Plugins,
        gathered: &Gathered,
    ) -> (Serving, BTreeSet<PluginName>) {
        let (config, kept) = (&before.config, Kept { plugins: kept, rebind: false, refused: before.refused.clone() });
        let Loads { plugins, mut refused, unread } = shelf.load_all(&self.runtime, config, &before.advisories, gathered, &kept);
        let serving = |policy, plugins, refused| Serving {
            config: Arc::clone(config),
            advisories: Arc::clone(&before.advisories),
            policy,
            plugins,
            refused,
            grants: GrantLives::of(config, Some(before)),
        };
        let misfit = match rules(config, &shelf.lock, &manifests(&plugins), Names::Lenient, Some(&before.policy)) {
            Ok(policy) => return (serving(policy, plugins, refused), unread),
            Err(misfit) => misfit.to_string(),
        };
        // What is new does not fit the configuration in force, which fits what was there before.
        let new = plugins.keys().filter(|id| !kept.plugins.contains_key(id));
        refused.extend(new.map(|plugin| Refused { plugin: plugin.clone(), reason: misfit.clone() }));
        let next = match rules(config, &shelf.lock, &manifests(&kept.plugins), Names::Lenient, Some(&before.policy)) {
            Ok(policy) => serving(policy, kept.plugins, refused),
            Err(misfit) => {
                let reason = misfit.to_string();
                refused.extend(kept.plugins.into_keys().map(|plugin| Refused { plugin, reason: reason.clone() }));
                serving(Policy::nothing(self.environment), Plugins::new(), refused)
            }
        };
        (next, unread)
    }

    /// Nothing: what says what may be served cannot be read or believed.
    fn nothing(&self, before: &Serving, failure: &Failure) -> Serving {
        before.plugins.values().for_each(|served| served.life.end(Ended::Revoked));
        let installed: BTreeSet<_> =
            before.plugins.keys().chain(before.refused.iter().map(|refused| &refused.plugin)).cloned().collect();
        Serving {
            config: Arc::clone(&before.config),
            advisories: Arc::clone(&before.advisories),
            policy: Policy::nothing(self.environment),
            plugins: Plugins::new(),
            grants: GrantLives::default(),
            refused: installed.into_iter().map(|plugin| Refused { plugin, reason: failure.message.clone() }).collect(),
        }
    }

    /// Serve `next` in place of `before`: what is over ends, what is new is written down, and then it counts.
    async fn replace(&self, before: &Serving, next: Serving) {
        if next.is(before) {
            return;
        }
        let over = || before.plugins.iter().filter(|(id, _)| !next.plugins.contains_key(id));
        before.grants.end_but(&next.grants);
        // All but what the configuration put out of service has ended already.
        over().for_each(|(_, served)| served.life.end(Ended::Removed));
        for (id, served) in over() {
            tracing::warn!(plugin = %id, why = served.life.ended().map(Ended::as_str), "a plugin is no longer served");
            if !next.refused.iter().any(|refused| refused.plugin == *id) {
                self.note(facts::removed(served)).await;
            }
        }
        for refused in next.refused.iter().filter(|refused| !before.refused.contains(refused)) {
            self.note(facts::load_failed(refused)).await;
        }
        for (id, served) in &next.plugins {
            if !before.plugins.get(id).is_some_and(|before| Arc::ptr_eq(&before.life, &served.life)) {
                tracing::info!(plugin = %id, version = %served.plugin.manifest().plugin.version, "a plugin is served");
                self.note(facts::loaded(served)).await;
            }
        }
        if !Arc::ptr_eq(&next.config, &before.config) {
            tracing::info!(sha256 = next.config.sha256, "the configuration was taken up");
            self.note(facts::config_loaded(&next.config)).await;
        }
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.changes.send_modify(|count| *count += 1);
    }

    /// On record, if it can be. Where it cannot, no call can be begun either, so it is taken up all the same: it may be a revocation.
    pub(crate) async fn note(&self, facts: EventFacts) {
        if let Err(reason) = self.log.event(facts, clock::now()).await {
            tracing::error!(%reason, "a change of what is served could not be recorded");
        }
    }
}

/// Sign the log and keep its newest checkpoint outside of it.
async fn keep_head(house: Arc<House>) {
    if let Err(error) = house.log.sign().await {
        tracing::error!(%error, "the audit log could not be signed");
    }
    let kept = spawn_blocking(move || house.head.keep(&house.log)).await;
    if let Ok(Err(failure)) = kept {
        tracing::error!(error = %failure.message, "the audit log's newest checkpoint could not be kept");
    }
}

/// What only a start takes up must be what it was: accepted and not in force would be a lie.
fn same_start(before: &Config, now: &Config) -> Result<(), Failure> {
    let settings = [
        ("environment", before.environment == now.environment),
        ("limits", before.maxima == now.maxima),
        ("audit", before.audit == now.audit),
        ("calls.in_flight", before.calls.in_flight == now.calls.in_flight),
        // The listening socket is what it is; everything else of `[http]` counts from the next request or connection on.
        ("http.tls", before.http.tls.is_some() == now.http.tls.is_some()),
        ("console.enabled", before.console.enabled == now.console.enabled),
        ("telemetry", before.telemetry == now.telemetry),
        ("http.plaintext", before.http.plaintext == now.http.plaintext),
    ];
    match settings.into_iter().find(|(_, same)| !same) {
        None => Ok(()),
        Some((setting, _)) => Err(Failure::invalid(format!(
            "{}: `{setting}` is another one, and takes effect only when casemate starts\nhelp: restart the server, or put it back",
            now.path.display()
        ))),
    }
}
