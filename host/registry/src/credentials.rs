//! What the operator's Docker configuration says about logging in; secrets in it are never shown.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_signing::strict_json;
use secrecy::SecretString;
use serde::Deserialize;

use crate::authority::Authority;

/// A configuration that cannot be read. What stands in it is not shown: it is secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Not JSON, or of another shape.
    #[error("{} is not a Docker configuration\nhelp: it is JSON with `auths`, as `docker login` writes it", .0.display())]
    Shape(PathBuf),
    /// Not base64 of `user:password`.
    #[error("{} has an `auth` for `{host}` that is not base64 of `user:password`\nhelp: log in again", .path.display())]
    Auth {
        /// The file.
        path: PathBuf,
        /// Whose.
        host: Authority,
    },
    /// Two entries that mean one host.
    #[error("{} has more than one entry for `{host}`\nhelp: keep one of them", .path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// Whose.
        host: Authority,
    },
}

impl CredentialsError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Shape(_) => "credentials-invalid",
            Self::Auth { .. } => "credentials-auth",
            Self::Twice { .. } => "credentials-twice",
        }
    }
}

/// Credentials by host. `Debug` shows the hosts only.
#[derive(Clone, Default)]
pub struct Credentials {
    path: PathBuf,
    hosts: BTreeMap<Authority, Credential>,
    helpers: BTreeMap<Authority, String>,
    store: Option<String>,
}

/// How to log in at one host. Without `Debug`, on purpose.
#[derive(Clone)]
pub(crate) enum Credential {
    Basic {
        username: String,
        password: SecretString,
    },
    /// Exchanged at the token realm for a short-lived token.
    Identity(SecretString),
}

/// What there is for a host.
pub(crate) enum Found<'a> {
    Credential(&'a Credential),
    /// A program that would have to be run.
    Helper(&'a str),
    Nothing,
}

/// The part of Docker's configuration that is about logging in; there is much more in it.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    auth: Option<String>,
    #[serde(rename = "identitytoken")]
    identity: Option<String>,
}

impl Credentials {
    /// Read Docker's `config.json`. `path` is where it was read from, for errors.
    ///
    /// An entry for a part of a registry (`ghcr.io/acme`) is left out: it must not be sent for the rest.
    pub fn from_docker_config(bytes: &[u8], path: &Path) -> Result<Self, CredentialsError> {
        let shape = || CredentialsError::Shape(path.to_owned());
        let value = strict_json::parse(bytes).map_err(|_| shape())?;
        let file: File = serde_json::from_value(value).map_err(|_| shape())?;
        let mut hosts = BTreeMap::new();
        for (key, entry) in file.auths {
            let Some(host) = host_of(&key) else { continue };
            let Some(credential) =
                entry.credential().map_err(|()| CredentialsError::Auth { path: path.to_owned(), host: host.clone() })?
            else {
                continue;
            };
            if hosts.insert(host.clone(), credential).is_some() {
                return Err(CredentialsError::Twice { path: path.to_owned(), host });
            }
        }
        let helpers = file.helpers.into_iter().filter_map(|(key, helper)| Some((host_of(&key)?, helper))).collect();
        let store = file.store.filter(|store| !store.is_empty());
        Ok(Self { path: path.to_owned(), hosts, helpers, store })
    }

    pub(crate) fn find(&self, host: &Authority) -> Found<'_> {
        // Docker asks the helper of a host before the file.
        if let Some(helper) = self.helpers.get(host) {
            return Found::Helper(helper);
        }
        match (self.hosts.get(host), &self.store) {
            (Some(credential), _) => Found::Credential(credential),
            (None, Some(store)) => Found::Helper(store),
            (None, None) => Found::Nothing,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Entry {
    fn credential(self) -> Result<Option<Credential>, ()> {
        if let Some(token) = self.identity.filter(|token| !token.is_empty()) {
            return Ok(Some(Credential::Identity(token.into())));
        }
        let Some(auth) = self.auth.filter(|auth| !auth.is_empty()) else { return Ok(None) };
        let pair = STANDARD.decode(auth.trim()).map_err(|_| ())?;
        let pair = String::from_utf8(pair).map_err(|_| ())?;
        let (username, password) = pair.split_once(':').ok_or(())?;
        Ok(Some(Credential::Basic { username: username.to_owned(), password: password.into() }))
    }
}

/// Docker writes `ghcr.io`, `https://ghcr.io` and `https://index.docker.io/v1/`.
fn host_of(key: &str) -> Option<Authority> {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    matches!(path, "" | "v1/" | "v2/" | "v1" | "v2").then(|| host.parse().ok()).flatten()
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("hosts", &self.hosts.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn read(text: &str) -> Result<Credentials, CredentialsError> {
        Credentials::from_docker_config(text.as_bytes(), Path::new("config.json"))
    }

    /// `dXNlcjpwYXNzOndvcmQ=` is `user:pass:word`.
    const FILE: &str = r#"{
        "auths": {
            "https://ghcr.io/v1/": { "auth": "dXNlcjpwYXNzOndvcmQ=", "email": "x" },
            "azure.example:5000": { "auth": "MDAwMDow", "identitytoken": "s3cr3t-identity" },
            "ghcr.io/acme": { "auth": "b3RoZXI6b3RoZXI=" },
            "empty.example": {}
        },
        "HttpHeaders": { "User-Agent": "x" }
    }"#;

    #[test]
    fn a_credential_is_found_for_its_own_host_only() {
        let credentials = read(FILE).unwrap();
        let Found::Credential(Credential::Basic { username, password }) = credentials.find(&"ghcr.io".parse().unwrap()) else {
            panic!("none for ghcr.io")
        };
        assert_eq!((username.as_str(), password.expose_secret()), ("user", "pass:word"));
        assert!(matches!(
            credentials.find(&"azure.example:5000".parse().unwrap()),
            Found::Credential(Credential::Identity(token)) if token.expose_secret() == "s3cr3t-identity"
        ));
        for host in ["azure.example", "sub.ghcr.io", "ghcr.io:5000", "empty.example", "localhost"] {
            assert!(matches!(credentials.find(&host.parse().unwrap()), Found::Nothing), "{host}");
        }
    }

    #[test]
    fn a_helper_is_named_and_not_run() {
        let credentials =
            read(r#"{"auths":{"a.example":{}},"credsStore":"desktop","credHelpers":{"b.example":"ecr-login"}}"#).unwrap();
        assert!(matches!(credentials.find(&"a.example".parse().unwrap()), Found::Helper("desktop")));
        assert!(matches!(credentials.find(&"b.example".parse().unwrap()), Found::Helper("ecr-login")));
    }

    #[test]
    fn each_refusal_has_its_own_error_and_shows_no_secret() {
        for (text, code) in [
            ("s3cr3t", "credentials-invalid"),
            (r#"{"auths":"s3cr3t"}"#, "credentials-invalid"),
            (r#"{"auths":{"a.example":{"auth":["s3cr3t"]}}}"#, "credentials-invalid"),
            (r#"{"auths":{},"auths":{}}"#, "credentials-invalid"),
            (r#"{"auths":{"a.example":{"auth":"s3cr3t!"}}}"#, "credentials-auth"),
            (r#"{"auths":{"a.example":{"auth":"czNjcjN0"}}}"#, "credentials-auth"),
            (r#"{"auths":{"a.example":{"auth":"YTpi"},"https://a.example":{"auth":"YTpj"}}}"#, "credentials-twice"),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.code(), code, "{text}");
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn debug_shows_hosts_only() {
        let shown = format!("{:?}", read(FILE).unwrap());
        assert!(shown.contains("ghcr.io"), "{shown}");
        for secret in ["pass", "word", "s3cr3t", "dXNlcjp"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
