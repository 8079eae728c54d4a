//! Record: an append-only, chained, signed log of every decision.
//!
//! A folder holds the log of one host: its records, one JSON object to a line, in files named by the number of their first
//! record; `checkpoints`, signed statements of how many records there are and what they hash to; and `lock`.
//!
//! - Nothing happens before it is written: [`Log::begin`] turns a permit into [`Recorded`], and only that can be run.
//! - Nothing written is changed: each record names the hash of the one before, and a change anywhere shows in [`verify`].
//! - Nothing is lost quietly: a checkpoint shows a log that was cut short or written anew, and a log that cannot be
//!   written says so from then on.
//!
//! Records have the shape of SEP-3004, with this host's fields under `extensions.casemate`. Checkpoints are C2SP
//! tlog-checkpoints over an RFC 6962 tree whose leaves are the records' hashes, so tools for transparency logs read them.

mod canonical;
mod chain;
mod checkpoint;
mod disk;
mod edge;
mod facts;
mod hash;
mod id;
mod keeper;
mod log;
mod merkle;
mod note;
mod open;
mod read;
mod record;
mod recorded;
mod scan;
mod segment;
mod verify;

pub use chain::OpenIntent;
pub use checkpoint::{Checkpoint, CheckpointDamage, origin};
pub use facts::{
    CallFacts, DeniedFacts, EventFacts, EventKind, HOST, IntentFacts, OutcomeFacts, RequestFacts, RequestStatus, Withdrawal,
};
pub use hash::Hash;
pub use id::{EventId, InvalidEventId};
pub use log::{AuditError, Log, Options, Sync};
pub use open::{OpenError, Recovery};
pub use read::{Entries, Entry, Filter, Follow, ReadError, read, read_recent};
pub use record::{Damage, Outcome};
pub use recorded::Recorded;
pub use scan::{Break, Failure};
pub use segment::{Place, Torn};
pub use verify::{Report, holds, verify, verify_against};
