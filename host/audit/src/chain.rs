//! The state of a log between two records, and the one rule by which a record follows it.

use std::collections::BTreeMap;

use crate::{EventId, Hash, merkle::Tree, record::Checked};

/// An intent that has no outcome yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIntent {
    /// Who asked.
    pub principal_id: String,
    /// For which tool.
    pub tool_name: String,
}

#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) tree: Tree,
    pub(crate) last: Hash,
    pub(crate) last_id: Option<EventId>,
    pub(crate) open: BTreeMap<EventId, OpenIntent>,
}

/// Why a record, itself undamaged, does not follow the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It names another predecessor.
    Previous,
    /// Its id is not after its predecessor's.
    Id,
}

impl Chain {
    pub(crate) fn new() -> Self {
        Self { tree: Tree::default(), last: Hash::NONE, last_id: None, open: BTreeMap::new() }
    }

    /// How many records there are.
    pub(crate) fn size(&self) -> u64 {
        self.tree.size()
    }

    /// Take a record that was read, if it follows.
    pub(crate) fn follow(&mut self, record: &Checked) -> Result<(), Misfit> {
        if record.previous != self.last {
            return Err(Misfit::Previous);
        }
        if self.last_id.is_some_and(|last| record.id <= last) {
            return Err(Misfit::Id);
        }
        self.advance(record.id, record.hash);
        if let Some(intent) = &record.begins {
            self.open.insert(record.id, intent.clone());
        } else if let Some(intent) = record.ends {
            self.open.remove(&intent);
        }
        Ok(())
    }

    /// Take a record that was written.
    pub(crate) fn advance(&mut self, id: EventId, hash: Hash) {
        self.tree.append(&hash);
        self.last = hash;
        self.last_id = Some(id);
    }
}
