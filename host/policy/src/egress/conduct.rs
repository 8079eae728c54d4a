//! The conduct of one run: what it has read, what it would have sent, and how far it has come in the plan that was agreed to.
//!
//! It is asked of every request a running plugin makes, and told every answer. It waits for nothing: requests of one run that
//! are under way at once are judged one after another, in the order in which they ask.

use std::sync::Arc;

use casemate_signing::manifest::Effect;

use super::{
    AssumedAnswer, Authority, Checked, Gate, HeldPlan, Outgoing, Plan, Refusal, RefusalReason, established::Established,
};
use crate::{Mode, Permit};

/// What is said of one request.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// It may be sent.
    Send(Checked),
    /// It is not sent: this run only plans, and the plugin is given the answer that the contract assumes. The run goes on.
    Assume(Checked, AssumedAnswer),
    /// It is not sent, and the run ends: this run only plans, and this is what it would have sent, this request last.
    End(Plan),
    /// It is not sent, and the run ends.
    Refuse(Refusal),
}

/// The conduct of one run.
pub struct Conduct {
    gate: Arc<Gate>,
    permit: Permit,
    established: Established,
    plan: Plan,
    held: Option<HeldPlan>,
    /// Requests above `read` that were let out.
    sent: usize,
    /// Requests that were asked about.
    asked: u64,
    ended: bool,
}

impl Conduct {
    /// Of a run under this permit, through the gate of its plugin. Where a person has agreed to a plan, a real run is held to it:
    /// the n-th request above `read` is the n-th of the plan, and there is none after the last.
    pub fn new(gate: Arc<Gate>, permit: &Permit, held: Option<HeldPlan>) -> Self {
        Self {
            gate,
            permit: permit.clone(),
            established: Established::default(),
            plan: Plan::default(),
            held,
            sent: 0,
            asked: 0,
            ended: false,
        }
    }

    /// Whether a request may leave. After [`Verdict::End`] and [`Verdict::Refuse`] none may: whatever asks then, perhaps while the
    /// run is being stopped, is refused with [`RefusalReason::RunEnded`], which is not how the run ended.
    pub fn check(&mut self, request: Outgoing) -> Verdict {
        if self.ended {
            return Verdict::Refuse(Refusal::new(RefusalReason::RunEnded, "the run has ended with an earlier request"));
        }
        let verdict = self.judge(request).unwrap_or_else(Verdict::Refuse);
        self.ended = matches!(verdict, Verdict::End(_) | Verdict::Refuse(_));
        verdict
    }

    fn judge(&mut self, request: Outgoing) -> Result<Verdict, Refusal> {
        let authority = Authority::of(&self.permit);
        let (mut checked, contract) = self.gate.read(&authority, request, &self.established)?;
        self.asked += 1;
        if let Some(lookup) = &mut checked.lookup {
            lookup.turn = self.asked;
        }
        if checked.effect == Effect::Read {
            return Ok(Verdict::Send(checked));
        }
        // What the tool could not do for real is no plan.
        if checked.effect > authority.effect {
            return Err(Refusal::new(
                RefusalReason::EffectAboveCeiling,
                format!(
                    "contract `{}` is `{}`, and the tool may do at most `{}`",
                    contract.name, checked.effect, authority.effect
                ),
            ));
        }
        match authority.mode {
            Mode::Real => {
                if let Some(held) = &self.held {
                    held.check(self.sent, &checked)?;
                }
                self.sent += 1;
                Ok(Verdict::Send(checked))
            }
            Mode::DryRun => {
                self.plan.push(checked.clone());
                Ok(match &contract.assume {
                    Some(answer) => Verdict::Assume(checked, answer.clone()),
                    None => Verdict::End(std::mem::take(&mut self.plan)),
                })
            }
        }
    }

    /// Take the answer to a request that was sent: after decompression, and after every secret was taken out of it. Only what some
    /// contract of the plugin names is kept.
    pub fn answered(&mut self, request: &Checked, status: u16, content_type: Option<&str>, body: &[u8]) {
        if let Some(lookup) = &request.lookup {
            self.established.answered(self.gate.wanted(), &request.contract, lookup, (status, content_type, body));
        }
    }

    /// What a dry run would have sent that ended without [`Verdict::End`]: none where that is nothing.
    pub fn into_plan(self) -> Option<Plan> {
        Some(self.plan).filter(|plan| !plan.is_empty())
    }

    /// How many requests of the plan that was agreed to have not been sent.
    pub fn unsent(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.len().saturating_sub(self.sent))
    }
}
