//! When each token was last used: the time of an empty file in `token-uses/`, named as the token is.
//!
//! Setting a file's time is one step, so two servers and a crash at any point leave a use that happened, never half of one. It is for
//! people who clean up: nothing is decided by it.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use casemate_policy::Timestamp;

use crate::token::TokenName;

/// A use is kept to this much, in milliseconds: a token that is used all the time is written down once a minute.
const EVERY: u64 = 60_000;

/// Where uses are kept.
pub struct Uses {
    folder: PathBuf,
    noted: Mutex<HashMap<String, Timestamp>>,
}

impl Uses {
    /// In an environment's state.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { folder: folder(state), noted: Mutex::default() }
    }

    /// A token was used. What cannot be kept is said in the host's log, and lets the token in all the same.
    pub fn note(&self, token: &TokenName, now: Timestamp) {
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.get(&token.to_string()).is_some_and(|last| now.since(*last) < EVERY && now >= *last) {
                return;
            }
            noted.insert(token.to_string(), now);
        }
        let (folder, name) = (self.folder.clone(), token.to_string());
        let keep = move || {
            if let Err(error) = keep(&folder, &name, now) {
                tracing::warn!(%error, token = name, "the last use of a token could not be kept");
            }
        };
        // The request does not wait for a disk.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(keep)),
            Err(_) => keep(),
        }
    }
}

fn folder(state: &Path) -> PathBuf {
    state.join("token-uses")
}

fn keep(folder: &Path, name: &str, now: Timestamp) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(name))?;
    file.set_modified(UNIX_EPOCH + Duration::from_millis(now.since(Timestamp::from_millis(0))))
}

/// When a token was last used since it was made; none where it was not, or nobody knows.
pub(crate) fn last(state: &Path, token: &TokenName, created: Timestamp) -> Option<Timestamp> {
    let at: SystemTime = fs::metadata(folder(state).join(token.to_string())).ok()?.modified().ok()?;
    let millis = u64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()?;
    Some(Timestamp::from_millis(0).plus_millis(millis)).filter(|used| *used >= created)
}

/// A token of that name is gone, and the next one of that name was not used yet.
pub(crate) fn forget(state: &Path, token: &TokenName) {
    // A use that stays is older than the next token of that name, and is not shown.
    let _ = fs::remove_file(folder(state).join(token.to_string()));
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_last_use_is_kept_to_the_minute_and_ends_with_its_token() {
        let state = tempfile::tempdir().unwrap();
        let (uses, token): (_, TokenName) = (Uses::of(state.path()), "ci".parse().unwrap());
        let at = |seconds: u64| Timestamp::from_millis(1_800_000_000_000).plus_millis(seconds * 1000);
        let last = |created| last(state.path(), &token, created);
        assert_eq!(last(at(0)), None);
        uses.note(&token, at(1));
        uses.note(&token, at(30));
        assert_eq!(last(at(0)), Some(at(1)));
        uses.note(&token, at(61));
        assert_eq!(last(at(0)), Some(at(61)));
        assert_eq!(last(at(62)), None, "of another token of that name");
        Uses::of(state.path()).note(&token, at(70));
        assert_eq!(last(at(0)), Some(at(70)), "another server's use counts as well");
        forget(state.path(), &token);
        assert_eq!(last(at(0)), None);
    }
}
