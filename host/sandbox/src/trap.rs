//! Why a guest stopped: wasmtime's error turned into a fault that names the limit, where it was one.

use wasmtime::Trap;

use crate::{
    call::{Fault, Limit},
    limits::Limits,
    state::{HANDLES, Room},
};

/// Raised by the epoch callback when the wall clock ran out.
#[derive(Debug, thiserror::Error)]
#[error("deadline")]
pub(crate) struct DeadlinePassed;

/// Raised by the epoch callback when the call was ended from outside.
#[derive(Debug, thiserror::Error)]
#[error("ended from outside")]
pub(crate) struct CallEnded(pub(crate) Fault);

/// The most of a trap's text that is kept for the operator.
const MAX_TRAP_TEXT: usize = 2000;

pub(crate) fn fault(error: wasmtime::Error, limits: &Limits, room: &Room, host_call_bytes: usize) -> Fault {
    if error.is::<DeadlinePassed>() {
        return Fault::Limit(Limit::deadline(limits.deadline));
    }
    let error = match error.downcast::<CallEnded>() {
        Ok(CallEnded(fault)) => return fault,
        Err(error) => error,
    };
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => return Fault::Limit(Limit::fuel(limits.fuel)),
        Some(Trap::StackOverflow) => return Fault::Limit(Limit::stack()),
        _ => {}
    }
    // A guest whose memory could not grow aborts in its allocator: the trap itself says only `unreachable`.
    if let Some(limit) = room.hit() {
        return Fault::Limit(limit.clone());
    }
    let text = format!("{error:#}");
    // wasmtime has no types for these two.
    if text.contains("too many fuel") || text.contains("fuel allocated for hostcalls has been exhausted") {
        return Fault::Limit(Limit::host_call(host_call_bytes));
    }
    if text.contains("resource table has no free keys") || text.contains("component handles") {
        return Fault::Limit(Limit::handles(HANDLES));
    }
    Fault::Trap(text.chars().take(MAX_TRAP_TEXT).collect())
}
