//! Asks the upstreams that it is told for what it is told, and returns everything that comes back, as it comes.

use casemate_guests::{Answer, Invocation, Request, case, failed, guest, log, text};

guest!(run, include_str!("../every_credential.json"));

fn run(invocation: Invocation) -> Answer {
    let case = case(&invocation);
    let (upstreams, item) = case.split_once(' ').unwrap_or((&case, "one"));
    let mut all = String::new();
    for upstream in upstreams.split(',') {
        let response = match Request::get(&format!("/items/{item}")).authority(Some(upstream)).send() {
            Ok(response) => response,
            Err(why) => return failed(why),
        };
        let headers: String =
            response.headers.iter().map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value))).collect();
        let said = format!("{upstream}: {} {headers}{}\n", response.status, response.text());
        log::write(log::Level::Error, &said);
        all += &said;
    }
    if item == "failure" { failed(all) } else { text(all) }
}
