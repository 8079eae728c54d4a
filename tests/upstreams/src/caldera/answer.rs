//! How Caldera answers: JSON from its handlers, and the plain text of aiohttp where none of them had a say.

use serde_json::{Value, json};

use crate::http::Response;

/// An answer that is not a success.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    /// From a handler.
    Json(u16, Value),
    /// From the framework: `401: Unauthorized`.
    Text(u16, &'static str),
}

/// aiohttp's own, which says the status twice and nothing else.
pub(super) const TROUBLE: Fault = Fault::Text(500, "500 Internal Server Error\n\nServer got itself in trouble");
pub(super) const UNAUTHORIZED: Fault = Fault::Text(401, "401: Unauthorized");
pub(super) const NO_ROUTE: Fault = Fault::Text(404, "404: Not Found");
pub(super) const NO_METHOD: Fault = Fault::Text(405, "405: Method Not Allowed");

impl Fault {
    /// `{"error": …}`
    pub(super) fn error(status: u16, message: impl Into<String>) -> Self {
        Fault::Json(status, json!({ "error": message.into() }))
    }

    /// An object of this kind that is not there.
    pub(super) fn not_found(kind: &str, id: &str) -> Self {
        Fault::error(404, format!("{kind} not found: {id}"))
    }

    /// A field that the schema does not take.
    pub(super) fn field(name: &str, why: &str) -> Self {
        Fault::Json(422, json!({ "json": { name: [why] } }))
    }

    /// A body that is not JSON.
    pub(super) fn invalid_json() -> Self {
        Fault::Json(400, json!({ "json": ["Invalid JSON body."] }))
    }
}

impl From<Fault> for Response {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Json(status, body) => ok(status, &body),
            Fault::Text(status, text) => plain(status, text),
        }
    }
}

/// A JSON answer.
pub(super) fn ok(status: u16, body: &Value) -> Response {
    dressed(Response::json(status, body))
}

/// A text answer.
pub(super) fn plain(status: u16, text: &str) -> Response {
    let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
    dressed(Response { status, headers, body: text.as_bytes().to_vec() })
}

/// An answer without a body.
pub(super) fn empty(status: u16) -> Response {
    dressed(Response::empty(status))
}

fn dressed(response: Response) -> Response {
    response.with_header("server", "Python/3.11 aiohttp/3.10.11")
}

/// The object in a request's body.
pub(super) fn object(body: &[u8]) -> Result<Value, Fault> {
    let value: Value = serde_json::from_slice(body).map_err(|_| Fault::invalid_json())?;
    if value.is_object() { Ok(value) } else { Err(Fault::field("_schema", "Invalid input type.")) }
}

/// A text of the body; nothing where it is absent or `null`.
pub(super) fn text<'a>(body: &'a Value, name: &str) -> Result<Option<&'a str>, Fault> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Fault::field(name, "Not a valid string.")),
    }
}

/// A text inside an object of the body, such as `adversary.adversary_id`.
pub(super) fn nested<'a>(body: &'a Value, outer: &str, name: &str) -> Result<Option<&'a str>, Fault> {
    match body.get(outer) {
        None | Some(Value::Null) => Ok(None),
        Some(inner @ Value::Object(_)) => text(inner, name),
        Some(_) => Err(Fault::Json(422, json!({ "json": { outer: { "_schema": ["Invalid input type."] } } }))),
    }
}
