//! The one HTTP client of this crate: no redirects, no proxies, no decompression, every address checked.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use reqwest::{
    Certificate, Method,
    header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderValue},
};
use tokio::time::timeout;
use url::Url;

use crate::{
    authority::Authority,
    body::Answer,
    credentials::Credentials,
    request::{RequestError, chain},
    resolve::{Allowed, CheckedResolver},
    settings::{HostRule, Settings},
};

/// A connection that takes longer will not come.
const CONNECT: Duration = Duration::from_secs(10);
/// What registries see; it does not name the version, which is nobody's business.
const USER_AGENT: &str = "casemate";

/// A client that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A root certificate that is none.
    #[error("root certificate file {} is not PEM: {reason}", .at + 1)]
    Root {
        /// Which of them, from 0.
        at: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// No TLS.
    #[error("no HTTP client: {0}\nhelp: check that the system's certificate store can be read")]
    Tls(String),
}

impl ClientError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Root { .. } => "root-invalid",
            Self::Tls(_) => "no-tls",
        }
    }
}

/// Speaks to registries as the operator allows. Without `Debug`, on purpose; clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    allowed: Allowed,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) hosts: Arc<BTreeMap<Authority, HostRule>>,
    deadline: Duration,
    stall: Duration,
}

/// One request, without its credential.
#[derive(Clone)]
pub(crate) struct Ask {
    /// Whom the URL points at.
    pub(crate) host: Authority,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

impl Client {
    /// A client with these settings.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        // The first one stays; whoever installed it chose one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allowed = Allowed::new(&settings.hosts);
        let mut roots = Vec::new();
        for (at, pem) in settings.roots.iter().enumerate() {
            let root = |reason: String| ClientError::Root { at, reason };
            let certificates = Certificate::from_pem_bundle(pem).map_err(|error| root(chain(&error)))?;
            if certificates.is_empty() {
                return Err(root("there is no certificate in it".to_owned()));
            }
            roots.extend(certificates);
        }
        let http = reqwest::Client::builder()
            .dns_resolver(CheckedResolver { lookup: settings.lookup, allowed: allowed.clone() })
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .referer(false)
            .connect_timeout(CONNECT)
            .user_agent(USER_AGENT)
            .tls_certs_merge(roots)
            .build()
            .map_err(|error| ClientError::Tls(chain(&error)))?;
        Ok(Self {
            http,
            allowed,
            credentials: Arc::new(settings.credentials),
            hosts: Arc::new(settings.hosts),
            deadline: settings.deadline,
            stall: settings.stall,
        })
    }

    /// Send one request to a host that the caller has judged. `named` says that a person named it.
    pub(crate) async fn send(&self, ask: Ask, named: bool, authorization: Option<&HeaderValue>) -> Result<Answer, RequestError> {
        let host = ask.host;
        self.allowed.literal(&host, named).map_err(RequestError::prohibited)?;
        let mut headers = ask.headers;
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let mut request = self.http.request(ask.method, ask.url).headers(headers);
        // A registry is not silent while it listens to a long body.
        let after = if ask.body.is_some() { self.deadline } else { self.stall };
        if let Some(body) = ask.body {
            request = request.body(body);
        }
        match timeout(after, request.send()).await {
            Ok(response) => {
                let response = response.map_err(|error| RequestError::of(error, &host))?;
                Ok(Answer::new(response, host, self.stall))
            }
            Err(_) => Err(RequestError::Stalled { host, after }),
        }
    }

    /// Run `work`, which is about `host`, and give up when it takes too long.
    pub(crate) async fn within<T, E: From<RequestError>>(
        &self,
        host: &Authority,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match timeout(self.deadline, work).await {
            Ok(done) => done,
            Err(_) => Err(RequestError::Deadline { host: host.clone(), after: self.deadline }.into()),
        }
    }
}
