//! A call for which the caller's access token was not issued: to the client a challenge, so that it can get a token that was (MCP
//! 2025-11-25, "Scope Challenge Handling"; RFC 6750 section 3.1). The refusal itself is the house's, which has written it down.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{body::Body, response::Response};
use casemate_policy::{Principal, TokenScope};
use http::{StatusCode, request::Parts};
use http_body_util::{BodyExt, Limited};
use rmcp::model::{ClientJsonRpcMessage, ClientRequest, Extensions};

use super::{answer, bearer::Refusal};
use crate::{
    clock,
    identity::Identity,
    mcp::{House, Reply},
};

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

/// What a message calls.
#[derive(Debug)]
pub(super) enum Called {
    /// This tool.
    Tool(String),
    /// Whatever the task of this id is to call.
    Task(String),
}

impl Called {
    pub(super) fn of(message: &ClientJsonRpcMessage) -> Option<Self> {
        match message {
            ClientJsonRpcMessage::Request(request) => match &request.request {
                ClientRequest::CallToolRequest(call) => Some(Self::Tool(call.params.name.to_string())),
                ClientRequest::GetTaskRequest(get) => Some(Self::Task(get.params.task_id.clone())),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The scopes without which the caller's token is not good for what it calls.
pub(super) fn lacking<H: House>(house: &H, caller: &Principal, called: Option<Called>) -> Vec<TokenScope> {
    // To who came in without scopes they mean nothing, and no task is looked up for it.
    let Some(called) = called.filter(|_| caller.scopes().is_some()) else { return Vec::new() };
    let tool = match called {
        Called::Tool(tool) => Some(tool),
        Called::Task(id) => id.parse().ok().and_then(|id| {
            let task = house.ledger(|ledger| ledger.task(caller.id(), &id, clock::now()));
            Some(task.ok().flatten()?.tool)
        }),
    };
    tool.map(|tool| house.lacking(caller, &tool)).unwrap_or_default()
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
