//! Serve: the `casemate` program as a library, so that its rooms can be tested.
//!
//! This is the one crate that knows MCP, the command line, the clock, the environment and the folders. A call comes in
//! through [`mcp`], and [`pipeline`] is the one way through.

mod case;
pub mod clock;
pub mod command;
pub mod config;
pub mod exit;
pub mod folders;
pub mod house;
pub mod identity;
pub mod log;
pub mod mcp;
pub mod pipeline;
mod record;
mod rehearsal;
mod reply;
pub mod sheet;
pub mod token;
