//! Burp Suite: what its proxy recorded and its scanner found, without the credentials in it; and single requests of it again, sent or put
//! into Repeater, for the host that they name.
//!
//! Burp is asked through the MCP server of its own extension, one tool a call.

mod api;
mod copy;
mod history;
mod issues;
mod item;
mod replay;
mod tab;

use casemate_plugin::{Context, Failure, plugin, tool};

/// List requests and responses that Burp's proxy has recorded, oldest first, each cut as Burp cuts it. Credentials are taken out, by
/// their places, their names and their forms. Ask for more with offset.
#[tool(effect = read, idempotent, title = "Burp proxy history")]
pub fn get_proxy_history(args: api::Page, cx: &Context) -> Result<history::History, Failure> {
    history::list(args, cx)
}

/// List issues that Burp's scanner has found, with severity and confidence. Burp Suite Professional only. Ask for more with offset.
#[tool(effect = read, idempotent, title = "Burp scanner issues")]
pub fn get_scanner_issues(args: api::Page, cx: &Context) -> Result<issues::Issues, Failure> {
    issues::list(args, cx)
}

/// Send a copy of a recorded request again, to the host that the recorded one names, which has to be told as well, and by the same
/// method, with the credentials it had. Its path, single parameters of its query, some of its headers and its body can be changed.
#[tool(effect = execute, title = "Replay a recorded request")]
pub fn replay_request(args: replay::Arguments, cx: &Context) -> Result<replay::Report, Failure> {
    replay::replay(args, cx)
}

/// Put a copy of a recorded request into a new tab of Burp's Repeater, for people to work on, with the same changes that a replay can
/// have. It is for the host that the recorded one names, which has to be told as well, and is not sent.
#[tool(effect = write, title = "Put a recorded request into Repeater")]
pub fn create_repeater_tab(args: tab::Arguments, cx: &Context) -> Result<tab::Report, Failure> {
    tab::create(args, cx)
}

plugin!(get_proxy_history, get_scanner_issues, replay_request, create_repeater_tab);
