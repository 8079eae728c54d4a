//! What some client takes otherwise than it is written, or not at all. The rules and where they are from: docs/clients.md.

use serde_json::Value;

use super::{Lint, Warnings, text::nodes};
use crate::{
    manifest::Manifest,
    source::{Culprit, part},
};

/// Characters of a served name that fit behind every client's prefix: the longest is Claude Code's, `mcp__casemate__`, and the model's API
/// takes 64.
const NAME: usize = 64 - "mcp__casemate__".len();
/// Characters of a description that every model's API takes whole.
const DESCRIPTION: usize = 1024;

pub(super) fn check(manifest: &Manifest, warnings: &mut Warnings) {
    for (name, tool) in &manifest.tool {
        let culprit = |part: String| Culprit::Tool { tool: name.to_string(), part };
        let served = manifest.plugin.name.as_str().len() + 1 + name.as_str().len();
        if served > NAME {
            warnings.add_at(Lint::LongName, culprit("name".to_owned()), format!("{served} characters with the plugin's name"));
        }
        let length = tool.description.chars().count();
        if length > DESCRIPTION {
            warnings.add_at(Lint::LongDescription, culprit("description".to_owned()), format!("{length} characters"));
        }
        for (at, node) in nodes(&tool.input_schema) {
            let words = || node.get("enum").and_then(Value::as_array).is_some_and(|values| !values.iter().all(Value::is_string));
            let what = ["$ref", "anyOf", "oneOf"].into_iter().find(|keyword| node.contains_key(*keyword)).map_or_else(
                || words().then(|| "an `enum` of what is no text".to_owned()),
                |keyword| Some(format!("`{keyword}`")),
            );
            if let Some(what) = what {
                warnings.add_at(Lint::UnportableSchema, culprit(part("argument", &at)), what);
            }
        }
    }
}
