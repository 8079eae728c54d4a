//! Counting.

use std::fmt::Write as _;

use casemate_plugin::{
    Context, Failure, Readable, clip,
    field::List,
    path,
    tolerant::{Entries, Few, Number, Object, Take, take},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    api,
    field::{Facet, Query},
};

/// Values of one facet.
const VALUES: usize = 10;

/// Arguments of `count`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// What to count, in Shodan's words, such as product:nginx country:DE
    query: Query,
    /// What to break the count down by
    #[serde(default)]
    facets: List<Facet, 5>,
}

/// How many there are.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u32>,
    facets: Vec<Broken>,
}

/// The most frequent values of one facet.
#[derive(Debug, Serialize, JsonSchema)]
struct Broken {
    facet: String,
    values: Vec<Share>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Share {
    value: String,
    count: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    total: Number,
    facets: Entries<Few<Object<Value>, VALUES>, 8>,
}

/// `{"value": "US", "count": 7}`; the value of some facets is a number.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Value {
    value: Either,
    count: Number,
}

#[derive(Debug, Default)]
struct Either(Option<String>);

impl Take<'_> for Either {
    fn text(text: &str) -> Self {
        Self(Some(clip(text, 120)))
    }

    fn number(number: i64) -> Self {
        Self(Some(number.to_string()))
    }
}

impl<'de> Deserialize<'de> for Either {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        take(deserializer)
    }
}

pub(crate) fn count(Arguments { query, facets }: Arguments, cx: &Context) -> Result<Report, Failure> {
    let request = api::get(cx, path!("/shodan/host/count")).query("query", query);
    let names: Vec<&str> = facets.as_slice().iter().map(|facet| facet.as_str()).collect();
    let request = if names.is_empty() { request } else { request.query("facets", names.join(",")) };
    let Object(found): Object<Answer> = api::read(request, "search")?;
    let facets = found.facets.0.into_iter().map(|(facet, Few(values))| {
        let share = |Object(value): Object<Value>| Some(Share { value: value.value.0?, count: value.count.count()? });
        Broken { facet, values: values.into_iter().filter_map(share).collect() }
    });
    Ok(Report { total: found.total.count(), facets: facets.collect() })
}

impl Readable for Report {
    fn text(&self) -> String {
        let mut text = self.total.map_or_else(|| "an unknown number of matches".to_owned(), |total| format!("{total} matches"));
        for Broken { facet, values } in &self.facets {
            let shares: Vec<String> = values.iter().map(|Share { value, count }| format!("{value} ({count})")).collect();
            let _ = write!(text, "\n{facet}: {}", shares.join(", "));
        }
        text
    }
}
