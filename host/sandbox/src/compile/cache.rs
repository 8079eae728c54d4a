//! Compiled code on disk: `DIGEST-ENGINE.cwasm`, each entry behind a MAC that only this host can make.

use std::io::{Read, Write};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::{CompileError, Worker, worker::MAX_CODE};
use crate::{
    imports::{self, ImportError},
    precompiled::Authentic,
};

/// Separates this MAC from any other use of the host's key.
const DOMAIN: &[u8] = b"casemate compiled code v1\0";
const MAC_LEN: usize = 32;
/// The MAC and the most code a worker may answer with.
const MAX_ENTRY: u64 = (MAC_LEN + MAX_CODE) as u64;

/// Why compiled code could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It is no WebAssembly that this host takes.
    #[error(transparent)]
    Invalid(#[from] ImportError),
    /// Compiling failed.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The folder could not be read or written.
    #[error("the code cache cannot be used: {0}\nhelp: the folder must be writable by the host's user alone")]
    Io(#[from] std::io::Error),
    /// An entry does not carry this host's MAC.
    #[error(
        "the code cache entry `{entry}` was not made by this host\nhelp: find out who wrote to the cache folder, then delete the entry; it is compiled again at the next start"
    )]
    Forged {
        /// File name of the entry.
        entry: String,
    },
}

impl CacheError {
    /// A stable word for logs and scripts, one for each refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid(error) => error.code(),
            Self::Compile(error) => error.code(),
            Self::Io(_) => "code-cache-unusable",
            Self::Forged { .. } => "code-cache-forged",
        }
    }
}

/// The cache folder and the key its entries are authenticated with.
pub struct CodeCache {
    dir: Dir,
    key: [u8; 32],
    worker: Worker,
}

impl CodeCache {
    /// A cache in `dir`, which only the host's user may write, with this host's own key.
    pub fn new(dir: Dir, key: [u8; 32], worker: Worker) -> Self {
        Self { dir, key, worker }
    }

    /// Code for `component`, whose lower-case hex SHA-256 is `digest`: from the cache, or compiled by the worker and kept.
    ///
    /// # Errors
    /// When an entry is forged (never silently replaced: somebody wrote to the folder), or compiling fails.
    pub(crate) fn code(&self, digest: &str, engine: &str, component: &[u8]) -> Result<Authentic, CacheError> {
        let entry = format!("{digest}-{engine}.cwasm");
        match self.read(&entry)? {
            Some(code) => Ok(code),
            None => self.fill(&entry, component),
        }
    }

    /// Compile again over an entry that wasmtime would not take.
    pub(crate) fn refill(&self, digest: &str, engine: &str, component: &[u8]) -> Result<Authentic, CacheError> {
        self.fill(&format!("{digest}-{engine}.cwasm"), component)
    }

    fn fill(&self, entry: &str, component: &[u8]) -> Result<Authentic, CacheError> {
        imports::validate(component)?;
        let code = self.worker.compile(component)?;
        self.write(entry, &code)?;
        Ok(Authentic::from_worker(code))
    }

    fn mac(&self, entry: &str) -> Hmac<Sha256> {
        // A key shorter than the block is padded with zeros (RFC 2104, section 2): given as a whole block, it cannot be of a wrong length.
        let mut block = [0; 64];
        for (place, byte) in block.iter_mut().zip(self.key) {
            *place = byte;
        }
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
        mac.update(DOMAIN);
        mac.update(&Sha256::digest(entry.as_bytes()));
        mac
    }

    fn read(&self, entry: &str) -> Result<Option<Authentic>, CacheError> {
        let mut file = match self.dir.open_with(entry, OpenOptions::new().read(true).custom_flags(nofollow())) {
            Ok(file) => file.take(MAX_ENTRY),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let forged = || CacheError::Forged { entry: entry.to_owned() };
        let mut tag = [0; MAC_LEN];
        file.read_exact(&mut tag).map_err(|_| forged())?;
        let mut code = Vec::new();
        file.read_to_end(&mut code)?;
        self.mac(entry).chain_update(&code).verify_slice(&tag).map_err(|_| forged())?;
        Ok(Some(Authentic::after_mac_check(code)))
    }

    fn write(&self, entry: &str, code: &[u8]) -> Result<(), CacheError> {
        // Renamed into place, so that a reader sees a whole entry or none. The name carries the process: two hosts may fill at once.
        let scratch = format!("{entry}.{}", std::process::id());
        let mut file = self.dir.open_with(
            &scratch,
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(nofollow()),
        )?;
        file.write_all(&self.mac(entry).chain_update(code).finalize().into_bytes())?;
        file.write_all(code)?;
        self.dir.rename(&scratch, &self.dir, entry)?;
        Ok(())
    }
}

fn nofollow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use cap_std::ambient_authority;

    use super::*;

    /// An empty component, and what the worker makes of it.
    const CODE: &[u8] = b"\0asm\x0d\0\x01\0";

    fn cache(path: &std::path::Path, key: u8) -> CodeCache {
        // A worker that answers with what it is given: the cache does not care what code is.
        let worker = Worker { program: "cat".into(), arguments: vec![] };
        let worker = Worker { program: which(&worker.program), ..worker };
        CodeCache::new(Dir::open_ambient_dir(path, ambient_authority()).unwrap(), [key; 32], worker)
    }

    fn which(name: &std::path::Path) -> std::path::PathBuf {
        ["/bin", "/usr/bin"].iter().map(|dir| std::path::Path::new(dir).join(name)).find(|path| path.exists()).unwrap()
    }

    #[test]
    fn an_entry_is_compiled_once_and_then_read() {
        let dir = tempfile::tempdir().unwrap();
        assert!(cache(dir.path(), 1).code("d", "e", CODE).is_ok());
        let dead = CodeCache { worker: Worker { program: "/nonexistent".into(), arguments: vec![] }, ..cache(dir.path(), 1) };
        assert!(dead.code("d", "e", CODE).is_ok());
    }

    #[test]
    fn what_does_not_validate_is_not_compiled() {
        let dir = tempfile::tempdir().unwrap();
        let wrong = crate::imports::with_a_wrong_body();
        assert!(matches!(cache(dir.path(), 1).code("d", "e", &wrong), Err(CacheError::Invalid(_))));
        assert!(matches!(cache(dir.path(), 1).refill("d", "e", &wrong), Err(CacheError::Invalid(_))));
        assert!(!dir.path().join("d-e.cwasm").exists());
    }

    #[test]
    fn a_flipped_byte_is_forged_wherever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        assert!(cache(dir.path(), 1).code("d", "e", CODE).is_ok());
        let path = dir.path().join("d-e.cwasm");
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, bad).unwrap();
            assert!(matches!(cache(dir.path(), 1).code("d", "e", CODE), Err(CacheError::Forged { .. })), "byte {at}");
        }
    }

    #[test]
    fn truncated_foreign_and_swapped_entries_are_forged() {
        let dir = tempfile::tempdir().unwrap();
        assert!(cache(dir.path(), 1).code("d", "e", CODE).is_ok());
        assert!(matches!(cache(dir.path(), 2).code("d", "e", CODE), Err(CacheError::Forged { .. })), "another host's key");
        std::fs::copy(dir.path().join("d-e.cwasm"), dir.path().join("other-e.cwasm")).unwrap();
        assert!(
            matches!(cache(dir.path(), 1).code("other", "e", CODE), Err(CacheError::Forged { .. })),
            "another plugin's entry"
        );
        std::fs::write(dir.path().join("d-e.cwasm"), [0; 10]).unwrap();
        assert!(matches!(cache(dir.path(), 1).code("d", "e", CODE), Err(CacheError::Forged { .. })), "shorter than a MAC");
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.path().join("d-e.cwasm")).unwrap();
        assert!(matches!(cache(dir.path(), 1).code("d", "e", CODE), Err(CacheError::Io(_))));
    }

    #[test]
    fn entries_are_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        assert!(cache(dir.path(), 1).code("d", "e", CODE).is_ok());
        assert_eq!(std::fs::metadata(dir.path().join("d-e.cwasm")).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
