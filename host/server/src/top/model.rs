//! What is shown: all of it, and nothing of how it was read or how it is drawn.
//!
//! A part that cannot be read says so, and hides no other.

mod calls;
mod history;
mod plugins;

use casemate_audit::Entry;
use casemate_policy::Timestamp;

pub(crate) use self::{
    calls::{Call, Calls, Denials, STEP_MS, Standing, Tally},
    history::Latency,
    plugins::{Load, Plugin, Row},
};
use self::{history::History, plugins::Loads};
use super::{Text, figures::Figures, text::Lines};
use crate::trail::whole::Extent;

/// One part of what is shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part<T> {
    /// Nobody has looked yet.
    Unread,
    /// What it is.
    Here(T),
    /// Why it cannot be shown, and what to do about it.
    Absent(Lines),
}

impl<T> Part<T> {
    pub(crate) fn here(&self) -> Option<&T> {
        match self {
            Self::Here(part) => Some(part),
            Self::Unread | Self::Absent(_) => None,
        }
    }
}

impl<T> From<Result<T, Lines>> for Part<T> {
    fn from(read: Result<T, Lines>) -> Self {
        match read {
            Ok(part) => Self::Here(part),
            Err(why) => Self::Absent(why),
        }
    }
}

/// What was read since the last time.
#[derive(Debug)]
pub(crate) enum News {
    /// Records, and why some of the log cannot be read.
    Log(Vec<Entry>, Option<Lines>),
    /// What the ledger says.
    Books(Result<Books, Lines>),
    /// What is installed.
    Plugins(Result<Vec<Plugin>, Lines>),
    /// Whether the log is whole.
    Health(Result<Extent, Lines>),
    /// What a running server says of itself.
    Figures(Result<Figures, Lines>),
}

/// What the ledger says, under the configuration of the moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Books {
    pub(crate) budgets: Vec<Budget>,
    /// Those that wait for people, the newest first.
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) paused: Vec<Paused>,
}

/// One budget of one caller.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Budget {
    pub(crate) principal: Text,
    pub(crate) grant: Text,
    pub(crate) counts: Text,
    pub(crate) spent: u64,
    pub(crate) limit: u64,
    /// What it is a number of.
    pub(crate) unit: Text,
    pub(crate) per: Text,
}

/// A call that waits for people.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Waiting {
    pub(crate) id: Text,
    pub(crate) tool: Text,
    pub(crate) principal: Text,
    pub(crate) grant: Text,
    pub(crate) asked: Timestamp,
    pub(crate) expires: Timestamp,
    /// How many have agreed, of how many.
    pub(crate) agreed: usize,
    pub(crate) quorum: u32,
}

/// A caller that may not go on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Paused {
    pub(crate) principal: Text,
    pub(crate) since: Timestamp,
    pub(crate) why: Text,
}

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) environment: Text,
    /// The moment it is about.
    pub(crate) now: Timestamp,
    pub(crate) calls: Calls,
    /// Why some of the log cannot be read.
    pub(crate) unreadable: Option<Lines>,
    pub(crate) books: Part<Books>,
    pub(crate) health: Part<(Extent, Timestamp)>,
    /// The last answer of a running server.
    pub(crate) figures: Part<Figures>,
    installed: Part<Vec<Plugin>>,
    loads: Loads,
    history: History,
}

impl Model {
    /// Before anything was read.
    pub(crate) fn new(environment: &str, now: Timestamp) -> Self {
        Self {
            environment: Text::of(environment),
            now,
            calls: Calls::default(),
            unreadable: None,
            books: Part::Unread,
            health: Part::Unread,
            figures: Part::Unread,
            installed: Part::Unread,
            loads: Loads::default(),
            history: History::default(),
        }
    }

    /// Take up what was read.
    pub(crate) fn take(&mut self, news: News, now: Timestamp) {
        self.now = now;
        match news {
            News::Log(entries, unreadable) => {
                for entry in &entries {
                    self.calls.take(entry);
                    self.loads.take(entry);
                }
                self.unreadable = unreadable;
            }
            News::Books(books) => self.books = books.into(),
            News::Plugins(installed) => self.installed = installed.into(),
            News::Health(health) => self.health = health.map(|extent| (extent, now)).into(),
            News::Figures(figures) => {
                if let Ok(figures) = &figures {
                    self.history.note(figures, now);
                }
                self.figures = figures.into();
            }
        }
    }

    /// The installed plugins, and what became of each.
    pub(crate) fn plugins(&self) -> Part<Vec<Row>> {
        match &self.installed {
            Part::Unread => Part::Unread,
            Part::Absent(why) => Part::Absent(why.clone()),
            Part::Here(installed) => Part::Here(self.loads.rows(installed, self.figures.here())),
        }
    }

    /// How long calls and their stages take.
    pub(crate) fn latencies(&self) -> Latencies {
        let figures = self.figures.here();
        let (of_late, stages) = figures.map(|figures| self.history.stages(figures)).unwrap_or_default();
        let upstreams = figures.map(|figures| self.history.upstreams(figures)).unwrap_or_default();
        Latencies { calls: self.calls.latency(self.now), of_late, stages, upstreams }
    }
}

/// How long calls and their stages take.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Latencies {
    /// Whole calls in the sandbox, as the log has them.
    pub(crate) calls: Latency,
    /// Whether the rest is of the last minutes, or of all since the server began.
    pub(crate) of_late: bool,
    pub(crate) stages: Vec<Latency>,
    pub(crate) upstreams: Vec<Latency>,
}

#[cfg(test)]
mod tests;
