//! The workspace's public channels.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::Whole,
    path,
    tolerant::{Few, Flag, Number, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Metadata},
    field::{ChannelId, Cursor},
};

/// Channels of one answer, where the call does not say.
const DEFAULT: i64 = 100;
/// Channels of one answer at most.
const MOST: usize = 200;

/// Arguments of `list_channels`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// How many at most; 100 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 200>>,
    /// Where the last answer ended, to go on from there
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// Some channels.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    channels: Vec<Shown>,
    /// Ask with this cursor for more; absent where there is no more
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}

/// One channel.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    id: ChannelId,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<String>,
    /// Whether this bot is in it, and so may read and write there
    is_member: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Page {
    channels: Few<Object<Channel>, MOST>,
    response_metadata: Object<Metadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Channel {
    id: Verbatim<21>,
    name: Text<80>,
    topic: Object<Value>,
    purpose: Object<Value>,
    is_member: Flag,
    is_private: Flag,
    num_members: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Value {
    value: Text<250>,
}

pub(crate) fn list(Arguments { limit, cursor }: Arguments, cx: &Context) -> Result<Listing, Failure> {
    let request = api::slack(cx).get(path!("/api/conversations.list"));
    let request = request.query("types", "public_channel").query("exclude_archived", true);
    let request = request.query("limit", limit.map_or(DEFAULT, Whole::number));
    let request = match &cursor {
        Some(cursor) => request.query("cursor", cursor),
        None => request,
    };
    let Page { channels, response_metadata: Object(metadata) } = api::read(request.send()?)?;
    Ok(Listing {
        channels: channels.0.into_iter().filter_map(|Object(channel)| channel.shown()).collect(),
        next_cursor: metadata.next_cursor.0.and_then(|cursor| cursor.parse().ok()),
    })
}

impl Channel {
    /// What is asked for is public channels; one that is not is not shown, whoever sent it.
    fn shown(self) -> Option<Shown> {
        let id = self.id.as_str().parse().ok().filter(|_| self.is_private.0 != Some(true))?;
        Some(Shown {
            id,
            name: self.name.0.unwrap_or_default(),
            topic: self.topic.0.value.0,
            purpose: self.purpose.0.value.0,
            is_member: self.is_member.0.unwrap_or_default(),
            members: self.num_members.count(),
        })
    }
}

impl Readable for Listing {
    fn text(&self) -> String {
        let mut text = format!("{} channels", self.channels.len());
        for Shown { id, name, is_member, topic, .. } in &self.channels {
            let _ = write!(text, "\n{id} #{name}{}", if *is_member { ", this bot is in it" } else { "" });
            if let Some(topic) = topic {
                let _ = write!(text, ": {topic}");
            }
        }
        if let Some(cursor) = &self.next_cursor {
            let _ = write!(text, "\nmore: ask with cursor {cursor}");
        }
        text
    }
}
