//! Why a query is not sent.

use casemate_plugin::Failure;

/// A query that is refused: where, which construct, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Bytes of the query before it.
    pub at: usize,
    /// Lower case, no full stop, words of the query in backticks, such as "`join` reads other indexes; leave it out".
    pub why: String,
}

impl Refused {
    /// At a byte of the query.
    pub fn new(at: usize, why: impl Into<String>) -> Self {
        Self { at, why: why.into() }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the query is refused at byte {}: {}", self.at, self.why)
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::invalid_arguments(refused.to_string()).with_code("query-refused")
    }
}
