//! Reading tiles back. Nothing read here is believed before it leads to a root that is signed.

use std::io;

use cap_std::fs::Dir;

use super::{
    CHECKPOINT, Frontier,
    tile::{Tile, WIDTH},
};
use crate::{Checkpoint, Hash, file, merkle::complete_root};

/// No tile or checkpoint with its cosignatures comes near it.
const MAX_FILE: u64 = 64 << 10;

/// What `tlog/checkpoint` says.
#[derive(Debug)]
pub(crate) enum Published {
    /// It is not there.
    Nothing,
    /// It is not a checkpoint.
    Broken,
    /// The tiles cover this.
    Checkpoint(Checkpoint),
}

/// The checkpoint that the tiles are published under; whoever signed it.
pub(crate) fn published(dir: &Dir) -> io::Result<Published> {
    let Some(bytes) = bytes(dir, CHECKPOINT)? else { return Ok(Published::Nothing) };
    let text = String::from_utf8(bytes).unwrap_or_default();
    let body = text.split_once("\n\n").map(|(body, _)| body);
    Ok(body.and_then(|body| Checkpoint::read(body).ok()).map_or(Published::Broken, Published::Checkpoint))
}

pub(crate) fn bytes(dir: &Dir, path: &str) -> io::Result<Option<Vec<u8>>> {
    file::read(dir, path, MAX_FILE)
}

/// The tiles of a tree of one size.
pub(crate) struct Tiles<'d> {
    dir: &'d Dir,
    size: u64,
    /// The tile read last: neighbours are asked for one after the other.
    last: Option<(Tile, Vec<Hash>)>,
}

impl<'d> Tiles<'d> {
    pub(crate) fn new(dir: &'d Dir, size: u64) -> Self {
        Self { dir, size, last: None }
    }

    /// The tile of a level, as wide as this size has it.
    fn tile(&self, level: Option<u8>, number: u64) -> Option<Tile> {
        let hashes = self.size.checked_shr(u32::from(level.unwrap_or(0)) * 8).unwrap_or(0);
        let width = hashes.saturating_sub(number.checked_mul(WIDTH)?).min(WIDTH);
        (width > 0).then_some(Tile { level, number, width })
    }

    /// A tile's file; the full tile serves for any narrower one.
    pub(crate) fn bytes(&self, tile: &Tile) -> io::Result<Option<Vec<u8>>> {
        match bytes(self.dir, &tile.path())? {
            None if tile.width < WIDTH => {
                let mut full = bytes(self.dir, &tile.full_path())?;
                full.iter_mut().for_each(|bytes| bytes.truncate(tile.length()));
                Ok(full)
            }
            found => Ok(found),
        }
    }

    /// The same tile as it was for smaller trees, as far as it is still there.
    pub(crate) fn narrower(&self, tile: &Tile) -> io::Result<Vec<Tile>> {
        let entries = match self.dir.read_dir(format!("{}.p", tile.full_path())) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut narrower = Vec::new();
        for entry in entries {
            let width = entry?.file_name().to_str().and_then(|name| name.parse().ok());
            narrower.extend(width.filter(|width| (1..tile.width).contains(width)).map(|width| Tile { width, ..*tile }));
        }
        Ok(narrower)
    }

    fn hashes(&mut self, level: Option<u8>, number: u64) -> io::Result<&[Hash]> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("tile {number} of level {level:?} is not there"));
        let tile = self.tile(level, number).ok_or_else(missing)?;
        if self.last.as_ref().is_none_or(|(last, _)| *last != tile) {
            let bytes = self.bytes(&tile)?.ok_or_else(missing)?;
            let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("`{}` is not a tile", tile.path()));
            self.last = Some((tile, tile.hashes(&bytes).ok_or_else(damaged)?));
        }
        Ok(self.last.as_ref().map_or(&[], |(_, hashes)| hashes))
    }

    /// The event hashes of one bundle.
    pub(crate) fn entries(&mut self, number: u64) -> io::Result<&[Hash]> {
        self.hashes(None, number)
    }

    /// The root of a complete subtree, by its level in the tree and its number there.
    pub(crate) fn node(&mut self, level: u32, number: u64) -> io::Result<Hash> {
        let (above, within) = (u8::try_from(level / 8).unwrap_or(u8::MAX), level % 8);
        let first = number << within;
        let hashes = self.hashes(Some(above), first / WIDTH)?;
        let start = usize::try_from(first % WIDTH).unwrap_or(usize::MAX);
        let nodes = hashes.get(start..start + (1 << within));
        nodes.map(complete_root).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a tile is too short"))
    }

    /// What is needed to go on from here.
    pub(crate) fn frontier(&mut self) -> io::Result<Frontier> {
        let partial = |tiles: &mut Self, level: Option<u8>, hashes: u64| match hashes % WIDTH {
            0 => Ok(Vec::new()),
            _ => tiles.hashes(level, hashes / WIDTH).map(<[Hash]>::to_vec),
        };
        let entries = partial(self, None, self.size)?;
        let (mut levels, mut hashes) = (Vec::new(), self.size);
        for level in 0_u8.. {
            if hashes == 0 {
                break;
            }
            levels.push(partial(self, Some(level), hashes)?);
            hashes /= WIDTH;
        }
        Ok(Frontier::from_parts(self.size, entries, levels))
    }
}
