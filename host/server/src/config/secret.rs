//! Where secrets come from. A value goes from here to the sandbox's transport and nowhere else.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use casemate_signing::manifest::{PluginName, SecretName};
use rustix::fs::{Mode, OFlags};
use secrecy::SecretString;

use super::file;

/// A key is short; anything longer is the wrong file.
const MAX_BYTES: u64 = 64 << 10;
/// Shorter values would be found in, and cut out of, ordinary text.
const MIN_CHARACTERS: usize = 6;

/// One secret's provider.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file that only this user can read.
    File(PathBuf),
}

/// A secret that cannot be had. Never says anything about a value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error(
        "secret `{secret}` of plugin `{plugin}`: the environment variable `{variable}` is not set\nhelp: set it for the casemate process, or name a file: secret.{secret} = {{ file = \"…\" }}"
    )]
    Unset {
        /// Plugin.
        plugin: PluginName,
        /// Secret.
        secret: SecretName,
        /// Variable.
        variable: String,
    },
    /// The file cannot be read.
    #[error(
        "secret `{secret}` of plugin `{plugin}`: `{path}` cannot be read: {error}\nhelp: it is a regular file that belongs to the host's user"
    )]
    File {
        /// Plugin.
        plugin: PluginName,
        /// Secret.
        secret: SecretName,
        /// Path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others can read the file.
    #[error(
        "secret `{secret}` of plugin `{plugin}`: others than its owner may read `{path}` (mode {mode:o})\nhelp: chmod 600 `{path}`"
    )]
    Open {
        /// Plugin.
        plugin: PluginName,
        /// Secret.
        secret: SecretName,
        /// Path.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// Too short to be one.
    #[error(
        "secret `{secret}` of plugin `{plugin}` is shorter than {MIN_CHARACTERS} characters\nhelp: check that the right file or variable is named"
    )]
    Short {
        /// Plugin.
        plugin: PluginName,
        /// Secret.
        secret: SecretName,
    },
}

impl SecretSource {
    /// The provider as typed; a relative file is beside the configuration.
    pub fn new(file: file::Secret, beside: &Path) -> Self {
        match file {
            file::Secret::Env(variable) => Self::Env(variable),
            file::Secret::File(path) => Self::File(beside.join(path)),
        }
    }

    /// Read it.
    ///
    /// # Errors
    /// When it is not there, others can read it, or it is too short to be a secret.
    pub fn read(
        &self,
        plugin: &PluginName,
        secret: &SecretName,
        variables: &dyn Fn(&str) -> Option<String>,
    ) -> Result<SecretString, SecretError> {
        let value = match self {
            Self::Env(variable) => variables(variable).ok_or_else(|| SecretError::Unset {
                plugin: plugin.clone(),
                secret: secret.clone(),
                variable: variable.clone(),
            })?,
            Self::File(path) => read_file(path, plugin, secret)?,
        };
        let value = SecretString::from(value);
        if secrecy::ExposeSecret::expose_secret(&value).chars().count() < MIN_CHARACTERS {
            return Err(SecretError::Short { plugin: plugin.clone(), secret: secret.clone() });
        }
        Ok(value)
    }
}

fn read_file(path: &Path, plugin: &PluginName, secret: &SecretName) -> Result<String, SecretError> {
    let fail =
        |error: io::Error| SecretError::File { plugin: plugin.clone(), secret: secret.clone(), path: path.to_owned(), error };
    // Container platforms hand secrets out through links, so a link is followed; what it leads to is what is checked.
    let file = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
        .map_err(|error| fail(error.into()))?;
    let file = File::from(file);
    let metadata = file.metadata().map_err(fail)?;
    if !metadata.is_file() {
        return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(SecretError::Open {
            plugin: plugin.clone(),
            secret: secret.clone(),
            path: path.to_owned(),
            mode: metadata.mode() & 0o777,
        });
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(fail)?;
    text.truncate(text.trim_end_matches(['\r', '\n']).len());
    Ok(text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use secrecy::ExposeSecret;

    use super::*;

    fn read(source: &SecretSource) -> Result<String, SecretError> {
        let variables = |name: &str| (name == "SET").then(|| "from-the-environment".to_owned());
        source.read(&"vt".parse().unwrap(), &"key".parse().unwrap(), &variables).map(|secret| secret.expose_secret().to_owned())
    }

    fn file(mode: u32, text: &str) -> (tempfile::TempDir, SecretSource) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        (dir, SecretSource::File(path))
    }

    #[test]
    fn a_private_file_is_read_without_its_line_break() {
        let (_dir, source) = file(0o600, "0123456789\n");
        assert_eq!(read(&source).unwrap(), "0123456789");
    }

    #[test]
    fn a_file_others_can_read_is_refused() {
        for mode in [0o644, 0o640, 0o604] {
            let (_dir, source) = file(mode, "0123456789");
            assert!(matches!(read(&source), Err(SecretError::Open { .. })), "{mode:o}");
        }
    }

    #[test]
    fn folders_devices_and_nothing_are_refused() {
        for path in ["/tmp", "/dev/null", "/nonexistent"] {
            assert!(read(&SecretSource::File(path.into())).is_err(), "{path}");
        }
    }

    #[test]
    fn variables() {
        assert_eq!(read(&SecretSource::Env("SET".into())).unwrap(), "from-the-environment");
        assert!(matches!(read(&SecretSource::Env("UNSET".into())), Err(SecretError::Unset { .. })));
    }

    #[test]
    fn an_empty_or_short_secret_is_refused_and_not_shown() {
        let (_dir, source) = file(0o600, "abc\n");
        let error = read(&source).unwrap_err();
        assert!(matches!(error, SecretError::Short { .. }) && !error.to_string().contains("abc"));
    }
}
