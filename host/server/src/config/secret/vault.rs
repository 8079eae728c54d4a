//! Secrets of HashiCorp Vault and OpenBao: one field of one entry of a key-value engine, version 1 or 2.

use std::{collections::BTreeMap, time::Duration};

use casemate_registry::{Authority, Client, FetchError, HostRule, Posted, Settings};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use super::{MAX_BYTES, SecretFault, SecretSource, long_enough, waited};

/// One field of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// `https://vault.example:8200`; http only on this machine.
    pub(super) address: Url,
    /// Networks that it may be in although they are not public.
    pub(super) allow_private: Vec<ipnet::IpNet>,
    /// Root certificates in PEM beside the system's.
    pub(super) ca: Option<std::path::PathBuf>,
    /// Where the engine is mounted.
    pub(super) mount: String,
    /// 1 or 2.
    pub(super) kv: u8,
    /// Which entry.
    pub(super) path: String,
    /// Which field of it.
    pub(super) field: String,
    /// A namespace of Vault Enterprise, HCP or OpenBao.
    pub(super) namespace: Option<String>,
    /// How to log in.
    pub(super) login: Login,
}

/// How the host proves itself to the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// With a token.
    Token(Box<SecretSource>),
    /// As a role, with a secret id.
    AppRole { mount: String, role_id: String, secret_id: Box<SecretSource> },
}

/// Ask it.
pub(super) fn read(vault: &Vault, patience: Duration) -> Result<SecretString, SecretFault> {
    // What the login needs is read before anything is sent.
    let login = match &vault.login {
        Login::Token(source) => source.read()?,
        Login::AppRole { secret_id, .. } => secret_id.read()?,
    };
    let client = client(vault, patience)?;
    waited(patience, ask(vault, &client, login)).map_err(|why| vault.unreachable(why))?
}

async fn ask(vault: &Vault, client: &Client, login: SecretString) -> Result<SecretString, SecretFault> {
    let token = match &vault.login {
        Login::Token(_) => login,
        Login::AppRole { mount, role_id, .. } => {
            let url = vault.url(&format!("auth/{mount}/login"));
            let body = Zeroizing::new(json!({ "role_id": role_id, "secret_id": login.expose_secret() }).to_string());
            let answer = client.post(&url, vault.headers(None)?, body.as_bytes().to_vec(), MAX_BYTES * 2).await;
            let answer = vault.well(answer)?;
            let token = answer.pointer("/auth/client_token").and_then(Value::as_str);
            SecretString::from(
                token.ok_or_else(|| vault.refused("logged in and gave no token", "check the role's token settings"))?,
            )
        }
    };
    let middle = if vault.kv == 2 { "/data" } else { "" };
    let url = vault.url(&format!("{}{middle}/{}", vault.mount, vault.path));
    let answer = vault.well(client.get(&url, vault.headers(Some(&token))?, MAX_BYTES * 2).await)?;
    let entry = if vault.kv == 2 { answer.pointer("/data/data") } else { answer.get("data") };
    let Some(value) = entry.and_then(|entry| entry.get(&vault.field)) else {
        return Err(vault
            .refused(&format!("has no field `{}` in `{}`", vault.field, vault.path), "check `path`, `field` and `kv` (1 or 2)"));
    };
    match value {
        Value::String(text) => long_enough(SecretString::from(text.as_str())),
        _ => Err(vault.refused(&format!("has something else than a text in `{}`", vault.field), "write the value as a string")),
    }
}

impl Vault {
    fn url(&self, rest: &str) -> Url {
        let mut url = self.address.clone();
        // Path characters that mean something are escaped by the URL itself.
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/v1/{rest}"));
        url
    }

    fn headers(&self, token: Option<&SecretString>) -> Result<HeaderMap, SecretFault> {
        let mut headers = HeaderMap::new();
        // Agents refuse requests without it, where they are told to.
        headers.insert(HeaderName::from_static("x-vault-request"), HeaderValue::from_static("true"));
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let field = |text: &str| {
            HeaderValue::from_str(text)
                .map_err(|_| self.refused("would be sent a header that HTTP cannot carry", "check `namespace` and the token"))
        };
        if let Some(namespace) = &self.namespace {
            headers.insert(HeaderName::from_static("x-vault-namespace"), field(namespace)?);
        }
        if let Some(token) = token {
            let mut value = field(token.expose_secret())?;
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static("x-vault-token"), value);
        }
        Ok(headers)
    }

    /// The JSON of an answer that says yes. Nothing else of an answer is quoted.
    fn well(&self, answer: Result<Posted, FetchError>) -> Result<Value, SecretFault> {
        let answer = answer.map_err(|error| self.unreachable(error.to_string().lines().next().unwrap_or_default().to_owned()))?;
        let body = Zeroizing::new(answer.body);
        match answer.status.as_u16() {
            200 => serde_json::from_slice(&body)
                .map_err(|_| self.refused("answered with something else than JSON", "check `address`")),
            status @ (400 | 401 | 403) => Err(self.refused(
                &format!("answered with status {status}"),
                "check the token, its policy for this path, and the namespace",
            )),
            404 => Err(self.refused("has no such entry", "check `mount`, `path` and `kv` (1 or 2)")),
            status => Err(self.unreachable(format!("status {status}"))),
        }
    }

    fn refused(&self, why: &str, help: &'static str) -> SecretFault {
        SecretFault::Vault { address: self.shown(), why: why.to_owned(), help }
    }

    fn unreachable(&self, why: String) -> SecretFault {
        SecretFault::Unreachable { address: self.shown(), why }
    }

    pub(super) fn shown(&self) -> String {
        self.address.origin().ascii_serialization()
    }
}

fn client(vault: &Vault, patience: Duration) -> Result<Client, SecretFault> {
    let host = Authority::of(&vault.address).ok_or_else(|| vault.unreachable("its address is no host".to_owned()))?;
    let roots = match &vault.ca {
        Some(path) => vec![std::fs::read(path).map_err(|error| SecretFault::File { path: path.clone(), error })?],
        None => vec![],
    };
    let hosts = BTreeMap::from([(host, HostRule { allow_private: vault.allow_private.clone(), ..HostRule::default() })]);
    Client::new(Settings { hosts, roots, deadline: patience, stall: patience, ..Settings::default() })
        .map_err(|error| vault.unreachable(error.to_string()))
}
