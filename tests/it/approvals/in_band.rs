//! The person at the client is asked, where the operator lets them agree and the client can ask.
//!
//! Every client here is one that may lie: it sends whatever answer a test tells it to.

use std::{thread, time::Duration};

use serde_json::{Value, json};
use toml::{Table, toml};

use super::{
    WRITES, by_operator, enrol, guarded, lab, matching,
    modern::{Modern, meta},
    recorded, say, shown, writes,
};
use crate::harness::{Guest, House, Http, Raw, Reply};

pub(super) fn at_the_client() -> Table {
    toml! { mode = "in-band" }
}

pub(super) fn forms() -> Value {
    json!({ "elicitation": { "form": {} } })
}

fn yes() -> Value {
    json!({ "action": "accept", "content": { "approve": true } })
}

/// A house with approver alice, installed; `ann` and `ben` may call it over HTTP.
pub(super) fn installed(guest: &Guest, approval: Table) -> House {
    let house = enrol(guarded(guest, approval), "alice").set("grants.tester.principals", vec!["local", "token:ann", "token:ben"]);
    house.install().done();
    house
}

fn house() -> House {
    installed(&Guest::new(WRITES), at_the_client())
}

fn ask(client: &mut Modern, house: &House) -> Asked {
    Asked::from(client.call(house, &lab(), &json!({})))
}

fn answer(client: &mut Modern, house: &House, asked: &Asked, response: &Value) -> Reply {
    Reply(client.call(house, &lab(), &retry(&asked.state, response)))
}

/// What a call brings with it that answers a question.
fn retry(state: &str, response: &Value) -> Value {
    json!({ "requestState": state, "inputResponses": { "approval": response } })
}

/// A question.
struct Asked {
    state: String,
    text: String,
}

impl Asked {
    #[track_caller]
    fn from(result: Value) -> Self {
        assert_eq!(result["resultType"], "input_required", "{result:#}");
        let request = &result["inputRequests"]["approval"];
        assert_eq!(
            (&request["method"], &request["params"]["mode"]),
            (&json!("elicitation/create"), &json!("form")),
            "{result:#}"
        );
        form(&request["params"]);
        Self {
            state: result["requestState"].as_str().unwrap().to_owned(),
            text: request["params"]["message"].as_str().unwrap().to_owned(),
        }
    }

    /// Which approval it is about.
    fn id(&self) -> String {
        let line = self.text.lines().find_map(|line| line.strip_prefix("approval     ")).unwrap();
        line.split(' ').next().unwrap().to_owned()
    }
}

/// One field, which has to be filled in and is not.
#[track_caller]
fn form(params: &Value) {
    let schema = &params["requestedSchema"];
    assert_eq!(schema["properties"].as_object().unwrap().len(), 1, "{schema:#}");
    assert_eq!(
        (&schema["properties"]["approve"]["type"], &schema["properties"]["approve"]["default"]),
        (&json!("boolean"), &json!(false))
    );
    assert_eq!(schema["required"], json!(["approve"]));
}

/// All of what `casemate approvals show` says is in the text.
#[track_caller]
fn whole(house: &House, id: &str, text: &str) {
    let sheet = house.casemate(&["approvals", "show", id]).done().stdout;
    // How long it is still good for changes as it is read.
    let lines: Vec<&str> = sheet.lines().filter(|line| !line.starts_with("good until")).collect();
    assert!(lines.len() > 20, "{sheet}");
    for line in lines {
        assert!(text.contains(line), "`{line}` is not in {text}");
    }
}

/// The call waits: nobody was asked, and nothing was sent.
#[track_caller]
fn only_waits(house: &House, result: Value) -> String {
    assert!(house.received().is_empty(), "{result:#}");
    super::waits(Reply(result))
}

#[test]
fn a_yes_at_the_client_makes_the_call_once() {
    let house = house();
    for (number, mut client) in Modern::both(&house, &forms()).into_iter().enumerate() {
        let asked = ask(&mut client, &house);
        whole(&house, &asked.id(), &asked.text);
        assert_eq!(house.received().len(), number, "it was asked about, and not sent");
        answer(&mut client, &house, &asked, &yes()).done(&["200"]);
        assert_eq!(house.received().len(), number + 1);
        // The same answer again is an answer to nothing, and the call is asked about anew.
        answer(&mut client, &house, &asked, &yes()).ended("denied", "approval-gone", &["was used already"]);
        assert_ne!(ask(&mut client, &house).id(), asked.id());
        assert_eq!(house.received().len(), number + 1);
    }
    let by: Vec<Value> =
        house.audit().iter().filter_map(|record| record["extensions"]["casemate"].get("approved_by").cloned()).collect();
    assert_eq!(by, [json!(["in-band:local"]), json!(["in-band:token:ann"])]);
    assert_eq!(recorded(&house, "approval.voted"), 2);
}

/// What the operator keeps from models is not kept from whoever has to agree to it, nor from where it goes.
#[test]
fn a_pattern_that_is_enforced_replaces_nothing_in_what_a_person_agrees_to() {
    const LEAKED: &str = "AKIAIOSFODNN7EXAMPLE";
    let house = enrol(guarded(&Guest::new("parrot"), at_the_client()), "alice")
        .with("[redact.aws-key]\npattern = 'AKIA[0-9A-Z]{16}'\nenforce = true");
    house.install().done();
    let arguments = json!({ "group": "lab", "case": LEAKED });
    let waiting = Modern::stdio(&house, json!({})).call(&house, &arguments, &json!({}));
    assert!(!waiting.to_string().contains(LEAKED), "{waiting:#}");
    let mut client = Modern::stdio(&house, forms());
    let asked = Asked::from(client.call(&house, &arguments, &json!({})));
    whole(&house, &asked.id(), &asked.text);
    // The argument, and the body that would be sent.
    assert_eq!(asked.text.matches(LEAKED).count(), 2, "{}", asked.text);
    assert!(!asked.text.contains("‹redacted"), "{}", asked.text);
    let reply = Reply(client.call(&house, &arguments, &retry(&asked.state, &yes()))).done(&["200"]);
    assert!(!reply.0.to_string().contains(LEAKED), "{reply:?}");
    let body = format!(r#"{{"group":"lab","note":"{LEAKED}"}}"#);
    assert_eq!(house.received()[0].body_bytes(), body.len() as u64, "{:?}", house.received());
}

#[test]
fn a_client_that_cannot_ask_waits_and_an_approver_agrees() {
    let house = house();
    for able in [json!({}), json!({ "elicitation": { "url": {} } }), json!({ "sampling": {} })] {
        let mut client = Modern::stdio(&house, able);
        only_waits(&house, client.call(&house, &lab(), &json!({})));
    }
    let mut client = Modern::stdio(&house, json!({}));
    let id = only_waits(&house, client.call(&house, &lab(), &json!({})));
    say(&house, "approve", &id, "alice").done();
    Reply(client.call(&house, &lab(), &json!({}))).done(&["200"]);
    // Whoever is asked at the client need not be the one who agrees.
    let mut client = Modern::stdio(&house, forms());
    let asked = ask(&mut client, &house);
    say(&house, "approve", &asked.id(), "alice").done();
    Reply(client.call(&house, &lab(), &json!({}))).done(&["200"]);
}

#[test]
fn where_operators_agree_no_client_does() {
    let house = house();
    // A question that was put when the person at the client could agree.
    let asked = ask(&mut Modern::stdio(&house, forms()), &house);
    let house = house.set("plugins.@.tools.change.approval", by_operator());
    for mut client in Modern::both(&house, &forms()) {
        only_waits(&house, client.call(&house, &lab(), &json!({})));
        let response = json!({ "inputResponses": { "approval": yes() } });
        only_waits(&house, client.call(&house, &lab(), &response));
        let made_up = client.call(&house, &lab(), &retry("made up", &yes()));
        assert_eq!(made_up["code"], -32602, "{made_up:#}");
        Reply(made_up).ended("denied", "answer-forged", &[]);
    }
    let mut client = Modern::stdio(&house, forms());
    answer(&mut client, &house, &asked, &yes()).ended(
        "denied",
        "answer-outdated",
        &["no longer one that the person at the client"],
    );
    let id = only_waits(&house, client.call(&house, &lab(), &json!({})));
    assert_eq!((id == asked.id(), &shown(&house, &id)["in_band"]), (true, &json!(false)));
    assert_eq!(recorded(&house, "approval.voted"), 0);
}

#[test]
fn a_role_or_a_quorum_is_not_met_at_the_client() {
    let house = installed(
        &Guest::new(WRITES),
        toml! {
            mode = "in-band"
            roles = ["commander"]
        },
    );
    let mut client = Modern::stdio(&house, forms());
    only_waits(&house, client.call(&house, &lab(), &json!({})));
}

#[test]
fn a_no_at_the_client_takes_the_call_back() {
    let house = house();
    for (number, mut client) in Modern::both(&house, &forms()).into_iter().enumerate() {
        for no in [json!({ "action": "decline" }), json!({ "action": "accept", "content": { "approve": false } })] {
            let asked = ask(&mut client, &house);
            answer(&mut client, &house, &asked, &no).ended("denied", "declined", &["said no", "Do not make this call again"]);
            answer(&mut client, &house, &asked, &yes()).ended("denied", "approval-gone", &["was withdrawn"]);
            say(&house, "approve", &asked.id(), "alice").refused(&["is withdrawn"]);
        }
        assert_eq!(recorded(&house, "approval.withdrawn"), 2 * (number + 1));
    }
    assert!(house.received().is_empty());
}

#[test]
fn a_no_counts_even_when_an_approver_said_yes() {
    let house = house();
    let mut client = Modern::stdio(&house, forms());
    let asked = ask(&mut client, &house);
    say(&house, "approve", &asked.id(), "alice").done();
    answer(&mut client, &house, &asked, &json!({ "action": "decline" })).ended("denied", "declined", &[]);
    assert_ne!(ask(&mut client, &house).id(), asked.id());
    assert!(house.received().is_empty());
}

#[test]
fn what_is_neither_yes_nor_no_changes_nothing() {
    let house = house();
    let mut client = Modern::stdio(&house, forms());
    let asked = ask(&mut client, &house);
    for unclear in [
        json!({ "action": "accept" }),
        json!({ "action": "accept", "content": {} }),
        json!({ "action": "accept", "content": { "approve": "yes" } }),
        json!({ "action": "accept", "content": { "approve": true, "quorum": 2 } }),
        json!({ "action": "accept", "content": { "confirm": true } }),
        json!({ "action": "approve", "content": { "approve": true } }),
        json!(true),
    ] {
        answer(&mut client, &house, &asked, &unclear).ended("denied", "answer-unclear", &["still waits"]);
    }
    // Put away: it waits, and is not asked about in the same breath.
    let put_away = answer(&mut client, &house, &asked, &json!({ "action": "cancel" }));
    assert_eq!(only_waits(&house, put_away.0), asked.id());
    let nothing = client.call(&house, &lab(), &json!({ "requestState": asked.state, "inputResponses": { "other": yes() } }));
    assert_eq!(only_waits(&house, nothing), asked.id());
    answer(&mut client, &house, &asked, &yes()).done(&["200"]);
}

#[test]
fn an_answer_to_nothing_does_nothing() {
    let house = house();
    for mut client in Modern::both(&house, &forms()) {
        let response = json!({ "inputResponses": { "approval": yes() } });
        let first = Asked::from(client.call(&house, &lab(), &response));
        let second = Asked::from(client.call(&house, &lab(), &response));
        assert_eq!(first.id(), second.id());
    }
    assert!(house.received().is_empty());
}

#[test]
fn a_note_that_was_made_up_changed_or_written_for_another_call_is_refused() {
    let house = house();
    let ben = matching::token(&house, "ben");
    let [mut stdio, mut http] = Modern::both(&house, &forms());
    let (local, anns) = (ask(&mut stdio, &house), ask(&mut http, &house));
    let refused = |reply: Value| {
        assert_eq!(reply["code"], -32602, "an error of the protocol: {reply:#}");
        let reply = Reply(reply).ended("denied", "answer-forged", &["does not belong to this call"]);
        let id = reply.audit_id().to_owned();
        let recorded = house.audit().into_iter().find(|record| record["event_id"] == json!(id)).unwrap_or_else(|| panic!("{id}"));
        assert_eq!((&recorded["event_type"], &recorded["outcome"]), (&json!("denied"), &json!("denied")));
        assert!(recorded.to_string().contains("answer-forged"), "{recorded:#}");
    };
    let mut changed = local.state.clone();
    let last = changed.pop().unwrap();
    changed.push(if last == 'A' { 'B' } else { 'A' });
    for state in ["", "x", &changed, &local.state[1..], &anns.state] {
        refused(stdio.call(&house, &lab(), &retry(state, &yes())));
    }
    refused(stdio.call(&house, &json!({ "group": "lab", "case": "lab " }), &retry(&local.state, &yes())));
    refused(stdio.call(&house, &json!({ "group": "lab" }), &retry(&local.state, &yes())));
    refused(http.call(&house, &lab(), &retry(&local.state, &yes())));
    let Modern::Http(client) = &mut http else { unreachable!() };
    client.speak_as(&ben);
    refused(http.call(&house, &lab(), &retry(&anns.state, &yes())));
    assert!(house.received().is_empty());
    assert_eq!(recorded(&house, "approval.voted"), 0);
    // None of it used up what was asked.
    answer(&mut stdio, &house, &local, &yes()).done(&["200"]);
}

#[test]
fn a_late_answer_is_refused() {
    let house = installed(
        &Guest::new(WRITES),
        toml! {
            mode = "in-band"
            lasts = "2s"
        },
    );
    let mut client = Modern::stdio(&house, forms());
    let asked = ask(&mut client, &house);
    thread::sleep(Duration::from_secs(2));
    answer(&mut client, &house, &asked, &yes()).ended("denied", "answer-expired", &["too late"]);
    assert!(house.received().is_empty());
}

#[test]
fn a_question_outlives_the_server_that_asked_it() {
    let house = house();
    let asked = ask(&mut Modern::stdio(&house, forms()), &house);
    answer(&mut Modern::stdio(&house, forms()), &house, &asked, &yes()).done(&["200"]);
    house.casemate(&["audit", "verify"]).done();
}

#[test]
fn other_bytes_or_another_grant_are_not_what_was_asked_about() {
    let house = house();
    let asked = ask(&mut Modern::stdio(&house, forms()), &house);
    matching::upgrade(&house);
    let mut client = Modern::stdio(&house, forms());
    answer(&mut client, &house, &asked, &yes()).ended("denied", "answer-outdated", &[]);
    let asked = ask(&mut client, &house);
    drop(client);
    let tools = vec![house.served("*")];
    let house = house
        .set("grants.another.principals", vec!["local"])
        .set("grants.another.tools", tools)
        .set("grants.another.max_effect", "write")
        .set("grants.another.scope.group", vec!["lab"])
        .set("grants.tester.principals", vec!["token:ben"]);
    let mut client = Modern::stdio(&house, forms());
    answer(&mut client, &house, &asked, &yes()).ended("denied", "answer-outdated", &[]);
    assert!(house.received().is_empty());
}

#[test]
fn answers_that_race_make_the_call_once() {
    let house = house();
    let mut client = Modern::stdio(&house, forms());
    let asked = ask(&mut client, &house);
    let Modern::Stdio { raw, able, .. } = &mut client else { unreachable!() };
    for id in 100..108 {
        let mut params = retry(&asked.state, &yes());
        params["name"] = json!(house.served("change"));
        params["arguments"] = lab();
        params["_meta"] = meta(able);
        raw.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }));
    }
    let replies: Vec<Reply> = (100..108).map(|_| Reply(raw.receive()["result"].clone())).collect();
    let made = replies.iter().filter(|reply| !reply.is_error()).count();
    assert_eq!((made, house.received().len()), (1, 1), "{replies:#?}");
    assert!(
        replies
            .iter()
            .filter(|reply| reply.is_error())
            .all(|reply| matches!(reply.reason(), "approval-gone" | "approval-required")),
        "{replies:#?}"
    );
}

#[test]
fn what_was_agreed_at_the_client_is_held_to_its_plan() {
    let house = installed(&Guest::new("changing_plan"), at_the_client());
    let mut client = Modern::stdio(&house, forms());
    let call = json!({ "group": "lab", "case": "more" });
    let asked = Asked::from(client.call(&house, &call.clone(), &json!({})));
    house.upstreams().script(json!({ "answer": { "status": 404 } }));
    Reply(client.call(&house, &call, &retry(&asked.state, &yes()))).ended("denied", "plan-mismatch", &[]);
    assert_eq!(writes(&house), 0);
}

#[test]
fn what_is_too_long_to_be_shown_whole_is_not_asked_at_the_client() {
    let house = installed(&Guest::new("dry_run_probe"), at_the_client());
    let mut client = Modern::stdio(&house, forms());
    let call = |text: String| json!({ "group": "lab", "case": text });
    let asked = Asked::from(client.call(&house, &call("p\u{430}y\u{200b}pal ``` done".to_owned()), &json!({})));
    assert!(asked.text.contains(r"pаy\u{200b}pal") && asked.text.contains("may look like others: а U+0430"), "{}", asked.text);
    assert!(asked.text.contains("\n````\n") && !asked.text.contains('\u{200b}'), "{}", asked.text);
    whole(&house, &asked.id(), &asked.text);
    let long = Reply(client.call(&house, &call("\u{200b}".repeat(4096)), &json!({})));
    super::waits(long);
}

/// A client of the year 2025, which is asked while it waits for its answer.
struct Session {
    raw: Raw,
    tool: String,
}

impl Session {
    fn new(house: &House, revision: &str, able: Value) -> Self {
        Self { raw: Raw::able(house.command().arg("serve"), revision, able), tool: house.served("change") }
    }

    fn call(&mut self, id: u32, more: &Value) {
        let mut params = json!({ "name": self.tool, "arguments": lab() });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.raw.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }));
    }

    /// The question, and the id to answer under.
    #[track_caller]
    fn question(&mut self) -> (Value, String) {
        let request = self.raw.receive();
        assert_eq!(request["method"], "elicitation/create", "{request:#}");
        form(&request["params"]);
        (request["id"].clone(), request["params"]["message"].as_str().unwrap().to_owned())
    }

    fn respond(&mut self, id: &Value, result: &Value) {
        self.raw.send(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }

    #[track_caller]
    fn result(&mut self, id: u32) -> Reply {
        let answer = self.raw.receive();
        assert_eq!(answer["id"], json!(id), "{answer:#}");
        Reply(answer["result"].clone())
    }

    /// Call, be asked, respond.
    #[track_caller]
    fn asked(&mut self, id: u32, response: &Value) -> Reply {
        self.call(id, &json!({}));
        let (question, _) = self.question();
        self.respond(&question, response);
        self.result(id)
    }
}

#[test]
fn a_client_of_2025_is_asked_while_it_calls() {
    let house = house();
    for (number, revision) in ["2025-06-18", "2025-11-25"].into_iter().enumerate() {
        let mut client = Session::new(&house, revision, json!({ "elicitation": {} }));
        client.call(1, &json!({}));
        let (question, text) = client.question();
        let id = text.lines().find_map(|line| line.strip_prefix("approval     ")).unwrap().split(' ').next().unwrap().to_owned();
        whole(&house, &id, &text);
        assert_eq!(house.received().len(), number);
        client.respond(&question, &yes());
        client.result(1).done(&["200"]);
        assert_eq!((house.received().len(), &shown(&house, &id)["state"]), (number + 1, &json!("used")));
        // A second answer to the same question is nobody's.
        client.respond(&question, &yes());
        client.asked(2, &json!({ "action": "decline" })).ended("denied", "declined", &[]);
        assert_eq!(house.received().len(), number + 1);
    }
}

#[test]
fn a_client_of_2025_that_does_not_say_yes_agrees_to_nothing() {
    let house = house();
    let mut client = Session::new(&house, "2025-11-25", forms());
    client.asked(1, &json!({ "action": "accept", "content": { "approve": false } })).ended("denied", "declined", &[]);
    client.asked(2, &json!({ "action": "accept", "content": {} })).ended("denied", "answer-unclear", &[]);
    client.asked(3, &json!({ "approve": true })).ended("denied", "answer-unclear", &[]);
    let id = super::waits(client.asked(4, &json!({ "action": "cancel" })));
    // It cannot ask after all.
    client.call(5, &json!({}));
    let (question, _) = client.question();
    client.raw.send(&json!({ "jsonrpc": "2.0", "id": question, "error": { "code": -32601, "message": "no such method" } }));
    assert_eq!(super::waits(client.result(5)), id);
    assert!(house.received().is_empty());
    assert_eq!(recorded(&house, "approval.voted"), 0);
}

#[test]
fn a_client_of_2025_is_asked_only_where_it_can_and_the_operator_lets_it() {
    let house = house();
    for able in [json!({}), json!({ "elicitation": { "url": {} } })] {
        let mut client = Session::new(&house, "2025-11-25", able);
        client.call(1, &retry("made up", &yes()));
        only_waits(&house, client.result(1).0);
    }
    let house = house.set("plugins.@.tools.change.approval", by_operator());
    let mut client = Session::new(&house, "2025-11-25", forms());
    client.call(1, &retry("made up", &yes()));
    only_waits(&house, client.result(1).0);
    client.respond(&json!(0), &yes());
    client.respond(&json!(1), &yes());
    client.call(2, &json!({}));
    only_waits(&house, client.result(2).0);
}

#[test]
fn a_call_that_is_cancelled_while_its_question_is_open_is_not_made() {
    let house = house();
    let mut client = Session::new(&house, "2025-11-25", forms());
    client.call(1, &json!({}));
    let (question, _) = client.question();
    client.raw.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 1 } }));
    let told = client.raw.receive();
    assert_eq!((&told["method"], &told["params"]["requestId"]), (&json!("notifications/cancelled"), &question), "{told:#}");
    client.respond(&question, &yes());
    client.raw.silent();
    assert!(house.received().is_empty());
    // It still waits, for whoever is asked next.
    client.asked(2, &yes()).done(&["200"]);
}

#[test]
fn a_client_that_hangs_up_before_it_answers_has_agreed_to_nothing() {
    let house = house();
    let mut client = Session::new(&house, "2025-06-18", forms());
    client.call(1, &json!({}));
    client.question();
    let remains = client.raw.stop();
    assert!(remains.status.success(), "{remains:?}");
    assert!(house.received().is_empty());
}

#[test]
fn a_session_of_2025_over_http_is_asked_on_the_stream_of_its_call() {
    let house = house();
    let http = Http::start(&mut house.command(), &matching::token(&house, "ann"));
    let client = json!({ "name": "test", "version": "1" });
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize",
        "params": { "protocolVersion": "2025-11-25", "capabilities": forms(), "clientInfo": client } });
    let session = http.send("", &hello).header("mcp-session-id");
    let headers = format!("mcp-protocol-version: 2025-11-25\r\nmcp-session-id: {session}\r\n");
    http.send(&headers, &json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).header("date");
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": house.served("change"), "arguments": lab() } });
    let mut messages = http.send(&headers, &call);
    let question = messages.next();
    assert_eq!(question["method"], "elicitation/create", "{question:#}");
    assert!(house.received().is_empty());
    http.send(&headers, &json!({ "jsonrpc": "2.0", "id": question["id"], "result": yes() })).header("date");
    Reply(messages.next()["result"].clone()).done(&["200"]);
    assert_eq!(house.received().len(), 1);
}
