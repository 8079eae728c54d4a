//! Sends header fields of its own choice, which are the case, with a body that holds a second request.

use casemate_guests::{Answer, Invocation, Request, case, guest, header_fields, relay};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let second = "0\r\n\r\nPOST /changes HTTP/1.1\r\nhost: echo\r\ncontent-length: 15\r\n\r\n{\"group\":\"lab\"}";
    let request = Request::post("/scan", "application/octet-stream", second);
    let fields = header_fields(&case(&invocation));
    relay(fields.iter().fold(request, |request, (name, value)| request.header(name, value)).send())
}
