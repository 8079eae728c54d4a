//! Passes on what its upstream said, in every way there is: as a result, a failure, progress, lines, a last word, and in what it sends.

use casemate_guests::{Answer, Invocation, Request, argument, failed, guest, log, progress, relay, text};

guest!(run, include_str!("../errands.json"));

fn run(invocation: Invocation) -> Answer {
    let said = match Request::get("/hosts").send() {
        Ok(response) => response.text(),
        Err(why) => why,
    };
    match invocation.tool.as_str() {
        "hosts" => {
            progress::report(1, None, &said);
            log::write(log::Level::Error, &said);
            text(said)
        }
        "techniques" => failed(said),
        "vault" => panic!("{said}"),
        tool => {
            let path = if tool == "start" { "/runs" } else { "/posts" };
            let body = serde_json::json!({ "group": argument(&invocation, "group"), "note": said });
            relay(Request::post(path, "application/json", body.to_string()).send())
        }
    }
}
