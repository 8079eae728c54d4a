//! What every search asks for: organisations, a time, no more than a page, and nothing that is tagged tlp:red.

use casemate_plugin::{
    Failure,
    field::{List, Uuid, Whole},
};
use serde::Serialize;

use crate::field::{Last, Tag};

/// Results of one page, where the call does not say.
const DEFAULT: i64 = 20;

/// The part that all searches have in common.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Common<'a> {
    return_format: &'static str,
    org: Vec<&'a str>,
    last: &'a str,
    tags: Tags<'a>,
    limit: String,
    page: String,
}

#[derive(Debug, Serialize)]
struct Tags<'a> {
    #[serde(rename = "NOT")]
    not: [&'static str; 1],
    #[serde(rename = "OR", skip_serializing_if = "Option::is_none")]
    or: Option<[&'a str; 1]>,
}

/// Some organisations.
pub(crate) type Orgs = List<Uuid, 20>;

impl<'a> Common<'a> {
    /// What a call asks for.
    ///
    /// # Errors
    /// When there is no organisation: to MISP that is all of them.
    pub(crate) fn new(
        orgs: &'a Orgs,
        last: &'a Last,
        tag: Option<&'a Tag>,
        limit: Option<Whole<1, 100>>,
        page: Option<Whole<1, 1000>>,
    ) -> Result<Self, Failure> {
        if orgs.as_slice().is_empty() {
            return Err(Failure::invalid_arguments("nothing was searched: name at least one organisation, by its UUID"));
        }
        Ok(Self {
            return_format: "json",
            org: orgs.as_slice().iter().map(Uuid::as_str).collect(),
            last: last.as_str(),
            tags: Tags { not: ["tlp:red"], or: tag.map(|tag| [tag.as_str()]) },
            limit: count(limit).to_string(),
            page: number(page).to_string(),
        })
    }
}

/// How many results a page has.
pub(crate) fn count(limit: Option<Whole<1, 100>>) -> i64 {
    limit.map_or(DEFAULT, Whole::number)
}

/// Which page it is.
pub(crate) fn number(page: Option<Whole<1, 1000>>) -> i64 {
    page.map_or(1, Whole::number)
}

/// The next page, where this one is full: MISP does not say how many there are.
pub(crate) fn next(found: usize, limit: Option<Whole<1, 100>>, page: Option<Whole<1, 1000>>) -> Option<i64> {
    let full = i64::try_from(found).is_ok_and(|found| found >= count(limit));
    (full && number(page) < 1_000).then(|| number(page) + 1)
}
