//! The reports of this account.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable,
    field::Whole,
    path,
    tolerant::{Few, Object},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api::{self, Envelope},
    field::{Handle, State},
    report::{Item, Summary},
};

/// Reports of one page.
const PAGE: usize = 50;

/// Arguments of `list_reports`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// Only reports to this program, by its handle
    #[serde(default)]
    program: Option<Handle>,
    /// Only reports in this state
    #[serde(default)]
    state: Option<State>,
    /// Which page, from 1; the first where it is left out
    #[serde(default)]
    page: Option<Whole<1, 1000>>,
}

/// Some reports.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listing {
    reports: Vec<Summary>,
    /// Reports of this page that are not listed, because they are of another program or in another state
    others: usize,
    /// The next page, if there is one
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<i64>,
}

/// HackerOne cannot filter a hacker's reports, so it is done here.
pub(crate) fn list(Arguments { program, state, page }: Arguments, cx: &Context) -> Result<Listing, Failure> {
    let page = page.map_or(1, Whole::number);
    let request = api::hackerone(cx).get(path!("/v1/hackers/me/reports"));
    let answer = request.query("page[number]", page).query("page[size]", PAGE).send()?;
    let Envelope { data, links }: Envelope<Few<Object<Item>, PAGE>> = api::read(answer, "list of reports")?;
    let all = data.0.len();
    let is_wanted = |report: &Summary| {
        program.as_ref().is_none_or(|program| report.program.as_deref() == Some(program.as_str()))
            && state.is_none_or(|state| report.state == state.as_str())
    };
    let reports: Vec<Summary> = data.0.into_iter().map(|Object(item)| item.into_summary()).filter(is_wanted).collect();
    Ok(Listing { others: all - reports.len(), next_page: links.0.next.0.is_some().then_some(page + 1), reports })
}

impl Readable for Listing {
    fn text(&self) -> String {
        let mut text = match self.reports.len() {
            0 => "no report on this page".to_owned(),
            1 => "1 report on this page".to_owned(),
            count => format!("{count} reports on this page"),
        };
        for report in &self.reports {
            let _ = write!(text, "\n{}", report.line());
        }
        if let Some(next) = self.next_page {
            let _ = write!(text, "\nmore: ask for page {next}");
        }
        text
    }
}
