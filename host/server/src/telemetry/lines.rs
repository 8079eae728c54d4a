//! The program's own log lines, for a collector: what happened in the host's words, and of the rest only what can be nobody else's word.
//!
//! A line on standard error is for the operator of this machine, and may quote what a plugin did. What leaves it has the line's fixed
//! sentence, numbers, and those fields alone that are listed here. What plugins say does not leave at all.

use std::{
    fmt::{Debug, Write as _},
    sync::OnceLock,
    time::SystemTime,
};

use serde_json::{Value, json};
use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer};

use super::{
    otlp::{nanos, number, resource, scope, text},
    outbox::Outbox,
    resource::Teller,
};

/// The target of what plugins say.
pub(crate) const PLUGINS: &str = "casemate::plugin";

/// Fields that are ids or names.
const NAMES: [&str; 9] = ["approval", "audit_id", "call_id", "ended", "forward", "plugin", "source", "tool", "version"];
/// Fields that are words of enumerations, where they were given as words.
const WORDS: [&str; 8] = ["code", "ending", "layer", "limit", "mode", "reason", "signal", "why"];
/// Who calls, where the operator wants it told.
const PRINCIPAL: &str = "principal";
/// Bytes of a field.
const LONGEST: usize = 128;
/// Bytes of a sentence.
const SENTENCE: usize = 512;

/// Where lines are put once there is a collector for them. There is one log in a process.
static COLLECTED: OnceLock<Collected> = OnceLock::new();

pub(super) struct Collected {
    pub(super) outbox: Outbox<Value>,
    pub(super) principals: bool,
}

/// Collect lines from now on.
pub(super) fn collect(collected: Collected) {
    // A second collector in one process is there in tests alone.
    let _ = COLLECTED.set(collected);
}

/// Hands lines to the collector, if there is one.
#[derive(Debug)]
pub(crate) struct Lines;

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let Some(collected) = COLLECTED.get() else { return };
        if !metadata.target().starts_with("casemate") || metadata.target() == PLUGINS {
            return;
        }
        let mut line = Line { principals: collected.principals, sentence: String::new(), attributes: Vec::new(), left_out: 0 };
        event.record(&mut line);
        collected.outbox.put(vec![line.record(*metadata.level(), metadata.target())]);
    }
}

/// A line, as far as it may be told.
struct Line {
    principals: bool,
    sentence: String,
    attributes: Vec<Value>,
    left_out: u32,
}

impl Line {
    fn record(self, level: Level, target: &str) -> Value {
        // `SeverityNumber` of the protocol.
        let severity = match level {
            Level::ERROR => 17,
            Level::WARN => 13,
            Level::INFO => 9,
            Level::DEBUG => 5,
            Level::TRACE => 1,
        };
        let (now, mut attributes) = (nanos(SystemTime::now()), self.attributes);
        attributes.push(text("code.namespace", target));
        json!({
            "timeUnixNano": now,
            "observedTimeUnixNano": now,
            "severityNumber": severity,
            "severityText": level.as_str(),
            "body": { "stringValue": self.sentence },
            "attributes": attributes,
            "droppedAttributesCount": self.left_out,
        })
    }

    fn field(&mut self, name: &str, value: &str, is_word: bool) {
        let listed = NAMES.contains(&name) || (is_word && WORDS.contains(&name)) || (self.principals && name == PRINCIPAL);
        if listed && is_plain(value) {
            self.attributes.push(text(name, value));
        } else {
            self.left_out += 1;
        }
    }
}

/// A name or a word, and no text.
fn is_plain(value: &str) -> bool {
    value.len() <= LONGEST && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:@+".contains(&byte))
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field.name(), value, true);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut written = String::new();
        // Writing into a text does not fail.
        let _ = write!(written, "{value:?}");
        match field.name() {
            "message" => {
                written.truncate(written.floor_char_boundary(SENTENCE));
                self.sentence = written;
            }
            name => self.field(name, &written, false),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.record_i64(field, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.attributes.push(number(field.name(), value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.record_i64(field, value.into());
    }
}

/// Lines as they are sent.
pub(super) fn wrapped(lines: Vec<Value>, teller: &Teller) -> Vec<u8> {
    let scoped = json!({ "scope": scope(), "logRecords": lines });
    json!({ "resourceLogs": [{ "resource": resource(teller), "scopeLogs": [scoped] }] }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(principals: bool) -> Line {
        Line { principals, sentence: String::new(), attributes: Vec::new(), left_out: 0 }
    }

    #[test]
    fn of_a_line_only_listed_names_and_words_leave() {
        let mut line = line(false);
        line.field("tool", "lab_run", false);
        line.field("reason", "out-of-scope", true);
        // A text in place of a word, a field that is not listed, a caller, and a name that is none.
        line.field("reason", "the file", false);
        line.field("detail", "https://api.example/hosts/canary", true);
        line.field("principal", "local", true);
        line.field("tool", "run\nforged line", false);
        line.field("tool", &"a".repeat(LONGEST + 1), false);
        let told: Vec<&str> = line.attributes.iter().filter_map(|attribute| attribute["key"].as_str()).collect();
        assert_eq!((told, line.left_out), (vec!["tool", "reason"], 5));
    }

    #[test]
    fn a_caller_is_told_where_the_operator_wants_it() {
        let mut line = line(true);
        line.field(PRINCIPAL, "oidc:sub:alice", false);
        assert_eq!(line.attributes.len(), 1);
    }
}
