//! Attacks on the operator's own grants and tools, as they are written.

use std::collections::BTreeSet;

use casemate_policy::{
    Call, Grant, Layer, Mode, Outcome, Principal, PrincipalId, Readings, ServedName, ToolRule, explain, needs,
    session::{Read, SessionReading},
};
use casemate_signing::manifest::{Effect, Label};
use serde_json::{Value, json};

use super::{
    Attack, Escape, Stop, broken,
    range::{Range, stopped},
};

/// Layers that may object to nothing but made-up arguments.
const ABOUT_ARGUMENTS: [Layer; 2] = [Layer::Input, Layer::Scope];

pub(super) const ATTACKS: &[Attack] = &[
    Attack::new("your-tools-by-a-stranger", "call each of your tools without a grant", |range| {
        let stranger = Principal::new("token:redteam-nobody".parse().map_err(broken)?);
        let mut last = Stop::by("catalog", "unknown-tool", "no tool is installed");
        for tool in range.own().tools() {
            last = stopped(&ask(range, &stranger, tool.served.as_str(), None))?;
        }
        Ok(last)
    }),
    Attack::new(
        "your-tools-after-untrusted",
        "run each of your dangerous tools after a result that an attacker may have written",
        |range| dangerous(range, "untrusted", Effect::Execute),
    ),
    Attack::new("your-tools-after-a-secret", "change something with each of your tools after a secret was read", |range| {
        dangerous(range, "secret", Effect::Write)
    }),
    Attack::new("your-tools-unasked", "run each of your dangerous tools with nobody asked and nothing planned", |range| {
        dangerous_where(range, "executes unasked", |tool, _, _| {
            let unasked = tool.mode() == Mode::Real && tool.approval.mode == casemate_policy::ApprovalMode::None;
            (tool.manifest_tool.effect >= Effect::Execute && unasked).then_some(None)
        })
    }),
];

/// Every tool of this effect and above that anybody may call for real, in a session that has read this label: some layer objects, and not for
/// the arguments' sake.
fn dangerous(range: &Range<'_>, label: &str, least: Effect) -> Result<Stop, Escape> {
    let label: Label = label.parse().map_err(broken)?;
    dangerous_where(range, "is not stopped", |tool, served, now| {
        let read = Read { tool: served.clone(), at: now, audit_id: "redteam".to_owned() };
        let session = SessionReading { labels: [(label.clone(), read)].into(), ..SessionReading::default() };
        (tool.ceiling() >= least).then_some(Some(session))
    })
}

type Chosen = Option<Option<SessionReading>>;

fn dangerous_where(
    range: &Range<'_>,
    what: &str,
    choose: impl Fn(&ToolRule, &ServedName, casemate_policy::Timestamp) -> Chosen,
) -> Result<Stop, Escape> {
    let policy = range.own();
    let mut last = Stop::by("catalog", "nothing-to-attack", "no grant reaches such a tool");
    for grant in policy.grants() {
        for tool in policy.tools().filter(|tool| policy.covers(&grant.name, &tool.served)) {
            let Some(session) = choose(tool, &tool.served, range.now) else { continue };
            for principal in &grant.principals {
                last = held(range, principal, tool, arguments(tool, grant), session.clone()).ok_or_else(|| {
                    Escape::Through(format!("`{}` {what} for `{principal}` under `{}`", tool.served, grant.name))
                })?;
            }
        }
    }
    Ok(last)
}

/// Arguments as the tool's schema asks for, with targets that the grant allows.
fn arguments(tool: &ToolRule, grant: &Grant) -> Value {
    let schema = &tool.manifest_tool.input_schema;
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let target = |name: &str| {
        let bound = tool.manifest_tool.scope.iter().find(|(_, place)| place.argument.strip_prefix('/') == Some(name));
        bound.and_then(|(dimension, _)| grant.scope.get(dimension)?.first()).map(|value| json!(value))
    };
    let any = |name: &str| {
        let of = |word: &str| schema.pointer(&format!("/properties/{name}/{word}"));
        let first = of("enum").and_then(|values| values.get(0)).or_else(|| of("const"));
        first.cloned().unwrap_or_else(|| match of("type").and_then(Value::as_str) {
            Some("integer" | "number") => of("minimum").cloned().unwrap_or_else(|| json!(1)),
            Some("boolean") => json!(false),
            Some("array") => json!([]),
            Some("object") => json!({}),
            _ => json!("a"),
        })
    };
    required.map(|name| (name.to_owned(), target(name).unwrap_or_else(|| any(name)))).collect()
}

/// What objects under every grant of a principal, besides what may be wrong with the arguments.
fn held(
    range: &Range<'_>,
    principal: &PrincipalId,
    tool: &ToolRule,
    arguments: Value,
    session: Option<SessionReading>,
) -> Option<Stop> {
    let (policy, principal) = (range.own(), Principal::standing_for(principal.clone()));
    let call = Call::new(tool.served.as_str(), arguments);
    let readings = readings(range, &principal, &call, session);
    let mut stop = None;
    for under in explain(policy, &principal, &call, &readings, range.now) {
        let objects = |outcome: Outcome| matches!(outcome, Outcome::Deny(_) | Outcome::Defer(_));
        let unfit = under.words.iter().any(|word| word.verdict.layer == Layer::Input && objects(word.verdict.outcome));
        // A policy that cannot be asked about such arguments denies too.
        let excused = |layer: Layer| ABOUT_ARGUMENTS.contains(&layer) || (unfit && layer == Layer::Cedar);
        let layers: BTreeSet<_> = under
            .words
            .iter()
            .filter(|word| objects(word.verdict.outcome) && !excused(word.verdict.layer))
            .map(|word| {
                (word.verdict.layer, word.verdict.outcome.reason().map_or("", |reason| reason.code()), word.verdict.note.clone())
            })
            .collect();
        let mut layers = layers.into_iter();
        let (layer, code, note) = layers.next()?;
        stop = Some(Stop { also: layers.map(|(layer, ..)| layer.as_str()).collect(), ..Stop::by(layer.as_str(), code, note) });
    }
    stop
}

fn readings(range: &Range<'_>, principal: &Principal, call: &Call, session: Option<SessionReading>) -> Readings {
    let needs = needs(range.own(), principal, call);
    let mut readings = Readings::fresh(&needs);
    if let Some(session) = session {
        needs.sessions.keys().for_each(|grant| readings.session(grant.clone(), session.clone()));
    }
    readings
}

fn ask(range: &Range<'_>, principal: &Principal, tool: &str, session: Option<SessionReading>) -> casemate_policy::Decision {
    let call = Call::new(tool, json!({}));
    casemate_policy::decide(range.own(), principal, &call, &readings(range, principal, &call, session), range.now)
}
