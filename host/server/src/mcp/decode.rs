//! One message from a client, from bytes: either what `rmcp` understands, or what to answer instead.
//!
//! Every message of both transports passes here first, so that bytes that are no JSON, JSON that is no JSON-RPC and
//! requests that cannot be told apart get the answers of JSON-RPC 2.0 section 5.1, with the request's id wherever one can
//! be read. What is only wrong for its method is left to the handler.

use std::borrow::Cow;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientJsonRpcMessage, ClientRequest, ErrorData, JsonRpcMessage, MetaObject,
    RequestId, RequestMetaObject,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, value::RawValue};

/// The longest text that may be a request's id. Ids are kept while the request is in flight, and come back in answers.
const ID_BYTES: usize = 256;

/// A message that is answered here, because nothing behind could.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    id: Option<RequestId>,
    error: Box<ErrorData>,
}

impl Refused {
    /// `error`, as the answer to the request `id`.
    pub(super) fn new(id: Option<RequestId>, error: ErrorData) -> Self {
        Self { id, error: Box::new(error) }
    }

    /// A message above `limit` bytes; its id was not read.
    pub(super) fn too_large(limit: usize) -> Self {
        Self::invalid(None, format!("the message is larger than {limit} bytes"))
    }

    fn invalid(id: Option<RequestId>, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(id, ErrorData::invalid_request(message, None))
    }

    fn unparsable(error: &serde_json::Error) -> Self {
        Self::new(None, ErrorData::parse_error(format!("the message is not JSON: {error}"), None))
    }

    /// The answer as JSON text without a line break. `id` is null where none could be read (JSON-RPC 2.0 section 5).
    pub(super) fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Answer<'a> {
            jsonrpc: &'static str,
            id: Option<&'a RequestId>,
            error: &'a ErrorData,
        }
        let answer = Answer { jsonrpc: "2.0", id: self.id.as_ref(), error: &self.error };
        // Plain strings and numbers always serialise; the fallback says the same without details.
        serde_json::to_vec(&answer).unwrap_or_else(|_| INTERNAL_ERROR.to_vec())
    }
}

const INTERNAL_ERROR: &[u8] = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"internal error"}}"#;

/// The members of a message, not looked into. A member that is given twice is an error of the whole message.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    error: Option<&'a RawValue>,
}

/// A member that is there, `null` or not: an `Option` alone would take `null` for absent.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads one message.
pub(super) fn decode(bytes: &[u8]) -> Result<ClientJsonRpcMessage, Refused> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Refused::new(None, ErrorData::parse_error("the message is not JSON: it is not valid UTF-8", None)))?;
    // RFC 8259 section 8.1: a byte order mark may be ignored.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| outer_fault(text, &error))?;
    let id = envelope.id.map(read_id);
    let readable_id = id.clone().and_then(Result::ok);

    let version = envelope.jsonrpc.and_then(|raw| serde_json::from_str::<Cow<'_, str>>(raw.get()).ok());
    if version.as_deref() != Some("2.0") {
        return Err(Refused::invalid(readable_id, "`jsonrpc` must be \"2.0\""));
    }
    if let Some(method) = envelope.method {
        if envelope.result.is_some() || envelope.error.is_some() {
            return Err(Refused::invalid(readable_id, "a message with `method` has neither `result` nor `error`"));
        }
        let Ok(method) = serde_json::from_str::<Cow<'_, str>>(method.get()) else {
            return Err(Refused::invalid(readable_id, "`method` must be text"));
        };
        if let Some(id) = id {
            let id = id.map_err(|message| Refused::invalid(None, message))?;
            if let Some(params) = envelope.params {
                check_params(&method, params)
                    .map_err(|message| Refused::new(Some(id.clone()), ErrorData::invalid_params(message, None)))?;
                if method == "tools/call"
                    && let Some(request) = plain_call(params)
                {
                    return Ok(JsonRpcMessage::request(request, id));
                }
            }
        }
    }
    // Everything else takes the general way. The text was JSON for the envelope, so what fails now is the message:
    // too deep, a lone surrogate, no member that makes it a request, a notification or an answer.
    serde_json::from_str(text).map_err(|error| Refused::invalid(readable_id, format!("not a valid message: {error}")))
}

/// What is wrong with text that is not one JSON object, each member given once.
fn outer_fault(text: &str, error: &serde_json::Error) -> Refused {
    match error.classify() {
        serde_json::error::Category::Data => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Err(syntax) => Refused::unparsable(&syntax),
            Ok(_) if text.trim_start().starts_with('[') => {
                Refused::invalid(None, "batches are not part of the protocol since 2025-06-18; send one message at a time")
            }
            Ok(_) => Refused::invalid(None, format!("not a valid message: {error}")),
        },
        _ => Refused::unparsable(error),
    }
}

fn read_id(raw: &RawValue) -> Result<RequestId, &'static str> {
    let id: RequestId = serde_json::from_str(raw.get()).map_err(|_| "`id` must be text or an integer")?;
    match &id {
        RequestId::String(text) if text.len() > ID_BYTES => Err("`id` is longer than 256 bytes"),
        _ => Ok(id),
    }
}

/// What `rmcp` would not mind: params that are no object, and a cursor that is no text, which it takes for none.
fn check_params(method: &str, params: &RawValue) -> Result<(), &'static str> {
    #[derive(Deserialize)]
    struct Paged<'a> {
        #[serde(borrow)]
        #[expect(dead_code, reason = "only its form matters here")]
        cursor: Option<Cow<'a, str>>,
    }
    match params.get() {
        "null" => Ok(()),
        object if object.starts_with('{') => match method {
            "tools/list" | "prompts/list" | "resources/list" | "resources/templates/list"
                if serde_json::from_str::<Paged<'_>>(object).is_err() =>
            {
                Err("`cursor` must be text")
            }
            _ => Ok(()),
        },
        _ => Err("`params` must be an object"),
    }
}

/// A `tools/call` with nothing out of the ordinary, read in one pass: the general way tries every kind of message in
/// turn and copies the arguments on each try.
fn plain_call(params: &RawValue) -> Option<ClientRequest> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Params<'a> {
        #[serde(borrow)]
        name: Cow<'a, str>,
        arguments: Option<Map<String, Value>>,
        #[serde(rename = "_meta")]
        meta: Option<Map<String, Value>>,
    }
    let params: Params<'_> = serde_json::from_str(params.get()).ok()?;
    let mut call = CallToolRequestParams::new(params.name.into_owned());
    call.arguments = params.arguments;
    let mut request = CallToolRequest::new(call);
    if let Some(meta) = params.meta {
        request.extensions.insert(RequestMetaObject(MetaObject(meta)));
    }
    Some(ClientRequest::CallToolRequest(request))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use rmcp::model::{ClientJsonRpcMessage, ClientRequest, GetMeta};
    use serde_json::{Value, json};

    use super::decode;

    /// The error code and id that `text` is answered with.
    fn refused(text: impl AsRef<[u8]>) -> (i64, Value) {
        let answer: Value = serde_json::from_slice(&decode(text.as_ref()).unwrap_err().to_json()).unwrap();
        assert_eq!(answer["jsonrpc"], "2.0");
        (answer["error"]["code"].as_i64().unwrap(), answer["id"].clone())
    }

    #[test]
    fn text_that_is_not_json_is_a_parse_error_without_id() {
        for text in ["", "{", "hello", r#"{"jsonrpc":"2.0","id":1"#, "[1,", r#"{"id":1}x"#, "\u{0}", "{'id':1}"] {
            assert_eq!(refused(text), (-32700, Value::Null), "`{text}`");
        }
        assert_eq!(refused(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"), (-32700, Value::Null));
    }

    #[test]
    fn json_that_is_no_request_is_invalid_with_the_id_that_can_be_read() {
        for (text, id) in [
            ("1", Value::Null),
            ("null", Value::Null),
            ("[]", Value::Null),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, Value::Null),
            ("{}", Value::Null),
            (r#"{"id":1,"method":"ping"}"#, json!(1)),
            (r#"{"jsonrpc":"1.0","id":"a","method":"ping"}"#, json!("a")),
            (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1}"#, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, json!(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#, json!(1)),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, Value::Null),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, Value::Null),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, Value::Null),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, Value::Null),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}"#, Value::Null),
            (r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"\ud800"}}"#, json!(9)),
        ] {
            assert_eq!(refused(text), (-32600, id), "`{text}`");
        }
    }

    #[test]
    fn a_message_nested_too_deep_is_invalid_and_keeps_its_id() {
        let deep = "[".repeat(200) + &"]".repeat(200);
        let text =
            format!(r#"{{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{{"name":"t","arguments":{{"a":{deep}}}}}}}"#);
        assert_eq!(refused(text), (-32600, json!(4)));
    }

    #[test]
    fn a_long_id_is_refused_and_not_sent_back() {
        let text = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(257));
        assert_eq!(refused(text), (-32600, Value::Null));
    }

    #[test]
    fn a_call_reads_the_same_on_the_short_and_the_general_way() {
        let text = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"_meta":{"progressToken":"p"},"name":"a_b",
            "arguments":{"z":1,"a":[true,null,"é"]}}}"#;
        let general: ClientJsonRpcMessage = serde_json::from_str(text).unwrap();
        let short = decode(text.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&short).unwrap(), serde_json::to_string(&general).unwrap());
        let ClientJsonRpcMessage::Request(request) = short else { panic!("a request") };
        assert!(request.request.get_meta().get_progress_token().is_some());
        assert!(matches!(request.request, ClientRequest::CallToolRequest(_)));
    }

    #[test]
    fn malformed_calls_are_left_to_the_handler() {
        for params in
            [r#","params":{}"#, r#","params":{"name":1}"#, r#","params":{"name":"t","arguments":[]}"#, r#","params":null"#, ""]
        {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call"{params}}}"#);
            let ClientJsonRpcMessage::Request(request) = decode(text.as_bytes()).unwrap() else { panic!("a request") };
            assert!(matches!(request.request, ClientRequest::CustomRequest(_)), "`{text}`");
        }
    }

    #[test]
    fn params_that_are_no_object_are_invalid_params() {
        for params in ["[]", "3", "\"t\"", "true"] {
            let text = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params": {params}}}"#);
            assert_eq!(refused(&text), (-32602, json!(1)), "`{text}`");
        }
    }

    #[test]
    fn a_byte_order_mark_and_spaces_are_ignored() {
        assert!(decode("\u{feff} {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} \r".as_bytes()).is_ok());
    }
}
