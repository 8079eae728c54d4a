//! OTLP over HTTP, in its JSON encoding.

use std::time::Duration;

use casemate_audit::Entry;
use casemate_registry::{Client, Settings};
use http::HeaderMap;
use serde_json::Value;

use crate::{config::OtlpCollector, trail::export::otlp_logs};

/// For one batch.
const DEADLINE: Duration = Duration::from_secs(20);
/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 64 << 10;

pub(super) struct Poster {
    client: Client,
    url: url::Url,
}

impl Poster {
    pub(super) fn new(to: &OtlpCollector) -> Result<Self, String> {
        let roots = to.roots().map_err(|failure| failure.message)?;
        let settings = Settings { roots, deadline: DEADLINE, stall: DEADLINE, ..Settings::default() };
        let client = Client::new(settings).map_err(|error| error.to_string())?;
        Ok(Self { client, url: to.url.clone() })
    }

    pub(super) async fn send(&mut self, entries: &[Entry]) -> Result<(), String> {
        let body = otlp_logs(entries, "casemate").to_string().into_bytes();
        let answer = self.client.post(&self.url, HeaderMap::new(), body, MAX_ANSWER).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if !answer.status.is_success() {
            return Err(format!("the collector answered {}", answer.status));
        }
        // The collector may take some and refuse others, and says so in an answer that is otherwise fine.
        let partial = serde_json::from_slice::<Value>(&answer.body).ok();
        let refused = partial.as_ref().and_then(|answer| answer.pointer("/partialSuccess/rejectedLogRecords"));
        match refused.map(|count| count.as_str().map_or_else(|| count.to_string(), str::to_owned)) {
            Some(count) if count != "0" => Err(format!("the collector refused {count} records")),
            _ => Ok(()),
        }
    }
}
