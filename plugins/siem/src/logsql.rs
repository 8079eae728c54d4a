//! VictoriaLogs' LogsQL: <https://docs.victoriametrics.com/victorialogs/logsql/>.
//!
//! Which stream a search reads and when is no part of the query: it is beside it, in `extra_stream_filters`, `start` and `end`, which the
//! server puts into every query and every query inside of one. So nothing here speaks of streams and time, and besides, a query holds no
//! other: lists hold texts, and pipes that hold queries are not read. Every name and every value is written in quotes, so that what was a
//! text stays one.

mod parser;
mod token;
mod tree;
mod words;

use std::fmt::Write as _;

use crate::{Bounds, Refused, table::Redaction};
use parser::Parser;

/// The search as it is sent.
///
/// # Errors
/// What of the query has no place in a search, and where it stands.
pub fn rebuild(query: &str, redaction: &Redaction) -> Result<String, Refused> {
    let bounds = Bounds::QUERY;
    let tokens = token::tokens(query, &bounds)?;
    let (filter, pipes) = Parser::new(&tokens, query.len(), bounds, redaction).search()?;
    let mut written = filter.to_string();
    for pipe in &pipes {
        let _ = write!(written, " | {pipe}");
    }
    Ok(written)
}
