//! The place that a call runs in: had before the call costs anything, or the call is not begun.

use casemate_audit::{CallFacts, Withdrawal};
use casemate_policy::{Decision, Permit, approval::ApprovalId};
use casemate_sandbox::{CallSettings, Effects, Fault, Place, Share};
use casemate_signing::manifest::Effect;

use super::{GrantEnds, Way, told};
use crate::{mcp::Reply, record, reply, telemetry::Stage};

/// What would be run on this decision, if anything.
pub(super) fn runs<'a>(decision: &'a Decision, awaits: Option<&ApprovalId>) -> Option<&'a Permit> {
    match decision {
        Decision::Permit(permit) => {
            awaits.is_none_or(|awaited| permit.agreed().is_some_and(|agreed| agreed.id == *awaited)).then_some(permit)
        }
        Decision::Denied(_) => None,
        Decision::Deferred(deferred) => {
            let planned = awaits.is_none() && deferred.waiting().is_none() && deferred.effect() > Effect::Read;
            planned.then(|| deferred.permit())
        }
    }
}

impl Way<'_> {
    /// Wait for a place, as long as the call may go on. A plugin that is not served takes no place: what follows says so.
    pub(super) async fn place(&self, permit: &Permit, settings: &CallSettings) -> Result<Place, Fault> {
        let _stage = self.watch.stage(Stage::Place);
        let Some(served) = self.serving.plugin(permit.plugin()) else { return Err(Fault::Unloaded) };
        let ends = GrantEnds::of(self.serving, permit);
        let until = CallSettings {
            cancel: settings.cancel.clone(),
            unloaded: served.life.token(),
            grant_ended: ends.token(),
            ..CallSettings::default()
        };
        let calls = self.serving.config().calls;
        let share = Share { running: calls.running, wait: calls.wait };
        self.house.runtime.place(&served.plugin, self.principal.id(), share, &until).await
    }

    /// No place was to be had. The call has cost nothing, and an approval of it is still there.
    pub(super) async fn placeless(&self, permit: &Permit, fault: &Fault, facts: CallFacts) -> Reply {
        let ended = self.serving.plugin(permit.plugin()).and_then(|served| served.life.ended());
        if let Some(why) = ended {
            let recorded = self.withdrawn(permit, facts, record::unloaded(why)).await;
            return told(recorded, reply::unloaded);
        }
        let (reason, message) = record::fault(fault, ended);
        let retry_after_ms = matches!(fault, Fault::Busy { .. }).then_some(reply::BUSY_MS);
        let why = Withdrawal { layer: "sandbox".into(), reason: reason.into(), message, retry_after_ms };
        let recorded = self.withdrawn(permit, facts, why).await;
        told(recorded, |id| reply::fault(fault, Effects::None, id))
    }
}
