//! What the rules have detected.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, Timestamp,
    field::Whole,
    path,
    tolerant::{Few, Number, Object, Text, Verbatim},
};
use casemate_siem::window::Window;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    field::{Category, Cursor},
};

/// Days that a window may be long, whatever is granted.
const DAYS: u32 = 7;
/// Detections of one answer, where the call does not say.
const DEFAULT: i64 = 50;
/// Detections of one answer at most.
const MOST: usize = 100;

/// Arguments of `list_detections`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The span of time start/end, in UTC, such as 2026-11-21T00:00:00Z/2026-11-22T00:00:00Z
    window: Window,
    /// Only detections of this name
    #[serde(default)]
    category: Option<Category>,
    /// How many at most; 50 where it is left out
    #[serde(default)]
    limit: Option<Whole<1, 100>>,
    /// Where the last answer ended, to go on from there
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// Some detections.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    detections: Vec<Shown>,
    /// Ask with this cursor and the same window for more; absent where there is no more
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}

/// One detection.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// What the detection is called
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sensor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_line: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Page {
    detects: Few<Object<Detection>, MOST>,
    next_cursor: Verbatim<512>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detection {
    detect_id: Text<80>,
    cat: Text<120>,
    priority: Number,
    ts: Number,
    routing: Object<Routing>,
    detect: Object<Detected>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Routing {
    sid: Text<36>,
    hostname: Text<120>,
    event_type: Text<64>,
    event_time: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detected {
    event: Object<Event>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Event {
    file_path: Text<300>,
    command_line: Text<1_000>,
    user_name: Text<120>,
    domain_name: Text<253>,
    hash: Text<64>,
}

pub(crate) fn list(args: Arguments, cx: &Context) -> Result<Listing, Failure> {
    let (start, end) = args.window.within(DAYS)?;
    let organization = api::organization(cx)?;
    let request = api::limacharlie(cx).get(path!("/v1/insight/{}/detections", organization));
    let request = request.query("start", start.as_unix()).query("end", end.as_unix());
    let request = request.query("limit", args.limit.map_or(DEFAULT, Whole::number));
    let request = match &args.category {
        Some(category) => request.query("cat", category),
        None => request,
    };
    // A first page is asked for with `-`.
    let request = request.query("cursor", args.cursor.as_ref().map_or("-", Cursor::as_str));
    let Object(Page { detects, next_cursor }) = api::read(request.send()?, "list of detections")?;
    Ok(Listing {
        detections: detects.0.into_iter().map(|Object(detection)| detection.shown()).collect(),
        next_cursor: next_cursor.as_str().parse().ok(),
    })
}

impl Detection {
    fn shown(self) -> Shown {
        let (routing, event) = (self.routing.0, self.detect.0.event.0);
        let milliseconds = self.ts.0.or(routing.event_time.0);
        Shown {
            id: self.detect_id.0,
            category: self.cat.0,
            at: milliseconds.and_then(|at| Timestamp::from_unix(at / 1_000)),
            priority: self.priority.count(),
            sensor: routing.sid.0,
            hostname: routing.hostname.0,
            event: routing.event_type.0,
            file_path: event.file_path.0,
            command_line: event.command_line.0,
            user_name: event.user_name.0,
            domain_name: event.domain_name.0,
            hash: event.hash.0,
        }
    }
}

impl Readable for Listing {
    fn text(&self) -> String {
        let mut text = format!("{} detections", self.detections.len());
        for shown in &self.detections {
            let _ = write!(text, "\n{}", shown.line());
        }
        if let Some(cursor) = &self.next_cursor {
            let _ = write!(text, "\nmore: ask with cursor {cursor}");
        }
        text
    }
}

impl Shown {
    fn line(&self) -> String {
        let mut line = self.at.map(|at| format!("{at} ")).unwrap_or_default();
        line.push_str(self.category.as_deref().unwrap_or("a detection"));
        if let Some(host) = &self.hostname {
            let _ = write!(line, " on {host}");
        }
        if let Some(detail) = self.command_line.as_ref().or(self.file_path.as_ref()).or(self.domain_name.as_ref()) {
            let _ = write!(line, ": {detail}");
        }
        line
    }
}
