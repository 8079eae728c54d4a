//! What people ask of the log, and how it answers: every command, every filter, in text and in JSON, whoever reads it.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use serde_json::{Value, json};

use crate::harness::{Console, Guest, House};

/// A log of some calls, good and bad, with a token's among them.
fn house() -> House {
    let house = House::serving(&Guest::new("empty_answer"));
    for _ in 0..5 {
        house.goes_on();
    }
    let _ = house.call("ping", json!({ "no": "such" }));
    let _ = house.try_call("nothing_here", json!({}));
    house
}

fn query(house: &House, filters: &[&str]) -> Vec<Value> {
    let ran = house.casemate(&[&["--format", "json", "audit", "query"], filters].concat()).done();
    serde_json::from_str::<Value>(&ran.stdout).unwrap().as_array().unwrap().clone()
}

#[test]
fn filters_are_all_held_against_a_record() {
    let house = house();
    let ping = house.served("ping");
    let all = query(&house, &[]);
    assert_eq!(query(&house, &["--tool", &ping]).len(), 11);
    assert_eq!(query(&house, &["--tool", &ping, "--decision", "denied"]).len(), 1);
    assert_eq!(query(&house, &["--tool", &ping, "--event-type", "outcome", "--outcome", "allowed"]).len(), 5);
    assert_eq!(query(&house, &["--tool", &ping, "--principal", "token:nobody"]).len(), 0);
    assert_eq!(query(&house, &["--event-type", "plugin"]), query(&house, &["--event-type", "plugin."]));
    assert!(!query(&house, &["--event-type", "plugin"]).is_empty());
    assert_eq!(query(&house, &["--limit", "3"]), all[all.len() - 3..]);
    let call = all.iter().rev().find_map(|record| record.pointer("/extensions/casemate/call_id")?.as_str()).unwrap();
    assert!(
        query(&house, &["--call", call]).iter().all(|record| record.pointer("/extensions/casemate/call_id").unwrap() == call)
    );
    // Times with any offset, a day, and how long ago.
    let middle = &all[all.len() / 2];
    let at = middle["occurred_at"].as_str().unwrap();
    let east = format!("{}+00:00", at.trim_end_matches('Z'));
    let (since, until) = (query(&house, &["--since", &east]), query(&house, &["--until", at]));
    assert!(since.contains(middle) && !until.contains(middle) && since.len() + until.len() == all.len());
    assert_eq!(query(&house, &["--since", "2h"]).len(), all.len());
    assert_eq!(query(&house, &["--since", "2099-01-01"]).len(), 0);
    assert_eq!(query(&house, &["--until", "1d"]).len(), 0);
    house.casemate(&["audit", "query", "--since", "yesterday"]).faulty(&["'yesterday'", "help: "]);
}

#[test]
fn nothing_that_fits_is_said_and_is_no_failure() {
    let house = house();
    for command in ["query", "show", "tail"] {
        let ran = house.casemate(&["audit", command, "--principal", "token:nobody"]).done();
        assert!(ran.stdout.is_empty() && ran.stderr.contains("no such record"), "{command}: {ran:#?}");
        let ran = house.casemate(&["--format", "json", "audit", command, "--principal", "token:nobody"]).done();
        assert!(["[]", ""].contains(&ran.stdout.trim()), "{command}: {ran:#?}");
    }
    for command in ["show", "chain"] {
        house
            .casemate(&["audit", command, "nothing-of-that-name"])
            .faulty(&["nothing is on record under `nothing-of-that-name`", "help: "]);
    }
    let ran = house.casemate(&["audit", "prove", "01a200d4-874b-7000-8e00-c84aa988e74e"]);
    assert!(ran.code == 3, "{ran:#?}");
}

/// `casemate audit … | head -1`
#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let house = house();
    let long = ["audit", "query"];
    for arguments in
        [&long[..], &["audit", "show"], &["audit", "export"], &["audit", "tail", "-f"], &["--format", "json", "audit", "query"]]
    {
        let mut child = house.command().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if arguments.contains(&"-f") {
            // It finds out with the next record.
            house.goes_on();
        }
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success() && ended.stderr.is_empty() && !line.is_empty(), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn every_form_of_an_export_has_every_record_on_a_line() {
    let mut house = house();
    house.close();
    let all = query(&house, &[]).len();
    for form in ["jsonl", "ocsf", "cef"] {
        let text = house.casemate(&["audit", "export", "--as", form]).done().stdout;
        assert_eq!(text.lines().count(), all, "{form}");
        for line in text.lines() {
            let good = if form == "cef" { line.starts_with("CEF:0|") } else { serde_json::from_str::<Value>(line).is_ok() };
            assert!(good, "{form}: {line}");
        }
    }
}

/// As deep as a message can be. However it is answered, what was written down of it is read again, by everything that reads.
#[test]
fn a_call_with_deep_arguments_is_on_record_and_every_reader_reads_it() {
    let house = House::serving(&Guest::new("empty_answer"));
    let nested = |depth: usize| {
        (1..depth).fold(json!({}), |inner, depth| if depth % 2 == 0 { json!({ "a": inner }) } else { json!({ "a": [inner] }) })
    };
    let refused: Vec<String> = [20, 40, 60, 70, 76, 78, 80]
        .into_iter()
        .filter_map(|depth| house.try_call(&house.served("ping"), nested(depth)).ok())
        .map(|reply| reply.audit_id().to_owned())
        .collect();
    assert!(refused.len() >= 3, "{refused:?}");
    house.goes_on();
    house.casemate(&["audit", "verify"]).done();
    let console = Console::start(&house);
    let local = console.local();
    for id in &refused {
        assert!(house.casemate(&["audit", "show", id]).done().stdout.contains(id));
        local.get(&format!("/console/audit/{id}")).is(200, &[id]);
    }
    assert!(query(&house, &["--outcome", "denied"]).len() >= refused.len());
    for form in ["jsonl", "ocsf", "cef"] {
        let text = house.casemate(&["audit", "export", "--as", form]).done().stdout;
        assert!(refused.iter().all(|id| text.contains(id)), "{form}");
    }
    local.get("/console/audit").is(200, &["denied"]);
}
