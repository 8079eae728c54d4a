//! What a read establishes: a target and a value that only the upstream knows, and every way to have it otherwise.

use std::sync::Arc;

use casemate_policy::egress::{Conduct, RefusalReason, Verdict};

use crate::fixture::{House, dry, json_body, real, reason, refused, request, sent};

const JSON: Option<&str> = Some("application/json; charset=utf-8");
const AGENT: &str = r#"{"paw":"p1","group":"red-lab","hosts":[{"name":"web.test"},{"name":"WEB.TEST"}]}"#;
const ABILITY: &str = r#"{"executors":[{"command":"whoami"},{"command":"id"},{"name":"no command"}]}"#;
const LINK: &str = r#"{"paw":"p1","ability":"a1","command":"whoami"}"#;

fn run() -> Conduct {
    real("lab_link")
}

/// Read, and be answered.
fn read(run: &mut Conduct, path: &str, answer: (u16, Option<&str>, &str)) {
    let asked = sent(run.check(request("GET", path)));
    run.answered(&asked, answer.0, answer.1, answer.2.as_bytes());
}

/// A run that has read both.
fn ready() -> Conduct {
    let mut run = run();
    read(&mut run, "/api/agents/p1", (200, JSON, AGENT));
    read(&mut run, "/api/v2/abilities/a1", (200, JSON, ABILITY));
    run
}

fn link(run: &mut Conduct, body: &str) -> Verdict {
    run.check(json_body("/api/links?version=v2", body))
}

#[test]
fn what_was_read_in_this_call_lets_a_request_through() {
    let mut run = ready();
    let checked = sent(link(&mut run, LINK));
    let targets: Vec<(&str, &[String])> =
        checked.targets().iter().map(|(dimension, values)| (dimension.as_str(), values.as_slice())).collect();
    assert_eq!(targets, [("group", &["red-lab".to_owned()][..]), ("target", &["web.test".to_owned()][..])]);
    assert_eq!(sent(link(&mut run, &LINK.replace("whoami", "id"))).contract().as_str(), "link");
    assert_eq!(sent(link(&mut run, &LINK.replace("whoami", r"\u0069\u0064"))).body(), LINK.replace("whoami", "id").as_bytes());
}

#[test]
fn a_plan_shows_what_was_established() {
    let mut run = dry("lab_link");
    read(&mut run, "/api/agents/p1", (200, JSON, AGENT));
    read(&mut run, "/api/v2/abilities/a1", (200, JSON, ABILITY));
    let Verdict::End(plan) = link(&mut run, LINK) else { panic!("planned") };
    assert_eq!(plan.to_json()["requests"][0]["targets"], serde_json::json!({"group": ["red-lab"], "target": ["web.test"]}));
    let mut unread = dry("lab_link");
    assert_eq!(reason(link(&mut unread, LINK)), RefusalReason::NotEstablished, "a plan conforms, too");
}

#[test]
fn without_the_answer_nothing_is_established() {
    let check = |prepare: &dyn Fn(&mut Conduct), told: &str| {
        let mut run = run();
        prepare(&mut run);
        let refusal = refused(link(&mut run, LINK));
        assert_eq!(refusal.reason(), RefusalReason::NotEstablished, "{}", refusal.for_operator());
        assert!(refusal.for_operator().contains(told), "{}", refusal.for_operator());
    };
    let agent = |answer: &'static str| move |run: &mut Conduct| read(run, "/api/agents/p1", (200, JSON, answer));
    check(&|_| {}, "`get-agent` has established nothing for paw `p1`: it was not answered in this call");
    check(&|run| drop(run.check(request("GET", "/api/agents/p1"))), "was not answered in this call");
    check(&|run| read(run, "/api/agents/p2", (200, JSON, AGENT)), "for paw `p1`: it was not answered");
    check(&|run| read(run, "/api/agents/P1", (200, JSON, AGENT)), "for paw `p1`: it was not answered");
    check(&|run| read(run, "/api/agents/p1%20", (200, JSON, AGENT)), "for paw `p1`: it was not answered");
    check(&|run| read(run, "/api/agents/p1", (404, JSON, AGENT)), "status 404");
    check(&|run| read(run, "/api/agents/p1", (201, JSON, AGENT)), "status 201");
    check(&|run| read(run, "/api/agents/p1", (200, Some("text/html"), AGENT)), "not JSON with one reading");
    check(&|run| read(run, "/api/agents/p1", (200, None, AGENT)), "not JSON with one reading");
    check(&agent(r#"{"group":"prod","group":"red-lab","hosts":[{"name":"web.test"}]}"#), "not JSON with one reading");
    check(&agent(r#"{"Group":"prod","group":"red-lab","hosts":[{"name":"web.test"}]}"#), "not JSON with one reading");
    check(&agent(r#"{"group":"red-lab","hosts":[{"name":"web.test"}]} x"#), "not JSON with one reading");
    check(&agent(r#"{"hosts":[{"name":"web.test"}]}"#), "at `/group` what is no text");
    check(&agent(r#"{"group":null,"hosts":[{"name":"web.test"}]}"#), "at `/group` what is no text");
    check(&agent(r#"{"group":[],"hosts":[{"name":"web.test"}]}"#), "at `/group` what is no text");
    check(&agent(r#"{"group":{"name":"red-lab"},"hosts":[{"name":"web.test"}]}"#), "at `/group` what is no text");
    check(&agent(r#"{"group":true,"hosts":[{"name":"web.test"}]}"#), "at `/group` what is no text");
    check(&agent(r#"{"group":"red-lab","hosts":[]}"#), "at `/hosts/*/name` what is no text");
    check(&agent(r#"{"group":"red-lab","hosts":[{"name":"web.test"},{}]}"#), "at `/hosts/*/name` what is no text");
    check(&agent(r#"{"group":"red-lab","hosts":{"0":{"name":"web.test"}}}"#), "at `/hosts/*/name` what is no text");
    // Another read's answer, with the same words.
    check(&|run| read(run, &format!("/api/files/{}", "0".repeat(32)), (200, JSON, AGENT)), "was not answered in this call");
}

#[test]
fn an_established_target_outside_the_grant_is_one() {
    let check = |answer: &str| {
        let mut run = run();
        read(&mut run, "/api/agents/p1", (200, JSON, answer));
        read(&mut run, "/api/v2/abilities/a1", (200, JSON, ABILITY));
        let refusal = refused(link(&mut run, LINK));
        assert_eq!(refusal.reason(), RefusalReason::EstablishedOutOfScope, "{answer}: {}", refusal.for_operator());
    };
    for group in
        [r#""prod""#, r#""Red-Lab""#, r#""red-lab ""#, r#""""#, r#"["red-lab","prod"]"#, "7", r#""r\u0435d-lab""#, r#""*""#]
    {
        check(&format!(r#"{{"group":{group},"hosts":[{{"name":"web.test"}}]}}"#));
    }
    for hosts in
        [r#"[{"name":"evil.test"}]"#, r#"[{"name":"web.test"},{"name":"evil.test"}]"#, r#"[{"name":["web.test","evil.test"]}]"#]
    {
        check(&format!(r#"{{"group":"red-lab","hosts":{hosts}}}"#));
    }
}

#[test]
fn the_newest_read_counts() {
    let mut run = ready();
    read(&mut run, "/api/agents/p1", (200, JSON, &AGENT.replace("red-lab", "prod")));
    assert_eq!(reason(link(&mut run, LINK)), RefusalReason::EstablishedOutOfScope);
    let mut run = ready();
    read(&mut run, "/api/agents/p1", (404, JSON, "{}"));
    assert_eq!(reason(link(&mut run, LINK)), RefusalReason::NotEstablished);
    // Two at once: the one that was asked for later counts, whichever is answered first.
    let mut run = ready();
    let [early, late] = [(); 2].map(|()| sent(run.check(request("GET", "/api/agents/p1"))));
    run.answered(&late, 200, JSON, AGENT.replace("red-lab", "prod").as_bytes());
    run.answered(&early, 200, JSON, AGENT.as_bytes());
    assert_eq!(reason(link(&mut run, LINK)), RefusalReason::EstablishedOutOfScope);
}

#[test]
fn nothing_is_established_for_another_call() {
    let mut one = ready();
    assert!(matches!(link(&mut one, LINK), Verdict::Send(_)));
    assert_eq!(reason(link(&mut run(), LINK)), RefusalReason::NotEstablished);
}

#[test]
fn a_key_is_one_text_and_the_same_one() {
    for body in [
        r#"{"ability":"a1","command":"whoami"}"#,
        r#"{"paw":null,"ability":"a1","command":"whoami"}"#,
        r#"{"paw":"","ability":"a1","command":"whoami"}"#,
        r#"{"paw":["p1"],"ability":"a1","command":"whoami"}"#,
        r#"{"paw":["p1","p2"],"ability":"a1","command":"whoami"}"#,
        r#"{"paw":{"0":"p1"},"ability":"a1","command":"whoami"}"#,
        r#"{"paw":"P1","ability":"a1","command":"whoami"}"#,
        r#"{"paw":"p1 ","ability":"a1","command":"whoami"}"#,
        r#"{"paw":"p1\u0000","ability":"a1","command":"whoami"}"#,
        r#"{"paw":"p2","ability":"a1","command":"whoami"}"#,
        r#"{"paw":"ｐ1","ability":"a1","command":"whoami"}"#,
        r#"{"paw":"p1","ability":"a2","command":"whoami"}"#,
        r#"{"paw":"p1","ability":["a1"],"command":"whoami"}"#,
        r#"{"paw":"p1","command":"whoami"}"#,
    ] {
        assert_eq!(reason(link(&mut ready(), body)), RefusalReason::NotEstablished, "{body}");
    }
    // The other part of a key, in the query.
    let with = |query: &str| reason(ready().check(json_body(&format!("/api/links{query}"), LINK)));
    assert_eq!(with("?version=v1"), RefusalReason::NotEstablished);
    assert_eq!(with(""), RefusalReason::NotEstablished);
    assert_eq!(with("?version=v2&version=v1"), RefusalReason::QueryMalformed);
    assert_eq!(
        reason(link(&mut ready(), r#"{"paw":"p1","Paw":"p2","ability":"a1","command":"whoami"}"#)),
        RefusalReason::BodyMalformed
    );
}

#[test]
fn a_number_is_a_key_by_its_digits() {
    let mut run = run();
    read(&mut run, "/api/agents/17", (200, JSON, AGENT));
    read(&mut run, "/api/v2/abilities/a1", (200, JSON, ABILITY));
    assert!(matches!(link(&mut run, r#"{"paw":17,"ability":"a1","command":"id"}"#), Verdict::Send(_)));
    for other in ["17.0", "1.7e1", "-17", "170e-1", r#""017""#] {
        let mut run = self::run();
        read(&mut run, "/api/agents/17", (200, JSON, AGENT));
        let body = format!(r#"{{"paw":{other},"ability":"a1","command":"id"}}"#);
        assert_eq!(reason(link(&mut run, &body)), RefusalReason::NotEstablished, "{other}");
    }
}

#[test]
fn a_required_value_is_one_of_those_that_were_read() {
    let with = |command: &str| {
        let refusal = refused(link(&mut ready(), &format!(r#"{{"paw":"p1","ability":"a1","command":{command}}}"#)));
        assert!(!refusal.for_operator().contains("rm -rf"), "what was asked for is not told: {}", refusal.for_operator());
        refusal.reason()
    };
    for command in [
        r#""rm -rf /""#,
        r#""whoami ""#,
        r#""WHOAMI""#,
        r#""""#,
        r#""whoami; id""#,
        r#"["whoami"]"#,
        r#"{"a":"whoami"}"#,
        "true",
        "7",
        "null",
    ] {
        assert_eq!(with(command), RefusalReason::NotAmongEstablished, "{command}");
    }
    assert_eq!(reason(link(&mut ready(), r#"{"paw":"p1","ability":"a1"}"#)), RefusalReason::NoContract);
    // An ability without any command establishes none.
    let mut run = run();
    read(&mut run, "/api/agents/p1", (200, JSON, AGENT));
    read(&mut run, "/api/v2/abilities/a1", (200, JSON, r#"{"executors":[]}"#));
    assert_eq!(reason(link(&mut run, LINK)), RefusalReason::NotAmongEstablished);
}

#[test]
fn a_required_number_is_not_its_text_in_json_and_is_in_a_form() {
    let mut manifest = serde_json::to_value(crate::fixture::manifest()).unwrap();
    let note = &mut manifest["upstream"]["api"]["request"][14];
    assert_eq!(note["name"], "add-note");
    note["require"]["body"]["level"] =
        serde_json::json!({"from": "get-agent", "key": {"paw": {"path": "case"}}, "value": "/levels"});
    let gate = Arc::new(crate::fixture::gate_of(&serde_json::from_value(manifest).unwrap()).unwrap());
    let note = |level: &str| {
        let rules = House::open().rule("lab_case", |rule| {
            let mut tool = (*rule.manifest_tool).clone();
            tool.requests.insert("get-agent".parse().unwrap());
            rule.manifest_tool = tool.into();
        });
        let mut run = Conduct::new(Arc::clone(&gate), &rules.permit("lab_case"), None);
        read(&mut run, "/api/agents/c1", (200, JSON, r#"{"levels":[3,"4",5.0,true]}"#));
        let form = crate::fixture::form_body("/api/cases/c1/notes", &format!("kind=note&level={level}"));
        run.check(casemate_policy::egress::Outgoing { method: "PUT".to_owned(), ..form })
    };
    for fine in ["3", "4", "%33"] {
        assert!(matches!(note(fine), Verdict::Send(_)), "{fine}");
    }
    for other in ["03", "5", "5.0", "true", "", "3+", "2"] {
        assert_eq!(reason(note(other)), RefusalReason::NotAmongEstablished, "{other}");
    }
    // In JSON a number is one.
    let mut run = run();
    read(&mut run, "/api/agents/p1", (200, JSON, AGENT));
    read(&mut run, "/api/v2/abilities/a1", (200, JSON, r#"{"executors":[{"command":7}]}"#));
    assert_eq!(reason(link(&mut run, &LINK.replace("whoami", "7"))), RefusalReason::NotAmongEstablished);
}

#[test]
fn too_much_is_told_by_name() {
    let mut run = run();
    let hosts = vec![r#"{"name":"web.test"}"#; 10_001].join(",");
    read(&mut run, "/api/agents/p1", (200, JSON, &format!(r#"{{"group":"red-lab","hosts":[{hosts}]}}"#)));
    let refusal = refused(link(&mut run, LINK));
    assert_eq!(refusal.reason(), RefusalReason::NotEstablished);
    assert!(refusal.for_operator().contains("more than 10000 values or 1048576 bytes"), "{}", refusal.for_operator());
}

#[test]
fn what_the_upstream_says_is_quoted_and_bounded() {
    let mut run = run();
    let group = format!("\\u202e\\n{}", "x".repeat(5000));
    read(&mut run, "/api/agents/p1", (200, JSON, &format!(r#"{{"group":"{group}","hosts":[]}}"#)));
    let told = refused(link(&mut run, LINK)).to_string();
    assert!(told.len() < 600 && !told.contains('\u{202e}') && !told.contains('\n'), "{told}");
}
