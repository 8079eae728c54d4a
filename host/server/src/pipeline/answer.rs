//! An answer that a call brings with it: whether it is one, and what it does.
//!
//! A client says whatever it likes. What counts is a note that this host wrote about this very call, an approval that is still open, and a
//! rule that lets the person at the client agree. Everything else is refused, and on record. Having agreed, the call goes on like any
//! other: nothing here permits it.

use std::ops::ControlFlow;

use casemate_audit::{CallFacts, EventFacts, EventKind, Outcome, Withdrawal};
use casemate_ledger::{Approval, ApprovalError, Closed, State};
use casemate_policy::{Decision, Deferred, approval::ApprovalId};
use casemate_sandbox::Effects;
use serde_json::json;
use tokio::task::block_in_place;
use tracing::info;

use super::{Way, told, unavailable};
use crate::{
    approval::{self, Broken},
    clock,
    mcp::{Answer, FORGED, Question, Reply, Said},
    reply::{self, Refused},
};

/// In place of an audit id, where nothing was decided that was not decided before.
const UNRECORDED: &str = "none";

/// Why an answer is none, or is no.
#[derive(Debug, thiserror::Error)]
enum Unheard {
    #[error("the answer does not belong to this call: nobody was asked this here")]
    Forged,
    #[error("the answer came too late: the question has expired")]
    Expired,
    #[error("approval {0} {1}")]
    Closed(ApprovalId, Closed),
    #[error("approval {0} is no longer one that the person at the client can give for this call")]
    Changed(ApprovalId),
    #[error("the answer is neither yes nor no; approval {0} still waits")]
    Unclear(ApprovalId),
    #[error("the call is permitted without approval {0} now, which it was to wait for")]
    Unneeded(ApprovalId),
    #[error("the person at the client said no to approval {0}; nothing was sent")]
    Declined(ApprovalId),
    #[error("{0}")]
    Unavailable(String),
}

impl Unheard {
    fn code(&self) -> &'static str {
        match self {
            Self::Forged => FORGED,
            Self::Expired => "answer-expired",
            Self::Closed(..) => "approval-gone",
            Self::Changed(_) => "answer-outdated",
            Self::Unclear(_) => "answer-unclear",
            Self::Declined(_) => "declined",
            Self::Unneeded(_) => "approval-unneeded",
            Self::Unavailable(_) => "unavailable",
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::Declined(_) | Self::Closed(_, Closed::Denied | Closed::Withdrawn) => {
                "Do not make this call again unless the user asks for it."
            }
            Self::Unclear(_) => "The user can be asked again: make exactly the same call.",
            Self::Unneeded(_) => "Nothing was sent. Make the call anew, if it is still wanted.",
            Self::Forged | Self::Expired | Self::Closed(..) | Self::Changed(_) => {
                "Make exactly the same call again, without an answer: it is asked about anew."
            }
            Self::Unavailable(_) => "",
        }
    }
}

/// What a person said of an approval that is open.
struct Heard {
    id: ApprovalId,
    /// The digest of what was agreed to; none where the person said no.
    agreed: Option<String>,
}

impl From<ApprovalError> for Unheard {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Closed { id, fault } => Self::Closed(id, fault),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl Way<'_> {
    /// Take an answer. The call goes on, and is decided on as it stands then, or ends here. Gives whether somebody has agreed to it now.
    pub(super) async fn hear(&self, answer: &Answer, facts: &CallFacts) -> ControlFlow<Reply, bool> {
        let heard = match self.heard(answer) {
            Ok(Some(heard)) => heard,
            Ok(None) => return ControlFlow::Continue(false),
            Err(unheard) => return ControlFlow::Break(self.unheard(&unheard, facts).await),
        };
        let (who, agreed, id) = (in_band(self), heard.agreed.is_some(), heard.id.clone());
        info!(approval = %id, by = who, agreed, "the person at the client answered");
        let event = EventFacts {
            kind: if agreed { EventKind::ApprovalVoted } else { EventKind::ApprovalWithdrawn },
            principal: self.principal.id().to_string(),
            outcome: Outcome::Allowed,
            fields: json!({ "approval": id.as_str(), "approver": who, "said": if agreed { "approve" } else { "deny" } }),
        };
        // Written down before it counts.
        if let Err(reason) = self.house.log.event(event, clock::now()).await {
            return ControlFlow::Break(unavailable(&reason));
        }
        match self.enter(heard) {
            Ok(()) if agreed => ControlFlow::Continue(true),
            Ok(()) => ControlFlow::Break(self.unheard(&Unheard::Declined(id), facts).await),
            Err(unheard) => ControlFlow::Break(self.unheard(&unheard, facts).await),
        }
    }

    /// Make it count in the ledger.
    fn enter(&self, heard: Heard) -> Result<(), Unheard> {
        let (ledger, now) = (&self.house.ledger, clock::now());
        block_in_place(|| match &heard.agreed {
            Some(digest) => ledger.agree_in_band(&heard.id, digest, now),
            None => ledger.withdraw(&heard.id, &in_band(self), now),
        })?;
        Ok(())
    }

    /// What the person said of which approval; none where the answer changes nothing.
    fn heard(&self, answer: &Answer) -> Result<Option<Heard>, Unheard> {
        let approval = self.asked_about(&answer.state)?;
        let id = approval.open.id.clone();
        match answer.said {
            Said::Nothing => return Ok(None),
            Said::Unclear => return Err(Unheard::Unclear(id)),
            Said::No => return Ok(Some(Heard { id, agreed: None })),
            Said::Yes => {}
        }
        match self.judge().map_err(Unheard::Unavailable)? {
            Decision::Deferred(deferred) if deferred.asks_in_band(&approval.open, clock::now()) => {}
            Decision::Deferred(_) => return Err(Unheard::Changed(id)),
            // Nobody has to be asked any more, or the call is refused whatever was said: the decision that follows says which.
            Decision::Permit(_) | Decision::Denied(_) => return Ok(None),
        }
        let digest = approval.open.subject.digest().ok_or(Unheard::Forged)?;
        Ok(Some(Heard { id, agreed: Some(digest) }))
    }

    /// The open approval that the note is about, if this host wrote it for this call.
    fn asked_about(&self, note: &str) -> Result<Approval, Unheard> {
        let opened = self.house.keys.notes.open(note, self.house.environment(), self.principal.id(), self.call);
        let note = opened.map_err(|broken| match broken {
            Broken::Forged => Unheard::Forged,
            Broken::Expired => Unheard::Expired,
        })?;
        let approval = self.open(&note.approval().ok_or(Unheard::Forged)?)?;
        if approval.open.subject.digest().as_deref() != Some(note.subject()) {
            return Err(Unheard::Closed(approval.open.id, Closed::Changed));
        }
        Ok(approval)
    }

    fn open(&self, id: &ApprovalId) -> Result<Approval, Unheard> {
        let found = self.house.ledger.approval(id, clock::now()).map_err(|error| Unheard::Unavailable(error.to_string()))?;
        let approval = found.ok_or_else(|| Unheard::Closed(id.clone(), Closed::Unknown))?;
        match approval.state {
            State::Open => Ok(approval),
            State::Expired => Err(Unheard::Closed(id.clone(), Closed::Expired)),
            State::Closed(fault) => Err(Unheard::Closed(id.clone(), fault)),
        }
    }

    /// Whether the call, which is not permitted, still waits for this approval. That it does is not written down each time somebody looks.
    pub(super) async fn awaits(&self, deferred: &Deferred, id: &ApprovalId, facts: CallFacts) -> Reply {
        match self.open(id) {
            Ok(approval) if deferred.is_about(&approval.open, clock::now()) => {
                self.watch.deferred();
                reply::waiting(deferred, id, None, UNRECORDED)
            }
            Ok(_) => self.unheard(&Unheard::Closed(id.clone(), Closed::Changed), &facts).await,
            Err(unheard) => self.unheard(&unheard, &facts).await,
        }
    }

    /// A call that was to be made under this approval, and would be made without it: what became of the approval is the answer.
    pub(super) async fn not_awaited(&self, id: &ApprovalId, facts: CallFacts) -> Reply {
        let unheard = self.open(id).err().unwrap_or_else(|| Unheard::Unneeded(id.clone()));
        self.unheard(&unheard, &facts).await
    }

    async fn unheard(&self, unheard: &Unheard, facts: &CallFacts) -> Reply {
        if let Unheard::Unavailable(reason) = unheard {
            return unavailable(reason);
        }
        let (code, message, now) = (unheard.code(), unheard.to_string(), clock::now());
        self.watch.denied("approval", code);
        info!(tool = %self.call.tool().escape_debug(), reason = code, "an answer was refused");
        if matches!(unheard, Unheard::Forged) {
            self.count_denial(self.call.tool());
        }
        let why = Withdrawal { layer: "approval".into(), reason: code.into(), message: message.clone(), retry_after_ms: None };
        let recorded = self.house.log.turned_away(self.principal.id(), self.call.tool(), facts.clone(), why, now).await;
        told(recorded, |audit_id| {
            Refused {
                decision: "denied",
                reason: code,
                message: &message,
                remedy: unheard.remedy(),
                effects: Effects::None,
                retry_after_ms: None,
            }
            .reply(audit_id)
        })
    }

    /// What the person at the client is asked of a call that waits; none where it is not for them to say.
    pub(super) fn question(&self, deferred: &Deferred, id: &ApprovalId) -> Option<Question> {
        let now = clock::now();
        let approval = self.house.ledger.approval(id, now).ok().flatten()?;
        if !deferred.asks_in_band(&approval.open, now) {
            return None;
        }
        approval::question(&approval, &self.house.keys.notes, self.serving.config(), now)
    }
}

/// Who the person at the client is, as far as anybody knows.
fn in_band(way: &Way<'_>) -> String {
    format!("in-band:{}", way.principal.id())
}
