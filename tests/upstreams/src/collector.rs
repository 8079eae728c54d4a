//! An OpenTelemetry collector that takes whatever it is sent, as far as a sender can tell: OTLP over HTTP, in JSON. What it was sent is in
//! the record.

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::json;

use crate::http::{Request, Response};
use crate::{Reply, Upstream};

/// The collector.
#[derive(Debug, Default)]
pub struct Collector(Mutex<Wants>);

/// What a test can want of it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wants {
    /// The header and the value that requests must have.
    header: Option<(String, String)>,
    /// How many items it says of each request that it did not take.
    rejects: u64,
}

impl Upstream for Collector {
    fn name(&self) -> &'static str {
        "collector"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        let wants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if wants.header.as_ref().is_some_and(|(name, value)| request.header(name) != Some(value)) {
            return Response::empty(401).into();
        }
        let known = ["/v1/traces", "/v1/metrics", "/v1/logs"].contains(&request.path());
        if !known || request.method != "POST" || request.header("content-type") != Some("application/json") {
            return Response::empty(415).into();
        }
        let what = match request.path() {
            "/v1/traces" => "rejectedSpans",
            "/v1/metrics" => "rejectedDataPoints",
            _ => "rejectedLogRecords",
        };
        // A 64-bit number is a text.
        let partial = json!({ what: wants.rejects.to_string(), "errorMessage": "\u{1b}[2Jnobody reads this" });
        let answer = if wants.rejects > 0 { json!({ "partialSuccess": partial }) } else { json!({}) };
        Response::json(200, &answer).into()
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        let wants = serde_json::from_slice(order).map_err(|error| error.to_string())?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = wants;
        Ok(())
    }

    fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Wants::default();
    }
}
