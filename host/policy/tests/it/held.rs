//! Held to the plan: what was agreed to is sent, and nothing else.

use std::sync::Mutex;

use casemate_policy::egress::{Checked, HeldPlan, HeldPlanError, Outgoing, Plan, RefusalReason, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{House, dry, form_body, held, json_body, real_permit, refused, request, run, sent, with_body, with_header};

/// The plan of a run that makes these requests.
fn planned(tool: &str, requests: &[Outgoing]) -> Plan {
    let mut run = dry(tool);
    for (at, asked) in requests.iter().enumerate() {
        match run.check(asked.clone()) {
            Verdict::End(plan) => {
                assert_eq!(at + 1, requests.len(), "the run goes on");
                return plan;
            }
            Verdict::Refuse(refusal) => panic!("{refusal}"),
            Verdict::Send(_) | Verdict::Assume(..) => {}
        }
    }
    run.into_plan().unwrap()
}

fn create(group: &str, name: &str) -> Outgoing {
    json_body("/api/operations", &format!(r#"{{"group":"{group}","name":"{name}","options":{{"a":[1,2]}}}}"#))
}

fn open(title: &str, nonce: &str) -> Outgoing {
    let body = format!(r#"{{"title":"{title}","nonce":"{nonce}"}}"#);
    with_header("x-request-id", nonce, json_body(&format!("/api/cases?t={nonce}&kind=a"), &body))
}

fn note(case: &str, text: &str) -> Outgoing {
    let form = form_body(&format!("/api/cases/{case}/notes"), &format!("kind=note&text={text}&stamp=1"));
    Outgoing { method: "PUT".to_owned(), ..form }
}

fn close(case: &str, group: &str) -> Outgoing {
    json_body(&format!("/api/cases/{case}/close"), &format!(r#"{{"group":"{group}","why":"done"}}"#))
}

fn file() -> Outgoing {
    request("GET", &format!("/api/files/{}", "0".repeat(32)))
}

fn mismatch(verdict: Verdict) -> String {
    let refusal = refused(verdict);
    assert_eq!(refusal.reason(), RefusalReason::PlanMismatch, "{refusal}");
    refusal.for_operator().to_owned()
}

#[test]
fn what_was_agreed_to_is_sent() {
    let plan = planned("lab_operate", &[create("red-lab", "x")]);
    let mut run = held("lab_operate", &plan);
    assert_eq!(run.unsent(), 1);
    // What only reads is no part of the plan.
    sent(run.check(file()));
    sent(run.check(file()));
    assert_eq!(run.unsent(), 1);
    sent(run.check(create("red-lab", "x")));
    assert_eq!(run.unsent(), 0);
    assert_eq!(mismatch(run.check(create("red-lab", "x"))), "the plan has 1 requests, and `create-operation` would be one more");
    assert_eq!(refused(run.check(file())).reason(), RefusalReason::RunEnded);
    assert_eq!(run.into_plan(), None);
}

#[test]
fn anything_else_is_not() {
    let plan = planned("lab_operate", &[create("red-lab", "x")]);
    let check = |asked: Outgoing, told: &str| {
        let mut run = held("lab_operate", &plan);
        let said = mismatch(run.check(asked));
        assert_eq!(said, format!("request 1 of 1 is not the planned one: {told}"));
        assert_eq!(run.unsent(), 1);
    };
    check(create("red-lab", "y"), "the body differs at `/name`");
    check(create("blue-lab", "x"), "the targets differ in `group`");
    check(
        json_body("/api/operations", r#"{"group":"red-lab","name":"x","options":{"a":[1]}}"#),
        "the body differs at `/options/a/1`",
    );
    check(json_body("/api/operations", r#"{"group":"red-lab","name":"x"}"#), "the body differs at `/options`");
    check(
        json_body("/api/operations", r#"{"name":"x","group":"red-lab","options":{"a":[1,2]}}"#),
        "the body has the same values in another order",
    );
    check(with_header("accept", "a/b", create("red-lab", "x")), "the header `accept` differs");
    check(request("DELETE", "/api/groups/red-lab"), "the contract differs");
    // What the grant does not allow is refused for that.
    let mut run = held("lab_operate", &plan);
    assert_eq!(refused(run.check(create("prod", "x"))).reason(), RefusalReason::OutOfScope);
    // And a plan of nothing allows nothing.
    let nothing = Plan::default();
    let said = mismatch(held("lab_operate", &nothing).check(create("red-lab", "x")));
    assert_eq!(said, "the plan has 0 requests, and `create-operation` would be one more");
    sent(held("lab_operate", &nothing).check(file()));
}

#[test]
fn no_value_is_told() {
    let plan = planned("lab_case", &[open("planned-words", "n")]);
    for asked in [
        open("asked-words", "n"),
        json_body("/api/cases?kind=asked&t=1", r#"{"title":"planned-words"}"#),
        note("askedcase", "asked-text"),
    ] {
        let said = mismatch(held("lab_case", &plan).check(asked));
        assert!(!said.contains("words") && !said.contains("asked"), "{said}");
    }
}

#[test]
fn order_and_count_are_held() {
    let all = [open("x", "n"), note("c1", "a"), close("c1", "red-lab")];
    let plan = planned("lab_case", &all);
    let run = || held("lab_case", &plan);
    let mut whole = run();
    for asked in all.clone() {
        sent(whole.check(asked));
    }
    assert_eq!(whole.unsent(), 0);
    let mut skipping = run();
    sent(skipping.check(open("x", "n")));
    assert_eq!(mismatch(skipping.check(close("c1", "red-lab"))), "request 2 of 3 is not the planned one: the contract differs");
    assert_eq!(skipping.unsent(), 2);
    assert_eq!(mismatch(run().check(note("c1", "a"))), "request 1 of 3 is not the planned one: the contract differs");
    let mut twice = run();
    sent(twice.check(open("x", "n")));
    mismatch(twice.check(open("x", "n")));
}

#[test]
fn what_rested_on_an_assumption_is_held_in_kind() {
    let plan = planned("lab_case", &[open("x", "n"), note("c1", "a"), close("c1", "red-lab")]);
    let begun = || {
        let mut run = held("lab_case", &plan);
        sent(run.check(open("x", "n")));
        run
    };
    // The upstream chose another id, and the plugin wrote it into its requests.
    let mut run = begun();
    sent(run.check(note("c77", "other%20text")));
    sent(run.check(close("c77", "red-lab")));
    assert_eq!(run.unsent(), 0);
    // The target is still the planned one.
    let mut run = begun();
    sent(run.check(note("c77", "a")));
    assert_eq!(
        mismatch(run.check(close("c77", "blue-lab"))),
        "request 3 of 3 is not the planned one: the targets differ in `group`"
    );
    // What was first in the plan rested on nothing.
    let said = mismatch(held("lab_case", &plan).check(open("y", "n")));
    assert_eq!(said, "request 1 of 3 is not the planned one: the body differs at `/title`");
}

#[test]
fn what_is_volatile_may_be_another() {
    let plan = planned("lab_case", &[open("x", "n1")]);
    sent(held("lab_case", &plan).check(open("x", "n2")));
    let with = |asked: Outgoing| mismatch(held("lab_case", &plan).check(asked));
    let asked = |path: &str, body: &str| with_header("x-request-id", "n", json_body(path, body));
    let fine = r#"{"title":"x","nonce":"n"}"#;
    assert!(with(asked("/api/cases?kind=a", fine)).ends_with("the query parameter `t` differs"));
    assert!(with(asked("/api/cases?t=1&kind=b", fine)).ends_with("the query parameter `kind` differs"));
    assert!(with(asked("/api/cases?kind=a&t=1", fine)).ends_with("the order of the query parameters differs"));
    assert!(with(json_body("/api/cases?t=1&kind=a", fine)).ends_with("the header `x-request-id` differs"));
    assert!(with(asked("/api/cases?t=1&kind=a", r#"{"title":"x"}"#)).ends_with("the body differs at `/nonce`"));
    assert!(with(asked("/api/cases?t=1&kind=a", r#"{"title":"x","nonce":{"a":1}}"#)).ends_with("the body differs at `/nonce`"));
    // A value that only looks volatile.
    let planned_mark = planned("lab_case", &[json_body("/api/cases", r#"{"title":"‹volatile›"}"#)]);
    mismatch(held("lab_case", &planned_mark).check(json_body("/api/cases", r#"{"title":"x"}"#)));
}

#[test]
fn a_body_that_is_no_json_is_held_byte_by_byte() {
    let upload = |inside: &[u8]| {
        let mut asked = with_body("/api/files", "multipart/form-data; boundary=b", "");
        asked.body = [b"--b\r\n\r\n", inside, b"\r\n--b--"].concat();
        asked
    };
    for inside in [b"text".as_slice(), &[0xff, 0, 0x80], &[b'x'; 40_000]] {
        let plan = planned("lab_tag", &[upload(inside)]);
        sent(held("lab_tag", &plan).check(upload(inside)));
        let mut other = inside.to_vec();
        *other.last_mut().unwrap() ^= 1;
        let said = mismatch(held("lab_tag", &plan).check(upload(&other)));
        assert_eq!(said, "request 1 of 1 is not the planned one: the body differs");
    }
}

#[test]
fn a_stored_plan_is_believed_by_its_digest_alone() {
    let plan = planned("lab_case", &[open("x", "n"), note("c1", "a")]);
    let (json, digest) = (plan.to_json(), plan.digest());
    assert_eq!(HeldPlan::read(&json.to_string(), &digest).unwrap().len(), 2);
    assert!(HeldPlan::read(&format!("{json:#}"), &digest).is_ok(), "spaces are no words");
    let other = |json: &Value| matches!(HeldPlan::read(&json.to_string(), &digest), Err(HeldPlanError::OtherPlan { .. }));
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut changed = json.clone();
        change(&mut changed);
        changed
    };
    for (what, change) in [
        ("another URL", &(|json: &mut Value| json["requests"][0]["url"] = json!("https://evil.test/")) as &dyn Fn(&mut Value)),
        ("nothing exact", &|json: &mut Value| json["requests"][0]["rests_on_assumption"] = json!(true)),
        ("all exact", &|json: &mut Value| drop(json["requests"][1].as_object_mut().unwrap().remove("rests_on_assumption"))),
        ("one less", &|json: &mut Value| drop(json["requests"].as_array_mut().unwrap().pop())),
        ("another order", &|json: &mut Value| json["requests"].as_array_mut().unwrap().reverse()),
        ("another body", &|json: &mut Value| json["requests"][0]["body"]["sha256"] = json!("00")),
        ("one more place", &|json: &mut Value| json["requests"][0]["volatile"] = json!(["body /title"])),
        ("the short form", &|json: &mut Value| json["requests"][0]["body"]["bytes_not_shown"] = json!(1)),
    ] {
        assert!(other(&changed(change)), "{what}");
    }
    for digest in ["", "0", &digest.to_uppercase(), &format!("{digest}0"), &"x".repeat(10_000)] {
        let refused = HeldPlan::read(&json.to_string(), digest).unwrap_err();
        assert!(matches!(refused, HeldPlanError::OtherPlan { .. }) && refused.to_string().len() < 400, "{digest}");
        assert!(refused.to_string().contains("\nhelp: "));
    }
    for text in ["", "{", "nonsense"] {
        assert_eq!(HeldPlan::read(text, &digest), Err(HeldPlanError::NotJson));
    }
    let short = planned(
        "lab_tag",
        &[with_body("/api/files", "multipart/form-data; boundary=b", &format!("--b\r\n\r\n{}\r\n--b--", "x".repeat(20_000)))],
    );
    assert!(matches!(
        HeldPlan::read(&short.to_short_json(&mut |text| text).to_string(), &short.digest()),
        Err(HeldPlanError::OtherPlan { .. })
    ));
}

/// Words that have the digest and are no plan: whoever made the digest made them.
#[test]
fn what_no_dry_run_writes_is_no_plan() {
    let plan = planned("lab_case", &[open("x", "n")]).to_json();
    let with = |name: &str, value: Value| {
        let mut changed = plan.clone();
        changed["requests"][0][name] = value;
        changed
    };
    let without = |name: &str| {
        let mut changed = plan.clone();
        changed["requests"][0].as_object_mut().unwrap().remove(name);
        changed
    };
    for json in [
        json!([]),
        json!({}),
        json!({"requests": {}}),
        json!({"requests": [1]}),
        json!({"requests": [{}]}),
        json!({"requests": [], "more": 1}),
        with("rests_on_assumption", json!(false)),
        with("rests_on_assumption", json!("yes")),
        with("effect", json!("read")),
        with("effect", Value::Null),
        with("url", json!(1)),
        with("headers", json!([])),
        with("assumed", json!({})),
        without("targets"),
        without("url"),
        without("contract"),
    ] {
        let refused = HeldPlan::read(&json.to_string(), &digest_of(&json)).unwrap_err();
        assert!(matches!(refused, HeldPlanError::NotAPlan(_)), "{json}: {refused}");
    }
}

/// As the plan's own digest is made.
fn digest_of(json: &Value) -> String {
    let wrong = HeldPlan::read(&json.to_string(), "").unwrap_err();
    let HeldPlanError::OtherPlan { found, .. } = wrong else { panic!("{wrong}") };
    found
}

#[test]
fn a_plan_is_held_to_by_real_runs_only() {
    let plan = planned("lab_operate", &[create("red-lab", "x")]);
    let held = HeldPlan::read(&plan.to_json().to_string(), &plan.digest()).unwrap();
    let permit = House::open().rule("lab_operate", |rule| rule.dry_run = true).permit("lab_operate");
    let mut run = run(&permit, Some(held));
    assert!(matches!(run.check(create("red-lab", "y")), Verdict::End(_)), "nothing is sent that could be another");
    assert_eq!(run.unsent(), 1);
}

/// Requests of one run ask at once. Whichever comes first, no more is let out than was agreed to, and nothing after a refusal.
#[test]
fn at_once_is_one_after_another() {
    let same = || note("c1", "a");
    let plan = planned("lab_case", &[same(), same(), same()]);
    for _ in 0..20 {
        let run = Mutex::new(held("lab_case", &plan));
        let asking = || run.lock().unwrap().check(same());
        let verdicts: Vec<Verdict> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(asking)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let count = |is: &dyn Fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
        let refused = |reason| move |verdict: &Verdict| matches!(verdict, Verdict::Refuse(refusal) if refusal.reason() == reason);
        assert_eq!(count(&|verdict| matches!(verdict, Verdict::Send(_))), 3);
        assert_eq!(count(&refused(RefusalReason::PlanMismatch)), 1);
        assert_eq!(count(&refused(RefusalReason::RunEnded)), 4);
    }
}

/// What a tool may send above `read`, in the one spelling that is sent: any changed byte is another request, or none.
fn requests() -> Vec<(&'static str, Outgoing)> {
    vec![
        ("lab_operate", create("red-lab", "some name")),
        ("lab_operate", request("DELETE", "/api/groups/red-lab")),
        ("lab_tag", form_body("/api/tags", "group=red-lab&note=a%20b")),
        ("lab_tag", with_body("/api/files", "multipart/form-data; boundary=b", "--b\r\n\r\nsome bytes\r\n--b--")),
        ("lab_case", with_header("x-kind", "kind", open("some title", "nonce"))),
        ("lab_case", note("c1", "some%20text")),
        ("lab_case", close("c1", "red-lab")),
    ]
}

/// Everything of a request that a plan binds.
fn bound(checked: &Checked) -> (String, Vec<(String, String)>, Vec<u8>) {
    let volatile = |text: &str, from: &str, to: char| match text.split_once(from) {
        Some((before, rest)) => {
            let rest = rest.split_once(to).map_or("", |(_, rest)| rest);
            format!("{before}{from}{to}{rest}")
        }
        None => text.to_owned(),
    };
    let headers = checked.headers().iter().filter(|(name, _)| name != "x-request-id").cloned().collect();
    let body = match std::str::from_utf8(checked.body()) {
        Ok(text) if checked.contract().as_str() == "open-case" => volatile(text, r#""nonce":""#, '"').into_bytes(),
        Ok(text) if checked.contract().as_str() == "add-note" => volatile(text, "stamp=", '&').into_bytes(),
        _ => checked.body().to_vec(),
    };
    (volatile(checked.url(), "?t=", '&'), headers, body)
}

/// The request with one byte of one part replaced.
fn changed(asked: &Outgoing, part: usize, at: usize, byte: u8) -> Option<Outgoing> {
    let mut asked = asked.clone();
    let text = |text: &mut String| {
        let mut bytes = text.clone().into_bytes();
        let length = bytes.len();
        *bytes.get_mut(at % length.max(1))? = byte;
        *text = String::from_utf8(bytes).ok()?;
        Some(())
    };
    match part {
        0 => text(&mut asked.method)?,
        1 => text(&mut asked.scheme)?,
        2 => text(&mut asked.authority)?,
        3 | 4 => text(&mut asked.path_and_query)?,
        5 => {
            let count = asked.headers.len();
            let (name, value) = asked.headers.get_mut(at.checked_rem(count)?)?;
            match at / count % 2 {
                0 => text(name)?,
                _ => {
                    let length = value.len();
                    *value.get_mut(at / count % length.max(1))? = byte;
                }
            }
        }
        _ => {
            let length = asked.body.len();
            *asked.body.get_mut(at % length.max(1))? = byte;
        }
    }
    Some(asked)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// For every plan that a dry run makes, the same requests are let through under it, and no more.
    #[test]
    fn the_same_requests_pass_under_their_own_plan(
        steps in prop::collection::vec((0_usize..4, "[a-z]{1,8}", "[a-z0-9]{1,8}"), 1..12),
        last in prop::option::of(prop::sample::select(vec!["red-lab", "blue-lab"])),
    ) {
        let steps: Vec<Outgoing> = steps
            .iter()
            .map(|(kind, text, id)| match kind {
                0 => open(text, id),
                1 => note(id, text),
                2 => with_header("x-kind", text, open(id, text)),
                _ => file(),
            })
            .chain(last.map(|group| close("c1", group)))
            .collect();
        prop_assume!(steps.iter().any(|asked| asked.method != "GET"));
        let plan = planned("lab_case", &steps);
        let mut run = held("lab_case", &plan);
        for asked in &steps {
            let verdict = run.check(asked.clone());
            prop_assert!(matches!(verdict, Verdict::Send(_)), "{verdict:?}");
        }
        prop_assert_eq!(run.unsent(), 0);
        let more = run.check(open("x", "n"));
        prop_assert!(matches!(more, Verdict::Refuse(refusal) if refusal.reason() == RefusalReason::PlanMismatch));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// One byte of a request is another: it is refused, or what is sent is what was planned in everything that is bound.
    #[test]
    fn no_changed_byte_is_sent(which in 0_usize..7, part in 0_usize..9, at in 0_usize..400, byte in prop_oneof![any::<u8>(), 0x20_u8..0x7f]) {
        let (tool, asked) = requests().swap_remove(which);
        let plan = planned(tool, std::slice::from_ref(&asked));
        let Some(other) = changed(&asked, part, at, byte) else { return Ok(()) };
        let original = sent(held(tool, &plan).check(asked));
        if let Verdict::Send(checked) = held(tool, &plan).check(other.clone()) {
            prop_assert_eq!(bound(&checked), bound(&original), "{:?}", other);
        }
    }
}

/// The property above is not empty: most changed bytes would be sent if nothing held the run to its plan.
#[test]
fn changed_bytes_would_be_sent_by_a_run_that_is_held_to_nothing() {
    let (mut free, mut bound_too) = (0, 0);
    for (tool, asked) in &requests() {
        let plan = planned(tool, std::slice::from_ref(asked));
        let permit = real_permit(tool);
        let held = HeldPlan::read(&plan.to_json().to_string(), &plan.digest()).unwrap();
        let original = sent(run(permit, None).check(asked.clone()));
        for at in 0..120 {
            for part in [3, 5, 6] {
                let Some(other) = changed(asked, part, at, b'k') else { continue };
                let without = run(permit, None).check(other.clone());
                let Verdict::Send(checked) = without else { continue };
                let differs = bound(&checked) != bound(&original);
                free += usize::from(differs);
                let with = run(permit, Some(held.clone())).check(other);
                assert_eq!(matches!(with, Verdict::Send(_)), !differs, "{:?}", checked);
                bound_too += usize::from(!differs);
            }
        }
    }
    assert!(free > 100 && bound_too > 20, "{free} {bound_too}");
}
