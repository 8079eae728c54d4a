//! Letting a caller go on that was paused: a person decides it, on record. One way, for the command line and the console.

use casemate_audit::EventKind;
use casemate_ledger::Ledger;
use casemate_policy::PrincipalId;
use serde_json::json;

use crate::{
    approval::say::{self, Record},
    clock,
    exit::Failure,
};

/// Let a paused caller go on, and begin counting anew.
pub(crate) fn resume(principal: &PrincipalId, reason: &str, (ledger, record): (&Ledger, Record<'_>)) -> Result<(), Failure> {
    say::reason(reason)?;
    if !ledger.paused()?.iter().any(|paused| paused.principal == principal.as_str()) {
        return Err(Failure::invalid(format!("`{principal}` is not paused\nhelp: casemate breaker list")));
    }
    record(EventKind::BreakerResumed, json!({ "resumed": principal.as_str(), "reason": reason }))?;
    ledger.resume(principal, clock::now())?;
    Ok(())
}
