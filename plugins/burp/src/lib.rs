//! Burp Suite: what its proxy recorded and its scanner found, without the credentials in it.
//!
//! Burp is asked through the MCP server of its own extension, one tool a call. It sends nothing for us.

mod api;
mod history;
mod issues;
mod item;

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

plugin!(get_proxy_history, get_scanner_issues);
