//! The tiles that are not full yet: all that is needed to go on.

use std::io;

use super::tile::{Tile, WIDTH};
use crate::{
    Hash,
    merkle::{self, Tree},
};

/// The growing edge of a tiled log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Frontier {
    size: u64,
    /// Entries of the bundle that is not full.
    entries: Vec<Hash>,
    /// Hashes of each level's tile that is not full.
    levels: Vec<Vec<Hash>>,
}

impl Frontier {
    /// From a size and what its partial tiles hold.
    pub(super) fn from_parts(size: u64, entries: Vec<Hash>, levels: Vec<Vec<Hash>>) -> Self {
        Self { size, entries, levels }
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Take one record; `full` is given each tile that it completes.
    pub(crate) fn push<E>(&mut self, hash: &Hash, full: &mut impl FnMut(&Tile, &[u8]) -> Result<(), E>) -> Result<(), E> {
        let mut number = self.size / WIDTH;
        let is_full = |hashes: &[Hash]| hashes.len() as u64 == WIDTH;
        self.size += 1;
        self.entries.push(*hash);
        if is_full(&self.entries) {
            let tile = Tile { level: None, number, width: WIDTH };
            full(&tile, &tile.bytes(&self.entries))?;
            self.entries.clear();
        }
        let mut carry = merkle::leaf(hash);
        for level in 0_u8.. {
            if self.levels.len() == usize::from(level) {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(usize::from(level)) else { break };
            hashes.push(carry);
            if !is_full(hashes) {
                break;
            }
            let tile = Tile { level: Some(level), number, width: WIDTH };
            full(&tile, &tile.bytes(hashes))?;
            carry = merkle::complete_root(hashes);
            hashes.clear();
            number /= WIDTH;
        }
        Ok(())
    }

    /// The tiles that are not full, and what is in them.
    pub(crate) fn partial(&self) -> Vec<(Tile, Vec<u8>)> {
        let mut tiles = Vec::new();
        let mut add = |level, number, hashes: &[Hash]| {
            if !hashes.is_empty() {
                let tile = Tile { level, number, width: hashes.len() as u64 };
                tiles.push((tile, tile.bytes(hashes)));
            }
        };
        add(None, self.size / WIDTH, &self.entries);
        let mut number = self.size / WIDTH;
        for (level, hashes) in (0_u8..).zip(&self.levels) {
            add(Some(level), number, hashes);
            number /= WIDTH;
        }
        tiles
    }

    /// The tree over everything so far.
    pub(crate) fn tree(&self) -> Option<Tree> {
        Tree::from_parts(self.size, self.levels.iter().rev().flat_map(|hashes| merkle::peaks(hashes)).collect())
    }
}

impl Frontier {
    /// Take records of which nothing has to be written.
    pub(crate) fn pass(&mut self, hashes: &[Hash]) {
        for hash in hashes {
            let passed: io::Result<()> = self.push(hash, &mut |_, _| Ok(()));
            debug_assert!(passed.is_ok());
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::Frontier;
    use crate::{Hash, merkle::Tree};

    #[test]
    fn it_is_the_tree() {
        let (mut frontier, mut tree) = (Frontier::default(), Tree::default());
        for number in 0..70_000_u32 {
            let hash = Hash::of(&[&number.to_be_bytes()]);
            frontier.pass(&[hash]);
            tree.append(&hash);
            if number % 997 == 0 || number.is_power_of_two() || (number + 1).is_power_of_two() {
                assert_eq!(frontier.tree().unwrap(), tree, "{number}");
            }
        }
        // The specification's own example.
        let tiles: Vec<_> = frontier.partial().iter().map(|(tile, _)| (tile.level, tile.number, tile.width)).collect();
        assert_eq!(tiles, [(None, 273, 112), (Some(0), 273, 112), (Some(1), 1, 17), (Some(2), 0, 1)]);
    }
}
