//! One step of a chain: a call with everything that is on record of it, or one thing that a person or the host did.

use casemate_audit::Entry;
use serde_json::{Value, json};

/// One step: everything that is on record under one call's id, or one thing that a person or the host did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// What it is called in `casemate audit show`: the id of its first record.
    pub(crate) id: String,
    /// Of a call.
    pub(crate) call_id: Option<String>,
    /// When it began, RFC 3339.
    pub(crate) at: String,
    /// Who.
    pub(crate) principal: String,
    /// The tool, or the kind of event.
    pub(crate) what: String,
    /// Of a call: `read` to `destructive`.
    pub(crate) effect: Option<String>,
    /// Of a call: `real` or `dry-run`.
    pub(crate) mode: Option<String>,
    /// How it ended, as the log has it: `allowed`, `denied`, `deferred`, `error`, `unknown`; `pending` where no record says.
    pub(crate) outcome: String,
    /// Why, or how: `returned`, `scope-not-granted`, ….
    pub(crate) why: String,
    /// Of somebody's word on an approval: what it was.
    pub(crate) word: Option<Word>,
    /// What the arguments name, `dimension=value`.
    pub(crate) targets: Vec<String>,
    /// `METHOD url → status`, in order.
    pub(crate) requests: Vec<String>,
    /// The records, in order.
    pub(crate) records: Vec<Entry>,
}

impl Step {
    pub(super) fn of(mut records: Vec<Entry>) -> Option<Self> {
        records.sort_by(|a, b| (a.occurred_at(), a.event_id()).cmp(&(b.occurred_at(), b.event_id())));
        let (first, last) = (records.first()?, records.last()?);
        let any = |name| records.iter().find_map(|entry| text(entry, name)).map(str::to_owned);
        let said = |entry: &Entry, name: &str| entry.field("fields")?.get(name)?.as_str().map(str::to_owned);
        let what = if first.tool_name().is_empty() { first.event_type() } else { first.tool_name() };
        let outcome = if last.event_type() == "intent" { "pending" } else { last.outcome() };
        let why = text(last, "ending").or_else(|| text(last, "reason")).map(str::to_owned);
        let told = || said(last, "reason").unwrap_or_default();
        let targets = items(first, "targets").flat_map(|dimension| {
            let name = member(dimension, "dimension").unwrap_or_default();
            let values = dimension.get("values").and_then(Value::as_array).into_iter().flatten();
            values.filter_map(Value::as_str).map(move |value| format!("{name}={value}"))
        });
        let requests = records.iter().flat_map(|entry| items(entry, "requests")).map(|request| {
            let of = |name| member(request, name).unwrap_or_default();
            format!("{} {} → {}", of("method"), of("url"), member(request, "status").unwrap_or(of("state")))
        });
        Some(Self {
            id: first.event_id().to_owned(),
            call_id: any("call_id"),
            at: first.occurred_at().to_owned(),
            principal: said(first, "approver").unwrap_or_else(|| first.principal_id().to_owned()),
            what: what.to_owned(),
            effect: any("effect"),
            mode: any("mode"),
            outcome: outcome.to_owned(),
            why: why.unwrap_or_else(told),
            word: Word::of(last),
            targets: targets.collect(),
            requests: requests.collect(),
            records,
        })
    }

    /// What came of it, in a word.
    pub(in crate::trail) fn came(&self) -> &str {
        match self.word {
            Some(word) => word.as_str(),
            None => &self.outcome,
        }
    }

    /// The same, and why.
    pub(in crate::trail) fn came_of_it(&self) -> String {
        if self.why.is_empty() { self.came().to_owned() } else { format!("{}: {}", self.came(), self.why) }
    }

    pub(super) fn is_known_by(&self, id: &str) -> bool {
        self.records.iter().any(|entry| names(entry).any(|name| name == id))
    }

    /// Whether it is a call that ran under this approval.
    pub(super) fn used(&self) -> Option<&str> {
        self.records.iter().filter(|entry| entry.event_type() == "intent").find_map(Entry::approval)
    }

    /// The approval that it asked for, or that somebody spoke of in it.
    pub(super) fn about(&self) -> Option<&str> {
        if self.used().is_some() { None } else { self.records.iter().find_map(Entry::approval) }
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "id": self.id, "call_id": self.call_id, "at": self.at, "principal": self.principal, "what": self.what, "effect": self.effect,
            "mode": self.mode, "outcome": self.outcome, "word": self.word.map(Word::as_str), "why": self.why, "targets": self.targets,
            "requests": self.requests,
            "records": self.records.iter().map(Entry::event_id).collect::<Vec<_>>(),
        })
    }
}

/// What was said of an approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Word {
    /// Yes.
    Approved,
    /// No.
    Denied,
    /// Taken back.
    Withdrawn,
}

impl Word {
    fn of(entry: &Entry) -> Option<Self> {
        match (entry.event_type(), entry.field("fields").and_then(|fields| member(fields, "said"))) {
            ("approval.voted", Some("approve")) => Some(Self::Approved),
            ("approval.voted", Some("deny")) => Some(Self::Denied),
            ("approval.withdrawn", _) => Some(Self::Withdrawn),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What a record is known by: its own id, its call's, its approval's, and that of the intent which it ends.
pub(super) fn names(entry: &Entry) -> impl Iterator<Item = &str> {
    [Some(entry.event_id()), text(entry, "call_id"), text(entry, "intent"), entry.approval()].into_iter().flatten()
}

pub(super) fn text<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    entry.field(name)?.as_str().filter(|text| !text.is_empty())
}

/// The members of a list of objects: `read`, `carried`, ….
pub(super) fn items<'e>(entry: &'e Entry, name: &str) -> impl Iterator<Item = &'e Value> {
    entry.field(name).and_then(Value::as_array).into_iter().flatten()
}

pub(super) fn member<'v>(item: &'v Value, name: &str) -> Option<&'v str> {
    item.get(name)?.as_str()
}
