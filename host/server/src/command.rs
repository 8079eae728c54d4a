//! The commands, one file each: `Args` and `run`. Results go to standard output, everything else to standard error.

pub mod advisories;
pub mod approvals;
pub mod approver;
pub mod audit;
pub mod breaker;
pub mod call;
pub mod check;
pub mod connect;
pub mod console;
pub mod doctor;
pub mod init;
pub mod inspect;
pub mod install;
pub mod key;
pub mod keyset;
pub mod ledger;
pub mod lint;
pub mod list;
pub mod lock;
pub mod new;
pub mod pack;
pub mod pin;
pub mod policy;
pub(crate) mod print;
pub mod publish;
pub mod remove;
pub mod rollback;
pub mod sbom;

pub mod record;
pub mod redteam;
pub mod revoke;
pub mod secret;
pub mod serve;
pub mod sessions;
pub mod sign;
pub mod signer;
pub mod test;
pub mod token;
pub mod top;
pub mod trust;
pub mod update;
pub mod verify;

use std::path::PathBuf;

use casemate_policy::text::visible;
use casemate_sandbox::Worker;

use crate::{connect::Homes, folders::Folders};

/// What every command is given besides its own arguments.
#[derive(Debug, Clone)]
pub struct Context {
    /// Where things are.
    pub folders: Folders,
    /// How results are printed.
    pub format: Format,
    /// This program, which compiles plugins in a process of its own.
    pub program: PathBuf,
    /// The Docker configuration, which holds credentials for registries.
    pub registry_credentials: Option<PathBuf>,
    /// Where MCP clients keep what they know of servers.
    pub homes: Homes,
}

impl Context {
    /// This program as the process that compiles.
    pub(crate) fn worker(&self) -> Worker {
        Worker { program: self.program.clone(), arguments: vec!["compile-worker".to_owned()] }
    }
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs: one JSON value.
    Json,
}

/// Tell the person what went wrong, on standard error.
pub fn complain(failure: &crate::exit::Failure) {
    // Messages quote file names and what compilers say of a component: neither writes to the terminal but as text.
    print::note(format_args!("casemate: {}", visible(&failure.message)));
}
