//! Slack's Web API: <https://docs.slack.dev/reference/methods>.
//!
//! Four channels, one private, one that the bot is not in, one archived; and what is posted to them. What surprises:
//!
//! - every method takes GET and POST, and its arguments in the query or in a form; some take JSON;
//! - every answer has status 200 and says `ok`, but for 429 with `Retry-After`;
//! - `<!channel>`, `<@U…>` and `<url|text>` in a text are what they look like, and with `parse=full` or `link_names` plain `@channel` is,
//!   too: a message that reached somebody says so under `notified`, which Slack does not have and tests want to know;
//! - lists go on with `response_metadata.next_cursor`, which is an empty string at the end.
#![expect(clippy::indexing_slicing, reason = "JSON by its names: what is not there is null")]

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::key::Key;
use crate::{Reply, Upstream};

/// The token the fake takes when it is not told another. It is no one's, and no scanner takes it for somebody's.
pub const DEFAULT_KEY: &str = "bot-token-of-the-fake";

/// Longest text of a message.
const MAX_TEXT: usize = 40_000;

/// The fake service.
#[derive(Debug)]
pub struct Slack {
    key: Key,
    /// Channel and message, oldest first.
    posted: Mutex<Vec<(String, Value)>>,
}

impl Default for Slack {
    fn default() -> Self {
        Slack { key: Key::new(DEFAULT_KEY), posted: Mutex::new(said()) }
    }
}

/// Id, name, and whether it is private, archived, and has the bot in it.
const CHANNELS: [(&str, &str, [bool; 3]); 4] = [
    ("C024BE91L", "soc", [false, false, true]),
    ("C061EG9T2", "random", [false, false, false]),
    ("C0ARCHIVED1", "old-incidents", [false, true, true]),
    ("G01PRIVATE1", "board", [true, false, true]),
];

fn said() -> Vec<(String, Value)> {
    (0..30)
        .map(|at| {
            let text = format!("alert {at}: 185.220.101.{at} &amp; friends");
            ("C024BE91L".to_owned(), json!({ "type": "message", "user": "U012AB3CDE", "text": text, "ts": ts(at) }))
        })
        .collect()
}

fn ts(at: usize) -> String {
    format!("{}.000200", 1_730_800_000 + at)
}

impl Slack {
    fn list(request: &Request) -> Response {
        let types = argument(request, "types").unwrap_or_else(|| "public_channel".to_owned());
        let without_archived = argument(request, "exclude_archived").is_some_and(|text| text == "true" || text == "1");
        let wanted =
            |private: bool| types.split(',').any(|kind| kind == if private { "private_channel" } else { "public_channel" });
        let all: Vec<Value> = CHANNELS
            .iter()
            .filter(|(_, _, [private, archived, _])| wanted(*private) && !(without_archived && *archived))
            .map(|(id, name, [private, archived, member])| {
                json!({ "id": id, "name": name, "is_channel": true, "is_private": private, "is_archived": archived,
                    "is_member": member, "topic": { "value": format!("all about {name}") }, "purpose": { "value": "" }, "num_members": 7 })
            })
            .collect();
        let limit = argument(request, "limit").and_then(|text| text.parse().ok()).unwrap_or(100_usize);
        let decoded = argument(request, "cursor").map(|cursor| STANDARD.decode(cursor).ok());
        let from = match decoded {
            None => Some(0),
            Some(bytes) => bytes.and_then(|bytes| String::from_utf8(bytes).ok()?.strip_prefix("from:")?.parse().ok()),
        };
        let Some(from) = from else { return declined("invalid_cursor") };
        let next = from + limit;
        let cursor = if next < all.len() { STANDARD.encode(format!("from:{next}")) } else { String::new() };
        let here: Vec<&Value> = all.iter().skip(from).take(limit).collect();
        answer(&json!({ "ok": true, "channels": here, "response_metadata": { "next_cursor": cursor } }))
    }

    /// Why the bot may not read or write there.
    fn obstacle(id: &str, write: bool) -> Option<&'static str> {
        match CHANNELS.iter().find(|(channel, ..)| *channel == id) {
            None => Some("channel_not_found"),
            Some((_, _, [true, _, false])) => Some("channel_not_found"),
            Some((_, _, [_, _, false])) => Some("not_in_channel"),
            Some((_, _, [_, true, _])) if write => Some("is_archived"),
            Some(_) => None,
        }
    }

    fn history(&self, request: &Request) -> Response {
        let channel = argument(request, "channel").unwrap_or_default();
        if let Some(error) = Self::obstacle(&channel, false) {
            return declined(error);
        }
        let limit = argument(request, "limit").and_then(|text| text.parse().ok()).unwrap_or(100_usize);
        let (oldest, latest) = (argument(request, "oldest"), argument(request, "latest"));
        let posted = self.posted.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |message: &&(String, Value)| {
            let ts = message.1["ts"].as_str().unwrap_or_default();
            message.0 == channel
                && oldest.as_deref().is_none_or(|oldest| ts > oldest)
                && latest.as_deref().is_none_or(|latest| ts < latest)
        };
        let mut here: Vec<&Value> = posted.iter().rev().filter(fits).map(|(_, message)| message).collect();
        let more = here.len() > limit;
        here.truncate(limit);
        answer(&json!({ "ok": true, "messages": here, "has_more": more, "pin_count": 0 }))
    }

    fn post(&self, request: &Request) -> Response {
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else { return declined("invalid_json") };
        let channel = body["channel"].as_str().unwrap_or_default();
        // A name is as good as an id.
        let named = CHANNELS.iter().find(|(_, name, _)| channel.trim_start_matches('#') == *name);
        let channel = named.map_or(channel, |(id, ..)| id);
        if let Some(error) = Self::obstacle(channel, true) {
            return declined(error);
        }
        let text = body["text"].as_str().unwrap_or_default();
        if text.is_empty() {
            return declined("no_text");
        }
        if text.chars().count() > MAX_TEXT {
            return declined("msg_too_long");
        }
        let mut posted = self.posted.lock().unwrap_or_else(PoisonError::into_inner);
        let ts = ts(1_000 + posted.len());
        let loose = body["parse"] == "full" || body["link_names"] == true || body["link_names"] == 1;
        let notified = text.contains("<!") || text.contains("<@") || loose && text.contains('@');
        let message = json!({ "type": "message", "subtype": "bot_message", "bot_id": "B01ABCDEF", "text": text, "ts": ts, "notified": notified });
        posted.push((channel.to_owned(), message.clone()));
        answer(&json!({ "ok": true, "channel": channel, "ts": ts, "message": message }))
    }
}

impl Upstream for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn answer(&self, request: &Request, _origin: &str) -> Reply {
        let Some(method) = request.path().strip_prefix("/api/") else { return Response::html(404, "<h1>Not found</h1>").into() };
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        if token.is_none() {
            return declined("not_authed").into();
        }
        if !self.key.is(token) {
            return declined("invalid_auth").into();
        }
        match (request.method.as_str(), method) {
            (_, "auth.test") => answer(&json!({ "ok": true, "team": "Fake", "user": "casemate", "bot_id": "B01ABCDEF" })),
            ("GET" | "POST", "conversations.list") => Self::list(request),
            ("GET" | "POST", "conversations.history") => self.history(request),
            ("POST", "chat.postMessage") => self.post(request),
            _ => declined("unknown_method"),
        }
        .into()
    }

    fn failure(&self, code: &str) -> Option<Response> {
        match code {
            "ratelimited" => {
                Some(Response::json(429, &json!({ "ok": false, "error": "ratelimited" })).with_header("retry-after", "30"))
            }
            "missing_scope" => {
                Some(answer(&json!({ "ok": false, "error": code, "needed": "channels:history", "provided": "chat:write" })))
            }
            "not_in_channel" | "channel_not_found" | "is_archived" | "token_revoked" | "account_inactive" | "fatal_error"
            | "internal_error" | "restricted_action" | "msg_too_long" => Some(declined(code)),
            _ => None,
        }
    }

    fn tell(&self, order: &[u8]) -> Result<(), String> {
        self.key.tell(order)
    }

    fn reset(&self) {
        *self.posted.lock().unwrap_or_else(PoisonError::into_inner) = said();
    }
}

/// From the query, or from a form.
fn argument(request: &Request, name: &str) -> Option<String> {
    let form = || url::form_urlencoded::parse(&request.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    request.parameter(name).or_else(form)
}

fn answer(body: &Value) -> Response {
    Response::json(200, body)
}

fn declined(error: &str) -> Response {
    answer(&json!({ "ok": false, "error": error }))
}
