//! A stream of changes lasts no longer than what let its client in: whose token was revoked or has expired hears nothing more.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    response::Response,
};
use bytes::Bytes;
use casemate_policy::Principal;
use http::{HeaderMap, Uri, header};
use hyper::body::{Frame, SizeHint};
use tokio::time::sleep;

use super::{bearer::authenticate, tls::ClientCertificate};
use crate::identity::Identity;

/// How often it is asked again whether the client would still be let in.
const AGAIN: Duration = Duration::from_secs(2);

/// What let a request in, to be shown again.
pub(super) struct Standing {
    identity: Arc<Identity>,
    uri: Uri,
    /// What a token may be in, and nothing else of the request's.
    headers: HeaderMap,
    certificate: Option<ClientCertificate>,
    principal: Principal,
}

impl Standing {
    pub(super) fn of(request: &Request, principal: &Principal, identity: &Arc<Identity>) -> Self {
        let tokens = request.headers().get_all(header::AUTHORIZATION).iter();
        Self {
            identity: Arc::clone(identity),
            uri: request.uri().clone(),
            headers: tokens.map(|token| (header::AUTHORIZATION, token.clone())).collect(),
            certificate: request.extensions().get().cloned(),
            principal: principal.clone(),
        }
    }

    /// `answer`, which ends when this principal is no longer let in as what it was.
    pub(super) fn bounds(self, answer: Response) -> Response {
        answer.map(|body| Body::new(Bounded { body, lost: Some(Box::pin(self.lost())) }))
    }

    async fn lost(self) {
        loop {
            sleep(AGAIN).await;
            let again = authenticate(&self.identity, &self.uri, &self.headers, self.certificate.as_ref()).await;
            if again.ok().as_ref() != Some(&self.principal) {
                tracing::info!(principal = %self.principal.id(), "a stream ended with the standing of who listens");
                return;
            }
        }
    }
}

struct Bounded {
    body: Body,
    /// Until it has happened.
    lost: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = self.get_mut();
        let Some(lost) = &mut this.lost else { return Poll::Ready(None) };
        if lost.as_mut().poll(context).is_ready() {
            this.lost = None;
            // What would be sent on it is not even made any more.
            this.body = Body::empty();
            return Poll::Ready(None);
        }
        Pin::new(&mut this.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
