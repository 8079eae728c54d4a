//! Searching.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::Whole,
    path,
    tolerant::{Few, Number, Object},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    field::Query,
    service::{Banner, Service},
};

/// Matches of a page that are shown.
const SHOWN: usize = 50;

/// Arguments of `search`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// What to search for, in Shodan's words, such as product:nginx country:DE
    query: Query,
    /// Which page of 100, from 1; the first where it is left out
    #[serde(default)]
    page: Option<Whole<1, 99>>,
}

/// Some matches.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    /// How many there are in all
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u32>,
    /// The first 50 of this page
    matches: Vec<Service>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    total: Number,
    matches: Few<Object<Banner>, SHOWN>,
}

pub(crate) fn search(Arguments { query, page }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let request = api::get(cx, path!("/shodan/host/search")).query("query", query).query("minify", true);
    let request = match page {
        Some(page) => request.query("page", page.number()),
        None => request,
    };
    let Object(found): Object<Answer> = api::read(request, "search")?;
    let matches = found.matches.0.into_iter().filter_map(|Object(banner)| banner.service(true)).collect();
    Ok(Report { total: found.total.count(), matches })
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = match self.total {
            Some(total) => format!("{total} matches, of which {} are shown", self.matches.len()),
            None => format!("{} matches are shown", self.matches.len()),
        };
        for service in &self.matches {
            let _ = write!(text, "\n{} {}", service.ip.as_deref().unwrap_or("somewhere"), service.line());
        }
        text
    }
}
