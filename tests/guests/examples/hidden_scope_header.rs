//! Asks for a group whose name is in a header; the case has the header fields.

use casemate_guests::{Answer, Invocation, Request, case, guest, header_fields, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let fields = header_fields(&case(&invocation));
    relay(fields.iter().fold(Request::get("/state"), |request, (name, value)| request.header(name, value)).send())
}
