//! Where the records that are there begin: the first of all, or where older ones were removed for their age.
//!
//! Of those, the hashes are still there. They lead to the same signed roots, and to the hash that the first record names.

use cap_std::fs::Dir;

use crate::{
    Failure, Hash,
    chain::Chain,
    scan::Signed,
    segment,
    tlog::{self, Published, Tiles},
};

/// How many entries a bundle has.
const BUNDLE: u64 = 256;

/// The chain before the first record that is there. `see` is shown every hash that is known without its record.
pub(crate) fn start(dir: &Dir, signed: &[Signed], see: &mut dyn FnMut(&Hash) -> Result<(), Failure>) -> Result<Chain, Failure> {
    let (first, mut chain) = (segment::first(dir)?, Chain::new());
    if first == 0 {
        return Ok(chain);
    }
    let gap = || Failure::Gap { expected: 0, found: segment::name(first) };
    let Published::Checkpoint(published) = tlog::published(dir)? else { return Err(gap()) };
    if published.size < first {
        return Err(gap());
    }
    let (mut tiles, mut pending, mut vouched) = (Tiles::new(dir, published.size), signed.iter().peekable(), 0);
    while chain.size() < first {
        let size = chain.size();
        let entries = tiles.entries(size / BUNDLE).map_err(|_| gap())?;
        let hash = usize::try_from(size % BUNDLE).ok().and_then(|place| entries.get(place)).copied().ok_or_else(gap)?;
        see(&hash)?;
        chain.tree.append(&hash);
        chain.last = hash;
        while let Some(signed) = pending.next_if(|signed| signed.checkpoint.size <= chain.size()) {
            if signed.checkpoint.size == chain.size() && signed.checkpoint.root != chain.tree.root() {
                return Err(Failure::Rewritten { after: vouched, size: signed.checkpoint.size, line: signed.line });
            }
            vouched = signed.checkpoint.size;
        }
    }
    Ok(chain)
}
