//! Which logs there are.

use std::fmt::Write as _;

use casemate_plugin::{Context, Failure, Readable, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{log, query};

/// Arguments of `list_logs`: none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {}

/// The logs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// This host's time, in UTC
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Timestamp>,
    logs: Vec<Log>,
}

/// One log.
#[derive(Debug, Serialize, JsonSchema)]
struct Log {
    /// What query_logs calls it
    log: String,
    /// The file that is written to and those it was rotated into, newest first; a search goes from one to the next by itself
    files: Vec<File>,
}

/// One file of a log.
#[derive(Debug, Serialize, JsonSchema)]
struct File {
    name: String,
    /// How large it is; absent where it cannot be read
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

pub(crate) fn list(cx: &Context) -> Result<Report, Failure> {
    let bound = cx.sources();
    let file = |name: String| {
        let bytes = cx.source(&name).and_then(|source| source.size()).ok();
        File { name, bytes }
    };
    let logs = bound.iter().filter(|name| log::newer(name, &bound).is_none());
    let logs = logs.map(|name| {
        let files = log::names(name, &bound).into_iter().map(|(_, name)| file(name)).collect();
        Log { log: name.clone(), files }
    });
    Ok(Report { now: Timestamp::from_unix(query::clock(cx)?.now), logs: logs.collect() })
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = format!("{} logs", self.logs.len());
        for Log { log, files } in &self.logs {
            let _ = write!(text, "\n{log}:");
            for (at, File { name, bytes }) in files.iter().enumerate() {
                let size = bytes.map_or_else(|| "cannot be read".to_owned(), |bytes| format!("{bytes} bytes"));
                let _ = write!(text, "{} {name}, {size}", if at == 0 { "" } else { ";" });
            }
        }
        if let Some(now) = self.now {
            let _ = write!(text, "\nIt is {now}");
        }
        text
    }
}
