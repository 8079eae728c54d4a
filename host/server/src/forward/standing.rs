//! How a forwarding stands: what a collector has not been sent yet, and whether it takes anything now.

use std::{fmt, path::Path};

use casemate_audit::Filter;

use super::{Line, cursor::Cursor, cursor_path};
use crate::{
    config::{Collector, ForwardConfig},
    exit::Failure,
    trail::Watch,
};

/// Records that are counted; more are said to be more.
const MOST: usize = 100_000;

/// How many records a collector has not been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Behind(pub(crate) usize);

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("everything is sent"),
            1 => f.write_str("1 record is not sent yet"),
            MOST.. => write!(f, "{MOST} records or more are not sent yet"),
            count => write!(f, "{count} records are not sent yet"),
        }
    }
}

/// Count them. It takes no turn: whoever forwards goes on.
///
/// # Errors
/// When the log, or what is known of the past, cannot be read.
pub(crate) fn behind(state: &Path, config: &ForwardConfig) -> Result<Behind, Failure> {
    let cursor = Cursor::read(&cursor_path(state, config))?;
    let entries = Watch::resume(cursor.positions()).some(state, &Filter::default(), MOST)?;
    Ok(Behind(entries.len()))
}

/// Ask a collector whether it would take records, with none.
///
/// # Errors
/// Why it would not. Nothing of a credential is in it.
pub(crate) async fn reached(to: &Collector) -> Result<(), String> {
    let mut line = Line::open(to).await?;
    match to {
        // A connection, with TLS where there is some, is all that syslog can tell.
        Collector::Syslog(_) => Ok(()),
        // An empty request is a request (OTLP 1.x): what is wrong with the credential is said.
        Collector::Otlp(_) => line.send(&[]).await,
    }
}
