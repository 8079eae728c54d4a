//! Microsoft's Kusto Query Language, as Sentinel and Log Analytics read it: <https://learn.microsoft.com/kusto/query/>.
//!
//! A search reads one table, which is no part of the query: [`Search::rebuild`] writes `Table | where TimeGenerated between (…)` before it
//! and `take` behind it, and between them what the query was understood to say. Kusto names tables in many places (`in (Table)`,
//! `toscalar(…)`, `union`, a lone name), so the grammar has none of these: a name is a column, a list holds literals, and a function is one
//! of those in `words`, which compute from their arguments alone.
//!
//! What the operator keeps back is overwritten before the query can see it, so that neither `*` nor a name that Kusto makes up shows it.

mod expression;
mod parser;
mod token;
mod tree;
mod words;

use std::fmt::Write as _;

use casemate_plugin::Timestamp;

use crate::{Bounds, Refused, table::Redaction};
use parser::Parser;

casemate_plugin::word! {
    /// A table of a workspace.
    pub Table, "a table's name, such as SigninLogs: a letter, then up to 99 letters, digits and underscores", 1..=100,
    "^[A-Za-z][A-Za-z0-9_]{0,99}$",
    |text| text.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'),
    str::to_owned
}

/// What a query is held to.
#[derive(Debug, Clone, Copy)]
pub struct Search<'s> {
    /// The one table that is read.
    pub table: &'s Table,
    /// The span of time that is looked at, both ends included.
    pub window: (Timestamp, Timestamp),
    /// Rows that are returned at most.
    pub rows: usize,
    /// Columns that are kept back.
    pub redaction: &'s Redaction,
    /// Columns that are kept back, as the operator wrote them: Kusto's names have case.
    pub redacted: &'s [String],
    /// Seconds since 1970, now.
    pub now: i64,
}

impl Search<'_> {
    /// The search as it is sent.
    ///
    /// # Errors
    /// What of the query has no place in a search, and where it stands.
    pub fn rebuild(&self, query: &str) -> Result<String, Refused> {
        let table = self.table.as_str();
        if let Some(fault) = words::fault(table) {
            return Err(Refused::new(0, format!("`{table}` is no table that can be searched: it {fault}")));
        }
        let bounds = Bounds::QUERY;
        let tokens = token::tokens(query, &bounds)?;
        let mut parser = Parser::new(&tokens, query.len(), bounds, self.redaction);
        let operators = parser.search(table)?;
        let (start, end) = self.window;
        if let Some((at, seconds)) = parser.reaches_back {
            // As many seconds fit into the mantissa as any window has.
            #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^52")]
            let window = (self.now - start.as_unix()) as f64;
            // A call may have been written some moments before the window was.
            if seconds > window + SLACK {
                let why =
                    format!("this reaches back before the window, which begins at {start}; ask for a wider window, or for less");
                return Err(Refused::new(at, why));
            }
        }
        let mut written = format!("{table}\n| where TimeGenerated between (datetime({start}) .. datetime({end}))");
        for column in self.redacted {
            let _ = write!(written, "\n| extend {column} = \"{}\"", crate::table::REDACTED);
        }
        for operator in &operators {
            let _ = write!(written, "\n| {operator}");
        }
        let _ = write!(written, "\n| take {}", self.rows);
        Ok(written)
    }
}

/// Seconds by which `ago` may reach back further than the window does.
const SLACK: f64 = 300.0;
