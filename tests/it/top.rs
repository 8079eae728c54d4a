//! `casemate top`: what an operator sees beside a running server, and what nobody can make them see.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use toml::toml;

use crate::{
    approvals::{asked, enrol, guarded},
    harness::{Guest, House, Ran, UNDER_WAY, program, until},
};

/// A house whose tool `change` waits for two people, served over stdio.
fn house() -> House {
    let house = guarded(&Guest::new("effect_above_tool"), toml! { mode = "operator" quorum = 2 })
        .with("[[grants.tester.budget]]\ntools = \"@_*\"\ncalls = 20\nper = \"1h\"");
    enrol(enrol(house, "alice"), "bob").serve()
}

/// What programs are told.
#[track_caller]
fn told(house: &House, more: &[&str]) -> Value {
    let ran = house.casemate(&[&["top", "--once", "--format", "json"], more].concat()).done();
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:#?}"))
}

#[test]
fn what_happens_beside_a_server_is_seen() {
    let house = house();
    house.call("ping", json!({})).done(&["pong"]);
    house.call("change", json!({ "group": "elsewhere", "case": "lab" })).ended("denied", "out-of-scope", &[]);
    let id = asked(&house);
    let seen = told(&house, &[]);
    let calls: Vec<(&str, &str, &str)> = seen["calls"]["last"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (call["tool"].as_str().unwrap(), call["decision"].as_str().unwrap(), call["why"].as_str().unwrap()))
        .collect();
    let (ping, change) = (house.served("ping"), house.served("change"));
    assert!(calls.contains(&(&ping, "allowed", "returned")), "{calls:?}");
    assert!(calls.contains(&(&change, "denied", "out-of-scope")), "{calls:?}");
    assert!(calls.contains(&(&change, "waits", "approval-required")), "{calls:?}");
    assert!(seen["calls"]["in_last_minute"].as_u64() >= Some(3), "{seen:#}");
    assert_eq!((&seen["denials"][0]["reason"], &seen["denials"][0]["count"]), (&json!("out-of-scope"), &json!(1)));
    let waiting = &seen["approvals"][0];
    assert_eq!((&waiting["id"], &waiting["tool"], &waiting["principal"]), (&json!(id), &json!(change), &json!("local")));
    assert_eq!((&waiting["agreed"], &waiting["quorum"]), (&json!(0), &json!(2)));
    assert_eq!((&seen["budgets"][0]["limit"], &seen["budgets"][0]["principal"]), (&json!(20), &json!("local")));
    assert!(seen["budgets"][0]["spent"].as_u64() >= Some(1), "{seen:#}");
    assert_eq!((&seen["plugins"][0]["load"], &seen["plugins"][0]["verified"]), (&json!("loaded"), &json!(true)));
    assert_eq!((&seen["paused"], &seen["faults"]), (&json!([]), &json!([])));
    assert_eq!((&seen["audit"]["whole"], &seen["environment"]), (&json!(true), &json!("dev")));
    assert_eq!(seen["latency"]["calls"]["count"].as_u64(), Some(2), "the plan of what waits was a run: {seen:#}");

    // The same for people, in a frame of any size.
    let frame = house.casemate(&["top", "--once"]).done().stdout;
    for part in ["effect-above-t", "out-of-scope", "0 of 2", "of 20 calls/1h", "loaded", "whole", "1 waiting", "1 denied"] {
        assert!(frame.contains(part), "{part}: {frame}");
    }
    assert!(frame.lines().count() == 42 && frame.lines().all(|line| line.chars().count() <= 120), "{frame}");
    let small = house.casemate(&["top", "--once", "--size", "80x24"]).done().stdout;
    assert!(small.lines().count() == 24 && small.contains("[Calls]"), "{small}");
}

#[test]
fn what_callers_write_is_not_obeyed_by_the_terminal() {
    let house = house();
    let hostile = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}look\u{200b}\r\n";
    // The client is told that there is no such tool; the record has the name.
    let _ = house.try_call(hostile, json!({ "case": "value-of-an-argument" }));
    let json = house.casemate(&["top", "--once", "--format", "json"]).done().stdout;
    let frame = house.casemate(&["top", "--once"]).done().stdout;
    for shown in [json, frame] {
        assert!(shown.contains("unknown-tool") && shown.contains("u{1b}[2J"), "{shown}");
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        assert!(!shown.contains(['\u{202e}', '\u{200b}']) && !shown.contains("value-of-an-argument"), "{shown:?}");
    }
}

#[test]
fn what_is_not_there_is_said_and_nothing_is_begun() {
    let house = House::new(&Guest::new("empty_answer"));
    let seen = told(&house, &[]);
    let faults: Vec<&str> = seen["faults"].as_array().unwrap().iter().map(|fault| fault["part"].as_str().unwrap()).collect();
    assert_eq!(faults, ["log", "ledger"], "{seen:#}");
    assert_eq!((&seen["budgets"], &seen["audit"]["whole"]), (&Value::Null, &Value::Null));
    let frame = house.casemate(&["top", "--once"]).done().stdout;
    assert!(frame.contains("there is no ledger yet") && frame.contains("there is no audit log yet"), "{frame}");
    assert!(!house.folder().join("state").exists(), "whoever looks begins nothing");
}

#[test]
fn a_log_that_cannot_be_read_hides_nothing_else() {
    let mut house = house();
    house.call("ping", json!({})).done(&["pong"]);
    let broken = house.folder().join("state/dev/audit/chain-7");
    fs::create_dir(&broken).unwrap();
    fs::write(broken.join("00000000000000000000.jsonl"), "\u{1b}[2J no record\n").unwrap();
    let seen = told(&house, &[]);
    fs::remove_dir_all(&broken).unwrap();
    house.close();
    assert_eq!((&seen["faults"][0]["part"], &seen["audit"]["whole"]), (&json!("log"), &json!(false)), "{seen:#}");
    assert!(seen["faults"][0]["why"].as_str().unwrap().starts_with("chain-7: record 0"), "{seen:#}");
    assert_eq!(seen["calls"]["last"][0]["decision"], "allowed", "{seen:#}");
    assert!(seen["budgets"].is_array() && seen["plugins"].is_array());
}

/// Somebody on this machine who answers every request with this.
fn answering(answer: impl Fn(&mut std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            answer(&mut stream);
        }
    });
    address
}

#[test]
fn figures_of_a_server_are_shown_and_lies_are_not() {
    let house = house();
    let ok = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let good = "casemate_stage_duration_seconds_bucket{stage=\"policy\",le=\"0.001\"} 8\n\
                casemate_stage_duration_seconds_bucket{stage=\"policy\",le=\"+Inf\"} 8\ncasemate_places_in_use 3\n";
    let address = answering(move |stream| drop(write!(stream, "{ok}{good}")));
    let seen = told(&house, &["--metrics", &address]);
    assert_eq!(
        (&seen["latency"]["stages"][0]["name"], &seen["latency"]["places_in_use"]),
        (&json!("policy"), &json!(3)),
        "{seen:#}"
    );

    let huge = answering(move |stream| {
        let _ = write!(stream, "{ok}");
        while stream.write_all(good.repeat(100).as_bytes()).is_ok() {}
    });
    let garbage = answering(move |stream| drop(writeln!(stream, "{ok}{good}\u{1b}]0;owned\u{7} 7")));
    let slow = answering(move |stream| {
        for byte in format!("{ok}{good}").into_bytes() {
            if stream.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    for liar in [&huge, &garbage, &slow, &"127.0.0.1:9".to_owned()] {
        let began = Instant::now();
        let seen = told(&house, &["--metrics", liar]);
        assert!(began.elapsed() < Duration::from_secs(10), "{liar}");
        assert_eq!((&seen["latency"]["stages"], &seen["faults"][0]["part"]), (&json!([]), &json!("metrics")), "{seen:#}");
        assert!(!seen["faults"][0]["why"].as_str().unwrap().contains('\u{1b}'), "{seen:#}");
    }
    let far = house.casemate(&["top", "--once", "--metrics", "192.0.2.1:9464"]);
    assert!(far.code == 3 && far.stderr.contains("not an address of this machine"), "{far:#?}");
}

#[test]
fn a_servers_own_figures_are_found_by_the_configuration() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let house = House::new(&Guest::new("empty_answer")).set("telemetry.metrics", format!("127.0.0.1:{port}")).serve();
    house.call("ping", json!({})).done(&["pong"]);
    // What a server says of a call it says once it is over.
    until("the server's figures are shown", || {
        let seen = told(&house, &[]);
        let stages = seen["latency"]["stages"].as_array().unwrap();
        ["policy", "sandbox"].iter().all(|name| stages.iter().any(|stage| stage["name"] == *name))
            && seen["latency"]["places_in_use"].is_u64()
            && seen["audit"]["lag_seconds"].is_number()
            && seen["plugins"][0]["fuel"].as_u64() > Some(0)
            && seen["faults"] == json!([])
    });
}

/// What ends it.
enum End {
    /// Keys, one after the other.
    Typed(&'static str),
    Signal(&'static str),
}

/// Run it on a terminal of 80 columns until that; what the terminal showed, and how it is set up afterwards.
fn on_a_terminal(house: &House, environment: &str, end: &End) -> Ran {
    let casemate = format!("{} --dir {}", program("casemate").display(), house.folder().display());
    let pid = house.folder().join("top.pid").display().to_string();
    let killed = match end {
        End::Signal(signal) => format!("(sleep 2; kill -{signal} $(cat {pid})) &"),
        End::Typed(_) => String::new(),
    };
    let line = format!("{environment} stty rows 24 cols 80; {killed} sh -c 'echo $$ > {pid}; exec {casemate} top'; stty -a");
    let mut child = Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env("TERM", "xterm-256color")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("script does not start: {error}\nhelp: install util-linux (bsdutils)"));
    // Open until the end: the end of what is typed is a key too.
    let mut keyboard = child.stdin.take().unwrap();
    if let End::Typed(keys) = end {
        for key in keys.chars() {
            thread::sleep(UNDER_WAY);
            keyboard.write_all(key.to_string().as_bytes()).unwrap();
        }
    }
    let output = child.wait_with_output().unwrap();
    drop(keyboard);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[track_caller]
fn is_as_before(ran: &Ran) {
    let (drawn, after) = ran.stdout.rsplit_once("\u{1b}[?1049l").unwrap_or_else(|| panic!("{ran:#?}"));
    assert!(drawn.contains("\u{1b}[?1049h") && drawn.contains("Calls"), "{ran:#?}");
    assert!(after.contains("\u{1b}[?25h") && after.contains(" icanon") && after.contains(" echo "), "{ran:#?}");
}

#[test]
fn a_terminal_is_left_as_it_was() {
    let house = house();
    house.call("ping", json!({})).done(&["pong"]);
    for end in [End::Typed("\tjp?jq"), End::Typed("\u{3}"), End::Signal("TERM"), End::Signal("HUP"), End::Signal("INT")] {
        let ran = on_a_terminal(&house, "", &end);
        assert_eq!(ran.code, 0, "{ran:#?}");
        is_as_before(&ran);
    }
}

#[test]
fn colours_are_for_whoever_wants_them() {
    let house = house();
    house.call("ping", json!({})).done(&["pong"]);
    // Whatever sets a colour or makes bold, and not what puts the cursor somewhere or takes colours back.
    let coloured = |ran: &Ran| {
        let mut codes = ran.stdout.split("\u{1b}[").filter_map(|code| code.split_once('m'));
        codes.any(|(numbers, _)| !matches!(numbers, "" | "0") && numbers.chars().all(|c| c.is_ascii_digit() || c == ';'))
    };
    assert!(coloured(&on_a_terminal(&house, "", &End::Typed("q"))));
    let plain = on_a_terminal(&house, "export NO_COLOR=1;", &End::Typed("q"));
    assert!(!coloured(&plain), "{plain:#?}");
    is_as_before(&plain);
}
