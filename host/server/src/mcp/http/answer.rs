//! Answers that this server gives over HTTP by itself.

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};

use crate::mcp::decode::Refused;

/// A JSON-RPC error as the body.
pub(super) fn json_rpc(status: StatusCode, refused: &Refused) -> Response {
    with_type(status, "application/json", Body::from(refused.to_json()))
}

/// The same for a request that can be made again in a moment.
pub(super) fn busy(refused: &Refused) -> Response {
    let mut response = json_rpc(StatusCode::SERVICE_UNAVAILABLE, refused);
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A sentence for people as the body.
pub(super) fn text(status: StatusCode, sentence: &'static str) -> Response {
    with_type(status, "text/plain; charset=utf-8", Body::from(sentence))
}

/// There is no such session for this principal; whether there is one for another is not said.
pub(super) fn unknown_session() -> Response {
    text(StatusCode::NOT_FOUND, "session not found\n")
}

/// The session has ended, and there is nothing to say about it.
pub(super) fn ended() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn with_type(status: StatusCode, media_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
