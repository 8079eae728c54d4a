//! A host in the middle of its day, for tests.
#![expect(clippy::indexing_slicing, reason = "tests")]

use casemate_audit::{Entry, Place};
use casemate_policy::Timestamp;
use serde_json::{Value, json};

use super::{
    Lines, Model, Text,
    figures::Figures,
    model::{Books, Budget, News, Paused, Plugin, Waiting},
};
use crate::trail::whole::Extent;

/// 2026-11-22T14:03:22Z.
pub(super) const NOW: i64 = 1_795_356_202_000;

pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// A record: who, which tool, what came of it, and what else is known.
pub(super) fn entry(id: &str, millis: i64, kind: &str, (principal, tool, outcome): (&str, &str, &str), facts: Value) -> Entry {
    let raw = json!({
        "event_id": id, "event_type": kind, "occurred_at": at(millis).to_string(), "outcome": outcome,
        "principal_id": principal, "tool_name": tool, "extensions": { "casemate": facts },
    });
    Entry { place: Place { record: 0, segment: String::new(), line: 1, offset: 0 }, raw }
}

/// A call that ran.
pub(super) fn ran(id: &str, millis: i64, who: (&str, &str), (outcome, ending, took_us): (&str, &str, i64)) -> [Entry; 2] {
    let (principal, tool) = who;
    let facts = json!({ "intent": id, "ending": ending, "duration_us": took_us.to_string() });
    [
        entry(id, millis, "intent", (principal, tool, "allowed"), json!({ "arguments": { "target": "argument-value" } })),
        entry(&format!("{id}-end"), millis + took_us / 1000, "outcome", (principal, tool, outcome), facts),
    ]
}

/// A call that was refused, or waits.
pub(super) fn stopped(id: &str, millis: i64, kind: &str, (principal, tool, reason): (&str, &str, &str)) -> Entry {
    let outcome = if kind == "denied" { "denied" } else { "deferred" };
    let facts = json!({ "reason": reason, "message": "secret-message", "arguments": { "target": "argument-value" } });
    entry(id, millis, kind, (principal, tool, outcome), facts)
}

/// All of it, as it is read.
pub(super) fn model() -> Model {
    let mut model = Model::new("prod", at(NOW));
    let mut entries = vec![
        entry(
            "0",
            NOW - 9_000_000,
            "plugin.loaded",
            ("casemate", "", "allowed"),
            json!({ "fields": { "plugin": "casemate/intel" } }),
        ),
        entry(
            "1",
            NOW - 9_000_000,
            "plugin.load-failed",
            ("casemate", "", "denied"),
            json!({ "fields": { "plugin": "acme/eye", "reason": "advisory" } }),
        ),
    ];
    for number in 0..240_i64 {
        // In waves, as people work.
        let (millis, id) = (NOW - 420_000 + number * 1_700 + (number % 40) * (number % 40) * 20, format!("call-{number}"));
        let who = [
            ("token:soc", "intel_file_report"),
            ("oidc:alice@example.org", "intel_domain_report"),
            ("local", "range_list_agents"),
        ][usize::try_from(number % 3).unwrap_or_default()];
        match number % 31 {
            4 | 20 => entries.push(stopped(&id, millis, "denied", (who.0, "range_run_operation", "out-of-scope"))),
            9 => entries.push(stopped(&id, millis, "denied", (who.0, who.1, "budget-exhausted"))),
            11 => entries.push(stopped(&id, millis, "deferred", (who.0, "range_run_operation", "approval-required"))),
            13 => entries.extend(ran(&id, millis, who, ("error", "failed", 2_345_678))),
            busy => entries.extend(ran(
                &id,
                millis,
                who,
                ("allowed", if busy == 2 { "planned" } else { "returned" }, 45_000 + number * 700),
            )),
        }
    }
    let [running, _] = ran("running", NOW - 1_200, ("token:soc", "intel_url_report"), ("allowed", "returned", 0));
    entries.push(running);
    model.take(News::Log(entries, None), at(NOW));
    model.take(News::Books(Ok(books())), at(NOW));
    model.take(News::Plugins(Ok(plugins())), at(NOW));
    model.take(News::Health(Ok(Extent { chains: 2, records: 12_345, covered: 12_300 })), at(NOW - 130_000));
    model.take(News::Figures(Figures::read(&figures(1)).map_err(|fault| Lines::of(&fault.to_string()))), at(NOW - 60_000));
    model.take(News::Figures(Figures::read(&figures(2)).map_err(|fault| Lines::of(&fault.to_string()))), at(NOW));
    model
}

fn books() -> Books {
    let budget = |(principal, grant, counts): (&str, &str, &str), (spent, limit, unit, per): (u64, u64, &str, &str)| Budget {
        principal: Text::of(principal),
        grant: Text::of(grant),
        counts: Text::of(counts),
        spent,
        limit,
        unit: Text::of(unit),
        per: Text::of(per),
    };
    let waiting = |(id, tool, principal): (&str, &str, &str), ago: i64, agreed, quorum| Waiting {
        id: Text::of(id),
        tool: Text::of(tool),
        principal: Text::of(principal),
        grant: Text::of("operations"),
        asked: at(NOW - ago),
        expires: at(NOW - ago + 3_600_000),
        agreed,
        quorum,
    };
    Books {
        budgets: vec![
            budget(("token:soc", "triage", "intel_*"), (120, 500, "calls", "1h")),
            budget(("token:soc", "triage", "*"), (18_400_000, 20_000_000, "bytes", "1d")),
            budget(("oidc:alice@example.org", "triage", "intel_*"), (500, 500, "calls", "1h")),
            budget(("local", "operations", "range_* from execute on"), (0, 3, "different agent", "1d")),
        ],
        waiting: vec![
            waiting(("apr_01KACQ7Y3M5T8X", "range_run_operation", "token:soc"), 95_000, 1, 2),
            waiting(("apr_01KACQ2B9Z0W1R", "range_stop_operation", "local"), 1_500_000, 0, 1),
        ],
        paused: vec![Paused {
            principal: Text::of("token:nightly"),
            since: at(NOW - 420_000),
            why: Text::of("20 denials in 5m"),
        }],
    }
}

fn plugins() -> Vec<Plugin> {
    let plugin = |(id, version): (&str, &str), release, tools, refused: Option<&str>| Plugin {
        id: Text::of(id),
        version: Text::of(version),
        release,
        tools,
        refused: refused.map(Text::of),
    };
    vec![
        plugin(("acme/eye", "2.0.1"), 7, 3, None),
        plugin(("acme/old", "0.9.0"), 1, 1, Some("revoked")),
        plugin(("casemate/range", "0.1.0"), 1, 9, None),
        plugin(("casemate/intel", "0.1.0"), 1, 12, None),
    ]
}

/// What a server says; so many times as much has happened.
pub(super) fn figures(times: u64) -> String {
    const BOUNDS: [&str; 7] = ["0.0001", "0.001", "0.005", "0.05", "0.25", "1.0", "+Inf"];
    let stage = |name: &str, counts: [u64; 7]| {
        let line = |(bound, count): (&str, u64)| {
            format!("casemate_stage_duration_seconds_bucket{{stage=\"{name}\",le=\"{bound}\"}} {}\n", count * times)
        };
        BOUNDS.into_iter().zip(counts).map(line).collect::<String>()
    };
    let upstream = format!(
        "casemate_upstream_duration_seconds_bucket{{plugin=\"intel\",upstream=\"intel\",status_class=\"2xx\",le=\"0.5\"}} {}\n\
         casemate_upstream_duration_seconds_bucket{{plugin=\"intel\",upstream=\"intel\",status_class=\"2xx\",le=\"+Inf\"}} {}\n",
        30 * times,
        31 * times
    );
    let stages = [
        ("sandbox", [0, 0, 2, 30, 90, 99, 100]),
        ("policy", [80, 118, 120, 120, 120, 120, 120]),
        ("place", [60, 90, 95, 99, 100, 100, 100]),
        ("ledger", [10, 85, 98, 100, 100, 100, 100]),
        ("intent", [40, 70, 92, 100, 100, 100, 100]),
        ("output", [50, 99, 100, 100, 100, 100, 100]),
    ]
    .map(|(name, counts)| stage(name, counts))
    .concat();
    format!(
        "# TYPE casemate_places_in_use gauge\ncasemate_places_in_use 3\ncasemate_places_waiting 1\n\
         casemate_fuel_total{{plugin=\"intel\"}} {}\ncasemate_audit_lag_seconds 0.012\n{stages}{upstream}",
        1_234_567_890 * times
    )
}
