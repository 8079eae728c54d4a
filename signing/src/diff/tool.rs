//! Tools: what each may do, and what clients read of it.

use std::collections::BTreeMap;

use super::{Verdict, found::Found};
use crate::manifest::{ArgumentPlace, Labels, Tool, ToolName};

pub(super) fn compare(before: &BTreeMap<ToolName, Tool>, after: &BTreeMap<ToolName, Tool>, found: &mut Found) {
    for (name, tool) in after {
        if let Some(known) = before.get(name) {
            one(name, known, tool, found);
        }
    }
    found.entries("tool", before, after);
}

fn one(name: &ToolName, before: &Tool, after: &Tool, found: &mut Found) {
    let Tool { title, description, icon, effect, requests, scope, idempotent, labels, input_schema, output_schema } = after;
    let at = |field: &str| format!("tool.{name}.{field}");
    found.equal(at("effect"), &before.effect, effect);
    found.allowed(&at("requests"), &before.requests, requests);
    // A place in the arguments is a check before the call, besides those of its requests.
    for (dimension, gone) in before.scope.iter().filter(|(dimension, _)| !scope.contains_key(*dimension)) {
        found.change(at(&format!("scope.{dimension}")), Some(gone), None::<&ArgumentPlace>, Verdict::Widened);
    }
    for (dimension, place) in scope {
        let at = at(&format!("scope.{dimension}"));
        match before.scope.get(dimension) {
            Some(known) => found.equal(at, known, place),
            None => found.change(at, None::<&ArgumentPlace>, Some(place), Verdict::Narrowed),
        }
    }
    // A label limits what a session may do after it.
    let Labels { produces, refuses } = labels;
    found.demanded(&at("labels.produces"), &before.labels.produces, produces);
    found.demanded(&at("labels.refuses"), &before.labels.refuses, refuses);
    let words = Some(name);
    found.words(words, "title", Some(&before.title), Some(title));
    found.words(words, "description", Some(&before.description), Some(description));
    found.words(words, "icon", before.icon.as_ref(), icon.as_ref());
    found.words(words, "idempotent", Some(&before.idempotent), Some(idempotent));
    found.words(words, "input_schema", Some(&before.input_schema), Some(input_schema));
    found.words(words, "output_schema", before.output_schema.as_ref(), output_schema.as_ref());
}
