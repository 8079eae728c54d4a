//! A caller's standing: its refusals are counted, and too many pause it until a person resumes it.

use casemate_audit::{EventFacts, EventKind, Outcome};
use casemate_policy::{Denied, Layer, breaker::Trip};
use tokio::task::block_in_place;
use tracing::error;

use super::Way;
use crate::clock;

impl Way<'_> {
    /// What a refusal does to its caller's standing.
    pub(super) async fn misconduct(&self, denied: &Denied) {
        match (denied.trip(), denied.layer()) {
            (Some(trip), _) => self.pause(trip).await,
            // Whoever waits for a budget or is paused already does what it was told, or nothing new; and what is not there for a caller
            // any more is the operator's doing.
            (None, Layer::Budget | Layer::Breaker | Layer::Catalog | Layer::Identity) => {}
            (None, _) => self.count_denial(denied.tool()),
        }
    }

    async fn pause(&self, trip: Trip) {
        let who = self.principal.id();
        match block_in_place(|| self.house.ledger.pause(who, trip, clock::now())) {
            Ok(true) => {
                tracing::warn!(principal = %who, why = %trip, "a caller was paused");
                let event = EventFacts {
                    kind: EventKind::BreakerOpened,
                    principal: who.to_string(),
                    outcome: Outcome::Denied,
                    fields: serde_json::json!({ "limit": trip.as_str(), "why": trip.to_string() }),
                };
                self.house.note(event).await;
            }
            Ok(false) => {}
            Err(reason) => error!(%reason, principal = %who, "a caller could not be paused"),
        }
    }

    pub(super) fn count_denial(&self, tool: &str) {
        if self.serving.policy().guards().breaker.denials.is_none() {
            return;
        }
        let who = self.principal.id();
        if let Err(reason) = block_in_place(|| self.house.ledger.note_denial(who, tool, clock::now())) {
            error!(%reason, principal = %who, "a refusal could not be counted");
        }
    }
}
