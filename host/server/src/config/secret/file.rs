//! Secrets in files: one that nobody else may read, unless the operator says who may.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::Path,
};

use rustix::fs::{Mode, OFlags};
use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{MAX_BYTES, SecretFault, text};

/// Who may read a secret's file, besides its owner. Nobody else may ever write it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Readable {
    /// Nobody.
    #[default]
    Owner,
    /// Its group: a Kubernetes volume with `fsGroup`.
    Group,
    /// Everybody in this container: a Kubernetes volume as it is by default.
    Anyone,
}

impl Readable {
    /// The permission bits that may not be there.
    fn forbidden(self) -> u32 {
        match self {
            Self::Owner => 0o077,
            Self::Group => 0o037,
            Self::Anyone => 0o033,
        }
    }
}

/// Read it. Container platforms hand secrets out through links, so a link is followed; what it leads to is what is checked.
pub(super) fn read(path: &Path, readable: Readable) -> Result<SecretString, SecretFault> {
    let fail = |error: io::Error| SecretFault::File { path: path.to_owned(), error };
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
        .map_err(|error| fail(error.into()))?;
    let file = File::from(file);
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    if metadata.mode() & readable.forbidden() != 0 {
        return Err(SecretFault::Open { path: path.to_owned(), mode: metadata.mode() & 0o777 });
    }
    if metadata.uid() != 0 && metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(SecretFault::Owner { path: path.to_owned() });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES + 1));
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(fail)?;
    text(bytes)
}
