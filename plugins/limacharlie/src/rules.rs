//! The rules of the organization, as far as they can be told in a few words.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, Timestamp, path,
    tolerant::{Entries, Few, Flag, Number, Object, Text, Verbatim},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, MARK},
    field::{Cursor, Id, RuleName},
};

/// Rules of one answer.
const MOST: usize = 50;

/// Arguments of `list_rules`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Where the last answer ended, to go on from there
    #[serde(default)]
    cursor: Option<Cursor>,
}

/// Some rules, by name.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    rules: Vec<Shown>,
    /// Ask with this cursor for more; absent where there is no more
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}

/// One rule.
#[derive(Debug, Serialize, JsonSchema)]
struct Shown {
    name: String,
    enabled: bool,
    /// Whether it was deployed here, so that it can be replaced and deleted here
    ours: bool,
    /// The event it is about
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<String>,
    /// What it does in response
    actions: Vec<String>,
    tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_modified: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Page {
    records: Entries<Object<Record>, MOST>,
    next_cursor: Verbatim<512>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Record {
    data: Object<Rule>,
    usr_mtd: Object<OperatorsMetadata>,
    sys_mtd: Object<SystemsMetadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    detect: Object<Detect>,
    respond: Few<Object<Action>, 20>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detect {
    event: Text<64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Action {
    action: Text<64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OperatorsMetadata {
    enabled: Flag,
    tags: Few<Text<64>, 20>,
    comment: Text<300>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SystemsMetadata {
    etag: Verbatim<128>,
    last_author: Text<120>,
    last_mod: Number,
}

pub(crate) fn list(Arguments { cursor }: Arguments, cx: &Context) -> Result<Listing, Failure> {
    let organization = api::organization(cx)?;
    let request = api::limacharlie(cx).get(path!("/v1/hive/dr-general/{}", organization)).query("limit", MOST);
    let request = match &cursor {
        Some(cursor) => request.query("cursor", cursor),
        None => request,
    };
    let Object(Page { records, next_cursor }) = api::read(request.send()?, "list of rules")?;
    Ok(Listing {
        rules: records.0.into_iter().map(|(name, Object(record))| record.shown(name)).collect(),
        next_cursor: next_cursor.as_str().parse().ok(),
    })
}

/// A rule that was deployed here, as it is now.
pub(crate) struct Ours {
    /// What LimaCharlie tells its versions apart by.
    pub(crate) etag: String,
}

/// The rule of that name if it was deployed here; none where there is no rule of that name.
///
/// # Errors
/// When it is somebody else's, or cannot be read.
pub(crate) fn ours(cx: &Context, organization: &Id, name: &RuleName) -> Result<Option<Ours>, Failure> {
    let answer = api::limacharlie(cx).get(path!("/v1/hive/dr-general/{}/{}/mtd", organization, name)).send()?;
    // The hive says with status 400 that there is none.
    if answer.status() == 404 || api::code(&answer).as_deref() == Some("RECORD_NOT_FOUND") {
        return Ok(None);
    }
    let Object(Record { usr_mtd, sys_mtd, .. }) = api::read(answer, "rule")?;
    if !usr_mtd.0.is_marked() {
        return Err(Failure::unauthorized(format!(
            "the rule `{name}` was not deployed here: it lacks the tag `{MARK}`; nothing was changed, and whoever owns it can change it"
        )));
    }
    let etag =
        sys_mtd.0.etag.0.filter(|etag| (1..=128).contains(&etag.len()) && etag.bytes().all(|byte| byte.is_ascii_graphic()));
    let Some(etag) = etag else {
        return Err(Failure::upstream("nothing was changed: LimaCharlie did not say which version of the rule it has"));
    };
    Ok(Some(Ours { etag }))
}

impl OperatorsMetadata {
    fn is_marked(&self) -> bool {
        self.tags.0.iter().any(|tag| tag.0.as_deref() == Some(MARK))
    }
}

impl Record {
    fn shown(self, name: String) -> Shown {
        let (usr, sys, rule) = (self.usr_mtd.0, self.sys_mtd.0, self.data.0);
        Shown {
            name,
            ours: usr.is_marked(),
            enabled: usr.enabled.0.unwrap_or_default(),
            event: rule.detect.0.event.0,
            actions: rule.respond.0.into_iter().filter_map(|Object(action)| action.action.0).collect(),
            tags: usr.tags.texts(),
            comment: usr.comment.0,
            last_author: sys.last_author.0,
            // Milliseconds.
            last_modified: sys.last_mod.0.and_then(|at| Timestamp::from_unix(at / 1_000)),
        }
    }
}

impl Readable for Listing {
    fn text(&self) -> String {
        let mut text = format!("{} rules", self.rules.len());
        for Shown { name, enabled, ours, event, actions, .. } in &self.rules {
            let about = event.as_deref().unwrap_or("events of several kinds");
            let _ = write!(
                text,
                "\n{name}{}{}: {about} → {}",
                if *enabled { "" } else { " (off)" },
                if *ours { ", deployed here" } else { "" },
                actions.join(", ")
            );
        }
        if let Some(cursor) = &self.next_cursor {
            let _ = write!(text, "\nmore: ask with cursor {cursor}");
        }
        text
    }
}
