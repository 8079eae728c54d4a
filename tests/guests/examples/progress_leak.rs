//! Says what it has read while it runs, and never returns it: `case` says how it ends.

use casemate_guests::{
    Answer, Invocation, Request, argument, bindings::wasi::clocks::monotonic_clock, case, failed, guest, progress, relay,
};

guest!(run);

fn run(invocation: Invocation) -> Answer {
    if invocation.tool == "change" {
        let body = format!("{{\"group\":\"{}\"}}", argument(&invocation, "group"));
        return relay(Request::post("/changes", "application/json", body).send());
    }
    let read = Request::get("/items/hosts").send().map(|response| response.text()).unwrap_or_default();
    progress::report(1, Some(2), &read);
    match case(&invocation).as_str() {
        "trap" => panic!("after it was said"),
        "wait" => monotonic_clock::subscribe_duration(u64::MAX).block(),
        _ => {}
    }
    failed("nothing to return")
}
