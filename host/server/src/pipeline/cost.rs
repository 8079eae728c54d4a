//! What a call costs, and the approval that it uses up: taken whole or not at all, and given back only where nothing came of it.

use casemate_audit::CallFacts;
use casemate_ledger::{ChargeError, Receipt};
use casemate_policy::{Decision, Mode, Permit};
use casemate_sandbox::{Effects, Ending, Exchange, ExchangeStatus, Fault, RunFacts};
use casemate_signing::manifest::Effect;
use tokio::task::block_in_place;

use super::{Way, told};
use crate::{
    clock,
    house::{House, Served},
    mcp::Reply,
    record,
    reply::Refused,
    telemetry::Stage,
};

impl Way<'_> {
    pub(super) fn charge(&self, permit: &Permit, served: &Served) -> Result<Receipt, ChargeError> {
        let limits = served.plugin.limits();
        self.charge_up_to(permit, u64::try_from(limits.response_bytes).unwrap_or(u64::MAX).saturating_mul(limits.requests))
    }

    /// The same where `most` is the most bytes that come of it.
    pub(super) fn charge_up_to(&self, permit: &Permit, most: u64) -> Result<Receipt, ChargeError> {
        let _stage = self.watch.stage(Stage::Ledger);
        let now = clock::now();
        let ledger = &self.house.ledger;
        let writes = permit.effect() > Effect::Read && permit.mode() == Mode::Real;
        // Where there is nothing to write there is nothing to wait for, and the thread keeps its work.
        if permit.charges().is_empty()
            && permit.agreed().is_none()
            && !writes
            && !self.serving.policy().counts_sessions(permit.grant())
        {
            return ledger.charge(permit, most, now);
        }
        block_in_place(|| {
            if self.serving.policy().counts_sessions(permit.grant()) {
                ledger.begin_session(self.principal.id(), permit.grant(), now)?;
            }
            if writes
                && let Some(rate) = self.serving.policy().guards().breaker.variants
                && !ledger.note_variant(self.principal.id(), permit.served(), permit.arguments_digest(), rate, now)?
            {
                return Err(ChargeError::Variants { tool: permit.served().clone() });
            }
            ledger.charge(permit, most, now)
        })
    }

    /// Another call took the last of the budget, of the payloads or the approval between the reading and the charge, or the ledger is out
    /// of order.
    pub(super) async fn not_charged(&self, permit: &Permit, facts: CallFacts, error: ChargeError) -> Reply {
        // The layers say it best: asked again, with the readings of now, they deny for the budget or the breaker.
        if matches!(error, ChargeError::Exhausted { .. } | ChargeError::Variants { .. })
            && let Ok(Decision::Denied(denied)) = self.judge()
        {
            return self.refused(&denied, facts).await;
        }
        let withdrawal = record::withdrawal(&error);
        let (reason, retry_after_ms) = (withdrawal.reason.clone(), withdrawal.retry_after_ms);
        let recorded = self.withdrawn(permit, facts, withdrawal).await;
        let message = error.to_string();
        let remedy = match (&error, retry_after_ms) {
            (ChargeError::Approval { .. }, _) => {
                "An approval is good for one call. If this one has not been made, ask for another approval by calling again."
            }
            (_, Some(_)) => "Wait before calling again.",
            _ => "",
        };
        told(recorded, |id| {
            Refused {
                decision: "denied",
                reason: &reason,
                message: message.lines().next().unwrap_or_default(),
                effects: Effects::None,
                remedy,
                retry_after_ms,
            }
            .reply(id)
        })
    }
}

/// What a call costs in the end. Gives the receipt of what stays spent.
pub(super) fn settle(house: &House, receipt: Receipt, ending: &Ending, facts: &RunFacts) -> Option<Receipt> {
    if is_free(ending, facts) {
        give_back(house, receipt);
        return None;
    }
    if receipt.bytes().is_some() {
        let answered = facts.exchanges.iter().map(|exchange| match exchange.status {
            ExchangeStatus::Answered { bytes, .. } => u64::try_from(bytes).unwrap_or(u64::MAX),
            ExchangeStatus::NotSent { .. } => 0,
            // How much came is not known: all that was reserved counts.
            ExchangeStatus::Pending | ExchangeStatus::Broken { .. } => u64::MAX,
        });
        let bytes = answered.fold(0_u64, u64::saturating_add);
        if let Err(reason) = block_in_place(|| house.ledger.settle(&receipt, bytes)) {
            tracing::warn!(%reason, "a budget of bytes could not be settled");
        }
    }
    Some(receipt)
}

/// Whether a call costs nothing: it never ran, or it failed and all it tried was to reach an upstream that could not be reached. What
/// ran and returned, was refused, planned, or stopped at a limit is paid for: a budget also bounds trying.
fn is_free(ending: &Ending, facts: &RunFacts) -> bool {
    let never_ran =
        matches!(ending, Ending::Fault(Fault::Cancelled | Fault::Unloaded | Fault::GrantEnded)) && facts.spent.fuel == 0;
    let unreachable = |exchange: &Exchange| matches!(exchange.status, ExchangeStatus::NotSent { .. });
    let failed = matches!(ending, Ending::Failed(_) | Ending::Fault(_));
    never_ran || (failed && !facts.exchanges.is_empty() && facts.exchanges.iter().all(unreachable))
}

pub(super) fn give_back(house: &House, receipt: Receipt) {
    if let Err(reason) = block_in_place(|| house.ledger.refund(receipt)) {
        // Spent although nothing was sent: wrong on the safe side, and worth knowing.
        tracing::warn!(%reason, "a budget could not be given back");
    }
}
