//! The chain of calls that led somewhere.
//!
//! A call is led to by the approval it used, with the call that asked for it and what people said; by the calls whose results its session
//! had read; and by the calls in whose results a value of its arguments was first. Each record says these of itself, so a chain is followed
//! backwards, from record to record, until nothing is named that is not there.

mod step;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::Path,
    sync::Arc,
};

use aho_corasick::AhoCorasick;
use casemate_audit::{Entry, Filter};
use casemate_policy::text::quote;
use serde_json::{Value, json};

pub(crate) use step::{Step, Word};

use self::step::{items, member, names, text};
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
    /// It asked for the approval that the later one used, or was about.
    Asked,
    /// Somebody spoke of that approval.
    Said(Word, String),
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |items: &BTreeSet<String>| items.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        match self {
            Self::Value(arguments) => write!(f, "gave the value of {}", list(arguments)),
            Self::Read(labels) => write!(f, "was read ({})", list(labels)),
            Self::Asked => f.write_str("asked for the approval"),
            Self::Said(word, by) => write!(f, "{} by {by}", word.as_str()),
        }
    }
}

/// Why earlier steps led to one, as that one has it.
pub(super) struct Reason {
    /// In words; steps are numbered from 1.
    pub(super) text: String,
    /// Which they are.
    pub(super) from: Vec<usize>,
}

impl Reason {
    fn of(why: &Why, mut from: Vec<usize>) -> Self {
        from.sort_unstable();
        let steps = numbered(&from);
        let list = |items: &BTreeSet<String>| items.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let text = match why {
            Why::Value(arguments) => format!("has the value of {} from {steps}", list(arguments)),
            Why::Read(labels) => format!("had read {steps} ({})", list(labels)),
            Why::Asked => format!("approval asked for by {steps}"),
            Why::Said(word, by) => format!("{} by {by} ({steps})", word.as_str()),
        };
        Self { text, from }
    }
}

/// `1, 3–5`: numbers from 1, of places from 0, which are in order.
fn numbered(places: &[usize]) -> String {
    let runs = places.chunk_by(|a, b| a + 1 == *b).flat_map(|run| match run {
        [first, .., last] if run.len() > 2 => vec![format!("{}–{}", first + 1, last + 1)],
        run => run.iter().map(|place| (place + 1).to_string()).collect(),
    });
    runs.collect::<Vec<_>>().join(", ")
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
        // A call, where one is: an approval that nobody has used yet leads to the last word on it.
        let known = |step: &Step| step.is_known_by(id);
        let used = steps.iter().rposition(|step| known(step) && step.used().is_some_and(|approval| approval == id));
        let said = || steps.iter().rposition(|step| known(step) && step.word.is_some());
        let root = used.or_else(said).or_else(|| steps.iter().rposition(known))?;
        Some(Graph { steps: &steps }.behind(root))
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
            for (from, why) in self.before(to, to == root) {
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

    /// The steps that led to this one, each before it in time: so no chain is without a beginning. What was said of an approval led to
    /// the call that used it; `last` is whether nothing comes after this step, and what was said leads to it as well.
    fn before(&self, to: usize, last: bool) -> Vec<(usize, Why)> {
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
        if let Some(approval) = step.used().or_else(|| step.about().filter(|_| last && step.word.is_some())) {
            let about = || earlier.iter().enumerate().filter(|(_, earlier)| earlier.about() == Some(approval));
            // Who asks again while it waits adds nothing.
            before.extend(about().find(|(_, earlier)| earlier.call_id.is_some()).map(|(from, _)| (from, Why::Asked)));
            let said = |(from, earlier): (usize, &Step)| Some((from, Why::Said(earlier.word?, earlier.principal.clone())));
            before.extend(about().filter_map(said));
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
                Why::Said(word, by) => (word.as_str(), json!([by])),
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

    /// What led to a step, in words of its own: each once, with the steps that it is true of.
    pub(super) fn reasons(&self, to: usize) -> Vec<Reason> {
        let mut by_why: BTreeMap<&Why, Vec<usize>> = BTreeMap::new();
        for link in self.links.iter().filter(|link| link.to == to) {
            by_why.entry(&link.why).or_default().push(link.from);
        }
        by_why.into_iter().map(|(why, from)| Reason::of(why, from)).collect()
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
pub(super) mod tests;
