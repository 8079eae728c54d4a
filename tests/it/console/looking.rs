//! What the pages show: all of it, as it is, and nothing as markup.

use serde_json::json;
use toml::toml;

use super::{PAGES, facts, records, waiting};
use crate::{
    approvals::{asked, enrol, guarded, made, say, waits},
    harness::{Console, Guest, House, said},
};

/// What somebody would write to be read as markup, or to hide.
const MARKUP: &str = "\"><script>alert(1)</script><img src=x onerror=alert(1)> ' {{x}} \u{202e}gpj \u{200b}p\u{430}ypal";

/// Not one of its characters became markup.
#[track_caller]
fn harmless(page: &str, body: &str) {
    for part in ["<script>alert", "<img src=x", "\"><script>", "\u{202e}", "\u{200b}"] {
        assert!(!body.contains(part), "{page}: `{part}` in {body}");
    }
}

#[test]
fn words_of_callers_approvers_and_filters_are_text() {
    let house = guarded(&Guest::new("dry_run_probe"), toml! { mode = "operator" });
    let house = enrol(enrol(house, "alice"), "bob").serve();
    let console = Console::start(&house);
    let id = waits(house.call("change", json!({ "group": "lab", "case": MARKUP })));
    let mut alice = console.approver(&house, "alice");
    let page = format!("/console/approvals/{id}");
    let shown = alice.get(&page);
    shown.is(200, &["&lt;script&gt;alert(1)", r"\u{202e}gpj", r"\u{200b}p", "U+0430"]);
    harmless(&page, &shown.body);
    let said = alice.say(&id, "deny", MARKUP);
    said.is(200, &["&lt;script&gt;alert(1)"]);
    harmless("said", &said.body);
    let query = "/console/audit?principal=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&since=%22%3E%3Cscript%3Ealert(1)";
    let refused = alice.get(query);
    refused.is(400, &["since:"]);
    harmless(query, &refused.body);
    let nothing = alice.get("/console/audit?principal=%22%3E%3Cscript%3Ealert(1)%3C/script%3E");
    nothing.is(200, &["No record fits", "&quot;&gt;&lt;script&gt;"]);
    harmless("nothing", &nothing.body);
    for path in [
        "/console/audit/%22%3E%3Cscript%3Ealert(1)",
        "/console/approvals/%3Cscript%3Ealert(1)",
        "/console/plugins/a/%3Cscript%3Ealert",
        "/console/%3Cscript%3Ealert",
    ] {
        harmless(path, &alice.get(path).body);
    }
    for path in PAGES {
        harmless(path, &alice.get(path).body);
    }
    // Each record whole: the arguments are in one, the reason in another.
    let all = house.audit();
    assert!(all.iter().any(|record| record.to_string().contains("onerror")));
    for record in all {
        let path = format!("/console/audit/{}", record["event_id"].as_str().unwrap());
        let page = alice.get(&path);
        page.is(200, &[]);
        harmless(&path, &page.body);
    }
    let mut nobody = console.browser();
    for fields in [[("once", MARKUP)], [("token", MARKUP)], [("approver", MARKUP)], [("next", MARKUP)]] {
        harmless("login", &nobody.post("/console/login", &fields).body);
    }
    harmless("login", &nobody.get("/console/login?next=%22%3E%3Cscript%3Ealert(1)&once=%22%3E%3Cscript%3Ealert(1)").body);
}

#[test]
fn words_of_a_plugin_are_text() {
    let words = "<script>alert(1)</script><img src=x onerror=alert(1)>";
    let guest = Guest::new("effect_above_tool").with("plugin", "description", words).saying("Answers with a pong.", words);
    let house = House::serving(&guest);
    let console = Console::start(&house);
    let local = console.local();
    let path = "/console/plugins/fortress/effect-above-tool";
    let page = local.get(path);
    page.is(200, &["&lt;script&gt;alert(1)", "Everything it can ever do", "every word the model will see", "verified"]);
    harmless(path, &page.body);
    harmless("plugins", &local.get("/console/plugins").body);
}

#[test]
fn an_approval_is_shown_as_the_command_shows_it() {
    let (house, console) = waiting(1);
    let id = asked(&house);
    let text = house.casemate(&["approvals", "show", &id]).done().stdout;
    let page = console.local().get(&format!("/console/approvals/{id}"));
    // Every line of the sheet but the one with the time that is left.
    for line in text.lines().filter(|line| !line.contains(" left)")) {
        let escaped = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        assert!(page.body.contains(&escaped), "`{escaped}` is not in {}", page.body);
    }
    page.is(200, &["No call of this tool was approved and made before"]);
}

#[test]
fn a_call_is_compared_with_the_last_one_that_was_made() {
    let house = guarded(&Guest::new("effect_above_tool"), toml! { mode = "operator" });
    let house = enrol(house, "alice").set("grants.tester.scope.group", vec!["lab", "range"]).serve();
    let console = Console::start(&house);
    let first = asked(&house);
    say(&house, "approve", &first, "alice").done();
    made(&house);
    let second = waits(house.call("change", json!({ "group": "range", "case": "range" })));
    let page = console.local().get(&format!("/console/approvals/{second}"));
    page.is(200, &[&first, "<del>-     &quot;case&quot;: &quot;lab&quot;", "<ins>+     &quot;case&quot;: &quot;range&quot;"]);
}

#[test]
fn the_log_is_filtered_and_paged() {
    let (house, console) = waiting(1);
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    made(&house);
    for _ in 0..30 {
        house.call("ping", json!({})).done(&[]);
    }
    let local = console.local();
    let first = local.get("/console/audit");
    first.is(200, &["Older", "intent", "outcome"]);
    let older = first.body.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let second = local.get(&older);
    second.is(200, &["Newest", "host.started"]);
    let ids = |body: &str| body.matches("/console/audit/").count();
    assert!(ids(&first.body) >= 50 && ids(&second.body) > 0);
    local.get("/console/audit?type=approval.voted").is(200, &["approval.voted"]);
    let filtered = local.get(&format!("/console/audit?tool={}&outcome=deferred", house.served("change")));
    filtered.is(200, &["deferred"]);
    assert!(!filtered.body.contains("outcome</span></td>") && filtered.body.contains("approval-required"));
    local.get("/console/audit?target=/changes").is(200, &["outcome"]);
    local.get("/console/audit?target=nowhere.example").is(200, &["No record fits"]);
    let all = house.audit();
    let call = all.iter().rev().find_map(|record| said(record, "call_id").as_str()).unwrap();
    let trace = local.get(&format!("/console/audit?call={call}"));
    trace.is(200, &["intent", "outcome"]);
    assert!(!trace.body.contains("host.started"));
}

#[test]
fn a_paused_caller_goes_on_when_a_local_session_says_so() {
    let house = House::new(&Guest::new("effect_above_tool")).with("[breaker]\ndenials = { count = 3, per = \"10m\" }").serve();
    let console = Console::start(&house);
    for _ in 0..4 {
        let _ = house.call("ping", json!({ "no": "such" }));
    }
    house.call("ping", json!({})).ended("denied", "paused", &[]);
    let mut local = console.local();
    local.get("/console/callers").is(200, &["paused", "Let it go on"]);
    local.get("/console").is(200, &["until a person decides"]);
    local
        .fill("/console/callers", "/console/callers/resume", &[("principal", "local"), ("reason", "a test")])
        .is(200, &["may go on", "Nobody is paused"]);
    house.goes_on();
    let resumed = records(&house, "breaker.resumed");
    assert_eq!((&facts(&resumed[0])["resumed"], &facts(&resumed[0])["reason"]), (&json!("local"), &json!("a test")));
    local.fill("/console/callers", "/console/logout", &[]).to("/console/login");
}

#[test]
fn grants_and_posture_are_what_check_says() {
    let (house, console) = waiting(1);
    let local = console.local();
    local.get("/console/grants").is(200, &["tester", "yes, once an approver agrees", "lab"]);
    let check = house.casemate(&["check"]).done().stdout;
    let posture = local.get("/console/posture");
    for line in check.lines().filter_map(|line| line.trim().strip_prefix("safer ")) {
        let escaped = line.trim().replace('&', "&amp;").replace('"', "&quot;");
        posture.is(200, &[&escaped]);
    }
    local.get("/console").is(200, &["whole", "under signed checkpoints"]);
}

#[test]
fn a_log_that_was_cut_is_said_to_be_so() {
    let mut house = House::serving(&Guest::new("effect_above_tool"));
    house.goes_on();
    let kept = std::fs::read(house.folder().join("state/dev/audit/chain-0/00000000000000000000.jsonl")).unwrap();
    house.close();
    let file = house.folder().join("state/dev/audit/chain-0/00000000000000000000.jsonl");
    let console = Console::start(&house);
    let local = console.local();
    // With the record that somebody signed in.
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &kept[..kept.len() / 2]).unwrap();
    local.get("/console").is(200, &["not whole"]);
    std::fs::write(&file, whole).unwrap();
}

#[test]
fn a_page_is_told_that_something_changed() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let (house, console) = waiting(1);
    let local = console.local();
    let mut stream = std::net::TcpStream::connect(console.address()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let request =
        format!("GET /console/live HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n", console.address(), local.cookie.clone().unwrap());
    stream.write_all(request.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("retry: 3000")));
    // It is told once the stream is there: what was written before is on the page.
    std::thread::sleep(std::time::Duration::from_millis(1500));
    asked(&house);
    assert!(lines.any(|line| line.starts_with("data: ")));
}
