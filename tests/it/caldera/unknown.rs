//! What nobody knows the end of: it is called that, on record too, and never tried again.

use std::time::Instant;

use serde_json::{Value, json};

use super::range::{CHANGES, Range, WHOAMI, execute};

/// The operation is paused between the read and the post: Caldera answers when it runs, and runs the command then.
#[test]
fn a_link_that_is_not_answered_has_an_unknown_outcome_and_may_run_later() {
    let range = Range::open();
    let operation = range.operation("red-lab", "ad-hoc", "paused");
    let mut running = range.ask("GET", &format!("operations/{operation}"), &Value::Null);
    running["state"] = json!("running");
    range.answers(&format!("GET /api/v2/operations/{operation}"), &json!({ "body": running }));
    let began = Instant::now();
    let reply = range.call_fresh("execute_ability", execute(&operation, "simpaw1", "red-lab", WHOAMI));
    assert!((8..20).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    let reply = reply.ended(
        "error",
        "outcome-unknown",
        &["outcome unknown: Caldera did not answer in time", "may run at any later time"],
    );
    reply.clone().silent(&["nothing was run", "Trying again", "has happened"]);
    assert_eq!(range.changes().len(), 1, "never again by itself");
    let outcome = range.outcome(&reply);
    assert_eq!(outcome["outcome"], "unknown", "{outcome:#}");

    // Which is how it is.
    range.order(&json!({ "simulate": ["simpaw1"], "beat_ms": 20 }));
    range.ask("PATCH", &format!("operations/{operation}"), &json!({ "state": "running" }));
    let chain = range.ask("GET", &format!("operations/{operation}"), &Value::Null)["chain"].clone();
    assert_eq!(chain[0]["command"], "whoami", "{chain:#}");
}

#[test]
fn a_change_that_caldera_fails_at_has_an_unknown_outcome() {
    let range = Range::open();
    let trouble = json!({ "answer": { "status": 500, "body": "500 Internal Server Error\n\nServer got itself in trouble" } });
    let answered = |script: Value| (script, "outcome unknown: ");
    for (script, words) in [
        answered(trouble),
        answered(json!({ "misbehave": { "kind": "reset" } })),
        answered(json!({ "misbehave": { "kind": "close" } })),
        answered(json!({ "misbehave": { "kind": "truncated" } })),
        answered(json!({ "misbehave": { "kind": "reset-body" } })),
    ] {
        for tool in CHANGES {
            let arguments = range.arguments(tool);
            range.scripted(&Range::change(tool, &arguments), script.clone());
            let reply =
                range.call_fresh(tool, arguments).ended("error", "outcome-unknown", &[words, "whether it happened is not known"]);
            assert_eq!(range.changes().len(), 1, "{tool} {script}: never again by itself");
            let outcome = range.outcome(&reply);
            assert_eq!(outcome["outcome"], "unknown", "{tool} {script}: {outcome:#}");
        }
    }
}

/// Taken, and answered with what nobody can read: it has happened, and what it was is not known.
#[test]
fn a_change_whose_answer_cannot_be_read_is_not_called_undone() {
    let range = Range::open();
    for kind in ["html", "invalid-json", "empty-body", "invalid-utf8", "deep-json"] {
        for tool in CHANGES {
            let arguments = range.arguments(tool);
            range.scripted(&Range::change(tool, &arguments), json!({ "misbehave": { "kind": kind } }));
            let reply = range.call_fresh(tool, arguments);
            let reply = reply.ended("error", "upstream", &["it has happened", "Do not repeat the call"]);
            assert_eq!(range.outcome(&reply)["outcome"], "error", "{kind} {tool}");
            assert_eq!(range.changes().len(), 1, "{kind} {tool}");
        }
    }
}
