//! A table of calls and what is expected of each: an operator's own tests of the rules.
//!
//! ```toml
//! [[case]]
//! name = "the agent stays in the lab"
//! call = { principal = "token:agent", tool = "caldera_create_operation", arguments = { group = "production" } }
//! expect = "denied"
//! reason = "out-of-scope"
//! ```

use std::path::Path;

use casemate_policy::{Decision, text::visible};
use serde::Deserialize;
use serde_json::{Value, json};
use toml::Spanned;

use super::{Context, print, text_of};
use crate::{
    clock,
    config::{Place, of_toml},
    exit::{Exit, Failure, Outcome},
    house::Rulebook,
    hypothesis::{Foretold, Hypothesis},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    case: Vec<Spanned<Case>>,
}

/// One call, and what is to follow. Nothing has happened before it but what the call supposes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    call: Hypothesis,
    expect: Expected,
    /// The layer that says no, or that asks.
    layer: Option<String>,
    /// Its reason code.
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    Allowed,
    Planned,
    Deferred,
    Denied,
}

impl Expected {
    fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Planned => "planned",
            Self::Deferred => "deferred",
            Self::Denied => "denied",
        }
    }
}

/// A case that was held against the rules.
struct Held {
    name: String,
    place: Place,
    got: String,
    /// What was expected instead.
    missed: Option<String>,
}

/// Hold the rules to every case.
pub(super) fn run(path: &Path, book: &Rulebook, context: &Context) -> Outcome {
    let text = text_of(path)?;
    let table: Table = toml::from_str(&text).map_err(|error| Failure::invalid(of_toml(path, &text, &error)))?;
    if table.case.is_empty() {
        return Err(Failure::invalid(format!("`{}` has no case, and so nothing is tested", path.display())));
    }
    let mut held = Vec::new();
    for case in table.case {
        let place = Place::new(path, &text, case.span().start);
        held.push(hold(case.into_inner(), place, book)?);
    }
    let missed = held.iter().filter(|held| held.missed.is_some()).count();
    print::result(context.format, || shown(&held, missed), || value(&held));
    Ok(if missed == 0 { Exit::Done } else { Exit::Failed })
}

fn hold(case: Case, place: Place, book: &Rulebook) -> Result<Held, Failure> {
    let told = case.call.ask(&book.policy, None, clock::now())?;
    let (layer, reason) = objection(&told);
    let is = |expected: &Option<String>, got: Option<&str>| expected.as_deref().is_none_or(|expected| Some(expected) == got);
    let fits = case.expect.as_str() == told.word() && is(&case.layer, layer) && is(&case.reason, reason);
    let words = |word: &str, layer: Option<&str>, reason: Option<&str>| {
        [Some(word), layer, reason].into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    let expected = words(case.expect.as_str(), case.layer.as_deref(), case.reason.as_deref());
    Ok(Held { name: case.name, place, got: words(told.word(), layer, reason), missed: (!fits).then_some(expected) })
}

/// Who objects, and why.
fn objection(told: &Foretold) -> (Option<&'static str>, Option<&'static str>) {
    match &told.decision {
        Decision::Permit(_) => (None, None),
        Decision::Deferred(deferred) => {
            let asks = deferred.verdicts().iter().find(|verdict| verdict.outcome.reason() == Some(deferred.reason()));
            (asks.map(|verdict| verdict.layer.as_str()), Some(deferred.reason().code()))
        }
        Decision::Denied(denied) => (Some(denied.layer().as_str()), Some(denied.reason().code())),
    }
}

fn shown(held: &[Held], missed: usize) -> String {
    let mut text = String::new();
    for Held { name, place, got, missed } in held {
        match missed {
            None => text.push_str(&format!("ok    {}: {got}\n", visible(name))),
            Some(expected) => {
                text.push_str(&format!(
                    "FAIL  {}\n  at        {place}\n  expected  {}\n  got       {got}\n",
                    visible(name),
                    visible(expected)
                ));
            }
        }
    }
    text.push_str(&format!("\n{}, {missed} failed\n", print::counted(held.len(), "case")));
    text
}

fn value(held: &[Held]) -> Value {
    let one = |held: &Held| json!({ "name": held.name, "place": held.place.to_string(), "got": held.got, "expected": held.missed, "ok": held.missed.is_none() });
    json!({ "cases": held.iter().map(one).collect::<Vec<_>>() })
}
