//! Record: an append-only, chained, signed log of every decision.
//!
//! A folder holds the log of one host: its records, one JSON object to a line, in files named by the number of their first
//! record; `checkpoints`, signed statements of how many records there are and what they hash to; `keys`, where it was handed over
//! from one key to another; `witnessed`, checkpoints that others have cosigned; `details/`, what single calls sent and got;
//! `tlog/`, the hashes as tiles, which can be published; and `lock`.
//!
//! - Nothing happens before it is written: [`Log::begin`] turns a permit into [`Recorded`], and only that can be run.
//! - Nothing written is changed: each record names the hash of the one before, and a change anywhere shows in [`verify`].
//! - Nothing is lost quietly: a checkpoint shows a log that was cut short or written anew, and a log that cannot be
//!   written says so from then on.
//!
//! Records have the shape of SEP-3004, with this host's fields under `extensions.casemate`. Checkpoints are C2SP
//! tlog-checkpoints over an RFC 6962 tree whose leaves are the records' hashes, so tools for transparency logs read them.

#[cfg(test)]
extern crate self as casemate_audit;

mod canonical;
mod chain;
mod checkpoint;
mod clock;
mod details;
mod disk;
mod edge;
mod facts;
#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod faults;
mod file;
mod hash;
mod id;
mod keeper;
mod keys;
mod log;
mod merkle;
mod meter;
mod note;
mod open;
mod proof;
mod prune;
mod read;
mod record;
mod recorded;
mod scan;
mod segment;
mod start;
mod tiler;
mod tlog;
mod verify;
mod witness;

pub use chain::OpenIntent;
pub use checkpoint::{Checkpoint, CheckpointDamage, origin};
pub use details::{AnswerDetails, ExchangeDetails, KeptDetails, MAX_DETAILS};
pub use facts::{
    CallFacts, DeniedFacts, EventFacts, EventKind, HOST, IntentFacts, OutcomeFacts, RequestFacts, RequestStatus, Withdrawal,
};
pub use hash::Hash;
pub use id::{EventId, InvalidEventId};
pub use keys::{Handover, Keys, KeysDamage};
pub use log::{AuditError, Log, OnFailure, Options, Sync};
pub use meter::Standing;
pub use open::{OpenError, Recovery};
pub use proof::{ProofDamage, ProveError, Proved, prove, prove_consistency, request, verify_proof};
pub use prune::{PruneError, Removal, Stays};
pub use read::{Entries, Entry, Filter, Follow, InvalidFollow, ReadError, details, read, read_recent};
pub use record::{Damage, Outcome};
pub use recorded::Recorded;
pub use scan::{Break, Failure};
pub use segment::{Place, Torn};
pub use verify::{Progress, Report, Trust, holds, keys, verify, verify_watched, verify_with};
pub use witness::{CosignError, Cosignature, Cosigner, Witness, WitnessedDamage, add_cosigned};
