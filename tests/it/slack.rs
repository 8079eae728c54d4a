//! Slack's plugin as it is packed: it reads and writes granted channels, and what it writes reaches nobody by name.

use serde_json::{Value, json};

use crate::harness::House;

const SOC: &str = "C024BE91L";
const HISTORY: &str = "GET /api/conversations.history";
const LIST: &str = "GET /api/conversations.list";
const POST: &str = "POST /api/chat.postMessage";

/// One channel is granted, and the bot is in it; sending is on and for real.
const CONFIG: &str = r#"
environment = "dev"

[plugins.@]
secret.bot_token.file = "secrets/api_key"

[plugins.@.tools.send_message]
enabled = true
dry_run = false

[grants.tester]
principals = ["local"]
tools = ["@_*"]
max_effect = "write"
scope.channel = ["C024BE91L", "C061EG9T2", "C0ARCHIVED1"]
"#;

fn house() -> House {
    House::beside("slack", CONFIG)
}

fn message(text: &str) -> Value {
    json!({ "channel": SOC, "text": text })
}

#[test]
fn channels_are_listed_and_granted_ones_read() {
    let house = house().serve();
    let listed = house.call("list_channels", json!({ "limit": 1 })).done(&["#soc, this bot is in it"]);
    let cursor = listed.structured()["next_cursor"].clone();
    house.call("list_channels", json!({ "cursor": cursor })).done(&["#random"]).silent(&["board", "old-incidents"]);
    let read = house.call("read_channel", json!({ "channel": SOC, "limit": 3 })).done(&["185.220.101.29 & friends"]);
    let last = read.structured()["messages"][2]["ts"].clone();
    let older = house.call("read_channel", json!({ "channel": SOC, "limit": 3, "before": last })).done(&[]);
    assert_eq!(older.structured()["messages"][0]["text"], "alert 26: 185.220.101.26 & friends");
    let sent = house.upstreams().received_by("slack");
    let token = format!("Bearer {}", house.secret().value());
    assert!(sent.iter().all(|request| request.headers("authorization") == [token.as_str()]), "{sent:?}");
}

#[test]
fn a_message_is_shown_as_it_is_written_and_reaches_nobody_by_name() {
    let house = house().serve();
    let text = "<@U012AB3CDE> see <https://evil.example|https://bank.example> & tell @alice";
    let sent = house.call_fresh("send_message", message(text)).done(&["sent to C024BE91L"]);
    let body = json!({ "channel": SOC, "text": "&lt;@U012AB3CDE&gt; see &lt;https://evil.example|https://bank.example&gt; &amp; tell @alice",
        "parse": "none", "link_names": false, "unfurl_links": false, "unfurl_media": false });
    assert_eq!(house.changes(), [body]);
    let token = format!("authorization: Bearer {}\r\n", house.secret().value());
    let there = house.upstreams().ask("slack", ("GET", "/api/conversations.history?channel=C024BE91L&limit=1"), &token, "");
    assert_eq!(there["messages"][0]["notified"], false, "{there:#}");
    // An answer to it, in its thread; and what is read is what was written.
    let ts = sent.structured()["ts"].clone();
    let answer = json!({ "channel": SOC, "text": "done", "thread_ts": ts });
    // What names a message came from outside, so somebody is asked who has seen it there.
    house.call("send_message", answer.clone()).ended("deferred", "flow-needs-approval", &["/thread_ts"]);
    house.call_fresh("send_message", answer).done(&[]);
    assert_eq!(house.changes()[0]["thread_ts"], ts);
    house.call("read_channel", json!({ "channel": SOC, "limit": 2 })).done(&[text]);
}

#[test]
fn nobody_calls_for_everybody_and_no_credential_leaves() {
    let house = house().serve();
    let key = format!("AKIA{}", "A1B2C3D4".repeat(2));
    for text in ["@here", "look, @Channel", "<!everyone>", &format!("the key is {key}"), "-----BEGIN PRIVATE KEY-----\nMIIE"] {
        let reply = house.call_fresh("send_message", message(text)).ended("error", "invalid-arguments", &["nothing was sent"]);
        reply.silent(&[&key]);
        assert!(house.reached().is_empty(), "{text}");
    }
}

#[test]
fn a_channel_outside_the_grant_reaches_nobody() {
    let house = house().serve();
    for (channel, reason) in [
        ("G01PRIVATE1", "out-of-scope"),
        ("D0123456789", "out-of-scope"),
        ("soc", "arguments-invalid"),
        ("C024BE91L,C1", "arguments-invalid"),
    ] {
        house.call_fresh("send_message", json!({ "channel": channel, "text": "x" })).ended("denied", reason, &[]);
        house.call_fresh("read_channel", json!({ "channel": channel })).ended("denied", reason, &[]);
        assert!(house.reached().is_empty(), "{channel}");
    }
    for besides in ["blocks", "attachments", "username", "link_names", "parse"] {
        let mut arguments = message("x");
        arguments[besides] = json!("full");
        house.call_fresh("send_message", arguments).ended("denied", "arguments-invalid", &[]);
        assert!(house.reached().is_empty(), "{besides}");
    }
}

#[test]
fn sending_is_off_and_dry_until_somebody_says_otherwise() {
    let off = house().set("plugins.@.tools.send_message.enabled", false).serve();
    off.call("send_message", message("x")).ended("denied", "disabled", &[]);
    let low = house().set("grants.tester.max_effect", "read").serve();
    low.call("send_message", message("x")).ended("denied", "effect-above-grant", &[]);
    let dry = house().without("plugins.@.tools.send_message.dry_run").serve();
    let planned = dry.call("send_message", message("a < b")).done(&["‹secret bot_token›"]);
    assert_eq!(planned.decision(), "planned");
    let request = &planned.structured()["plan"]["requests"][0];
    assert_eq!(request["targets"], json!({ "channel": [SOC] }));
    assert!(off.reached().is_empty() && low.reached().is_empty() && dry.reached().is_empty());
}

/// Status 200 is no success, and no reason to believe anything.
#[test]
fn what_slack_declines_is_told() {
    let house = house().serve();
    house.call("read_channel", json!({ "channel": "C061EG9T2" })).ended("error", "unauthorized", &["not in the channel"]);
    house.call_fresh("send_message", json!({ "channel": "C0ARCHIVED1", "text": "x" })).ended(
        "error",
        "invalid-arguments",
        &["archived"],
    );
    for (error, reason) in [
        ("ratelimited", "rate-limited"),
        ("missing_scope", "unauthorized"),
        ("token_revoked", "unauthorized"),
        ("channel_not_found", "not-found"),
        ("internal_error", "unavailable"),
    ] {
        house.scripted(HISTORY, json!({ "error": error }));
        house.call_fresh("read_channel", json!({ "channel": SOC })).ended("error", reason, &[]);
        house.scripted(POST, json!({ "error": error }));
        // Slack says most of its noes with status 200: the host does not say that it has happened.
        let changed = if error == "ratelimited" { "says that it did not do it" } else { "unless the answer said otherwise" };
        house.call_fresh("send_message", message("x")).ended("error", reason, &[changed]);
    }
    for (script, reason) in [
        (json!({ "answer": { "status": 500 } }), "outcome-unknown"),
        (json!({ "misbehave": { "kind": "close" } }), "outcome-unknown"),
        (json!({ "answer": { "body": { "messages": [] } } }), "upstream"),
    ] {
        house.scripted(POST, script);
        house.call_fresh("send_message", message("x")).ended("error", reason, &["outcome unknown", "read_channel"]);
        assert_eq!(house.changes().len(), 1, "it is not tried again");
    }
    house.answers(POST, &json!({ "body": { "ok": true, "channel": "C061EG9T2", "ts": "1730800000.000200" } }));
    house.call_fresh("send_message", message("x")).ended("error", "upstream", &["in another channel"]);
}

#[test]
fn a_slack_that_lies_gets_nothing_past() {
    let house = house().serve();
    house.bears("list_channels", &json!({}), LIST);
    house.bears("read_channel", &json!({ "channel": SOC }), HISTORY);
}

#[test]
fn slack_answers_whatever_it_is_asked() {
    let house = house().with("breaker = { denials = false, variants = false, burst = false }");
    house.install().done();
    crate::arguments::every_call_is_answered(&house);
}
