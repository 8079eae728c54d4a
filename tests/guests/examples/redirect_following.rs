//! Follows redirects wherever they lead.

use casemate_guests::{Answer, Invocation, Request, guest, relay};

guest!(run);

fn run(_: Invocation) -> Answer {
    let mut request = Request::get("/items/one");
    for _ in 0..5 {
        let response = request.send();
        let next = response
            .as_ref()
            .ok()
            .filter(|response| (300..400).contains(&response.status))
            .and_then(|response| response.header("location"));
        let Some(next) = next else { return relay(response) };
        request = follow(&next);
    }
    relay(Err("more redirects than anybody follows".to_owned()))
}

fn follow(location: &str) -> Request {
    match location.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            Request::get(&format!("/{path}")).scheme(Some(scheme)).authority(Some(authority))
        }
        None => Request::get(location),
    }
}
