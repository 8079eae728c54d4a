//! Proofs that a leaf is in a tree, and that a tree is the beginning of a larger one (RFC 6962, sections 2.1.1 and 2.1.2).
//!
//! Made from the complete subtrees of a tree, which whoever asks for a proof looks up; checked with nothing but hashes, as
//! RFC 9162, sections 2.1.3.2 and 2.1.4.2, says.

use super::parent;
use crate::hash::Hash;

/// The root over the leaves `start..end`; `start` is a multiple of the largest power of two below their number.
fn range<E>(node: &mut impl FnMut(u32, u64) -> Result<Hash, E>, start: u64, end: u64) -> Result<Hash, E> {
    let size = end - start;
    if size.is_power_of_two() {
        let level = size.trailing_zeros();
        return node(level, start >> level);
    }
    let split = start + split(size);
    Ok(parent(&range(node, start, split)?, &range(node, split, end)?))
}

/// The largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    size.next_power_of_two() / 2
}

/// The hashes beside the way from leaf `index` up to the root over `size` leaves. `node` looks up the root of the complete
/// subtree of a level, by its number there. None where there is no such leaf.
pub(crate) fn inclusion<E>(
    mut node: impl FnMut(u32, u64) -> Result<Hash, E>,
    index: u64,
    size: u64,
) -> Result<Option<Vec<Hash>>, E> {
    if index >= size {
        return Ok(None);
    }
    let (mut start, mut end, mut path) = (0, size, Vec::new());
    while end - start > 1 {
        let middle = start + split(end - start);
        if index < middle {
            path.push(range(&mut node, middle, end)?);
            end = middle;
        } else {
            path.push(range(&mut node, start, middle)?);
            start = middle;
        }
    }
    path.reverse();
    Ok(Some(path))
}

/// The hashes that lead from the root over the first `old` leaves to the root over `new`. None where `old` is more.
pub(crate) fn consistency<E>(
    mut node: impl FnMut(u32, u64) -> Result<Hash, E>,
    old: u64,
    new: u64,
) -> Result<Option<Vec<Hash>>, E> {
    if old > new {
        return Ok(None);
    }
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Ok(Some(path));
    }
    // `whole`: the subtree looked at is one that the old tree has whole, so its root is known to whoever checks.
    let (mut start, mut end, mut whole) = (0, new, true);
    while old < end {
        let middle = start + split(end - start);
        if old <= middle {
            path.push(range(&mut node, middle, end)?);
            end = middle;
        } else {
            path.push(range(&mut node, start, middle)?);
            (start, whole) = (middle, false);
        }
    }
    if !whole {
        path.push(range(&mut node, start, end)?);
    }
    path.reverse();
    Ok(Some(path))
}

/// The root that a leaf and its path lead to; none where the path does not have that leaf's length.
pub(crate) fn root_of_inclusion(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let (mut number, mut last) = (index, size.checked_sub(1).filter(|last| index <= *last)?);
    let mut root = leaf;
    for beside in path {
        if last == 0 {
            return None;
        }
        if number & 1 == 1 || number == last {
            root = parent(beside, &root);
            while number & 1 == 0 && number != 0 {
                (number, last) = (number >> 1, last >> 1);
            }
        } else {
            root = parent(&root, beside);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    (last == 0).then_some(root)
}

/// Whether a path proves that the tree of one size and root is the beginning of another.
pub(crate) fn is_consistent(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> bool {
    let ((old, old_root), (new, new_root)) = (old, new);
    if old == 0 || old >= new {
        return path.is_empty() && (old == 0 && *old_root == Hash::of(&[]) || old == new && old_root == new_root);
    }
    let (mut number, mut last) = (old - 1, new - 1);
    let shift = number.trailing_ones();
    (number, last) = (number >> shift, last >> shift);
    let (first, rest) = match path.split_first() {
        // The old tree is one complete subtree: its root is the first of the path.
        _ if old.is_power_of_two() => (old_root, path),
        Some((first, rest)) => (first, rest),
        None => return false,
    };
    let (mut of_old, mut of_new) = (*first, *first);
    for beside in rest {
        if last == 0 {
            return false;
        }
        if number & 1 == 1 || number == last {
            (of_old, of_new) = (parent(beside, &of_old), parent(beside, &of_new));
            while number & 1 == 0 && number != 0 {
                (number, last) = (number >> 1, last >> 1);
            }
        } else {
            of_new = parent(&of_new, beside);
        }
        (number, last) = (number >> 1, last >> 1);
    }
    last == 0 && of_old == *old_root && of_new == *new_root
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::{super::leaf, consistency, inclusion, is_consistent, root_of_inclusion};
    use crate::hash::Hash;

    const MOST: u64 = 70;

    fn leaves() -> Vec<Hash> {
        (0..MOST).map(|i| Hash::of(&[&i.to_be_bytes()])).collect()
    }

    fn root(leaves: &[Hash], size: u64) -> Hash {
        super::super::tests::by_definition(&leaves[..usize::try_from(size).unwrap()])
    }

    /// The complete subtrees, each computed from its leaves.
    fn node(leaves: &[Hash]) -> impl FnMut(u32, u64) -> Result<Hash, ()> {
        |level, index| {
            let from = usize::try_from(index << level).unwrap();
            Ok(super::super::tests::by_definition(&leaves[from..from + (1 << level)]))
        }
    }

    #[test]
    fn every_leaf_of_every_tree_is_proved_and_no_other() {
        let leaves = leaves();
        for size in 1..=MOST {
            let whole = root(&leaves, size);
            for index in 0..size {
                let path = inclusion(node(&leaves), index, size).unwrap().unwrap();
                let hash = leaf(&leaves[usize::try_from(index).unwrap()]);
                assert_eq!(root_of_inclusion(hash, index, size, &path), Some(whole), "{index} of {size}");
                for other in 0..size {
                    assert!(other == index || root_of_inclusion(hash, other, size, &path) != Some(whole), "{other} for {index}");
                }
                for cut in 0..path.len() {
                    assert_ne!(root_of_inclusion(hash, index, size, &path[..cut]), Some(whole));
                }
                let longer = [path.as_slice(), &[Hash::NONE]].concat();
                assert_eq!(root_of_inclusion(hash, index, size, &longer), None);
            }
            assert_eq!(inclusion(node(&leaves), size, size).unwrap(), None);
            assert_eq!(root_of_inclusion(Hash::NONE, size, size, &[]), None);
        }
    }

    #[test]
    fn every_tree_is_proved_the_beginning_of_every_larger_one_and_of_no_other() {
        let leaves = leaves();
        let mut forked = leaves.clone();
        forked[3] = Hash::NONE;
        for new in 1..=MOST {
            for old in 0..=new {
                let path = consistency(node(&leaves), old, new).unwrap().unwrap();
                let (before, after) = (root(&leaves, old), root(&leaves, new));
                assert!(is_consistent((old, &before), (new, &after), &path), "{old} to {new}");
                if old > 3 {
                    let fork = root(&forked, new);
                    assert!(!is_consistent((old, &before), (new, &fork), &path), "{old} to {new}");
                    let theirs = consistency(node(&forked), old, new).unwrap().unwrap();
                    assert!(!is_consistent((old, &before), (new, &fork), &theirs), "{old} to {new}");
                }
                if old > 0 && old < new {
                    assert!(!is_consistent((old, &before), (new, &after), &path[..path.len() - 1]), "{old} to {new}");
                    let longer = [path.as_slice(), &[Hash::NONE]].concat();
                    assert!(!is_consistent((old, &before), (new, &after), &longer), "{old} to {new}");
                }
            }
        }
        assert_eq!(consistency(node(&leaves), 5, 4).unwrap(), None, "never back");
        assert!(!is_consistent((5, &root(&leaves, 5)), (4, &root(&leaves, 4)), &[]));
    }
}
