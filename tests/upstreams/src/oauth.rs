//! An authorization server (RFC 8414, RFC 7517) that signs whatever it is asked to, as a careless one would, and an attacker's would.
//!
//! | request | does |
//! |---|---|
//! | `GET /.well-known/oauth-authorization-server` | its metadata |
//! | `GET /jwks` | its key |
//! | `POST /token` | `{"access_token":"…"}`: `header` and `claims` of the body over a good token's, null takes one away; `sign` is `well`, `previous` (with the key before), `not` (no signature), `hmac` (HS256 by the public key) |
//!
//! Orders: `{"rotate":"KID"}` for a new key of that name, `{"swap":true}` for another key of the same name, `{"issuer":"…"}` for
//! metadata that names another.

use std::{
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use serde_json::{Map, Value, json};

use crate::{
    Reply, Upstream,
    http::{Request, Response},
};

/// Seconds that a token is good for.
const LASTS: u64 = 300;

/// The authorization server.
pub struct OAuth(Mutex<State>);

struct State {
    kid: String,
    key: Option<Ed25519KeyPair>,
    previous: Option<Ed25519KeyPair>,
    issuer: Option<String>,
}

impl OAuth {
    /// One with a key `one`.
    #[must_use]
    pub fn new() -> Self {
        Self(Mutex::new(State { kid: "one".to_owned(), key: generate(), previous: None, issuer: None }))
    }
}

impl Default for OAuth {
    fn default() -> Self {
        Self::new()
    }
}

fn generate() -> Option<Ed25519KeyPair> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).ok()?;
    Ed25519KeyPair::from_pkcs8(document.as_ref()).ok()
}

impl Upstream for OAuth {
    fn name(&self) -> &'static str {
        "oauth"
    }

    fn answer(&self, request: &Request, origin: &str) -> Reply {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let response = match (request.method.as_str(), request.path()) {
            ("GET", "/.well-known/oauth-authorization-server") => {
                let issuer = state.issuer.as_deref().unwrap_or(origin);
                let endpoints = json!({ "issuer": issuer, "jwks_uri": format!("{origin}/jwks"), "token_endpoint": format!("{origin}/token") });
                Response::json(200, &endpoints)
            }
            ("GET", "/jwks") => Response::json(200, &json!({ "keys": state.jwk().into_iter().collect::<Vec<_>>() })),
            ("POST", "/token") => {
                match serde_json::from_slice(&request.body).ok().and_then(|order| state.token(&order, origin)) {
                    Some(token) => Response::json(200, &json!({ "access_token": token, "token_type": "Bearer" })),
                    None => Response::json(400, &json!({ "error": "invalid_request" })),
                }
            }
            _ => Response::json(404, &json!({ "error": "not_found" })),
        };
        response.into()
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        let order: Value = serde_json::from_slice(order).map_err(|error| error.to_string())?;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let other_key = |state: &mut State| {
            let key = generate();
            state.previous = std::mem::replace(&mut state.key, key);
        };
        if let Some(kid) = order.get("rotate").and_then(Value::as_str) {
            kid.clone_into(&mut state.kid);
            other_key(&mut state);
        } else if order.get("swap").is_some() {
            other_key(&mut state);
        } else if let Some(issuer) = order.get("issuer") {
            state.issuer = issuer.as_str().map(str::to_owned);
        } else {
            return Err("the orders are `rotate`, `swap` and `issuer`".to_owned());
        }
        Ok(())
    }
}

impl State {
    fn jwk(&self) -> Option<Value> {
        let x = BASE64.encode(self.key.as_ref()?.public_key());
        Some(json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": x }))
    }

    fn token(&self, order: &Value, origin: &str) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.kid });
        let claims = json!({
            "iss": origin, "sub": "alice", "client_id": "console", "iat": now, "nbf": now, "exp": now + LASTS, "scope": "casemate",
        });
        let part = |good: Value, name: &str| Some(BASE64.encode(over(good, order.get(name))?.to_string()));
        let signed = format!("{}.{}", part(header, "header")?, part(claims, "claims")?);
        let public = self.key.as_ref()?.public_key().as_ref();
        let signature = match order.get("sign").and_then(Value::as_str) {
            None | Some("well") => self.key.as_ref()?.sign(signed.as_bytes()).as_ref().to_vec(),
            Some("previous") => self.previous.as_ref()?.sign(signed.as_bytes()).as_ref().to_vec(),
            Some("hmac") => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public), signed.as_bytes()).as_ref().to_vec(),
            Some("not") => Vec::new(),
            Some(_) => return None,
        };
        Some(format!("{signed}.{}", BASE64.encode(signature)))
    }
}

/// `good` with `changes` over it. A number that is written `+N` or `-N` is so many seconds from now.
fn over(good: Value, changes: Option<&Value>) -> Option<Value> {
    let mut all: Map<String, Value> = good.as_object()?.clone();
    for (name, value) in changes.and_then(Value::as_object).into_iter().flatten() {
        match value {
            Value::Null => drop(all.remove(name)),
            Value::String(text) if ["exp", "nbf", "iat"].contains(&name.as_str()) => {
                let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
                all.insert(name.clone(), json!(now + text.parse::<i64>().ok()?));
            }
            value => drop(all.insert(name.clone(), value.clone())),
        }
    }
    Some(Value::Object(all))
}
