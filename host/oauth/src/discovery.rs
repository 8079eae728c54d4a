//! What an authorization server says of itself (RFC 8414, OpenID Connect Discovery 1.0): where its keys are.

use serde::Deserialize;
use url::Url;

/// Where an issuer's metadata may be, in the order they are asked for.
///
/// RFC 8414 puts the well-known part before the issuer's path, OpenID Connect after it; servers do one, the other, or both.
pub fn places(issuer: &Url) -> Vec<Url> {
    let path = issuer.path().trim_end_matches('/');
    let mut places = Vec::new();
    for path in [
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
        format!("{path}/.well-known/openid-configuration"),
    ] {
        let mut place = issuer.clone();
        place.set_path(&path);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}

/// An authorization server's word on itself, believed as far as it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovery {
    /// Where its keys are.
    pub keys: Url,
}

/// Why a server's word on itself is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// Not such a document.
    #[error(
        "the authorization server's metadata cannot be read\nhelp: it is a JSON object with `issuer` and `jwks_uri` (RFC 8414)"
    )]
    Form,
    /// It is another server's: an attacker's, or a misconfigured one (RFC 8414 section 3.3).
    #[error("the authorization server's metadata is of another issuer\nhelp: write `issuer` exactly as the server does")]
    Issuer,
    /// Its keys would be fetched from somewhere that nobody named.
    #[error(
        "the authorization server keeps its keys on another origin\nhelp: if that is right, name the place: `jwks = \"https://…\"`"
    )]
    Elsewhere,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: String,
}

impl Discovery {
    /// Read the metadata of `issuer`, which is compared exactly. Keys are taken from the issuer's own origin only: otherwise whoever
    /// can change this document makes the host ask anybody.
    ///
    /// # Errors
    /// [`DiscoveryError`].
    pub fn parse(document: &[u8], issuer: &str) -> Result<Self, DiscoveryError> {
        let document: Document = serde_json::from_slice(document).map_err(|_| DiscoveryError::Form)?;
        if document.issuer != issuer {
            return Err(DiscoveryError::Issuer);
        }
        let keys: Url = document.jwks_uri.parse().map_err(|_| DiscoveryError::Form)?;
        let issuer: Url = issuer.parse().map_err(|_| DiscoveryError::Form)?;
        if keys.origin() == issuer.origin() && keys.origin().is_tuple() {
            Ok(Self { keys })
        } else {
            Err(DiscoveryError::Elsewhere)
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn asked(issuer: &str) -> Vec<String> {
        places(&issuer.parse().unwrap()).iter().map(Url::to_string).collect()
    }

    #[test]
    fn metadata_is_looked_for_where_servers_keep_it() {
        assert_eq!(
            asked("https://as.example"),
            ["https://as.example/.well-known/oauth-authorization-server", "https://as.example/.well-known/openid-configuration"]
        );
        assert_eq!(
            asked("https://as.example/realms/soc"),
            [
                "https://as.example/.well-known/oauth-authorization-server/realms/soc",
                "https://as.example/.well-known/openid-configuration/realms/soc",
                "https://as.example/realms/soc/.well-known/openid-configuration",
            ]
        );
    }

    #[test]
    fn only_the_issuers_own_word_is_taken() {
        let read = |issuer: &str, keys: &str| {
            let document = serde_json::json!({ "issuer": issuer, "jwks_uri": keys, "more": 1 }).to_string();
            Discovery::parse(document.as_bytes(), "https://as.example/a").map(|found| found.keys.to_string())
        };
        assert_eq!(read("https://as.example/a", "https://as.example/jwks").unwrap(), "https://as.example/jwks");
        for other in ["https://as.example/a/", "https://as.example/", "https://AS.example/a", "https://evil.example/a"] {
            assert_eq!(read(other, "https://as.example/jwks"), Err(DiscoveryError::Issuer), "{other}");
        }
        for elsewhere in [
            "https://evil.example/jwks",
            "http://as.example/jwks",
            "https://as.example:8443/jwks",
            "http://127.0.0.1/",
            "file:///etc/passwd",
        ] {
            assert_eq!(read("https://as.example/a", elsewhere), Err(DiscoveryError::Elsewhere), "{elsewhere}");
        }
        for broken in ["", "[]", "{}", r#"{"issuer":"https://as.example/a","issuer":"x","jwks_uri":"https://as.example/"}"#] {
            assert_eq!(Discovery::parse(broken.as_bytes(), "https://as.example/a"), Err(DiscoveryError::Form));
        }
    }
}
