//! One secret's provider as the operator names it, and how long what it said holds.

use std::{
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use casemate_policy::Window;
use secrecy::SecretString;
use serde::Deserialize;
use toml::Spanned;
use url::Url;

use super::{
    SecretFault, command, file,
    file::Readable,
    keyring, long_enough,
    vault::{self, Login, Vault},
};
use crate::config::Resolver;

/// How long a program or a vault may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last known value is sent while a program or a vault does not answer.
const STALE: Duration = Duration::from_secs(15 * 60);
/// How often a program or a vault is asked anew.
const REFRESH: Duration = Duration::from_secs(5 * 60);
/// `secret.NAME = { … }`: exactly one provider.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretFile {
    /// An environment variable of the host.
    env: Option<String>,
    /// A file that only the host's user can read. A line break at its end is not part of the secret.
    file: Option<PathBuf>,
    /// Who else may read it: `group` or `anyone`.
    readable_by: Option<Readable>,
    /// A program and its arguments. It is run without a shell.
    command: Option<Vec<String>>,
    /// An entry of the desktop's keyring.
    keyring: Option<KeyringFile>,
    /// HashiCorp Vault or OpenBao.
    vault: Option<Box<VaultFile>>,
    /// A credential of the service manager's: `$CREDENTIALS_DIRECTORY/NAME`.
    credential: Option<String>,
    /// How often it is asked for anew, such as `5m`.
    refresh: Option<Spanned<String>>,
    /// How long the last known value is sent while a program or a vault does not answer; default: `15m`.
    stale: Option<Spanned<String>>,
    /// How long a program or a vault may take; default: `5s`.
    timeout: Option<Spanned<String>>,
}

/// `keyring = { service = "…", account = "…" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyringFile {
    service: String,
    account: String,
}

/// `vault = { … }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VaultFile {
    address: Spanned<String>,
    #[serde(default)]
    allow_private: Vec<Spanned<String>>,
    ca: Option<PathBuf>,
    #[serde(default = "secret")]
    mount: String,
    #[serde(default = "two")]
    kv: u8,
    path: String,
    field: String,
    namespace: Option<String>,
    token: Option<Box<SecretFile>>,
    approle: Option<AppRoleFile>,
}

/// `approle = { role_id = "…", secret_id = { file = "…" } }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AppRoleFile {
    #[serde(default = "approle")]
    mount: String,
    role_id: String,
    secret_id: Box<SecretFile>,
}

fn secret() -> String {
    "secret".to_owned()
}

fn approle() -> String {
    "approle".to_owned()
}

fn two() -> u8 {
    2
}

/// One secret's provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// An environment variable.
    Env(String),
    /// A file, and who may read it.
    File(PathBuf, Readable),
    /// A program: absolute path and arguments.
    Command(Vec<String>),
    /// An entry of the desktop's keyring.
    Keyring(keyring::Entry),
    /// A vault.
    Vault(Box<Vault>),
    /// A credential of the service manager's.
    Credential(String),
}

/// A provider, and how long what it says holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSource {
    /// Where it comes from.
    pub provider: Provider,
    /// How often it is asked for anew; what is in a file is noticed besides.
    pub refresh: Option<Duration>,
    /// How long the last known value is sent while the provider is silent.
    pub stale: Duration,
    timeout: Duration,
}

/// What tells whether a file is still the one that was read: of what its links lead to.
pub type Mark = Option<(u64, u64, i64, i64, u64)>;

impl SecretSource {
    /// Read it.
    ///
    /// # Errors
    /// When it is not there, others can read it, or it is too short to be a secret.
    pub fn read(&self) -> Result<SecretString, SecretFault> {
        match &self.provider {
            Provider::Env(variable) => {
                let value = std::env::var(variable).map_err(|_| SecretFault::Unset(variable.clone()))?;
                long_enough(SecretString::from(value))
            }
            Provider::File(path, readable) => file::read(path, *readable),
            Provider::Command(argv) => command::read(argv, self.timeout),
            Provider::Keyring(entry) => keyring::read(entry, self.timeout),
            Provider::Vault(vault) => vault::read(vault, self.timeout),
            // The service manager makes the folder for this unit alone.
            Provider::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| SecretFault::NoCredentials(name.clone()))?;
                file::read(&Path::new(&folder).join(name), Readable::Group)
            }
        }
    }

    /// Whether it comes from something that answers when it likes: a program, a keyring, a vault.
    pub fn is_waited_for(&self) -> bool {
        matches!(self.provider, Provider::Command(_) | Provider::Keyring(_) | Provider::Vault(_))
    }

    /// The file it is in, if it is in one.
    fn path(&self) -> Option<PathBuf> {
        match &self.provider {
            Provider::File(path, _) => Some(path.clone()),
            Provider::Credential(name) => std::env::var_os("CREDENTIALS_DIRECTORY").map(|folder| Path::new(&folder).join(name)),
            _ => None,
        }
    }

    /// What a look at its file tells without reading it.
    pub fn mark(&self) -> Mark {
        let metadata = std::fs::metadata(self.path()?).ok()?;
        Some((metadata.dev(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.size()))
    }

    /// When its file was written, where it is in one.
    pub fn changed(&self) -> Option<std::time::SystemTime> {
        std::fs::metadata(self.path()?).ok()?.modified().ok()
    }

    /// The environment variables that it needs.
    pub fn variables(&self) -> Vec<String> {
        match &self.provider {
            Provider::Env(name) => vec![name.clone()],
            Provider::Vault(vault) => match &vault.login {
                Login::Token(source) => source.variables(),
                Login::AppRole { secret_id, .. } => secret_id.variables(),
            },
            _ => vec![],
        }
    }

    /// The provider in words, for people: where, and nothing of what.
    pub fn shown(&self) -> String {
        match &self.provider {
            Provider::Env(variable) => format!("environment variable {variable}"),
            Provider::File(path, _) => format!("file {}", path.display()),
            Provider::Command(argv) => format!("command {}", argv.first().map_or("", String::as_str)),
            Provider::Keyring(entry) => format!("keyring, account {} of service {}", entry.account, entry.service),
            Provider::Vault(vault) => format!("vault {}, {} of {}/{}", vault.shown(), vault.field, vault.mount, vault.path),
            Provider::Credential(name) => format!("credential {name} of the service manager"),
        }
    }
}

impl Resolver<'_> {
    /// Secrets by name, each from exactly one provider.
    pub(in crate::config) fn secrets<N: std::str::FromStr<Err: std::fmt::Display> + Ord>(
        &mut self,
        files: std::collections::BTreeMap<Spanned<String>, Spanned<SecretFile>>,
    ) -> std::collections::BTreeMap<N, SecretSource> {
        let mut secrets = std::collections::BTreeMap::new();
        for (name, file) in files {
            let at = self.place(file.span()).to_string();
            if let (Some(name), Some(source)) = (self.form(&name), self.secret(file.into_inner(), &at)) {
                secrets.insert(name, source);
            }
        }
        secrets
    }

    pub(in crate::config) fn secret(&mut self, file: SecretFile, at: &str) -> Option<SecretSource> {
        let faults = self.faults.len();
        let mut fault = |said: &str| self.faults.push(format!("{at}: {said}"));
        let beside = self.path.parent().unwrap_or(Path::new("")).to_owned();
        let named = [
            file.env.is_some(),
            file.file.is_some(),
            file.command.is_some(),
            file.keyring.is_some(),
            file.vault.is_some(),
            file.credential.is_some(),
        ];
        if named.iter().filter(|named| **named).count() != 1 {
            fault(
                "a secret has one provider\nhelp: one of env, file, command, keyring, vault, credential: { file = \"/run/secrets/key\" }",
            );
            return None;
        }
        if file.readable_by.is_some() && file.file.is_none() {
            fault("`readable_by` is about a file\nhelp: remove it");
        }
        let remote = file.command.is_some() || file.keyring.is_some() || file.vault.is_some();
        if (file.stale.is_some() || file.timeout.is_some()) && !remote {
            fault(
                "`stale` and `timeout` are about a command, a keyring or a vault\nhelp: remove them: anything else is read at once, or not there",
            );
        }
        if file.command.as_ref().is_some_and(|argv| !argv.first().is_some_and(|program| Path::new(program).is_absolute())) {
            fault(
                "a command begins with the absolute path of its program\nhelp: command = [\"/usr/bin/pass\", \"show\", \"casemate/key\"]; no shell reads it",
            );
        }
        if file.credential.as_ref().is_some_and(|name| name.is_empty() || name.contains('/') || name.starts_with('.')) {
            fault("a credential is a name without `/`\nhelp: the one in the unit's LoadCredential=");
        }
        let length = |this: &mut Self, text: Option<Spanned<String>>| {
            text.and_then(|text| this.form::<Window>(&text)).map(|window| Duration::from_millis(window.as_millis()))
        };
        let refresh = length(self, file.refresh).or(remote.then_some(REFRESH));
        let stale = length(self, file.stale).unwrap_or(STALE);
        let timeout = length(self, file.timeout).unwrap_or(PATIENCE);
        let provider = if let Some(variable) = file.env {
            Provider::Env(variable)
        } else if let Some(path) = file.file {
            Provider::File(beside.join(path), file.readable_by.unwrap_or_default())
        } else if let Some(argv) = file.command {
            Provider::Command(argv)
        } else if let Some(keyring) = file.keyring {
            Provider::Keyring(self.keyring(keyring, at)?)
        } else if let Some(vault) = file.vault {
            Provider::Vault(Box::new(self.vault(*vault, at, &beside)?))
        } else {
            Provider::Credential(file.credential?)
        };
        (self.faults.len() == faults).then_some(SecretSource { provider, refresh, stale, timeout })
    }

    fn keyring(&mut self, file: KeyringFile, at: &str) -> Option<keyring::Entry> {
        let KeyringFile { service, account } = file;
        if service.is_empty() || account.is_empty() {
            self.faults.push(format!(
                "{at}: a keyring's entry has a service and an account\nhelp: keyring = {{ service = \"casemate\", account = \"lookups\" }}"
            ));
            return None;
        }
        Some(keyring::Entry { service, account })
    }

    fn vault(&mut self, file: VaultFile, at: &str, beside: &Path) -> Option<Vault> {
        let address = Url::parse(file.address.get_ref()).ok().filter(|url| {
            let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
            matches!(url.scheme(), "https" | "http") && url.has_host() && bare
        });
        let Some(address) = address else {
            self.faults.push(format!(
                "{}: the address of a vault is a URL\nhelp: https://vault.example:8200; http only on this machine",
                self.place(file.address.span())
            ));
            return None;
        };
        let plain = |text: &str| !text.is_empty() && text.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !matches!(file.kv, 1 | 2) || !plain(&file.mount) || !plain(&file.path) || file.field.is_empty() {
            self.faults.push(format!(
                "{at}: a vault's entry has `mount`, `path` and `field`, and `kv` is 1 or 2\nhelp: vault = {{ address = \"…\", mount = \"secret\", path = \"casemate/key\", field = \"key\", token = {{ file = \"…\" }} }}"
            ));
            return None;
        }
        let login = match (file.token, file.approle) {
            (Some(token), None) => Login::Token(Box::new(self.login(*token, at)?)),
            (None, Some(role)) => {
                Login::AppRole { mount: role.mount, role_id: role.role_id, secret_id: Box::new(self.login(*role.secret_id, at)?) }
            }
            _ => {
                self.faults.push(format!("{at}: a vault is logged in to in one way\nhelp: give either `token` or `approle`"));
                return None;
            }
        };
        Some(Vault {
            address,
            allow_private: self.networks(&file.allow_private),
            ca: file.ca.map(|ca| beside.join(ca)),
            mount: file.mount,
            kv: file.kv,
            path: file.path,
            field: file.field,
            namespace: file.namespace,
            login,
        })
    }

    /// What a login needs comes from this machine: a vault's token is in no vault.
    fn login(&mut self, file: SecretFile, at: &str) -> Option<SecretSource> {
        if file.vault.is_some() {
            self.faults.push(format!("{at}: what logs in to a vault is in no vault\nhelp: file, env, credential or command"));
            return None;
        }
        self.secret(file, at)
    }
}
