//! What the audit log is told, in its words.

use std::borrow::Cow;

use casemate_audit::{CallFacts, Outcome, OutcomeFacts, RequestFacts, RequestStatus, Withdrawal};
use casemate_ledger::ChargeError;
use casemate_policy::{
    Call,
    output::{RawContent, RawOutput},
    without_secrets,
};
use casemate_sandbox::{Exchange, ExchangeStatus, Fault, RunFacts};
use serde_json::Value;

use crate::{
    house::{Ended, Serving},
    trace::TraceParent,
};

/// What stands in the log for an argument that the schema marks `x-secret`, or does not describe.
const HIDDEN: &str = "‹x-secret›";

/// A call as it was asked for. Arguments that the signed schema marks `x-secret` or does not describe are left out; for a
/// tool that is not known, there is no schema that could say so, and all of them are.
pub(crate) fn call(serving: &Serving, call: &Call, via: &'static str, trace: Option<TraceParent>) -> CallFacts {
    let arguments = match serving.tool(call.tool()) {
        // Numbers, that this host took from an address.
        _ if call.reads_source() => call.arguments().clone(),
        Some((schema, served)) => {
            let shown = redacted(call.arguments(), schema);
            // A caller may know a credential of the plugin's and send it along: it is no less a secret for that.
            each_text(shown, &|text| served.plugin.redactor().redact(text).0.into_owned())
        }
        None => Value::String("‹arguments of an unknown tool›".to_owned()),
    };
    CallFacts { call_id: crate::house::call_id(), via, trace: trace.map(|trace| trace.trace()), arguments }
}

/// A value with every text in it changed.
pub(crate) fn each_text(value: Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(&text)),
        Value::Array(items) => items.into_iter().map(|item| each_text(item, change)).collect(),
        Value::Object(map) => map.into_iter().map(|(name, value)| (change(&name), each_text(value, change))).collect(),
        other => other,
    }
}

/// Arguments without what the signed schema marks `x-secret` or does not describe.
fn redacted(arguments: &Value, schema: &Value) -> Value {
    without_secrets(arguments, schema, HIDDEN)
}

/// A read that used and sent nothing; how it ended is filled in by whoever knows.
pub(crate) fn nothing_sent(call_id: &str) -> OutcomeFacts {
    OutcomeFacts {
        call_id: call_id.to_owned(),
        outcome: Outcome::Error,
        ending: Cow::Borrowed("fault"),
        detail: None,
        requests: Vec::new(),
        labels: Vec::new(),
        fuel: 0,
        memory_bytes: 0,
        duration_us: 0,
        output_bytes: 0,
        redactions: 0,
        flags: Vec::new(),
        plan_digest: None,
        details: None,
    }
}

/// What a call used and sent; how it ended is filled in by whoever knows.
pub(crate) fn outcome(call_id: &str, facts: &RunFacts) -> OutcomeFacts {
    OutcomeFacts {
        requests: facts.exchanges.iter().map(request).collect(),
        fuel: facts.spent.fuel,
        memory_bytes: count(facts.spent.memory),
        duration_us: u64::try_from(facts.spent.wall.as_micros()).unwrap_or(u64::MAX),
        ..nothing_sent(call_id)
    }
}

fn request(exchange: &Exchange) -> RequestFacts {
    RequestFacts {
        upstream: exchange.upstream.to_string(),
        contract: exchange.contract.to_string(),
        method: exchange.method.as_str().to_owned(),
        url: exchange.url.clone(),
        effect: exchange.effect.to_string(),
        request_bytes: count(exchange.request_bytes),
        request_sha256: exchange.request_sha256.clone(),
        status: match &exchange.status {
            ExchangeStatus::Pending => RequestStatus::Pending,
            ExchangeStatus::NotSent { reason } => RequestStatus::NotSent { reason: reason.clone() },
            ExchangeStatus::Answered { status, bytes, address } => {
                RequestStatus::Answered { status: *status, bytes: count(*bytes), address: *address }
            }
            ExchangeStatus::Broken { reason } => RequestStatus::Broken { reason: reason.clone() },
        },
    }
}

/// Bytes of what a plugin returned.
pub(crate) fn size(output: &RawOutput) -> u64 {
    let content = output.content.iter().map(|content| match content {
        RawContent::Text(text) => text.len(),
        RawContent::Image { data, .. } | RawContent::Audio { data, .. } => data.len(),
        RawContent::Link { uri, name: text, .. } | RawContent::Embedded { uri, text, .. } => uri.len() + text.len(),
    });
    count(content.sum::<usize>() + output.structured.as_ref().map_or(0, String::len))
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// How a fault is called in the log, and what the operator should know of it.
pub(crate) fn fault(fault: &Fault, ended: Option<Ended>) -> (&'static str, String) {
    match fault {
        // The reason is set before the call is told to end.
        Fault::Unloaded => ended.map_or(("unloaded", String::new()), |why| (why.as_str(), why.detail().to_owned())),
        Fault::Limit(limit) => ("limit-reached", limit.to_string()),
        Fault::Address { detail } => ("address-refused", detail.clone()),
        Fault::Trap(text) => ("plugin-fault", text.clone()),
        Fault::GrantEnded => ("grant-ended", "the grant ended, or is no longer what it was when the call began".to_owned()),
        Fault::Plan(text) => ("plan-unreadable", text.clone()),
        Fault::Cancelled => ("cancelled", "the caller no longer wanted it".to_owned()),
        Fault::Busy { whose, places } => ("busy", format!("all {places} of {whose} places were taken")),
    }
}

/// Why a permitted call of a plugin that is no longer served is not made.
pub(crate) fn unloaded(why: Ended) -> Withdrawal {
    Withdrawal { layer: "catalog".into(), reason: why.as_str().into(), message: why.detail().to_owned(), retry_after_ms: None }
}

/// Why a permitted call was not charged, and when trying again can help.
pub(crate) fn withdrawal(error: &ChargeError) -> Withdrawal {
    let (reason, retry_after_ms) = match error {
        ChargeError::Exhausted { retry_after_ms, .. } => ("budget-exhausted", *retry_after_ms),
        ChargeError::Approval { .. } => ("approval-gone", None),
        ChargeError::Variants { .. } => ("breaker-opened", None),
        ChargeError::Ledger(_) => ("ledger-unavailable", None),
    };
    Withdrawal { layer: "ledger".into(), reason: reason.into(), message: error.to_string(), retry_after_ms }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: &Value, value: &Value, expected: &Value) {
        assert_eq!(&redacted(value, schema), expected);
    }

    #[test]
    fn marked_fields_are_hidden_wherever_they_are() {
        let schema = json!({
            "properties": {
                "open": { "type": "string" },
                "password": { "type": "string", "x-secret": true },
                "nested": { "$ref": "#/$defs/login" },
                "list": { "items": { "$ref": "#/$defs/login" } },
                "either": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/login" }] },
            },
            "$defs": { "login": { "properties": { "token": { "x-secret": true } } } },
        });
        check(&schema, &json!({ "open": "a", "password": "s" }), &json!({ "open": "a", "password": HIDDEN }));
        check(&schema, &json!({ "nested": { "token": "s" } }), &json!({ "nested": { "token": HIDDEN } }));
        check(&schema, &json!({ "list": [{ "token": "s" }] }), &json!({ "list": [{ "token": HIDDEN }] }));
        check(&schema, &json!({ "either": { "token": "s" } }), &json!({ "either": { "token": HIDDEN } }));
    }

    #[test]
    fn what_the_schema_does_not_describe_is_hidden_too() {
        let schema = json!({
            "properties": {
                "password": { "type": "string", "x-secret": true },
                "list": { "type": "array" },
                "map": { "additionalProperties": { "properties": { "token": { "x-secret": true } } } },
            },
        });
        check(&schema, &json!({ "passwrd": "s" }), &json!({ "passwrd": HIDDEN }));
        check(&schema, &json!({ "list": ["s"] }), &json!({ "list": [HIDDEN] }));
        check(&schema, &json!({ "map": { "a": { "token": "s" } } }), &json!({ "map": { "a": { "token": HIDDEN } } }));
        let unmarked = json!({ "properties": { "list": { "type": "array" } } });
        check(&unmarked, &json!({ "list": ["shown"], "other": "s" }), &json!({ "list": ["shown"], "other": HIDDEN }));
    }

    #[test]
    fn a_schema_without_end_hides_instead_of_looping() {
        let schema = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a", "x-secret": true } } });
        check(&schema, &json!("s"), &json!(HIDDEN));
    }
}
