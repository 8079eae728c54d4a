//! Effects: the worst a tool or a request may do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The worst a tool or request may do, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Changes nothing outside.
    Read,
    /// Creates or changes a record.
    Write,
    /// Makes something run somewhere.
    Execute,
    /// May harm what it touches.
    Destructive,
}

impl Effect {
    /// The word used in manifests, configuration and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Execute => "execute",
            Self::Destructive => "destructive",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
