//! The trail: the audit logs of every process of one environment, read together for people.
//!
//! It believes what it reads; `casemate audit verify` does not.

pub(crate) mod chain;
pub mod export;
mod shown;
mod svg;
mod tree;

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use casemate_audit::{Entry, Filter, Follow, read};

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

/// Ids are ordered in time, over all chains.
pub(crate) fn in_order(entries: &mut [Entry]) {
    entries.sort_by(|a, b| (a.occurred_at(), a.event_id()).cmp(&(b.occurred_at(), b.event_id())));
}

/// Every chain as it grows, those that are begun meanwhile among them.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    follows: Vec<(PathBuf, Follow)>,
    begun: bool,
}

impl Watch {
    /// What was written since the last time; the first time, the end of each log.
    ///
    /// # Errors
    /// When a log cannot be read.
    pub(crate) fn more(&mut self, state: &Path, filter: &Filter) -> Result<Vec<Entry>, Failure> {
        let mut entries = Vec::new();
        for (path, dir) in chains(state)?.0 {
            let at = match self.follows.iter().position(|(known, _)| *known == path) {
                Some(at) => at,
                None => {
                    // A chain that was not there the last time is new, and read whole.
                    let follow = if self.begun { Follow::default() } else { Follow::recent(&dir)? };
                    self.follows.push((path, follow));
                    self.follows.len() - 1
                }
            };
            if let Some((_, follow)) = self.follows.get_mut(at) {
                entries.extend(follow.more(&dir, filter)?);
            }
        }
        self.begun = true;
        in_order(&mut entries);
        Ok(entries)
    }
}
