//! The component: the exports that the host calls, and the imports that reach it. Only on wasm32-wasip2.

#[allow(unsafe_code, missing_docs, unreachable_pub, clippy::all, clippy::restriction, reason = "generated from the WIT package")]
pub mod bindings {
    wit_bindgen::generate!({
        // A link to the repository's own: Cargo follows it in a checkout, in a git dependency, and when it packages the crate.
        path: "wit",
        world: "casemate:plugin/plugin",
        pub_export_macro: true,
        generate_all,
    });
}

use bindings::{
    casemate::plugin::{log, progress, sources, types},
    wasi::{
        clocks::monotonic_clock,
        http::{
            outgoing_handler,
            types::{
                ErrorCode, Fields, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody, OutgoingRequest, Scheme,
                http_error_code,
            },
        },
        io::{poll, streams::StreamError},
    },
};

pub use bindings::export;
pub use bindings::exports::casemate::plugin::tools::{Failure, Guest, Invocation, Outcome};

use crate::{Context, Entry, FailureKind, Level, Method, Response, SendError, SourceError, request::Outgoing, tool};

/// Bytes read at once: as much as the host hands out.
const CHUNK: u64 = 64 * 1024;

/// Run a tool for the host.
///
/// # Errors
/// What the tool returned.
pub fn call(tools: &[Entry], invocation: Invocation) -> Result<Outcome, Failure> {
    let Invocation { tool, arguments, settings } = invocation;
    let context = Context::new(settings, World);
    let outcome = tool::call(tools, &tool, arguments, &context).map_err(wire_failure)?;
    Ok(Outcome { content: vec![types::Content::Text(outcome.text)], structured: Some(outcome.structured) })
}

fn wire_failure(failure: crate::Failure) -> Failure {
    let kind = match failure.kind() {
        FailureKind::InvalidArguments => types::FailureKind::InvalidArguments,
        FailureKind::NotFound => types::FailureKind::NotFound,
        FailureKind::Unauthorized => types::FailureKind::Unauthorized,
        FailureKind::RateLimited => types::FailureKind::RateLimited,
        FailureKind::Unavailable => types::FailureKind::Unavailable,
        FailureKind::Upstream => types::FailureKind::Upstream,
        FailureKind::Internal => types::FailureKind::Internal,
    };
    Failure {
        kind,
        code: failure.code().map(str::to_owned),
        message: failure.message().to_owned(),
        retry_after_ms: failure.retry_after().and_then(|after| after.as_millis().try_into().ok()),
    }
}

/// The host.
#[derive(Debug)]
pub(crate) struct World;

impl World {
    pub(crate) fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => log::Level::Debug,
            Level::Info => log::Level::Info,
            Level::Warn => log::Level::Warn,
            Level::Error => log::Level::Error,
        };
        log::write(level, message);
    }

    pub(crate) fn progress(&self, done: u64, total: Option<u64>, message: &str) {
        progress::report(done, total, message);
    }

    pub(crate) fn sources(&self) -> Vec<String> {
        sources::list()
    }

    pub(crate) fn open(&self, name: &str) -> Result<OpenSource, SourceError> {
        sources::open(name).map(OpenSource).map_err(source_error)
    }

    pub(crate) fn send(&self, outgoing: Outgoing) -> Result<Response, SendError> {
        let Outgoing { upstream, method, path_and_query, headers, body, timeout } = outgoing;
        let request = head(upstream, method, &path_and_query, headers)?;
        let outgoing_body = request.body().map_err(|()| invalid("body"))?;
        let future = outgoing_handler::handle(request, None).map_err(|code| refusal(upstream, &code))?;
        // A host that refuses stops reading: what it says is in the answer, not in the failed write.
        let written = write(outgoing_body, &body);
        drop(body);

        let ready = future.subscribe();
        match timeout {
            None => ready.block(),
            Some(timeout) => {
                let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
                let over = monotonic_clock::subscribe_duration(nanoseconds);
                let _ = poll::poll(&[&ready, &over]);
                if !ready.ready() {
                    return Err(SendError::TimedOut(upstream));
                }
            }
        }
        drop(ready);
        let answer = future.get().and_then(Result::ok).ok_or(SendError::Broken(upstream))?;
        let answer = answer.map_err(|code| refusal(upstream, &code))?;
        written.map_err(|()| SendError::Broken(upstream))?;
        let headers = answer.headers().entries();
        Ok(Response::new(upstream, answer.status(), headers, read(upstream, answer)?))
    }
}

/// A source that the host holds open.
#[derive(Debug)]
pub(crate) struct OpenSource(sources::Source);

impl OpenSource {
    pub(crate) fn size(&self) -> Result<u64, SourceError> {
        self.0.size().map_err(source_error)
    }

    pub(crate) fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, SourceError> {
        self.0.read(offset, length).map_err(source_error)
    }
}

fn source_error(error: sources::SourceError) -> SourceError {
    match error {
        sources::SourceError::NotFound => SourceError::NotFound,
        sources::SourceError::TooLarge => SourceError::TooLarge,
        sources::SourceError::Unreadable => SourceError::Unreadable,
    }
}

fn invalid(part: &str) -> SendError {
    SendError::Invalid(format!("the {part} is not valid"))
}

/// The request without its body.
fn head(
    upstream: &str,
    method: Method,
    path_and_query: &str,
    headers: Vec<(String, String)>,
) -> Result<OutgoingRequest, SendError> {
    let headers: Vec<_> = headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
    let fields = Fields::from_list(&headers).map_err(|error| SendError::Invalid(format!("a header is refused: {error}")))?;
    let request = OutgoingRequest::new(fields);
    let method = match method {
        Method::Get => WasiMethod::Get,
        Method::Head => WasiMethod::Head,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
        Method::Patch => WasiMethod::Patch,
        Method::Delete => WasiMethod::Delete,
    };
    request.set_method(&method).map_err(|()| invalid("method"))?;
    request.set_scheme(Some(&Scheme::Https)).map_err(|()| invalid("scheme"))?;
    request.set_authority(Some(upstream)).map_err(|()| invalid("upstream's name"))?;
    request.set_path_with_query(Some(path_and_query)).map_err(|()| invalid("path"))?;
    Ok(request)
}

/// Write the whole body and end it, as fast as the host takes it.
fn write(body: OutgoingBody, mut rest: &[u8]) -> Result<(), ()> {
    if !rest.is_empty() {
        let stream = body.write()?;
        let ready = stream.subscribe();
        while !rest.is_empty() {
            let room = usize::try_from(stream.check_write().map_err(|_| ())?).unwrap_or(usize::MAX);
            if room == 0 {
                ready.block();
                continue;
            }
            let (chunk, later) = rest.split_at(room.min(rest.len()));
            stream.write(chunk).map_err(|_| ())?;
            rest = later;
        }
        stream.blocking_flush().map_err(|_| ())?;
    }
    OutgoingBody::finish(body, None).map_err(|_| ())
}

/// The whole body. Handles are dropped children first, as wasi:http demands.
fn read(upstream: &'static str, answer: IncomingResponse) -> Result<Vec<u8>, SendError> {
    let body: IncomingBody = answer.consume().map_err(|()| SendError::Broken(upstream))?;
    let stream = body.stream().map_err(|()| SendError::Broken(upstream))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(http_error_code(&error).map_or(SendError::Broken(upstream), |code| refusal(upstream, &code)));
            }
        }
    }
}

/// What an error of wasi:http means to a plugin.
fn refusal(upstream: &'static str, code: &ErrorCode) -> SendError {
    match code {
        ErrorCode::HttpRequestDenied
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_)
        | ErrorCode::HttpRequestLengthRequired
        | ErrorCode::DestinationIpProhibited
        | ErrorCode::ConfigurationError
        | ErrorCode::LoopDetected => SendError::Refused,
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::ConnectionTimeout
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => SendError::Unreachable(upstream),
        ErrorCode::ConnectionReadTimeout | ErrorCode::ConnectionWriteTimeout | ErrorCode::HttpResponseTimeout => {
            SendError::TimedOut(upstream)
        }
        ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_) => SendError::TooLarge(upstream),
        ErrorCode::ConnectionTerminated
        | ErrorCode::HttpResponseIncomplete
        | ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed
        | ErrorCode::HttpProtocolError
        | ErrorCode::InternalError(_) => SendError::Broken(upstream),
    }
}
