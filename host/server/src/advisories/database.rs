//! A RustSec advisory database as a folder: `crates/NAME/RUSTSEC-YEAR-NUMBER.md`, and nothing fetched.
//!
//! It is read whole or not at all. Links, and files that cannot be what their name says, make it unreadable.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::{Path, PathBuf},
};

use cap_std::{
    ambient_authority,
    fs::{Dir, DirEntry},
};
use rustsec::advisory::{Affected, Severity, Versions};

/// Files of the folder; the published database has about a thousand.
const MAX_ADVISORIES: usize = 20_000;
/// Bytes of one advisory; the longest that was published has some 20 KiB.
const MAX_ADVISORY: u64 = 256 << 10;
/// Bytes of all of them; the published ones have some 3 MiB.
const MAX_BYTES: usize = 64 << 20;
/// Characters of a title that are kept.
const MAX_TITLE: usize = 200;
/// An advisory begins so, and ends its first part so.
const FENCE: &str = "```toml";
/// Where plugins run, in the words of advisories.
const ARCH: &str = "wasm32";
/// As above.
const OS: &str = "wasi";

/// Why a folder is no advisory database. Whoever named one meant it to be read: nothing is loaded without it.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// Not there, or not readable.
    #[error(
        "the advisory database `{path}` cannot be read: {error}\nhelp: it is a copy of https://github.com/rustsec/advisory-db; `db` under [advisories] names its folder"
    )]
    Io {
        /// The folder, or the file in it.
        path: PathBuf,
        /// What happened.
        error: io::Error,
    },
    /// Something is in it that is no advisory.
    #[error(
        "`{path}` in the advisory database is no advisory: {why}\nhelp: get a whole copy of https://github.com/rustsec/advisory-db"
    )]
    Broken {
        /// The file in the folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It would refuse nothing, whatever is in a plugin.
    #[error(
        "there are no advisories in `{0}`\nhelp: it is a copy of https://github.com/rustsec/advisory-db; `db` under [advisories] names its folder"
    )]
    Empty(PathBuf),
    /// Not an advisory database, but a way to stop the host.
    #[error(
        "`{path}` has more than {MAX_ADVISORIES} advisories, or more than {mib} MiB of them\nhelp: it is a copy of https://github.com/rustsec/advisory-db, and nothing else",
        path = .0.display(), mib = MAX_BYTES >> 20
    )]
    TooLarge(PathBuf),
}

/// Every advisory, by crate.
#[derive(Debug)]
pub struct Database {
    crates: BTreeMap<String, Vec<Advisory>>,
    count: usize,
    newest: String,
}

/// As much of an advisory as is needed.
#[derive(Debug)]
pub(super) struct Advisory {
    pub(super) id: String,
    pub(super) severity: Option<Severity>,
    pub(super) remark: Option<String>,
    pub(super) title: String,
    pub(super) patched: Vec<String>,
    versions: Versions,
}

impl Database {
    /// Read the folder.
    pub(super) fn read(path: &Path) -> Result<Self, DatabaseError> {
        let fail = |error| DatabaseError::Io { path: path.to_owned(), error };
        let crates =
            Dir::open_ambient_dir(path, ambient_authority()).and_then(|folder| folder.open_dir("crates")).map_err(fail)?;
        let mut reading = Reading { path, database: Self { crates: BTreeMap::new(), count: 0, newest: String::new() }, bytes: 0 };
        for entry in crates.entries().map_err(fail)? {
            reading.crate_folder(&entry.map_err(fail)?)?;
        }
        let database = reading.database;
        if database.count == 0 { Err(DatabaseError::Empty(path.to_owned())) } else { Ok(database) }
    }

    /// How many advisories there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The day of the newest, as `2026-12-31`: whether the copy is kept up to date shows in it.
    pub fn newest(&self) -> &str {
        &self.newest
    }

    /// What is known of a version of a crate.
    pub(super) fn on(&self, name: &str, version: &semver::Version) -> impl Iterator<Item = &Advisory> {
        self.crates.get(name).into_iter().flatten().filter(|advisory| advisory.versions.is_vulnerable(version))
    }
}

struct Reading<'a> {
    path: &'a Path,
    database: Database,
    bytes: usize,
}

impl Reading<'_> {
    fn crate_folder(&mut self, entry: &DirEntry) -> Result<(), DatabaseError> {
        let Some(package) = name(entry) else { return Ok(()) };
        let place = Path::new("crates").join(&package);
        let fail = |error| DatabaseError::Io { path: self.path.join(&place), error };
        if !entry.file_type().map_err(fail)?.is_dir() {
            return Err(broken(&place, "it is not a folder"));
        }
        for file in entry.open_dir().and_then(|folder| folder.entries()).map_err(fail)? {
            let file = file.map_err(|error| DatabaseError::Io { path: self.path.join(&place), error })?;
            self.file(&file, &package, &place)?;
        }
        Ok(())
    }

    fn file(&mut self, entry: &DirEntry, package: &str, folder: &Path) -> Result<(), DatabaseError> {
        let Some(file_name) = name(entry) else { return Ok(()) };
        let place = folder.join(&file_name);
        let fail = |error| DatabaseError::Io { path: self.path.join(&place), error };
        // Looked at before it is opened: a pipe would wait for its other end.
        if !entry.file_type().map_err(fail)?.is_file() {
            return Err(broken(&place, "it is not a regular file"));
        }
        let mut text = String::new();
        entry.open().and_then(|file| file.take(MAX_ADVISORY + 1).read_to_string(&mut text)).map_err(fail)?;
        self.bytes += text.len();
        self.database.count += 1;
        if self.bytes > MAX_BYTES || self.database.count > MAX_ADVISORIES {
            return Err(DatabaseError::TooLarge(self.path.to_owned()));
        }
        self.advisory(&text, package, &file_name).map_err(|why| broken(&place, &why))
    }

    fn advisory(&mut self, text: &str, package: &str, file_name: &str) -> Result<(), String> {
        if text.len() as u64 > MAX_ADVISORY {
            return Err(format!("it has more than {} KiB", MAX_ADVISORY >> 10));
        }
        if !text.starts_with(FENCE) {
            return Err(format!("it does not begin with {FENCE}"));
        }
        let advisory: rustsec::Advisory = text.parse().map_err(|error: rustsec::Error| error.to_string())?;
        let metadata = advisory.metadata;
        if file_name.strip_suffix(".md") != Some(metadata.id.as_str()) || metadata.package.as_str() != package {
            return Err(format!("it is `{}` on `{}`", metadata.id, metadata.package.as_str()));
        }
        if self.database.newest.as_str() < metadata.date.as_str() {
            metadata.date.as_str().clone_into(&mut self.database.newest);
        }
        if metadata.withdrawn.is_some() {
            return Ok(());
        }
        let elsewhere = advisory.affected.as_ref().is_some_and(is_elsewhere).then(|| "other platforms".to_owned());
        self.database.crates.entry(package.to_owned()).or_default().push(Advisory {
            id: metadata.id.to_string(),
            severity: metadata.cvss.as_ref().map(|vector| vector.severity()),
            remark: metadata.informational.map(|kind| kind.to_string()).or(elsewhere),
            title: metadata.title.chars().take(MAX_TITLE).collect(),
            patched: advisory.versions.patched().iter().map(ToString::to_string).collect(),
            versions: advisory.versions,
        });
        Ok(())
    }
}

/// Whether the fault is only where no plugin runs.
fn is_elsewhere(affected: &Affected) -> bool {
    let no_os = !affected.os.is_empty() && affected.os.iter().all(|os| os.as_str() != OS);
    let no_arch = !affected.arch.is_empty() && affected.arch.iter().all(|arch| arch.as_str() != ARCH);
    no_os || no_arch
}

/// A name that is worth looking at: version control and editors leave names that begin with a dot.
fn name(entry: &DirEntry) -> Option<String> {
    Some(entry.file_name().to_string_lossy().into_owned()).filter(|name| !name.starts_with('.'))
}

fn broken(path: &Path, why: &str) -> DatabaseError {
    DatabaseError::Broken { path: path.to_owned(), why: why.lines().next().unwrap_or_default().to_owned() }
}
