//! One operation on one repository: logs in where it is asked to, and follows blobs where they may be.

use bytes::Bytes;
use reqwest::{
    Method, StatusCode,
    header::{HeaderMap, HeaderValue, LOCATION},
};
use url::Url;

use crate::{
    authority::Authority,
    body::Answer,
    client::{Ask, Client},
    credentials::{Credential, Found},
    reference::Repository,
    request::RequestError,
    token::{self, AuthError, Challenge},
};

/// Registries point to a store, and some stores to a mirror.
const MAX_REDIRECTS: usize = 3;

/// What is to be done with a repository; a token is asked for no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Pull,
    Push,
}

/// Requests to one repository.
pub(crate) struct Session<'a> {
    client: &'a Client,
    registry: &'a Authority,
    repository: &'a Repository,
    access: Access,
    authorization: Option<HeaderValue>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(client: &'a Client, registry: &'a Authority, repository: &'a Repository, access: Access) -> Self {
        Self { client, registry, repository, access, authorization: None }
    }

    pub(crate) fn registry(&self) -> &'a Authority {
        self.registry
    }

    /// A URL below the repository.
    pub(crate) fn url(&self, path: &str) -> Result<Url, RequestError> {
        below(self.registry, &format!("/v2/{}/{path}", self.repository))
    }

    pub(crate) async fn get(&mut self, url: Url, headers: HeaderMap) -> Result<Answer, RequestError> {
        self.ask(Method::GET, url, headers, None).await
    }

    /// Ask the registry itself, logging in if it wants that. The caller has made the URL of the registry's own.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Option<Bytes>,
    ) -> Result<Answer, RequestError> {
        let ask = Ask { host: self.registry.clone(), method, url, headers, body };
        let answer = self.client.send(ask.clone(), true, self.authorization.as_ref()).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // A token may have expired meanwhile, so this is done again for each request, and once for each.
        self.log_in(answer).await?;
        let answer = self.client.send(ask, true, self.authorization.as_ref()).await?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            return Err(self.rejected().into());
        }
        Ok(answer)
    }

    /// A blob, wherever the registry keeps it. A host other than the registry gets no credential.
    pub(crate) async fn blob(&mut self, path: &str, what: &'static str) -> Result<Answer, RequestError> {
        let mut url = self.url(path)?;
        let mut host = self.registry.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = if host == *self.registry {
                self.get(url.clone(), HeaderMap::new()).await?
            } else {
                let ask = Ask { host, method: Method::GET, url: url.clone(), headers: HeaderMap::new(), body: None };
                self.client.send(ask, false, None).await?
            };
            let moved = [301, 302, 303, 307, 308].contains(&answer.status().as_u16());
            if !moved {
                return answer.expect(what, &[StatusCode::OK]);
            }
            (host, url) = self.follow(&url, answer.header(LOCATION), what)?;
        }
        Err(RequestError::RedirectLoop { host: self.registry.clone(), what })
    }

    /// Whether a blob may be where the registry points.
    fn follow(&self, from: &Url, location: Option<&str>, what: &'static str) -> Result<(Authority, Url), RequestError> {
        let host = || self.registry.clone();
        let url = location.and_then(|location| from.join(location).ok());
        let Some(url) = url else { return Err(RequestError::RedirectInvalid { host: host(), what }) };
        let target = Authority::of(&url);
        let scheme_of = |target: &Authority| target.scheme();
        match target {
            Some(target) if url.scheme() == scheme_of(&target) && is_bare(&url) => {
                let rule = self.client.hosts.get(self.registry);
                if target == *self.registry || rule.is_some_and(|rule| rule.redirects.contains(&target)) {
                    Ok((target, url))
                } else {
                    Err(RequestError::RedirectHost { host: host(), target, what })
                }
            }
            Some(_) if url.scheme() == "https" => Err(RequestError::RedirectInvalid { host: host(), what }),
            _ => Err(RequestError::RedirectInsecure {
                host: host(),
                target: crate::request::shown(url.host_str().unwrap_or_default()),
                scheme: crate::request::shown(url.scheme()),
                what,
            }),
        }
    }

    async fn log_in(&mut self, answer: Answer) -> Result<(), RequestError> {
        let registry = || self.registry.clone();
        let found = self.client.credentials.find(self.registry);
        let authorization = match (token::challenge(answer.headers(), self.registry)?, found) {
            (Challenge::Basic, Found::Credential(Credential::Basic { username, password })) => token::basic(username, password),
            (Challenge::Basic, Found::Credential(Credential::Identity(_))) => {
                return Err(AuthError::Challenge { host: registry() }.into());
            }
            (Challenge::Basic, _) => return Err(self.rejected().into()),
            (Challenge::Bearer { realm, service }, found) => {
                let credential = match found {
                    Found::Credential(credential) => Some(credential),
                    Found::Helper(_) | Found::Nothing => None,
                };
                let actions = if self.access == Access::Push { "pull,push" } else { "pull" };
                // What the registry would like the token to be good for is not asked: it could name another's repository.
                let scope = format!("repository:{}:{actions}", self.repository);
                token::fetch(self.client, self.registry, &realm, service.as_deref(), &scope, credential).await?
            }
        };
        self.authorization = Some(authorization);
        Ok(())
    }

    /// Why a registry still says no.
    fn rejected(&self) -> AuthError {
        let host = self.registry.clone();
        match self.client.credentials.find(self.registry) {
            Found::Credential(_) => AuthError::Rejected { host },
            Found::Nothing => AuthError::NoCredential { host },
            Found::Helper(helper) => {
                AuthError::Helper { host, helper: crate::request::shown(helper), path: self.client.credentials.path().to_owned() }
            }
        }
    }
}

/// A URL of a registry's own.
pub(crate) fn below(registry: &Authority, path: &str) -> Result<Url, RequestError> {
    Url::parse(&format!("{}://{registry}{path}", registry.scheme()))
        .map_err(|error| RequestError::Unreachable { host: registry.clone(), reason: error.to_string() })
}

/// No credential in a URL that others wrote.
pub(crate) fn is_bare(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none()
}
