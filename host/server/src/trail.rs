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

use cap_std::fs::Dir;
use casemate_audit::{Entry, Filter, Follow, read, read_recent};
use casemate_policy::{Timestamp, Window};

use crate::{clock, exit::Failure, house::chains};

pub(crate) use shown::line;
pub(crate) use svg::{Look, svg};
pub(crate) use tree::tree;

/// A moment as people write one: RFC 3339 with any offset, a day in UTC, or how long ago.
///
/// # Errors
/// When it is none of these.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    let ago = |window: Window| Timestamp::from_millis(clock::now().as_millis().saturating_sub_unsigned(window.as_millis()));
    let day = || format!("{text}T00:00:00Z").parse::<Timestamp>().ok();
    match text.parse::<Timestamp>() {
        Ok(at) => Ok(at),
        Err(_) => day().or_else(|| text.parse().ok().map(ago)).ok_or_else(|| {
            "not a time\nhelp: write 2026-12-31T08:00:00Z, or with another offset than Z; 2026-12-31 for a day in UTC; or how long ago: 90m, 2h, 7d".to_owned()
        }),
    }
}

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

/// The same, one after the other, however many there are: `act` says whether it wants more.
///
/// # Errors
/// When a log cannot be read, or as `act` has it.
pub(crate) fn each(state: &Path, filter: &Filter, mut act: impl FnMut(Entry) -> Result<bool, Failure>) -> Result<(), Failure> {
    let chains = chains(state)?.0;
    let mut heads = Vec::new();
    for (_, dir) in &chains {
        let mut entries = read(dir, filter.clone())?;
        heads.extend(entries.next().transpose()?.map(|first| (first, entries)));
    }
    let at = |entry: &Entry| (entry.occurred_at().to_owned(), entry.event_id().to_owned());
    while let Some(oldest) = (0..heads.len()).min_by_key(|head| heads.get(*head).map(|(entry, _)| at(entry))) {
        let next = heads.get_mut(oldest).and_then(|(_, entries)| entries.next()).transpose()?;
        let entry = match (next, heads.get_mut(oldest)) {
            (Some(next), Some((entry, _))) => std::mem::replace(entry, next),
            _ => heads.swap_remove(oldest).0,
        };
        if !act(entry)? {
            break;
        }
    }
    Ok(())
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
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    follows: BTreeMap<String, Follow>,
    begun: bool,
    /// Segments of each chain that it begins with.
    segments: usize,
}

/// From the last file of each chain on.
impl Default for Watch {
    fn default() -> Self {
        Self { follows: BTreeMap::new(), begun: false, segments: 1 }
    }
}

/// What was read of one chain, or why it was not.
pub(crate) type OfChain = (String, Result<Vec<Entry>, Failure>);

impl Watch {
    /// From what was written lately, as [`recent`] reads it.
    pub(crate) fn lately() -> Self {
        Self { segments: RECENT, ..Self::default() }
    }

    /// From places that another one came to; from its beginning where a chain has none.
    pub(crate) fn resume(positions: &BTreeMap<String, String>) -> Self {
        let follows = positions.iter().filter_map(|(chain, at)| Some((chain.clone(), at.parse().ok()?)));
        Self { follows: follows.collect(), begun: true, ..Self::default() }
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
    /// When a log cannot be read. Nothing counts as read then, of the others neither.
    pub(crate) fn some(&mut self, state: &Path, filter: &Filter, most: usize) -> Result<Vec<Entry>, Failure> {
        let mut further = self.clone();
        let of_chains = further.each(state, filter, most)?;
        let mut entries = Vec::new();
        for (_, of_chain) in of_chains {
            entries.extend(of_chain?);
        }
        *self = further;
        in_order(&mut entries);
        Ok(entries)
    }

    /// The same by chain, each in its own order: one that cannot be read hides no other.
    ///
    /// # Errors
    /// When it cannot be seen which chains there are.
    pub(crate) fn each(&mut self, state: &Path, filter: &Filter, most: usize) -> Result<Vec<OfChain>, Failure> {
        let (mut all, mut left) = (Vec::new(), most);
        for (path, dir) in chains(state)?.0 {
            let chain = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let known = self.follows.get(&chain).copied();
            let of_chain = self.more_of(known, &dir, filter, left).map(|(follow, entries)| {
                self.follows.insert(chain.clone(), follow);
                left -= entries.len();
                entries
            });
            all.push((chain, of_chain));
        }
        self.begun = true;
        Ok(all)
    }

    fn more_of(&self, known: Option<Follow>, dir: &Dir, filter: &Filter, most: usize) -> Result<(Follow, Vec<Entry>), Failure> {
        let mut follow = match known {
            Some(follow) => follow,
            // A chain that was not there the last time is new, and read whole.
            None if self.begun => Follow::default(),
            None => Follow::recent(dir, self.segments)?,
        };
        let entries = follow.more(dir, filter, most)?;
        Ok((follow, entries))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use casemate_audit::EventKind;
    use serde_json::json;

    use super::*;
    use crate::house::write_down;

    /// One record, by a process that ends.
    fn write(state: &Path) {
        let written = || write_down(state, EventKind::TrustChanged, json!({}));
        std::thread::scope(|scope| scope.spawn(written).join()).unwrap().unwrap();
    }

    #[test]
    fn a_chain_that_cannot_be_read_takes_nothing_of_the_others_away() {
        let state = tempfile::tempdir().unwrap();
        write(state.path());
        let broken = state.path().join("audit/chain-1");
        fs::create_dir(&broken).unwrap();
        fs::write(broken.join("00000000000000000000.jsonl"), "no record\n").unwrap();
        let filter = Filter { event_type: Some("config.trust".to_owned()), ..Filter::default() };
        let mut watch = Watch::default();
        assert!(watch.more(state.path(), &filter).is_err());
        // Whoever can do without it reads the others.
        let each = watch.clone().each(state.path(), &filter, usize::MAX).unwrap();
        assert!(matches!(each.as_slice(), [(_, Ok(entries)), (name, Err(_))] if entries.len() == 1 && name == "chain-1"));
        fs::remove_dir_all(broken).unwrap();
        assert_eq!(watch.more(state.path(), &filter).unwrap().len(), 1, "what was read beside it was not lost");
    }

    #[test]
    fn a_moment_is_written_in_three_ways() {
        let at = |text: &str| moment(text).unwrap();
        assert_eq!(at("2026-12-31"), at("2026-12-31T00:00:00Z"));
        assert_eq!(at("2026-12-31T01:30:00+01:30"), at("2026-12-31"));
        assert!(at("2h") < at("90m") && at("7d") < at("2h") && at("90m") < crate::clock::now());
        for wrong in ["", "yesterday", "2026-13-01", "2026-12-31T00:00:00", "2026-12-31 00:00:00Z", "-2h", "2", "2y"] {
            assert!(moment(wrong).unwrap_err().contains("help: "), "{wrong}");
        }
    }
}
