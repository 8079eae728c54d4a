#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use serde_json::json;

use super::*;
use crate::top::{
    figures::Quantile,
    sample::{self, NOW, at, entry, figures, ran, stopped},
};

const WHO: (&str, &str) = ("local", "eye_look");

fn model(entries: Vec<Entry>) -> Model {
    let mut model = Model::new("dev", at(NOW));
    model.take(News::Log(entries, None), at(NOW));
    model
}

fn calls(model: &Model) -> Vec<(&str, &str, &str, Option<u64>)> {
    model.calls.last().map(|call| (call.tool.as_str(), call.standing.as_str(), call.why.as_str(), call.took)).collect()
}

#[test]
fn a_call_is_one_row_from_its_beginning_to_its_end() {
    let [begins, ends] = ran("a", NOW - 50, WHO, ("allowed", "returned", 40_000));
    let mut model = model(vec![begins]);
    assert_eq!(calls(&model), [("eye_look", "running", "", None)]);
    model.take(News::Log(vec![ends], None), at(NOW));
    assert_eq!(calls(&model), [("eye_look", "allowed", "returned", Some(40_000))]);
    assert_eq!(model.calls.in_minute(at(NOW)), 1, "its end is no call");
}

#[test]
fn an_end_whose_beginning_was_not_read_is_a_row_too() {
    let [_, ends] = ran("a", NOW - 50, WHO, ("unknown", "interrupted", 40_000));
    assert_eq!(calls(&model(vec![ends])), [("eye_look", "unknown", "interrupted", Some(40_000))]);
}

#[test]
fn what_is_refused_and_what_waits_are_told_apart() {
    let model = model(vec![
        stopped("a", NOW - 90, "denied", ("local", "eye_look", "out-of-scope")),
        stopped("b", NOW - 80, "deferred", ("local", "eye_act", "approval-required")),
        stopped("c", NOW - 70, "denied", ("local", "eye_look", "out-of-scope")),
        stopped("d", NOW - 60, "denied", ("token:x", "nothing", "unknown-tool")),
        entry("e", NOW - 50, "auth.refused", ("casemate", "", "denied"), json!({ "fields": { "reason": "token-unknown" } })),
        entry("f", NOW - 40, "plugin.load-failed", ("casemate", "", "denied"), json!({ "fields": { "reason": "revoked" } })),
    ]);
    let denials = model.calls.denials(at(NOW));
    let counted: Vec<(&str, u64)> = denials.iter().map(|denials| (denials.reason.as_str(), denials.count)).collect();
    assert_eq!(counted, [("out-of-scope", 2), ("token-unknown", 1), ("unknown-tool", 1)]);
    assert_eq!(denials[0].last, at(NOW - 70));
    assert_eq!(model.calls.in_minute(at(NOW)), 4, "who could not prove who they are made no call");
    assert_eq!(model.calls.denials(at(NOW + 3_600_000)), []);
}

#[test]
fn a_call_that_is_stopped_on_its_way_was_refused() {
    let model = model(ran("a", NOW - 50, WHO, ("denied", "refused", 1_000)).into());
    assert_eq!(calls(&model), [("eye_look", "denied", "refused", Some(1_000))]);
    assert_eq!(model.calls.denials(at(NOW)).iter().map(|denials| denials.reason.as_str()).collect::<Vec<_>>(), ["refused"]);
}

#[test]
fn chains_that_are_read_one_after_the_other_are_in_order_of_time() {
    let of = |id: &str, ago: i64, tool: &str| ran(id, NOW - ago, ("local", tool), ("allowed", "returned", 1)).to_vec();
    let mut model = model([of("a", 500, "first"), of("b", 100, "third")].concat());
    model.take(News::Log(of("c", 300, "second"), None), at(NOW));
    assert_eq!(calls(&model).iter().map(|call| call.0).collect::<Vec<_>>(), ["third", "second", "first"]);
}

#[test]
fn however_many_there_are_only_so_many_are_kept() {
    let many = |count: i64| {
        (0..count).flat_map(|id| ran(&id.to_string(), NOW - 3_000_000 + id * 100, WHO, ("denied", "refused", 5))).collect()
    };
    let model = model(many(20_000));
    assert_eq!(model.calls.last().len(), 500);
    assert_eq!(model.calls.denials(at(NOW))[0].count, 10_000);
    assert_eq!(model.calls.steps(at(NOW), 10_000).len(), 10_000);
}

/// A clock that was wrong, or a record that somebody made up: nothing else is lost by it.
#[test]
fn times_that_cannot_be_hide_nothing() {
    let mut entries = vec![
        stopped("a", i64::MAX / 1_000_000, "denied", ("local", "eye_look", "out-of-scope")),
        stopped("b", 0, "denied", ("local", "eye_look", "out-of-scope")),
    ];
    let mut broken = stopped("c", NOW, "denied", ("local", "eye_look", "out-of-scope"));
    broken.raw["occurred_at"] = json!("yesterday");
    entries.push(broken);
    entries.extend(ran("d", NOW - 10, WHO, ("allowed", "returned", 5)));
    let model = model(entries);
    assert_eq!(model.calls.in_minute(at(NOW)), 1);
    assert_eq!(model.calls.latency(at(NOW)).count, 1);
}

#[test]
fn durations_are_told_by_what_so_many_do_not_exceed() {
    let entries =
        (1..=100).flat_map(|took| ran(&took.to_string(), NOW - 1_000, WHO, ("allowed", "returned", took * 1_000))).collect();
    let latency = model(entries).calls.latency(at(NOW));
    let at_seconds = |seconds| Some(Quantile::At(seconds));
    assert_eq!(
        (latency.count, latency.p50, latency.p95, latency.p99),
        (100, at_seconds(0.05), at_seconds(0.095), at_seconds(0.099))
    );
    assert_eq!(model(Vec::new()).calls.latency(at(NOW)).p50, None);
}

#[test]
fn stages_are_of_late_or_of_all_and_in_the_order_of_the_call() {
    let mut model = Model::new("dev", at(NOW));
    let mut say = |times, ago| {
        model.take(News::Figures(Ok(Figures::read(&figures(times)).unwrap())), at(NOW - ago));
        let latencies = model.latencies();
        (latencies.of_late, latencies.stages)
    };
    let (of_late, stages) = say(1, 60_000);
    assert!(!of_late, "there is nothing to compare it with");
    assert_eq!(
        stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(),
        ["policy", "place", "ledger", "intent", "sandbox", "output"]
    );
    assert_eq!(stages[0].count, 120);
    let (of_late, stages) = say(3, 30_000);
    assert!(of_late);
    assert_eq!(stages[0].count, 240);
    // The server began anew.
    let (of_late, stages) = say(1, 0);
    assert!(!of_late);
    assert_eq!(stages[0].count, 120);
}

#[test]
fn a_part_that_fails_is_not_shown_as_it_was() {
    let mut model = sample::model();
    assert!(model.books.here().is_some() && model.figures.here().is_some());
    model.take(News::Books(Err(Lines::of("gone"))), at(NOW));
    model.take(News::Figures(Err(Lines::of("gone"))), at(NOW));
    assert!(model.books.here().is_none() && model.latencies().stages.is_empty());
    assert_eq!(model.latencies().calls.count, sample::model().latencies().calls.count);
}

#[test]
fn plugins_are_what_the_host_says_and_what_a_server_did() {
    let Part::Here(rows) = sample::model().plugins() else { panic!("they were read") };
    let rows: Vec<_> = rows.iter().map(|row| (row.plugin.id.as_str(), row.is_refused(), row.load.clone(), row.fuel)).collect();
    let began = at(NOW - 9_000_000);
    assert_eq!(
        rows,
        [
            ("acme/eye", true, Load::Refused(began, Text::of("advisory")), None),
            ("acme/old", true, Load::Unknown, None),
            ("casemate/range", false, Load::Unknown, None),
            ("casemate/intel", false, Load::Loaded(began), Some(2_469_135_780)),
        ]
    );
}
