//! What requests may reach, and what stands where a target or a safe method is missing.

use regex_syntax::hir::{Class, Hir, HirKind};

use super::{Lint, Warnings};
use crate::manifest::{
    Effect, Manifest, NoScope, Origin, Protocol, RequestContract, ScopeBindings, Tool,
    check::{FORM, JSON},
};

/// A class that takes this many of the 95 printable ASCII characters was not written to keep any of them out.
const NEARLY_ALL: usize = 85;
/// Words of a reason that says something.
const FEW_WORDS: usize = 4;
/// What the component imports when it can ask for byte sources.
const SOURCES: &str = "casemate:plugin/sources@";
/// First words of names that speak of a change, as a tool's name or a segment of a path.
const CHANGES: [&str; 16] = [
    "cancel",
    "create",
    "delete",
    "disable",
    "enable",
    "execute",
    "isolate",
    "kill",
    "modify",
    "purge",
    "quarantine",
    "remove",
    "restart",
    "revoke",
    "stop",
    "upload",
];
/// First words that are a change in a tool's name, and a noun in many a path.
const CHANGES_OF_TOOLS: [&str; 8] = ["add", "assign", "block", "close", "contain", "reset", "submit", "update"];

pub(super) fn check(manifest: &Manifest, warnings: &mut Warnings) {
    for (name, upstream) in &manifest.upstream {
        let at = format!("upstream.{name}");
        let anywhere = upstream.origin == Origin::Operator && upstream.default_origin.is_none();
        // The path of a request to a database is the database's name.
        let is_open = |contract: &RequestContract| upstream.protocol == Protocol::Http && starts_open(&contract.path);
        if anywhere && upstream.request.iter().any(is_open) {
            warnings.add(
                Lint::OpenUpstream,
                format!("{at}.origin"),
                "the operator's to choose, without a default, and a path of any beginning",
            );
        }
        for contract in &upstream.request {
            let at = format!("{at}.request.{}", contract.name);
            if is_open(contract) {
                warnings.add(Lint::OpenPath, format!("{at}.path"), format!("`{}` begins with a parameter", contract.path));
            }
            request(contract, &at, warnings);
        }
    }
    for (name, tool) in &manifest.tool {
        let at = format!("tool.{name}");
        let word = change(name.as_str(), &CHANGES).or_else(|| change(name.as_str(), &CHANGES_OF_TOOLS));
        if let Some(word) = word.filter(|_| tool.effect == Effect::Read) {
            warnings.add(Lint::UnderstatedEffect, format!("{at}.effect"), format!("`{word}`"));
        }
        scope(manifest, tool, &at, warnings);
    }
    let may_ask = manifest.imports.iter().any(|import| import.starts_with(SOURCES));
    for name in manifest.sources.keys().filter(|_| !may_ask) {
        warnings.add(
            Lint::UnusedSource,
            format!("sources.{name}"),
            format!("the component imports no `{}`", SOURCES.trim_end_matches('@')),
        );
    }
}

fn request(contract: &RequestContract, at: &str, warnings: &mut Warnings) {
    for (place, fields, always) in
        [("parameters", &contract.parameters, true), ("query", &contract.query, false), ("headers", &contract.headers, false)]
    {
        for (name, pattern) in fields {
            // A search text takes any character; it is asked about where nothing bounds its length either.
            if is_wide(pattern, always) {
                warnings.add(Lint::WidePattern, format!("{at}.{place}.{name}"), format!("`{pattern}`"));
            }
        }
    }
    let effect = contract.effect().unwrap_or(Effect::Destructive);
    let parsed = contract.content_type.as_deref().is_some_and(|it| it == JSON || it == FORM);
    if effect > Effect::Read && parsed && !contract.closed {
        warnings.add(Lint::OpenBody, format!("{at}.content_type"), format!("a {effect} whose body is not closed"));
    }
    if effect == Effect::Read && !contract.method.is_safe() {
        warnings.add(Lint::ReadByPost, format!("{at}.effect"), format!("a read by {}", contract.method.as_str()));
    }
    if effect == Effect::Read
        && let Some(word) = contract.path.split('/').find_map(|segment| change(segment, &CHANGES))
    {
        warnings.add(Lint::UnderstatedEffect, format!("{at}.path"), format!("`{word}`"));
    }
    let matters = contract.scope == ScopeBindings::None(NoScope::None) || (effect == Effect::Read && !contract.method.is_safe());
    if let Some(reason) = contract.reason.as_deref().filter(|reason| matters && is_weak(reason)) {
        warnings.add(Lint::WeakReason, format!("{at}.reason"), format!("`{reason}`"));
    }
}

/// Whether the first segment is a parameter.
fn starts_open(path: &str) -> bool {
    path.starts_with("/{")
}

fn is_weak(reason: &str) -> bool {
    reason.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).count() < FEW_WORDS
}

/// The first word of a name, where it speaks of a change.
fn change(name: &str, words: &[&'static str]) -> Option<&'static str> {
    let first = name.split(['_', '-', '.']).next()?;
    words.iter().copied().find(|word| first.eq_ignore_ascii_case(word))
}

/// Whether a pattern takes nearly any character, of any number of them unless `always`.
fn is_wide(pattern: &str, always: bool) -> bool {
    let Ok(parsed) = regex_syntax::parse(pattern) else { return false };
    takes_nearly_all(&parsed) && (always || parsed.properties().maximum_len().is_none())
}

fn takes_nearly_all(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(class) => {
            let holds = |c: char| match class {
                Class::Unicode(class) => class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&c)),
                Class::Bytes(class) => class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&(c as u8))),
            };
            (' '..='~').filter(|c| holds(*c)).count() >= NEARLY_ALL
        }
        HirKind::Repetition(repetition) => takes_nearly_all(&repetition.sub),
        HirKind::Capture(capture) => takes_nearly_all(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(takes_nearly_all),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Look(_) => false,
    }
}

/// A dimension that a tool binds is one that a request of it is held against, too.
fn scope(manifest: &Manifest, tool: &Tool, at: &str, warnings: &mut Warnings) {
    let contracts =
        || manifest.upstream.values().flat_map(|upstream| &upstream.request).filter(|it| tool.requests.contains(&it.name));
    for dimension in tool.scope.keys().filter(|_| !tool.requests.is_empty()) {
        if !contracts().any(|contract| contract.dimensions().any(|bound| bound == dimension)) {
            warnings.add(
                Lint::UnusedScope,
                format!("{at}.scope.{dimension}"),
                format!("no request of the tool binds `{dimension}`"),
            );
        }
    }
}
