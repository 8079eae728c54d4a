//! The Merkle tree over the log (RFC 6962, section 2.1), kept as the roots of its complete subtrees only.
//!
//! A record's leaf is its 32-byte `event_hash`, which binds the record's every byte.

mod proof;

pub(crate) use proof::{consistency, inclusion, is_consistent, root_of_inclusion};

use crate::hash::Hash;

/// A tree of `size` leaves: an append is O(1) on average, a root O(log n), and so is the space.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    size: u64,
    /// One per bit set in `size`, the largest subtree first.
    peaks: Vec<Hash>,
}

impl Tree {
    /// From a size and its peaks; none where they do not belong together.
    pub(crate) fn from_parts(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (u32::try_from(peaks.len()).ok()? == size.count_ones()).then_some(Self { size, peaks })
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    pub(crate) fn append(&mut self, event_hash: &Hash) {
        let mut node = leaf(event_hash);
        // Each trailing one bit of the size is a complete subtree as large as the one that has just been completed.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = parent(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size += 1;
    }

    pub(crate) fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            Some(last) => peaks.fold(*last, |right, left| parent(left, &right)),
            None => Hash::of(&[]),
        }
    }
}

/// A record's hash in the tree.
pub(crate) fn leaf(event_hash: &Hash) -> Hash {
    Hash::of(&[&[0], event_hash.as_bytes()])
}

/// The hash over two subtrees.
pub(crate) fn parent(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&[&[1], left.as_bytes(), right.as_bytes()])
}

/// The roots of the largest complete subtrees over these nodes, in order.
pub(crate) fn peaks(nodes: &[Hash]) -> Vec<Hash> {
    let (mut peaks, mut rest) = (Vec::new(), nodes);
    while !rest.is_empty() {
        let (complete, after) = rest.split_at(1 << rest.len().ilog2());
        peaks.push(complete_root(complete));
        rest = after;
    }
    peaks
}

/// The root over nodes of one level; their number is a power of two.
pub(crate) fn complete_root(nodes: &[Hash]) -> Hash {
    match nodes {
        [] => Hash::of(&[]),
        [node] => *node,
        _ => {
            let (left, right) = nodes.split_at(nodes.len() / 2);
            parent(&complete_root(left), &complete_root(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Tree, parent};
    use crate::hash::Hash;

    /// RFC 6962's definition, word for word.
    pub(super) fn by_definition(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::of(&[]),
            [leaf] => Hash::of(&[&[0], leaf.as_bytes()]),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                let (left, right) = leaves.split_at(split);
                parent(&by_definition(left), &by_definition(right))
            }
        }
    }

    #[test]
    fn the_incremental_root_is_the_one_rfc_6962_defines() {
        let leaves: Vec<Hash> = (0_u32..300).map(|i| Hash::of(&[&i.to_be_bytes()])).collect();
        let mut tree = Tree::default();
        for (size, leaf) in leaves.iter().enumerate() {
            assert_eq!(tree.root(), by_definition(leaves.split_at(size).0), "{size} leaves");
            assert_eq!(Tree::from_parts(tree.size(), tree.peaks().to_vec()), Some(tree.clone()));
            tree.append(leaf);
        }
        assert_eq!(
            Tree::default().root().to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "the empty tree"
        );
    }

    #[test]
    fn peaks_that_do_not_fit_the_size_are_refused() {
        assert!(Tree::from_parts(3, vec![Hash::NONE]).is_none());
        assert!(Tree::from_parts(0, vec![Hash::NONE]).is_none());
    }
}
