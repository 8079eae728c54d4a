//! Being told that something changed: lists after each change of what is served, and what is read.

use std::{fs, io::Write};

use serde_json::{Value, json};

use super::{
    client::{Client, meta},
    guest, house, shared,
};
use crate::harness::{House, Http, until};

const OWN: &str = "casemate://audit/self";

fn notified(client: &mut Client, method: &str) -> Value {
    loop {
        let message = client.raw().receive();
        if message["method"] == method {
            return message;
        }
    }
}

#[test]
fn ones_own_calls_and_a_log_are_watched_in_the_way_of_2025() {
    let house = shared(
        House::new(&guest())
            .with("[sources.auth]\npath = \"auth.log\"\ndescription = \"A\"\n[grants.tester]\nsources = [\"auth\"]"),
    );
    fs::write(house.folder().join("auth.log"), "one\n").unwrap();
    let mut client = Client::stdio(&house, "2025-11-25");
    for uri in [OWN, "casemate://logs/auth"] {
        client.result("resources/subscribe", json!({ "uri": uri }));
    }
    for uri in ["casemate://logs/none", "casemate://plugins/plain-request", "x"] {
        client.fault("resources/subscribe", json!({ "uri": uri }), -32002);
    }
    client.call(&house.served("ping"), json!({}));
    assert_eq!(notified(&mut client, "notifications/resources/updated")["params"]["uri"], OWN);
    let mut file = fs::OpenOptions::new().append(true).open(house.folder().join("auth.log")).unwrap();
    file.write_all(b"two\n").unwrap();
    assert_eq!(notified(&mut client, "notifications/resources/updated")["params"]["uri"], "casemate://logs/auth");
    client.result("resources/unsubscribe", json!({ "uri": "casemate://logs/auth" }));
    file.write_all(b"three\n").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    client.raw().silent();
}

#[test]
fn there_are_only_so_many_subscriptions() {
    let house = house();
    let mut client = Client::stdio(&house, "2025-11-25");
    // The same one many times is one.
    for _ in 0..40 {
        client.result("resources/subscribe", json!({ "uri": OWN }));
    }
}

fn listen(http: &Http, notifications: Value) -> crate::harness::Messages {
    let params = json!({ "notifications": notifications, "_meta": meta("2026-07-28") });
    http.post("subscriptions/listen", None, params)
}

#[test]
fn what_is_watched_is_told_on_the_stream_that_asked_for_it() {
    let house = house();
    let mut client = Client::http(&house, "2026-07-28", &house.token("ann"));
    let wanted = json!({ "resourceSubscriptions": [OWN, "casemate://logs/none", "casemate://audit/token:ben"], "promptsListChanged": true });
    let mut stream = listen(client.server(), wanted);
    let accepted = stream.next();
    assert_eq!(
        accepted["params"]["notifications"],
        json!({ "promptsListChanged": true, "resourceSubscriptions": [OWN] }),
        "{accepted:#}"
    );
    client.call(&house.served("ping"), json!({}));
    let told = stream.next();
    assert_eq!((&told["method"], &told["params"]["uri"]), (&json!("notifications/resources/updated"), &json!(OWN)));
}

/// Whose token is revoked hears nothing more, of whatever it listens to; whoever's is good goes on listening.
#[test]
fn a_stream_ends_when_its_token_is_revoked() {
    let house = house();
    let (ann, ben) = (house.token("ann"), house.token("ben"));
    let mut client = Client::http(&house, "2026-07-28", &ann);
    let (http, wanted) = (client.server(), json!({ "toolsListChanged": true }));
    let (mut lost, mut session) = (listen(http, wanted.clone()), http.session().changes());
    http.speak_as(&ben);
    let mut kept = listen(http, wanted);
    for stream in [&mut lost, &mut kept] {
        assert_eq!(stream.next()["method"], "notifications/subscriptions/acknowledged");
    }
    assert!(!lost.ended() && !session.ended());
    house.casemate(&["token", "revoke", "ann"]).done();
    until("both streams end", || lost.ended() && session.ended());
    assert!(!kept.ended());
}

#[test]
fn every_list_that_becomes_another_is_told_after_each_change() {
    let house = house();
    let mut client = Client::stdio(&house, "2025-11-25");
    let lists = ["tools", "prompts", "resources"];
    let told = |client: &mut Client| {
        let mut left: Vec<String> = lists.iter().map(|list| format!("notifications/{list}/list_changed")).collect();
        while !left.is_empty() {
            let method = client.raw().receive()["method"].as_str().unwrap_or_default().to_owned();
            left.retain(|wanted| *wanted != method);
        }
    };
    // Revoked, and trusted again.
    house.revoke();
    told(&mut client);
    assert!(client.listed("prompts/list", "prompts", "name").is_empty());
    assert_eq!(client.listed("resources/list", "resources", "uri"), [OWN]);
    house.trust_again();
    told(&mut client);
    assert_eq!(client.listed("prompts/list", "prompts", "name"), [house.served("triage")]);

    // Updated: another prompt.
    let update = house.sign(
        &guest()
            .with("plugin", "release", 2)
            .with("plugin", "version", "0.2.0")
            .prompt("second", "title = \"Second\"\ndescription = \"Look again.\"\ntext = \"Look again.\""),
    );
    house.write_package(&update);
    let file = house.package_file().display().to_string();
    house.casemate(&["install", &file, "--yes", "--approve", &update.approval.to_string()]).done();
    notified(&mut client, "notifications/prompts/list_changed");
    assert_eq!(client.listed("prompts/list", "prompts", "name").len(), 2);

    // Reloaded: a grant that names a log more.
    let house = house.with("[sources.auth]\npath = \"auth.log\"\ndescription = \"A\"\n[grants.tester]\nsources = [\"auth\"]");
    client.raw().hang_up();
    notified(&mut client, "notifications/resources/list_changed");
    assert!(client.listed("resources/list", "resources", "uri").contains(&"casemate://logs/auth".to_owned()));

    // Removed.
    house.casemate(&["remove", "plain-request"]).done();
    told(&mut client);
    assert!(client.listed("tools/list", "tools", "name").is_empty());
}
