//! MCP over HTTP with SSE behind the gate: one request is one call of a tool, in a session of its own.
//!
//! In this transport, of revision 2024-11-05 of the protocol, what a client says is posted, and what the server answers comes on a stream
//! of events that never ends. A component is given an answer when all of it is there, so the host listens: it opens the stream, posts what
//! passed the gate to where the server wants it, and hands over the one message that answers it. The session ends with the stream.
//! <https://modelcontextprotocol.io/specification/2024-11-05/basic/transports#http-with-sse>

use std::{net::IpAddr, pin::Pin};

use bytes::Bytes;
use casemate_policy::output::Redactor;
use futures_util::{Stream, StreamExt, stream};
use reqwest::{
    Client, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sse_stream::{Sse, SseStream};
use url::Url;

use super::transport::{Raw, SendError, chain, classify, whole};

/// What the host calls its own first question. A component's is answered after it.
const FIRST: &str = "casemate";
/// The revision that this transport is of.
const REVISION: &str = "2024-11-05";
const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";

/// How one session is had.
pub(super) struct Session<'a> {
    pub(super) client: &'a Client,
    /// Where the stream is.
    pub(super) url: &'a str,
    /// The credential, which goes with everything.
    pub(super) headers: &'a HeaderMap,
    /// Bytes of the whole stream.
    pub(super) cap: usize,
    pub(super) redactor: &'a Redactor,
}

/// Why there is no message.
enum Fault {
    /// The server answered a request with this, and that is all there is.
    Refused(Raw),
    Failed(SendError),
}

impl From<SendError> for Fault {
    fn from(error: SendError) -> Self {
        Self::Failed(error)
    }
}

/// The beginning of any message of JSON-RPC.
#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    id: Value,
    /// Of what a server asks or tells by itself.
    method: Option<Value>,
    error: Option<Value>,
}

impl Session<'_> {
    /// The message that answers this one, as JSON.
    pub(super) async fn call(&self, message: &[u8]) -> Result<Raw, SendError> {
        let id = match serde_json::from_slice(message) {
            Ok(Message { id, .. }) if !id.is_null() => id,
            _ => return Err(SendError::Connect("what is asked has no id, so nothing could answer it".to_owned())),
        };
        let (mut events, endpoint) = match self.begin().await {
            Ok(begun) => begun,
            Err(Fault::Refused(raw)) => return Ok(raw),
            Err(Fault::Failed(error)) => return Err(before(error)),
        };
        match self.ask(&mut events, &endpoint, message, &id).await {
            Ok(answer) => Ok(Raw::json(200, answer.into_bytes(), events.address)),
            Err(Fault::Refused(raw)) => Ok(raw),
            Err(Fault::Failed(error)) => Err(error),
        }
    }

    /// Open the stream and the session in it.
    async fn begin(&self) -> Result<(Events<'_>, Url), Fault> {
        let request = self.client.get(self.url).headers(self.headers.clone()).header(ACCEPT, EVENTS);
        let response = request.send().await.map_err(|error| classify(error, self.redactor))?;
        if response.status() != StatusCode::OK {
            return Err(Fault::Refused(whole(response, self.cap, self.redactor).await?));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with(EVENTS) {
            return Err(lied("what it answers is no stream of events").into());
        }
        let mut events = Events::new(response, self.cap, self.redactor);
        let endpoint = loop {
            let event = events.next().await?;
            if event.event.as_deref() == Some("endpoint") {
                break self.endpoint(&event.data.unwrap_or_default())?;
            }
        };
        let client_info = json!({ "name": "casemate", "version": "1" });
        let params = json!({ "protocolVersion": REVISION, "capabilities": {}, "clientInfo": client_info });
        let hello = json!({ "jsonrpc": "2.0", "id": FIRST, "method": "initialize", "params": params });
        let answer = self.ask(&mut events, &endpoint, hello.to_string().as_bytes(), &FIRST.into()).await?;
        if serde_json::from_str(&answer).is_ok_and(|Message { error, .. }| error.is_some()) {
            return Err(lied("it declines to begin a session").into());
        }
        let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        self.post(&endpoint, ready.to_string().as_bytes()).await?;
        Ok((events, endpoint))
    }

    /// Where to post: the server says, and can only say where it is itself.
    fn endpoint(&self, said: &str) -> Result<Url, SendError> {
        let stream = Url::parse(self.url).map_err(|error| SendError::Connect(error.to_string()))?;
        let endpoint = stream.join(said).map_err(|_| lied("it wants messages posted to what is no URL"))?;
        let same = endpoint.origin() == stream.origin() && endpoint.username().is_empty() && endpoint.password().is_none();
        if same { Ok(endpoint) } else { Err(lied("it wants messages posted to another origin than its own")) }
    }

    /// Post a message and hear its answer, at the same time: a server may not take all of a message before its answer is read. What is said to
    /// a message that was not taken is no answer, and a refusal says more than that the stream has ended.
    async fn ask(&self, events: &mut Events<'_>, endpoint: &Url, message: &[u8], id: &Value) -> Result<String, Fault> {
        let posted = self.post(endpoint, message);
        let heard = events.answer(id);
        tokio::pin!(posted, heard);
        let heard = tokio::select! {
            taken = &mut posted => {
                taken?;
                heard.await
            }
            heard = &mut heard => {
                posted.await?;
                heard
            }
        };
        Ok(heard?)
    }

    async fn post(&self, endpoint: &Url, message: &[u8]) -> Result<(), Fault> {
        let request = self.client.post(endpoint.clone()).headers(self.headers.clone()).header(CONTENT_TYPE, JSON);
        let response = request.body(message.to_vec()).send().await.map_err(|error| classify(error, self.redactor))?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(Fault::Refused(whole(response, self.cap, self.redactor).await?))
    }
}

/// What a server says by itself.
struct Events<'a> {
    events: Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>,
    address: Option<IpAddr>,
    redactor: &'a Redactor,
}

/// Why there is no more of a stream.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("there is more than may be read")]
    TooLarge,
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
}

impl<'a> Events<'a> {
    fn new(response: Response, cap: usize, redactor: &'a Redactor) -> Self {
        let address = response.remote_addr().map(|address| address.ip());
        let bytes = stream::try_unfold((response, cap), async |(mut response, left)| match response.chunk().await? {
            None => Ok(None),
            Some(chunk) => {
                let left = left.checked_sub(chunk.len()).ok_or(Stop::TooLarge)?;
                Ok::<Option<(Bytes, _)>, Stop>(Some((chunk, (response, left))))
            }
        });
        Self { events: Box::pin(SseStream::from_bytes_stream(Box::pin(bytes))), address, redactor }
    }

    async fn next(&mut self) -> Result<Sse, SendError> {
        match self.events.next().await {
            Some(Ok(event)) => Ok(event),
            None => Err(lied("the stream ended before the answer")),
            Some(Err(sse_stream::Error::Body(stop))) => Err(match stop.downcast_ref() {
                Some(Stop::TooLarge) => SendError::TooLarge,
                _ => SendError::Broken(self.redactor.redact(&chain(stop.as_ref())).0.into_owned()),
            }),
            Some(Err(_)) => Err(lied("what comes on the stream is no event")),
        }
    }

    /// The message that answers what has this id. What else a server says is passed over.
    async fn answer(&mut self, wanted: &Value) -> Result<String, SendError> {
        loop {
            let Sse { event, data, .. } = self.next().await?;
            let Some(data) = data.filter(|_| event.is_none_or(|event| event == "message")) else { continue };
            if serde_json::from_str(&data).is_ok_and(|Message { id, method, .. }| id == *wanted && method.is_none()) {
                return Ok(data);
            }
        }
    }
}

/// What no server of this protocol does.
fn lied(what: &str) -> SendError {
    SendError::Broken(what.to_owned())
}

/// Nothing of what was asked has been sent yet.
fn before(error: SendError) -> SendError {
    match error {
        SendError::Broken(text) => SendError::Connect(text),
        SendError::TooLarge => SendError::Connect("it says more than a server has to say before it is asked".to_owned()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
