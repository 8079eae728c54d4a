//! What a search answers: the newest matching lines, as many as there is room for, and what was not looked at.

use std::fmt::Write as _;

use casemate_plugin::{Readable, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    dated::Clock,
    excerpt, log,
    query::{Hit, Hits},
    window::{Segment, Window},
};

/// What an answer costs at most: its lines twice, as structure and as text. The manifest's `output_kib` is above it.
const MAX_COST: usize = 448 << 10;
/// Of it, what the lines around one match may cost.
const MAX_AROUND: usize = 64 << 10;
/// What a line costs beside its text.
const LINE_COST: usize = 256;

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    log: String,
    /// Lines that matched in what was searched
    matched: usize,
    /// How many of them are in `lines`
    shown: usize,
    /// The newest matching lines, oldest first
    lines: Vec<Line>,
    /// How many bytes of the log were searched
    bytes_searched: usize,
    /// There is an older part that was not searched: pass this on as `before` to search it
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    /// What to know about this answer
    notes: Vec<String>,
}

/// One line.
#[derive(Debug, Serialize, JsonSchema)]
struct Line {
    /// The file it is in: the log, or an older file of it
    file: String,
    /// Where in the file it begins, in bytes
    offset: u64,
    /// The time that it says, in UTC
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    /// What it says, which is data and nothing else
    text: String,
    /// Whether it is longer than its text
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
    /// Whether it is shown for the match beside it
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    context: bool,
}

/// What a report is made of.
pub(crate) struct Search<'a> {
    pub(crate) log: &'a str,
    pub(crate) window: &'a Window,
    pub(crate) hits: &'a Hits,
    pub(crate) clock: Clock,
    /// Lines around each match.
    pub(crate) context: usize,
    /// Older files that could not be read.
    pub(crate) unread: &'a [String],
}

impl Report {
    pub(crate) fn new(search: Search<'_>) -> Self {
        let (blocks, full) = search.blocks();
        let shown = blocks.len();
        let lines: Vec<Line> = blocks.into_iter().rev().flatten().collect();
        let Search { log, window, hits, .. } = search;
        let mut notes = Vec::new();
        if full {
            notes.push("the answer is full: narrow the pattern or the time to see the others".to_owned());
        } else if shown < hits.matched {
            notes.push("the oldest matching lines are left out: narrow the pattern or the time, or raise max_lines".to_owned());
        }
        if hits.undated > 0 {
            notes.push(format!("{} matching lines have no time, nor has any line before them: they are left out", hits.undated));
        }
        if window.changed {
            notes.push("the log was cut or written anew while it was read: search again".to_owned());
        }
        if lines.iter().any(|line| line.cut) {
            notes.push("long lines are shown in part".to_owned());
        }
        notes.extend(search.unread.iter().map(|name| format!("the older file `{name}` cannot be read")));
        let before = window.older.map(|older| older.to_string());
        let bytes_searched = window.segments.iter().map(|segment| segment.bytes.len()).sum();
        Self { log: log.to_owned(), matched: hits.matched, shown, lines, bytes_searched, before, notes }
    }
}

impl Search<'_> {
    /// Each match with the lines around it, newest first; and whether there was no room for more.
    fn blocks(&self) -> (Vec<Vec<Line>>, bool) {
        let (mut blocks, mut cost) = (Vec::new(), 0);
        // Where the lines begin that are shown already, in which segment.
        let mut shown = (usize::MAX, usize::MAX);
        let mut hits = self.hits.kept.iter().rev().peekable();
        while let Some(hit) = hits.next() {
            let Some(segment) = self.window.segments.get(hit.segment) else { continue };
            let floor = if shown.0 == hit.segment { shown.1 } else { usize::MAX };
            let older = hits.peek().filter(|older| older.segment == hit.segment).map(|older| older.line);
            let (block, block_cost, begin) = self.block(segment, *hit, older, floor);
            cost += block_cost;
            if cost > MAX_COST {
                return (blocks, true);
            }
            blocks.push(block);
            shown = (hit.segment, begin);
        }
        (blocks, false)
    }

    /// A match and the lines around it that are neither the match before nor shown already; what it costs, and where it begins.
    fn block(&self, segment: &Segment, hit: Hit, older: Option<(usize, usize)>, floor: usize) -> (Vec<Line>, usize, usize) {
        let of = |line: (usize, usize), at: usize, context: bool| {
            let (text, whole) = excerpt::of(segment.line(line), at);
            let cost = LINE_COST + 2 * excerpt::cost(&text);
            let time = self.clock.time_of(segment.line(line)).and_then(Timestamp::from_unix);
            let offset = segment.offset.saturating_add(u64::try_from(line.0).unwrap_or(u64::MAX));
            (Line { file: log::source_name(self.log, segment.age), offset, time, text, cut: !whole, context }, cost)
        };
        let (line, cost) = of(hit.line, hit.at, false);
        let (mut before, mut after, mut around, mut begin) = (Vec::new(), Vec::new(), 0, hit.line.0);
        let preceding = std::iter::successors(segment.before(hit.line), |line| segment.before(*line));
        for at in preceding.take(self.context).take_while(|line| Some(*line) != older) {
            let (line, cost) = of(at, 0, true);
            around += cost;
            if around > MAX_AROUND {
                break;
            }
            begin = at.0;
            before.push(line);
        }
        let following = std::iter::successors(segment.after(hit.line), |line| segment.after(*line));
        for at in following.take(self.context).take_while(|line| line.0 < floor) {
            let (line, cost) = of(at, 0, true);
            around += cost;
            if around > MAX_AROUND {
                break;
            }
            after.push(line);
        }
        let block = before.into_iter().rev().chain([line]).chain(after).collect();
        (block, cost + around.min(MAX_AROUND), begin)
    }
}

impl Readable for Report {
    fn text(&self) -> String {
        let Self { log, matched, shown, lines, bytes_searched, before, notes } = self;
        let mut text = format!("{shown} of {matched} matching lines in {log}; {bytes_searched} bytes searched");
        for Line { file, offset, text: said, context, .. } in lines {
            let _ = write!(text, "\n{file}@{offset}{} {said}", if *context { '-' } else { ':' });
        }
        for note in notes {
            let _ = write!(text, "\n({note})");
        }
        if let Some(before) = before {
            let _ = write!(text, "\n(an older part was not searched: go on with before = {before})");
        }
        text
    }
}
