//! The calls of late, as the audit log has them: the last ones, how many there are, why some were refused, and how long they take.
//!
//! Of arguments, messages and results nothing is kept.

use std::collections::{BTreeMap, VecDeque};

use casemate_audit::Entry;
use casemate_policy::Timestamp;
use serde_json::Value;

use super::{super::Text, history::Latency};

/// Calls that can be looked through.
const LAST: usize = 500;
/// How long one bar of the picture lasts.
pub(crate) const STEP_MS: i64 = 5_000;
/// Bars that are kept: as many as the widest terminal has columns for.
const STEPS: usize = 512;
/// A minute, of which a rate is told.
const MINUTE_MS: i64 = 60_000;
/// Refusals are counted for so long.
pub(crate) const REFUSED_MS: i64 = 3_600_000;
/// Refusals and durations that are kept at most.
const KEPT: usize = 10_000;
/// Durations are told of so long.
const DURATIONS_MS: i64 = 300_000;

/// What has become of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Running,
    Allowed,
    Denied,
    /// For a person.
    Waits,
    Failed,
    Unknown,
}

impl Standing {
    /// The word that is shown.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Waits => "waits",
            Self::Failed => "error",
            Self::Unknown => "unknown",
        }
    }

    fn of(entry: &Entry) -> Self {
        match entry.outcome() {
            "allowed" => Self::Allowed,
            "denied" => Self::Denied,
            "deferred" => Self::Waits,
            "error" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// Its audit id.
    pub(crate) id: Text,
    pub(crate) at: Timestamp,
    pub(crate) tool: Text,
    pub(crate) principal: Text,
    pub(crate) standing: Standing,
    /// How it ended, or why it was not made: a stable word.
    pub(crate) why: Text,
    /// In microseconds.
    pub(crate) took: Option<u64>,
}

/// What began in one step of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) calls: u64,
    pub(crate) denied: u64,
    pub(crate) waits: u64,
}

/// Refusals for one reason.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Denials {
    pub(crate) reason: Text,
    pub(crate) count: u64,
    /// The newest.
    pub(crate) last: Timestamp,
    pub(crate) tool: Text,
    pub(crate) principal: Text,
}

#[derive(Debug, Clone)]
struct Denial {
    at: Timestamp,
    reason: Text,
    tool: Text,
    principal: Text,
}

/// The calls of late.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    /// The newest last.
    last: VecDeque<Call>,
    /// By step of time.
    steps: BTreeMap<i64, Tally>,
    denials: VecDeque<Denial>,
    /// When each ended, and how long it took.
    durations: VecDeque<(Timestamp, u64)>,
    newest: Option<Timestamp>,
}

impl Calls {
    /// Take up a record, in the order of its chain.
    pub(super) fn take(&mut self, entry: &Entry) {
        let Ok(at) = entry.occurred_at().parse::<Timestamp>() else { return };
        self.newest = self.newest.max(Some(at));
        match entry.event_type() {
            "intent" => self.begin(entry, at, Standing::Running, ""),
            "denied" => {
                self.begin(entry, at, Standing::Denied, "reason");
                self.refuse(entry, at, "reason");
            }
            "deferred" => self.begin(entry, at, Standing::Waits, "reason"),
            "outcome" => self.end(entry, at),
            // Whoever could not prove who they are made no call.
            "auth.refused" => self.refuse(entry, at, "reason"),
            _ => {}
        }
    }

    fn begin(&mut self, entry: &Entry, at: Timestamp, standing: Standing, why: &str) {
        let tally = self.steps.entry(at.as_millis().div_euclid(STEP_MS)).or_default();
        tally.calls += 1;
        tally.denied += u64::from(standing == Standing::Denied);
        tally.waits += u64::from(standing == Standing::Waits);
        while self.steps.len() > STEPS {
            self.steps.pop_first();
        }
        self.push(Call {
            id: Text::of(entry.event_id()),
            at,
            tool: Text::of(entry.tool_name()),
            principal: Text::of(entry.principal_id()),
            standing,
            why: word(entry, why),
            took: None,
        });
    }

    fn end(&mut self, entry: &Entry, at: Timestamp) {
        let (standing, why) = (Standing::of(entry), word(entry, "ending"));
        // As every number of a record, a text.
        let took = entry.field("duration_us").and_then(|took| took.as_str()?.parse().ok());
        if let Some(took) = took {
            bounded(&mut self.durations, (at, took));
        }
        if standing == Standing::Denied {
            self.refuse(entry, at, "ending");
        }
        let intent = word(entry, "intent");
        match self.last.iter_mut().rev().find(|call| call.id == intent) {
            Some(call) => (call.standing, call.why, call.took) = (standing, why, took),
            // It began before what was read.
            None => {
                let began = at.as_millis().saturating_sub_unsigned(took.unwrap_or_default() / 1000);
                self.push(Call {
                    id: intent,
                    at: Timestamp::from_millis(began),
                    tool: Text::of(entry.tool_name()),
                    principal: Text::of(entry.principal_id()),
                    standing,
                    why,
                    took,
                });
            }
        }
    }

    /// In the order in which they began: chains are read one after the other.
    fn push(&mut self, call: Call) {
        let place = self.last.iter().rposition(|before| before.at <= call.at).map_or(0, |before| before + 1);
        self.last.insert(place, call);
        if self.last.len() > LAST {
            self.last.pop_front();
        }
    }

    fn refuse(&mut self, entry: &Entry, at: Timestamp, reason: &str) {
        let reason = word(entry, reason);
        let reason = if reason.as_str().is_empty() { Text::of(entry.event_type()) } else { reason };
        let (tool, principal) = (Text::of(entry.tool_name()), Text::of(entry.principal_id()));
        bounded(&mut self.denials, Denial { at, reason, tool, principal });
    }

    /// The last ones, the newest first.
    pub(crate) fn last(&self) -> impl ExactSizeIterator<Item = &Call> {
        self.last.iter().rev()
    }

    /// Calls that began in the minute before.
    pub(crate) fn in_minute(&self, now: Timestamp) -> u64 {
        let now = now.as_millis().div_euclid(STEP_MS);
        self.steps.range(now - MINUTE_MS / STEP_MS + 1..=now).map(|(_, tally)| tally.calls).sum()
    }

    /// So many steps up to this moment, the newest last.
    pub(crate) fn steps(&self, now: Timestamp, count: usize) -> Vec<Tally> {
        let now = now.as_millis().div_euclid(STEP_MS);
        let back = i64::try_from(count).unwrap_or(i64::MAX);
        (now.saturating_sub(back) + 1..=now).map(|step| self.steps.get(&step).copied().unwrap_or_default()).collect()
    }

    /// What was refused in the last hour, by reason, the most frequent first.
    pub(crate) fn denials(&self, now: Timestamp) -> Vec<Denials> {
        let mut all: BTreeMap<&Text, Denials> = BTreeMap::new();
        let since = now.as_millis() - REFUSED_MS;
        for denial in self.denials.iter().filter(|denial| denial.at.as_millis() > since) {
            let Denial { at, reason, tool, principal } = denial.clone();
            let of = |count| Denials { reason, count, last: at, tool, principal };
            match all.get_mut(&denial.reason) {
                Some(known) if known.last <= at => *known = of(known.count + 1),
                Some(known) => known.count += 1,
                None => {
                    all.insert(&denial.reason, of(1));
                }
            }
        }
        let mut all: Vec<Denials> = all.into_values().collect();
        all.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| b.last.cmp(&a.last)));
        all
    }

    /// How long calls took, of those that ended lately.
    pub(crate) fn latency(&self, now: Timestamp) -> Latency {
        let since = now.as_millis() - DURATIONS_MS;
        let lately = self.durations.iter().filter(|(at, _)| at.as_millis() > since).map(|(_, took)| *took);
        Latency::of_micros("whole run", lately.collect())
    }

    /// When the newest record was written.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        self.newest
    }
}

fn bounded<T>(kept: &mut VecDeque<T>, one: T) {
    kept.push_back(one);
    if kept.len() > KEPT {
        kept.pop_front();
    }
}

/// A fact of a record, where it is a word. What is not about a call keeps its facts one level down.
pub(super) fn word(entry: &Entry, name: &str) -> Text {
    let fact = entry.field(name).or_else(|| entry.field("fields")?.get(name));
    Text::of(fact.and_then(Value::as_str).unwrap_or_default())
}
