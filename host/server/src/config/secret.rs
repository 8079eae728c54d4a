//! Where secrets come from. A value goes from here to the sandbox's transport and nowhere else.

mod command;
mod file;
mod keyring;
mod source;
mod vault;

use std::time::Duration;

use casemate_signing::manifest::{PluginName, SecretName, UpstreamName};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

pub(in crate::config) use source::SecretFile;
pub use source::{Mark, Provider, SecretSource};

/// A key is short; anything longer is the wrong file.
pub(super) const MAX_BYTES: usize = 64 << 10;
/// Shorter values would be found in, and cut out of, ordinary text.
const MIN_CHARACTERS: usize = 6;

/// A secret that cannot be had. Never says anything about a value.
#[derive(Debug, thiserror::Error)]
#[error("secret `{secret}` of {of}{fault}", of = whose(plugin, upstream.as_ref()))]
pub struct SecretError {
    plugin: PluginName,
    upstream: Option<UpstreamName>,
    secret: SecretName,
    /// Why.
    pub fault: Box<SecretFault>,
}

impl SecretError {
    /// What is wrong with a secret of this plugin, or with what one of its upstreams has for its own.
    pub fn new(plugin: &PluginName, upstream: Option<&UpstreamName>, secret: &SecretName, fault: SecretFault) -> Self {
        Self { plugin: plugin.clone(), upstream: upstream.cloned(), secret: secret.clone(), fault: Box::new(fault) }
    }

    /// Which secret.
    pub fn secret(&self) -> &SecretName {
        &self.secret
    }
}

fn whose(plugin: &PluginName, upstream: Option<&UpstreamName>) -> String {
    match upstream {
        Some(upstream) => format!("plugin `{plugin}` for upstream `{upstream}`"),
        None => format!("plugin `{plugin}`"),
    }
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretFault {
    /// The variable is not set.
    #[error(
        ": the environment variable `{0}` is not set\nhelp: set it for the casemate process, or name another provider: {{ file = \"…\" }}"
    )]
    Unset(String),
    /// The file cannot be read.
    #[error(": `{path}` cannot be read: {error}\nhelp: it is a regular file that belongs to the host's user")]
    File {
        /// Path.
        path: std::path::PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Others can read the file.
    #[error(
        ": others than its owner may read `{path}` (mode {mode:o})\nhelp: chmod 600 `{path}`; where a kubelet mounts it, say who may: {{ file = \"…\", readable_by = \"anyone\" }}"
    )]
    Open {
        /// Path.
        path: std::path::PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// Somebody else can change it.
    #[error(": `{path}` belongs to somebody else, who can change it\nhelp: it belongs to the host's user or to root")]
    Owner {
        /// Path.
        path: std::path::PathBuf,
    },
    /// There are no credentials of the service manager's.
    #[error(
        ": $CREDENTIALS_DIRECTORY is not set, so there is no credential `{0}`\nhelp: name it in the unit: LoadCredential={0}:/path"
    )]
    NoCredentials(String),
    /// The program did not do it. What it wrote is not shown.
    #[error(": `{program}` {why}\nhelp: run it by hand; what it writes to standard error is not shown here")]
    Command {
        /// Its path.
        program: String,
        /// What it did.
        why: String,
    },
    /// The keyring does not say it.
    #[error(": the keyring, asked for account `{account}` of service `{service}`, {why}")]
    Keyring {
        /// Of which service.
        service: String,
        /// Which account.
        account: String,
        /// Why.
        why: keyring::KeyringFault,
    },
    /// The vault said no.
    #[error(": {address} {why}\nhelp: {help}")]
    Vault {
        /// Where it is.
        address: String,
        /// What it answered, in our words.
        why: String,
        /// What to do.
        help: &'static str,
    },
    /// The vault said nothing, or that it is not able to.
    #[error(
        ": {address} cannot be asked: {why}\nhelp: check that it is there, is not sealed, and that `allow_private` has its network"
    )]
    Unreachable {
        /// Where it is.
        address: String,
        /// Why.
        why: String,
    },
    /// Too short to be one.
    #[error(" is shorter than {MIN_CHARACTERS} characters\nhelp: check that the right file, variable or field is named")]
    Short,
    /// No text, or too long.
    #[error(" is no text of at most {} KiB\nhelp: check that the right file, variable or field is named", MAX_BYTES >> 10)]
    NoText,
}

impl SecretFault {
    /// Whether the provider could not be asked, so that what it said last may be true still. What says no is believed at once.
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Keyring { why, .. } => why.is_silence(),
            other => matches!(other, Self::Unreachable { .. } | Self::Command { .. }),
        }
    }
}

/// Bytes as a secret: text, without the line break that editors and programs end it with.
fn text(bytes: Zeroizing<Vec<u8>>) -> Result<SecretString, SecretFault> {
    if bytes.len() > MAX_BYTES {
        return Err(SecretFault::NoText);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| SecretFault::NoText)?;
    long_enough(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}

fn long_enough(value: SecretString) -> Result<SecretString, SecretFault> {
    if value.expose_secret().chars().count() < MIN_CHARACTERS { Err(SecretFault::Short) } else { Ok(value) }
}

/// Wait for what is elsewhere, from a thread that may wait. A runtime of its own, so that it can be asked for from anywhere.
fn waited<T: Send>(patience: Duration, asked: impl Future<Output = T> + Send) -> Result<T, String> {
    let wait = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        runtime
            .block_on(async { tokio::time::timeout(patience, asked).await })
            .map_err(|_| format!("no answer within {} ms", patience.as_millis()))
    };
    std::thread::scope(|scope| scope.spawn(wait).join()).unwrap_or_else(|_| Err("it broke off".to_owned()))
}
