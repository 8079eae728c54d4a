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
pub(crate) use read::{Published, Tiles, bytes, published};
pub(crate) use tile::Tile;

use crate::{Checkpoint, Hash, disk::Disk};

/// The folder's name in the log's folder.
pub(crate) const FOLDER: &str = "tlog";

/// The newest checkpoint whose tiles are all there.
pub(crate) const CHECKPOINT: &str = "tlog/checkpoint";

/// Writes the tiles. A checkpoint is published when everything that it covers is durable.
pub(crate) struct Tlog {
    frontier: Frontier,
    folders: Folders,
    /// Folders of partial tiles that are full by now.
    full: Vec<String>,
}

impl Tlog {
    /// Go on from where the published tiles end.
    pub(crate) fn after(frontier: Frontier) -> Self {
        Self { frontier, folders: Folders::default(), full: Vec::new() }
    }

    /// How many records the tiles cover.
    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Take further records, by their hashes. Tiles that become full are written.
    pub(crate) fn extend(&mut self, disk: &dyn Disk, dir: &Dir, hashes: &[Hash]) -> io::Result<()> {
        let Self { frontier, folders, full } = self;
        for hash in hashes {
            frontier.push(hash, &mut |tile, bytes| {
                full.push(format!("{}.p", tile.full_path()));
                folders.write(disk, dir, tile, bytes)
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
            self.folders.write(disk, dir, &tile, &bytes)?;
        }
        self.folders.make(disk, dir, FOLDER)?;
        self.folders.sync(disk, dir)?;
        disk.replace(dir, CHECKPOINT, note.as_bytes())?;
        disk.sync_dir(dir, FOLDER)?;
        // Nobody needs a partial tile that the full one is there of.
        for folder in std::mem::take(&mut self.full) {
            let Ok(entries) = dir.read_dir(&folder) else { continue };
            for entry in entries {
                let name = entry?.file_name();
                disk.remove(dir, &format!("{folder}/{}", name.to_string_lossy()))?;
            }
            disk.remove_folder(dir, &folder)?;
            self.folders.made.remove(&folder);
        }
        Ok(())
    }
}

/// The folders that tiles are in.
#[derive(Default)]
struct Folders {
    /// Those that are there, as far as this process has seen to it: what a killed one made may not be durable.
    made: BTreeSet<String>,
    /// Those whose names are not durable yet.
    touched: BTreeSet<String>,
}

impl Folders {
    fn write(&mut self, disk: &dyn Disk, dir: &Dir, tile: &Tile, bytes: &[u8]) -> io::Result<()> {
        let path = tile.path();
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.make(disk, dir, folder)?;
            self.touched.insert(folder.to_owned());
        }
        disk.replace(dir, &path, bytes)
    }

    /// Every folder on the way to one.
    fn make(&mut self, disk: &dyn Disk, dir: &Dir, folder: &str) -> io::Result<()> {
        if self.made.contains(folder) {
            return Ok(());
        }
        let above = folder.rsplit_once('/').map(|(above, _)| above);
        if let Some(above) = above {
            self.make(disk, dir, above)?;
        }
        disk.folder(dir, folder)?;
        self.touched.insert(above.unwrap_or(".").to_owned());
        self.made.insert(folder.to_owned());
        Ok(())
    }

    /// Make all their names durable.
    fn sync(&mut self, disk: &dyn Disk, dir: &Dir) -> io::Result<()> {
        std::mem::take(&mut self.touched).iter().try_for_each(|folder| disk.sync_dir(dir, folder))
    }
}
