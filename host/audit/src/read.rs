//! Reading a log for people: entries in order, filtered. It believes what it reads; [`crate::verify`] does not.

use std::{io, sync::Arc};

use aho_corasick::AhoCorasick;
use cap_std::fs::Dir;
use casemate_policy::Timestamp;
use serde_json::Value;

use crate::{
    EventId, Hash, Place,
    record::OURS,
    segment::{Found, Lines, Position, first, list},
};

/// Which entries to give; what is absent does not filter.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this principal.
    pub principal: Option<String>,
    /// Of this tool, as served.
    pub tool: Option<String>,
    /// Of this type, or of this family: `plugin`.
    pub event_type: Option<String>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Of this call.
    pub call_id: Option<String>,
    /// Under this trace of the client's, 32 hex digits.
    pub trace: Option<String>,
    /// About this target, in any dimension.
    pub target: Option<String>,
    /// About this approval.
    pub approval: Option<String>,
    /// With one of these texts somewhere in it.
    pub mentions: Option<Arc<AhoCorasick>>,
    /// With this id, or about the intent with it.
    pub event: Option<EventId>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Not at or after.
    pub until: Option<Timestamp>,
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where it is.
    pub place: Place,
    /// All of it.
    pub raw: Value,
}

/// A log, or a record in it, that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The folder or a file.
    #[error("the audit log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// A record.
    #[error("{0} is not a record\nhelp: `casemate audit verify` says what is wrong")]
    NotRecord(Place),
    /// The details of a call.
    #[error("the details that {0} names are gone, or others\nhelp: `casemate audit verify` says what is wrong")]
    Details(Place),
    /// A file.
    #[error("record {0} and those after it, up to the next file, are missing\nhelp: `casemate audit verify` says what is wrong")]
    Gap(u64),
}

impl Entry {
    fn core(&self, key: &str) -> &str {
        self.raw.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Its id.
    pub fn event_id(&self) -> &str {
        self.core("event_id")
    }

    /// When, RFC 3339.
    pub fn occurred_at(&self) -> &str {
        self.core("occurred_at")
    }

    /// Who.
    pub fn principal_id(&self) -> &str {
        self.core("principal_id")
    }

    /// What kind of event.
    pub fn event_type(&self) -> &str {
        self.core("event_type")
    }

    /// Which tool; empty where none is concerned.
    pub fn tool_name(&self) -> &str {
        self.core("tool_name")
    }

    /// `allowed`, `denied`, `deferred`, `error` or `unknown`.
    pub fn outcome(&self) -> &str {
        self.core("outcome")
    }

    /// One of this host's own fields: `grant`, `arguments`, `verdicts`, `requests`, ….
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.raw.get("extensions")?.get(OURS)?.get(name)
    }

    /// What the call names, in every dimension.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        let dimensions = self.field("targets").and_then(Value::as_array).into_iter().flatten();
        let values = dimensions.filter_map(|dimension| dimension.get("values")?.as_array()).flatten();
        values.filter_map(Value::as_str)
    }

    /// The approval that it is about.
    pub fn approval(&self) -> Option<&str> {
        self.field("approval").or_else(|| self.field("fields")?.get("approval"))?.as_str()
    }

    /// Whether a filter lets it through. What a filter says of the line as it is written is not asked again.
    pub fn fits(&self, filter: &Filter) -> bool {
        let equal = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        let text = |name| self.field(name).and_then(Value::as_str).unwrap_or_default();
        let at = || self.occurred_at().parse::<Timestamp>().ok();
        equal(&filter.principal, self.principal_id())
            && equal(&filter.tool, self.tool_name())
            && equal(&filter.outcome, self.outcome())
            && equal(&filter.call_id, text("call_id"))
            && equal(&filter.trace, text("trace"))
            && filter.target.as_deref().is_none_or(|wanted| self.targets().any(|target| target == wanted))
            && filter.approval.as_deref().is_none_or(|wanted| self.approval() == Some(wanted))
            && filter.event_type.as_deref().is_none_or(|wanted| {
                // With and without the dot that a family's types have behind it.
                let rest = self.event_type().strip_prefix(wanted.strip_suffix('.').unwrap_or(wanted));
                rest.is_some_and(|rest| rest.starts_with('.') || (rest.is_empty() && !wanted.ends_with('.')))
            })
            && filter.event.is_none_or(|id| [self.event_id(), text("intent")].contains(&id.to_string().as_str()))
            && filter.since.is_none_or(|since| at().is_some_and(|at| at >= since))
            && filter.until.is_none_or(|until| at().is_some_and(|at| at < until))
    }
}

/// Entries of a log, oldest first. An unfinished last line is left out.
pub struct Entries<'d> {
    lines: Lines<'d>,
    filter: Filter,
    buffer: Vec<u8>,
    ended: bool,
}

/// Read the entries that fit `filter`.
pub fn read(dir: &Dir, filter: Filter) -> Result<Entries<'_>, ReadError> {
    Ok(Entries { lines: Lines::from(dir, first(dir)?)?, filter, buffer: Vec::new(), ended: false })
}

/// The same of the last files of the log alone: so many of them, however long it has become.
pub fn read_recent(dir: &Dir, filter: Filter, segments: usize) -> Result<Entries<'_>, ReadError> {
    let begin = last(&list(dir)?, segments);
    Ok(Entries { lines: Lines::from(dir, begin)?, filter, buffer: Vec::new(), ended: false })
}

/// Where the last segments begin, so many of them.
fn last(all: &[u64], segments: usize) -> u64 {
    all.get(all.len().saturating_sub(segments)).copied().unwrap_or_default()
}

/// The full exchanges of the call that this outcome ends, if they were kept and are what the outcome says.
pub fn details(dir: &Dir, outcome: &Entry) -> Result<Option<Value>, ReadError> {
    let digest = outcome.field("details").and_then(|details| details.get("sha256")?.as_str());
    let intent = outcome.field("intent").and_then(|intent| intent.as_str()?.parse().ok());
    let (Some(digest), Some(intent)) = (digest, intent) else { return Ok(None) };
    let bytes = crate::details::bytes(dir, intent)?.ok_or_else(|| ReadError::Details(outcome.place.clone()))?;
    match serde_json::from_slice(&bytes) {
        Ok(value) if Hash::of(&[&bytes]).to_string() == digest => Ok(Some(value)),
        _ => Err(ReadError::Details(outcome.place.clone())),
    }
}

/// Reads on where it ended before, for who watches a log that grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Follow(Position);

/// A text that is no [`Follow`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a log")]
pub struct InvalidFollow;

impl std::fmt::Display for Follow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Position { segment, record, line, offset } = self.0;
        write!(f, "{segment}/{record}/{line}/{offset}")
    }
}

impl std::str::FromStr for Follow {
    type Err = InvalidFollow;

    fn from_str(text: &str) -> Result<Self, InvalidFollow> {
        let numbers: Result<Vec<u64>, _> = text.split('/').map(str::parse).collect();
        match numbers.map_err(|_| InvalidFollow)?.as_slice() {
            &[segment, record, line, offset] => Ok(Self(Position { segment, record, line, offset })),
            _ => Err(InvalidFollow),
        }
    }
}

impl Follow {
    /// From the last files on, so many of them: so much of the past.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn recent(dir: &Dir, segments: usize) -> io::Result<Self> {
        let segment = last(&list(dir)?, segments);
        Ok(Self(Position { segment, record: segment, ..Position::default() }))
    }

    /// What was written since and fits `filter`, at most so many. What is half-written waits for its end.
    ///
    /// # Errors
    /// When the log or a record cannot be read.
    pub fn more(&mut self, dir: &Dir, filter: &Filter, most: usize) -> Result<Vec<Entry>, ReadError> {
        let lines = Lines::resume(dir, self.0)?;
        let mut entries = Entries { lines, filter: filter.clone(), buffer: Vec::new(), ended: false };
        let found = entries.by_ref().take(most).collect();
        self.0 = entries.lines.position();
        found
    }
}

impl Entries<'_> {
    fn advance(&mut self) -> Result<Option<Entry>, ReadError> {
        loop {
            let place = match self.lines.next(&mut self.buffer)? {
                None | Some(Found::Torn(_)) => return Ok(None),
                Some(Found::Line(place)) => place,
                Some(Found::Broken(place, _)) => return Err(ReadError::NotRecord(place)),
                Some(Found::Gap { expected, .. }) => return Err(ReadError::Gap(expected)),
            };
            if self.filter.mentions.as_deref().is_some_and(|texts| !texts.is_match(&self.buffer)) {
                continue;
            }
            let Ok(raw) = serde_json::from_slice::<Value>(&self.buffer) else { return Err(ReadError::NotRecord(place)) };
            let entry = Entry { place, raw };
            if entry.fits(&self.filter) {
                return Ok(Some(entry));
            }
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, ReadError>;

    /// After an error there is nothing more.
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}
