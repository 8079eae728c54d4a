//! Caido: what went through it, without the credentials in it, replays of single requests, and findings.
//!
//! A caller names a recorded request and where it believes that it went; it is sent there again, if it did, and nowhere else. What Caido is
//! asked is one of nine documents, each of which the gate knows by its digest.

mod api;
mod document;
mod field;
mod finding;
mod history;
mod replay;
mod request;
mod stored;

use casemate_plugin::{Context, Failure, plugin, tool};

/// List the requests that Caido has recorded, newest first, of those that an HTTPQL filter matches where one is given. Credentials in
/// URLs are taken out. Ask for more with after.
#[tool(effect = read, idempotent, title = "Caido requests")]
pub fn get_requests(args: history::Arguments, cx: &Context) -> Result<history::History, Failure> {
    history::list(args, cx)
}

/// Show one recorded request and its response, cut to a few thousand characters each. Credentials are taken out, by their places, their
/// names and their forms.
#[tool(effect = read, idempotent, title = "Caido request")]
pub fn get_request(args: request::Arguments, cx: &Context) -> Result<request::Report, Failure> {
    request::report(args, cx)
}

/// Send a copy of a recorded request again, to where the recorded one went and with the credentials it had. Its path, single parameters
/// of its query, some of its headers and its body can be changed. Say which host and port it went to: where that is not so, nothing is sent.
#[tool(effect = execute, title = "Replay a Caido request")]
pub fn replay_request(args: replay::Arguments, cx: &Context) -> Result<replay::Report, Failure> {
    replay::replay(args, cx)
}

/// Write a finding about a recorded request into Caido's project, for the people who work there. It sends nothing.
#[tool(effect = write, title = "Create a Caido finding")]
pub fn create_finding(args: finding::Arguments, cx: &Context) -> Result<finding::Report, Failure> {
    finding::create(args, cx)
}

plugin!(get_requests, get_request, replay_request, create_finding);
