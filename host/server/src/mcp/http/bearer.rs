//! The `Authorization` header of a request, and what is said to a request without a good one (RFC 6750).

use axum::response::Response;
use casemate_policy::{Principal, TokenScope};
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::{answer, tls::ClientCertificate};
use crate::{
    identity::{Identity, Refused},
    token::PREFIX,
};

/// Query parameters that clients have used to pass a token. URLs end up in logs and histories, so none is ever read.
const TOKEN_PARAMETERS: [&str; 4] = ["access_token", "token", "bearer", "authorization"];

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token was presented.
    Missing,
    /// A token was in the URL, whether or not a good one was in the header too.
    InQuery,
    /// The header is there, but is not one bearer token.
    Malformed,
    /// The token opens nothing. Why, is in the server's log only.
    Invalid,
    /// The token is good, and was not issued for these scopes.
    Insufficient(Vec<TokenScope>),
    /// Whether the token is good cannot be said now.
    Unknown,
}

impl Refusal {
    /// The word in the log; none for a request that claims nothing.
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::InQuery => Some("token-in-url"),
            Self::Malformed => Some("header-malformed"),
            Self::Missing | Self::Invalid | Self::Insufficient(_) | Self::Unknown => None,
        }
    }
}

/// The principal a request comes from, or the answer that says why there is none.
///
/// Where no token is presented, the certificate of the connection may name one.
pub(super) async fn authenticate(
    identity: &Identity,
    uri: &Uri,
    headers: &HeaderMap,
    certificate: Option<&ClientCertificate>,
) -> Result<Principal, Response> {
    let refusal = match presented(uri, headers) {
        Ok(token) => match identity.bearer(token).await {
            Ok(principal) => return Ok(principal),
            Err(refused) => {
                tracing::warn!(reason = %refused, "a bearer token was refused");
                identity.refusals().note(refused.code());
                match refused {
                    Refused::NoKeys => Refusal::Unknown,
                    _ if refused.is_for_less() => Refusal::Insufficient(needed(identity)),
                    _ => Refusal::Invalid,
                }
            }
        },
        Err(refusal) => {
            if let (Refusal::Missing, Some(principal)) = (&refusal, certificate.and_then(ClientCertificate::principal)) {
                return Ok(principal.clone());
            }
            tracing::debug!(?refusal, "a request was not let in");
            refusal.code().into_iter().for_each(|code| identity.refusals().note(code));
            refusal
        }
    };
    Err(refusal.answer(identity))
}

/// What lets a token in at all.
fn needed(identity: &Identity) -> Vec<TokenScope> {
    identity.oauth().map(|oauth| oauth.settings().rules.scopes.iter().cloned().collect()).unwrap_or_default()
}

/// The one bearer token of a request, where there is one and nothing is wrong with how it is presented.
pub(crate) fn presented_alone<'a>(uri: &Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    presented(uri, headers).ok()
}

fn presented<'a>(uri: &Uri, headers: &'a HeaderMap) -> Result<&'a str, Refusal> {
    if uri.query().is_some_and(carries_token) {
        return Err(Refusal::InQuery);
    }
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let (scheme, token) = value.to_str().ok().and_then(|value| value.split_once(' ')).ok_or(Refusal::Malformed)?;
    let token = token.trim_matches(' ');
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.contains([' ', ',']) {
        return Err(Refusal::Malformed);
    }
    Ok(token)
}

fn carries_token(query: &str) -> bool {
    query.contains(PREFIX)
        || query.split('&').any(|pair| {
            let name = pair.split_once('=').map_or(pair, |(name, _)| name);
            TOKEN_PARAMETERS.iter().any(|parameter| parameter.eq_ignore_ascii_case(name))
        })
}

impl Refusal {
    /// The answer, with a challenge that tells a client where to get a better token (RFC 6750 section 3, RFC 9728 section 5.1).
    pub(super) fn answer(self, identity: &Identity) -> Response {
        let (status, error, sentence) = match &self {
            Self::Missing => (
                StatusCode::UNAUTHORIZED,
                "",
                "a bearer token is required\nhelp: make one with `casemate token new NAME` and send `Authorization: Bearer TOKEN`\n",
            ),
            Self::Invalid => (
                StatusCode::UNAUTHORIZED,
                r#", error="invalid_token", error_description="unknown, revoked or expired""#,
                "the bearer token is unknown, revoked or expired\nhelp: make a new one with `casemate token new NAME`\n",
            ),
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                r#", error="invalid_request", error_description="one bearer token is needed""#,
                "the Authorization header is not one bearer token\nhelp: send `Authorization: Bearer TOKEN` once\n",
            ),
            Self::InQuery => (
                StatusCode::BAD_REQUEST,
                r#", error="invalid_request", error_description="no token in the URL""#,
                "a token in the URL is never accepted\nhelp: send `Authorization: Bearer TOKEN`; revoke the token, it may be in logs\n",
            ),
            Self::Insufficient(_) => (
                StatusCode::FORBIDDEN,
                r#", error="insufficient_scope", error_description="the token was not issued for this""#,
                "the access token was not issued for this\nhelp: ask the authorization server for the scopes in WWW-Authenticate\n",
            ),
            Self::Unknown => {
                let mut response = answer::text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "the authorization server's keys are not known now\nhelp: try again; the operator's log says why\n",
                );
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
                return response;
            }
        };
        let mut challenge = format!(r#"Bearer realm="casemate"{error}"#);
        if let Some(oauth) = identity.oauth() {
            let scopes = if let Self::Insufficient(scopes) = self { scopes } else { needed(identity) };
            let scopes: Vec<&str> = scopes.iter().map(TokenScope::as_str).collect();
            if !scopes.is_empty() {
                challenge.push_str(&format!(r#", scope="{}""#, scopes.join(" ")));
            }
            challenge.push_str(&format!(r#", resource_metadata="{}""#, oauth.metadata_url()));
        }
        let mut response = answer::text(status, sentence);
        // Scopes and addresses have no character that ends a quoted string or a header.
        if let Ok(challenge) = HeaderValue::try_from(challenge) {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use http::{HeaderMap, HeaderValue, Uri, header};

    use super::{Refusal, presented};

    fn check(uri: &'static str, values: &[&'static str], expected: Result<&str, Refusal>) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        assert_eq!(presented(&Uri::from_static(uri), &headers), expected, "{uri} {values:?}");
    }

    #[test]
    fn one_bearer_token_is_found() {
        check("/mcp", &["Bearer abc"], Ok("abc"));
        check("/mcp", &["bearer abc"], Ok("abc"));
        check("/mcp?x=1", &["BEARER  abc "], Ok("abc"));
    }

    #[test]
    fn anything_else_is_refused() {
        check("/mcp", &[], Err(Refusal::Missing));
        for value in ["abc", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer a,b", "Bearer\tabc"] {
            check("/mcp", &[value], Err(Refusal::Malformed));
        }
        check("/mcp", &["Bearer abc", "Bearer abc"], Err(Refusal::Malformed));
    }

    #[test]
    fn a_token_in_the_url_is_refused_even_beside_a_good_header() {
        for uri in ["/mcp?access_token=abc", "/mcp?a=1&Token=abc", "/mcp?key=casemate_abc", "/mcp?token", "/mcp?bearer=x"] {
            check(uri, &["Bearer abc"], Err(Refusal::InQuery));
            check(uri, &[], Err(Refusal::InQuery));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(b"Bearer \xff").unwrap());
        assert_eq!(presented(&Uri::from_static("/mcp"), &headers), Err(Refusal::Malformed));
    }
}
