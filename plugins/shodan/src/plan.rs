//! What the API key may still do.

use casemate_plugin::{
    Context, Failure, Readable, path,
    tolerant::{Number, Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api;

/// Arguments of `account`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {}

/// The key's plan and credits.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report {
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    /// Searches that are left this month
    #[serde(skip_serializing_if = "Option::is_none")]
    query_credits: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    plan: Text<40>,
    query_credits: Number,
}

pub(crate) fn report(Arguments {}: Arguments, cx: &Context) -> Result<Report, Failure> {
    let Object(info): Object<Info> = api::read(api::get(cx, path!("/api-info")), "account")?;
    Ok(Report { plan: info.plan.0, query_credits: info.query_credits.count() })
}

impl Readable for Report {
    fn text(&self) -> String {
        let credits = self.query_credits.map_or_else(|| "an unknown number of".to_owned(), |credits| credits.to_string());
        format!("plan {}, {credits} query credits left", self.plan.as_deref().unwrap_or("unknown"))
    }
}
