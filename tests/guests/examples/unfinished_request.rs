//! Starts a request, never ends its body, and waits for the answer.

use casemate_guests::{
    Answer, Invocation,
    bindings::wasi::http::{
        outgoing_handler,
        types::{Fields, Method, OutgoingRequest, Scheme},
    },
    failed, guest, text,
};

guest!(run);

fn run(_: Invocation) -> Answer {
    let request = OutgoingRequest::new(Fields::new());
    let set = request.set_method(&Method::Post).and(request.set_scheme(Some(&Scheme::Https)));
    if set.and(request.set_authority(Some("echo"))).and(request.set_path_with_query(Some("/scan"))).is_err() {
        return failed("refused");
    }
    let body = request.body();
    match outgoing_handler::handle(request, None) {
        Ok(future) => {
            future.subscribe().block();
            drop(body);
            text("answered")
        }
        Err(code) => failed(format!("{code:?}")),
    }
}
