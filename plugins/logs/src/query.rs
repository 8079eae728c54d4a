//! Searching one log: which lines match, in which span of time, and which of them are kept.

use std::{
    collections::VecDeque,
    time::{SystemTime, UNIX_EPOCH},
};

use casemate_plugin::{Context, Failure, field::Whole};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    cursor::{Cursor, Place},
    dated::{self, Clock, Moment},
    log::{self, LogName},
    pattern::{Expression, Pattern},
    report::{Report, Search},
    window::{self, Segment, Window},
};

/// Lines where the caller does not say.
const DEFAULT_LINES: usize = 100;

/// Arguments of `query_logs`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Which log, as list_logs names it
    log: LogName,
    /// A regular expression in the syntax of Rust's crate regex, which is much of grep -E's and Perl's; without backreferences and
    /// look-around, which take more than linear time
    pattern: Expression,
    /// Whether ASCII letters match in either case
    #[serde(default)]
    ignore_case: bool,
    /// Only lines from this time on: RFC 3339 with a zone. A line without a time of its own has that of the line before it
    #[serde(default)]
    since: Option<Moment>,
    /// Only lines up to this time, to the second
    #[serde(default)]
    until: Option<Moment>,
    /// The most matching lines that are returned, the newest; 100 where it is left out
    #[serde(default)]
    max_lines: Option<Whole<1, 1000>>,
    /// How many lines before and after each match are returned with it
    #[serde(default)]
    context: Option<Whole<0, 10>>,
    /// Go on where an earlier search of this log stopped: its answer's `before`
    #[serde(default)]
    before: Option<Place>,
}

/// The operator's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    utc_offset: Option<String>,
}

/// A matching line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    /// Which segment of the window it is in.
    pub(crate) segment: usize,
    /// Where it begins and ends there.
    pub(crate) line: (usize, usize),
    /// Where its match ends, counted from its beginning.
    pub(crate) at: usize,
}

/// What matches.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    /// The newest of them, oldest first.
    pub(crate) kept: VecDeque<Hit>,
    /// How many there were.
    pub(crate) matched: usize,
    /// Lines that match and stand before the first that has a time, where a time was asked for.
    pub(crate) undated: usize,
    /// Whether there is a line from before the time that was asked for: nothing older is wanted.
    reached: bool,
}

/// What time it is here, and in which zone lines are that do not say.
pub(crate) fn clock(cx: &Context) -> Result<Clock, Failure> {
    let Settings { utc_offset } = cx.settings()?;
    let offset = match utc_offset {
        Some(text) => dated::zone(&text).ok_or_else(|| Failure::internal("the setting `utc_offset` is no offset"))?,
        None => 0,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(Clock { now: i64::try_from(now).unwrap_or(i64::MAX >> 1), offset })
}

pub(crate) fn query(args: Arguments, cx: &Context) -> Result<Report, Failure> {
    let Arguments { log, pattern, ignore_case, since, until, max_lines, context, before } = args;
    let count = |number: i64| usize::try_from(number).unwrap_or_default();
    let most = max_lines.map_or(DEFAULT_LINES, |lines| count(lines.number()));
    let clock = clock(cx)?;
    let span = Span::new(since.as_ref(), until.as_ref())?;
    let mut pattern = Pattern::compile(&pattern, ignore_case)?;

    let (files, unread) = log::open(cx, &log)?;
    let (files, end) = match before {
        Some(place) => Cursor::find(&place, files).map(|(files, end)| (files, Some(end)))?,
        None => (files, None),
    };
    let mut window = window::read(&files, end)?;
    let hits = search(&window, &mut pattern, span, clock, most);
    if hits.reached {
        window.older = None;
    }
    let context = context.map_or(0, |lines| count(lines.number()));
    Ok(Report::new(Search { log: log.as_str(), window: &window, hits: &hits, clock, context, unread: &unread }))
}

/// What is in a window, oldest first.
fn search(window: &Window, pattern: &mut Pattern, span: Span, clock: Clock, most: usize) -> Hits {
    let mut hits = Hits::default();
    for (at, segment) in window.segments.iter().enumerate() {
        // What is written to one file says nothing of when the next was.
        let mut time = None;
        for line in segment.lines() {
            let bytes = segment.line(line);
            if span.is_bound() {
                time = clock.time_of(bytes).or(time);
                hits.reached |= at == 0 && time.is_some_and(|time| span.is_over(time));
            }
            hits.hold(Hit { segment: at, line, at: 0 }, segment, pattern, span.covers(time), most);
        }
    }
    hits
}

impl Hits {
    /// Take a line if it matches, and let go of the oldest where there are too many.
    fn hold(&mut self, hit: Hit, segment: &Segment, pattern: &mut Pattern, covers: Option<bool>, most: usize) {
        if covers == Some(false) {
            return;
        }
        let Some(at) = pattern.find(segment.line(hit.line)) else { return };
        if covers.is_none() {
            self.undated += 1;
            return;
        }
        self.matched += 1;
        if self.kept.len() == most {
            self.kept.pop_front();
        }
        self.kept.push_back(Hit { at, ..hit });
    }
}

/// A span of time, both ends included.
#[derive(Debug, Clone, Copy)]
struct Span {
    since: Option<i64>,
    until: Option<i64>,
}

impl Span {
    fn new(since: Option<&Moment>, until: Option<&Moment>) -> Result<Self, Failure> {
        let span = Self { since: since.and_then(Moment::seconds), until: until.and_then(Moment::seconds) };
        match (span.since, span.until) {
            (Some(since), Some(until)) if since > until => Err(Failure::invalid_arguments("`since` is later than `until`")),
            _ => Ok(span),
        }
    }

    fn is_bound(self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether a time is before the span.
    fn is_over(self, time: i64) -> bool {
        self.since.is_some_and(|since| time < since)
    }

    /// Whether a line of that time is wanted; nothing where that cannot be said.
    fn covers(self, time: Option<i64>) -> Option<bool> {
        if !self.is_bound() {
            return Some(true);
        }
        let time = time?;
        Some(!self.is_over(time) && self.until.is_none_or(|until| time <= until))
    }
}
