//! Where a tile is, and how entries stand in a bundle.

use crate::Hash;

/// How many hashes or entries a full tile has.
pub(crate) const WIDTH: u64 = 256;

/// Before each entry, its length.
const LENGTH: [u8; 2] = [0, 32];

/// One tile, or one bundle of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tile {
    /// Its level; none for entries.
    pub(crate) level: Option<u8>,
    /// Its number within the level.
    pub(crate) number: u64,
    /// How much is in it, from 1 to 256.
    pub(crate) width: u64,
}

impl Tile {
    /// Where it is when it is full.
    pub(crate) fn full_path(&self) -> String {
        let kind = self.level.map_or_else(|| "entries".to_owned(), |level| level.to_string());
        let mut path = format!("{:03}", self.number % 1000);
        let mut rest = self.number / 1000;
        while rest > 0 {
            path = format!("x{:03}/{path}", rest % 1000);
            rest /= 1000;
        }
        format!("{}/tile/{kind}/{path}", super::FOLDER)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> String {
        match self.width {
            WIDTH => self.full_path(),
            width => format!("{}.p/{width}", self.full_path()),
        }
    }

    /// How long its file is.
    pub(crate) fn length(&self) -> usize {
        let entry = if self.level.is_none() { LENGTH.len() + 32 } else { 32 };
        usize::try_from(self.width).unwrap_or(usize::MAX).saturating_mul(entry)
    }

    /// What is in its file.
    pub(crate) fn bytes(&self, hashes: &[Hash]) -> Vec<u8> {
        let prefix: &[u8] = if self.level.is_none() { &LENGTH } else { &[] };
        hashes.iter().flat_map(|hash| prefix.iter().chain(hash.as_bytes())).copied().collect()
    }

    /// What a file says; none where it has not the right length.
    pub(crate) fn hashes(&self, bytes: &[u8]) -> Option<Vec<Hash>> {
        let prefix: &[u8] = if self.level.is_none() { &LENGTH } else { &[] };
        let chunks = bytes.chunks(prefix.len() + 32);
        let hashes: Option<Vec<Hash>> =
            chunks.map(|chunk| Some(Hash::from_bytes(chunk.strip_prefix(prefix)?.try_into().ok()?))).collect();
        hashes.filter(|hashes| hashes.len() as u64 == self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::{Tile, WIDTH};
    use crate::Hash;

    #[test]
    fn paths_are_as_the_specification_has_them() {
        let path = |level, number, width| Tile { level, number, width }.path();
        assert_eq!(path(Some(0), 0, WIDTH), "tlog/tile/0/000");
        assert_eq!(path(Some(1), 1_234_067, WIDTH), "tlog/tile/1/x001/x234/067");
        assert_eq!(path(None, 1000, 12), "tlog/tile/entries/x001/000.p/12");
        assert_eq!(path(Some(63), 999, 255), "tlog/tile/63/999.p/255");
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        for level in [None, Some(0)] {
            let tile = Tile { level, number: 0, width: 2 };
            let hashes = vec![Hash::of(&[b"a"]), Hash::of(&[b"b"])];
            let bytes = tile.bytes(&hashes);
            assert_eq!(tile.hashes(&bytes), Some(hashes));
            assert!((0..bytes.len()).all(|end| tile.hashes(bytes.split_at(end).0).is_none()));
        }
    }
}
