//! What Burp's scanner has found.

use std::fmt::Write as _;

use casemate_plugin::{Context, Failure, Readable, clip, clip_lines, traffic};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    api::{self, Page},
    item,
};

/// Issues of the scanner.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Issues {
    issues: Vec<Issue>,
    /// Ask with this offset for more; absent where there is no more
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<i64>,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
struct Issue {
    name: String,
    /// Without the credentials in it
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<String>,
    /// Its beginning, without credentials that are known by name or form
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remediation: Option<String>,
}

pub(crate) fn list(page: Page, cx: &Context) -> Result<Issues, Failure> {
    let text = api::list(cx, "get_scanner_issues", &page)?;
    let found = item::items(&text);
    let next_offset = page.next(found.len());
    let issues = found.into_iter().zip(page.numbers()).filter_map(|(item, _)| issue(item)).collect();
    Ok(Issues { issues, next_offset })
}

fn issue(item: &str) -> Option<Issue> {
    let line =
        |name: &str| item::member(item, name).map(|(text, _)| clip(&traffic::text(&text), 200)).filter(|text| !text.is_empty());
    let prose = |name: &str| {
        item::member(item, name).map(|(text, _)| clip_lines(&traffic::text(&text), 1_500)).filter(|text| !text.is_empty())
    };
    Some(Issue {
        name: line("name")?,
        url: item::member(item, "baseUrl").map(|(url, _)| clip(&traffic::url(&url), 500)),
        severity: line("severity"),
        confidence: line("confidence"),
        detail: prose("detail"),
        remediation: prose("remediation"),
    })
}

impl Readable for Issues {
    fn text(&self) -> String {
        let mut text = format!("{} issues", self.issues.len());
        for Issue { name, url, severity, confidence, .. } in &self.issues {
            let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "?".to_owned());
            let _ = write!(text, "\n{} ({}): {name} at {}", part(severity), part(confidence), part(url));
        }
        if let Some(offset) = self.next_offset {
            let _ = write!(text, "\nmore: ask with offset {offset}");
        }
        text
    }
}
