//! Sigma: checking, finding and converting detection rules, and committing one for people to review.
//!
//! A rule is read into a tree that cannot grow beyond its text, once, in [`rule`]; everything else works on what was read. What a query
//! language cannot say is refused by its name: a query that finds something else than the rule says is worse than none.

mod commit;
mod condition;
mod conversion;
mod detection;
mod document;
mod finding;
mod hits;
mod language;
mod library;
mod pattern;
mod rule;
mod value;
mod verdict;

use casemate_plugin::{Context, Failure, plugin, tool};
use casemate_repository::Pushed;

/// Check a Sigma rule: its YAML, what the specification demands of each field, its condition, and whether it can be converted. Regular
/// expressions are not tried.
#[tool(effect = read, idempotent, title = "Check a Sigma rule")]
pub fn validate(args: verdict::Arguments, cx: &Context) -> Result<verdict::Checked, Failure> {
    verdict::validate(args, cx)
}

/// Find Sigma rules in a collection that the operator bound, by words, ATT&CK technique and log source. An answer has 50 rules at most, and
/// says where to go on.
#[tool(effect = read, idempotent, title = "Find Sigma rules")]
pub fn search(args: hits::Arguments, cx: &Context) -> Result<hits::Found, Failure> {
    hits::search(args, cx)
}

/// Show one Sigma rule of a collection by its id, as YAML.
#[tool(effect = read, idempotent, title = "Show a Sigma rule")]
pub fn show(args: document::Arguments, cx: &Context) -> Result<document::Shown, Failure> {
    document::show(args, cx)
}

/// Convert a Sigma rule to a query for Splunk or Kusto, with the field names of the rule and without an index or a data source. What the
/// language cannot say is refused by its name.
#[tool(effect = read, idempotent, title = "Convert a Sigma rule")]
pub fn convert(args: conversion::Arguments, cx: &Context) -> Result<conversion::Query, Failure> {
    conversion::convert(args, cx)
}

/// Commit one Sigma rule to a repository on GitHub, as one file on a branch that exists, begins with casemate- and is not the default. The
/// rule has to be valid, with an id and the status experimental or test. To replace a file, say which one by its blob SHA; it has to hold
/// the same rule.
#[tool(effect = write, title = "Commit a Sigma rule")]
pub fn commit_rule(args: commit::Arguments, cx: &Context) -> Result<Pushed, Failure> {
    commit::commit(args, cx)
}

plugin!(validate, search, show, convert, commit_rule);
