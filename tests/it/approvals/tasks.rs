//! A call that waits is a task to clients that can follow one: it is asked after, and made once its approval has come.

use serde_json::{Value, json};
use toml::toml;

use super::{
    WRITES, asked, by_operator,
    in_band::{at_the_client, forms, installed},
    lab, matching,
    modern::Modern,
    recorded, say, shown, waits, writes,
};
use crate::harness::{Guest, House, Raw, Reply};

const EXTENSION: &str = "io.modelcontextprotocol/tasks";

fn follows() -> Value {
    json!({ "extensions": { EXTENSION: {} } })
}

fn house() -> House {
    installed(&Guest::new(WRITES), by_operator())
}

/// Call, and get a task. Its id is the approval's.
#[track_caller]
fn task(client: &mut Modern, house: &House) -> String {
    let result = client.call(house, &lab(), &json!({}));
    assert_eq!((&result["resultType"], &result["status"]), (&json!("task"), &json!("working")), "{result:#}");
    let id = result["taskId"].as_str().unwrap().to_owned();
    let message = result["statusMessage"].as_str().unwrap();
    assert!(message.contains(&format!("waits as approval {id}")), "{message}");
    id
}

/// Ask after a task.
fn look(client: &mut Modern, id: &str) -> Value {
    client.request("tasks/get", id, json!({ "taskId": id }))
}

#[track_caller]
fn works(client: &mut Modern, id: &str) {
    let answer = look(client, id);
    assert_eq!((&answer["result"]["status"], &answer["result"]["taskId"]), (&json!("working"), &json!(id)), "{answer:#}");
}

/// The task is over, and this is the call's result.
#[track_caller]
fn completed(client: &mut Modern, id: &str) -> Reply {
    let answer = look(client, id);
    assert_eq!(answer["result"]["status"], "completed", "{answer:#}");
    Reply(answer["result"]["result"].clone())
}

/// The task's result, once there is one.
#[track_caller]
fn finally(client: &mut Modern, id: &str) -> Reply {
    for _ in 0..200 {
        let answer = look(client, id);
        if answer["result"]["status"] != "working" {
            return Reply(answer["result"]["result"].clone());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("task {id} never ended");
}

#[track_caller]
fn unknown(answer: &Value) {
    assert_eq!(answer["error"]["code"], -32602, "{answer:#}");
}

#[test]
fn a_task_waits_and_is_made_once_it_is_approved_and_asked_after() {
    let house = house();
    for (number, mut client) in Modern::both(&house, &follows()).into_iter().enumerate() {
        let id = task(&mut client, &house);
        assert_eq!(task(&mut client, &house), id, "the same call is the same task");
        let before = house.audit().len();
        (0..3).for_each(|_| works(&mut client, &id));
        assert_eq!(house.audit().len(), before, "looking is nothing that happens");
        say(&house, "approve", &id, "alice").done();
        assert_eq!(writes(&house), number, "nothing is done for a client that does not ask");
        completed(&mut client, &id).done(&["200"]);
        completed(&mut client, &id).done(&["200"]);
        assert_eq!((writes(&house), &shown(&house, &id)["state"]), (number + 1, &json!("used")));
        assert_ne!(task(&mut client, &house), id);
    }
}

#[test]
fn a_task_ends_with_the_refusal_of_its_approval_and_asks_for_no_other() {
    let house = house();
    for mut client in Modern::both(&house, &follows()) {
        let denied = task(&mut client, &house);
        say(&house, "deny", &denied, "alice").done();
        completed(&mut client, &denied).ended("denied", "approval-gone", &["was denied", "Do not make this call again"]);
        let withdrawn = task(&mut client, &house);
        house.casemate(&["approvals", "withdraw", &withdrawn, "--reason", "no"]).done();
        completed(&mut client, &withdrawn).ended("denied", "approval-gone", &["was withdrawn"]);
        completed(&mut client, &withdrawn).ended("denied", "approval-gone", &["was withdrawn"]);
    }
    let open = house.casemate(&["approvals", "list"]).done().stdout;
    assert!(open.contains("Nothing waits"), "{open}");
    assert_eq!(writes(&house), 0);
}

#[test]
fn a_cancelled_task_is_not_made() {
    let house = house();
    let mut client = Modern::stdio(&house, follows());
    let id = task(&mut client, &house);
    let cancelled = client.request("tasks/cancel", &id, json!({ "taskId": id }));
    assert!(cancelled["error"].is_null(), "{cancelled:#}");
    say(&house, "approve", &id, "alice").done();
    assert_eq!(look(&mut client, &id)["result"]["status"], "cancelled");
    assert_eq!(writes(&house), 0);
    // The approval is still there for whoever makes the call.
    Reply(client.call(&house, &lab(), &json!({}))).done(&["200"]);
}

#[test]
fn a_task_belongs_to_its_principal_and_survives_the_process() {
    let house = house();
    let (ann, ben) = (matching::token(&house, "ann"), matching::token(&house, "ben"));
    let mut http = Modern::http(&house, follows(), &ann);
    let id = task(&mut http, &house);
    say(&house, "approve", &id, "alice").done();
    let Modern::Http(client) = &mut http else { unreachable!() };
    client.speak_as(&ben);
    unknown(&look(&mut http, &id));
    unknown(&http.request("tasks/cancel", &id, json!({ "taskId": id })));
    unknown(&http.request("tasks/update", &id, json!({ "taskId": id, "inputResponses": {} })));
    unknown(&look(&mut http, "made up"));
    assert_eq!(writes(&house), 0);
    drop(http);
    // Another process finds it on file, makes its call, and keeps the result for the next.
    for _ in 0..2 {
        let mut http = Modern::http(&house, follows(), &ben);
        unknown(&look(&mut http, &id));
        drop(http);
        let mut http = Modern::http(&house, follows(), &ann);
        completed(&mut http, &id).done(&["200"]);
        assert_eq!(writes(&house), 1);
    }
}

#[test]
fn a_client_that_cannot_follow_tasks_gets_none() {
    let house = house();
    let mut client = Modern::stdio(&house, json!({}));
    let id = waits(Reply(client.call(&house, &lab(), &json!({}))));
    assert_eq!(look(&mut client, &id)["error"]["code"], -32021);
    // Nor does one of 2025, whatever it says of itself.
    let mut raw = Raw::able(house.command().arg("serve"), "2025-11-25", follows());
    let answer = raw.ask(1, "tools/call", json!({ "name": house.served("change"), "arguments": lab() }));
    assert_eq!(waits(Reply(answer["result"].clone())), id);
}

#[test]
fn whoever_can_be_asked_is_asked_and_a_task_takes_no_answers() {
    let house = house().set("plugins.@.tools.change.approval", at_the_client());
    let mut able = forms();
    able["extensions"] = follows()["extensions"].clone();
    let mut client = Modern::stdio(&house, able);
    let asked = client.call(&house, &lab(), &json!({}));
    assert_eq!(asked["resultType"], "input_required", "{asked:#}");
    let put_away = json!({ "requestState": asked["requestState"], "inputResponses": { "approval": { "action": "cancel" } } });
    let result = client.call(&house, &lab(), &put_away);
    let id = result["taskId"].as_str().unwrap();
    let yes = json!({ "action": "accept", "content": { "approve": true } });
    let update = client.request("tasks/update", id, json!({ "taskId": id, "inputResponses": { "approval": yes } }));
    assert!(update["error"].is_null(), "{update:#}");
    works(&mut client, id);
    assert_eq!((writes(&house), recorded(&house, "approval.voted")), (0, 0));
}

#[test]
fn clients_that_ask_at_the_same_time_make_the_call_once() {
    let house = house().serve();
    let mut clients: Vec<Modern> = (0..2).map(|_| Modern::stdio(&house, follows())).collect();
    let id = asked(&house);
    clients.iter_mut().for_each(|client| assert_eq!(task(client, &house), id));
    say(&house, "approve", &id, "alice").done();
    let mut results = Vec::new();
    std::thread::scope(|scope| {
        let looks: Vec<_> = clients.iter_mut().map(|client| scope.spawn(|| finally(client, &id))).collect();
        results.extend(looks.into_iter().map(|look| look.join().unwrap()));
    });
    // Each hears of the one call that was made, whichever process made it.
    for reply in results {
        reply.done(&["200"]);
    }
    assert_eq!(writes(&house), 1);
}

/// What the approval was asked for has gone: the session was cleared. A task of it that was denied is not made for that, and none is made
/// without its approval.
#[test]
fn a_task_is_made_under_its_own_approval_or_not_at_all() {
    let rule = "[[flow]]\nname = 'nothing-after'\nafter = 'untrusted'\nforbid = { effect = 'write' }\nunless = 'approval'";
    let house = installed(&Guest::new(WRITES), toml! { mode = "none" }).with(rule);
    let mut client = Modern::stdio(&house, follows());
    for (denied, code) in [(true, "approval-gone"), (false, "approval-unneeded")] {
        Reply(client.call(&house, &lab(), &json!({}))).done(&["200"]);
        let (before, id) = (writes(&house), task(&mut client, &house));
        if denied {
            say(&house, "deny", &id, "alice").done();
        }
        house.casemate(&["sessions", "clear", "local"]).done();
        completed(&mut client, &id).ended("denied", code, &[]);
        assert_eq!(writes(&house), before);
    }
}

/// Asking after a task is no call, and the call that is made for it was counted when it came in.
#[test]
fn asking_after_a_task_is_no_burst() {
    let house = house().with("[breaker]\nburst = { count = 2, per = '1h' }");
    let mut client = Modern::stdio(&house, follows());
    let id = task(&mut client, &house);
    (0..10).for_each(|_| works(&mut client, &id));
    say(&house, "approve", &id, "alice").done();
    completed(&mut client, &id).done(&["200"]);
    task(&mut client, &house);
    Reply(client.call(&house, &lab(), &json!({}))).ended("denied", "breaker-opened", &[]);
}

/// What a person is asked at the client, and what they say, is one call.
#[test]
fn a_call_and_its_answer_are_one_of_a_burst() {
    let house =
        house().set("plugins.@.tools.change.approval", at_the_client()).with("[breaker]\nburst = { count = 2, per = '1h' }");
    let mut client = Modern::stdio(&house, forms());
    let yes = json!({ "approval": { "action": "accept", "content": { "approve": true } } });
    for _ in 0..2 {
        let asked = client.call(&house, &lab(), &json!({}));
        let agreed = json!({ "requestState": asked["requestState"], "inputResponses": yes });
        Reply(client.call(&house, &lab(), &agreed)).done(&["200"]);
    }
    // What is no answer counts, or it would be a way to call without end.
    let put_away = json!({ "requestState": "made up", "inputResponses": yes });
    Reply(client.call(&house, &lab(), &put_away)).ended("denied", "answer-forged", &[]);
    Reply(client.call(&house, &lab(), &json!({}))).ended("denied", "breaker-opened", &[]);
}
