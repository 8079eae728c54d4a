//! Converting a rule.

use casemate_plugin::{Context, Failure, Readable, field::Passage, word};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    language::{self, Target},
    rule::{LONGEST, Rule},
};

word! {
    /// A table of Kusto's.
    pub(crate) Table, "a table: 1 to 64 letters, digits and `_`, a letter first", 1..=64, "^[A-Za-z][A-Za-z0-9_]{0,63}$",
    |text| text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_alphabetic() || at > 0 && (byte.is_ascii_digit() || byte == b'_')),
    str::to_owned
}

/// Arguments of `convert`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The rule, in YAML
    rule: Passage<LONGEST>,
    /// The language of the query
    target: Target,
    /// With kusto, the table to look in; the predicate alone where it is left out
    #[serde(default)]
    table: Option<Table>,
}

/// A query.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Query {
    target: Target,
    query: String,
    /// Product, category and service of the logs that the rule is about, which the query does not say
    logsource: String,
}

pub(crate) fn convert(args: Arguments, _: &Context) -> Result<Query, Failure> {
    let Arguments { rule, target, table } = args;
    let (rule, findings) = Rule::read(rule.as_str());
    if let Some(error) = findings.first_error() {
        return Err(Failure::invalid_arguments(format!("the rule has an error: {error}; validate says all of them")));
    }
    let query = language::query(target, &rule.detection, &rule.fields).map_err(|what| {
        Failure::invalid_arguments(format!("not converted, since this is not supported for {}: {what}", target.as_str()))
    })?;
    let query = match (table, target) {
        (None, _) => query,
        (Some(table), Target::Kusto) => format!("{table}\n| where {query}"),
        (Some(_), Target::Splunk) => return Err(Failure::invalid_arguments("Splunk has no tables: leave `table` out")),
    };
    Ok(Query { target, query, logsource: casemate_plugin::clip(&rule.source(), 200) })
}

impl Readable for Query {
    fn text(&self) -> String {
        self.query.clone()
    }
}
