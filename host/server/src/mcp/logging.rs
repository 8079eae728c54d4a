//! Log messages to a client about its own calls: to one of 2025 how each ended, and where the operator allows it, to any what the plugin
//! said meanwhile. They are deprecated since 2026-07-28, where each call asks for them by itself.
//!
//! Nothing is sent before a client has asked for it. What the host says of a call its reply says too; what a plugin says was checked as
//! a result is.
#![expect(deprecated, reason = "logging is part of the revisions of 2025")]

use std::{
    sync::atomic::{AtomicU8, Ordering},
    time::Duration,
};

use rmcp::{
    RoleServer,
    model::{LoggingLevel, LoggingMessageNotificationParam},
    service::Peer,
};
use serde_json::{Value, json};

use super::{LogLine, Reply, Weight};

/// How long an answer waits for what is said before it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Every level, least first.
const LEVELS: [LoggingLevel; 8] = [
    LoggingLevel::Debug,
    LoggingLevel::Info,
    LoggingLevel::Notice,
    LoggingLevel::Warning,
    LoggingLevel::Error,
    LoggingLevel::Critical,
    LoggingLevel::Alert,
    LoggingLevel::Emergency,
];

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

    /// What was asked for last.
    pub(super) fn asked(&self) -> Option<LoggingLevel> {
        let least = self.0.load(Ordering::Relaxed);
        LEVELS.into_iter().find(|level| rank(*level) == least)
    }

    fn wants(&self, level: LoggingLevel) -> bool {
        self.asked().is_some_and(|least| rank(level) >= rank(least))
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

/// Say what a plugin said, before the call's answer. A client that does not read it is not waited for.
pub(super) async fn pass_on(peer: &Peer<RoleServer>, asked: Option<LoggingLevel>, lines: Vec<LogLine>) {
    let Some(least) = asked else { return };
    let said = async {
        for LogLine { logger, weight, text } in lines {
            let level = level_of(weight);
            let message = LoggingMessageNotificationParam::new(level, Value::String(text)).with_logger(logger);
            if rank(level) >= rank(least) && peer.notify_logging_message(message).await.is_err() {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(PATIENCE, said).await;
}

fn level_of(weight: Weight) -> LoggingLevel {
    match weight {
        Weight::Debug => LoggingLevel::Debug,
        Weight::Info => LoggingLevel::Info,
        Weight::Warn => LoggingLevel::Warning,
        Weight::Error => LoggingLevel::Error,
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
