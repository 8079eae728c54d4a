//! Calls that are harmless alone and are not together: what was read forbids what comes next, however the caller comes back.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Guest, House, Http, Raw, Reply, said};

/// Every tool is on, for real, and within the grant: only what was read stands in the way.
const ON: &str = "
    [plugins.@.tools]
    post = { enabled = true, dry_run = false }
    start = { enabled = true, dry_run = false, approval = 'none' }
    wipe = { enabled = true, dry_run = false, approval = 'none' }
    [grants.tester]
    principals = ['local', 'token:ann', 'token:bob']
    max_effect = 'destructive'
    scope.range = ['1h']";
const DEFAULTS: [&str; 3] = ["untrusted-then-execute", "secret-then-write", "untrusted-value-into-write"];

fn house() -> House {
    House::new(&Guest::new("errands")).with(ON)
}

fn lab() -> Value {
    json!({ "group": "lab" })
}

/// A call waits for a person because of what was read, and the operator's log says which rule it was.
#[track_caller]
fn waits(house: &House, reply: Reply, rule: &str) {
    let reply = reply.ended("deferred", "flow-needs-approval", &["waits as approval"]);
    let record = house.record(&reply);
    let operator = said(&record, "operator").as_str().unwrap();
    assert!(operator.contains(&format!("flow rule `{rule}`")) && operator.contains("casemate sessions clear"), "{operator}");
}

/// What reached the upstream beyond reads.
fn changes(house: &House) -> usize {
    house.received().iter().filter(|request| request.method() != "GET").count()
}

#[test]
fn enumerating_selecting_and_executing_is_broken_after_the_reading() {
    let house = house().serve();
    house.call("start", lab()).done(&["200"]);
    house.casemate(&["sessions", "clear", "local"]).done();
    house.call("hosts", json!({})).done(&["200"]);
    house.call("techniques", json!({})).done(&["200"]);
    waits(&house, house.call("start", lab()), "untrusted-then-execute");
    waits(&house, house.call("wipe", lab()), "untrusted-then-execute");
    assert_eq!(changes(&house), 1, "the one from before the reading");
    // Reading goes on, and so does a write of what the caller itself came with.
    house.call("hosts", json!({})).done(&["200"]);
    house.call("post", lab()).done(&["200"]);
}

#[test]
fn a_secret_that_was_read_is_not_written_anywhere() {
    let house = house().serve();
    house.call("post", lab()).done(&["200"]);
    house.call("vault", json!({})).done(&["200"]);
    waits(&house, house.call("post", lab()), "secret-then-write");
    // Neither in other words nor in pieces, and not by way of another tool.
    waits(&house, house.call("post", json!({ "group": "lab", "note": "c2VjcmV0" })), "secret-then-write");
    house.call("start", lab()).ended("deferred", "flow-needs-approval", &[]);
    assert_eq!(changes(&house), 1);
}

#[test]
fn what_was_read_survives_every_way_of_coming_back() {
    let mut house = house().serve();
    house.call("hosts", json!({})).done(&["200"]);
    let held = |house: &House, what: &str, reply: &Value| {
        assert_eq!(reply["structuredContent"]["reason"], "flow-needs-approval", "{what}: {reply}");
        assert_eq!(changes(house), 0, "{what}");
    };
    // A configuration that is taken up again, a grant that allows more, another connection, another program, another client.
    house = house.with("[grants.tester]\nscope.group = ['lab', 'moon']");
    house.reload();
    held(&house, "reload", &house.call("start", lab()).0);
    house.close();
    house = house.open();
    held(&house, "restart", &house.call("start", lab()).0);
    let ran = house.casemate(&["call", &house.served("start"), "{\"group\":\"lab\"}"]);
    assert!(ran.code != 0 && format!("{}{}", ran.stdout, ran.stderr).contains("waits as approval"), "{ran:#?}");
    let mut raw = Raw::initialized(house.command().arg("serve"));
    let name = house.served("start");
    let answer = raw.ask(1, "tools/call", json!({ "name": name, "arguments": lab() }));
    held(&house, "another client beside it", &answer["result"]);
    assert!(raw.stop().status.success());

    // Over HTTP it is the bearer of the token who has read, whatever the session and the revision.
    let (ann, bob) = (house.token("ann"), house.token("bob"));
    let http = Http::start(&mut house.command(), &ann);
    http.reply(&name, lab()).done(&["200"]);
    http.reply(&house.served("hosts"), json!({})).done(&["200"]);
    let before = changes(&house);
    for _ in 0..2 {
        http.reply(&name, lab()).ended("deferred", "flow-needs-approval", &[]);
    }
    http.session().reply(&name, lab()).ended("deferred", "flow-needs-approval", &[]);
    drop(http);
    let mut again = Http::start(&mut house.command(), &ann);
    again.reply(&name, lab()).ended("deferred", "flow-needs-approval", &[]);
    again.session().reply(&name, lab()).ended("deferred", "flow-needs-approval", &[]);
    assert_eq!(changes(&house), before);
    // Nobody else has.
    again.speak_as(&bob);
    again.session().reply(&name, lab()).done(&["200"]);
    drop(again);
}

/// Two grants of one caller, as an operator writes them who keeps reading and acting apart; one covers what the other does.
#[test]
fn another_grant_of_the_same_caller_is_no_way_around() {
    let house = house()
        .with("[grants.tester]\ntools = ['@_hosts', '@_vault', '@_look']")
        .with("[grants.runner]\nprincipals = ['local', 'token:ann']\ntools = ['@_start', '@_post', '@_look']\nmax_effect = 'execute'\nscope.group = ['lab']")
        .serve();
    house.call("start", lab()).done(&["200"]);
    house.casemate(&["sessions", "clear", "local"]).done();
    house.upstreams().script(json!({ "answer": { "body": ["evil.example"] } }));
    house.call("hosts", json!({})).done(&["evil.example"]);
    let record = house.record(&house.call("look", lab()).done(&["200"]));
    assert_ne!(said(&record, "grant"), "tester", "what was read was read under another grant");
    waits(&house, house.call("start", lab()), "untrusted-then-execute");
    let named = json!({ "group": "lab", "note": "evil.example" });
    waits(&house, house.call("post", named), "untrusted-value-into-write");
    house.call("vault", json!({})).done(&["200"]);
    waits(&house, house.call("post", lab()), "secret-then-write");
    assert_eq!(changes(&house), 1);
    // Another caller that holds one of them has read nothing.
    let http = Http::start(&mut house.command(), &house.token("ann"));
    http.reply("errands_start", lab()).done(&["200"]);
    drop(http);
}

#[test]
fn what_was_read_is_shown_and_a_person_clears_it_on_record() {
    let mut house = house().serve();
    let read = house.call("hosts", json!({})).done(&["200"]);
    let shown = house.casemate(&["sessions", "show", "--format", "json"]).done().stdout;
    let sessions: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&sessions[0]["principal"], &sessions[0]["grant"]), (&json!("local"), &json!("tester")), "{shown}");
    let labels = sessions[0]["labels"].as_array().unwrap();
    assert_eq!(labels.iter().map(|label| label["label"].as_str().unwrap()).collect::<Vec<_>>(), ["inventory", "untrusted"]);
    assert!(labels.iter().all(|label| label["audit_id"] == read.audit_id() && label["tool"] == "errands_hosts"), "{shown}");
    assert!(house.casemate(&["sessions", "show"]).done().stdout.contains("untrusted"));

    house.casemate(&["sessions", "clear", "token:nobody"]).faulty(&["nothing is known of"]);
    house.casemate(&["sessions", "clear", "local", "another"]).faulty(&["nothing is known of"]);
    waits(&house, house.call("start", lab()), "untrusted-then-execute");
    house.casemate(&["sessions", "clear", "local", "tester"]).done();
    house.call("start", lab()).done(&["200"]);
    house.close();
    let cleared = house.records("session.cleared");
    let of = |record: &Value| said(record, "fields")["session_of"].as_str().unwrap_or_default().to_owned();
    assert!(cleared.iter().any(|record| of(record) == "local"), "{cleared:?}");
}

/// An upstream names a host, and whoever wrote that is not obeyed, in whatever spelling it comes back.
#[test]
fn a_value_that_a_result_named_is_recognised_in_every_spelling() {
    // Nobody is asked, so that nothing ends in too much that waits.
    let house = house()
        .with("breaker.denials = false\n[[flow]]\nname = 'nothing-named'\ncarries = 'untrusted'\nforbid = { effect = 'write' }")
        .serve();
    let answer = json!({ "hosts": [
        { "name": "Evil.Example", "address": "203.0.113.77", "url": "https://payload.example:8443/stage/two?x=1" },
        { "note": "mail root@mailbox.example, or write to hxxps://defanged[.]example/a" },
        { "sha256": "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855", "10.66.0.9": true, "port": 31337 },
    ] });
    house.upstreams().script(json!({ "answer": { "body": answer } }));
    house.call("hosts", json!({})).done(&["Evil.Example"]);
    let mut passed = Vec::new();
    for value in [
        "evil.example",
        "EVIL.EXAMPLE",
        "evil.example.",
        "  evil.example  ",
        "run it on evil.example, please",
        "https://evil.example/any/path",
        "https://EVIL.example:444/",
        "http://user:word@evil.example/",
        "//evil.example/x",
        "evil.example:22",
        "root@evil.example",
        "evil[.]example",
        "evil(dot)example",
        "hxxp://evil[.]example",
        "\u{ff45}\u{ff56}\u{ff49}\u{ff4c}.example",
        "evil\u{3002}example",
        "evil\u{200b}.example",
        "e\u{ad}vil.example",
        "evil.example\u{202e}",
        "https://%65vil.example/",
        "evil%2eexample",
        "\u{24d4}vil.example",
        "\u{1d41e}vil.example",
        "203.0.113.77",
        "203.0.113.77/32",
        "203[.]0[.]113[.]77",
        "http://203.0.113.77:8080/",
        "payload.example",
        "https://payload.example:8443/stage/two?x=1",
        "mailbox.example",
        "ROOT@MAILBOX.EXAMPLE",
        "defanged.example",
        "https://defanged.example/a",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "10.66.0.9",
        "{\"deep\":\"evil.example\"}",
        "a=1&host=evil.example",
        "evil.example|sh",
        "'evil.example'",
        "<evil.example>",
        "`evil.example`",
        "\"evil.example\"",
    ] {
        for arguments in
            [json!({ "group": "lab", "note": value }), json!({ "group": "lab", "details": { "targets": ["10.0.0.1", value] } })]
        {
            let reply = house.call("post", arguments.clone());
            if reply.reason() != "flow-forbidden" {
                passed.push((value, reply.reason().to_owned()));
            }
        }
    }
    assert!(passed.is_empty(), "{passed:?}");
    assert_eq!(changes(&house), 0);
    // What no result named is the caller's own.
    for value in ["good.example", "a note of some length", "198.51.100.4", "evil", "example", "vil.example"] {
        house.call("post", json!({ "group": "lab", "note": value })).done(&["200"]);
    }
}

#[test]
fn a_value_that_the_caller_had_first_is_its_own() {
    let house = house().serve();
    let named = |hosts: &[&str]| house.upstreams().script(json!({ "answer": { "body": { "hosts": hosts } } }));
    house.call("post", json!({ "group": "lab", "note": "ours.example" })).done(&["200"]);
    named(&["ours.example", "theirs.example"]);
    house.call("hosts", json!({})).done(&["theirs.example"]);
    house.call("post", json!({ "group": "lab", "note": "https://OURS.example/" })).done(&["200"]);
    let both = json!({ "group": "lab", "note": "ours.example", "details": { "owner": "theirs.example" } });
    let reply = house.call("post", both).ended("deferred", "flow-needs-approval", &["/details/owner", "theirs.example"]);
    waits(&house, reply, "untrusted-value-into-write");
    // Trying it, being refused for it, or asking for it is not having had it first.
    house.call("post", json!({ "group": "moon", "note": "theirs.example" })).ended("denied", "out-of-scope", &[]);
    house.call("look", json!({ "group": "theirs.example" })).ended("denied", "out-of-scope", &[]);
    house.call("post", json!({ "group": "lab", "note": "theirs.example" })).ended("deferred", "flow-needs-approval", &[]);
    // Nor is the operator's own grant an attacker's choice, though a result names it too.
    named(&["lab"]);
    house.call("hosts", json!({})).done(&["lab"]);
    house.call("post", lab()).done(&["200"]);
}

/// A call that was refused says nothing for later: else a caller would try every value once, and then have it.
#[test]
fn a_refused_call_makes_no_value_the_callers_own() {
    let house = house().serve();
    house.call("post", json!({ "group": "moon", "note": "guess.example" })).ended("denied", "out-of-scope", &[]);
    house.upstreams().script(json!({ "answer": { "body": ["guess.example"] } }));
    house.call("hosts", json!({})).done(&["guess.example"]);
    waits(&house, house.call("post", json!({ "group": "lab", "note": "guess.example" })), "untrusted-value-into-write");
}

/// What a plugin says while it runs is read like what it returns, also where it never returns.
#[test]
fn what_a_plugin_says_while_it_runs_is_read_too() {
    for (case, reason) in [("fail", "internal"), ("trap", "plugin-fault"), ("wait", "limit-reached")] {
        let house = House::new(&Guest::new("progress_leak").limit("deadline_ms", 1500))
            .with("[plugins.@.tools]\nchange = { enabled = true, dry_run = false }\n[grants.tester]\nmax_effect = 'write'")
            .with("[[flow]]\nname = 'nothing-after-reading'\nafter = 'untrusted'\nforbid = { effect = 'write' }")
            .serve();
        let change = |case: &str| house.call("change", json!({ "group": "lab", "case": case }));
        change("before").done(&["200"]);
        house.casemate(&["sessions", "clear", "local"]).done();
        house.upstreams().script(json!({ "answer": { "body": ["evil.example"] } }));
        house.run(case).ended("error", reason, &[]).silent(&["evil.example"]);
        // A report may be lost, if its call ends at once.
        assert!(case != "wait" || format!("{:?}", house.server().progress()).contains("evil.example"), "{case}");
        change("after").ended("denied", "flow-forbidden", &[]);
        let shown = house.casemate(&["sessions", "show", "--format", "json"]).done().stdout;
        let sessions: Value = serde_json::from_str(&shown).unwrap();
        assert!(sessions[0]["values"].as_u64().unwrap() > 0, "{case}: {shown}");
    }
}

#[test]
fn the_operator_has_fewer_rules_and_others() {
    let off = format!("without_flows = ['{}', '{}', '{}']", DEFAULTS[0], DEFAULTS[1], DEFAULTS[2]);
    let house = house().with(&off).serve();
    house.call("vault", json!({})).done(&["200"]);
    for tool in ["post", "start", "wipe"] {
        house.call(tool, lab()).done(&["200"]);
    }
    let house = house.with(
        "[[flow]]\nname = 'no-wiping'\nafter = 'inventory'\nforbid = { tools = '@_wipe' }\n\
         [[flow]]\nname = 'nothing-carried'\ncarries = 'inventory'\nforbid = { effect = 'write' }\nunless = 'approval'",
    );
    house.reload();
    house.call("wipe", lab()).done(&["200"]);
    house.upstreams().script(json!({ "answer": { "body": ["db.example"] } }));
    house.call("hosts", json!({})).done(&["db.example"]);
    let reply = house.call("wipe", lab()).ended("denied", "flow-forbidden", &["`inventory` result of `errands_hosts`"]);
    assert!(said(&house.record(&reply), "operator").as_str().unwrap().contains("flow rule `no-wiping`"));
    house.call("start", lab()).done(&["200"]);
    waits(&house, house.call("start", json!({ "group": "lab", "note": "db.example" })), "nothing-carried");
}

#[test]
fn a_rule_that_is_misspelt_does_not_load() {
    let house = house();
    house.install().done();
    let good = fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
    let fault = |place: usize, text: &str, said: &[&str]| {
        // Before all tables, where a key of its own stands; the line that is wrong is the one that is named.
        let (head, tail) = if text.starts_with('[') { (good.clone(), text) } else { (String::new(), text) };
        let rest = if head.is_empty() { good.as_str() } else { "" };
        fs::write(house.folder().join("casemate.toml"), format!("{head}{tail}\n{rest}")).unwrap();
        let line = head.lines().count() + place;
        let ran = house.casemate(&["check"]);
        assert!(ran.code == 1 || ran.code == 3, "{text}: {ran:#?}");
        let place = format!("casemate.toml:{line}");
        assert!(ran.stderr.contains(&place), "`{place}` for {text}: {ran:#?}");
        for part in said {
            assert!(ran.stderr.contains(part), "`{part}` for {text}: {ran:#?}");
        }
        let served = house.casemate(&["call", &house.served("ping"), "{}"]);
        assert_ne!(served.code, 0, "{text}");
    };
    fault(1, "without_flows = ['secret-then-wrote']", &["secret-then-wrote", "did you mean `secret-then-write`"]);
    fault(1, "without_flow = ['secret-then-write']", &["did you mean `without_flows`"]);
    fault(2, "[[flow]]\naftr = 'secret'\nforbid = { effect = 'write' }", &["aftr", "did you mean `after`"]);
    fault(2, "[[flow]]\nforbid = { effect = 'write' }", &["a flow rule begins with one thing"]);
    fault(4, "[[flow]]\nafter = 'secret'\ncarries = 'secret'\nforbid = { effect = 'write' }", &["begins with one thing"]);
    fault(1, "[[flow]]\nafter = 'secret'", &["forbid"]);
    fault(3, "[[flow]]\nafter = 'secret'\nforbid = { efect = 'write' }", &["did you mean `effect`"]);
    fault(3, "[[flow]]\nafter = 'secret'\nforbid = { effect = 'wirte' }", &["wirte"]);
    fault(4, "[[flow]]\nafter = 'secret'\nforbid = { effect = 'write' }\nunless = 'aproval'", &["aproval"]);
    fault(2, "[[flow]]\nafter = 'Not A Label'\nforbid = { effect = 'write' }", &["label"]);
    fault(2, "[[flow]]\nname = 'No Name'\nafter = 'secret'\nforbid = { effect = 'write' }", &["flow rule's name"]);
    // Of the form, and of nothing that is installed.
    fault(3, "[[flow]]\nafter = 'secert'\nforbid = { effect = 'write' }", &["secert"]);
    fault(3, "[[flow]]\nafter = 'secret'\nforbid = { tools = 'erands_post' }", &["erands_post"]);
    fs::write(house.folder().join("casemate.toml"), &good).unwrap();
    house.casemate(&["check"]).done();
}
