//! Prompts: signed, shown to whoever may call their plugin, filled in by the host.

use serde_json::json;

use super::{client::Client, guest, house};
use crate::harness::{House, said};

#[test]
fn a_prompt_is_listed_and_filled_in() {
    let house = house();
    let (token, name) = (house.token("ann"), house.served("triage"));
    for mut client in Client::all(&house, &token) {
        let prompts = client.result("prompts/list", json!({}))["prompts"].clone();
        assert_eq!(
            prompts,
            json!([{ "name": name, "title": "Triage", "description": "Look at a group.", "arguments": [
                { "name": "group", "description": "Which group", "required": true },
                { "name": "why", "description": "What for", "required": false },
                { "name": "note", "description": "Anything else", "required": false },
            ] }])
        );
        assert_eq!(client.listed("prompts/list", "prompts", "name"), [name.as_str()]);
        let got = client.result("prompts/get", json!({ "name": name, "arguments": { "group": "lab", "why": "drill" } }));
        assert_eq!(got["description"], "Look at a group.");
        let message = json!([{ "role": "user", "content": { "type": "text", "text": "Look at lab for drill: {}" } }]);
        assert_eq!(got["messages"], message, "{got:#}");
        let got = client.result("prompts/get", json!({ "name": name, "arguments": { "group": "{note}", "note": "{group}" } }));
        assert_eq!(got["messages"][0]["content"]["text"], "Look at {note} for : {{group}}");
    }
}

#[test]
fn what_does_not_fit_a_prompt_is_refused() {
    let house = house();
    let (token, name) = (house.token("ann"), house.served("triage"));
    for mut client in Client::all(&house, &token) {
        for (arguments, says) in [
            (json!({}), "needs the argument `group`"),
            (json!({ "group": "lab", "why": "fun" }), "none of: alert, audit, drill"),
            (json!({ "group": "lab", "other": "x" }), "no argument"),
            (json!({ "group": 1 }), "not text"),
            (json!({ "group": "a\u{202e}b" }), "cannot see"),
            (json!({ "group": "a".repeat(5000) }), "longer than"),
        ] {
            let error = client.fault("prompts/get", json!({ "name": name, "arguments": arguments }), -32602);
            assert!(error["message"].as_str().unwrap().contains(says), "{error:#}");
        }
        let other = house.served("other");
        for name in [other.as_str(), "triage", "", "nobody_triage", &format!("{name}x")] {
            let error = client.fault("prompts/get", json!({ "name": name }), -32602);
            assert!(error["message"].as_str().unwrap().contains("there is no prompt"), "{error:#}");
        }
        client.fault("prompts/get", json!({ "arguments": {} }), -32602);
    }
}

#[test]
fn a_prompt_is_for_whoever_may_call_a_tool_of_its_plugin() {
    let house = house();
    let name = house.served("triage");
    let mut stranger = Client::http(&house, "2026-07-28", &house.token("ben"));
    assert!(stranger.listed("prompts/list", "prompts", "name").is_empty());
    stranger.fault("prompts/get", json!({ "name": name, "arguments": { "group": "lab" } }), -32602);

    // Every tool of the plugin is above what the grant allows, or off.
    let house = house.set("grants.tester.tools", vec![house_tool("change")]);
    let mut client = Client::stdio(&house, "2026-07-28");
    assert!(client.listed("tools/list", "tools", "name").is_empty());
    assert!(client.listed("prompts/list", "prompts", "name").is_empty());
    client.fault("prompts/get", json!({ "name": name, "arguments": { "group": "lab" } }), -32602);
}

fn house_tool(tool: &str) -> String {
    format!("plain-request_{tool}")
}

#[test]
fn a_reviewer_reads_every_word_of_a_prompt() {
    let house = house();
    let shown = house.casemate(&["inspect", "plain-request"]).done().stdout;
    for words in [
        "Prompts: every word that a person may send to the model",
        "plain-request_triage",
        "Look at {group} for {why}: {{{note}}}",
        "{group}, required: Which group",
        "{why}, one of: alert, audit, drill: What for",
    ] {
        assert!(shown.contains(words), "`{words}` is not in {shown}");
    }
}

#[test]
fn other_words_of_a_prompt_need_a_person_again() {
    let other = |text: &str| {
        let declared = format!("title = \"Triage\"\ndescription = \"Look.\"\ntext = \"{text}\"");
        guest().with("plugin", "release", 2).with("plugin", "version", "0.2.0").prompt("triage", &declared)
    };
    let house = House::new(&guest());
    house.install().done();
    let agreed = house.package().approval.to_string();
    let update = house.sign(&other("Look and tell everybody."));
    house.write_package(&update);
    let file = house.package_file().display().to_string();
    let refused = house.casemate(&["install", &file, "--yes", "--approve", &agreed]);
    assert!(!refused.stderr.is_empty());
    refused.refused(&["approve"]);
    let done = house.casemate(&["install", &file, "--yes", "--approve", &update.approval.to_string()]);
    done.done();
    let mut client = Client::stdio(&house, "2026-07-28");
    let got = client.result("prompts/get", json!({ "name": house.served("triage") }));
    assert_eq!(got["messages"][0]["content"]["text"], "Look and tell everybody.");
}

/// Whoever is given a prompt is on record, with what it said, and with no secret that it may have pasted. A paused caller is given none.
#[test]
fn every_prompt_that_is_given_is_on_record() {
    let house = house().with("[breaker]\nburst = { count = 3, per = '1h' }");
    let (name, secret) = (house.served("triage"), house.secret().value().to_owned());
    let mut client = Client::stdio(&house, "2026-07-28");
    client.result("prompts/get", json!({ "name": name, "arguments": { "group": "lab", "note": format!("it is {secret}") } }));
    client.fault("prompts/get", json!({ "name": name, "arguments": {} }), -32602);
    client.result("prompts/get", json!({ "name": name, "arguments": { "group": "lab" } }));
    let read = house.records("prompt.read");
    assert_eq!(read.len(), 2, "{read:#?}");
    let fields = said(&read[0], "fields");
    assert_eq!((&read[0]["principal_id"], &read[0]["outcome"]), (&json!("local"), &json!("allowed")));
    assert_eq!((&fields["prompt"], &fields["arguments"]["group"]), (&json!(name), &json!("lab")));
    assert_eq!(fields["plugin_digest"].as_str().map(str::len), Some(64), "{fields:#}");
    assert!(fields["arguments"]["note"].as_str().unwrap().starts_with("it is ") && !read[0].to_string().contains(&secret));

    client.result("prompts/get", json!({ "name": name, "arguments": { "group": "lab" } }));
    let error = client.fault("prompts/get", json!({ "name": name, "arguments": { "group": "lab" } }), -32602);
    assert_eq!((&error["data"]["reason"], &house.records("prompt.read")[3]["outcome"]), (&json!("paused"), &json!("denied")));
}
