//! Where it is put on record what people do beside calls: in the chain of the house they stand in, or as a command does.

use std::{path::PathBuf, sync::Arc};

use casemate_audit::{EventFacts, EventKind, Outcome};
use serde_json::Value;
use tokio::runtime::Handle;

use super::{House, write_event};
use crate::{clock, exit::Failure};

/// Whose chain it is written to.
#[derive(Clone)]
pub enum Recorder {
    /// That of a server.
    House(Arc<House>),
    /// One in this environment's state, opened for each record.
    State(PathBuf),
}

impl Recorder {
    /// On disk when this returns. It waits, so it is called where waiting is allowed.
    pub(crate) fn write(&self, facts: EventFacts) -> Result<(), Failure> {
        match self {
            Self::House(house) => {
                Handle::current().block_on(house.log.event(facts, clock::now()))?;
                Ok(())
            }
            Self::State(state) => write_event(state, facts),
        }
    }

    /// What somebody does: on record before it is done.
    pub(crate) fn act(&self, kind: EventKind, principal: &str, fields: Value) -> Result<(), Failure> {
        self.write(EventFacts { kind, principal: principal.to_owned(), outcome: Outcome::Allowed, fields })
    }

    /// On record, if it can be.
    pub(crate) async fn note(&self, facts: EventFacts) {
        match self {
            Self::House(house) => house.note(facts).await,
            Self::State(state) => {
                let state = state.clone();
                let written = tokio::task::spawn_blocking(move || write_event(&state, facts)).await;
                if let Ok(Err(failure)) = written {
                    tracing::error!(reason = failure.message, "what happened could not be recorded");
                }
            }
        }
    }
}
