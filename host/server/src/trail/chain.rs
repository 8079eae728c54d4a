//! The chain of calls that led somewhere.
//!
//! A call is led to by the approval it used, with the call that asked for it and what people said; by the calls whose results its session
//! had read; and by the calls in whose results a value of its arguments was first. Each record says these of itself, so a chain is followed
//! backwards, from record to record, until nothing is named that is not there.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    sync::Arc,
};

use aho_corasick::AhoCorasick;
use casemate_audit::{Entry, Filter};
use casemate_policy::text::quote;
use serde_json::{Value, json};

use super::records;
use crate::exit::Failure;

/// Steps of a chain. A session that read more than this many calls' results is not understood by looking at all of them.
const MAX_STEPS: usize = 200;

/// A step and what led to it, as a graph without cycles: a link leads from an earlier step to a later one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chain {
    /// What was asked about.
    pub(crate) root: usize,
    /// In the order of time.
    pub(crate) steps: Vec<Step>,
    /// What led to what.
    pub(crate) links: Vec<Link>,
    /// Whether there would be more steps.
    pub(crate) cut: bool,
}

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
    /// What the arguments name, `dimension=value`.
    pub(crate) targets: Vec<String>,
    /// `METHOD url → status`, in order.
    pub(crate) requests: Vec<String>,
    /// The records, in order.
    pub(crate) records: Vec<Entry>,
}

/// Why one step led to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// The earlier.
    pub(crate) from: usize,
    /// The later.
    pub(crate) to: usize,
    /// How.
    pub(crate) why: Why,
}

/// What one step had to do with a later one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// A value in its result is the value of these arguments (RFC 6901).
    Value(BTreeSet<String>),
    /// The session had read its result, which carries these labels.
    Read(BTreeSet<String>),
    /// It asked for the approval that the later one used.
    Asked,
    /// Somebody said something of that approval.
    Said,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |items: &BTreeSet<String>| items.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::Value(arguments) => write!(f, "gave the value of {}", list(arguments)),
            Self::Read(labels) => write!(f, "was read ({})", list(labels)),
            Self::Asked => f.write_str("asked for the approval"),
            Self::Said => f.write_str("was said of it"),
        }
    }
}

/// The chain that led to a record, a call or an approval, by its id.
///
/// # Errors
/// When a log cannot be read, or nothing is on record under that id.
pub(crate) fn chain(state: &Path, id: &str) -> Result<Chain, Failure> {
    let mut found = Found::default();
    let mut wanted = BTreeSet::from([id.to_owned()]);
    while !wanted.is_empty() && found.records.len() <= MAX_STEPS * 4 {
        let next = found.add(look_up(state, &wanted)?);
        found.asked.append(&mut wanted);
        wanted = next.difference(&found.asked).cloned().collect();
    }
    found.chain(id).ok_or_else(|| unknown(id))
}

/// There is nothing of that id.
pub(crate) fn unknown(id: &str) -> Failure {
    Failure::invalid(format!(
        "nothing is on record under {}\nhelp: give the id of a record, a call or an approval, as `casemate audit show` prints them",
        quote(id, 64)
    ))
}

/// Records that are themselves known by one of these ids.
pub(crate) fn look_up(state: &Path, ids: &BTreeSet<String>) -> Result<Vec<Entry>, Failure> {
    let texts = AhoCorasick::new(ids).map_err(|error| Failure::failed(error.to_string()))?;
    let filter = Filter { mentions: Some(Arc::new(texts)), ..Filter::default() };
    let mut entries = records(state, &filter, None)?;
    entries.retain(|entry| names(entry).any(|name| ids.contains(name)));
    Ok(entries)
}

/// What a record is known by: its own id, its call's, its approval's, and that of the intent which it ends.
fn names(entry: &Entry) -> impl Iterator<Item = &str> {
    [Some(entry.event_id()), text(entry, "call_id"), text(entry, "intent"), entry.approval()].into_iter().flatten()
}

fn text<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    entry.field(name)?.as_str().filter(|text| !text.is_empty())
}

/// The members of a list of objects: `read`, `carried`, ….
fn items<'e>(entry: &'e Entry, name: &str) -> impl Iterator<Item = &'e Value> {
    entry.field(name).and_then(Value::as_array).into_iter().flatten()
}

fn member<'v>(item: &'v Value, name: &str) -> Option<&'v str> {
    item.get(name)?.as_str()
}

/// Records on the way back.
#[derive(Default)]
struct Found {
    records: BTreeMap<String, Entry>,
    asked: BTreeSet<String>,
}

impl Found {
    /// Take up records; gives the ids that they name.
    fn add(&mut self, entries: Vec<Entry>) -> BTreeSet<String> {
        let mut named = BTreeSet::new();
        for entry in entries {
            named.extend([text(&entry, "call_id"), text(&entry, "intent")].into_iter().flatten().map(str::to_owned));
            // Only what was allowed used its approval: what asked for one, or was told to wait, leads from it nowhere.
            named.extend(entry.approval().map(str::to_owned));
            let past = ["read", "carried"].into_iter().flat_map(|list| items(&entry, list));
            named.extend(past.filter_map(|item| member(item, "audit_id")).map(str::to_owned));
            self.records.insert(entry.event_id().to_owned(), entry);
        }
        named
    }

    fn chain(self, id: &str) -> Option<Chain> {
        let mut groups: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        let calls: BTreeMap<String, String> = self
            .records
            .values()
            .filter_map(|entry| Some((entry.event_id().to_owned(), text(entry, "call_id")?.to_owned())))
            .collect();
        // What ends an intent after a crash knows the intent and not the call.
        let key = |entry: &Entry| {
            let of_intent = || calls.get(text(entry, "intent")?).cloned();
            text(entry, "call_id").map(str::to_owned).or_else(of_intent).unwrap_or_else(|| entry.event_id().to_owned())
        };
        for entry in self.records.into_values() {
            groups.entry(key(&entry)).or_default().push(entry);
        }
        let mut steps: Vec<Step> = groups.into_values().filter_map(Step::of).collect();
        steps.sort_by(|a, b| (&a.at, &a.id).cmp(&(&b.at, &b.id)));
        let root = steps.iter().rposition(|step| step.is_known_by(id))?;
        Some(Graph { steps: &steps }.behind(root))
    }
}

impl Step {
    fn of(mut records: Vec<Entry>) -> Option<Self> {
        records.sort_by(|a, b| (a.occurred_at(), a.event_id()).cmp(&(b.occurred_at(), b.event_id())));
        let (first, last) = (records.first()?, records.last()?);
        let any = |name| records.iter().find_map(|entry| text(entry, name)).map(str::to_owned);
        let said = |entry: &Entry, name: &str| entry.field("fields")?.get(name)?.as_str().map(str::to_owned);
        let what = if first.tool_name().is_empty() { first.event_type() } else { first.tool_name() };
        let outcome = if last.event_type() == "intent" { "pending" } else { last.outcome() };
        let why = text(last, "ending").or_else(|| text(last, "reason")).map(str::to_owned);
        let vote = || [said(last, "said"), said(last, "reason")].into_iter().flatten().collect::<Vec<_>>().join(": ");
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
            why: why.unwrap_or_else(vote),
            targets: targets.collect(),
            requests: requests.collect(),
            records,
        })
    }

    fn is_known_by(&self, id: &str) -> bool {
        self.records.iter().any(|entry| names(entry).any(|name| name == id))
    }

    /// Whether it is a call that ran under this approval.
    fn used(&self) -> Option<&str> {
        self.records.iter().filter(|entry| entry.event_type() == "intent").find_map(Entry::approval)
    }

    /// The approval that it asked for, or that somebody spoke of in it.
    fn about(&self) -> Option<&str> {
        if self.used().is_some() { None } else { self.records.iter().find_map(Entry::approval) }
    }

    fn to_json(&self) -> Value {
        json!({
            "id": self.id, "call_id": self.call_id, "at": self.at, "principal": self.principal, "what": self.what, "effect": self.effect,
            "mode": self.mode, "outcome": self.outcome, "why": self.why, "targets": self.targets, "requests": self.requests,
            "records": self.records.iter().map(Entry::event_id).collect::<Vec<_>>(),
        })
    }
}

/// All steps that were found.
struct Graph<'a> {
    steps: &'a [Step],
}

impl Graph<'_> {
    /// What led to one of them.
    fn behind(&self, root: usize) -> Chain {
        let (mut links, mut kept, mut queue) = (Vec::new(), BTreeSet::from([root]), VecDeque::from([root]));
        let mut cut = false;
        while let Some(to) = queue.pop_front() {
            for (from, why) in self.before(to) {
                if !kept.contains(&from) && kept.len() >= MAX_STEPS {
                    cut = true;
                    continue;
                }
                if kept.insert(from) {
                    queue.push_back(from);
                }
                links.push(Link { from, to, why });
            }
        }
        let places: BTreeMap<usize, usize> = kept.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let place = |old: usize| places.get(&old).copied().unwrap_or_default();
        Chain {
            root: place(root),
            steps: kept.iter().filter_map(|at| self.steps.get(*at)).cloned().collect(),
            links: links.into_iter().map(|link| Link { from: place(link.from), to: place(link.to), ..link }).collect(),
            cut,
        }
    }

    /// The steps that led to this one, each before it in time: so no chain is without a beginning.
    fn before(&self, to: usize) -> Vec<(usize, Why)> {
        let (Some(step), Some(earlier)) = (self.steps.get(to), self.steps.get(..to)) else { return Vec::new() };
        let by = |id: &str| earlier.iter().position(|step| step.records.iter().any(|entry| entry.event_id() == id));
        let (mut values, mut labels) = (BTreeMap::<usize, BTreeSet<String>>::new(), BTreeMap::<usize, BTreeSet<String>>::new());
        for entry in &step.records {
            for (list, name, into) in [("carried", "argument", &mut values), ("read", "label", &mut labels)] {
                for item in items(entry, list) {
                    if let (Some(from), Some(what)) = (member(item, "audit_id").and_then(by), member(item, name)) {
                        into.entry(from).or_default().insert(what.to_owned());
                    }
                }
            }
        }
        let mut before: Vec<(usize, Why)> = values.into_iter().map(|(from, arguments)| (from, Why::Value(arguments))).collect();
        before.extend(labels.into_iter().map(|(from, labels)| (from, Why::Read(labels))));
        if let Some(approval) = step.used() {
            let about = || earlier.iter().enumerate().filter(|(_, earlier)| earlier.about() == Some(approval));
            // Who asks again while it waits adds nothing.
            before.extend(about().find(|(_, earlier)| earlier.call_id.is_some()).map(|(from, _)| (from, Why::Asked)));
            before.extend(about().filter(|(_, earlier)| earlier.call_id.is_none()).map(|(from, _)| (from, Why::Said)));
        }
        before
    }
}

impl Chain {
    /// For programs.
    pub(crate) fn to_json(&self) -> Value {
        let links = self.links.iter().map(|link| {
            let (how, of) = match &link.why {
                Why::Value(arguments) => ("value", json!(arguments)),
                Why::Read(labels) => ("read", json!(labels)),
                Why::Asked => ("asked", Value::Null),
                Why::Said => ("said", Value::Null),
            };
            json!({ "from": link.from, "to": link.to, "how": how, "of": of })
        });
        json!({
            "root": self.root,
            "steps": self.steps.iter().map(Step::to_json).collect::<Vec<_>>(),
            "links": links.collect::<Vec<_>>(),
            "cut": self.cut,
        })
    }

    /// What led to a step, the latest first.
    pub(super) fn before(&self, to: usize) -> Vec<&Link> {
        let mut links: Vec<&Link> = self.links.iter().filter(|link| link.to == to).collect();
        links.sort_by(|a, b| b.from.cmp(&a.from).then_with(|| a.why.cmp(&b.why)));
        links
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
