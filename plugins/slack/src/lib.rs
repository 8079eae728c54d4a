//! Slack: the public channels, what is said in granted ones, and saying something there.
//!
//! The tools are glue; each module holds one of them. What leaves for other people's eyes is decided in [`outgoing`]: it mentions nobody,
//! and holds nothing that looks like a credential.

mod api;
mod channels;
mod field;
mod history;
mod message;
mod outgoing;

use casemate_plugin::{Context, Failure, plugin, tool};

/// List the workspace's public channels that are not archived, with their ids, topics and whether this bot is in them. Private channels
/// and direct messages are never listed.
#[tool(effect = read, idempotent, title = "Slack channels")]
pub fn list_channels(args: channels::Arguments, cx: &Context) -> Result<channels::Listing, Failure> {
    channels::list(args, cx)
}

/// Read the newest messages of a channel that is granted, up to 50 at a time, newest first. With before, read those before that one.
#[tool(effect = read, idempotent, title = "Read a Slack channel")]
pub fn read_channel(args: history::Arguments, cx: &Context) -> Result<history::History, Failure> {
    history::read(args, cx)
}

/// Send a message to a channel that is granted, or into a thread there. It is shown as it is written: it mentions nobody, links are not
/// unfolded, and a text with @channel, @here or @everyone, or with something that looks like a credential, is refused.
#[tool(effect = write, title = "Send a Slack message")]
pub fn send_message(args: message::Arguments, cx: &Context) -> Result<message::Sent, Failure> {
    message::send(args, cx)
}

plugin!(list_channels, read_channel, send_message);
