//! HTTP/1.1, spoken by hand, so that a fake sees exactly what was sent and can answer with bytes no HTTP library would write.

mod read;
mod write;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

pub use read::{Connection, ReadError};
pub use write::reason;
pub(crate) use write::write_chunk;

/// One request as it came off the wire: header names keep their case, their order and their repetitions.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, as sent.
    pub method: String,
    /// The request target, as sent: origin form (`/a?b`) or absolute form (`http://host/a?b`).
    pub target: String,
    /// The minor version: 0 or 1.
    pub minor_version: u8,
    /// Every header field in the order sent.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, with its transfer coding removed.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name, whatever its case, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(field, _)| field.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The path of the target, still percent-encoded. An absolute-form target has its scheme and authority taken off.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.origin_form();
        target.split_once('?').map_or(target, |(path, _)| path)
    }

    /// The query of the target, without the `?`, still percent-encoded.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.origin_form().split_once('?').map(|(_, query)| query)
    }

    /// The decoded value of the first query parameter of this name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.parameters().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// Every query parameter, decoded, in order.
    pub fn parameters(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        url::form_urlencoded::parse(self.query().unwrap_or_default().as_bytes())
    }

    /// The path's segments, each percent-decoded after the split, so an encoded `/` stays inside its segment.
    #[must_use]
    pub fn segments(&self) -> Vec<String> {
        let path = self.path();
        path.strip_prefix('/')
            .unwrap_or(path)
            .split('/')
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect()
    }

    fn origin_form(&self) -> &str {
        let target = self.target.as_str();
        let Some((_, rest)) = target.split_once("://").filter(|_| !target.starts_with('/')) else { return target };
        rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
    }
}

/// One whole answer. `content-length` is written from the body and is not among the headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields other than `content-length`, in the order to send.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        let headers = vec![("content-type".into(), "application/json; charset=utf-8".into())];
        Response { status, headers, body: body.to_string().into_bytes() }
    }

    /// An HTML page.
    #[must_use]
    pub fn html(status: u16, body: &str) -> Self {
        Response { status, headers: vec![("content-type".into(), "text/html; charset=utf-8".into())], body: body.into() }
    }

    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Response { status, headers: Vec::new(), body: Vec::new() }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    fn request(target: &str) -> Request {
        Request { method: "GET".into(), target: target.into(), minor_version: 1, headers: Vec::new(), body: Vec::new() }
    }

    #[test]
    fn targets_are_split_without_decoding_first() {
        for (target, path, query, segments) in [
            ("/a/b?c=d", "/a/b", Some("c=d"), vec!["a", "b"]),
            ("/a%2Fb/c", "/a%2Fb/c", None, vec!["a/b", "c"]),
            ("http://host/a?b", "/a", Some("b"), vec!["a"]),
            ("http://host", "/", None, vec![""]),
            ("/a?u=http://x/y", "/a", Some("u=http://x/y"), vec!["a"]),
            ("*", "*", None, vec!["*"]),
        ] {
            let request = request(target);
            assert_eq!((request.path(), request.query()), (path, query), "{target}");
            assert_eq!(request.segments(), segments, "{target}");
        }
    }
}
