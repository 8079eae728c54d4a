//! What came of a case: what it used, and everything that is not as expected.

use casemate_audit::Entry;
use casemate_policy::text::visible;
use casemate_sandbox::{Difference, Expected, ExpectedBody, Replay, Sent};
use serde_json::Value;

use crate::{
    case::{Case, differences, file::Expect},
    mcp::{Content, Reply},
    rehearsal::Performance,
};

/// Bytes of a body or a text that are shown: enough to know it by.
const MAX_BODY: usize = 400;

/// What came of one case.
pub(super) struct Verdict {
    pub(super) case: String,
    pub(super) tool: String,
    pub(super) ended: Ended,
    pub(super) fuel: u64,
    /// The most bytes of linear memory.
    pub(super) memory: u64,
    /// Requests that passed the gate.
    pub(super) requests: usize,
    pub(super) micros: u64,
    /// What is wrong, each in lines of its own; nothing where it passed.
    pub(super) faults: Vec<String>,
}

/// How a call ended, in the words of a case.
pub(super) enum Ended {
    Returned,
    Failed {
        kind: String,
    },
    Planned,
    Refused {
        reason: String,
    },
    /// No case can expect this: the call ran into a limit or a trap, or its result was withheld.
    Otherwise {
        how: String,
    },
}

impl Ended {
    fn of(performance: &Performance) -> Self {
        let Some(entry) = &performance.outcome else {
            let reason = performance.reply.structured.as_ref().and_then(|value| value.get("reason")).and_then(Value::as_str);
            return Self::Refused { reason: reason.unwrap_or_default().to_owned() };
        };
        let field = |name| entry.field(name).and_then(Value::as_str).unwrap_or_default();
        let (code, _) = field("detail").split_once(": ").unwrap_or_default();
        match field("ending") {
            "returned" => Self::Returned,
            "failed" => Self::Failed { kind: code.to_owned() },
            "planned" => Self::Planned,
            "egress-refused" => Self::Refused { reason: code.to_owned() },
            other => Self::Otherwise { how: format!("{other}: {}", field("detail")) },
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Failed { .. } => "failed",
            Self::Planned => "planned",
            Self::Refused { .. } => "refused",
            Self::Otherwise { .. } => "stopped",
        }
    }
}

impl Verdict {
    pub(super) fn of(case: &Case, performance: &Performance) -> Self {
        let ended = Ended::of(performance);
        let mut faults = requests(&performance.replay);
        faults.extend(outcome(case, &ended, performance));
        let number = |name| performance.outcome.as_ref().map_or(0, |entry| number(entry, name));
        let sent = performance.outcome.as_ref().and_then(|entry| entry.field("requests")).and_then(Value::as_array);
        Self {
            case: case.name.clone(),
            tool: case.file.tool.to_string(),
            ended,
            fuel: number("fuel"),
            memory: number("memory_bytes"),
            requests: sent.map_or(0, Vec::len),
            micros: number("duration_us"),
            faults,
        }
    }

    pub(super) fn passed(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A number of the audit log.
fn number(entry: &Entry, name: &str) -> u64 {
    entry.field(name).and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok())).unwrap_or_default()
}

/// Requests that are not recorded, each beside the recorded one that is nearest; and recorded ones that were not made.
fn requests(replay: &Replay) -> Vec<String> {
    let mut unused = replay.unused();
    let mut faults = Vec::new();
    for sent in replay.strays() {
        let nearest = unused.iter().enumerate().max_by_key(|(at, expected)| (nearness(expected, &sent), std::cmp::Reverse(*at)));
        match nearest.map(|(at, _)| at) {
            Some(at) => faults.push(format!("a request is not the recorded one\n{}", beside(&unused.remove(at), &sent))),
            None => faults.push(format!("a request is not recorded\n  sent      {}", shown(&sent))),
        }
    }
    faults.extend(unused.iter().map(|expected| format!("a recorded request was not made\n  recorded  {}", recorded(expected))));
    faults
}

fn nearness(expected: &Expected, sent: &Sent) -> u8 {
    match expected.difference(sent) {
        None => 4,
        Some(Difference::Body) => 3,
        Some(Difference::Headers) => 2,
        Some(Difference::Request) => u8::from(expected.method == sent.method && expected.upstream == sent.upstream),
    }
}

/// The two requests, and below them what differs.
fn beside(expected: &Expected, sent: &Sent) -> String {
    let mut text = format!("  recorded  {}\n  sent      {}", recorded(expected), shown(sent));
    match expected.difference(sent) {
        Some(Difference::Headers) => {
            for (name, value) in expected.headers.iter().filter(|header| !sent.headers.contains(header)) {
                text.push_str(&format!("\n  without   {}: {}", visible(name), visible(value)));
            }
        }
        Some(Difference::Body) => text.push_str(&bodies(&expected.body, &sent.body)),
        _ => {}
    }
    text
}

fn bodies(expected: &ExpectedBody, sent: &[u8]) -> String {
    match (expected, serde_json::from_slice::<Value>(sent)) {
        (ExpectedBody::Json(expected), Ok(sent)) => {
            differences(expected, &sent, true).iter().map(|line| format!("\n  body      {line}")).collect()
        }
        (ExpectedBody::Json(expected), Err(_)) => {
            format!("\n  recorded body  {}\n  sent body      {}", excerpt(expected.to_string().as_bytes()), excerpt(sent))
        }
        (ExpectedBody::Bytes(expected), _) => {
            format!("\n  recorded body  {}\n  sent body      {}", excerpt(expected), excerpt(sent))
        }
    }
}

/// The beginning of a body, in one line.
fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..MAX_BODY).unwrap_or(bytes));
    let more = if bytes.len() > MAX_BODY { "…" } else { "" };
    format!("{} bytes: {}{more}", bytes.len(), visible(&text).replace('\n', "\\n"))
}

fn recorded(expected: &Expected) -> String {
    format!("{} {} {}", expected.method.as_str(), expected.upstream, visible(&expected.path))
}

fn shown(sent: &Sent) -> String {
    format!("{} {} {}", sent.method.as_str(), sent.upstream, visible(&sent.path))
}

/// What is wrong with how the call ended.
fn outcome(case: &Case, ended: &Ended, performance: &Performance) -> Vec<String> {
    let reply = &performance.reply;
    match (&case.file.expect, ended) {
        (Expect::Returned { structured, includes, text }, Ended::Returned) => {
            let found = reply.structured.as_ref().unwrap_or(&Value::Null);
            let mut faults = Vec::new();
            for (expected, whole) in [(structured, true), (includes, false)] {
                let lines = expected.as_ref().map(|expected| differences(expected, found, whole)).unwrap_or_default();
                if !lines.is_empty() {
                    faults.push(format!("the structured result is another\n  {}", lines.join("\n  ")));
                }
            }
            faults.extend(says(reply, text.as_deref()));
            faults
        }
        (Expect::Failed { kind, text }, Ended::Failed { kind: found }) if kind == found => {
            says(reply, text.as_deref()).into_iter().collect()
        }
        (Expect::Failed { kind, .. }, Ended::Failed { kind: found }) => {
            vec![format!("expected a failure `{kind}`, and it is `{found}`\n  {}", words(reply))]
        }
        (Expect::Planned { .. }, Ended::Planned) => plan(&case.plan, &performance.replay.planned()),
        (Expect::Refused { reason }, Ended::Refused { reason: found }) if reason == found => Vec::new(),
        (Expect::Refused { reason }, Ended::Refused { reason: found }) => {
            vec![format!("expected to be refused for `{reason}`, and it was for `{found}`\n  {}", words(reply))]
        }
        (expected, Ended::Otherwise { how }) => {
            let how = visible(how).replace('\n', "\n  ");
            vec![format!("expected `{}`, and the call was stopped\n  {how}", expected.word())]
        }
        (expected, ended) => vec![format!("expected `{}`, and it ended `{}`\n  {}", expected.word(), ended.word(), words(reply))],
    }
}

fn says(reply: &Reply, part: Option<&str>) -> Option<String> {
    let part = part.filter(|part| !whole(reply).contains(*part))?;
    Some(format!("the text does not hold `{}`\n  {}", visible(part), words(reply)))
}

/// Every text of a reply.
fn whole(reply: &Reply) -> String {
    let texts = reply.content.iter().filter_map(|content| match content {
        Content::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// The same, cut and indented.
fn words(reply: &Reply) -> String {
    let text = whole(reply);
    let head = text.get(..text.floor_char_boundary(MAX_BODY)).unwrap_or_default();
    format!("{}{}", head.trim_end().replace('\n', "\n  "), if head.len() < text.len() { "…" } else { "" })
}

fn plan(expected: &[Expected], planned: &[Sent]) -> Vec<String> {
    if expected.len() != planned.len() {
        let planned: Vec<String> = planned.iter().map(|sent| format!("\n  planned   {}", shown(sent))).collect();
        return vec![format!("expected a plan of {} requests, got {}{}", expected.len(), planned.len(), planned.concat())];
    }
    let differing = expected.iter().zip(planned).filter(|(expected, sent)| expected.difference(sent).is_some());
    differing.map(|(expected, sent)| format!("a planned request is another\n{}", beside(expected, sent))).collect()
}
