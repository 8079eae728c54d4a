//! The trail: the audit logs of every process of one environment, read together for people.
//!
//! It believes what it reads; `casemate audit verify` does not.

pub(crate) mod chain;
pub mod export;
mod shown;
mod svg;
mod tree;
pub(crate) mod whole;

use std::{
    collections::{BTreeMap, VecDeque},
    path::Path,
};

use casemate_audit::{Entry, Filter, Follow, read, read_recent};

use crate::{exit::Failure, house::chains};

pub(crate) use shown::line;
pub(crate) use svg::{Look, svg};
pub(crate) use tree::tree;

/// Records that fit, oldest first, over all chains; with a limit, the newest of them.
///
/// # Errors
/// When a log cannot be read.
pub(crate) fn records(state: &Path, filter: &Filter, limit: Option<usize>) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for (_, dir) in chains(state)?.0 {
        let mut of_chain = VecDeque::new();
        for entry in read(&dir, filter.clone())? {
            of_chain.push_back(entry?);
            if limit.is_some_and(|limit| of_chain.len() > limit) {
                of_chain.pop_front();
            }
        }
        entries.extend(of_chain);
    }
    in_order(&mut entries);
    let surplus = limit.map_or(0, |limit| entries.len().saturating_sub(limit));
    entries.drain(..surplus);
    Ok(entries)
}

/// Segments of each chain that hold what was written lately: some ten thousand records.
const RECENT: usize = 2;

/// Records of late that fit, oldest first, over all chains: of so much of each, however long it has become.
///
/// # Errors
/// When a log cannot be read.
pub(crate) fn recent(state: &Path, filter: &Filter) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for (_, dir) in chains(state)?.0 {
        for entry in read_recent(&dir, filter.clone(), RECENT)? {
            entries.push(entry?);
        }
    }
    in_order(&mut entries);
    Ok(entries)
}

/// Ids are ordered in time, over all chains.
pub(crate) fn in_order(entries: &mut [Entry]) {
    entries.sort_by(|a, b| (a.occurred_at(), a.event_id()).cmp(&(b.occurred_at(), b.event_id())));
}

/// Every chain as it grows, those that are begun meanwhile among them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    follows: BTreeMap<String, Follow>,
    begun: bool,
}

impl Watch {
    /// From places that another one came to; from its beginning where a chain has none.
    pub(crate) fn resume(positions: &BTreeMap<String, String>) -> Self {
        let follows = positions.iter().filter_map(|(chain, at)| Some((chain.clone(), at.parse().ok()?)));
        Self { follows: follows.collect(), begun: true }
    }

    /// How far it came, by chain.
    pub(crate) fn positions(&self) -> BTreeMap<String, String> {
        self.follows.iter().map(|(chain, at)| (chain.clone(), at.to_string())).collect()
    }

    /// What was written since the last time; the first time, the end of each log.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub(crate) fn more(&mut self, state: &Path, filter: &Filter) -> Result<Vec<Entry>, Failure> {
        self.some(state, filter, usize::MAX)
    }

    /// The same, at most so many records.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub(crate) fn some(&mut self, state: &Path, filter: &Filter, most: usize) -> Result<Vec<Entry>, Failure> {
        let mut entries = Vec::new();
        for (path, dir) in chains(state)?.0 {
            let chain = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let mut follow = match self.follows.get(&chain) {
                Some(follow) => *follow,
                // A chain that was not there the last time is new, and read whole.
                None if self.begun => Follow::default(),
                None => Follow::recent(&dir)?,
            };
            entries.extend(follow.more(&dir, filter, most - entries.len())?);
            self.follows.insert(chain, follow);
        }
        self.begun = true;
        in_order(&mut entries);
        Ok(entries)
    }
}
