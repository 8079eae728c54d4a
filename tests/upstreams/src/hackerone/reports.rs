//! The reports that are there, and what becomes of a new one.

use serde_json::{Value, json};

const SECOND: &str = "2024-11-05T09:38:20.000Z";

/// What the account has submitted: 60 reports, newest first, to two programs.
pub(super) fn all() -> Vec<Value> {
    let titles = ["Stored XSS in the profile's name", "Open redirect after login", "Rate limit of the login can be passed"];
    let (states, ratings) = (["triaged", "new", "resolved", "duplicate"], ["high", "low", "medium", "none"]);
    let pick = |list: &[&'static str], at: usize| list.get(at % list.len()).copied().unwrap_or_default();
    (0..60)
        .map(|at| {
            let attributes = json!({
                "team_handle": if at % 3 == 1 { "globex" } else { "acme" },
                "title": pick(&titles, at),
                "vulnerability_information": "CWE-79.\n\n## Steps to reproduce\n1. Open the profile.\n2. Look at its name.",
                "severity_rating": pick(&ratings, at),
                "weakness_id": 60,
            });
            let mut report = new(2_871_337 - at, &attributes);
            report["attributes"]["state"] = json!(pick(&states, at));
            report
        })
        .collect()
}

/// A report as it is when it has just been submitted.
pub(super) fn new(id: usize, attributes: &Value) -> Value {
    let related =
        |kind: &str, id: &str, attributes: Value| json!({ "data": { "id": id, "type": kind, "attributes": attributes } });
    let mut relationships = json!({
        "program": related("program", "1337", json!({ "handle": attributes["team_handle"], "created_at": SECOND, "updated_at": SECOND })),
        "bounties": { "data": [] },
    });
    if !attributes["severity_rating"].is_null() {
        let severity = json!({ "rating": attributes["severity_rating"], "author_type": "User", "created_at": SECOND });
        relationships["severity"] = related("severity", "57", severity);
    }
    if !attributes["weakness_id"].is_null() {
        let weakness = json!({ "name": "Cross-site Scripting (XSS) - Stored", "external_id": "cwe-79", "created_at": SECOND });
        relationships["weakness"] = related("weakness", &attributes["weakness_id"].to_string(), weakness);
    }
    json!({
        "id": id.to_string(),
        "type": "report",
        "attributes": {
            "title": attributes["title"],
            "state": "new",
            "created_at": SECOND,
            "vulnerability_information": attributes["vulnerability_information"],
            "triaged_at": null,
            "closed_at": null,
            "disclosed_at": null,
            "bounty_awarded_at": null,
        },
        "relationships": relationships,
    })
}
