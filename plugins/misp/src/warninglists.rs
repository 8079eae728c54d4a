//! Whether a value is on a list of things that are known to be harmless.

use casemate_plugin::{
    Context, Failure, Readable,
    field::Line,
    path,
    tolerant::{Entries, Few, Object, Text},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api;

/// Lists that are shown.
const LISTS: usize = 50;

/// Arguments of `check_warninglists`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The value, such as an address, a name or a hash
    value: Line<500>,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Hits {
    value: String,
    /// The names of the lists that hold it
    lists: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct List {
    name: Text<200>,
}

/// MISP answers with an object of the values that are on some list; where none is, with an empty list. One value is asked for, so whatever
/// is in the answer is of it.
pub(crate) fn check(Arguments { value }: Arguments, cx: &Context) -> Result<Hits, Failure> {
    let answer = api::as_json(api::misp(cx).post(path!("/warninglists/checkValue"))).json(&[value.as_str()]).send()?;
    let Entries(found): Entries<Few<Object<List>, LISTS>, 1> = api::read(answer)?;
    let lists = found.into_iter().flat_map(|(_, lists)| lists.0).filter_map(|Object(list)| list.name.0).collect();
    Ok(Hits { value: value.to_string(), lists })
}

impl Readable for Hits {
    fn text(&self) -> String {
        let Self { value, lists } = self;
        if lists.is_empty() {
            format!("{value} is on no list of known harmless things; that does not make it harmful")
        } else {
            format!("{value} is on: {}", lists.join(", "))
        }
    }
}
