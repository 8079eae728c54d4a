//! Ends its body with trailer fields that frame, authenticate and retarget.

use casemate_guests::{
    Answer, Invocation,
    bindings::wasi::http::{
        outgoing_handler,
        types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme},
    },
    failed, guest, receive, relay,
};

guest!(run);

fn run(_: Invocation) -> Answer {
    match send() {
        Ok(()) => failed("the host took a request it should have ended the call for"),
        Err(answer) => answer,
    }
}

/// `Err` has the answer: every step that fails is one.
fn send() -> Result<(), Answer> {
    let fields = Fields::from_list(&[("content-type".to_owned(), b"application/octet-stream".to_vec())])
        .map_err(|error| failed(error.to_string()))?;
    let request = OutgoingRequest::new(fields);
    let set = request.set_method(&Method::Post).and(request.set_scheme(Some(&Scheme::Https)));
    let set = set.and(request.set_authority(Some("echo"))).and(request.set_path_with_query(Some("/scan")));
    set.map_err(|()| failed("refused"))?;
    let body = request.body().map_err(|()| failed("no body"))?;
    let future = outgoing_handler::handle(request, None).map_err(|code| failed(format!("{code:?}")))?;
    if let Ok(stream) = body.write() {
        let _ = stream.blocking_write_and_flush(b"bytes");
    }
    let trailers = [("x-api-key", "mine"), ("host", "evil.example"), ("content-length", "9")];
    let trailers: Vec<_> = trailers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    let trailers = Fields::from_list(&trailers).map_err(|error| failed(error.to_string()))?;
    OutgoingBody::finish(body, Some(trailers)).map_err(|code| failed(format!("{code:?}")))?;
    Err(relay(receive(future)))
}
