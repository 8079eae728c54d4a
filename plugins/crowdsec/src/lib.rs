//! What CrowdSec's local API (LAPI) answers, read the same way by every plugin that asks it.
//!
//! This is no plugin. Nothing here sends what was not given to it, and nothing an answer holds gets into a failure.

mod decision;
mod duration;
mod network;

pub use decision::{Decision, decisions};
pub use duration::seconds;
pub use network::{InvalidNetwork, Network};

use casemate_plugin::{Failure, Response};

/// A status that is no success, in words. `{"message": …}` is prose, and with status 500 it also says what was wrong with the request.
pub fn failure(answer: &Response) -> Failure {
    match answer.status() {
        401 => Failure::unauthorized("CrowdSec refused the machine's login; the operator has to set one that it knows"),
        403 => Failure::unauthorized("CrowdSec refused the bouncer's key; the operator has to set one that it knows"),
        429 => Failure::rate_limited("CrowdSec wants fewer requests"),
        status @ 500..=599 => Failure::unavailable(format!("CrowdSec is out of order, or did not understand (status {status})")),
        status => Failure::upstream(format!("CrowdSec answered with status {status}; is it its local API?")),
    }
    .with_retry_after(answer.retry_after())
}
