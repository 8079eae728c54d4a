//! `wasi:http/outgoing-handler`: collects a request whole, asks the gate, and only then lets it out.
//!
//! A request that may not go ends the call: the guest is dropped where it waits, so it learns nothing from a refusal
//! and cannot tell a dry run from a real one.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use casemate_policy::egress::{AssumedAnswer, Checked, Conduct, Outgoing, Plan, RefusalReason, Verdict};
use http::{Request, Response, uri::Scheme};
use http_body_util::{BodyExt, Full};
use tokio::sync::{Semaphore, mpsc};
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

use crate::{
    call::{Ending, Ends, Exchange, ExchangeStatus, Fault, Limit},
    egress::{Answer, Leaving, SendError, Upstreams, Witness},
    limits::Limits,
};

/// Requests of one call that may be under way at once.
const AT_ONCE: usize = 4;
/// Bytes of a request's body that a guest may hand over at a time; two such chunks wait in host memory.
const BODY_CHUNK: usize = 64 << 10;
/// Bytes of one request's headers, names and values.
const HEADER_BYTES: usize = 16 << 10;

/// State of the import: what one call may send, and what it sent. `None` gives no network at all.
pub(crate) struct Egress(Option<Arc<Desk>>);

/// One call's desk at the gate, shared with the requests that are under way.
pub(crate) struct Desk {
    /// What decides; none when the run has ended.
    conduct: Mutex<Option<Conduct>>,
    upstreams: Arc<Upstreams>,
    limits: Limits,
    leaving: Leaving,
    taken: AtomicU64,
    /// Bytes that upstreams may still answer, where a budget counts them.
    budget: Option<Budget>,
    at_once: Semaphore,
    journal: Mutex<Journal>,
    ends: Ends,
    stop: mpsc::UnboundedSender<Ending>,
}

/// What was sent. Once it is closed nothing can be added, and what cannot be added is not sent.
#[derive(Default)]
struct Journal {
    exchanges: Vec<Exchange>,
    closed: bool,
}

impl Desk {
    pub(crate) fn new(
        conduct: Conduct,
        upstreams: Arc<Upstreams>,
        limits: Limits,
        ends: Ends,
        leaving: Leaving,
        budget: Option<u64>,
        stop: mpsc::UnboundedSender<Ending>,
    ) -> Self {
        Self {
            conduct: Mutex::new(Some(conduct)),
            upstreams,
            limits,
            leaving,
            taken: AtomicU64::new(0),
            budget: budget.map(|bytes| Budget { whole: bytes, left: AtomicU64::new(bytes) }),
            at_once: Semaphore::new(AT_ONCE),
            journal: Mutex::default(),
            ends,
            stop,
        }
    }

    /// Let nothing more out, and give everything that was sent, and what is left of the run's conduct.
    pub(crate) fn close(&self) -> (Vec<Exchange>, Option<Conduct>) {
        let mut journal = self.journal();
        journal.closed = true;
        (std::mem::take(&mut journal.exchanges), self.conduct().take())
    }

    fn conduct(&self) -> MutexGuard<'_, Option<Conduct>> {
        self.conduct.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// End the call here: no other request of it leaves, and the guest waits for an answer that never comes, until it is dropped.
    async fn end(&self, ending: Ending) -> HttpError {
        self.journal().closed = true;
        // The receiver is gone only when the call has ended already.
        let _ = self.stop.send(ending);
        std::future::pending().await
    }

    async fn limit(&self, limit: Limit) -> HttpError {
        self.end(Ending::Fault(Fault::Limit(limit))).await
    }

    async fn handle(&self, request: Request<WasiBody>) -> Result<Answer, HttpError> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.limits.requests {
            return Err(self.limit(Limit::requests(self.limits.requests)).await);
        }
        let _place = self.at_once.acquire().await.map_err(|_| HttpError::ConnectionLimitReached)?;
        let Some(outgoing) = self.collect(request).await? else {
            return Err(self.limit(Limit::request(self.limits.request_bytes)).await);
        };
        let verdict = self.conduct().as_mut().map(|conduct| conduct.check(outgoing));
        match verdict {
            Some(Verdict::Send(checked)) => self.send(checked).await,
            Some(Verdict::Assume(checked, assumed)) => {
                self.leaving.transport.plan(&checked);
                Ok(answer(&assumed))
            }
            Some(Verdict::End(plan)) => {
                self.planned(&plan);
                Err(self.end(Ending::Planned(plan)).await)
            }
            // An earlier request ended the run, and that is how it ended.
            Some(Verdict::Refuse(refusal)) if refusal.reason() == RefusalReason::RunEnded => std::future::pending().await,
            Some(Verdict::Refuse(refusal)) => Err(self.end(Ending::Refused(refusal)).await),
            // It was closed: the guest is being dropped.
            None => std::future::pending().await,
        }
    }

    /// The last request of a plan ends the run; the others were noted when their answers were assumed.
    fn planned(&self, plan: &Plan) {
        if let Some(last) = plan.requests().last() {
            self.leaving.transport.plan(last.request());
        }
    }

    /// The whole request as the guest made it, or nothing where it is larger than it may be.
    async fn collect(&self, request: Request<WasiBody>) -> Result<Option<Outgoing>, HttpError> {
        let (parts, mut body) = request.into_parts();
        let headers: Vec<(String, Vec<u8>)> =
            parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
        if headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > HEADER_BYTES {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(chunk) = frame?.into_data() else { continue };
            if bytes.len() + chunk.len() > self.limits.request_bytes {
                return Ok(None);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Some(Outgoing {
            method: parts.method.as_str().to_owned(),
            scheme: parts.uri.scheme_str().unwrap_or_default().to_owned(),
            authority: parts.uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default(),
            path_and_query: parts.uri.path_and_query().map(|path| path.as_str().to_owned()).unwrap_or_default(),
            headers,
            body: bytes,
        }))
    }

    async fn send(&self, request: Checked) -> Result<Answer, HttpError> {
        let Some(at) = self.note(&request) else { return std::future::pending().await };
        let most = match &self.budget {
            Some(budget) => budget.take(self.limits.response_bytes),
            None => self.limits.response_bytes,
        };
        let result = self.upstreams.send(&request, most, &self.leaving, self).await;
        if let (Some(budget), Ok(answer)) = (&self.budget, &result) {
            budget.give_back(most.saturating_sub(answer.body.len()));
        }
        let (status, failure) = match result {
            Ok(answer) => {
                self.settle(
                    at,
                    ExchangeStatus::Answered { status: answer.status, bytes: answer.body.len(), address: answer.address },
                );
                let content_type = answer.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
                if let Some(conduct) = self.conduct().as_mut() {
                    conduct.answered(&request, answer.status, content_type, &answer.body);
                }
                return Ok(answer);
            }
            Err(SendError::Prohibited(prohibited)) => {
                self.settle(
                    at,
                    ExchangeStatus::NotSent { reason: format!("address {} is {}", prohibited.address, prohibited.class) },
                );
                return Err(self.end(Ending::Fault(Fault::Address { detail: prohibited.to_string() })).await);
            }
            Err(SendError::TooLarge) => {
                self.settle(at, ExchangeStatus::Broken { reason: format!("larger than {most} bytes") });
                let limit = match &self.budget {
                    Some(budget) if most < self.limits.response_bytes => Limit::budget(budget.whole),
                    _ => Limit::response(self.limits.response_bytes),
                };
                return Err(self.limit(limit).await);
            }
            Err(SendError::Secret(error)) => {
                (ExchangeStatus::NotSent { reason: error.to_string() }, HttpError::ConfigurationError)
            }
            Err(SendError::Token(reason)) => (ExchangeStatus::NotSent { reason }, HttpError::ConfigurationError),
            Err(SendError::Connect(reason)) => (ExchangeStatus::NotSent { reason }, HttpError::ConnectionRefused),
            Err(SendError::Broken(reason)) => (ExchangeStatus::Broken { reason }, HttpError::HttpResponseIncomplete),
        };
        self.settle(at, status);
        Err(failure)
    }

    /// Write the request down before it leaves, so that a call that is cut off still shows it. `None` where the call has
    /// ended, or was told to: then it must not leave.
    fn note(&self, request: &Checked) -> Option<usize> {
        self.begin(Exchange::of(request))
    }

    fn settle(&self, at: usize, status: ExchangeStatus) {
        if let Some(exchange) = self.journal().exchanges.get_mut(at) {
            exchange.settle(status);
        }
    }
}

impl Witness for Desk {
    fn begin(&self, exchange: Exchange) -> Option<usize> {
        let mut journal = self.journal();
        // Whatever sends runs beside what stops the call, and would else be a little ahead of it.
        if journal.closed || self.ends.fault().is_some() {
            return None;
        }
        journal.exchanges.push(exchange);
        Some(journal.exchanges.len() - 1)
    }

    fn end(&self, at: usize, status: ExchangeStatus) {
        self.settle(at, status);
    }
}

/// Bytes that upstreams may answer in one call, over all its requests.
struct Budget {
    whole: u64,
    left: AtomicU64,
}

impl Budget {
    /// Take what one answer may have, at most `most`, so that answers which come at once do not exceed the whole together.
    fn take(&self, most: usize) -> usize {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        let before = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(most)));
        usize::try_from(before.unwrap_or_default().min(most)).unwrap_or(usize::MAX)
    }

    fn give_back(&self, bytes: usize) {
        self.left.fetch_add(u64::try_from(bytes).unwrap_or_default(), Ordering::SeqCst);
    }
}

/// An answer that a dry run assumes.
fn answer(assumed: &AssumedAnswer) -> Answer {
    let mut headers = http::HeaderMap::new();
    if let Some(content_type) = assumed.content_type() {
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(content_type));
    }
    Answer { status: assumed.status(), headers, body: assumed.body().to_vec(), address: None }
}

impl Egress {
    pub(crate) fn new(desk: Arc<Desk>) -> Self {
        Self(Some(desk))
    }

    /// No network: what `describe` gets.
    pub(crate) fn none() -> Self {
        Self(None)
    }
}

type Worker = Box<dyn Future<Output = Result<(), HttpError>> + Send>;

impl WasiHttpHooks for Egress {
    /// The transport sets `Host` from the checked URL; a guest's own never exists.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        BODY_CHUNK
    }

    fn default_scheme(&mut self) -> Option<Scheme> {
        Some(Scheme::HTTPS)
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Worker,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Worker), HttpError>> + Send> {
        let desk = self.0.clone();
        Box::new(async move {
            let desk = desk.ok_or(HttpError::HttpRequestDenied)?;
            let answer = desk.handle(request).await?;
            let mut response = Response::new(Full::new(Bytes::from(answer.body)).map_err(|never| match never {}).boxed_unsync());
            *response.status_mut() = http::StatusCode::from_u16(answer.status).map_err(|_| HttpError::HttpProtocolError)?;
            *response.headers_mut() = answer.headers;
            Ok((response, Box::new(async { Ok(()) }) as Worker))
        })
    }
}
