//! A caller's own calls, from the audit log: what it was told of them, and nothing that is for the operator.
//!
//! What is left out: the layers' verdicts and notes, what an operator would change, causes, requests with their upstreams, budgets,
//! approvers, and every record of anybody else.

use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    sync::{Mutex, PoisonError},
};

use casemate_audit::{Entry, EventId, Filter, read_recent};
use casemate_policy::PrincipalId;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::open::chains;

/// Where it is read.
pub(super) const URI: &str = "casemate://audit/self";
/// One call of it.
pub(super) const TEMPLATE: &str = "casemate://audit/self/{audit_id}";

/// Records that are shown; older ones are the operator's to look up.
const MAX_RECORDS: usize = 100;
/// Segments of each chain that are looked through: some ten thousand records.
const SEGMENTS: usize = 2;

/// Reads of the log at once: one may be of many megabytes.
const AT_ONCE: usize = 2;

/// What a record says of a call to the one who made it.
const CORE: [&str; 5] = ["event_id", "event_type", "occurred_at", "outcome", "tool_name"];
const FACTS: [&str; 12] = [
    "approval",
    "arguments",
    "call_id",
    "duration_us",
    "effect",
    "ending",
    "intent",
    "labels",
    "message",
    "mode",
    "reason",
    "retry_after_ms",
];
/// Records that are about calls.
const CALLS: [&str; 4] = ["intent", "outcome", "denied", "deferred"];

/// The newest records of a principal's calls, newest first; or those of one call, by its audit id.
pub(super) fn read(state: &Path, principal: &PrincipalId, id: Option<EventId>) -> Result<Vec<Value>, String> {
    let mut newest: VecDeque<(String, String, Value)> = VecDeque::new();
    for (_, dir) in chains(state).map_err(|failure| failure.message)?.0 {
        let filter = Filter { principal: Some(principal.to_string()), event: id, ..Filter::default() };
        let mut of_chain: VecDeque<Entry> = VecDeque::new();
        for entry in read_recent(&dir, filter, SEGMENTS).map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            // Filtered already; a record of another's is nothing that rests on one comparison.
            if entry.principal_id() == principal.as_str() && CALLS.contains(&entry.event_type()) {
                of_chain.push_back(entry);
                if of_chain.len() > MAX_RECORDS {
                    of_chain.pop_front();
                }
            }
        }
        newest.extend(of_chain.iter().map(|entry| (entry.occurred_at().to_owned(), entry.event_id().to_owned(), shown(entry))));
    }
    newest.make_contiguous().sort_by(|a, b| (&b.0, &b.1).cmp(&(&a.0, &a.1)));
    Ok(newest.into_iter().take(MAX_RECORDS).map(|(_, _, record)| record).collect())
}

fn shown(entry: &Entry) -> Value {
    let core = CORE.into_iter().filter_map(|name| Some((name, entry.raw.get(name)?)));
    let facts = FACTS.into_iter().filter_map(|name| Some((name, entry.field(name)?)));
    let present = core.chain(facts).filter(|(_, value)| value.as_str() != Some(""));
    Value::Object(present.map(|(name, value)| (name.to_owned(), value.clone())).collect::<Map<_, _>>())
}

/// How often something became of a principal's calls: what it watches is its own and tells nothing of others.
#[derive(Debug)]
pub(crate) struct Activity {
    counts: Mutex<HashMap<PrincipalId, u64>>,
    places: Semaphore,
}

impl Default for Activity {
    fn default() -> Self {
        Self { counts: Mutex::default(), places: Semaphore::new(AT_ONCE) }
    }
}

impl Activity {
    /// Once more.
    pub(crate) fn note(&self, principal: &PrincipalId) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(principal.clone()).or_default() += 1;
    }

    /// A place among those who read the log; held while it is read.
    pub(super) async fn place(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.places.acquire().await.ok()
    }

    pub(super) fn of(&self, principal: &PrincipalId) -> u64 {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).get(principal).copied().unwrap_or_default()
    }
}
