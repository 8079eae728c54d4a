//! Requests to an upstream: built step by step, sent at once, answered whole.

use std::{fmt::Display, time::Duration};

use serde::Serialize;

use crate::{Context, Failure, Multipart, Path, Response, encode};

/// An HTTP method that a request contract may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the methods are their own names (RFC 9110, RFC 5789)")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// As it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Why a request got no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The gate said no: the request fits no contract of the manifest, or its target is outside the grant.
    #[error("the host refused the request")]
    Refused,
    /// No connection.
    #[error("`{0}` cannot be reached")]
    Unreachable(&'static str),
    /// No answer in time. Whether the request took effect is not known.
    #[error("`{0}` did not answer in time; whether the request took effect is not known")]
    TimedOut(&'static str),
    /// The answer is larger than the manifest's limit.
    #[error("the answer of `{0}` is larger than the limit")]
    TooLarge(&'static str),
    /// The answer ended early or is not HTTP. Whether the request took effect is not known.
    #[error("`{0}` broke off its answer; whether the request took effect is not known")]
    Broken(&'static str),
    /// The plugin built something that is not a request.
    #[error("the request cannot be sent: {0}")]
    Invalid(String),
    /// A value from the arguments cannot be part of a path.
    #[error("{0}")]
    Path(String),
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let text = error.to_string();
        match error {
            SendError::Refused | SendError::Invalid(_) => Self::internal(text),
            SendError::Unreachable(_) | SendError::TimedOut(_) => Self::unavailable(text),
            SendError::TooLarge(_) | SendError::Broken(_) => Self::upstream(text),
            SendError::Path(_) => Self::invalid_arguments(text),
        }
    }
}

/// A client of one upstream.
#[derive(Debug, Clone, Copy)]
pub struct Upstream<'a> {
    context: &'a Context,
    name: &'static str,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident => $method:ident),+ $(,)?) => {
        $($(#[$doc])* pub fn $name(self, path: Path) -> Request<'a> {
            self.request(Method::$method, path)
        })+
    };
}

impl<'a> Upstream<'a> {
    pub(crate) fn new(context: &'a Context, name: &'static str) -> Self {
        Self { context, name }
    }

    methods! {
        /// A `GET` request.
        get => Get,
        /// A `HEAD` request.
        head => Head,
        /// A `POST` request.
        post => Post,
        /// A `PUT` request.
        put => Put,
        /// A `PATCH` request.
        patch => Patch,
        /// A `DELETE` request.
        delete => Delete,
    }

    /// A request by any method.
    pub fn request(self, method: Method, path: Path) -> Request<'a> {
        let Self { context, name } = self;
        let (path, fault) = match path.finish() {
            Ok(path) => (path, None),
            Err(fault) => (String::new(), Some(SendError::Path(fault))),
        };
        Request {
            context,
            upstream: name,
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
            fault,
        }
    }
}

/// A request that is being built. What goes wrong on the way is said by [`Request::send`].
#[derive(Debug)]
#[must_use = "a request is sent by `send`"]
pub struct Request<'a> {
    context: &'a Context,
    upstream: &'static str,
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Option<Duration>,
    fault: Option<SendError>,
}

/// A request as it leaves the plugin. The authority is the upstream's name: the host knows its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) upstream: &'static str,
    pub(crate) method: Method,
    pub(crate) path_and_query: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// How long to wait for the answer to begin; as long as the call lasts where it is absent.
    pub(crate) timeout: Option<Duration>,
}

impl Request<'_> {
    /// Add a query parameter.
    pub fn query(mut self, name: &str, value: impl Display) -> Self {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// Add a header. The contract must name it unless every contract may send it; `host`, credentials and what governs
    /// the connection are the host's.
    pub fn header(mut self, name: &str, value: impl Display) -> Self {
        let value = value.to_string();
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        let is_value = value.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..));
        if is_name && is_value {
            self.headers.push((name.to_ascii_lowercase(), value));
        } else {
            self.fault.get_or_insert(SendError::Invalid("a header holds a character that headers cannot have".to_owned()));
        }
        self
    }

    /// Send JSON.
    pub fn json(self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.body("application/json", bytes),
            Err(error) => self.with_fault(SendError::Invalid(error.to_string())),
        }
    }

    /// Send form fields, `application/x-www-form-urlencoded`.
    pub fn form<'f>(self, fields: impl IntoIterator<Item = (&'f str, &'f str)>) -> Self {
        let fields: Vec<_> = fields.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.body("application/x-www-form-urlencoded", encode::pairs(&fields).into_bytes())
    }

    /// Send form fields and files, `multipart/form-data`.
    pub fn multipart(self, form: Multipart) -> Self {
        match form.finish() {
            Ok((content_type, bytes)) => self.body(&content_type, bytes),
            Err(fault) => self.with_fault(SendError::Invalid(fault)),
        }
    }

    /// Send bytes of a media type.
    pub fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.headers.retain(|(name, _)| name != "content-type");
        self.body = body;
        self.header("content-type", content_type)
    }

    /// Wait so long for the answer to begin, and no longer. Without it, an upstream that never answers ends the whole call at the
    /// manifest's deadline, and the plugin has no say any more; with it, [`Request::send`] fails with [`SendError::TimedOut`], and
    /// the plugin can say what that means. The request was sent, and may take effect at any later time.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    fn with_fault(mut self, fault: SendError) -> Self {
        self.fault.get_or_insert(fault);
        self
    }

    /// Send it and wait for the whole answer. Any status is an answer; [`Response::json`] and [`Response::text`] turn
    /// those that are not a success into failures.
    ///
    /// # Errors
    /// When there is no answer. `?` makes a fitting [`Failure`] of it.
    pub fn send(self) -> Result<Response, SendError> {
        let Self { context, upstream, method, path, query, headers, body, timeout, fault } = self;
        if let Some(fault) = fault {
            return Err(fault);
        }
        let mut path_and_query = path;
        if !query.is_empty() {
            path_and_query.push('?');
            path_and_query.push_str(&encode::pairs(&query));
        }
        context.world.send(Outgoing { upstream, method, path_and_query, headers, body, timeout })
    }
}
