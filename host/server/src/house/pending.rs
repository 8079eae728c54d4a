//! A change of what is installed, in one step: the lock file and the host's state are two files, and one without the other's change
//! would refuse what is installed.
//!
//! Both are written into one file first. From the moment that is there, they count as they stand in it: whoever reads either, reads it
//! there. Then each is put in its place, and the file goes. Who makes the next change finishes this one first, so it does not matter
//! where a program or a machine stopped. The file is believed no more than what is in it: the state has its own MAC, and the lock file
//! can only narrow.

use std::path::PathBuf;

use casemate_signing::{
    Environment,
    highwater::{HighWater, MAX_STATE},
    lock::{LockFile, MAX_LOCK_FILE},
};
use serde::{Deserialize, Serialize};

use super::store::{self, Changing, Keys};
use crate::{exit::Failure, folders::Folders};

/// Both files as JSON strings, in which a character takes two bytes at most: they hold no control characters but line feeds.
const MAX_PENDING: usize = 2 * (MAX_STATE + MAX_LOCK_FILE);
/// A change that is seen half is over a moment later; who saw it so often sees something else.
const READS: usize = 16;

/// What is to be put in place.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pending {
    environment: Environment,
    /// The lock file's text.
    lock: String,
    /// The sealed state of that environment.
    packages: String,
}

/// Make lock file and state what they are to be from now on, both or neither.
///
/// # Errors
/// When a file cannot be written. What was said to be so once is finished by whoever makes the next change.
pub(crate) fn commit(
    folders: &Folders,
    environment: Environment,
    keys: &Keys,
    lock: &LockFile,
    highwater: &HighWater,
    changing: &Changing,
) -> Result<(), Failure> {
    let packages = String::from_utf8(highwater.seal(&keys.host)).map_err(|_| Failure::failed("the host's state is not text"))?;
    let pending = Pending { environment, lock: lock.to_text(), packages };
    store::replace(&path(folders), serde_json::to_string(&pending)?.as_bytes())?;
    finish(folders, changing)
}

/// Finish what a change that was stopped had begun.
pub(super) fn finish(folders: &Folders, _changing: &Changing) -> Result<(), Failure> {
    let Some(Pending { environment, lock, packages }) = read(folders)? else { return Ok(()) };
    store::replace(&store::packages_of(folders, environment), packages.as_bytes())?;
    store::replace(&folders.lock(), lock.as_bytes())?;
    store::withdraw(&path(folders))
}

/// What is installed and what was agreed to, as they were at one moment.
pub(crate) fn installed(folders: &Folders, environment: Environment, keys: &Keys) -> Result<(LockFile, HighWater), Failure> {
    let files = [path(folders), folders.lock(), store::packages_of(folders, environment)];
    let marks = || files.iter().cloned().map(store::mark).collect::<Vec<_>>();
    let look = || Ok((store::lock(folders)?, store::highwater(folders, environment, keys)?));
    let (mut before, mut seen) = (marks(), look());
    for _ in 1..READS {
        let after = marks();
        if after == before {
            break;
        }
        (before, seen) = (after, look());
    }
    seen
}

/// The lock file's text, if a change of it is under way.
pub(super) fn lock(folders: &Folders) -> Result<Option<String>, Failure> {
    Ok(read(folders)?.map(|pending| pending.lock))
}

/// The sealed state of an environment, if a change of it is under way.
pub(super) fn packages(folders: &Folders, environment: Environment) -> Result<Option<Vec<u8>>, Failure> {
    let ours = read(folders)?.filter(|pending| pending.environment == environment);
    Ok(ours.map(|pending| pending.packages.into_bytes()))
}

/// Where it stands, beside the lock file.
pub(super) fn path(folders: &Folders) -> PathBuf {
    folders.policy.join(".pending")
}

fn read(folders: &Folders) -> Result<Option<Pending>, Failure> {
    let path = path(folders);
    let Some(bytes) = store::own_if_there(&path, MAX_PENDING)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|_| {
        Failure::denied(format!(
            "pending-refused: `{}` is not a change that this program began\nhelp: find out what wrote it before you remove it; `casemate lock --check` then shows what is left",
            path.display()
        ))
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use casemate_signing::{Digest, lock::Locked};
    use tempfile::TempDir;

    use super::*;
    use crate::folders::Xdg;

    const HERE: Environment = Environment::Dev;

    struct Host {
        _folder: TempDir,
        folders: Folders,
        keys: Keys,
    }

    fn host() -> Host {
        let folder = tempfile::tempdir().unwrap();
        let folders = Folders::choose(Some(folder.path()), None, &Xdg::default()).unwrap();
        let keys = store::keys(&folders.state(HERE)).unwrap();
        Host { _folder: folder, folders, keys }
    }

    /// A lock file of one plugin at a release.
    fn release(release: u64) -> LockFile {
        let mut lock = LockFile::new();
        let digest = Digest::of(&release.to_be_bytes());
        let locked = Locked {
            version: semver::Version::new(0, release, 0),
            release,
            component: digest,
            statement: digest,
            signers: [].into(),
            source: "somewhere".to_owned(),
            capabilities: digest,
            tools: [].into(),
            pinned: false,
        };
        lock.insert("acme/scanner".parse().unwrap(), locked);
        lock
    }

    /// A state that knows a plugin by that release.
    fn state(host: &Host, release: u64) -> HighWater {
        let digest = Digest::of(&release.to_be_bytes());
        let text = format!(r#"{{"marks":{{"acme/scanner":{{"release":{release},"statement":"{digest}"}}}},"approvals":{{}}}}"#);
        let sealed: HighWater = serde_json::from_str(&text).unwrap();
        HighWater::open(&sealed.seal(&host.keys.host), &host.keys.host).unwrap()
    }

    #[track_caller]
    fn is_at(host: &Host, number: u64) {
        let (lock, highwater) = installed(&host.folders, HERE, &host.keys).unwrap();
        assert_eq!((lock, highwater), (release(number), state(host, number)));
    }

    /// Every point at which a change can stop, with what is then in each file: the old, or the new.
    #[test]
    fn a_change_that_stops_anywhere_counts_whole_or_not_at_all() {
        for (pending, packages, lock, expected) in
            [(false, 1, 1, 1), (true, 1, 1, 2), (true, 2, 1, 2), (true, 2, 2, 2), (false, 2, 2, 2)]
        {
            let host = host();
            let changing = store::changing(&host.folders).unwrap();
            commit(&host.folders, HERE, &host.keys, &release(2), &state(&host, 2), &changing).unwrap();
            drop(changing);
            is_at(&host, 2);
            assert!(!path(&host.folders).exists(), "and nothing of it is left over");
            // Put back what stood there at that point.
            if pending {
                let packages = String::from_utf8(state(&host, 2).seal(&host.keys.host)).unwrap();
                let pending = Pending { environment: HERE, lock: release(2).to_text(), packages };
                fs::write(path(&host.folders), serde_json::to_string(&pending).unwrap()).unwrap();
            }
            fs::write(store::packages_of(&host.folders, HERE), state(&host, packages).seal(&host.keys.host)).unwrap();
            fs::write(host.folders.lock(), release(lock).to_text()).unwrap();
            is_at(&host, expected);
            // The next change finishes it before it begins.
            drop(store::changing(&host.folders).unwrap());
            assert!(!path(&host.folders).exists());
            let written = fs::read_to_string(host.folders.lock()).unwrap();
            assert_eq!(written, release(expected).to_text(), "pending {pending}, state {packages}, lock {lock}");
            is_at(&host, expected);
        }
    }

    #[test]
    fn a_write_that_fails_is_made_good_by_the_next_change() {
        let host = host();
        let blocked = host.folders.lock();
        let changing = store::changing(&host.folders).unwrap();
        fs::create_dir(&blocked).unwrap();
        assert!(commit(&host.folders, HERE, &host.keys, &release(2), &state(&host, 2), &changing).is_err());
        is_at(&host, 2);
        fs::remove_dir(&blocked).unwrap();
        drop(changing);
        drop(store::changing(&host.folders).unwrap());
        assert!(!path(&host.folders).exists() && blocked.is_file());
        is_at(&host, 2);
    }

    #[test]
    fn what_this_program_did_not_begin_is_not_finished() {
        let host = host();
        fs::write(host.folders.lock(), release(1).to_text()).unwrap();
        for text in ["", "{}", r#"{"environment":"dev","lock":""}"#, r#"{"environment":"dev","lock":"","packages":"","more":1}"#]
        {
            fs::write(path(&host.folders), text).unwrap();
            let failure = store::lock(&host.folders).unwrap_err();
            assert!(failure.message.starts_with("pending-refused: "), "{text}: {}", failure.message);
            assert!(store::changing(&host.folders).is_err(), "{text}");
            assert_eq!(fs::read_to_string(host.folders.lock()).unwrap(), release(1).to_text(), "{text}");
        }
        // One that is well formed brings no state that this host did not seal.
        let forged = Pending { environment: HERE, lock: release(1).to_text(), packages: "{}".to_owned() };
        fs::write(path(&host.folders), serde_json::to_string(&forged).unwrap()).unwrap();
        let failure = installed(&host.folders, HERE, &host.keys).unwrap_err();
        assert!(failure.message.starts_with("state-refused: "), "{}", failure.message);
    }

    #[test]
    fn the_state_of_another_environment_is_not_this_ones() {
        let host = host();
        let changing = store::changing(&host.folders).unwrap();
        commit(&host.folders, HERE, &host.keys, &release(1), &state(&host, 1), &changing).unwrap();
        let packages = String::from_utf8(state(&host, 2).seal(&host.keys.host)).unwrap();
        let pending = Pending { environment: Environment::Prod, lock: release(2).to_text(), packages };
        fs::write(path(&host.folders), serde_json::to_string(&pending).unwrap()).unwrap();
        assert_eq!(installed(&host.folders, HERE, &host.keys).unwrap(), (release(2), state(&host, 1)));
    }
}
