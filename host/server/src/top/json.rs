//! The same for programs: every part, or null and why it is not there.

use casemate_policy::Timestamp;
use serde_json::{Value, json};

use super::{
    Lines, Model,
    figures::Quantile,
    model::{Budget, Call, Denials, Latency, Load, Part, Paused, Row, Waiting},
};

/// All that is shown, and what a frame has no room for.
pub(crate) fn json(model: &Model) -> Value {
    let plugins = model.plugins();
    let latencies = model.latencies();
    let figures = model.figures.here();
    let books = |rows: fn(&super::model::Books) -> Value| model.books.here().map(rows);
    json!({
        "environment": model.environment.as_str(),
        "at": model.now.to_string(),
        "calls": {
            "in_last_minute": model.calls.in_minute(model.now),
            "last": model.calls.last().map(call).collect::<Value>(),
        },
        "denials": model.calls.denials(model.now).iter().map(denials).collect::<Value>(),
        "latency": {
            "calls": latency(&latencies.calls),
            "of_late": latencies.of_late,
            "stages": latencies.stages.iter().map(latency).collect::<Value>(),
            "upstreams": latencies.upstreams.iter().map(latency).collect::<Value>(),
            "places_in_use": figures.and_then(|figures| figures.places),
            "places_waiting": figures.and_then(|figures| figures.queue),
        },
        "budgets": books(|books| books.budgets.iter().map(budget).collect()),
        "approvals": books(|books| books.waiting.iter().map(waiting).collect()),
        "paused": books(|books| books.paused.iter().map(paused).collect()),
        "plugins": plugins.here().map(|rows| rows.iter().map(plugin).collect::<Value>()),
        "audit": {
            "whole": whole(model),
            "records": model.health.here().map(|(extent, _)| extent.records),
            "chains": model.health.here().map(|(extent, _)| extent.chains),
            "covered": model.health.here().map(|(extent, _)| extent.covered),
            "newest": time(model.calls.newest()),
            "lag_seconds": figures.and_then(|figures| figures.lag),
        },
        "faults": faults(model, &plugins),
    })
}

/// Whether the log is whole; null where nobody could look.
fn whole(model: &Model) -> Option<bool> {
    match &model.health {
        Part::Unread => None,
        Part::Here(_) => Some(true),
        Part::Absent(_) => Some(false),
    }
}

/// Which parts are not there, and why.
fn faults(model: &Model, plugins: &Part<Vec<Row>>) -> Value {
    fn why<T>(part: &Part<T>) -> Option<&Lines> {
        match part {
            Part::Absent(why) => Some(why),
            Part::Unread | Part::Here(_) => None,
        }
    }
    let all = [
        ("log", model.unreadable.as_ref()),
        ("ledger", why(&model.books)),
        ("plugins", why(plugins)),
        ("audit", why(&model.health)),
        ("metrics", why(&model.figures)),
    ];
    let said = |why: &Lines| why.iter().map(|line| line.as_str()).collect::<Vec<_>>().join("\n");
    all.into_iter().filter_map(|(part, why)| Some(json!({ "part": part, "why": said(why?) }))).collect()
}

fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

fn call(call: &Call) -> Value {
    json!({
        "id": call.id.as_str(), "at": call.at.to_string(), "tool": call.tool.as_str(), "principal": call.principal.as_str(),
        "decision": call.standing.as_str(), "why": call.why.as_str(), "took_us": call.took,
    })
}

fn denials(denials: &Denials) -> Value {
    json!({
        "reason": denials.reason.as_str(), "count": denials.count, "last": denials.last.to_string(), "tool": denials.tool.as_str(),
        "principal": denials.principal.as_str(),
    })
}

fn latency(latency: &Latency) -> Value {
    let seconds = |quantile: Option<Quantile>| match quantile {
        Some(Quantile::At(at)) => json!(at),
        // Longer than the last bound of a histogram: nobody knows how much.
        Some(Quantile::Above(above)) => json!({ "above": above }),
        None => Value::Null,
    };
    json!({
        "name": latency.name.as_str(), "count": latency.count, "p50": seconds(latency.p50), "p95": seconds(latency.p95),
        "p99": seconds(latency.p99),
    })
}

fn budget(budget: &Budget) -> Value {
    json!({
        "principal": budget.principal.as_str(), "grant": budget.grant.as_str(), "counts": budget.counts.as_str(), "spent": budget.spent,
        "limit": budget.limit, "unit": budget.unit.as_str(), "per": budget.per.as_str(),
    })
}

fn waiting(waiting: &Waiting) -> Value {
    json!({
        "id": waiting.id.as_str(), "tool": waiting.tool.as_str(), "principal": waiting.principal.as_str(),
        "grant": waiting.grant.as_str(), "asked": waiting.asked.to_string(), "expires": waiting.expires.to_string(),
        "agreed": waiting.agreed, "quorum": waiting.quorum,
    })
}

fn paused(paused: &Paused) -> Value {
    json!({ "principal": paused.principal.as_str(), "since": paused.since.to_string(), "why": paused.why.as_str() })
}

fn plugin(row: &Row) -> Value {
    let plugin = &row.plugin;
    let (load, since, why) = match &row.load {
        Load::Loaded(since) => ("loaded", Some(*since), None),
        Load::Refused(since, why) => ("refused", Some(*since), Some(why)),
        Load::Unknown => ("unknown", None, None),
    };
    json!({
        "plugin": plugin.id.as_str(), "version": plugin.version.as_str(), "release": plugin.release, "tools": plugin.tools,
        "verified": plugin.refused.is_none(), "load": load, "since": time(since),
        "why": plugin.refused.as_ref().or(why).map(|why| why.as_str()), "fuel": row.fuel,
    })
}
