//! What was said in a channel.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, clip, clip_lines,
    field::Whole,
    path,
    tolerant::{Few, Flag, Number, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    field::{ChannelId, MessageTs},
};

/// Messages of one answer, where the call does not say.
const DEFAULT: i64 = 20;
/// Messages of one answer at most.
const MOST: usize = 50;
/// Characters of one message.
const MESSAGE: usize = 1_500;

/// Arguments of `read_channel`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The channel's id, such as C024BE91L
    channel: ChannelId,
    /// How many messages at most; 20 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 50>>,
    /// Only messages after this one, by its ts
    #[serde(default)]
    after: Option<MessageTs>,
    /// Only messages before this one, by its ts
    #[serde(default)]
    before: Option<MessageTs>,
}

/// Some messages of a channel, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub struct History {
    channel: ChannelId,
    messages: Vec<Shown>,
    /// Whether there are older ones that fit; ask for them with before
    more: bool,
}

/// One message.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    ts: MessageTs,
    /// The id of the person or bot who sent it
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// Cut at 1,500 characters
    text: String,
    /// The thread it is in or begins
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<MessageTs>,
    /// Answers in its thread
    #[serde(skip_serializing_if = "Option::is_none")]
    replies: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Page {
    messages: Few<Object<Message>, MOST>,
    has_more: Flag,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    ts: Verbatim<17>,
    user: Text<21>,
    bot_id: Text<21>,
    text: Verbatim<50_000>,
    thread_ts: Verbatim<17>,
    reply_count: Number,
}

pub(crate) fn read(args: Arguments, cx: &Context) -> Result<History, Failure> {
    let request = api::slack(cx).get(path!("/api/conversations.history"));
    let mut request = request.query("channel", &args.channel).query("limit", args.limit.map_or(DEFAULT, Whole::number));
    for (name, ts) in [("oldest", &args.after), ("latest", &args.before)] {
        if let Some(ts) = ts {
            request = request.query(name, ts);
        }
    }
    let Page { messages, has_more } = api::read(request.send()?)?;
    Ok(History {
        channel: args.channel,
        messages: messages.0.into_iter().filter_map(|Object(message)| message.shown()).collect(),
        more: has_more.0.unwrap_or_default(),
    })
}

impl Message {
    fn shown(self) -> Option<Shown> {
        Some(Shown {
            ts: self.ts.as_str().parse().ok()?,
            from: self.user.0.or(self.bot_id.0),
            text: clip_lines(&plain(self.text.as_str()), MESSAGE),
            thread_ts: self.thread_ts.as_str().parse().ok(),
            replies: self.reply_count.count(),
        })
    }
}

/// As it is read: Slack sends `&`, `<` and `>` that somebody wrote as entities.
fn plain(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

impl Readable for History {
    fn text(&self) -> String {
        let mut text = format!("{} messages of {}, newest first", self.messages.len(), self.channel);
        for Shown { ts, from, text: said, replies, .. } in &self.messages {
            let _ = write!(text, "\n{ts} {}: {}", from.as_deref().unwrap_or("somebody"), clip(said, 500));
            if let Some(replies) = replies {
                let _ = write!(text, " ({replies} answers)");
            }
        }
        if let (true, Some(last)) = (self.more, self.messages.last()) {
            let _ = write!(text, "\nmore: ask with before {}", last.ts);
        }
        text
    }
}
