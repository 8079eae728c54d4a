//! An access token: what is presented, and what it proves once its signature and its claims hold.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use casemate_policy::{PrincipalId, Timestamp, TokenScope, approval::RoleName};
use serde::Deserialize;
use serde_json::Value;

use crate::{Algorithm, KeySet, Rules, claims, key::MAX_KID};

/// Bytes of a token. What is longer is not looked at: a token is hashed and parsed before anything of it is known.
pub const MAX_TOKEN: usize = 16 * 1024;

/// What a token proves of its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `oidc:sub:…` of a person, `oidc:client:…` of a program that acts for itself.
    pub id: PrincipalId,
    /// The roles that the operator makes of its claims.
    pub roles: BTreeSet<RoleName>,
    /// What it was issued for.
    pub scopes: BTreeSet<TokenScope>,
    /// The moment from which it proves nothing.
    pub expires: Timestamp,
}

/// A token in its form, of which nothing is believed yet. Without `Debug`: it is a secret.
pub struct Presented<'a> {
    algorithm: Algorithm,
    kid: Option<String>,
    /// Header and payload, as they were signed.
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

/// Why a token proves nothing. None of these says anything that is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// Longer than [`MAX_TOKEN`].
    #[error("the token is longer than {MAX_TOKEN} bytes")]
    TooLong,
    /// Not a signed token in the compact form.
    #[error("the token is not a signed JWT in the compact form")]
    Form,
    /// Its header asks for what is not done here: a key of its own, an extension.
    #[error("the token's header asks for what is not accepted")]
    Header,
    /// Not an access token.
    #[error("the token's type is not that of an access token")]
    Type,
    /// Signed by an algorithm that is not accepted: `none` and HMAC never are.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// By a key that the authorization server does not have.
    #[error("the token names a key that the authorization server does not have")]
    UnknownKey,
    /// Its algorithm is not that of its key.
    #[error("the token's algorithm is not that of its key")]
    AlgorithmOfKey,
    /// The signature does not hold.
    #[error("the token's signature does not hold")]
    Signature,
    /// Claims are missing, are stated twice, or have another type.
    #[error("the token's claims cannot be read")]
    Claims,
    /// From another authorization server.
    #[error("the token is from another issuer")]
    Issuer,
    /// For another server, or another environment of this one.
    #[error("the token is for another audience")]
    Audience,
    /// Over.
    #[error("the token has expired")]
    Expired,
    /// Not begun.
    #[error("the token is not good yet")]
    NotYet,
    /// It proves something only with a key that cannot be asked for here (DPoP, mutual TLS).
    #[error("the token is bound to a key that is not asked for here")]
    Bound,
    /// It does not confer what is needed to be let in.
    #[error("the token lacks a scope")]
    Scope,
    /// Its subject cannot be a principal's name.
    #[error("the token's subject cannot be a principal's name")]
    Subject,
}

impl Refused {
    /// A stable word for logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLong => "token-too-long",
            Self::Form => "token-malformed",
            Self::Header => "token-header",
            Self::Type => "token-type",
            Self::Algorithm => "token-algorithm",
            Self::UnknownKey => "token-key-unknown",
            Self::AlgorithmOfKey => "token-algorithm-of-key",
            Self::Signature => "token-signature",
            Self::Claims => "token-claims",
            Self::Issuer => "token-issuer",
            Self::Audience => "token-audience",
            Self::Expired => "token-expired",
            Self::NotYet => "token-not-yet",
            Self::Bound => "token-bound",
            Self::Scope => "token-scope",
            Self::Subject => "token-subject",
        }
    }
}

/// What is read of a header (RFC 7515). A member that is there twice is refused by serde.
#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    // None of these is accepted, whatever its value.
    #[serde(default, deserialize_with = "there")]
    crit: bool,
    #[serde(default, deserialize_with = "there")]
    b64: bool,
    #[serde(default, deserialize_with = "there")]
    jwk: bool,
    #[serde(default, deserialize_with = "there")]
    jku: bool,
    #[serde(default, deserialize_with = "there")]
    x5u: bool,
    #[serde(default, deserialize_with = "there")]
    zip: bool,
}

fn there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Value::deserialize(deserializer).map(|_| true)
}

impl<'a> Presented<'a> {
    /// Read a token's form and header.
    ///
    /// # Errors
    /// [`Refused`], before any key is looked for.
    pub fn read(token: &'a str, rules: &Rules) -> Result<Self, Refused> {
        if token.len() > MAX_TOKEN {
            return Err(Refused::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Form)?;
        let (header, payload) = signed.split_once('.').ok_or(Refused::Form)?;
        // Five parts are an encrypted token (JWE); two an unsigned one.
        if payload.contains('.') {
            return Err(Refused::Form);
        }
        let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| Refused::Form)?;
        let Header { alg, typ, kid, crit, b64, jwk, jku, x5u, zip } = header;
        if crit || b64 || jwk || jku || x5u || zip || kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KID) {
            return Err(Refused::Header);
        }
        if !typ.as_deref().is_some_and(is_access_token) {
            return Err(Refused::Type);
        }
        let algorithm = alg.parse().ok().filter(|algorithm| rules.algorithms.contains(algorithm)).ok_or(Refused::Algorithm)?;
        let signature = decoded(signature)?;
        if signature.is_empty() {
            return Err(Refused::Form);
        }
        Ok(Self { algorithm, kid, signed, payload, signature })
    }

    /// Whether its key is among these. Where it is not, newer keys may have it.
    pub fn is_known_to(&self, keys: &KeySet) -> bool {
        keys.find(self.kid.as_deref()).is_some()
    }

    /// What it proves.
    ///
    /// # Errors
    /// [`Refused`]. Claims are read once the signature holds.
    pub fn verify(self, keys: &KeySet, rules: &Rules, now: Timestamp) -> Result<Caller, Refused> {
        let key = keys.find(self.kid.as_deref()).ok_or(Refused::UnknownKey)?;
        if key.algorithm != self.algorithm {
            return Err(Refused::AlgorithmOfKey);
        }
        if !key.algorithm.verifies(&key.public, self.signed.as_bytes(), &self.signature) {
            return Err(Refused::Signature);
        }
        claims::read(&decoded(self.payload)?, rules, now)
    }
}

/// RFC 9068 has `at+jwt`; many servers still write `JWT`. Media types have no case (RFC 7515 section 4.1.9).
fn is_access_token(typ: &str) -> bool {
    ["at+jwt", "application/at+jwt", "JWT"].iter().any(|known| known.eq_ignore_ascii_case(typ))
}

/// Base64url without padding, and without bits that say nothing: one token has one spelling.
fn decoded(part: &str) -> Result<Vec<u8>, Refused> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Form)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
