//! One small document by its URL, or one question, as a registry's answers are read: capped, in time, from a checked address.

use reqwest::{Method, StatusCode, header::HeaderMap};
use url::Url;

use crate::{
    authority::{Authority, InvalidAuthority},
    client::{Ask, Client},
    request::{RequestError, shown_url},
    session::is_bare,
};

const WHAT: &str = "the document";

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not a place that is read from.
    #[error("`{0}` is not read from\nhelp: https://HOST/PATH; http only from this machine; without a user or a password")]
    Url(String),
    /// Not a host.
    #[error(transparent)]
    Host(#[from] InvalidAuthority),
    /// The host, or what it sent.
    #[error(transparent)]
    Request(#[from] RequestError),
}

impl FetchError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Url(_) => "fetch-url",
            Self::Host(_) => "fetch-host",
            Self::Request(error) => error.code(),
        }
    }
}

/// What was answered to a question.
#[derive(Debug, Clone)]
pub struct Posted {
    /// Whatever it is.
    pub status: StatusCode,
    /// All of them.
    pub headers: HeaderMap,
    /// As it came.
    pub body: Vec<u8>,
}

impl Client {
    /// Post a body to a URL that a person wrote, with these headers, and read at most `cap` bytes of whatever is answered. No redirect is
    /// followed.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Vec<u8>, cap: usize) -> Result<Posted, FetchError> {
        let host = host(url)?;
        self.within(&host, async {
            let ask = Ask { host: host.clone(), method: Method::POST, url: url.clone(), headers, body: Some(body.into()) };
            let answer = self.send(ask, true, None).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok(Posted { status, headers, body: answer.at_most(WHAT, cap).await?.to_vec() })
        })
        .await
    }

    /// Ask a URL that a person wrote, with these headers, and read at most `cap` bytes of whatever is answered. No redirect is followed.
    pub async fn get(&self, url: &Url, headers: HeaderMap, cap: usize) -> Result<Posted, FetchError> {
        let host = host(url)?;
        self.within(&host, async {
            let ask = Ask { host: host.clone(), method: Method::GET, url: url.clone(), headers, body: None };
            let answer = self.send(ask, true, None).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok(Posted { status, headers, body: answer.at_most(WHAT, cap).await?.to_vec() })
        })
        .await
    }

    /// Fetch at most `cap` bytes from a URL that a person wrote. No redirect is followed.
    pub async fn fetch(&self, url: &Url, cap: usize) -> Result<Vec<u8>, FetchError> {
        let host = host(url)?;
        self.within(&host, async {
            let ask = Ask { host: host.clone(), method: Method::GET, url: url.clone(), headers: HeaderMap::new(), body: None };
            let answer = self.send(ask, true, None).await?.expect(WHAT, &[StatusCode::OK])?;
            Ok(answer.at_most(WHAT, cap).await?.to_vec())
        })
        .await
    }
}

fn host(url: &Url) -> Result<Authority, FetchError> {
    let refused = || FetchError::Url(shown_url(url.as_str()));
    let name = url.host_str().filter(|_| is_bare(url)).ok_or_else(refused)?;
    let host: Authority = match url.port() {
        Some(port) => format!("{name}:{port}").parse()?,
        None => name.parse()?,
    };
    match url.scheme() {
        "https" => Ok(host),
        "http" if host.is_loopback() => Ok(host),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_read_from() {
        let code = |url: &str| Url::parse(url).ok().map(|url| host(&url).map_err(|error| error.code()).err());
        for good in
            ["https://acme.example/revoked.json", "https://acme.example:8443/x", "http://127.0.0.1:8080/x", "http://localhost/x"]
        {
            assert_eq!(code(good), Some(None), "{good}");
        }
        for bad in ["http://acme.example/x", "ftp://acme.example/x", "https://user:secret@acme.example/x", "file:///etc/passwd"] {
            assert_eq!(code(bad), Some(Some("fetch-url")), "{bad}");
        }
    }

    #[test]
    fn a_refusal_shows_no_credential() {
        for bad in ["https://user:secret@acme.example/x", "ftp://acme.example/x?token=secret", "https://secret@acme.example/x"] {
            let refused =
                Url::parse(bad).ok().and_then(|url| host(&url).err()).map(|error| error.to_string()).unwrap_or_default();
            assert!(refused.contains("acme.example/x") && !refused.contains("secret"), "{refused}");
        }
    }
}
