//! One rule of a collection, as it stands there.

use casemate_plugin::{Context, Failure, Readable, clip_lines, field::Uuid};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    library::{self, Collection},
    rule::{LONGEST, Rule},
};

/// Arguments of `show`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arguments {
    /// The collection that the operator bound
    rules: Collection,
    /// The rule's id
    id: Uuid,
}

/// A rule.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shown {
    id: Uuid,
    /// Its YAML, for validate and convert
    rule: String,
}

pub(crate) fn show(args: Arguments, cx: &Context) -> Result<Shown, Failure> {
    let Arguments { rules, id } = args;
    let text = library::text(cx, &rules)?;
    let is_it = |document: &&str| {
        document.to_ascii_lowercase().contains(id.as_str()) && Rule::read(document).0.id.is_some_and(|found| found == id)
    };
    let documents: Vec<&str> = library::documents(&text).map(|(_, document)| document).filter(is_it).take(2).collect();
    match documents.as_slice() {
        [document] => Ok(Shown { id, rule: clip_lines(document.trim_matches('\n'), LONGEST) }),
        [] => Err(Failure::not_found(format!("`{rules}` has no rule with this id"))),
        _ => Err(Failure::invalid_arguments(format!("`{rules}` has several rules with this id; the operator has to look"))),
    }
}

impl Readable for Shown {
    fn text(&self) -> String {
        self.rule.clone()
    }
}
