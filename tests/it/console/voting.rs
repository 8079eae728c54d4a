//! Saying yes and no in the console: with an approver's key behind it, and once.

use std::thread;

use serde_json::json;
use toml::toml;

use super::{facts, records, waiting};
use crate::{
    approvals::{WRITES, asked, enrol, guarded, key, lab, made, recorded, say, shown, writes},
    harness::{Console, Guest, House},
};

#[test]
fn two_approvers_in_two_browsers_agree_and_the_call_is_made_once() {
    let (house, console) = waiting(2);
    let id = asked(&house);
    let (mut alice, mut bob) = (console.approver(&house, "alice"), console.approver(&house, "bob"));
    alice.get(&format!("/console/approvals/{id}")).is(200, &["0 of 2", "You speak as", "POST", "Approve this call"]);
    alice.say(&id, "approve", "looked at it").is(200, &["agreed to", "1 of 2"]);
    assert_eq!(asked(&house), id, "one of two");
    alice.say(&id, "approve", "").is(500, &["has agreed to"]);
    bob.say(&id, "approve", "").is(200, &["approved", "2 of 2"]);
    made(&house);
    assert_eq!(shown(&house, &id)["state"], "used");
    bob.get(&format!("/console/approvals/{id}")).is(200, &["used", "looked at it", "intent"]);
    let votes = records(&house, "approval.voted");
    // What was said twice is on record twice, and counts once.
    assert_eq!(votes.len(), 3);
    assert!(votes.iter().all(|vote| facts(vote)["via"] == "console" && facts(vote)["said"] == "approve"), "{votes:#?}");
    let signed = records(&house, "auth.accepted").iter().map(|record| facts(record)["console"].clone()).collect::<Vec<_>>();
    assert_eq!(signed, ["approver alice", "approver bob"]);
    asked(&house);
}

#[test]
fn a_no_in_the_console_is_final() {
    let (house, console) = waiting(1);
    let id = asked(&house);
    let mut alice = console.approver(&house, "alice");
    alice.say(&id, "deny", "not today").is(200, &["denied"]);
    say(&house, "approve", &id, "bob").refused(&["is denied"]);
    assert_ne!(asked(&house), id);
    alice.get("/console/approvals").is(200, &["denied"]);
}

#[test]
fn who_asked_does_not_agree_in_the_console_either() {
    let house = guarded(&Guest::new(WRITES), toml! { mode = "operator" });
    let house = enrol(enrol(house, "alice"), "bob").set("approvers.alice.principals", vec!["local"]).serve();
    let console = Console::start(&house);
    let id = asked(&house);
    let mut alice = console.approver(&house, "alice");
    alice.say(&id, "approve", "").is(403, &["nobody approves a call of their own"]);
    assert_eq!((asked(&house), recorded(&house, "approval.voted")), (id, 0));
}

#[test]
fn a_local_session_gives_no_approval_and_takes_back() {
    let (house, console) = waiting(1);
    let id = asked(&house);
    let mut local = console.local();
    let page = format!("/console/approvals/{id}");
    local.get(&page).is(200, &["A local session gives no approval", "Withdraw this request"]);
    local.say(&id, "approve", "").is(403, &["only an approver says yes or no"]);
    local.fill(&page, &format!("{page}/withdraw"), &[("reason", "the wrong window")]).is(200, &["withdrew"]);
    assert_eq!(shown(&house, &id)["state"], "withdrawn");
}

#[test]
fn nobody_speaks_for_an_approver_without_the_approvers_key() {
    let (house, console) = waiting(1);
    let stranger = key(&house, "mallory").display().to_string();
    house.casemate(&["approver", "new", "mallory", "--key", &stranger, "--no-passphrase"]).done();
    house.casemate(&["console", "login", "--as", "alice", "--key", &stranger]).refused(&["not signed by the key of approver"]);
    house.casemate(&["console", "login", "--as", "mallory", "--key", &stranger]).refused(&["is not an approver"]);
    house.casemate(&["console", "login", "--as", "alice"]).faulty(&["no key to sign with"]);
    // Alice's key says who Alice is, and not who Bob is.
    let alice = key(&house, "alice").display().to_string();
    house.casemate(&["console", "login", "--as", "bob", "--key", &alice]).refused(&["not signed by the key of approver"]);
    drop(console);
}

/// For a console on another machine: the page shows what to sign, and takes what was signed.
#[test]
fn an_approver_signs_what_the_page_shows() {
    let (house, console) = waiting(1);
    let id = asked(&house);
    let mut browser = console.browser();
    let page = browser.post("/console/login", &[("approver", "alice")]);
    let challenge = page.is(200, &["casemate console login --as alice"]).field("challenge");
    let key = key(&house, "alice").display().to_string();
    let signed = house.casemate(&["console", "login", "--as", "alice", "--key", &key, "--challenge", &challenge]).done();
    assert!(signed.stderr.contains("agree to calls in environment `dev`"), "{signed:?}");
    house.casemate(&["console", "login", "--as", "bob", "--key", &key, "--challenge", &challenge]).refused(&["not for `bob`"]);
    let signature = signed.stdout.trim();
    let with = |signature: &str| [("challenge", challenge.clone()), ("signature", signature.to_owned())];
    let fields = with(signature);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    browser.post("/console/login", &fields).to("/console");
    // A challenge is answered once, and another console's not at all.
    console.browser().post("/console/login", &fields).is(403, &["waits for no signature of this"]);
    let other = Console::start(&house);
    other.browser().post("/console/login", &fields).is(403, &["waits for no signature of this"]);
    browser.say(&id, "approve", "").is(200, &["approved"]);
    made(&house);
}

#[test]
fn an_approver_who_was_removed_is_out() {
    let (house, console) = waiting(1);
    let id = asked(&house);
    let mut alice = console.approver(&house, "alice");
    alice.say(&id, "approve", "").is(200, &["approved"]);
    let before = std::fs::read_to_string(house.folder().join("casemate.toml")).unwrap();
    let house = house.without("approvers.alice");
    assert_eq!(alice.get("/console").status, 303);
    let house = house.restored(&before);
    assert_eq!(alice.get("/console").status, 303, "what was ended stays so");
    made(&house);
}

/// A vote that came through a console is worth what its delegation is, also for whoever writes the ledger's file.
#[test]
fn a_vote_whose_delegation_was_touched_counts_for_nothing() {
    let (house, console) = waiting(1);
    let id = asked(&house);
    console.approver(&house, "alice").say(&id, "approve", "").is(200, &["approved"]);
    let ledger = rusqlite::Connection::open(house.folder().join("state/dev/ledger.db")).unwrap();
    ledger.execute_batch("CREATE TABLE kept AS SELECT * FROM votes").unwrap();
    for change in [
        "delegation = NULL, delegation_signature = NULL",
        "delegation_signature = zeroblob(64)",
        "delegation = CAST(replace(CAST(delegation AS TEXT), '\"alice\"', '\"bob\"') AS BLOB)",
        "delegation = CAST(replace(CAST(delegation AS TEXT), '\"dev\"', '\"prod\"') AS BLOB)",
        "signature = zeroblob(64)",
    ] {
        ledger.execute_batch(&format!("UPDATE votes SET {change}")).unwrap();
        assert_eq!(asked(&house), id, "{change}");
        ledger.execute_batch("DELETE FROM votes; INSERT INTO votes SELECT * FROM kept").unwrap();
    }
    made(&house);
}

/// Browser, command line and callers race: whatever is first, the call is made once.
#[test]
fn console_command_line_and_callers_race_and_the_call_is_made_once() {
    let (house, console) = waiting(2);
    let id = asked(&house);
    let mut alice = console.approver(&house, "alice");
    let tool = house.served("change");
    let replies = thread::scope(|scope| {
        let console = scope.spawn(|| alice.say(&id, "approve", "").status);
        let cli = scope.spawn(|| say(&house, "approve", &id, "bob").code);
        let mut replies = Vec::new();
        for _ in 0..4 {
            replies.extend(house.runtime().block_on(house.server().at_once(&tool, lab(), 8)));
        }
        assert_eq!((console.join().unwrap(), cli.join().unwrap()), (200, 0));
        replies.extend(house.runtime().block_on(house.server().at_once(&tool, lab(), 8)));
        replies
    });
    assert_eq!(replies.iter().filter(|reply| !reply.is_error()).count(), 1);
    assert_eq!(writes(&house), 1);
    assert_eq!(shown(&house, &id)["state"], "used");
}

/// Who sits at the client agrees, and an approver does too: the call is made once.
#[test]
fn an_answer_at_the_client_and_one_in_the_console_make_one_call() {
    let house = guarded(&Guest::new(WRITES), toml! { mode = "in-band" });
    let house: House = enrol(enrol(house, "alice"), "bob").serve();
    let console = Console::start(&house);
    let id = asked(&house);
    let mut alice = console.approver(&house, "alice");
    let ledger = rusqlite::Connection::open(house.folder().join("state/dev/ledger.db")).unwrap();
    ledger.execute_batch(&format!("UPDATE approvals SET in_band = 1 WHERE id = '{id}'")).unwrap();
    let tool = house.served("change");
    let replies = thread::scope(|scope| {
        let console = scope.spawn(|| alice.say(&id, "approve", "").status);
        let replies = house.runtime().block_on(house.server().at_once(&tool, lab(), 8));
        // It was agreed to in time, or the call was made already.
        assert!([200, 403, 500].contains(&console.join().unwrap()));
        replies
    });
    assert_eq!((replies.iter().filter(|reply| !reply.is_error()).count(), writes(&house)), (1, 1), "{replies:#?}");
    assert_eq!(shown(&house, &id)["state"], json!("used"));
}
