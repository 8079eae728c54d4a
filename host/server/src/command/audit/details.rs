//! `casemate audit show --details`: what one call sent and got.

use std::path::Path;

use casemate_audit::{EventId, Filter, details, read};

use crate::{
    command::print,
    exit::{Exit, Failure, Outcome},
    house::chains,
};

/// Show it as it was kept, if it still is what the call's outcome says.
pub(super) fn run(state: &Path, id: EventId) -> Outcome {
    for (_, dir) in chains(state)?.0 {
        for entry in read(&dir, Filter { event: Some(id), ..Filter::default() })? {
            if let Some(kept) = details(&dir, &entry?)? {
                print::json(&kept);
                return Ok(Exit::Done);
            }
        }
    }
    Err(Failure::invalid(format!(
        "no exchanges are kept of `{id}`\nhelp: they are of calls that execute or destroy; give the audit id of the call, as its answer and `casemate audit show` have it"
    )))
}
