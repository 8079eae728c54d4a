//! Scope: every target the arguments name is within the grant's values. An empty list allows nothing.

use std::borrow::Cow;

use serde_json::Value;

use super::{Case, Finding, Look, toml_string};
use crate::{Layer, Reason, scope::ScopeFault, text::quote};

pub(super) struct Scope;

impl Look for Scope {
    fn layer(&self) -> Layer {
        Layer::Scope
    }

    fn look(&self, case: &Case<'_>) -> Finding {
        let bound = &case.rule().manifest_tool.scope;
        if bound.is_empty() {
            return Finding::pass("the tool binds no target in its arguments");
        }
        for (dimension, place) in bound {
            let mut found = case.call.arguments().pointer(&place.argument).map(targets).unwrap_or_default().peekable();
            if found.peek().is_none() {
                return Finding::deny(
                    Reason::ScopeMissing,
                    format!("`{}` names no {dimension}, and the tool must be given one", place.argument),
                    format!("name the {dimension} to act on at `{}`", place.argument),
                    format!("nothing to change: `{}` binds `scope.{dimension}` to `{}`", case.rule().served, place.argument),
                );
            }
            for target in found {
                let Some(text) = target else {
                    return Finding::deny(
                        Reason::ScopeMalformed,
                        format!("`{}` is neither a text nor a whole number nor a list of these", place.argument),
                        "correct the arguments and call again",
                        format!("the signed input schema of `{}` is in `casemate inspect`", case.rule().served),
                    );
                };
                match case.cover.scope.check(dimension, &text) {
                    Ok(_) => {}
                    Err(ScopeFault::Malformed(fault)) => {
                        return Finding::deny(
                            Reason::ScopeMalformed,
                            format!("at `{}`: {fault}", place.argument),
                            "correct the arguments and call again",
                            format!("the kind of `scope.{dimension}` is in `casemate inspect`"),
                        );
                    }
                    Err(ScopeFault::NotGranted(value)) => {
                        return Finding::deny(
                            Reason::OutOfScope,
                            format!("{dimension} {} is outside the grant", quote(&value.to_string(), 80)),
                            format!("choose another {dimension}, or ask the operator for this one; retrying will not help"),
                            format!(
                                "add it to `scope.{dimension} = [{}]` under `{}`",
                                toml_string(&value.grant_text()),
                                case.grant_table()
                            ),
                        );
                    }
                    Err(fault @ ScopeFault::NoDimension(_)) => {
                        return Finding::deny(
                            Reason::OutOfScope,
                            fault.to_string(),
                            "ask the operator to look at the plugin; retrying will not help",
                            format!("`{}` binds a dimension that its plugin does not declare", case.rule().served),
                        );
                    }
                }
            }
        }
        Finding::pass("every target is within the grant")
    }
}

/// The targets at a place: a text, a whole number, or each element of a list of these; `None` for anything else.
/// An empty list and `null` are no target at all.
pub(crate) fn targets(value: &Value) -> std::vec::IntoIter<Option<Cow<'_, str>>> {
    let items = match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(scalar).collect(),
        other => vec![scalar(other)],
    };
    items.into_iter()
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}
