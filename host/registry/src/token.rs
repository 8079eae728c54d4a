//! Logging in: what a registry asks for, and the token that its realm hands out.
//!
//! See <https://distribution.github.io/distribution/spec/auth/token/> and `…/oauth/`.

use std::path::PathBuf;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Url, form_urlencoded};

use crate::{
    authority::Authority,
    client::{Ask, Client},
    credentials::Credential,
    request::{RequestError, shown},
    session::is_bare,
};

/// Tokens with many claims have a few KiB.
const MAX_TOKEN: usize = 16 * 1024;
const MAX_ANSWER: usize = 64 * 1024;
/// A service is a host's name, and is sent to the realm.
const MAX_SERVICE: usize = 256;
const WHAT: &str = "a token";

/// Why nobody is logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Anonymous is not enough.
    #[error("`{host}` wants to know who asks\nhelp: docker login {host}, or hand in a configuration that has its credential")]
    NoCredential {
        /// Which host.
        host: Authority,
    },
    /// The credential is in a program that is not run.
    #[error(
        "`{host}` wants to know who asks, and {} leaves its credential to the helper `{helper}`, which is not run here\nhelp: write `auths` for `{host}` into a configuration of its own, and name its folder in DOCKER_CONFIG", .path.display()
    )]
    Helper {
        /// Which host.
        host: Authority,
        /// Which helper.
        helper: String,
        /// The Docker configuration.
        path: PathBuf,
    },
    /// The credential there is does not do.
    #[error("`{host}` does not accept the credential\nhelp: docker login {host} renews it")]
    Rejected {
        /// Which host.
        host: Authority,
    },
    /// 401 without a way to log in.
    #[error("`{host}` asks for a login that is not known here\nhelp: `Basic` and `Bearer` are; an identity token needs `Bearer`")]
    Challenge {
        /// Which host.
        host: Authority,
    },
    /// Not a URL, or one with a credential.
    #[error("`{host}` names a token realm that is no usable URL")]
    RealmInvalid {
        /// Which host.
        host: Authority,
    },
    /// Not HTTPS.
    #[error("`{host}` names a token realm at `{scheme}://{realm}`, which is not HTTPS; nothing was sent there")]
    RealmInsecure {
        /// Which host.
        host: Authority,
        /// Where the realm is.
        realm: String,
        /// How.
        scheme: String,
    },
    /// A host that nobody listed.
    #[error(
        "`{host}` names a token realm at `{realm}`, to which nothing was sent\nhelp: if `{realm}` really hands out its tokens, list it in `realms` of `{host}` in the configuration; it will get the credential"
    )]
    RealmHost {
        /// Which host.
        host: Authority,
        /// Where the realm is.
        realm: Authority,
    },
    /// The realm says no.
    #[error("the token realm of `{host}` refuses a token\nhelp: docker login {host} renews the credential")]
    TokenRefused {
        /// Which host.
        host: Authority,
    },
    /// An answer without a usable token.
    #[error("the token realm of `{host}` answered without a token")]
    TokenInvalid {
        /// Which host.
        host: Authority,
    },
}

impl AuthError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCredential { .. } => "login-needed",
            Self::Helper { .. } => "credential-helper",
            Self::Rejected { .. } => "credential-rejected",
            Self::Challenge { .. } => "challenge-unknown",
            Self::RealmInvalid { .. } => "realm-invalid",
            Self::RealmInsecure { .. } => "realm-insecure",
            Self::RealmHost { .. } => "realm-host",
            Self::TokenRefused { .. } => "token-refused",
            Self::TokenInvalid { .. } => "token-invalid",
        }
    }
}

/// How a registry wants to be convinced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

/// The first challenge that can be met; a token before a password, because it is good for less.
pub(crate) fn challenge(headers: &HeaderMap, host: &Authority) -> Result<Challenge, AuthError> {
    let unknown = || AuthError::Challenge { host: host.clone() };
    let mut basic = false;
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let value = value.to_str().map_err(|_| unknown())?;
        for challenge in http_auth::parse_challenges(value).map_err(|_| unknown())? {
            let param = |name: &str| {
                let found = challenge.params.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
                found.map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                let realm = param("realm").ok_or_else(unknown)?;
                let service = param("service");
                if service.as_ref().is_some_and(|service| service.len() > MAX_SERVICE) {
                    return Err(unknown());
                }
                return Ok(Challenge::Bearer { realm, service });
            }
            basic |= challenge.scheme.eq_ignore_ascii_case("basic");
        }
    }
    if basic { Ok(Challenge::Basic) } else { Err(unknown()) }
}

pub(crate) fn basic(username: &str, password: &SecretString) -> HeaderValue {
    let pair = STANDARD.encode(format!("{username}:{}", password.expose_secret()));
    sensitive(&format!("Basic {pair}")).unwrap_or_else(|| HeaderValue::from_static(""))
}

fn sensitive(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Ask `realm`, if it may be asked, for a token that is good for `scope`.
pub(crate) async fn fetch(
    client: &Client,
    registry: &Authority,
    realm: &str,
    service: Option<&str>,
    scope: &str,
    credential: Option<&Credential>,
) -> Result<HeaderValue, RequestError> {
    let (host, mut url) = realm_url(client, registry, realm)?;
    let own = host == *registry;
    let mut parameters = form_urlencoded::Serializer::new(String::new());
    if let Some(service) = service {
        parameters.append_pair("service", service);
    }
    parameters.append_pair("scope", scope);
    let (authorization, ask) = match credential {
        Some(Credential::Identity(token)) => {
            parameters.append_pair("client_id", "casemate").append_pair("grant_type", "refresh_token");
            parameters.append_pair("refresh_token", token.expose_secret());
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            let body = Some(Bytes::from(parameters.finish()));
            (None, Ask { host, method: Method::POST, url, headers: HeaderMap::from_iter([(CONTENT_TYPE, form)]), body })
        }
        Some(Credential::Basic { .. }) | None => {
            let added = parameters.finish();
            let query = url.query().map_or_else(|| added.clone(), |query| format!("{query}&{added}"));
            url.set_query(Some(&query));
            let authorization = match credential {
                Some(Credential::Basic { username, password }) => Some(basic(username, password)),
                _ => None,
            };
            (authorization, Ask { host, method: Method::GET, url, headers: HeaderMap::new(), body: None })
        }
    };
    let answer = client.send(ask, own, authorization.as_ref()).await?;
    let status = answer.status();
    // An OAuth realm refuses with 400 (RFC 6749, section 5.2).
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST) {
        return Err(AuthError::TokenRefused { host: registry.clone() }.into());
    }
    let body = answer.expect(WHAT, &[StatusCode::OK])?.at_most(WHAT, MAX_ANSWER).await?;
    token(&body).ok_or_else(|| AuthError::TokenInvalid { host: registry.clone() }.into())
}

/// Only a realm that the operator listed, or the registry itself, is asked for anything.
fn realm_url(client: &Client, registry: &Authority, realm: &str) -> Result<(Authority, Url), AuthError> {
    let invalid = || AuthError::RealmInvalid { host: registry.clone() };
    let url = Url::parse(realm).map_err(|_| invalid())?;
    let Some(host) = Authority::of(&url).filter(|host| url.scheme() == host.scheme()) else {
        return Err(match url.scheme() {
            "https" => invalid(),
            scheme => AuthError::RealmInsecure {
                host: registry.clone(),
                realm: shown(url.host_str().unwrap_or_default()),
                scheme: shown(scheme),
            },
        });
    };
    if !is_bare(&url) || url.fragment().is_some() {
        return Err(invalid());
    }
    let listed = client.hosts.get(registry).is_some_and(|rule| rule.realms.contains(&host));
    if host == *registry || listed { Ok((host, url)) } else { Err(AuthError::RealmHost { host: registry.clone(), realm: host }) }
}

fn token(body: &[u8]) -> Option<HeaderValue> {
    #[derive(Deserialize)]
    struct Text {
        token: Option<String>,
        access_token: Option<String>,
    }
    let text: Text = serde_json::from_slice(body).ok()?;
    let token = text.token.or(text.access_token)?;
    // RFC 6750, section 2.1.
    let fits = (1..=MAX_TOKEN).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { sensitive(&format!("Bearer {token}")) } else { None }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(values: &[&str], expected: Option<Challenge>) {
        let headers = values.iter().map(|value| (WWW_AUTHENTICATE, HeaderValue::from_str(value).unwrap())).collect();
        assert_eq!(challenge(&headers, &"a.example".parse().unwrap()).ok(), expected, "{values:?}");
    }

    #[test]
    fn challenges_are_read_as_rfc_9110_has_them() {
        let bearer = |service: Option<&str>| {
            Some(Challenge::Bearer { realm: "https://a/t?x=1,2".to_owned(), service: service.map(str::to_owned) })
        };
        check(&[r#"Bearer realm="https://a/t?x=1,2",service="a",scope="repository:x:pull""#], bearer(Some("a")));
        check(&[r#"bearer Realm="https://a/t?x=1,2""#], bearer(None));
        check(&[r#"Basic realm="a", Bearer realm="https://a/t?x=1,2""#], bearer(None));
        check(&[r#"Basic realm="a""#, r#"Bearer realm="https://a/t?x=1,2""#], bearer(None));
        check(&[r#"Basic realm="a""#], Some(Challenge::Basic));
        check(&[r#"Digest realm="a", Basic realm="b""#], Some(Challenge::Basic));
        check(&[], None);
        check(&["Negotiate"], None);
        check(&[r#"Bearer service="a""#], None);
        check(&[r#"Bearer realm="https://a"#], None);
        check(&[&format!(r#"Bearer realm="https://a",service="{}""#, "x".repeat(257))], None);
    }

    #[test]
    fn a_token_is_one_header_value() {
        assert_eq!(token(br#"{"token":"abc"}"#).unwrap().to_str().unwrap(), "Bearer abc");
        assert_eq!(token(br#"{"access_token":"abc","expires_in":3.5}"#).unwrap().to_str().unwrap(), "Bearer abc");
        assert!(token(br#"{"token":"abc"}"#).unwrap().is_sensitive());
        for body in [r#"{}"#, r#"{"token":""}"#, r#"{"token":"a b"}"#, r#"{"token":"a\nb"}"#, r#"{"token":7}"#, "x"] {
            assert!(token(body.as_bytes()).is_none(), "{body}");
        }
        assert!(token(format!(r#"{{"token":"{}"}}"#, "x".repeat(MAX_TOKEN + 1)).as_bytes()).is_none());
    }
}
