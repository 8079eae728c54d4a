//! Chromium in front of the console: two people agree, one with the keyboard alone and one without scripts; and axe finds no fault.
//!
//! `make console-test` installs what it needs. What the pages look like is left in `target/console-screenshots`.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    approvals::{enrol, key},
    caldera::range::{CHANGES, DISCOVERY, Range, create},
    harness::{Console, House},
};

/// A range where two people have to agree to every change.
fn range() -> Range {
    Range::with(|house| {
        let house = enrol(enrol(house, "alice"), "bob");
        let rule = || toml::Table::from_iter([("mode".to_owned(), "operator".into()), ("quorum".to_owned(), 2.into())]);
        CHANGES.iter().fold(house, |house, tool| house.set(&format!("plugins.@.tools.{tool}.approval"), rule()))
    })
}

fn link(house: &House, who: Option<&str>) -> String {
    let ran = match who {
        None => house.casemate(&["console", "login"]),
        Some(name) => {
            let key = key(house, name).display().to_string();
            house.casemate(&["console", "login", "--as", name, "--key", &key])
        }
    };
    ran.done().stdout.trim().to_owned()
}

fn call(range: &Range) -> Value {
    let reply = range.call("create_operation", create("red-lab", DISCOVERY));
    match reply.is_error() {
        true => json!({ "approval": reply.structured()["approval_id"] }),
        false => json!({ "made": true }),
    }
}

#[test]
#[ignore = "needs Chromium and node: make console-test"]
fn in_chromium() {
    let range = range();
    let console = Console::start(&range.0);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target: PathBuf = env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let chromium = env::var("CASEMATE_CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    let mut walk = Command::new("node")
        .arg(here.join("console/walk.mjs"))
        .env("CASEMATE_NODE", target.join("node-console"))
        .env("CASEMATE_SHOTS", target.join("console-screenshots"))
        .env("CASEMATE_CHROMIUM", chromium)
        .env("CASEMATE_LINK", console.link())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = walk.stdin.take().unwrap();
    let mut done = false;
    for line in BufReader::new(walk.stdout.take().unwrap()).lines() {
        let asked: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let answer = match asked["do"].as_str() {
            Some("call") => call(&range),
            Some("login") => json!({ "link": link(&range.0, asked["as"].as_str()) }),
            _ => {
                done = asked["done"] == true;
                break;
            }
        };
        writeln!(answers, "{answer}").unwrap();
    }
    assert!(walk.wait().unwrap().success() && done, "see above");
    assert_eq!(range.changes().len(), 1, "made once");
}
