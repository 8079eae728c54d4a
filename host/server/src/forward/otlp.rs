//! OTLP over HTTP, in its JSON encoding.

use std::{collections::BTreeMap, time::Duration};

use casemate_audit::Entry;
use casemate_registry::{Authority, Client, HostRule, Settings};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::{config::OtlpCollector, trail::export::otlp_logs};

/// For one batch.
const DEADLINE: Duration = Duration::from_secs(20);
/// Bytes of an answer that are read.
const MAX_ANSWER: usize = 64 << 10;

pub(super) struct Poster {
    client: Client,
    url: url::Url,
    headers: HeaderMap,
}

impl Poster {
    /// With the credential as it is now: a line that failed is opened anew, and takes the next one.
    pub(super) async fn open(to: &OtlpCollector) -> Result<Self, String> {
        let roots = to.roots().map_err(|failure| failure.message)?;
        let host = Authority::of(&to.url).ok_or_else(|| format!("`{}` names no host", to.url))?;
        let hosts = BTreeMap::from([(host, HostRule { allow_private: to.allow_private.clone(), ..HostRule::default() })]);
        let settings = Settings { roots, hosts, deadline: DEADLINE, stall: DEADLINE, ..Settings::default() };
        let client = Client::new(settings).map_err(|error| error.to_string())?;
        let mut headers = HeaderMap::new();
        if let Some(auth) = to.auth.clone() {
            // A vault or a program is waited for: not on a thread that serves.
            let read = tokio::task::spawn_blocking(move || auth.read()).await;
            let (name, value) = read.map_err(|_| "its credential could not be read".to_owned())??;
            headers.insert(name, value);
        }
        Ok(Self { client, url: to.url.clone(), headers })
    }

    pub(super) async fn send(&mut self, entries: &[Entry]) -> Result<(), String> {
        let body = otlp_logs(entries, "casemate").to_string().into_bytes();
        let answer = self.client.post(&self.url, self.headers.clone(), body, MAX_ANSWER).await;
        let answer = answer.map_err(|error| error.to_string())?;
        match answer.status {
            status if status.is_success() => {}
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                return Err(format!(
                    "the collector answered {status}\nhelp: check the forwarding's `auth`, and what the collector lets it do"
                ));
            }
            status => return Err(format!("the collector answered {status}")),
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
