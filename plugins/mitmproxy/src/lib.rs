//! mitmproxy: what went through it, without the credentials in it, and replays of single requests.
//!
//! What a replay hits is what mitmproxy has stored, never what the caller says: the caller names a flow, and the host holds the
//! replay against what mitmproxy says of that flow. A replay is of a copy; what was recorded stays as it was.

mod api;
mod field;
mod flow;
mod history;
mod message;
mod replay;
mod request;

use casemate_plugin::{Context, Failure, plugin, tool};

/// List the requests that mitmproxy has recorded, newest first, of one host or method where one is given. Credentials in URLs are
/// taken out. Ask for more with offset.
#[tool(effect = read, idempotent, title = "Recorded requests")]
pub fn get_requests(args: history::Arguments, cx: &Context) -> Result<history::History, Failure> {
    history::list(args, cx)
}

/// Show one recorded request and its response: headers, and with include_bodies the beginning of bodies that are text. Credentials
/// are taken out, by their places, their names and their forms.
#[tool(effect = read, idempotent, title = "Recorded request")]
pub fn get_request(args: request::Arguments, cx: &Context) -> Result<request::Report, Failure> {
    request::report(args, cx)
}

/// Send a copy of a recorded request again, to where the recorded one went and by the same method, with the credentials it had. Its
/// path, single parameters of its query, some of its headers and its body can be changed. At most 10 in a minute.
#[tool(effect = execute, title = "Replay a recorded request")]
pub fn replay_request(args: replay::Arguments, cx: &Context) -> Result<replay::Report, Failure> {
    replay::replay(args, cx)
}

plugin!(get_requests, get_request, replay_request);
