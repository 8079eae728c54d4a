//! Calls that are kept, and calls that are played to from what was kept: the same call both times, and no network the second time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::harness::{Guest, House, Ran, Upstreams, program, wasm};

/// A house with a guest installed, and the guest as its author has it.
struct Stage {
    house: House,
    source: PathBuf,
}

impl Stage {
    fn new(name: &str) -> Self {
        Self::of(&Guest::new(name), |house| house)
    }

    /// With a tool that changes something: switched on, and run dry or not.
    fn changing(name: &str, dry_run: bool) -> Self {
        let switched = |house: House| {
            house
                .set("plugins.@.tools.change.enabled", true)
                .set("plugins.@.tools.change.dry_run", dry_run)
                .set("grants.tester.max_effect", "write")
        };
        Self::of(&Guest::new(name), switched)
    }

    fn of(guest: &Guest, configured: impl FnOnce(House) -> House) -> Self {
        let house = configured(House::new(guest));
        house.install().done();
        let source = house.folder().join("source");
        guest.write_source(&source);
        fs::create_dir_all(source.join("tests/recorded")).unwrap();
        Self { house, source }
    }

    fn file(&self, case: &str) -> PathBuf {
        self.source.join("tests/recorded").join(case).with_extension("json")
    }

    /// `casemate record` of a tool of the guest.
    fn record(&self, tool: &str, arguments: &Value, case: &str) -> Ran {
        let file = self.file(case).display().to_string();
        self.house.casemate(&["record", &self.house.served(tool), &arguments.to_string(), "--out", &file])
    }

    fn write(&self, case: &str, value: &Value) -> &Self {
        fs::write(self.file(case), value.to_string()).unwrap();
        self
    }

    fn read(&self, case: &str) -> Value {
        serde_json::from_slice(&fs::read(self.file(case)).unwrap()).unwrap()
    }

    fn change(&self, case: &str, change: impl FnOnce(&mut Value)) -> &Self {
        let mut value = self.read(case);
        change(&mut value);
        self.write(case, &value)
    }

    /// `casemate test` of the guest. Nothing of it reaches an upstream.
    #[track_caller]
    fn test(&self) -> Ran {
        let connections = self.house.upstreams().connections();
        let component = self.source.join("guest.wasm").display().to_string();
        let ran = self.house.casemate(&["test", &self.source.display().to_string(), "--component", &component]);
        assert_eq!(self.house.upstreams().connections(), connections, "a recording connected to somebody");
        ran
    }

    /// Every case passes.
    #[track_caller]
    fn passes(&self) {
        self.test().done();
    }

    /// Some case fails, in words that hold all of `parts`.
    #[track_caller]
    fn fails(&self, parts: &[&str]) {
        let ran = self.test();
        assert_eq!(ran.code, 1, "{ran:#?}");
        said(&ran.stdout, parts, &ran);
    }

    /// Nothing was written, in words that hold all of `parts`.
    #[track_caller]
    fn not_kept(&self, ran: &Ran, code: i32, parts: &[&str], case: &str) {
        assert_eq!(ran.code, code, "{ran:#?}");
        said(&ran.stderr, parts, ran);
        assert!(!self.file(case).exists(), "it was written");
    }
}

#[track_caller]
fn said(text: &str, parts: &[&str], ran: &Ran) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in {ran:#?}");
    }
}

#[test]
fn a_recorded_call_plays_without_its_upstream() {
    let stage = Stage::new("secret_echo");
    stage.record("run", &json!({}), "echo").done();
    assert_eq!(stage.house.received().len(), 1, "the recording is of a real call");
    let case = stage.read("echo");
    assert_eq!(case["tool"], "run");
    assert_eq!(case["exchanges"][0]["request"], json!({ "upstream": "echo", "method": "GET", "path": "/items/one" }));
    // The upstream repeats its credential; the house looks for it in every file as it goes.
    assert!(case["exchanges"][0]["response"].to_string().contains("‹secret api_key›"), "{case:#}");
    stage.passes();
    // The upstream is there and would answer: nobody asks it.
    stage.change("echo", |case| case["origins"] = json!({ "echo": stage.house.upstreams().origin("echo") })).passes();
}

#[test]
fn a_recorded_plan_is_planned_again_and_a_recorded_change_is_made_again() {
    let dry = Stage::changing("dry_run_probe", true);
    dry.record("change", &json!({ "group": "lab" }), "planned").done();
    let case = dry.read("planned");
    let plan = json!([{ "upstream": "echo", "method": "POST", "path": "/changes", "headers": { "content-type": "application/json" }, "body": { "json": { "group": "lab" } } }]);
    assert_eq!((&case["expect"]["outcome"], &case["expect"]["plan"]), (&json!("planned"), &plan));
    assert_eq!((case["exchanges"].as_array().map(Vec::len), &case["scope"]), (Some(1), &json!({ "group": ["lab"] })));
    dry.passes();
    dry.change("planned", |case| case["expect"]["plan"][0]["body"] = json!({ "json": { "group": "prod" } }));
    dry.fails(&["a planned request is another", "/group: expected \"prod\", got \"lab\""]);

    let real = Stage::changing("dry_run_probe", false);
    real.record("change", &json!({ "group": "lab" }), "changed").done();
    let case = real.read("changed");
    assert_eq!((case["exchanges"].as_array().map(Vec::len), &case["execute"]), (Some(3), &json!(true)));
    real.passes();
    real.change("changed", |case| case["execute"] = json!(false)).fails(&["expected `returned`, and it ended `planned`"]);
}

#[test]
fn a_request_that_is_not_recorded_fails_the_case_whatever_the_guest_makes_of_it() {
    let stage = Stage::new("request_flood");
    stage.record("run", &json!({ "case": "at-once 3" }), "three").done();
    stage.passes();
    // The guest returns all the same, with one answer less.
    // Requests that are made at once are recorded in the order of their answers.
    stage.change("three", |case| {
        case["exchanges"].as_array_mut().unwrap().retain(|exchange| exchange["request"]["path"] != "/items/1");
    });
    stage.fails(&["a request is not recorded", "sent      GET echo /items/1", "0 passed, 1 failed"]);
    stage.change("three", |case| {
        let mut other = case["exchanges"][0].clone();
        other["request"]["path"] = json!("/items/9");
        case["exchanges"].as_array_mut().unwrap().push(other);
    });
    stage.fails(&["a request is not the recorded one", "recorded  GET echo /items/9", "sent      GET echo /items/1"]);
    // A second request needs a second answer.
    stage.write(
        "three",
        &json!({ "tool": "run", "arguments": { "case": "one 1" }, "expect": { "outcome": "returned" }, "exchanges": [
        { "request": { "upstream": "echo", "method": "GET", "path": "/items/0" }, "response": { "status": 200 } },
        { "request": { "upstream": "echo", "method": "GET", "path": "/items/0" }, "response": { "status": 200 } },
    ] }),
    );
    stage.fails(&["a recorded request was not made", "recorded  GET echo /items/0"]);
}

#[test]
fn the_gate_stands_before_a_recording_too() {
    let stage = Stage::new("wrong_host");
    let exchange =
        json!({ "request": { "upstream": "echo", "method": "GET", "path": "/items/one" }, "response": { "status": 200 } });
    let case =
        |host: &str, expect: &Value| json!({ "tool": "run", "arguments": { "case": host }, "exchanges": [], "expect": expect });
    stage.write("elsewhere", &case("evil.example", &json!({ "outcome": "refused", "reason": "origin-not-bound" }))).passes();
    stage.write("elsewhere", &case("evil.example", &json!({ "outcome": "refused", "reason": "no-contract" })));
    stage.fails(&["expected to be refused for `no-contract`, and it was for `origin-not-bound`"]);
    // A recording of it does not help: it is not asked.
    let mut recorded = case("evil.example", &json!({ "outcome": "returned" }));
    recorded["exchanges"] = json!([exchange]);
    stage.write("elsewhere", &recorded);
    stage.fails(&["a recorded request was not made", "expected `returned`, and it ended `refused`"]);
    recorded["arguments"]["case"] = json!("echo");
    stage.write("elsewhere", &recorded).passes();
}

#[test]
fn what_the_case_does_not_grant_is_denied() {
    let stage = Stage::changing("effect_above_tool", true);
    let case = |arguments: Value, scope: Value, reason: &str| {
        stage.write("change", &json!({ "tool": "change", "arguments": arguments, "scope": scope, "expect": { "outcome": "refused", "reason": reason } }));
        &stage
    };
    case(json!({ "group": "lab" }), json!({}), "out-of-scope").passes();
    case(json!({ "group": "lab" }), json!({ "group": ["prod"] }), "out-of-scope").passes();
    case(json!({ "group": 7 }), json!({ "group": ["lab"] }), "arguments-invalid").passes();
    // With the grant, and without the other target that the guest asks for.
    case(json!({ "group": "lab", "case": "prod" }), json!({ "group": ["lab"] }), "out-of-scope").passes();
    case(json!({ "group": "lab", "case": "lab" }), json!({ "group": ["lab"] }), "out-of-scope");
    stage.fails(&["expected `refused`, and it ended `planned`"]);
}

#[test]
fn limits_traps_and_results_that_do_not_fit_fail_a_case() {
    let returned =
        |tool: &str, case: &str| json!({ "tool": tool, "arguments": { "case": case }, "expect": { "outcome": "returned" } });
    let stage = Stage::new("panic");
    stage.write("panics", &returned("run", "")).fails(&["expected `returned`, and the call was stopped", "plugin-fault"]);
    let stage = Stage::new("busy_loop");
    stage.write("loops", &returned("run", "")).fails(&["and the call was stopped", "limit-reached", "fuel_millions"]);
    let stage = Stage::new("wrong_host");
    let exchange = |bytes: usize| json!({ "request": { "upstream": "echo", "method": "GET", "path": "/items/one" }, "response": { "status": 200, "body": { "text": "x".repeat(bytes) } } });
    let mut large = returned("run", "echo");
    large["exchanges"] = json!([exchange((4 << 20) + 1)]);
    stage.write("large", &large).fails(&["and the call was stopped", "limit-reached", "response_kib"]);
    let stage = Stage::new("misfit_result");
    stage.write("fits", &returned("report", "fits")).passes();
    stage.change("fits", |case| case["expect"]["structured"] = json!({ "name": "a", "count": 1 })).passes();
    stage.change("fits", |case| case["expect"]["structured"] = json!({ "name": "a" })).fails(&["/count: 1 is not expected"]);
    stage.write("fits", &returned("report", "range")).fails(&["and the call was stopped", "withheld"]);
}

#[test]
fn no_secret_is_written_down_in_any_spelling() {
    let stage = Stage::new("secret_echo");
    let secret = stage.house.secret().value().to_owned();
    let hidden = "the case would hold a secret of the plugin; nothing was written";
    // In the arguments, as they are or spelled otherwise.
    let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for argument in [secret.clone(), format!("a {secret} b"), percent] {
        let ran = stage.record("run", &json!({ "case": argument }), "echo");
        stage.not_kept(&ran, 2, &[hidden], "echo");
    }
    // In an answer that spells it as no redaction looks for it: escaped once more than is read.
    let thrice: String = secret.bytes().map(|byte| format!("%2525{byte:02x}")).collect();
    stage.house.upstreams().script(json!({ "answer": { "body": thrice } }));
    let ran = stage.record("run", &json!({}), "echo");
    stage.not_kept(&ran, 2, &[hidden], "echo");
    // In spellings that are taken out of an answer, what is left is a case.
    for form in ["plain", "url-encoded", "base64", "base64-url", "base64-shifted", "hex", "hex-upper", "embedded"] {
        stage.house.upstreams().script(json!({ "misbehave": { "kind": "echo-key", "form": form } }));
        stage.record("run", &json!({}), form).done();
    }
    stage.passes();
}

#[test]
fn sessions_and_credentials_of_the_upstream_are_left_out() {
    let stage = Stage::new("response_headers");
    let answer = json!({ "headers": [
        ["Set-Cookie", "sid=5cookie5"], ["X-Auth-Token", "5token5"], ["WWW-Authenticate", "Bearer realm=5realm5"], ["X-Session-Id", "5session5"],
        ["ETag", "\"kept\""], ["X-Note", "one"], ["X-Note", "two"],
    ], "body": {} });
    stage.house.upstreams().script(json!({ "answer": answer }));
    stage.record("run", &json!({}), "headers").done();
    let response = stage.read("headers")["exchanges"][0]["response"].clone();
    assert_eq!((&response["headers"]["etag"], &response["headers"]["x-note"]), (&json!("\"kept\""), &json!("one, two")));
    let text = response.to_string();
    assert!(["5cookie5", "5token5", "5realm5", "5session5"].iter().all(|private| !text.contains(private)), "{text}");
    stage.passes();
}

#[test]
fn an_argument_that_is_secret_is_not_written_down_and_the_call_is_not_made() {
    let case = r#""case": { "type": "string", "maxLength": 4096 }"#;
    let guest = Guest::new("secret_echo").saying(case, r#""case": { "type": "string", "maxLength": 4096, "x-secret": true }"#);
    let stage = Stage::of(&guest, |house| house);
    let ran = stage.record("run", &json!({ "case": "my password" }), "echo");
    stage.not_kept(&ran, 2, &["an argument of `secret-echo_run` is secret", "the call was not made"], "echo");
    assert!(stage.house.received().is_empty() && !ran.stderr.contains("my password"), "{ran:#?}");
    stage.record("run", &json!({}), "echo").done();
}

#[test]
fn what_did_not_end_as_a_case_can_is_not_kept() {
    let stage = Stage::new("wrong_host");
    let record = |tool: &str, arguments: Value| stage.record(tool, &arguments, "case");
    stage.not_kept(&record("run", json!({ "case": "evil.example" })), 2, &["denied: ", "nothing was written"], "case");
    stage.not_kept(&record("run", json!({ "extra": 1 })), 2, &["not one of its arguments", "the call was not made"], "case");
    stage.not_kept(&record("nothing", json!({})), 2, &["there is no tool"], "case");
    stage.not_kept(&record("run", json!([1])), 3, &["the arguments are not a JSON object"], "case");
    stage.house.upstreams().script(json!({ "misbehave": { "kind": "reset" } }));
    stage.not_kept(&record("run", json!({ "case": "echo" })), 1, &["got no whole answer"], "case");

    // What is there stays, and no call is made for it.
    fs::write(stage.file("case"), "mine").unwrap();
    let received = stage.house.received().len();
    let ran = record("run", json!({ "case": "echo" }));
    assert_eq!((ran.code, stage.house.received().len()), (3, received), "{ran:#?}");
    assert_eq!(fs::read_to_string(stage.file("case")).unwrap(), "mine");
}

#[test]
fn a_recording_is_on_record() {
    let stage = Stage::new("wrong_host");
    stage.record("run", &json!({ "case": "echo" }), "case").done();
    let intent = stage.house.audit().into_iter().find(|record| record["event_type"] == "intent").unwrap();
    assert!(intent.to_string().contains("\"via\":\"record\""), "{intent:#}");
}

#[test]
fn a_file_that_is_no_case_plays_nothing() {
    let stage = Stage::new("wrong_host");
    let refused = |text: &str, parts: &[&str]| {
        fs::write(stage.file("case"), text).unwrap();
        let ran = stage.test();
        assert_eq!((ran.code, ran.stdout.as_str()), (3, ""), "{ran:#?}");
        said(&ran.stderr, parts, &ran);
    };
    refused(
        r#"{"tool":"run","arguments":{},"expect":{"outcome":"returned"},"tool":"ping"}"#,
        &["case.json", "the key `tool` appears twice"],
    );
    refused(
        r#"{"tool":"file_report","arguments":{},"expect":{"outcome":"returned"}}"#,
        &["plugin `wrong-host` has no tool `file_report`"],
    );
    refused(r#"{"tool":"run","arguments":{},"expect":{"outcome":"returned"},"exchange":[]}"#, &["unknown field `exchange`"]);
    refused("{", &["case.json", "EOF"]);
    fs::remove_file(stage.file("case")).unwrap();
    let ran = stage.test();
    assert_eq!(ran.code, 3, "{ran:#?}");
    said(&ran.stderr, &["there are 0 cases", "casemate record makes one"], &ran);
}

/// What one case reads is nothing that another one's caller has read.
#[test]
fn how_a_case_ends_does_not_hang_on_the_cases_before_it() {
    let refusing = toml::toml! {
        effect = "write"
        requests = ["read-item", "change-group"]
        scope.group = { argument = "/group" }
        labels.refuses = ["untrusted"]
    };
    let guest = Guest::new("dry_run_probe").with("tool", "change", refusing);
    let stage = Stage::of(&guest, |house| {
        house
            .set("plugins.@.tools.change.enabled", true)
            .set("plugins.@.tools.change.dry_run", false)
            .set("grants.tester.max_effect", "write")
    });
    stage.record("change", &json!({ "group": "lab" }), "first").done();
    stage.write("second", &stage.read("first"));
    stage.passes();
}

/// The plugins of this repository, beside this crate.
fn plugin(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(name)
}

fn casemate(arguments: &[&str]) -> Ran {
    Ran::of(Command::new(program("casemate")).args(arguments))
}

#[test]
fn every_tool_of_virustotal_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("virustotal");
}

#[test]
fn every_tool_of_caldera_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("caldera");
}

#[test]
fn every_tool_of_hackerone_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("hackerone");
}

#[test]
fn every_tool_of_atomic_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("atomic");
}

#[test]
fn every_tool_of_sigma_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("sigma");
}

#[test]
fn every_tool_of_github_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("github");
}

#[test]
fn every_tool_of_burp_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("burp");
}

#[test]
fn every_tool_of_caido_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("caido");
}

#[test]
fn every_tool_of_mitmproxy_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("mitmproxy");
}

#[test]
fn every_tool_of_misp_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("misp");
}

#[test]
fn every_tool_of_sentinelone_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("sentinelone");
}

#[test]
fn every_tool_of_shodan_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("shodan");
}

#[test]
fn every_tool_of_slack_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("slack");
}

#[test]
fn every_tool_of_limacharlie_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("limacharlie");
}

#[test]
fn every_tool_of_siem_sentinel_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("siem-sentinel");
}

#[test]
fn every_tool_of_siem_splunk_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("siem-splunk");
}

#[test]
fn every_tool_of_siem_victorialogs_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("siem-victorialogs");
}

#[test]
fn every_tool_of_firewall_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("firewall");
}

#[test]
fn every_tool_of_ip_reputation_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("ip-reputation");
}

#[test]
fn every_tool_of_stratus_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("stratus");
}

#[test]
fn every_tool_of_postgres_has_cases_and_they_pass() {
    every_tool_has_cases_and_they_pass("postgres");
}

#[track_caller]
fn every_tool_has_cases_and_they_pass(name: &str) {
    let (folder, component) = (plugin(name).display().to_string(), wasm(&format!("casemate_{name}")).display().to_string());
    let ran = casemate(&["--format", "json", "test", &folder, "--component", &component]).done();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["passed"], &report["untested"]), (&json!(true), &json!([])), "{report:#}");
    for case in report["cases"].as_array().unwrap() {
        // What a layer refuses never runs.
        let ran = case["requests"].as_u64() > Some(0) || case["ended"] != "refused";
        assert!(!ran || case["fuel"].as_u64() > Some(0) && case["memory_bytes"].as_u64() > Some(0), "{case}");
    }
}

#[test]
fn a_tampered_answer_shows_in_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(plugin("virustotal").join("tests/recorded/file.json")).unwrap();
    let mut case: Value = serde_json::from_str(&text).unwrap();
    case["exchanges"][0]["response"]["body"]["json"]["data"]["attributes"]["last_analysis_stats"]["malicious"] = json!(0);
    fs::write(folder.path().join("file.json"), case.to_string()).unwrap();
    let (source, component) = (plugin("virustotal").display().to_string(), wasm("casemate_virustotal").display().to_string());
    let cases = folder.path().display().to_string();
    let ran = casemate(&["test", &source, "--component", &component, "--cases", &cases]);
    assert_eq!(ran.code, 1, "{ran:#?}");
    said(&ran.stdout, &["file_report  FAILED", "/verdict/malicious: expected 61, got 0", "no case: analysis, "], &ran);
}

/// The way of an author: pack, sign, install, record from a service, test what is packed.
#[test]
fn what_is_recorded_from_a_service_plays_from_the_package() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let upstreams = Upstreams::start();
    let dir = at("house");
    let house = |arguments: &[&str]| casemate(&[&["--dir", &dir, "--format", "json"], arguments].concat()).done();
    let field = |ran: &Ran, name: &str| serde_json::from_str::<Value>(&ran.stdout).unwrap()[name].as_str().unwrap().to_owned();

    let key = house(&["key", "new", &at("dev.pem"), "--no-passphrase"]);
    let (source, component) = (plugin("virustotal").display().to_string(), wasm("casemate_virustotal").display().to_string());
    let package = field(&house(&["pack", &source, "--component", &component, "--out", &at("packages")]), "component");
    house(&["sign", &package, "--key", &at("dev.pem")]);
    fs::create_dir_all(&dir).unwrap();
    let config = json!({ "origin": upstreams.origin("virustotal"), "allow_private": ["127.0.0.1/32"] });
    let config = format!(
        "environment = \"dev\"\n[plugins.virustotal]\nupstream.virustotal = {}\nsecret.api_key.env = \"VT_KEY\"\n\
         [plugins.virustotal.tools.submit_file]\nenabled = true\n\
         [grants.all]\nprincipals = [\"local\"]\ntools = [\"virustotal_*\"]\nmax_effect = \"write\"\n",
        toml::Value::try_from(config).unwrap()
    );
    fs::write(Path::new(&dir).join("casemate.toml"), config).unwrap();
    house(&[
        "trust",
        "add",
        "casemate",
        "--key",
        &at("dev.pem.pub"),
        "--fingerprint",
        &field(&key, "fingerprint"),
        "--environment",
        "dev",
    ]);
    let approval = field(&house(&["verify", &package]), "approval");
    house(&["install", &package, "--yes", "--approve", &approval]);

    // The key that the fake takes when it is told no other.
    let api_key = "5f0c3a9d6b7e4812a1c9e0d4f3b2685707e6d5c4b3a29180ffeeddccbbaa9988";
    for (tool, arguments, name) in [
        ("ip_report", json!({ "ip": "8.8.8.8" }), "ip"),
        ("domain_report", json!({ "domain": "google.com" }), "domain"),
        ("file_report", json!({ "hash": "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f" }), "file"),
        ("file_report", json!({ "hash": "0".repeat(64) }), "unknown"),
        ("url_report", json!({ "url": "https://www.google.com/" }), "url"),
        ("submit_file", json!({ "content": "AQID" }), "planned"),
    ] {
        let out = at(&format!("cases/{name}.json"));
        let mut command = Command::new(program("casemate"));
        command.args(["--dir", &dir, "record", &format!("virustotal_{tool}"), &arguments.to_string(), "--out", &out]);
        Ran::of(command.env("VT_KEY", api_key)).done();
        assert!(!fs::read_to_string(out).unwrap().contains(api_key));
    }
    drop(upstreams);
    let ran = casemate(&["--format", "json", "test", &package, "--cases", &at("cases")]).done();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    let ended: Vec<_> = report["cases"].as_array().unwrap().iter().map(|case| case["ended"].as_str().unwrap()).collect();
    assert_eq!(ended, ["returned", "returned", "returned", "planned", "failed", "returned"], "{report:#}");

    // A component that the statement is not about is not run.
    let mut bytes = fs::read(&package).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&package, bytes).unwrap();
    casemate(&["test", &package, "--cases", &at("cases")]).refused(&["is not the component that the statement is about"]);
}
