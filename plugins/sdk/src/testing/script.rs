//! An upstream that follows a script: it expects these requests, in this order, and no others.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt::{self, Write as _},
    rc::Rc,
    thread,
    time::Duration,
};

use serde::Serialize;
use serde_json::Value;

use crate::{Method, Response, SendError, encode, request::Outgoing};

/// An upstream that answers by script. When it is dropped, the test fails if a request came that was not expected, or one
/// that was expected did not come.
#[derive(Debug)]
pub struct ScriptedUpstream {
    script: Rc<RefCell<Script>>,
}

#[derive(Debug)]
pub(super) struct Script {
    upstream: &'static str,
    steps: VecDeque<(Expected, Answer)>,
    faults: Vec<String>,
}

impl ScriptedUpstream {
    /// The upstream that the manifest calls `name`, with nothing expected yet.
    pub fn new(name: &'static str) -> Self {
        Self { script: Rc::new(RefCell::new(Script { upstream: name, steps: VecDeque::new(), faults: Vec::new() })) }
    }

    /// Expect this request next, and answer it so.
    #[must_use]
    pub fn expect(self, request: Expected, answer: Answer) -> Self {
        self.script.borrow_mut().steps.push_back((request, answer));
        self
    }

    pub(super) fn script(&self) -> Rc<RefCell<Script>> {
        Rc::clone(&self.script)
    }
}

impl Drop for ScriptedUpstream {
    #[expect(clippy::panic, reason = "a test's failure is a panic")]
    fn drop(&mut self) {
        let mut script = self.script.borrow_mut();
        let mut text = std::mem::take(&mut script.faults).join("\n");
        for (request, _) in script.steps.drain(..) {
            let _ = write!(text, "\nthe request was never sent: {request}");
        }
        if !text.is_empty() && !thread::panicking() {
            panic!("the script of upstream `{}` was not followed\n{}", script.upstream, text.trim());
        }
    }
}

impl Script {
    pub(super) fn upstream(&self) -> &'static str {
        self.upstream
    }

    pub(super) fn send(&mut self, request: Outgoing) -> Result<Response, SendError> {
        let sent = format!("{} {}", request.method.as_str(), request.path_and_query);
        let Some((expected, answer)) = self.steps.pop_front() else {
            self.faults.push(format!("the request was not expected: {sent}"));
            return Err(SendError::Refused);
        };
        if let Err(why) = expected.matches(&request) {
            self.faults.push(format!("expected {expected}\n    sent {sent}\n     but {why}"));
            return Err(SendError::Refused);
        }
        match answer.0 {
            Ok((status, headers, body)) => Ok(Response::new(self.upstream, status, headers, body)),
            Err(fault) => Err(fault),
        }
    }
}

/// A request that a script expects. Method, path and query must be the same; headers that are not named may be there.
pub struct Expected {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Body,
    timeout: Option<Duration>,
}

/// What a body must be.
type BodyTest = Box<dyn Fn(&[u8]) -> bool>;

enum Body {
    Empty,
    Bytes(Vec<u8>),
    Json(Value),
    Test(BodyTest),
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident => $method:ident),+ $(,)?) => {
        $($(#[$doc])* pub fn $name(path: &str) -> Expected {
            Expected { method: Method::$method, path: path.to_owned(), query: Vec::new(), headers: Vec::new(), body: Body::Empty, timeout: None }
        })+
    };
}

methods! {
    /// Expect a `GET` of this path, percent-encoded as it is sent.
    get => Get,
    /// Expect a `HEAD` of this path, percent-encoded as it is sent.
    head => Head,
    /// Expect a `POST` to this path, percent-encoded as it is sent.
    post => Post,
    /// Expect a `PUT` to this path, percent-encoded as it is sent.
    put => Put,
    /// Expect a `PATCH` of this path, percent-encoded as it is sent.
    patch => Patch,
    /// Expect a `DELETE` of this path, percent-encoded as it is sent.
    delete => Delete,
}

impl Expected {
    /// With this query parameter; all of them, in this order.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    /// With these bytes as the body. A script that names no body expects none.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Body::Bytes(bytes.into());
        self
    }

    /// With this JSON as the body, whatever its spacing.
    #[must_use]
    pub fn json(mut self, body: Value) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// With a body that passes `test`.
    #[must_use]
    pub fn body_that(mut self, test: impl Fn(&[u8]) -> bool + 'static) -> Self {
        self.body = Body::Test(Box::new(test));
        self
    }

    /// With this [`timeout`](crate::Request::timeout). A script that names none does not mind one.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    fn path_and_query(&self) -> String {
        let mut text = self.path.clone();
        if !self.query.is_empty() {
            text.push('?');
            text.push_str(&encode::pairs(&self.query));
        }
        text
    }

    fn matches(&self, request: &Outgoing) -> Result<(), String> {
        if self.method != request.method || self.path_and_query() != request.path_and_query {
            return Err("that is another request".to_owned());
        }
        for (name, value) in &self.headers {
            if !request.headers.iter().any(|(sent, sent_value)| sent == name && sent_value == value) {
                return Err(format!("the header `{name}: {value}` is not among {:?}", request.headers));
            }
        }
        if self.timeout.is_some() && self.timeout != request.timeout {
            return Err(format!("its timeout is {:?}", request.timeout));
        }
        let body = || String::from_utf8_lossy(&request.body).chars().take(2_000).collect::<String>();
        match &self.body {
            Body::Empty if request.body.is_empty() => Ok(()),
            Body::Bytes(expected) if *expected == request.body => Ok(()),
            Body::Json(expected) if serde_json::from_slice::<Value>(&request.body).is_ok_and(|sent| sent == *expected) => Ok(()),
            Body::Test(test) if test(&request.body) => Ok(()),
            Body::Empty | Body::Bytes(_) | Body::Json(_) | Body::Test(_) => Err(format!("the body is another one: {}", body())),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.path_and_query())
    }
}

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expected({self})")
    }
}

/// What a script answers.
#[derive(Debug)]
pub struct Answer(Result<Parts, SendError>);

type Parts = (u16, Vec<(String, Vec<u8>)>, Vec<u8>);

/// Answer with a status, so far without headers and body.
pub fn answer(status: u16) -> Answer {
    Answer(Ok((status, Vec::new(), Vec::new())))
}

/// Do not answer: fail like this.
pub fn fault(error: SendError) -> Answer {
    Answer(Err(error))
}

impl Answer {
    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Ok((_, headers, _)) = &mut self.0 {
            headers.push((name.to_owned(), value.as_bytes().to_vec()));
        }
        self
    }

    /// With a body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        if let Ok((_, _, body)) = &mut self.0 {
            *body = bytes.into();
        }
        self
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).unwrap_or_else(|error| error.to_string().into_bytes());
        self.header("content-type", "application/json").body(bytes)
    }
}
