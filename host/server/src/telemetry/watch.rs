//! One call, watched from its beginning to its end. What is learned of it is told when it is over, whatever way it took.
//!
//! Only what the pipeline hands in here can be told: words of enumerations, names of manifests, times and counts. Arguments, targets, URLs
//! and texts are not among them.

use std::{
    borrow::Cow,
    sync::{Mutex, PoisonError},
    time::{Instant, SystemTime},
};

use casemate_audit::OutcomeFacts;
use casemate_sandbox::{Exchange, RunFacts};

use super::{Parts, stage::Stage, subject::Subject};
use crate::trace::Lineage;

/// How a call ended that was never told to have ended: the host could not record or account for it, or stopped.
const UNAVAILABLE: &str = "unavailable";

/// A call that is watched, or is not.
pub(crate) struct Watch<'a>(Option<Box<Watched<'a>>>);

/// What is known of a call at once.
pub(super) struct Known {
    pub(super) subject: Subject,
    pub(super) call_id: String,
    pub(super) via: &'static str,
    /// Who calls, where the operator wants it told.
    pub(super) principal: Option<String>,
    pub(super) lineage: Lineage,
}

struct Watched<'a> {
    parts: &'a Parts,
    known: Known,
    began: (Instant, SystemTime),
    seen: Mutex<Seen>,
}

/// What is learned of it on its way.
#[derive(Default)]
pub(super) struct Seen {
    /// In the order in which they ended.
    pub(super) stages: Vec<(Stage, Instant, Instant)>,
    pub(super) requests: Vec<Exchange>,
    pub(super) outcome: Option<Cow<'static, str>>,
    /// What refused it, and why.
    pub(super) denial: Option<(Cow<'static, str>, Cow<'static, str>)>,
    pub(super) mode: Option<&'static str>,
    pub(super) fuel: Option<u64>,
    pub(super) flags: Vec<String>,
}

/// A call that is over.
pub(super) struct Story {
    pub(super) known: Known,
    pub(super) began: (Instant, SystemTime),
    pub(super) ended: Instant,
    pub(super) seen: Seen,
}

impl Story {
    /// How it ended.
    pub(super) fn outcome(&self) -> Cow<'static, str> {
        self.seen.outcome.clone().unwrap_or(UNAVAILABLE.into())
    }
}

/// A stage that is under way, until this is dropped.
#[must_use = "a stage lasts as long as this"]
pub(crate) struct Timed<'a>(Option<(&'a Watched<'a>, Stage, Instant)>);

impl<'a> Watch<'a> {
    pub(super) fn nothing() -> Self {
        Self(None)
    }

    pub(super) fn begin(parts: &'a Parts, known: Known) -> Self {
        let began = (Instant::now(), SystemTime::now());
        Self(Some(Box::new(Watched { parts, known, began, seen: Mutex::default() })))
    }

    /// A stage begins.
    pub(crate) fn stage(&self, stage: Stage) -> Timed<'_> {
        Timed(self.0.as_deref().map(|watched| (watched, stage, Instant::now())))
    }

    /// It was refused: by what, and why. Both are words of enumerations.
    pub(crate) fn denied(&self, layer: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) {
        self.learn(|seen| (seen.denial, seen.outcome) = (Some((layer.into(), reason.into())), Some("denied".into())));
    }

    /// It waits for a person.
    pub(crate) fn deferred(&self) {
        self.learn(|seen| seen.outcome = Some("deferred".into()));
    }

    /// It is permitted, for real or as a dry run.
    pub(crate) fn permitted(&self, mode: &'static str) {
        self.learn(|seen| seen.mode = Some(mode));
    }

    /// What it used and sent.
    pub(crate) fn ran(&self, facts: &RunFacts) {
        self.learn(|seen| {
            seen.requests.clone_from(&facts.exchanges);
            seen.fuel = Some(facts.spent.fuel);
        });
    }

    /// It ended as the audit log says. `refused` is what refused it on its way, where something did.
    pub(crate) fn ended(&self, outcome: &OutcomeFacts, refused: Option<(&'static str, &'static str)>) {
        self.learn(|seen| {
            seen.outcome = Some(outcome.ending.clone());
            seen.flags.clone_from(&outcome.flags);
            seen.denial = refused.map(|(layer, reason)| (layer.into(), reason.into()));
        });
    }

    fn learn(&self, learn: impl FnOnce(&mut Seen)) {
        if let Some(watched) = &self.0 {
            learn(&mut watched.seen.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Drop for Timed<'_> {
    fn drop(&mut self) {
        if let Some((watched, stage, began)) = self.0.take() {
            let mut seen = watched.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.stages.push((stage, began, Instant::now()));
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(watched) = self.0.take() {
            let Watched { parts, known, began, seen } = *watched;
            let seen = seen.into_inner().unwrap_or_else(PoisonError::into_inner);
            parts.tell(&Story { known, began, ended: Instant::now(), seen });
        }
    }
}
