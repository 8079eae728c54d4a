//! The `Authorization` header of a request, and what is said to a request without a good one (RFC 6750).

use axum::response::Response;
use casemate_policy::Principal;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};

use super::answer;
use crate::{identity::Identity, token::PREFIX};

/// Query parameters that clients have used to pass a token. URLs end up in logs and histories, so none is ever read.
const TOKEN_PARAMETERS: [&str; 4] = ["access_token", "token", "bearer", "authorization"];

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token was presented.
    Missing,
    /// A token was in the URL, whether or not a good one was in the header too.
    InQuery,
    /// The header is there, but is not one bearer token.
    Malformed,
    /// The token opens nothing: never issued, revoked or expired. Which, is in the server's log only.
    Invalid,
}

/// The principal a request comes from.
pub(super) fn authenticate(identity: &Identity, uri: &Uri, headers: &HeaderMap) -> Result<Principal, Refusal> {
    let principal = presented(uri, headers).and_then(|token| {
        identity.bearer(token).map_err(|refused| {
            tracing::warn!(reason = %refused, "a bearer token was refused");
            Refusal::Invalid
        })
    });
    principal.inspect_err(|refusal| tracing::debug!(?refusal, "a request was not let in"))
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

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let (status, challenge, sentence) = match refusal {
            Refusal::Missing => (
                StatusCode::UNAUTHORIZED,
                r#"Bearer realm="casemate""#,
                "a bearer token is required\nhelp: make one with `casemate token new NAME` and send `Authorization: Bearer TOKEN`\n",
            ),
            Refusal::Invalid => (
                StatusCode::UNAUTHORIZED,
                r#"Bearer realm="casemate", error="invalid_token", error_description="unknown, revoked or expired""#,
                "the bearer token is unknown, revoked or expired\nhelp: make a new one with `casemate token new NAME`\n",
            ),
            Refusal::Malformed => (
                StatusCode::BAD_REQUEST,
                r#"Bearer realm="casemate", error="invalid_request", error_description="one bearer token is needed""#,
                "the Authorization header is not one bearer token\nhelp: send `Authorization: Bearer TOKEN` once\n",
            ),
            Refusal::InQuery => (
                StatusCode::BAD_REQUEST,
                r#"Bearer realm="casemate", error="invalid_request", error_description="no token in the URL""#,
                "a token in the URL is never accepted\nhelp: send `Authorization: Bearer TOKEN`; revoke the token, it may be in logs\n",
            ),
        };
        let mut response = answer::text(status, sentence);
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
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
