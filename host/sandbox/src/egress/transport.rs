//! The only HTTP client of the host: one pool per upstream, no redirects, no proxies, every byte counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use casemate_policy::{
    address,
    egress::{Checked, Gate, UpstreamBinding},
    output::Redactor,
};
use casemate_signing::{
    Timestamp,
    manifest::{Credential, Manifest, Protocol, UpstreamName},
};
use ipnet::IpNet;
use reqwest::{
    Client, Method, RequestBuilder, Response,
    header::{
        CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, SET_COOKIE,
        TRANSFER_ENCODING, UPGRADE,
    },
};

use super::{
    Tls, mcp_sse,
    postgres::Databases,
    resolve::{CheckedResolver, Prohibited},
    secrets::{LiveSecrets, UnusableSecret},
    sigv4,
    supplied::Settings,
    token::{self, Held, Tokens, Witness},
};
use crate::recording::{Received, Tape, Transport};

/// A connection that takes longer will not come.
const CONNECT: Duration = Duration::from_secs(10);
/// Connections kept open to one upstream.
const IDLE_CONNECTIONS: usize = 8;
/// What upstreams see. Some demand the form `product/version` (RFC 9110, 10.1.5); the host's version is nobody's business.
const USER_AGENT: &str = "casemate/1";

/// What says under which trace a request is made.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What the trace is in, both ways (W3C Trace Context): never from a guest, and never for one.
const TRACE: [HeaderName; 3] = [TRACEPARENT, HeaderName::from_static("tracestate"), HeaderName::from_static("traceresponse")];

/// Where an upstream is, as the operator's configuration has it.
pub type UpstreamSettings = BTreeMap<UpstreamName, UpstreamBinding>;

/// A transport that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("no client for upstream `{upstream}`: {reason}\nhelp: check that the system's certificate store can be read")]
pub struct TransportError {
    upstream: UpstreamName,
    reason: String,
}

/// A request that did not get a whole answer.
pub(crate) enum SendError {
    /// An address that may not be connected to. Nothing was sent.
    Prohibited(Prohibited),
    /// A secret that cannot be sent. Nothing was sent.
    Secret(UnusableSecret),
    /// There is no token to send. Nothing was sent.
    Token(String),
    /// No connection. Nothing was sent.
    Connect(String),
    /// The answer is larger than it may be.
    TooLarge,
    /// It was sent, and the answer did not come or did not end.
    Broken(String),
}

/// An answer as it came, within its cap and otherwise as the upstream wrote it.
pub(super) struct Raw {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) address: Option<IpAddr>,
}

impl Raw {
    /// JSON that the host wrote of what an upstream said.
    pub(super) fn json(status: u16, body: Vec<u8>, address: Option<IpAddr>) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        Self { status, headers, body, address }
    }
}

/// What an upstream is asked with.
pub(super) enum Asking {
    Http(Client),
    McpSse(Client),
    Postgresql(Databases),
}

/// A whole answer, with every secret removed.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) address: Option<IpAddr>,
}

/// How the requests of one call leave.
#[derive(Debug, Default)]
pub(crate) struct Leaving {
    /// By which way.
    pub(crate) transport: Transport,
    /// Under which trace, where an upstream is told.
    pub(crate) traceparent: Option<String>,
}

/// The connections of one plugin.
pub(crate) struct Upstreams {
    pub(super) clients: BTreeMap<UpstreamName, Asking>,
    pub(super) gate: Arc<Gate>,
    pub(super) secrets: Arc<LiveSecrets>,
    pub(super) settings: Settings,
    pub(super) tokens: Tokens,
    /// Upstreams that are told under which trace they are asked.
    traced: BTreeSet<UpstreamName>,
}

impl Upstreams {
    pub(crate) fn new(
        manifest: &Manifest,
        bindings: &UpstreamSettings,
        gate: Arc<Gate>,
        secrets: Arc<LiveSecrets>,
        settings: Settings,
        tls: &Tls,
    ) -> Result<Self, TransportError> {
        let clients = manifest
            .upstream
            .iter()
            .map(|(name, upstream)| {
                let allow = bindings.get(name).map(|binding| binding.allow_private.as_slice()).unwrap_or_default();
                let asking = match upstream.protocol {
                    Protocol::Http => client(allow.into(), tls).map(Asking::Http),
                    Protocol::McpSse => client(allow.into(), tls).map(Asking::McpSse),
                    Protocol::Postgresql => Databases::new(tls).map(Asking::Postgresql).map_err(|error| chain(&error)),
                };
                asking.map(|asking| (name.clone(), asking)).map_err(|reason| TransportError { upstream: name.clone(), reason })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { clients, gate, secrets, settings, tokens: Tokens::of(manifest), traced: BTreeSet::new() })
    }

    /// The same, with these told under which trace they are asked.
    pub(crate) fn tracing(self, traced: BTreeSet<UpstreamName>) -> Self {
        Self { traced, ..self }
    }

    /// Whether any is.
    pub(crate) fn is_traced(&self) -> bool {
        !self.traced.is_empty()
    }

    pub(crate) fn secrets(&self) -> &LiveSecrets {
        &self.secrets
    }

    pub(crate) fn redactor(&self) -> Arc<Redactor> {
        self.secrets.redactor()
    }

    /// Send a request that passed the gate and read the whole answer, up to `cap` bytes after decompression. A recording answers
    /// where the call was given one: everything before and after the connection is the same, but that no token is asked for.
    pub(crate) async fn send(
        &self,
        request: &Checked,
        cap: usize,
        leaving: &Leaving,
        witness: &dyn Witness,
    ) -> Result<Answer, SendError> {
        let Some(asking) = self.clients.get(request.upstream()) else {
            return Err(SendError::Connect("the upstream has no client".to_owned()));
        };
        permitted(request.origin().host_str().as_ref(), request.allow_private())?;
        let plain = plain(request)?;
        let trace = leaving.traceparent.as_deref().filter(|_| self.traced.contains(request.upstream()));
        let network = async || {
            let client = match asking {
                Asking::Http(client) => client,
                Asking::McpSse(client) => {
                    let mut headers = HeaderMap::new();
                    let url = self.secrets.now().0.inject(request, &mut headers).map_err(SendError::Secret)?.into_owned();
                    trace_under(trace, &mut headers);
                    let session = mcp_sse::Session { client, url: &url, headers: &headers, cap, redactor: &self.redactor() };
                    return session.call(request.body()).await;
                }
                Asking::Postgresql(databases) => {
                    let raw = databases.send(request, &self.secrets.now().0, cap).await;
                    return raw.map_err(|error| without_secrets(error, &self.redactor()));
                }
            };
            let once = async |stale| self.attempt(client, request, (plain.clone(), trace), cap, (stale, witness)).await;
            let (raw, held) = once(None).await?;
            match held {
                // What the upstream does not take any more is had anew, once.
                Some(held) if raw.status == 401 => Ok(once(Some(&held)).await?.0),
                _ => Ok(raw),
            }
        };
        match &leaving.transport {
            Transport::Network => Ok(self.clean(network().await?, trace)),
            Transport::Kept(tape) => {
                let at = tape.sent(request);
                let answer = self.clean(network().await?, trace);
                keep(tape, at, &answer);
                Ok(answer)
            }
            Transport::Played(replay) => {
                self.secrets.now().0.inject(request, &mut plain.clone()).map_err(SendError::Secret)?;
                match replay.answer(request) {
                    Some(received) => Ok(self.clean(played(received, cap)?, None)),
                    None => Err(SendError::Connect("the recording has no answer to this request".to_owned())),
                }
            }
        }
    }

    /// Send it once, with its credential; says with which token. `stale` is one that is not sent again.
    async fn attempt(
        &self,
        client: &Client,
        request: &Checked,
        (mut headers, trace): (HeaderMap, Option<&str>),
        cap: usize,
        (stale, witness): (Option<&Held>, &dyn Witness),
    ) -> Result<(Raw, Option<Held>), SendError> {
        let held = match request.credential() {
            Some(Credential::Exchange(credential)) => {
                let held = self.token(request.upstream(), credential, stale, witness).await?;
                token::put(credential, &held, &mut headers).map_err(SendError::Token)?;
                Some(held)
            }
            _ => None,
        };
        let (secrets, _) = self.secrets.now();
        let url = secrets.inject(request, &mut headers).map_err(SendError::Secret)?;
        if let Some(Credential::SigV4(signed)) = request.credential() {
            sigv4::sign(&signed.sigv4, request, &mut headers, &secrets, &self.settings, now()).map_err(SendError::Secret)?;
        }
        // Not signed: whatever stands between may begin a span of its own.
        trace_under(trace, &mut headers);
        let method =
            Method::from_bytes(request.method().as_str().as_bytes()).map_err(|error| SendError::Connect(error.to_string()))?;
        let sent = client.request(method, url.as_ref()).headers(headers).body(request.body().to_vec());
        Ok((exchange(sent, cap, &self.redactor()).await?, held))
    }

    /// What a guest may see of an answer to what was sent under this trace.
    fn clean(&self, mut raw: Raw, trace: Option<&str>) -> Answer {
        let redactor = self.redactor();
        if let Some(trace) = trace {
            forget(trace, &mut raw);
        }
        Answer {
            status: raw.status,
            headers: clean_headers(&raw.headers, &redactor),
            body: scrub(&redactor, raw.body),
            address: raw.address,
        }
    }
}

/// The headers a guest may see: no cookies, nothing about the connection or the trace, no secret that was echoed.
fn clean_headers(headers: &HeaderMap, redactor: &Redactor) -> HeaderMap {
    let hidden = [SET_COOKIE, CONNECTION, TRANSFER_ENCODING, UPGRADE, CONTENT_ENCODING, CONTENT_LENGTH];
    let mut clean = HeaderMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| !hidden.contains(name) && !TRACE.contains(name)) {
        let name_is_clean = !redactor.is_in(name.as_str().as_bytes());
        if let Ok(value) = HeaderValue::from_bytes(&scrub(redactor, value.as_bytes().to_vec()))
            && name_is_clean
        {
            clean.append(name, value);
        }
    }
    clean
}

/// Put zeros, which are the ids of nothing, in place of the ids that were sent: a guest that knew them could tell its calls from others'.
fn forget(traceparent: &str, raw: &mut Raw) {
    let ids: Vec<&str> = traceparent.split('-').filter(|part| part.len() >= 16).collect();
    let blank = |bytes: &mut [u8]| {
        for id in &ids {
            let found: Vec<usize> = memchr::memmem::find_iter(bytes, id).collect();
            for at in found {
                bytes.iter_mut().skip(at).take(id.len()).for_each(|byte| *byte = b'0');
            }
        }
    };
    blank(&mut raw.body);
    for value in raw.headers.values_mut() {
        let mut bytes = value.as_bytes().to_vec();
        blank(&mut bytes);
        if let Ok(blanked) = HeaderValue::from_bytes(&bytes) {
            *value = blanked;
        }
    }
}

/// Bytes with every secret removed, whatever their encoding.
fn scrub(redactor: &Redactor, bytes: Vec<u8>) -> Vec<u8> {
    // A text is cut between characters only.
    let clean = match std::str::from_utf8(&bytes) {
        Ok(text) => match redactor.redact(text) {
            (_, 0) => None,
            (clean, _) => Some(clean.into_owned().into_bytes()),
        },
        Err(_) => match redactor.redact_bytes(&bytes) {
            (_, 0) => None,
            (clean, _) => Some(clean.into_owned()),
        },
    };
    clean.unwrap_or(bytes)
}

/// A literal address never reaches the resolver, so it is judged here.
pub(super) fn permitted(host: &str, allow_private: &[IpNet]) -> Result<(), SendError> {
    let Some(ip) = literal(host) else { return Ok(()) };
    address::permit(ip, allow_private)
        .map_err(|class| SendError::Prohibited(Prohibited { host: ip.to_string(), address: ip, class }))
}

fn trace_under(trace: Option<&str>, headers: &mut HeaderMap) {
    if let Some(trace) = trace.and_then(|trace| HeaderValue::from_str(trace).ok()) {
        headers.insert(TRACEPARENT, trace);
    }
}

/// What the guest set, as it passed the gate.
fn plain(request: &Checked) -> Result<HeaderMap, SendError> {
    let mut headers = HeaderMap::new();
    for (name, value) in request.headers() {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) else {
            return Err(SendError::Connect("a header passed the gate that HTTP cannot carry".to_owned()));
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The machine's clock, for what an upstream checks against its own.
pub(super) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Send it over the network and read the whole answer.
pub(super) async fn exchange(request: RequestBuilder, cap: usize, redactor: &Redactor) -> Result<Raw, SendError> {
    let response = request.send().await.map_err(|error| classify(error, redactor))?;
    whole(response, cap, redactor).await
}

/// Read what has begun to come, whole.
pub(super) async fn whole(mut response: Response, cap: usize, redactor: &Redactor) -> Result<Raw, SendError> {
    let status = response.status().as_u16();
    let address = response.remote_addr().map(|address| address.ip());
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|error| SendError::Broken(redactor.redact(&chain(&error)).0.into_owned()))?
    {
        if body.len() + chunk.len() > cap {
            return Err(SendError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Raw { status, headers, body, address })
}

/// A recorded answer, held to what one from the network is held to.
fn played(received: Received, cap: usize) -> Result<Raw, SendError> {
    if received.body.len() > cap {
        return Err(SendError::TooLarge);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in received.headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::from_bytes(&value)) else {
            return Err(SendError::Broken("a header of the recording is none".to_owned()));
        };
        headers.append(name, value);
    }
    Ok(Raw { status: received.status, headers, body: received.body, address: None })
}

fn keep(tape: &Tape, at: usize, answer: &Answer) {
    let headers = answer.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    tape.received(at, Received { status: answer.status, headers, body: answer.body.clone() });
}

fn client(allow_private: Arc<[IpNet]>, tls: &Tls) -> Result<Client, String> {
    let tls = tls.client(&[b"h2", b"http/1.1"]).map_err(|error| chain(&error))?;
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(CheckedResolver { allow_private })
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_max_idle_per_host(IDLE_CONNECTIONS)
        .user_agent(USER_AGENT)
        .build();
    client.map_err(|error| chain(&error))
}

/// The address in a host that is written as one; IPv6 stands in brackets.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The same with nothing secret in what a server said of itself.
fn without_secrets(error: SendError, redactor: &Redactor) -> SendError {
    let clean = |text: String| redactor.redact(&text).0.into_owned();
    match error {
        SendError::Connect(text) => SendError::Connect(clean(text)),
        SendError::Broken(text) => SendError::Broken(clean(text)),
        other => other,
    }
}

/// Whose fault a failed request is. The URL is taken out of the text: it may carry a credential.
pub(super) fn classify(error: reqwest::Error, redactor: &Redactor) -> SendError {
    let error = error.without_url();
    let mut source: Option<&(dyn Error + 'static)> = Some(&error);
    while let Some(cause) = source {
        if let Some(prohibited) = cause.downcast_ref::<Prohibited>() {
            return SendError::Prohibited(prohibited.clone());
        }
        source = cause.source();
    }
    let text = redactor.redact(&chain(&error)).0.into_owned();
    if error.is_connect() || error.is_builder() { SendError::Connect(text) } else { SendError::Broken(text) }
}

pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(headers: &[(&str, &[u8])], bytes: usize) -> Received {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
        Received { status: 200, headers, body: vec![b'x'; bytes] }
    }

    #[test]
    fn a_recorded_answer_has_the_size_that_one_from_the_network_may_have() {
        assert!(played(received(&[], 10), 10).is_ok_and(|raw| raw.body.len() == 10 && raw.address.is_none()));
        assert!(matches!(played(received(&[], 11), 10), Err(SendError::TooLarge)));
    }

    #[test]
    fn an_answer_has_nothing_of_the_trace_that_it_was_asked_under() {
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut raw = played(received(&[("x-id", b"4bf92f3577b34da6a3ce929d0e0e4736")], 0), 0).unwrap_or_else(|_| unreachable!());
        raw.body = format!("[\"{trace}\", \"00f067aa0ba902b7\"]").into_bytes();
        forget(trace, &mut raw);
        let zeros = |count| "0".repeat(count);
        assert_eq!(raw.body, format!("[\"00-{}-{}-01\", \"{}\"]", zeros(32), zeros(16), zeros(16)).into_bytes());
        assert_eq!(raw.headers.get("x-id").map(HeaderValue::as_bytes), Some(zeros(32).as_bytes()));
    }

    #[test]
    fn a_header_that_http_cannot_carry_is_no_answer() {
        assert!(played(received(&[("x-a", b"1"), ("x-a", b"2")], 0), 0).is_ok_and(|raw| raw.headers.len() == 2));
        for header in [("x a", b"1".as_slice()), ("", b"1"), ("x-a", b"1\r\nx-b: 2")] {
            assert!(matches!(played(received(&[header], 0), 0), Err(SendError::Broken(_))), "{header:?}");
        }
    }
}
