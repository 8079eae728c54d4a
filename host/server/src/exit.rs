//! How the program ends: one enum for every command.

use std::{error::Error, fmt, process::ExitCode};

/// Exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: it did not work.
    Failed,
    /// 2: policy or trust said no.
    Denied,
    /// 3: what was given makes no sense.
    Invalid,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Denied => 2,
            Exit::Invalid => 3,
        })
    }
}

/// A command that did not end well: the code, and what to tell the person who ran it.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, and on a second line what to do.
    pub message: String,
}

impl Failure {
    /// Policy or trust said no.
    pub fn denied(reason: impl fmt::Display) -> Self {
        Self { exit: Exit::Denied, message: reason.to_string() }
    }

    /// What was given makes no sense.
    pub fn invalid(reason: impl fmt::Display) -> Self {
        Self { exit: Exit::Invalid, message: reason.to_string() }
    }

    /// It did not work.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self { exit: Exit::Failed, message: reason.to_string() }
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::failed(error)
    }
}

/// What every command returns.
pub type Outcome = Result<Exit, Failure>;
