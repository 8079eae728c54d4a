//! A request over wasi:http in which everything is the guest's choice, also what no client library would send.

use crate::bindings::wasi::{
    http::{
        outgoing_handler,
        types::{Fields, FutureIncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme},
    },
    io::streams::StreamError,
};

/// A request to be sent. What is not set is a GET of `/` from the upstream `echo`, as an honest plugin would write it.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    scheme: Option<String>,
    authority: Option<String>,
    target: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Header fields as the host passes them on.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(each, _)| each.eq_ignore_ascii_case(name));
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }
}

impl Request {
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            scheme: Some("https".to_owned()),
            authority: Some("echo".to_owned()),
            target: Some(target.to_owned()),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub fn post(target: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).header("content-type", content_type).body(body)
    }

    /// `None` sends none at all.
    pub fn scheme(self, scheme: Option<&str>) -> Self {
        Self { scheme: scheme.map(str::to_owned), ..self }
    }

    /// `None` sends none at all.
    pub fn authority(self, authority: Option<&str>) -> Self {
        Self { authority: authority.map(str::to_owned), ..self }
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Send it and read the whole answer.
    pub fn send(&self) -> Result<Response, String> {
        receive(self.start()?)
    }

    /// Send it without waiting for the answer.
    pub fn start(&self) -> Result<FutureIncomingResponse, String> {
        let fields = Fields::from_list(&self.headers).map_err(|error| format!("header refused: {error}"))?;
        let request = OutgoingRequest::new(fields);
        request.set_method(&method(&self.method)).map_err(|()| "method refused")?;
        request.set_scheme(self.scheme.as_deref().map(scheme).as_ref()).map_err(|()| "scheme refused")?;
        request.set_authority(self.authority.as_deref()).map_err(|()| "authority refused")?;
        request.set_path_with_query(self.target.as_deref()).map_err(|()| "target refused")?;
        let body = request.body().map_err(|()| "body refused")?;
        let future = outgoing_handler::handle(request, None).map_err(|code| format!("request refused: {code:?}"))?;
        // A host that has seen enough stops reading; what it says is in the answer.
        let _ = write(&body, &self.body);
        let _ = OutgoingBody::finish(body, None);
        Ok(future)
    }
}

/// Wait for the whole answer.
pub fn receive(future: FutureIncomingResponse) -> Result<Response, String> {
    future.subscribe().block();
    let response = future.get().and_then(Result::ok).ok_or("no answer")?.map_err(|code| format!("request failed: {code:?}"))?;
    let (status, headers) = (response.status(), response.headers().entries());
    let incoming = response.consume().map_err(|()| "the body was taken")?;
    let stream = incoming.stream().map_err(|()| "the stream was taken")?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(chunk) => body.extend(chunk),
            Err(StreamError::Closed) => return Ok(Response { status, headers, body }),
            Err(StreamError::LastOperationFailed(error)) => return Err(format!("the body broke: {}", error.to_debug_string())),
        }
    }
}

fn write(body: &OutgoingBody, bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Ok(());
    }
    let stream = body.write().map_err(|()| "no stream")?;
    for chunk in bytes.chunks(4096) {
        stream.blocking_write_and_flush(chunk).map_err(|error| format!("{error:?}"))?;
    }
    Ok(())
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn scheme(name: &str) -> Scheme {
    match name {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    }
}
