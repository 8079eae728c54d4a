//! The log as tiles (C2SP tlog-tiles), in the folder `tlog`: what any client of such logs reads, as files or over HTTP.
//!
//! It holds hashes and signatures only, so the folder can be published as it is: an entry is a record's 32-byte `event_hash`.
//! Everything in it follows from the records and is made anew where it is gone, until the records are: of those that were
//! removed for their age, the entries are what the rest is checked against.

mod frontier;
mod read;
mod tile;

use std::{collections::BTreeSet, io};

use cap_std::fs::Dir;

pub(crate) use frontier::Frontier;
pub(crate) use read::{Published, Tiles, published};
pub(crate) use tile::Tile;

use crate::{Checkpoint, Hash, disk::Disk};

/// The folder's name in the log's folder.
pub(crate) const FOLDER: &str = "tlog";

/// The newest checkpoint whose tiles are all there.
pub(crate) const CHECKPOINT: &str = "tlog/checkpoint";

/// Writes the tiles. A checkpoint is published when everything that it covers is durable.
pub(crate) struct Tlog {
    frontier: Frontier,
    /// Folders whose names are not durable yet.
    touched: BTreeSet<String>,
    /// Folders of partial tiles that are full by now.
    full: Vec<String>,
}

impl Tlog {
    /// Go on from where the published tiles end.
    pub(crate) fn after(frontier: Frontier) -> Self {
        Self { frontier, touched: BTreeSet::new(), full: Vec::new() }
    }

    /// How many records the tiles cover.
    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Take further records, by their hashes. Tiles that become full are written.
    pub(crate) fn extend(&mut self, disk: &dyn Disk, dir: &Dir, hashes: &[Hash]) -> io::Result<()> {
        let Self { frontier, touched, full } = self;
        for hash in hashes {
            frontier.push(hash, &mut |tile, bytes| {
                full.push(format!("{}.p", tile.full_path()));
                write(disk, dir, tile, bytes, touched)
            })?;
        }
        Ok(())
    }

    /// Write the tiles that are not full, make all of them durable, and publish the checkpoint over them.
    pub(crate) fn publish(&mut self, disk: &dyn Disk, dir: &Dir, checkpoint: &Checkpoint, note: &str) -> io::Result<()> {
        if checkpoint.size != self.frontier.size() {
            return Err(io::Error::other("the tiles do not cover what the checkpoint does"));
        }
        for (tile, bytes) in self.frontier.partial() {
            write(disk, dir, &tile, &bytes, &mut self.touched)?;
        }
        for folder in std::mem::take(&mut self.touched) {
            disk.sync_dir(dir, &folder)?;
        }
        make(disk, dir, FOLDER, &mut self.touched)?;
        disk.replace(dir, CHECKPOINT, note.as_bytes())?;
        disk.sync_dir(dir, FOLDER)?;
        // Nobody needs a partial tile that the full one is there of.
        for folder in std::mem::take(&mut self.full) {
            let Ok(entries) = dir.read_dir(&folder) else { continue };
            for entry in entries {
                let name = entry?.file_name();
                disk.remove(dir, &format!("{folder}/{}", name.to_string_lossy()))?;
            }
            dir.remove_dir(&folder)?;
        }
        Ok(())
    }
}

fn write(disk: &dyn Disk, dir: &Dir, tile: &Tile, bytes: &[u8], touched: &mut BTreeSet<String>) -> io::Result<()> {
    let path = tile.path();
    if let Some((folder, _)) = path.rsplit_once('/') {
        make(disk, dir, folder, touched)?;
        touched.insert(folder.to_owned());
    }
    disk.replace(dir, &path, bytes)
}

/// Every folder on the way to one.
fn make(disk: &dyn Disk, dir: &Dir, folder: &str, touched: &mut BTreeSet<String>) -> io::Result<()> {
    if dir.is_dir(folder) {
        return Ok(());
    }
    let above = folder.rsplit_once('/').map(|(above, _)| above);
    if let Some(above) = above {
        make(disk, dir, above, touched)?;
    }
    disk.folder(dir, folder)?;
    touched.insert(above.unwrap_or(".").to_owned());
    Ok(())
}
