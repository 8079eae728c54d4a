//! From a component's bytes to code: compiled in a process of its own, kept under this host's own MAC.
//!
//! A signed component may still be a compile bomb, so the serving process never runs the compiler.

mod cache;
mod worker;

pub use cache::{CacheError, CodeCache};
pub use worker::{CompileError, Worker, worker_main};
