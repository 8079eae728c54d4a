//! Sending a message.

use casemate_plugin::{
    Context, Failure, Readable,
    field::Passage,
    path,
    tolerant::{Flag, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, POST, Said},
    field::{ChannelId, MessageTs},
    outgoing,
};

/// Arguments of `send_message`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The channel's id, such as C024BE91L
    channel: ChannelId,
    /// What to say; * and _ around words, and ` around code, are formatting
    text: Passage<4_000>,
    /// The message to answer in a thread, by its ts
    #[serde(default)]
    thread_ts: Option<MessageTs>,
}

/// What Slack is sent. Everything that Slack would make of a text by itself is turned off.
#[derive(Debug, Serialize)]
struct Body<'a> {
    channel: &'a str,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<&'a str>,
    parse: &'static str,
    link_names: bool,
    unfurl_links: bool,
    unfurl_media: bool,
}

/// The message that was sent.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Sent {
    channel: ChannelId,
    /// What the message is called; thread_ts of an answer to it
    ts: MessageTs,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Posted {
    ok: Flag,
    error: Text<60>,
    needed: Text<60>,
    channel: Verbatim<21>,
    ts: Verbatim<17>,
}

pub(crate) fn send(args: Arguments, cx: &Context) -> Result<Sent, Failure> {
    let body = Body {
        channel: args.channel.as_str(),
        text: outgoing::spelled(args.text.as_str())?,
        thread_ts: args.thread_ts.as_ref().map(MessageTs::as_str),
        parse: "none",
        link_names: false,
        unfurl_links: false,
        unfurl_media: false,
    };
    let request = api::slack(cx).post(path!("/api/chat.postMessage")).json(&body);
    let Posted { ok, error, needed, channel, ts } = POST.send(request, api::refused)?;
    if ok.0.is_none() {
        return Err(POST.unknown("Slack's answer does not say whether it worked"));
    }
    Said { ok, error, needed }.worked()?;
    if channel.as_str() != args.channel.as_str() {
        return Err(Failure::upstream(
            "the message was sent, and Slack says that it is in another channel than the one that was asked for; somebody has to look",
        ));
    }
    let Ok(ts) = ts.as_str().parse() else {
        return Err(POST.unknown("Slack took it and did not say which message it became"));
    };
    Ok(Sent { channel: args.channel, ts })
}

impl Readable for Sent {
    fn text(&self) -> String {
        format!("sent to {} as {}", self.channel, self.ts)
    }
}
