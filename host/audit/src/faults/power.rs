//! A disk that loses its power: from one step on nothing is done, and afterwards some of what was not made durable is not there.
//!
//! What a file holds is durable once the file was synced, what a folder names once the folder was: a name that was made, taken over or
//! removed since then may be as it was before, each for itself.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use cap_std::fs::Dir;

use crate::disk::{Disk, Machine};

/// What becomes of the names that are not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// The disk had written all of them.
    Kept,
    /// And none.
    Lost,
    /// Some, by chance; the same ones for the same number.
    Some(u64),
}

/// The disk of one folder.
#[derive(Clone)]
pub(super) struct Power(Arc<Mutex<Left>>);

struct Left {
    steps: u64,
    used: u64,
    off: bool,
    error: io::ErrorKind,
    /// Files with how much of them is durable.
    files: HashMap<u64, (File, u64)>,
    /// By folder and name: what durably has a name that was changed since its folder was synced.
    names: BTreeMap<(PathBuf, PathBuf), Durable>,
    /// Where files are kept that may come back.
    lost: tempfile::TempDir,
}

/// What a name durably stands for.
enum Durable {
    Nothing,
    Folder,
    /// A file, kept under this name.
    File(PathBuf),
}

impl Power {
    /// Of a disk that fails after so many steps.
    pub(super) fn for_steps(steps: u64) -> Self {
        Self::failing(steps, io::ErrorKind::Other)
    }

    pub(super) fn failing(steps: u64, error: io::ErrorKind) -> Self {
        let (files, names, lost) = (HashMap::new(), BTreeMap::new(), tempfile::tempdir().unwrap());
        Self(Arc::new(Mutex::new(Left { steps, used: 0, off: false, error, files, names, lost })))
    }

    /// Nothing is done any more.
    pub(super) fn ends_now(&self) {
        let mut left = self.0.lock().unwrap();
        left.steps = left.used;
    }

    /// The process was killed and another goes on for so many steps, with the disk as it is.
    pub(super) fn goes_on(&self, steps: u64) {
        let mut left = self.0.lock().unwrap();
        (left.steps, left.off) = (left.used.saturating_add(steps), false);
    }

    /// Do one step, or lose the power in it.
    fn step<T>(&self, act: impl FnOnce(&mut Left) -> io::Result<T>, lost: impl FnOnce() -> io::Result<()>) -> io::Result<T> {
        let mut left = self.0.lock().unwrap();
        if left.used == left.steps {
            if !std::mem::replace(&mut left.off, true) {
                lost()?;
            }
            return Err(left.error.into());
        }
        left.used += 1;
        act(&mut left)
    }

    /// The power comes back. Half of what was not made durable in each file of `folder` is lost, and names are as they are told to be.
    pub(super) fn cut(&self, folder: &Path, names: Names) {
        let mut left = self.0.lock().unwrap();
        for (file, durable) in left.files.values() {
            let length = file.metadata().unwrap().len();
            file.set_len(durable + length.saturating_sub(*durable) / 2).unwrap();
        }
        let mut random = match names {
            Names::Some(seed) => seed.wrapping_mul(2).wrapping_add(0x9e37_79b9_7f4a_7c15),
            Names::Kept | Names::Lost => 0,
        };
        let mut is_lost = || match names {
            Names::Kept => false,
            Names::Lost => true,
            Names::Some(_) => {
                // xorshift64
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random.is_multiple_of(2)
            }
        };
        // Folders come before what is in them.
        let mut changed: Vec<_> = std::mem::take(&mut left.names).into_iter().collect();
        changed.sort_by_key(|((within, name), _)| within.join(name).components().count());
        for ((within, name), durable) in changed {
            if !is_lost() {
                continue;
            }
            let path = folder.join(&within).join(&name);
            if !path.parent().unwrap().is_dir() {
                continue;
            }
            match durable {
                Durable::Folder => fs::create_dir_all(&path).unwrap(),
                // A file of its own: a rename leaves none under two names.
                Durable::File(kept) => {
                    drop(fs::remove_file(&path));
                    fs::copy(kept, &path).unwrap();
                }
                Durable::Nothing if path.is_dir() => fs::remove_dir_all(&path).unwrap(),
                Durable::Nothing => drop(fs::remove_file(&path)),
            }
        }
    }
}

impl Left {
    /// A name is about to stand for something else.
    fn renames(&mut self, dir: &Dir, path: &str) -> io::Result<()> {
        let place = place(path);
        if self.names.contains_key(&place) {
            return Ok(());
        }
        let durable = match dir.symlink_metadata(path) {
            Ok(found) if found.is_dir() => Durable::Folder,
            Ok(_) => {
                let kept = self.lost.path().join(self.names.len().to_string()).with_extension(self.used.to_string());
                let lost = Dir::open_ambient_dir(self.lost.path(), cap_std::ambient_authority())?;
                dir.hard_link(path, &lost, kept.file_name().unwrap())?;
                Durable::File(kept)
            }
            Err(_) => Durable::Nothing,
        };
        self.names.insert(place, durable);
        Ok(())
    }
}

/// The folder and the name in it.
fn place(path: &str) -> (PathBuf, PathBuf) {
    let path = Path::new(path);
    (path.parent().unwrap().to_owned(), path.file_name().unwrap().into())
}

impl Disk for Power {
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let (inode, before) = file.metadata().map(|data| (data.ino(), data.len()))?;
        let known = file.try_clone()?;
        self.0.lock().unwrap().files.entry(inode).or_insert((known, before));
        self.step(|_| Machine.append(file, bytes), || Machine.append(file, bytes.split_at(bytes.len() / 2).0))
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let (inode, length) = file.metadata().map(|data| (data.ino(), data.len()))?;
        self.step(
            |left| {
                if let Some((_, durable)) = left.files.get_mut(&inode) {
                    *durable = length;
                }
                Ok(())
            },
            || Ok(()),
        )
    }

    fn sync_dir(&self, _: &Dir, folder: &str) -> io::Result<()> {
        let folder = Path::new(if folder == "." { "" } else { folder });
        self.step(
            |left| {
                left.names.retain(|(within, _), _| within != folder);
                Ok(())
            },
            || Ok(()),
        )
    }

    fn open_append(&self, dir: &Dir, name: &str, create_new: bool) -> io::Result<File> {
        self.step(
            |left| {
                if !dir.exists(name) {
                    left.renames(dir, name)?;
                }
                Machine.open_append(dir, name, create_new)
            },
            || Ok(()),
        )
    }

    fn create(&self, dir: &Dir, name: &str) -> io::Result<File> {
        self.step(
            |left| {
                left.renames(dir, name)?;
                let file = Machine.create(dir, name)?;
                if let Some((_, durable)) = left.files.get_mut(&file.metadata()?.ino()) {
                    *durable = 0;
                }
                Ok(file)
            },
            || Ok(()),
        )
    }

    fn rename(&self, dir: &Dir, from: &str, to: &str) -> io::Result<()> {
        self.step(
            |left| {
                left.renames(dir, from)?;
                left.renames(dir, to)?;
                Machine.rename(dir, from, to)
            },
            || Ok(()),
        )
    }

    fn folder(&self, dir: &Dir, folder: &str) -> io::Result<()> {
        self.step(
            |left| {
                if !dir.is_dir(folder) {
                    left.renames(dir, folder)?;
                }
                Machine.folder(dir, folder)
            },
            || Ok(()),
        )
    }

    fn remove(&self, dir: &Dir, name: &str) -> io::Result<()> {
        self.step(
            |left| {
                left.renames(dir, name)?;
                Machine.remove(dir, name)
            },
            || Ok(()),
        )
    }

    fn remove_folder(&self, dir: &Dir, folder: &str) -> io::Result<()> {
        self.step(
            |left| {
                left.renames(dir, folder)?;
                Machine.remove_folder(dir, folder)
            },
            || Ok(()),
        )
    }

    fn cut(&self, file: &File, length: u64) -> io::Result<()> {
        let inode = file.metadata()?.ino();
        self.step(
            |left| {
                // Cutting syncs what is left.
                if let Some((_, durable)) = left.files.get_mut(&inode) {
                    *durable = length;
                }
                Machine.cut(file, length)
            },
            || Ok(()),
        )
    }
}
