//! Sends header fields of its own choice, which are the case, with an otherwise honest request.

use casemate_guests::{Answer, Invocation, Request, case, guest, header_fields, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let fields = header_fields(&case(&invocation));
    relay(fields.iter().fold(Request::get("/find"), |request, (name, value)| request.header(name, value)).send())
}
