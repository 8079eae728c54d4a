//! Serve: the `casemate` program as a library, so that its rooms can be tested.
//!
//! This is the one crate that knows MCP, the command line, the clock, the environment and the folders. A call comes in
//! through [`mcp`], and [`pipeline`] is the one way through.

pub mod advisories;
mod approval;
mod authority;
mod breaker;
mod case;
pub mod clock;
pub mod command;
pub mod config;
pub mod connect;
mod console;
mod cyclonedx;
pub mod exit;
pub mod folders;
mod forward;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod house;
mod hypothesis;
pub mod identity;
mod installed;
mod installing;
pub mod log;
pub mod mcp;
mod origin;
pub mod pipeline;
pub mod posture;
mod record;
mod redteam;
mod registries;
mod rehearsal;
mod reply;
pub mod sheet;
mod spending;
pub(crate) mod ssh;
pub(crate) mod systemd;
mod telemetry;
pub mod token;
mod top;
pub mod trace;
pub mod trail;
