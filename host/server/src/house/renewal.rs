//! Secrets are renewed while plugins are served: what is in a file when the file changes, the rest when its time is up.
//!
//! A provider that says no is believed at once, and its plugin is no longer served. One that says nothing is not: what it said last is
//! sent for as long as the operator allows, and that is on record.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use casemate_signing::manifest::PluginId;

use super::{House, facts, serving::Served};
use crate::config::{Mark, PluginConfig};

/// How often a silent provider is asked again, at most.
const AGAIN: Duration = Duration::from_secs(10);

/// What is known of the secrets of each plugin that is served.
#[derive(Default)]
pub(super) struct Renewals {
    known: Mutex<BTreeMap<PluginId, Known>>,
    /// Plugins that may not be served with what they have.
    lost: Mutex<BTreeSet<PluginId>>,
}

/// One plugin's secrets as they were read last.
struct Known {
    of: Arc<Served>,
    marks: Vec<Mark>,
    asked: Instant,
    /// Since when a provider says nothing.
    silent: Option<Instant>,
}

impl Renewals {
    /// Whether a plugin has to be taken out of service.
    pub(super) fn is_any_lost(&self) -> bool {
        !lock(&self.lost).is_empty()
    }

    /// The plugins that have to be.
    pub(super) fn take_lost(&self) -> BTreeSet<PluginId> {
        std::mem::take(&mut *lock(&self.lost))
    }

    /// Whether the secrets of a plugin have to be read again, and since when a provider has been silent.
    fn due(&self, id: &PluginId, served: &Arc<Served>, config: &PluginConfig) -> Option<Option<Instant>> {
        let mut all = lock(&self.known);
        let known = all.entry(id.clone()).and_modify(|known| {
            if !Arc::ptr_eq(&known.of, served) {
                *known = Known::new(served);
            }
        });
        let known = known.or_insert_with(|| Known::new(served));
        let marks: Vec<Mark> = config.secret_sources().map(|(_, _, source)| source.mark()).collect();
        let changed = known.marks != marks && marks.iter().chain(&known.marks).any(Option::is_some);
        let refresh = config.secret_sources().filter_map(|(_, _, source)| source.refresh).min();
        let refresh = refresh.map(|refresh| if known.silent.is_some() { refresh.min(AGAIN) } else { refresh });
        let over = refresh.is_some_and(|refresh| known.asked.elapsed() >= refresh);
        // Taken before the files are read: a change in between is seen as one.
        known.marks = marks;
        if changed || over {
            known.asked = Instant::now();
        }
        (changed || over).then_some(known.silent)
    }

    fn silent(&self, id: &PluginId, since: Option<Instant>) {
        if let Some(known) = lock(&self.known).get_mut(id) {
            known.silent = since;
        }
    }

    fn forget_but(&self, kept: &BTreeSet<PluginId>) {
        lock(&self.known).retain(|id, _| kept.contains(id));
    }
}

impl Known {
    /// A file that changed between the load and the first look is read once more.
    fn new(served: &Arc<Served>) -> Self {
        Self { of: Arc::clone(served), marks: Vec::new(), asked: Instant::now(), silent: None }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Look at every plugin's secrets once.
pub(super) async fn look(house: Arc<House>) {
    let serving = house.serving();
    let mut kept = BTreeSet::new();
    for (id, served) in &serving.plugins {
        kept.insert(id.clone());
        let Some(config) = serving.config.plugins.get(&id.name) else { continue };
        let Some(silent) = house.renewals.due(id, served, config) else { continue };
        let (name, whole) = (id.name.clone(), Arc::clone(&serving.config));
        // Files and vaults are waited for: not on a thread that serves.
        let read = tokio::task::spawn_blocking(move || whole.plugins.get(&name).map(|config| config.resolve_secrets(&name)));
        match read.await {
            Ok(Some(Ok(secrets))) => {
                house.renewals.silent(id, None);
                if !served.plugin.sends(&secrets) {
                    served.plugin.renew(secrets);
                    tracing::info!(plugin = %id, "the secrets of a plugin were renewed");
                    house.note(facts::secrets_renewed(id)).await;
                }
            }
            Ok(Some(Err(error))) if error.fault.is_silence() => {
                let since = silent.unwrap_or_else(Instant::now);
                let sources = || config.secret_sources().filter(|(_, name, _)| *name == error.secret());
                let stale = sources().map(|(_, _, source)| source.stale).min().unwrap_or_default();
                if since.elapsed() >= stale {
                    lose(&house, id, &error.to_string()).await;
                } else if silent.is_none() {
                    tracing::warn!(plugin = %id, %error, ?stale, "a secret cannot be renewed; the last known value is sent until then");
                    house.note(facts::secrets_kept(id, &error.to_string(), stale)).await;
                }
                house.renewals.silent(id, Some(since));
            }
            Ok(Some(Err(error))) => lose(&house, id, &error.to_string()).await,
            Ok(None) | Err(_) => {}
        }
    }
    house.renewals.forget_but(&kept);
}

async fn lose(house: &House, id: &PluginId, error: &str) {
    tracing::warn!(plugin = %id, error, "a plugin has lost a secret and is no longer served");
    house.note(facts::secrets_lost(id, error)).await;
    lock(&house.renewals.lost).insert(id.clone());
}
