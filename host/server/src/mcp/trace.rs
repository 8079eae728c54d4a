//! Under which trace a request says it is made.

use http::request::Parts;
use rmcp::{RoleServer, service::RequestContext};
use serde_json::Value;

use crate::trace::{TRACEPARENT, TraceParent};

/// As its `_meta` says, or else its HTTP header. What is malformed counts as absent, as the standard asks.
pub(super) fn of(context: &RequestContext<RoleServer>) -> Option<TraceParent> {
    let header = || context.extensions.get::<Parts>()?.headers.get(TRACEPARENT)?.to_str().ok();
    context.meta.get(TRACEPARENT).and_then(Value::as_str).or_else(header)?.parse().ok()
}
