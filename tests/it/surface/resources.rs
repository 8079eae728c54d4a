//! Resources: one's own audit trail, and the sheets of the plugins that one may call.

use serde_json::{Value, json};

use super::{client::Client, house};

const OWN: &str = "casemate://audit/self";

#[test]
fn what_can_be_read_is_listed() {
    let house = house();
    let token = house.token("ann");
    for mut client in Client::all(&house, &token) {
        assert_eq!(client.listed("resources/list", "resources", "uri"), [OWN, "casemate://plugins/plain-request"]);
        assert_eq!(
            client.listed("resources/templates/list", "resourceTemplates", "uriTemplate"),
            ["casemate://audit/self/{audit_id}", "casemate://plugins/{name}"]
        );
    }
}

#[test]
fn ones_own_calls_are_read_newest_first_without_what_is_the_operators() {
    let house = house();
    let token = house.token("ann");
    for mut client in Client::all(&house, &token) {
        client.call(&house.served("ping"), json!({}));
        let denied = client.call("nobody_knows", json!({}));
        let id = denied["structuredContent"]["audit_id"].as_str().unwrap();
        let contents = client.read(OWN);
        assert_eq!(contents["mimeType"], "application/json");
        let read: Value = serde_json::from_str(contents["text"].as_str().unwrap()).unwrap();
        let records = read["records"].as_array().unwrap();
        assert_eq!((&records[0]["event_type"], &records[0]["event_id"]), (&json!("denied"), &json!(id)), "{read:#}");
        assert_eq!(records[0]["message"], "there is no tool `nobody_knows`", "{read:#}");
        assert_eq!((&records[1]["event_type"], &records[1]["ending"]), (&json!("outcome"), &json!("returned")), "{read:#}");
        assert_eq!(records[2]["event_type"], "intent", "{read:#}");
        for record in records {
            for hidden in
                ["operator", "verdicts", "detail", "requests", "budgets", "plugin_digest", "event_hash", "principal_id", "grant"]
            {
                assert!(
                    record.get(hidden).is_none() && record.pointer(&format!("/extensions/casemate/{hidden}")).is_none(),
                    "{record:#}"
                );
            }
        }
        let one = client.read(&format!("{OWN}/{id}"));
        let one: Value = serde_json::from_str(one["text"].as_str().unwrap()).unwrap();
        assert_eq!(one["records"].as_array().unwrap().len(), 1, "{one:#}");
        // An intent comes with its outcome.
        let intent = records[2]["event_id"].as_str().unwrap();
        let call = client.read(&format!("{OWN}/{intent}"));
        let call: Value = serde_json::from_str(call["text"].as_str().unwrap()).unwrap();
        assert_eq!(call["records"].as_array().unwrap().len(), 2, "{call:#}");
        client.finds_nothing(&format!("{OWN}/01234567-89ab-7000-8123-456789abcdef"));
    }
}

#[test]
fn a_read_is_on_record_and_is_no_call() {
    let house = house();
    let mut client = Client::stdio(&house, "2026-07-28");
    let audit_id = client.read(OWN)["_meta"]["casemate.dev/audit-id"].as_str().unwrap().to_owned();
    let reads: Vec<Value> = house.written().into_iter().filter(|record| record["event_type"] == "resource.read").collect();
    assert_eq!(reads.len(), 1, "{reads:#?}");
    assert_eq!((&reads[0]["event_id"], &reads[0]["principal_id"]), (&json!(audit_id), &json!("local")));
    let again: Value = serde_json::from_str(client.read(OWN)["text"].as_str().unwrap()).unwrap();
    assert_eq!(again["records"], json!([]));
}

#[test]
fn a_sheet_is_the_one_that_inspect_shows() {
    let house = house();
    let token = house.token("ann");
    let inspected = house.casemate(&["inspect", "plain-request"]).done().stdout;
    for mut client in Client::all(&house, &token) {
        let contents = client.read("casemate://plugins/plain-request");
        let text = contents["text"].as_str().unwrap();
        // Who signed is known where the package is, and nowhere else.
        let lines = |text: &str| text.lines().filter(|line| !line.contains("signed by")).map(str::to_owned).collect::<Vec<_>>();
        let words = |text: &str| lines(text).join(" ").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(text), words(&inspected));
        client.finds_nothing("casemate://plugins/other");
    }
}

#[test]
fn what_is_no_address_is_not_there() {
    let house = house();
    let token = house.token("ann");
    for mut client in Client::all(&house, &token) {
        for uri in ["file:///etc/passwd", "casemate://", "casemate://audit/token:ann", "casemate://audit/self/../self", "x"] {
            client.finds_nothing(uri);
        }
        client.fault("resources/read", json!({}), -32602);
        client.fault("resources/read", json!({ "uri": 1 }), -32602);
    }
}
