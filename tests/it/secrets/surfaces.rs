//! A hundred secrets, each echoed by an upstream and passed on by its plugin in every way, and everything that people, models and other
//! systems are shown of it.

use serde_json::{Value, json};
use toml::Table;

use super::{modes::hundred, soon};
use crate::{
    approvals::{enrol, modern::Modern, waits},
    forwarding::Credential,
    harness::{Collector, Console, Guest, House, secret::Secret},
};

/// Every spelling in which the upstream says its caller's credential.
const FORMS: [&str; 7] = ["plain", "base64", "base64-url", "base64-shifted", "hex", "hex-upper", "embedded"];
const PAGES: [&str; 7] = [
    "/console",
    "/console/approvals",
    "/console/audit",
    "/console/plugins",
    "/console/grants",
    "/console/callers",
    "/console/posture",
];

fn guest() -> Guest {
    let reads_first = |more: &str, effect: &str, scope: &str| -> Table {
        format!("effect = '{effect}'\nrequests = ['hosts'{more}]\n{scope}").parse().unwrap()
    };
    let scope = "scope.group = { argument = '/group' }";
    Guest::new("echo_everywhere")
        .with("tool", "techniques", reads_first(", 'techniques'", "read", ""))
        .with("tool", "vault", reads_first(", 'vault'", "read", ""))
        .with("tool", "post", reads_first(", 'post'", "write", scope))
        .with("tool", "start", reads_first(", 'start'", "execute", scope))
}

fn house(syslog: &Collector, otlp: &Collector, credential: &Credential) -> House {
    let house = House::new(&guest()).with(&format!(
        "without_flows = ['untrusted-then-execute', 'secret-then-write', 'untrusted-value-into-write']
        [mcp]
        log_lines = true
        [audit.forward.syslog]
        to = '{}'
        ca = 'ca.pem'
        [audit.forward.otlp]
        to = '{}'
        {}
        [plugins.@.tools]
        post = {{ enabled = true, dry_run = false, approval = {{ mode = 'in-band' }} }}
        start = {{ enabled = true, dry_run = false, approval = 'none' }}
        [grants.tester]
        max_effect = 'execute'",
        syslog.address(),
        otlp.address(),
        credential.auth(),
    ));
    std::fs::write(house.folder().join("ca.pem"), &syslog.certificate).unwrap();
    enrol(house, "alice")
}

#[test]
fn a_hundred_secrets_that_are_passed_on_in_every_way_are_shown_nowhere() {
    let credential = Credential::new();
    let (syslog, otlp) = (Collector::syslog(), Collector::otlp(&credential.sent()));
    let mut house = house(&syslog, &otlp, &credential).serve();
    house.keeps(credential.value());
    let able = json!({ "elicitation": { "form": {} } });
    let (mut seen, mut asked, mut approvals) = (Vec::<(String, String)>::new(), Vec::new(), Vec::new());
    let secrets = hundred();
    for (at, value) in secrets.iter().enumerate() {
        house.give(value);
        soon("the new value is sent", || {
            house.call("hosts", json!({}));
            house.received().last().and_then(|received| received.headers("x-api-key").pop()).as_ref() == Some(value)
        });
        let script = json!({ "misbehave": { "kind": "echo-key", "form": FORMS[at % FORMS.len()] }, "times": 2 });
        house.upstreams().forget();
        house.upstreams().script(script);
        let (tool, arguments) = [
            ("hosts", json!({})),
            ("techniques", json!({})),
            ("vault", json!({})),
            ("post", json!({ "group": "lab" })),
            ("start", json!({ "group": "lab" })),
        ][at % 5]
            .clone();
        if tool == "post" && at % 10 == 3 {
            // Somebody at a client is asked.
            let name = house.served(tool);
            let mut client = Modern::stdio(&house, able.clone());
            let answer = client.request("tools/call", &name, json!({ "name": name, "arguments": arguments }));
            assert_eq!(answer["result"]["resultType"], "input_required", "{answer:#}");
            asked.push(answer.to_string());
            seen.push((format!("the question about {value}"), answer.to_string()));
            continue;
        }
        let reply = house.call(tool, arguments);
        match tool {
            "post" => approvals.push(waits(reply.clone())),
            "vault" => assert_eq!(reply.reason(), "plugin-fault", "{reply:?}"),
            "techniques" => assert!(reply.is_error(), "{reply:?}"),
            _ => assert!(!reply.is_error(), "{reply:?}"),
        }
        if !matches!(tool, "vault" | "post") {
            assert!(reply.text().contains("‹secret api_key›"), "{tool}: {reply:?}");
        }
        seen.push((format!("the answer of {tool} with {value}"), reply.0.to_string()));
    }
    assert!(asked.iter().all(|asked| asked.contains("‹secret api_key›")), "the plan is what the upstream said");
    // A secret that cannot be sent, and an upstream that breaks: the host's own words.
    house.give("no-header-holds-\u{1}-this-secret");
    soon("it is not sent", || !house.call("hosts", json!({})).text().contains("GET"));
    house.give("the-last-secret-of-them-all");
    soon("it is sent", || house.call("hosts", json!({})).text().contains("GET"));
    for kind in ["reset", "huge-header", "chunk-garbage", "truncated"] {
        house.upstreams().script(json!({ "misbehave": { "kind": kind } }));
        seen.push((kind.to_owned(), house.call("hosts", json!({})).0.to_string()));
    }
    seen.extend(house.server().progress().into_iter().map(|report| ("progress".to_owned(), format!("{report:?}"))));
    seen.extend(shown(&house, &approvals));
    soon("everything is forwarded", || syslog.ids().len() > 200 && syslog.ids().len() == otlp.ids().len());
    let forwarded = [("syslog", syslog.bytes()), ("OTLP", otlp.bytes())];
    let texts: Vec<(&str, &[u8])> = seen.iter().map(|(what, text)| (what.as_str(), text.as_bytes())).collect();
    for value in &secrets {
        let secret = Secret::of(value);
        for (what, text) in texts.iter().copied().chain(forwarded.iter().map(|(what, bytes)| (*what, bytes.as_slice()))) {
            secret.assert_not_in(what, text);
        }
    }
    house.upstreams().forget();
    house.goes_on();
}

/// What people are shown afterwards: by commands, which the house looks through, and by the console.
fn shown(house: &House, approvals: &[String]) -> Vec<(String, String)> {
    for form in ["jsonl", "ocsf", "cef"] {
        assert!(house.casemate(&["audit", "export", "--as", form]).done().stdout.contains("echo-everywhere"), "{form}");
    }
    let picture = house.folder().join("chain.svg").display().to_string();
    let records = house.audit();
    let kept: Vec<&Value> = records.iter().filter(|record| record.to_string().contains("\"details\":{\"bytes\"")).collect();
    assert!(kept.len() >= 20, "{} calls with details", kept.len());
    for record in kept.iter().rev().take(3) {
        let intent = record["extensions"]["casemate"]["intent"].as_str().unwrap();
        house.casemate(&["audit", "show", "--details", intent]).done();
        house.casemate(&["audit", "chain", intent, "--svg", &picture]).done();
    }
    for id in approvals {
        house.casemate(&["approvals", "show", id]).done();
        house.casemate(&["approvals", "show", id, "--format", "json"]).done();
    }
    house.casemate(&["approvals", "list"]).done();
    house.casemate(&["secret", "check"]);
    let console = Console::start(house);
    let browser = console.local();
    let mut paths: Vec<String> = PAGES.map(str::to_owned).into();
    paths.extend(approvals.iter().map(|id| format!("/console/approvals/{id}")));
    paths.extend(records.iter().rev().take(40).map(|record| format!("/console/audit/{}", record["event_id"].as_str().unwrap())));
    let pages = paths.into_iter().map(|path| {
        let page = browser.get(&path);
        page.is(200, &[]);
        (path, page.body)
    });
    let pages = pages.collect();
    assert!(console.stop());
    pages
}
