//! Run: components in wasmtime, and their requests through the gate.
//!
//! This is the one crate that names wasmtime and reqwest. It takes a package that `signing` has proved loadable and a permit
//! that `audit` has recorded, and gives back output that nobody has looked at yet. No type generated from WIT leaves it.
//!
//! What is not here: any decision about whether a call or a request may happen. Every import converts, asks
//! `casemate_policy`, and acts on the answer.

mod call;
mod compile;
mod dependencies;
mod egress;
mod engine;
mod examine;
mod import;
mod imports;
mod limits;
mod loaded;
mod places;
mod precompiled;
mod recording;
mod runtime;
mod source;
mod state;
mod ticker;
mod trap;

pub use call::{
    CallSettings, Effects, Ending, Exchange, ExchangeStatus, Fault, Limit, LogLevel, LogLine, ProgressReport, Run, RunFacts,
    Spent,
};
pub use compile::{CacheError, CodeCache, CompileError, Worker, worker_main};
pub use dependencies::{Dependencies, MetadataError, check_metadata, dependencies_of, embed};
pub use egress::{Probed, Secrets, TransportError, UpstreamSettings};
pub use examine::{Examined, Reviewed, examine, examine_installed};
pub use imports::{ImportError, SERVED_WIT, imports_of};
pub use limits::{Limits, Maxima};
pub use loaded::{LoadError, Loaded};
pub use places::{Occupancy, Place, Share};
pub use recording::{Difference, Expected, ExpectedBody, Received, Replay, Sent, Tape, Transport};
pub use runtime::{DescribeError, PluginBindings, Prepared, Runtime, RuntimeError, describe};
pub use source::BoundSource;
