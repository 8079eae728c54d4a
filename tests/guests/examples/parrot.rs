//! Says what it is told to say, in every way in which words of a plugin leave. Which way stands before the first blank.

use casemate_guests::{
    Answer, Content, Invocation, Outcome, Request, argument, bindings::wasi::clocks::monotonic_clock, case, failed, guest, log,
    progress, relay, text,
};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    let said = case(&invocation);
    match invocation.tool.as_str() {
        "change" => {
            let body = serde_json::json!({ "group": argument(&invocation, "group"), "note": said });
            relay(Request::post("/changes", "application/json", body.to_string()).send())
        }
        "report" => {
            let structured = serde_json::json!({ "name": said, "count": 1 }).to_string();
            Ok(Outcome { content: vec![Content::Text("said".to_owned())], structured: Some(structured) })
        }
        _ => match said.split_once(' ') {
            Some(("fail", words)) => failed(words),
            Some(("report", words)) => {
                progress::report(1, Some(2), words);
                // What is said last may be lost; this has time to be told.
                monotonic_clock::subscribe_duration(300_000_000).block();
                text("said")
            }
            Some(("log", words)) => {
                log::write(log::Level::Warn, words);
                text("said")
            }
            Some((_, words)) => text(words),
            None => text(said),
        },
    }
}
