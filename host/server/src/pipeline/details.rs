//! The full exchanges of calls that execute or destroy, kept beside the audit log without secrets.
//!
//! They leave the network as any other's do: the tape only listens.

use std::sync::Arc;

use casemate_audit::{AnswerDetails, AuditError, EventId, ExchangeDetails, KeptDetails};
use casemate_policy::{Permit, output::Redactor};
use casemate_sandbox::{Received, Sent, Tape, Transport};
use casemate_signing::manifest::Effect;
use serde_json::Value;
use tokio::task::block_in_place;

use crate::house::House;

/// Bytes of bodies that are held while a call runs. What is kept of them in the end is bounded by the log.
const HELD: usize = 4 << 20;

/// Shorter secrets stand in texts by chance, and are not secret for it.
const LEAST_SECRET: usize = 3;

/// One call's tape, and what must not stand in its details.
pub(super) struct Listening {
    tape: Arc<Tape>,
    arguments: Redactor,
}

impl Listening {
    /// Listen to a call whose exchanges are kept. `shown` are its arguments without what their schema marks secret.
    pub(super) fn to(permit: &Permit, given: &Value, shown: &Value, transport: &mut Transport) -> Option<Self> {
        if permit.effect() < Effect::Execute {
            return None;
        }
        if matches!(transport, Transport::Network) {
            *transport = Transport::Kept(Arc::new(Tape::holding(HELD)));
        }
        let Transport::Kept(tape) = transport else { return None };
        let mut secrets = Vec::new();
        hidden(given, shown, &mut secrets);
        let secrets: Vec<(&str, &str)> = secrets.iter().map(|secret| ("argument", secret.as_str())).collect();
        Some(Self { tape: Arc::clone(tape), arguments: Redactor::new(&secrets) })
    }

    /// Keep what was sent and came; nothing where nothing was.
    pub(super) fn keep(&self, house: &House, id: EventId, plugin: &Redactor) -> Result<Option<KeptDetails>, AuditError> {
        let clean = Clean([plugin, &self.arguments]);
        let exchanges: Vec<_> =
            self.tape.exchanges().iter().map(|(sent, received)| clean.exchange(sent, received.as_ref())).collect();
        if exchanges.is_empty() {
            return Ok(None);
        }
        let omitted = u64::try_from(self.tape.omitted()).unwrap_or(u64::MAX);
        block_in_place(|| house.log.keep(id, &exchanges, omitted)).map(Some)
    }
}

/// Takes out the plugin's secrets and the call's.
struct Clean<'a>([&'a Redactor; 2]);

impl Clean<'_> {
    fn exchange(&self, sent: &Sent, received: Option<&Received>) -> ExchangeDetails {
        ExchangeDetails {
            upstream: sent.upstream.to_string(),
            method: sent.method.as_str().to_owned(),
            path: self.text(&sent.path),
            headers: sent.headers.iter().map(|(name, value)| (name.clone(), self.text(value))).collect(),
            body: self.bytes(&sent.body),
            answer: received.map(|received| AnswerDetails {
                status: received.status,
                headers: received
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone(), String::from_utf8_lossy(&self.bytes(value)).into_owned()))
                    .collect(),
                body: self.bytes(&received.body),
            }),
        }
    }

    fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, redactor| redactor.redact(&text).0.into_owned())
    }

    fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.iter().fold(bytes.to_vec(), |bytes, redactor| redactor.redact_bytes(&bytes).0.into_owned())
    }
}

/// The texts and numbers of a call's arguments that are not shown.
fn hidden(given: &Value, shown: &Value, secrets: &mut Vec<String>) {
    match (given, shown) {
        (Value::Object(given), Value::Object(shown)) => {
            for (name, value) in given {
                hidden(value, shown.get(name).unwrap_or(&Value::Null), secrets);
            }
        }
        (Value::Array(given), Value::Array(shown)) if given.len() == shown.len() => {
            given.iter().zip(shown).for_each(|(given, shown)| hidden(given, shown, secrets));
        }
        (given, shown) if given != shown => leaves(given, secrets),
        _ => {}
    }
}

fn leaves(value: &Value, secrets: &mut Vec<String>) {
    let mut add = |text: String| {
        if text.len() >= LEAST_SECRET {
            secrets.push(text);
        }
    };
    match value {
        Value::String(text) => add(text.clone()),
        Value::Number(number) => add(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, secrets)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, secrets)),
        Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::hidden;

    #[test]
    fn what_is_not_shown_is_found_wherever_it_is() {
        let given = json!({ "open": "a", "password": "hunter2", "list": [{ "pin": 4711 }, "x"], "whole": { "a": ["deep"], "b": true }, "ab": "no" });
        let shown = json!({ "open": "a", "password": "-", "list": [{ "pin": "-" }, "x"], "whole": "-", "ab": "-" });
        let mut secrets = Vec::new();
        hidden(&given, &shown, &mut secrets);
        secrets.sort();
        assert_eq!(secrets, ["4711", "deep", "hunter2"]);
    }
}
