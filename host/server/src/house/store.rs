//! The host's files: read once without following links, written whole or not at all.

mod keys;
mod packages;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

use casemate_signing::{
    Environment,
    document::MAX_DOCUMENT,
    highwater::{HighWater, MAX_STATE},
    lock::{LockFile, MAX_LOCK_FILE},
    manifest::PublisherName,
    trust::{MAX_TRUST_FILE, TrustStore},
};
pub(crate) use keys::{Keys, audit_public, keys, known_heads, next_audit_key, replace_audit_key, witness_key};
pub(crate) use packages::{bundle_of, installed, installed_package, kept, package, packages_in, statement_of, version_in};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use super::pending;
use crate::{
    command::print,
    exit::Failure,
    folders::{Folders, private},
    token::TokenFile,
};

/// Tokens are a few hundred bytes each.
const MAX_TOKENS: usize = 1 << 20;

/// Held while trust, lock file or packages are changed: two changes at once would lose one of them.
pub(crate) struct Changing(#[expect(dead_code, reason = "the lock lives as long as the file")] File);

/// Wait for other changes to end, keep new ones out, and finish one that was stopped.
pub(crate) fn changing(folders: &Folders) -> Result<Changing, Failure> {
    let file = change_lock(folders)?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        print::note("casemate: waiting for another change to end");
        flock(&file, FlockOperation::LockExclusive).map_err(io::Error::from)?;
    }
    alone(file, folders)
}

/// Keep other changes out, if none is being made just now, and finish one that was stopped.
pub(crate) fn changing_now(folders: &Folders) -> Result<Option<Changing>, Failure> {
    let file = change_lock(folders)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => alone(file, folders).map(Some),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

fn alone(file: File, folders: &Folders) -> Result<Changing, Failure> {
    let changing = Changing(file);
    pending::finish(folders, &changing)?;
    Ok(changing)
}

fn change_lock(folders: &Folders) -> Result<File, Failure> {
    private(&folders.policy)?;
    let path = folders.policy.join(".changing");
    Ok(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?)
}

/// At most `cap` bytes of a regular file, opened once, its last name not a link. Absent is `None`.
fn read(path: &Path, cap: usize) -> Result<Option<Vec<u8>>, Failure> {
    read_linked(path, cap, u64::MAX)
}

/// The same of a file that is the host's own: it has no second name, by which something else could write to it.
fn read_own(path: &Path, cap: usize) -> Result<Option<Vec<u8>>, Failure> {
    read_linked(path, cap, 1)
}

fn read_linked(path: &Path, cap: usize, names: u64) -> Result<Option<Vec<u8>>, Failure> {
    let fail = |error: io::Error| Failure::failed(format!("`{}` cannot be read: {error}", path.display()));
    let refuse = |code: &str, what: &str| Err(Failure::denied(format!("{code}: `{}` {what}", path.display())));
    let file = match rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK, Mode::empty())
    {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => {
            return refuse("file-symlink", "is a symbolic link, and those are not followed\nhelp: name the file itself");
        }
        Err(error) => return Err(fail(error.into())),
    };
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return refuse("file-kind", "is not a regular file");
    }
    if metadata.nlink() > names {
        return refuse(
            "file-hard-link",
            "has a second name (a hard link), by which it can be changed\nhelp: find the other name; then copy the file and put the copy in its place",
        );
    }
    let mut bytes = Vec::new();
    file.take(u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() > cap {
        return Err(Failure::invalid(format!("`{}` is larger than the {cap} bytes it may have", path.display())));
    }
    Ok(Some(bytes))
}

pub(super) fn read_text(path: &Path, cap: usize) -> Result<Option<String>, Failure> {
    read(path, cap)?
        .map(|bytes| String::from_utf8(bytes).map_err(|_| Failure::invalid(format!("`{}` is not UTF-8", path.display()))))
        .transpose()
}

/// Replace a file whole: a reader sees the old or the new, and after a power cut one of them is there.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    private(folder).map_err(|error| unwritten(path, &error))?;
    replace_in(folder, path, bytes, 0o600)
}

/// Replace a file that is handed on to others, in a folder that is not ours to close.
pub(crate) fn replace_public(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    replace_in(folder, path, bytes, 0o644)
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("`{}` cannot be written: {error}", path.display()))
}

fn replace_in(folder: &Path, path: &Path, bytes: &[u8], mode: u32) -> Result<(), Failure> {
    let fail = |error: io::Error| unwritten(path, &error);
    let mut scratch = path.as_os_str().to_owned();
    scratch.push(format!(".{}", std::process::id()));
    let scratch = PathBuf::from(scratch);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .custom_flags(nofollow())
        .open(&scratch)
        .map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail)?;
    fs::rename(&scratch, path).map_err(fail)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

fn nofollow() -> i32 {
    i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default()
}

/// The trust store; nobody is trusted where there is no file. A keyset that cannot be read is as good as missing, and so is a
/// revocation list: its publisher's packages are refused.
pub(crate) fn trust(folders: &Folders) -> Result<TrustStore, Failure> {
    let path = folders.trust();
    let document =
        |publisher: &PublisherName, version: u64| read(&keyset_of(folders, publisher, version), MAX_DOCUMENT).ok().flatten();
    let Some(text) = read_text(&path, MAX_TRUST_FILE)? else { return Ok(TrustStore::new()) };
    let mut trust =
        TrustStore::parse(&text, document).map_err(|error| Failure::invalid(format!("`{}`: {error}", path.display())))?;
    let publishers: Vec<PublisherName> = trust.publishers().keys().cloned().collect();
    for publisher in publishers {
        if let Err(failure) = attach(folders, &mut trust, &publisher) {
            tracing::warn!(%publisher, reason = failure.message, "nothing of a publisher is loaded without its revocation list");
        }
    }
    Ok(trust)
}

/// Attach the revocation list of a publisher whose list is watched. Whether it has expired, and whether a newer one was seen, is
/// looked at when a package is verified.
pub(crate) fn attach(folders: &Folders, trust: &mut TrustStore, publisher: &PublisherName) -> Result<(), Failure> {
    if trust.publishers().get(publisher).and_then(|known| known.revocation_source()).is_none() {
        return Ok(());
    }
    let path = revocations_of(folders, publisher);
    let refused = |why: &dyn std::fmt::Display| Failure::denied(format!("`{}`: {why}", path.display()));
    let file = read(&path, MAX_DOCUMENT)?.ok_or_else(|| refused(&"there is no revocation list"))?;
    trust.attach_revocations(publisher, &file).map_err(|error| refused(&format!("{}: {error}", error.code())))?;
    Ok(())
}

/// Where a version of a publisher's keyset is kept.
pub(crate) fn keyset_of(folders: &Folders, publisher: &PublisherName, version: u64) -> PathBuf {
    keysets_of(folders, publisher).join(format!("{version}.json"))
}

fn keysets_of(folders: &Folders, publisher: &PublisherName) -> PathBuf {
    folders.policy.join("trust").join("publishers").join(publisher.as_str())
}

/// Where the newest revocation list of a publisher is kept.
pub(crate) fn revocations_of(folders: &Folders, publisher: &PublisherName) -> PathBuf {
    folders.policy.join("trust").join("revocations").join(format!("{publisher}.json"))
}

/// Take away the documents of a publisher that is trusted no more.
pub(crate) fn forget_publisher(folders: &Folders, publisher: &PublisherName) -> Result<(), Failure> {
    absent(fs::remove_dir_all(keysets_of(folders, publisher)))?;
    forget_revocations(folders, publisher)
}

/// Take away a revocation list that is watched no more.
pub(crate) fn forget_revocations(folders: &Folders, publisher: &PublisherName) -> Result<(), Failure> {
    absent(fs::remove_file(revocations_of(folders, publisher)))
}

/// Gone, or never there.
fn absent(removed: io::Result<()>) -> Result<(), Failure> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The lock file; nothing is installed where there is none.
pub(crate) fn lock(folders: &Folders) -> Result<LockFile, Failure> {
    let path = folders.lock();
    let under_way = pending::lock(folders)?;
    match under_way.map_or_else(|| read_text(&path, MAX_LOCK_FILE), |text| Ok(Some(text)))? {
        Some(text) => LockFile::parse(&text).map_err(|error| Failure::invalid(format!("`{}`: {error}", path.display()))),
        None => Ok(LockFile::new()),
    }
}

/// High-water marks and approvals, if this host wrote them.
pub(crate) fn highwater(folders: &Folders, environment: Environment, keys: &Keys) -> Result<HighWater, Failure> {
    let path = packages_of(folders, environment);
    let under_way = pending::packages(folders, environment)?;
    match under_way.map_or_else(|| read_own(&path, MAX_STATE), |bytes| Ok(Some(bytes)))? {
        Some(bytes) => HighWater::open(&bytes, &keys.host)
            .map_err(|error| Failure::denied(format!("state-refused: `{}`: {error}", path.display()))),
        None => Ok(HighWater::new()),
    }
}

/// Keep high-water marks and approvals. Where the lock file changes with them, [`pending::commit`] keeps both.
pub(crate) fn keep_highwater(
    folders: &Folders,
    environment: Environment,
    keys: &Keys,
    highwater: &HighWater,
) -> Result<(), Failure> {
    replace(&packages_of(folders, environment), &highwater.seal(&keys.host))
}

/// Where high-water marks and approvals of an environment are kept.
pub(super) fn packages_of(folders: &Folders, environment: Environment) -> PathBuf {
    folders.state(environment).join("packages.state")
}

/// Take a file away, and know that it is gone even after a power cut.
pub(super) fn withdraw(path: &Path) -> Result<(), Failure> {
    absent(fs::remove_file(path))?;
    Ok(File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?)
}

/// The bearer tokens of an environment.
pub(crate) fn tokens(state: &Path) -> Result<TokenFile, Failure> {
    let path = state.join("tokens.toml");
    match read_text(&path, MAX_TOKENS)? {
        Some(text) => TokenFile::parse(&text).map_err(|error| Failure::invalid(format!("`{}`: {error}", path.display()))),
        None => Ok(TokenFile::default()),
    }
}

/// Keep the bearer tokens of an environment.
pub(crate) fn keep_tokens(state: &Path, tokens: &TokenFile) -> Result<(), Failure> {
    replace(&state.join("tokens.toml"), tokens.to_text().as_bytes())
}

/// What tells that a file is another one: its inode and time.
pub(crate) type Version = (u64, SystemTime);

/// Which token file is there.
pub(crate) fn tokens_changed(state: &Path) -> Option<Version> {
    changed(&state.join("tokens.toml"))
}

/// Which file is there.
pub(crate) fn changed(path: &Path) -> Option<Version> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.ino(), metadata.modified().ok()?))
}

/// Files below `trust/` that are looked at; more than any number of publishers needs.
const MAX_MARKS: usize = 4096;

/// Which files are there of those that say what may be served. Whatever is written, replaced or taken away makes another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marks(Vec<(PathBuf, Option<Mark>)>);

/// Inode, size, and the times of the last change of content and of anything: the last one cannot be set back.
pub(super) type Mark = (u64, u64, (i64, i64), (i64, i64));

/// Look at trust, lock file, and the state of an environment, without reading any.
pub(crate) fn marks(folders: &Folders, state: &Path) -> Marks {
    let mut paths = vec![folders.trust(), folders.lock(), state.join("packages.state"), pending::path(folders)];
    // `trust/` grows while it is walked; what is no folder has no entries.
    let mut next = paths.len();
    paths.push(folders.policy.join("trust"));
    while let Some(folder) = paths.get(next)
        && paths.len() < MAX_MARKS
    {
        let mut entries: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort();
        paths.extend(entries);
        next += 1;
    }
    Marks(paths.into_iter().map(mark).collect())
}

/// Which file is there, under a path.
pub(super) fn mark(path: PathBuf) -> (PathBuf, Option<Mark>) {
    let found = fs::symlink_metadata(&path).ok();
    let mark = found.map(|file| (file.ino(), file.size(), (file.mtime(), file.mtime_nsec()), (file.ctime(), file.ctime_nsec())));
    (path, mark)
}

/// A file of the user's own, which may be a link: people keep such files in a repository and link them. Absent is `None`.
pub(crate) fn linked(path: &Path, cap: usize) -> Result<Option<Vec<u8>>, Failure> {
    match fs::canonicalize(path) {
        Ok(real) => read(&real, cap),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::failed(format!("`{}` cannot be read: {error}", path.display()))),
    }
}

/// A file that has to be there.
pub(crate) fn file(path: &Path, cap: usize) -> Result<Vec<u8>, Failure> {
    read(path, cap)?.ok_or_else(|| Failure::invalid(format!("there is no `{}`", path.display())))
}

/// A file of the host's own that may be there.
pub(super) fn own_if_there(path: &Path, cap: usize) -> Result<Option<Vec<u8>>, Failure> {
    read_own(path, cap)
}

/// A file that may be there.
pub(crate) fn file_if_there(path: &Path, cap: usize) -> Result<Option<Vec<u8>>, Failure> {
    read(path, cap)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn keys_are_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let (first, second) = (keys(dir.path()).unwrap(), keys(dir.path()).unwrap());
        assert_eq!(first.code, second.code);
        assert_eq!(first.audit.to_bytes(), second.audit.to_bytes());
        for name in ["host.key", "audit.pem"] {
            assert_eq!(fs::metadata(dir.path().join(name)).unwrap().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        keys(dir.path()).unwrap();
        fs::set_permissions(dir.path().join("host.key"), fs::Permissions::from_mode(0o640)).unwrap();
        assert!(keys(dir.path()).is_err_and(|failure| failure.message.contains("chmod 600")));
    }

    #[test]
    fn links_fifos_and_folders_are_not_read() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/etc/hostname", dir.path().join("link")).unwrap();
        assert!(read(&dir.path().join("link"), 100).is_err());
        assert!(read(dir.path(), 100).is_err());
        assert!(read(Path::new("/dev/zero"), 100).is_err());
        assert!(read(&dir.path().join("absent"), 100).unwrap().is_none());
    }

    #[test]
    fn a_file_over_its_cap_is_refused_and_one_at_it_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, [0; 11]).unwrap();
        assert!(read(&path, 10).is_err());
        assert_eq!(read(&path, 11).unwrap().unwrap().len(), 11);
    }

    #[test]
    fn many_first_starts_agree_on_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path();
        let codes: Vec<[u8; 32]> = std::thread::scope(|scope| {
            // One process each in life; here the scratch names would clash, so they take turns and the link decides.
            (0..4).map(|_| scope.spawn(move || keys(path).map(|keys| keys.code)).join().unwrap().unwrap()).collect()
        });
        assert!(codes.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
