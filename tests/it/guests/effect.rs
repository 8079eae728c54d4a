//! Guests that do more than their tool says, or than this run may.

use serde_json::json;

use crate::harness::{Guest, House};

#[test]
pub(super) fn effect_above_tool() {
    // The write is on, is no dry run, and is within the grant: for the tool that may send it.
    let house = House::new(&Guest::new("effect_above_tool"))
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("grants.tester.max_effect", "write")
        .serve();
    house.refused("run", json!({ "case": "lab" }), "contract-not-granted");
    house.refused("report", json!({ "case": "lab" }), "contract-not-granted");
    assert!(house.received().is_empty());
    house.call("change", json!({ "group": "lab", "case": "lab" })).done(&["200"]);
    assert_eq!(house.received()[0].target(), "/changes");
    house.goes_on();
}

#[test]
pub(super) fn dry_run_probe() {
    let house = House::new(&Guest::new("dry_run_probe"))
        .set("plugins.@.tools.change.enabled", true)
        .set("grants.tester.max_effect", "write")
        .serve();
    let reply = house.call("change", json!({ "group": "lab" }));
    assert_eq!((reply.is_error(), reply.decision()), (false, "planned"), "{reply:?}");
    let reply = reply.done(&["/changes", "POST", "‹secret api_key›"]).silent(&["first write is behind us", "Ok("]);
    assert_eq!(reply.structured()["plan"]["requests"].as_array().map(Vec::len), Some(1), "{reply:?}");
    let received = house.received();
    assert_eq!(
        received.iter().map(|request| request.target()).collect::<Vec<_>>(),
        ["/items/before"],
        "the read, and nothing after it"
    );
    house.goes_on();
}

/// The honest one, which the tests of the layers call: each of its tools sends what it says.
#[test]
pub(super) fn errands() {
    let house = House::new(&Guest::new("errands"))
        .with("without_flows = ['untrusted-then-execute', 'secret-then-write', 'untrusted-value-into-write']")
        .with("[plugins.@.tools]\npost = { enabled = true, dry_run = false }\nstart = { enabled = true, dry_run = false, approval = 'none' }")
        .with("[plugins.@.tools.wipe]\nenabled = true\ndry_run = false\napproval = 'none'")
        .with("[grants.tester]\nmax_effect = 'destructive'\nscope.range = ['1h']")
        .serve();
    let range = json!({ "range": "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z" });
    let group = json!({ "group": "lab" });
    for (tool, arguments, sent) in [
        ("hosts", json!({}), "GET /hosts"),
        ("techniques", json!({}), "GET /techniques"),
        ("vault", json!({}), "GET /vault"),
        ("look", group.clone(), "GET /groups/lab"),
        ("history", range, "GET /history?range=2026-01-01T00%3A00%3A00Z%2F2026-01-01T01%3A00%3A00Z"),
        ("post", group.clone(), "POST /posts"),
        ("start", group.clone(), "POST /runs"),
        ("wipe", group.clone(), "POST /wipes"),
    ] {
        house.upstreams().forget();
        house.call(tool, arguments).done(&["200"]);
        let received = house.received();
        assert_eq!(format!("{} {}", received[0].method(), received[0].target()), sent);
    }
    house.refused("wipe", json!({ "group": "lab", "instead": "prod" }), "out-of-scope");
    house.goes_on();
}

/// What becomes of it when a person agreed to one of its plans: see `approvals`.
#[test]
pub(super) fn changing_plan() {
    let house = House::new(&Guest::new("changing_plan"))
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("grants.tester.max_effect", "write")
        .serve();
    let call = json!({ "group": "lab", "case": "other" });
    house.call("change", call.clone()).done(&["200"]);
    // The upstream says something else, and it does something else. Nobody agreed to one of the two.
    house.upstreams().script(json!({ "answer": { "status": 404 } }));
    house.call("change", call).done(&["200"]);
    let received = house.received();
    let sizes: Vec<u64> =
        received.iter().filter(|request| request.method() == "POST").map(|request| request.body_bytes()).collect();
    let bodies =
        [json!({ "group": "lab" }), json!({ "group": "lab", "note": "other" })].map(|body| body.to_string().len() as u64);
    assert_eq!(sizes, bodies);
    house.goes_on();
}

#[test]
fn without_dry_run_the_probe_writes() {
    let house = House::new(&Guest::new("dry_run_probe"))
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("grants.tester.max_effect", "write")
        .serve();
    house.call("change", json!({ "group": "lab" })).done(&["Ok(200) Ok(200) Ok(200)"]);
    assert_eq!(house.received().len(), 3);
    house.goes_on();
}

/// The grant is for both groups, and the call is about one of them.
#[test]
fn another_group_than_the_one_it_was_asked_for_is_not_changed() {
    let house = House::new(&Guest::new("effect_above_tool"))
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("grants.tester.max_effect", "write")
        .set("grants.tester.scope.group", vec!["lab", "lab2"])
        .serve();
    house.refused("change", json!({ "group": "lab", "case": "lab2" }), "target-not-named");
    house.refused("change", json!({ "group": "lab2", "case": "lab" }), "target-not-named");
    house.refused("change", json!({ "group": "lab", "case": "prod" }), "out-of-scope");
    house.call("change", json!({ "group": "lab2", "case": "lab2" })).done(&["200"]);
    house.goes_on();
}

/// A refusal must not sound as if nothing had happened: the model would make the call again.
#[test]
pub(super) fn write_then_stray() {
    let house = House::new(&Guest::new("write_then_stray"))
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("grants.tester.max_effect", "write")
        .serve();
    let reply = house.call("change", json!({ "group": "lab" }));
    reply.ended("denied", "egress-refused", &["it has happened", "Do not repeat the call"]);
    assert_eq!(house.received().iter().map(|request| request.target()).collect::<Vec<_>>(), ["/changes"]);
    house.goes_on();
}

#[test]
fn a_write_that_was_not_answered_is_not_called_undone() {
    let house = House::new(&Guest::new("effect_above_tool").limit("deadline_ms", 800))
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("grants.tester.max_effect", "write")
        .serve();
    for kind in ["slow-headers", "stalled-body"] {
        house.upstreams().forget();
        house.upstreams().script(json!({ "misbehave": { "kind": kind } }));
        house.call("change", json!({ "group": "lab", "case": "lab" })).ended("error", "outcome-unknown", &["is not known"]);
        assert_eq!(house.received().len(), 1, "{kind}: sent once, and not again");
    }
    house.goes_on();
}

#[test]
fn what_is_off_or_not_granted_does_not_run() {
    // Off by default, and above the grant.
    let house = House::serving(&Guest::new("dry_run_probe"));
    let reply = house.call("change", json!({ "group": "lab" }));
    assert_eq!((reply.is_error(), reply.decision()), (true, "denied"), "{reply:?}");
    // On, and still above the grant.
    let house = House::new(&Guest::new("dry_run_probe"))
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .serve();
    let reply = house.call("change", json!({ "group": "lab" })).ended("denied", "effect-above-grant", &[]);
    assert!(house.received().is_empty(), "{reply:?}");
    house.goes_on();
}

/// Left alone, it writes: see `live` for what becomes of it when it is not.
#[test]
pub(super) fn wait_then_send() {
    let house = House::new(&Guest::new("wait_then_send"))
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false)
        .set("grants.tester.max_effect", "write")
        .serve();
    house.call("change", json!({ "group": "lab" })).done(&["200"]);
    assert_eq!(house.received()[0].target(), "/changes");
    house.goes_on();
}
