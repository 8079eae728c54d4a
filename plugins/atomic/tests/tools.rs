//! The tools against a scripted machine: what they send it, what they make of its answers, and what they never send.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_atomic::TOOLS;
use casemate_plugin::{
    Context, Failure, FailureKind, Outcome, SendError,
    testing::{Answer, Expected, Recorded, ScriptedUpstream, answer, check, fault, post},
};
use serde_json::{Value, json};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded");
const TEST: &str = "66703791-c902-4560-8770-42b8a91f7667";
const SHELL: &str = "11111111-AAAA-4BBB-8CCC-000000000001";
const COMMAND: &str = "22222222-AAAA-4BBB-8CCC-000000000001";
const CATALOGUE: &str = include_str!("catalogue.yaml");

fn context<'a>(upstreams: impl IntoIterator<Item = &'a ScriptedUpstream>, catalogue: &str) -> Context {
    Context::scripted(upstreams).with_settings(&json!({ "computer": "lab-win-1" })).with_source("windows", catalogue)
}

fn read(tool: &str, arguments: &Value) -> Result<Outcome, Failure> {
    casemate_plugin::testing::call(TOOLS, tool, arguments, &context([], CATALOGUE))
}

fn structured(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.structured).unwrap()
}

fn target() -> Value {
    json!({ "host": "LAB-WIN-1", "technique": "T1082", "test": TEST })
}

fn with(mut arguments: Value, name: &str, value: Value) -> Value {
    arguments[name] = value;
    arguments
}

fn run(tool: &str, steps: Vec<(Expected, Answer)>) -> Result<Outcome, Failure> {
    let script = ScriptedUpstream::new("atomic");
    let upstream = steps.into_iter().fold(script, |script, (request, answer)| script.expect(request, answer));
    casemate_plugin::testing::call(TOOLS, tool, &target(), &context([&upstream], CATALOGUE))
}

fn step(name: &str) -> Expected {
    let request = post("/wsman").query("step", name).query("host", "LAB-WIN-1");
    request.body_that(|body| body.starts_with(b"<env:Envelope ") && body.ends_with(b"</env:Body></env:Envelope>"))
}

/// What is run, as the header says it.
fn script(name: &str) -> String {
    let switch = match name {
        "check" => " -CheckPrereqs",
        "cleanup" => " -Cleanup",
        _ => "",
    };
    format!(
        "$ProgressPreference='SilentlyContinue'; if ($env:COMPUTERNAME -ne 'LAB-WIN-1') {{ exit 70 }}; Import-Module Invoke-AtomicRedTeam; \
         Invoke-AtomicTest T1082 -TestGuids {TEST}{switch} -TimeoutSeconds 30"
    )
}

/// Whether a body runs this and nothing else, in the shell that was made.
fn runs(body: &[u8], script: &str) -> bool {
    let text = std::str::from_utf8(body).unwrap();
    let (_, behind) = text
        .split_once("<rsp:Command>powershell.exe</rsp:Command><rsp:Arguments>-NoProfile -NonInteractive -EncodedCommand ")
        .unwrap();
    let (encoded, rest) = behind.split_once("</rsp:Arguments></rsp:CommandLine>").unwrap();
    let units: Vec<u16> =
        STANDARD.decode(encoded).unwrap().chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    rest == "</env:Body></env:Envelope>" && text.contains(SHELL) && String::from_utf16(&units).unwrap() == script
}

fn soap(inner: &str) -> Answer {
    answer(200)
        .body(format!("<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Body>{inner}</s:Body></s:Envelope>"))
}

fn refused(code: &str) -> Answer {
    answer(500).body(format!("<s:Envelope><s:Body><s:Fault><f:WSManFault Code=\"{code}\"/></s:Fault></s:Body></s:Envelope>"))
}

fn created() -> (Expected, Answer) {
    (step("create").timeout(Duration::from_secs(7)), soap(&format!("<w:Selector Name=\"ShellId\">{SHELL}</w:Selector>")))
}

fn begun(name: &str) -> (Expected, Answer) {
    let inner = format!("<rsp:CommandResponse><rsp:CommandId>{COMMAND}</rsp:CommandId></rsp:CommandResponse>");
    let script = script(name);
    let request = step(name).query("technique", "T1082").timeout(Duration::from_secs(7)).header("x-casemate-script", &script);
    (request.body_that(move |body| runs(body, &script)), soap(&inner))
}

fn printed(text: &str, exit: Option<i64>) -> (Expected, Answer) {
    let stream = format!("<rsp:Stream Name=\"stdout\" CommandId=\"{COMMAND}\">{}</rsp:Stream>", STANDARD.encode(text));
    let state = exit.map_or_else(String::new, |exit| {
        format!(
            "<rsp:CommandState CommandId=\"{COMMAND}\" State=\"x/Done\"><rsp:ExitCode>{exit}</rsp:ExitCode></rsp:CommandState>"
        )
    });
    (
        step("receive").timeout(Duration::from_secs(6)),
        soap(&format!("<rsp:ReceiveResponse>{stream}{state}</rsp:ReceiveResponse>")),
    )
}

fn waiting() -> (Expected, Answer) {
    (step("receive"), refused("2150858793"))
}

fn closed() -> Vec<(Expected, Answer)> {
    vec![(step("signal"), soap("<rsp:SignalResponse/>")), (step("delete"), soap(""))]
}

#[test]
fn packs() {
    assert_eq!(check(TOOLS), Vec::<String>::new());
    let described = casemate_plugin::describe(TOOLS);
    let effects: Vec<_> =
        described.as_array().unwrap().iter().map(|it| (it["name"].as_str().unwrap(), it["effect"].as_str().unwrap())).collect();
    assert_eq!(
        effects,
        [
            ("search_tests", "read"),
            ("show_test", "read"),
            ("check_prerequisites", "execute"),
            ("invoke_test", "destructive"),
            ("cleanup_test", "execute")
        ]
    );
}

#[test]
fn recorded_cases() {
    // A plan of several requests rests on answers that only the host assumes.
    let here = std::fs::read_dir(RECORDED)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| !file.ends_with("invoke-planned.json"));
    for case in here.map(Recorded::read).filter(Recorded::plays_natively) {
        case.replay(TOOLS);
    }
}

#[test]
fn the_catalogue_is_searched_and_shown() {
    let found = |arguments: Value| {
        let found = structured(&read("search_tests", &arguments).unwrap());
        found["tests"].as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(json!({})).len(), 5);
    assert_eq!(found(json!({ "technique": "T1082" })).len(), 4);
    assert_eq!(found(json!({ "technique": "T1059" })), ["Mimikatz words"]);
    assert_eq!(found(json!({ "platform": "linux" })), ["List OS Information"]);
    assert_eq!(found(json!({ "text": "SYSTEM info" })), ["System Information Discovery"]);
    assert!(found(json!({ "technique": "T1083" })).is_empty() && found(json!({ "offset": 9 })).is_empty());

    let outcome = read("show_test", &json!({ "technique": "T1082", "test": TEST })).unwrap();
    let test = structured(&outcome)["test"].clone();
    assert_eq!((&test["executor"], &test["elevation_required"]), (&json!("command_prompt"), &json!(false)));
    assert!(outcome.text.contains("systeminfo"), "{}", outcome.text);
    for (arguments, part) in [
        (json!({ "technique": "T1083", "test": TEST }), "has no technique `T1083`"),
        (json!({ "technique": "T1059.001", "test": TEST }), "`T1059.001` has no test"),
    ] {
        let failure = read("show_test", &arguments).unwrap_err();
        assert!(failure.kind() == FailureKind::NotFound && failure.message().contains(part), "{failure}");
    }
}

/// A technique with one test, which has its number in its id.
fn numbered(at: usize) -> String {
    format!(
        "attack_technique: T{:04}\natomic_tests:\n- name: Number {at}\n  auto_generated_guid: {at:08}-0000-4000-8000-000000000000\n  \
         supported_platforms: [windows]\n",
        at % 10_000
    )
}

#[test]
fn a_large_catalogue_is_searched_to_its_end() {
    let catalogue = (0..900).map(numbered).collect::<Vec<_>>().join("---\n");
    let search = |arguments: Value| {
        structured(&casemate_plugin::testing::call(TOOLS, "search_tests", &arguments, &context([], &catalogue)).unwrap())
    };
    assert_eq!(search(json!({ "text": "number 899" }))["tests"][0]["technique"], "T0899");
    let (mut offset, mut seen) = (Some(json!(0)), Vec::new());
    while let Some(from) = offset {
        let mut page = search(json!({ "offset": from }));
        assert_eq!(page["unread"], Value::Null);
        seen.extend(page["tests"].as_array().unwrap().iter().map(|test| test["name"].as_str().unwrap().to_owned()));
        offset = page.as_object_mut().unwrap().remove("offset");
    }
    assert_eq!(seen, (0..900).map(|at| format!("Number {at}")).collect::<Vec<_>>());
}

#[test]
fn what_of_a_catalogue_cannot_be_read_is_counted() {
    let search = |catalogue: &str, arguments: Value| {
        casemate_plugin::testing::call(TOOLS, "search_tests", &arguments, &context([], catalogue)).unwrap()
    };
    let long = format!("attack_technique: T1003\n# {}\n", "x".repeat(600_000));
    let catalogue = format!("{}---\nattack_technique: &a T1001\n---\nno: technique\n---\n{long}---\n", numbered(1001));
    let found = search(&catalogue, json!({}));
    assert_eq!((&structured(&found)["unread"], structured(&found)["tests"].as_array().unwrap().len()), (&json!(3), 1));
    assert!(found.text.contains("3 documents of the catalogue are no techniques that can be read"), "{}", found.text);
    // What names another technique is not looked at.
    let found = search(&catalogue, json!({ "technique": "T1001" }));
    assert_eq!(structured(&found)["unread"], 1);
    let found = search(CATALOGUE, json!({}));
    assert!(structured(&found).get("unread").is_none() && !found.text.contains("documents"), "{}", found.text);
}

#[test]
fn a_catalogue_that_is_none_names_no_test() {
    for (catalogue, part) in [
        ("", "no technique"),
        ("attack_technique: &a T1082\natomic_tests: []\n", "no technique"),
        ("attack_technique: T1082\natomic_tests: []\n", "no test"),
        ("attack_technique: T1082\natomic_tests: [{name: x}]\n", "no test"),
        ("attack_technique: T1082; calc\natomic_tests: []\n", "no technique"),
    ] {
        let failure = casemate_plugin::testing::call(TOOLS, "invoke_test", &target(), &context([], catalogue)).unwrap_err();
        assert!(failure.message().contains(part), "{catalogue}: {failure}");
    }
    let twice = format!("{CATALOGUE}\n---\n{CATALOGUE}");
    let failure = casemate_plugin::testing::call(TOOLS, "invoke_test", &target(), &context([], &twice)).unwrap_err();
    assert!(failure.message().contains("several times"), "{failure}");
    let nothing = Context::scripted([]).with_settings(&json!({ "computer": "lab-win-1" }));
    let failure = casemate_plugin::testing::call(TOOLS, "search_tests", &json!({}), &nothing).unwrap_err();
    assert!(failure.message().contains("no catalogue"), "{failure}");
}

#[test]
fn a_test_is_one_command_in_one_shell() {
    for (tool, name) in [("check_prerequisites", "check"), ("invoke_test", "invoke"), ("cleanup_test", "cleanup")] {
        let mut steps =
            vec![created(), begun(name), waiting(), printed("Executing\u{1b}[31m\n", None), printed("Done\n", Some(0))];
        steps.extend(closed());
        let outcome = run(tool, steps).unwrap();
        let report = structured(&outcome);
        assert_eq!((&report["finished"], &report["exit_code"]), (&json!(true), &json!(0)));
        assert_eq!(report["stdout"], "Executing\u{fffd}[31m\nDone\n");
        assert!(outcome.text.contains("ended with exit code 0; there is a cleanup"), "{}", outcome.text);
    }
}

#[test]
fn a_test_that_does_not_end_is_ended() {
    let mut steps = vec![created(), begun("invoke"), printed("Executing\n", None)];
    steps.extend((0..27).map(|_| waiting()));
    steps.extend(closed());
    let outcome = run("invoke_test", steps).unwrap();
    assert!(outcome.text.contains("was ended before it was done") && outcome.text.contains("Executing"), "{}", outcome.text);

    let mut steps = vec![created(), begun("invoke")];
    steps.extend((0..28).map(|_| waiting()));
    steps.extend([(step("signal"), fault(SendError::TimedOut("atomic"))), (step("delete"), soap(""))]);
    let failure = run("invoke_test", steps).unwrap_err();
    assert_eq!(failure.code(), Some("outcome-unknown"), "{failure}");
}

#[test]
fn a_test_that_prints_much_is_not_cut_off() {
    let mut steps = vec![created(), begun("invoke")];
    steps.extend((0..20).map(|_| printed("line\n", None)));
    steps.push(printed("Done\n", Some(0)));
    steps.extend(closed());
    let report = structured(&run("invoke_test", steps).unwrap());
    assert_eq!((&report["finished"], &report["stdout"]), (&json!(true), &json!("line\n".repeat(20) + "Done\n")));
}

#[test]
fn what_does_not_run_is_said_not_to_have_run() {
    for (reply, kind, part) in [
        (answer(401), FailureKind::Unauthorized, "credentials"),
        (answer(403), FailureKind::Unauthorized, "does not let"),
        (answer(404), FailureKind::Upstream, "not WinRM"),
        (refused("5"), FailureKind::Unauthorized, "denies"),
        (refused("2150859174"), FailureKind::Upstream, "the fault 2150859174"),
        (answer(200).body("<html>"), FailureKind::Upstream, "nothing was run"),
        (answer(503).body("x"), FailureKind::Upstream, "nothing was run"),
        (soap(""), FailureKind::Upstream, "did not name it"),
        (soap("<w:Selector Name=\"ShellId\">x\"/&gt;</w:Selector>"), FailureKind::Upstream, "did not name it"),
        (fault(SendError::TimedOut("atomic")), FailureKind::Upstream, "nothing was run"),
        (fault(SendError::Unreachable("atomic")), FailureKind::Unavailable, "cannot be reached"),
    ] {
        let failure = run("invoke_test", vec![(created().0, reply)]).unwrap_err();
        assert!(failure.kind() == kind && failure.message().contains(part), "{failure}");
        assert_ne!(failure.code(), Some("outcome-unknown"));
    }
    for reply in [refused("2150858843"), answer(401), fault(SendError::Unreachable("atomic"))] {
        let failure = run("invoke_test", vec![created(), (begun("invoke").0, reply)]).unwrap_err();
        assert_ne!(failure.code(), Some("outcome-unknown"), "{failure}");
    }
    let mut steps = vec![created(), begun("invoke"), printed("", Some(70))];
    steps.extend(closed());
    let failure = run("invoke_test", steps).unwrap_err();
    assert!(failure.message().contains("the machine there is another"), "{failure}");
}

#[test]
fn what_may_have_run_is_said_not_to_be_known() {
    for reply in [
        answer(503).body("x"),
        answer(200).body(""),
        answer(200).body("<!DOCTYPE a><a/>"),
        soap("<rsp:CommandResponse/>"),
        fault(SendError::TimedOut("atomic")),
        fault(SendError::Broken("atomic")),
        fault(SendError::TooLarge("atomic")),
    ] {
        let failure = run("invoke_test", vec![created(), (begun("invoke").0, reply)]).unwrap_err();
        assert_eq!(failure.code(), Some("outcome-unknown"), "{failure}");
        assert!(failure.message().contains("may have run"), "{failure}");
    }
    for reply in [
        answer(401),
        refused("2150858843"),
        soap("<rsp:ReceiveResponse><rsp:Stream Name=\"stdout\" CommandId=\"x\"/></rsp:ReceiveResponse>"),
        answer(200).json(&json!({ "assumed": true })),
        fault(SendError::Broken("atomic")),
    ] {
        // Whatever it is, it is not left running.
        let mut steps = vec![created(), begun("invoke"), (step("receive"), reply)];
        steps.extend(closed());
        let failure = run("invoke_test", steps).unwrap_err();
        assert_eq!(failure.code(), Some("outcome-unknown"), "{failure}");
    }
    for (tool, name, part) in [("check_prerequisites", "check", "begins no test"), ("cleanup_test", "cleanup", "clean up again")]
    {
        let failure = run(tool, vec![created(), (begun(name).0, fault(SendError::Broken("atomic")))]).unwrap_err();
        assert!(failure.code() == Some("outcome-unknown") && failure.message().contains(part), "{failure}");
    }
}

#[test]
fn nothing_is_sent_for_what_is_not_there() {
    for (arguments, part) in [
        (with(target(), "host", json!("LAB-WIN-2")), "the operator has bound `LAB-WIN-1`"),
        (with(target(), "test", json!("66703791-c902-4560-8770-42b8a91f7668")), "has no test"),
        (with(target(), "test", json!("cccb070c-df86-4216-a5bc-9fb60c74e27c")), "not one that runs by itself on Windows"),
        (with(target(), "test", json!("224b4daf-db44-404e-b6b2-f4d1f0126ef8")), "not one that runs by itself on Windows"),
        (with(target(), "host", json!("LAB'; calc; '")), "schema"),
        (with(target(), "technique", json!("T1082 -Force")), "schema"),
        (with(target(), "test", json!("66703791-c902-4560-8770-42b8a91f7667; calc")), "schema"),
        (with(target(), "input_args", json!({ "x": "calc" })), "schema"),
    ] {
        let failure = read("invoke_test", &arguments).unwrap_err();
        assert!(failure.message().contains(part), "{arguments}: {failure}");
    }
    let none = with(target(), "test", json!("77777777-c902-4560-8770-42b8a91f7667"));
    assert!(read("cleanup_test", &none).unwrap_err().message().contains("has no cleanup"));
}
