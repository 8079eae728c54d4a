//! HashiCorp Vault and OpenBao, as far as reading a key-value engine goes: KV version 1 and 2, namespaces, AppRole, sealed.
//!
//! After the HTTP API pages "KV secrets engine" (versions 1 and 2) and "AppRole auth method", and "Error responses".

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::{Reply, Upstream};

/// The token of an AppRole login that went well.
const ROLE_TOKEN: &str = "hvs.role-token-of-the-fake";

/// The vault.
#[derive(Debug, Default)]
pub struct Vault(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    sealed: bool,
    token: String,
    secret_id: String,
    /// By API path without `/v1/`, namespace first where there is one.
    entries: BTreeMap<String, Value>,
}

/// What a test can have done to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Order {
    /// Nobody can read anything.
    Seal(bool),
    /// The one token that is taken.
    Token(String),
    /// The one secret id of the role `casemate`.
    SecretId(String),
    /// Put an entry at its API path: `secret/data/x` in version 2.
    Put { path: String, data: Value },
    /// Take one away.
    Delete(String),
}

impl Upstream for Vault {
    fn name(&self) -> &'static str {
        "vault"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let errors = |status, errors: &[&str]| Response::json(status, &json!({ "errors": errors }));
        if state.sealed {
            return errors(503, &["Vault is sealed"]).into();
        }
        let Some(path) = request.path().strip_prefix("/v1/") else { return errors(404, &[]).into() };
        if path == "auth/approle/login" {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let is = |name: &str, value: &str| body.get(name).is_some_and(|known| known == value);
            let known = is("role_id", "casemate") && is("secret_id", &state.secret_id);
            return match known {
                true => Response::json(
                    200,
                    &json!({ "auth": { "client_token": ROLE_TOKEN, "lease_duration": 1200, "renewable": true } }),
                ),
                false => errors(400, &["invalid role or secret ID"]),
            }
            .into();
        }
        let token = request.header("x-vault-token").unwrap_or_default();
        if token.is_empty() || (token != state.token && token != ROLE_TOKEN) {
            return errors(403, &["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]).into();
        }
        let path = match request.header("x-vault-namespace") {
            Some(namespace) => format!("{}/{path}", namespace.trim_matches('/')),
            None => path.to_owned(),
        };
        match state.entries.get(&path) {
            // Version 2 wraps the entry once more, with what is known of it.
            Some(data) if path.contains("/data/") => {
                let metadata = json!({ "created_time": "2026-01-01T00:00:00Z", "version": 1, "destroyed": false });
                Response::json(200, &json!({ "lease_duration": 0, "data": { "data": data, "metadata": metadata } }))
            }
            Some(data) => Response::json(200, &json!({ "lease_duration": 2_764_800, "data": data })),
            None => errors(404, &[]),
        }
        .into()
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        let order: Order = serde_json::from_slice(order).map_err(|error| error.to_string())?;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match order {
            Order::Seal(sealed) => state.sealed = sealed,
            Order::Token(token) => state.token = token,
            Order::SecretId(id) => state.secret_id = id,
            Order::Put { path, data } => drop(state.entries.insert(path, data)),
            Order::Delete(path) => drop(state.entries.remove(&path)),
        }
        Ok(())
    }

    fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }
}
