//! Log messages to a client of 2025 about its own calls. They are deprecated since 2026-07-28, and none are sent there.
//!
//! Nothing is sent before a client has asked for it, and nothing that the call's reply does not say.
#![expect(deprecated, reason = "logging is part of the revisions of 2025")]

use std::sync::atomic::{AtomicU8, Ordering};

use rmcp::{
    RoleServer,
    model::{LoggingLevel, LoggingMessageNotificationParam},
    service::Peer,
};
use serde_json::{Value, json};

use super::Reply;

/// Nothing was asked for.
const SILENT: u8 = u8::MAX;

/// From which level on a client wants to be told.
#[derive(Debug)]
pub(super) struct Level(AtomicU8);

impl Default for Level {
    fn default() -> Self {
        Self(AtomicU8::new(SILENT))
    }
}

impl Level {
    /// From this one on.
    pub(super) fn set(&self, level: LoggingLevel) {
        self.0.store(rank(level), Ordering::Relaxed);
    }

    fn wants(&self, level: LoggingLevel) -> bool {
        let least = self.0.load(Ordering::Relaxed);
        least != SILENT && rank(level) >= least
    }

    /// Say how a call ended. A client that does not read it is not waited for.
    pub(super) fn tell(&self, peer: &Peer<RoleServer>, tool: &str, reply: &Reply) {
        let (level, data) = message(tool, reply);
        if self.wants(level) {
            let peer = peer.clone();
            let message = LoggingMessageNotificationParam::new(level, data).with_logger("casemate");
            tokio::spawn(async move { drop(peer.notify_logging_message(message).await) });
        }
    }
}

fn rank(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}

/// A refusal is a warning, as a spent budget is; a call that waits is worth a notice.
fn message(tool: &str, reply: &Reply) -> (LoggingLevel, Value) {
    let tool: String = tool.chars().take(64).collect();
    let fact = |name: &str| reply.structured.as_ref().filter(|_| reply.is_error).and_then(|said| said.get(name)).cloned();
    let decision = fact("decision");
    let level = match decision.as_ref().and_then(Value::as_str) {
        None => LoggingLevel::Info,
        Some("deferred") => LoggingLevel::Notice,
        Some("denied") => LoggingLevel::Warning,
        Some(_) => LoggingLevel::Error,
    };
    let decision = decision.unwrap_or_else(|| "finished".into());
    let mut data = json!({ "tool": tool, "decision": decision, "audit_id": reply.audit_id() });
    for name in ["reason", "retry_after_ms", "approval_id"] {
        if let (Some(value), Some(data)) = (fact(name), data.as_object_mut()) {
            data.insert(name.to_owned(), value);
        }
    }
    (level, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_before_it_is_asked_for() {
        let level = Level::default();
        assert!(!level.wants(LoggingLevel::Emergency));
        level.set(LoggingLevel::Warning);
        assert!(level.wants(LoggingLevel::Warning) && level.wants(LoggingLevel::Error) && !level.wants(LoggingLevel::Notice));
    }

    #[test]
    fn a_message_says_what_was_decided_and_nothing_of_a_result() {
        let denied =
            Reply::error("secret words").with_structured(json!({ "decision": "denied", "reason": "paused", "remedy": "x" }));
        let (level, data) = message("a_b", &denied);
        assert_eq!(
            (level, &data),
            (LoggingLevel::Warning, &json!({ "tool": "a_b", "decision": "denied", "audit_id": null, "reason": "paused" }))
        );
        let result = Reply::text("words").with_structured(json!({ "decision": "denied", "reason": "the upstream says so" }));
        let (level, data) = message("a_b", &result);
        assert_eq!((level, &data), (LoggingLevel::Info, &json!({ "tool": "a_b", "decision": "finished", "audit_id": null })));
    }
}
