//! Completion: signed values, and those that one's own grants name.

use serde_json::{Value, json};

use super::{client::Client, guest, house, shared};
use crate::harness::House;

fn complete(client: &mut Client, reference: Value, name: &str, typed: &str) -> Value {
    let argument = json!({ "name": name, "value": typed });
    client.result("completion/complete", json!({ "ref": reference, "argument": argument }))["completion"].clone()
}

fn prompt(name: &str) -> Value {
    json!({ "type": "ref/prompt", "name": name })
}

fn template(uri: &str) -> Value {
    json!({ "type": "ref/resource", "uri": uri })
}

#[test]
fn an_argument_of_a_prompt_is_completed_with_what_it_may_be() {
    let house = house().set("grants.tester.scope.group", vec!["lab", "lab-2", "office"]);
    let (token, name) = (house.token("ann"), house.served("triage"));
    for mut client in Client::all(&house, &token) {
        let values =
            |client: &mut Client, argument: &str, typed: &str| complete(client, prompt(&name), argument, typed)["values"].clone();
        assert_eq!(values(&mut client, "why", ""), json!(["alert", "audit", "drill"]));
        assert_eq!(values(&mut client, "why", "a"), json!(["alert", "audit"]));
        // Where it names a target, what this caller's grants allow.
        assert_eq!(values(&mut client, "group", "la"), json!(["lab", "lab-2"]));
        for (argument, typed) in [("why", "z"), ("note", ""), ("other", ""), ("", "")] {
            assert_eq!(values(&mut client, argument, typed), json!([]), "{argument}");
        }
        let whole = complete(&mut client, prompt(&name), "why", "d");
        assert_eq!((&whole["total"], &whole["hasMore"]), (&json!(1), &json!(false)), "{whole}");
        assert_eq!(complete(&mut client, prompt("nobody_triage"), "why", "")["values"], json!([]));
        client.fault("completion/complete", json!({ "ref": prompt(&name) }), -32602);
    }
}

#[test]
fn a_variable_of_a_template_is_completed_with_what_there_is() {
    let house = shared(House::new(&guest()).with(
        "[sources.auth]\npath = \"a\"\ndescription = \"A\"\n[sources.other]\npath = \"b\"\ndescription = \"B\"\n[grants.tester]\nsources = [\"auth\"]",
    ));
    let token = house.token("ann");
    for mut client in Client::all(&house, &token) {
        let values =
            |client: &mut Client, uri: &str, variable: &str| complete(client, template(uri), variable, "")["values"].clone();
        assert_eq!(values(&mut client, "casemate://plugins/{name}", "name"), json!(["plain-request"]));
        for uri in ["casemate://logs/{source}{?offset,length}", "casemate://logs/{source}/tail/{lines}"] {
            assert_eq!(values(&mut client, uri, "source"), json!(["auth"]));
        }
        let called = client.call(&house.served("ping"), json!({}));
        let id = called["_meta"]["casemate.dev/audit-id"].clone();
        let known = values(&mut client, "casemate://audit/self/{audit_id}", "audit_id");
        assert_eq!(known[0], id, "{known}");
        assert_eq!(values(&mut client, "casemate://plugins/{name}", "other"), json!([]));
        assert_eq!(values(&mut client, "file:///{path}", "path"), json!([]));
    }
}
