//! The claims of a token whose signature holds (RFC 7519, RFC 9068).

use std::collections::BTreeSet;

use casemate_policy::{PrincipalId, Timestamp, TokenScope};
use serde::Deserialize;
use serde_json::{Number, Value};

use crate::{Caller, Refused, Rules};

/// Later than any token ends; what is above is not a date.
const LAST_SECOND: u64 = 253_402_300_799;

/// What is read. A claim that is stated twice is refused by serde; so is one of another type.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: OneOrMany,
    exp: Number,
    nbf: Option<Number>,
    iat: Option<Number>,
    client_id: Option<String>,
    scope: Option<String>,
    /// What some servers write for `scope`: a text, or an array.
    scp: Option<OneOrMany>,
    /// Of a token that is worth something only with a key that its bearer holds (RFC 7800).
    cnf: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn texts(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Many(texts) => texts,
        }
    }
}

/// Who the claims say is calling, if they are for this server, from its issuer, and of this moment.
pub(crate) fn read(payload: &[u8], rules: &Rules, now: Timestamp) -> Result<Caller, Refused> {
    let claims: Claims = serde_json::from_slice(payload).map_err(|_| Refused::Claims)?;
    if claims.iss != rules.issuer {
        return Err(Refused::Issuer);
    }
    if !claims.aud.texts().contains(&rules.resource) {
        return Err(Refused::Audience);
    }
    let expires = in_time(&claims, rules, now)?;
    if claims.cnf.is_some() {
        return Err(Refused::Bound);
    }
    let scopes = scopes(&claims)?;
    if !rules.scopes.is_subset(&scopes) {
        return Err(Refused::Scope);
    }
    let whole: Value = serde_json::from_slice(payload).map_err(|_| Refused::Claims)?;
    let held = rules.roles_claim.as_ref().map(|path| path.texts(&whole)).unwrap_or_default();
    let roles = rules.roles.iter().filter(|(_, of)| !of.is_disjoint(&held)).map(|(role, _)| role.clone()).collect();
    Ok(Caller { id: principal(&claims)?, roles, scopes, expires })
}

/// Whether the token is of this moment; when it ends.
fn in_time(claims: &Claims, rules: &Rules, now: Timestamp) -> Result<Timestamp, Refused> {
    let now = now.since(Timestamp::from_millis(0)) / 1000;
    let expires = seconds(&claims.exp).ok_or(Refused::Claims)?;
    if now >= expires.saturating_add(rules.clock_skew) {
        return Err(Refused::Expired);
    }
    for begin in [&claims.nbf, &claims.iat].into_iter().flatten() {
        if seconds(begin).ok_or(Refused::Claims)? > now.saturating_add(rules.clock_skew) {
            return Err(Refused::NotYet);
        }
    }
    Ok(Timestamp::from_millis(0).plus_millis(expires.saturating_add(rules.clock_skew).saturating_mul(1000)))
}

/// A NumericDate, in whole seconds; it may have a fraction.
fn seconds(date: &Number) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within the bounds just checked")]
    let whole = |date: f64| (date >= 0.0 && date <= LAST_SECOND as f64).then_some(date as u64);
    date.as_u64().or_else(|| date.as_f64().and_then(whole)).filter(|date| *date <= LAST_SECOND)
}

fn scopes(claims: &Claims) -> Result<BTreeSet<TokenScope>, Refused> {
    let texts = match (&claims.scope, &claims.scp) {
        (Some(scope), _) => std::slice::from_ref(scope),
        (None, Some(scp)) => scp.texts(),
        (None, None) => &[],
    };
    let each = texts.iter().flat_map(|text| text.split(' ')).filter(|scope| !scope.is_empty());
    each.map(|scope| scope.parse().map_err(|_| Refused::Claims)).collect()
}

/// A person and a program never have the same id. RFC 9068 section 5 warns of a client whose id is somebody's `sub`: for a token that a
/// client got for itself, both are the same.
fn principal(claims: &Claims) -> Result<PrincipalId, Refused> {
    let kind = if claims.client_id.as_ref() == Some(&claims.sub) { "client" } else { "sub" };
    if claims.sub.is_empty() {
        return Err(Refused::Subject);
    }
    format!("oidc:{kind}:{}", claims.sub).parse().map_err(|_| Refused::Subject)
}
