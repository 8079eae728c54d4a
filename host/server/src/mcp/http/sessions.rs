//! The sessions of one principal (revisions with `initialize`), on top of `rmcp`'s.
//!
//! Two things are added. An id that is already in flight in the session is refused instead of crossing its answer with
//! the other one's. And a request whose response stream is dropped is cancelled.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Stream, future::Either};
use http::HeaderMap;
use rmcp::{
    model::{
        CancelledNotification, CancelledNotificationParam, ClientJsonRpcMessage, ClientNotification, JsonRpcMessage, RequestId,
        ServerJsonRpcMessage,
    },
    transport::streamable_http_server::session::{
        ServerSseMessage, SessionId, SessionManager,
        local::{LocalSessionManager, LocalSessionManagerError, SessionConfig},
    },
};

use crate::mcp::in_flight::InFlight;

/// Sessions one principal may have open. A client has one, or one for each conversation.
pub(super) const SESSIONS_PER_PRINCIPAL: usize = 256;

/// How long a session may be idle. Longer than any call may run: a session that ends takes its answers with it.
const IDLE: Duration = Duration::from_secs(30 * 60);

/// The session a request names.
pub(super) fn named(headers: &HeaderMap) -> Option<SessionId> {
    headers.get("mcp-session-id")?.to_str().ok().map(SessionId::from)
}

/// The sessions of one principal.
pub(super) struct Sessions {
    local: Arc<LocalSessionManager>,
    in_flight: Mutex<HashMap<SessionId, Arc<Mutex<InFlight>>>>,
}

impl Default for Sessions {
    fn default() -> Self {
        let mut config = SessionConfig::default();
        config.keep_alive = Some(IDLE);
        config.sse_retry = None;
        let mut local = LocalSessionManager::default();
        local.session_config = config;
        Self { local: Arc::new(local), in_flight: Mutex::default() }
    }
}

impl Sessions {
    /// How many sessions are open.
    pub(super) async fn count(&self) -> usize {
        self.local.sessions.read().await.len()
    }

    /// Whether no session is open.
    pub(super) fn is_empty(&self) -> bool {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn in_flight(&self, id: &SessionId) -> Option<Arc<Mutex<InFlight>>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }
}

impl SessionManager for Sessions {
    type Error = LocalSessionManagerError;
    type Transport = <LocalSessionManager as SessionManager>::Transport;

    async fn create_session(&self) -> Result<(SessionId, Self::Transport), Self::Error> {
        let (id, transport) = self.local.create_session().await?;
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), Arc::default());
        Ok((id, transport))
    }

    async fn initialize_session(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<ServerJsonRpcMessage, Self::Error> {
        self.local.initialize_session(id, message).await
    }

    async fn has_session(&self, id: &SessionId) -> Result<bool, Self::Error> {
        self.local.has_session(id).await
    }

    async fn close_session(&self, id: &SessionId) -> Result<(), Self::Error> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        self.local.close_session(id).await
    }

    async fn create_stream(
        &self,
        id: &SessionId,
        message: ClientJsonRpcMessage,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        let (JsonRpcMessage::Request(request), Some(in_flight)) = (&message, self.in_flight(id)) else {
            return Err(LocalSessionManagerError::SessionNotFound(id.clone()));
        };
        let request = request.id.clone();
        let claimed = in_flight.lock().unwrap_or_else(PoisonError::into_inner).claim(&request);
        if let Err(error) = claimed {
            let refusal = ServerSseMessage::from_message(JsonRpcMessage::error(error, Some(request)));
            return Ok(Either::Left(futures_util::stream::once(std::future::ready(refusal))));
        }
        let awaited = Awaited { request, session: id.clone(), local: Arc::clone(&self.local), in_flight, answered: false };
        let messages = self.local.create_stream(id, message).await?;
        Ok(Either::Right(AnswerStream { messages: Box::pin(messages), awaited }))
    }

    async fn accept_message(&self, id: &SessionId, message: ClientJsonRpcMessage) -> Result<(), Self::Error> {
        if let JsonRpcMessage::Notification(notification) = &message
            && let ClientNotification::CancelledNotification(cancelled) = &notification.notification
            && let Some(request) = &cancelled.params.request_id
            && let Some(in_flight) = self.in_flight(id)
        {
            in_flight.lock().unwrap_or_else(PoisonError::into_inner).cancelled(request);
        }
        self.local.accept_message(id, message).await
    }

    async fn create_standalone_stream(
        &self,
        id: &SessionId,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.local.create_standalone_stream(id).await
    }

    async fn resume(
        &self,
        id: &SessionId,
        last_event_id: String,
    ) -> Result<impl Stream<Item = ServerSseMessage> + Send + Sync + 'static, Self::Error> {
        self.local.resume(id, last_event_id).await
    }
}

/// The messages that answer one request.
struct AnswerStream {
    messages: Pin<Box<dyn Stream<Item = ServerSseMessage> + Send + Sync>>,
    awaited: Awaited,
}

impl Stream for AnswerStream {
    type Item = ServerSseMessage;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = ready!(self.messages.as_mut().poll_next(context));
        // The end without an answer comes after a cancellation, or with the end of the session.
        let last = message.as_ref().is_none_or(|message| {
            matches!(message.message.as_deref(), Some(JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_)))
        });
        self.awaited.answered |= last;
        Poll::Ready(message)
    }
}

/// A request that is in flight as long as this lives.
struct Awaited {
    request: RequestId,
    session: SessionId,
    local: Arc<LocalSessionManager>,
    in_flight: Arc<Mutex<InFlight>>,
    answered: bool,
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let mut in_flight = self.in_flight.lock().unwrap_or_else(PoisonError::into_inner);
        if self.answered {
            in_flight.answered(&self.request);
            return;
        }
        in_flight.cancelled(&self.request);
        drop(in_flight);
        let reason = Some("the client closed the response stream".into());
        let params = CancelledNotificationParam::new(Some(self.request.clone()), reason);
        let notification = JsonRpcMessage::notification(CancelledNotification::new(params).into());
        let (local, session) = (Arc::clone(&self.local), self.session.clone());
        // Dropped from within the runtime that served the stream. Should there be none any more, so are the calls.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { local.accept_message(&session, notification).await });
        }
    }
}
