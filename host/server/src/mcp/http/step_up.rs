//! A call for which the caller's access token was not issued: to the client a challenge, so that it can get a token that was (MCP
//! 2025-11-25, "Scope Challenge Handling"; RFC 6750 section 3.1). The refusal itself is the house's, which has written it down.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{body::Body, response::Response};
use casemate_policy::TokenScope;
use http::{StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, Extensions};

use super::{answer, bearer::Refusal};
use crate::{identity::Identity, mcp::Reply};

/// Whether the house refused the request's call for want of a scope.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct Refused(Arc<AtomicBool>);

impl Refused {
    /// The one that came with a request; one that nobody looks at where it came otherwise than over HTTP.
    pub(in crate::mcp) fn of(extensions: &Extensions) -> Self {
        extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Self>()).cloned().unwrap_or_default()
    }

    /// The house's word on the call.
    pub(in crate::mcp) fn note(&self, reply: &Reply) {
        if reply.lacks_scope() {
            self.0.store(true, Ordering::Release);
        }
    }
}

/// The tool that a message calls.
pub(super) fn called(message: &ClientJsonRpcMessage) -> Option<String> {
    match message {
        ClientJsonRpcMessage::Request(request) => match &request.request {
            ClientRequest::CallToolRequest(call) => Some(call.params.name.to_string()),
            _ => None,
        },
        _ => None,
    }
}

/// The challenge in place of `answer`, if the call was refused for want of `lacking`. The answer is read to its end first: the house
/// decides while it is made, and may have changed its mind since it was asked.
pub(super) async fn challenge(
    answer: Response,
    refused: &Refused,
    lacking: Vec<TokenScope>,
    identity: &Identity,
    limit: usize,
) -> Response {
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, limit.max(LEAST)).collect().await;
    if refused.0.load(Ordering::Acquire) {
        let needed = identity.oauth().map(|oauth| oauth.settings().rules.scopes.iter().cloned()).into_iter().flatten();
        return Refusal::Insufficient(needed.chain(lacking).collect()).answer(identity);
    }
    match body {
        Ok(body) => Response::from_parts(parts, Body::from(body.to_bytes())),
        Err(_) => answer::text(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be read\n"),
    }
}

/// Bytes of an answer that are held at least: results are larger than requests.
const LEAST: usize = 64 << 20;
