//! What VictoriaLogs answers with: a line of JSON for each entry.

use casemate_plugin::{
    Failure, Response,
    tolerant::{Entries, Verbatim},
};
use casemate_siem::table::{COLUMNS, Filling, Redaction, Table};

/// Bytes of one value that are read; more than are shown.
const VALUE: usize = 64 << 10;
/// The server's own name for a stream says nothing that its labels do not.
const STREAM_ID: &str = "_stream_id";

/// `{"_time": …, "_stream": "{…}", "_msg": …, "level": …}`, one after the other. Values are texts.
type Entry = Entries<Verbatim<VALUE>, COLUMNS>;

/// What fits of it.
pub(crate) fn table(answer: &Response, redaction: &Redaction, most: usize) -> Result<Table, Failure> {
    let mut filling = Filling::new(redaction, most);
    for line in answer.bytes().split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        if !line.trim_ascii_start().starts_with(b"{") {
            return Err(Failure::upstream("VictoriaLogs' answer is not JSON lines"));
        }
        let Entries(fields) = serde_json::from_slice::<Entry>(line)
            .map_err(|_| Failure::upstream("VictoriaLogs' answer holds a line that is not JSON, or breaks off"))?;
        let shown = fields.iter().filter(|(name, _)| name != STREAM_ID);
        let row: Vec<(usize, &str)> = shown
            .filter_map(|(name, value)| Some((name, value.0.as_deref().filter(|value| !value.is_empty())?)))
            .filter_map(|(name, value)| Some((filling.column(name)?, value)))
            .collect();
        filling.row(row);
    }
    Ok(filling.finish())
}
