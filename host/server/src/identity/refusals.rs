//! Refusals at the door, for the log: the first few of a minute one by one, the rest counted. Whoever knocks cannot fill the log.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use casemate_audit::{EventFacts, EventKind, HOST, Outcome};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::house::Recorder;

/// Records of single refusals in one [`SPAN`].
const SINGLE: usize = 10;
/// What the rest is counted over.
const SPAN: Duration = Duration::from_secs(60);
/// How soon a refusal is written down.
const SOON: Duration = Duration::from_millis(500);

/// Refusals that wait to be written down; never more than a minute's.
#[derive(Default)]
pub struct Refusals(Mutex<State>);

#[derive(Default)]
struct State {
    begun: Option<Instant>,
    singles: usize,
    waiting: Vec<&'static str>,
    counted: BTreeMap<&'static str, u64>,
}

/// What is to be written.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    reason: &'static str,
    times: u64,
}

impl Refusals {
    /// Somebody was refused. Only why is kept: what they presented is a secret, or made up.
    pub fn note(&self, reason: &'static str) {
        self.note_at(reason, Instant::now());
    }

    fn note_at(&self, reason: &'static str, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.begun.get_or_insert(now);
        if state.singles < SINGLE {
            state.singles += 1;
            state.waiting.push(reason);
        } else {
            *state.counted.entry(reason).or_default() += 1;
        }
    }

    /// What can be written now; with `all`, what was counted in a minute that is not over yet, too.
    fn take(&self, all: bool, now: Instant) -> Vec<Entry> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries: Vec<Entry> = state.waiting.drain(..).map(|reason| Entry { reason, times: 1 }).collect();
        if all || state.begun.is_some_and(|begun| now.saturating_duration_since(begun) >= SPAN) {
            entries.extend(std::mem::take(&mut state.counted).into_iter().map(|(reason, times)| Entry { reason, times }));
            (state.begun, state.singles) = (None, 0);
        }
        entries
    }

    /// Write them down until `shutdown`, and what is left then.
    pub async fn follow(&self, recorder: &Recorder, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(SOON) => {}
            }
            self.write(recorder, false).await;
        }
    }

    /// Write down what is left.
    pub async fn finish(&self, recorder: &Recorder) {
        self.write(recorder, true).await;
    }

    async fn write(&self, recorder: &Recorder, all: bool) {
        for Entry { reason, times } in self.take(all, Instant::now()) {
            let fields = json!({ "reason": reason, "times": times });
            recorder
                .note(EventFacts { kind: EventKind::AuthRefused, principal: HOST.to_owned(), outcome: Outcome::Denied, fields })
                .await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_records_a_minute() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        for _ in 0..10_000 {
            refusals.note_at("token-unknown", now);
        }
        refusals.note_at("token-expired", now);
        assert_eq!(refusals.take(false, now).len(), SINGLE);
        assert!(refusals.take(false, now).is_empty(), "the rest is counted until the minute is over");
        let counted = [Entry { reason: "token-expired", times: 1 }, Entry { reason: "token-unknown", times: 9_990 }];
        assert_eq!(refusals.take(false, now + SPAN), counted);
        refusals.note_at("token-unknown", now + SPAN);
        let single = [Entry { reason: "token-unknown", times: 1 }];
        assert_eq!(refusals.take(false, now + SPAN), single, "the next minute begins anew");
    }

    #[test]
    fn nothing_is_lost_at_the_end() {
        let (refusals, now) = (Refusals::default(), Instant::now());
        (0..20).for_each(|_| refusals.note_at("token-unknown", now));
        assert_eq!(refusals.take(true, now).iter().map(|entry| entry.times).sum::<u64>(), 20);
        assert!(refusals.take(true, now).is_empty());
    }
}
