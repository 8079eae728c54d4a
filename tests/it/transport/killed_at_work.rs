//! `kill -9` while calls change things, are approved, and are asked after as tasks: what reached the upstream is on record, nothing is on
//! record that did not happen, and nothing happens twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ended, tell};
use crate::harness::{Guest, House, Http, said, until};

/// How often the server is killed, each time at another moment.
const KILLS: usize = 5;
/// Clients that write, one call after the other; as many each start what the upstream never answers.
const WRITERS: usize = 6;
/// Tasks of each life of the server that are approved, and those that nobody decides on.
const APPROVED: usize = 3;
const PENDING: usize = 1;
/// Clients that ask after one task at the same time.
const LOOKERS: usize = 2;

/// What was seen from outside, whatever the log says.
#[derive(Default)]
struct Seen {
    /// Audit ids of calls that were answered, with what became of them.
    answered: Mutex<BTreeMap<String, bool>>,
    notes: AtomicUsize,
}

impl Seen {
    /// A call's arguments, as no other call has them, and as no answer has them before the call.
    fn arguments(&self) -> Value {
        json!({ "group": "lab", "note": format!("note-n{}n", self.notes.fetch_add(1, Ordering::SeqCst)) })
    }

    fn answer(&self, result: &Value) {
        let id = result["_meta"]["casemate.dev/audit-id"].as_str().unwrap_or_else(|| panic!("{result:#}"));
        self.answered.lock().unwrap().insert(id.to_owned(), result["isError"] != true);
    }
}

/// A task, and the arguments of its call.
struct Waiting {
    id: String,
    note: String,
}

/// One life of the server, and how it is spoken to.
struct Life<'a> {
    house: &'a House,
    seen: &'a Seen,
    ann: Http,
}

impl<'a> Life<'a> {
    fn begin(house: &'a House, seen: &'a Seen, token: &str) -> Self {
        let able = json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
        Self { house, seen, ann: Http::start(&mut house.command(), token).able(able) }
    }

    /// Call what waits for a person.
    fn task(&self) -> Waiting {
        let (arguments, tool) = (self.seen.arguments(), self.house.served("wipe"));
        let result = self.ann.call(&tool, arguments.clone()).next()["result"].clone();
        assert_eq!(result["resultType"], "task", "{result:#}");
        Waiting { id: result["taskId"].as_str().unwrap().to_owned(), note: arguments["note"].as_str().unwrap().to_owned() }
    }

    /// Ask after a task, which makes its call where it may be made; none where the server is gone.
    fn look(&self, id: &str) -> Option<Value> {
        self.ann.try_post("tasks/get", id, json!({ "taskId": id }))
    }

    /// The result of a task, once there is one.
    fn finally(&self, task: &Waiting) -> Value {
        for _ in 0..400 {
            let answer = self.look(&task.id).unwrap();
            if answer["result"]["status"] == "completed" {
                return answer["result"]["result"].clone();
            }
            assert_eq!(answer["result"]["status"], "working", "{answer:#}");
            thread::sleep(Duration::from_millis(25));
        }
        panic!("task {} never ends", task.id);
    }

    /// Everybody at once, until the server is killed: so long after the first change has reached the upstream.
    fn storm(&self, approved: &[Waiting], ben: &str, lasts: Duration) {
        let (killed, address) = (AtomicBool::new(false), &self.ann);
        let (post, start) = (self.house.served("post"), self.house.served("start"));
        thread::scope(|scope| {
            for _ in 0..WRITERS {
                scope.spawn(|| {
                    while !killed.load(Ordering::SeqCst)
                        && let Some(answer) = address.try_call(&post, self.seen.arguments())
                    {
                        self.seen.answer(&answer["result"]);
                    }
                });
                scope.spawn(|| {
                    let answer = address.try_call_as(ben, &start, self.seen.arguments());
                    assert!(answer.is_none(), "the upstream never answers: {answer:?}");
                });
            }
            for task in approved.iter().flat_map(|task| std::iter::repeat_n(task, LOOKERS)) {
                scope.spawn(|| {
                    while let Some(answer) = self.look(&task.id) {
                        let result = &answer["result"];
                        if result["status"] == "completed" {
                            self.seen.answer(&result["result"]);
                            break;
                        }
                        assert_eq!(result["status"], "working", "{answer:#}");
                    }
                });
            }
            let before = self.house.received().len();
            until("something is under way", || self.house.received().len() > before);
            thread::sleep(lasts);
            killed.store(true, Ordering::SeqCst);
            tell(self.ann.id(), Signal::KILL);
        });
    }
}

/// What the upstream was asked to change: the path and the note of each request.
fn reached(house: &House) -> Vec<(String, String)> {
    let changes = house.received().into_iter().filter(|request| request.method() == "POST");
    let of = |body: &Value| -> Value { serde_json::from_slice(&STANDARD.decode(body.as_str().unwrap()).unwrap()).unwrap() };
    changes
        .map(|request| (request.target().to_owned(), of(&request.0["body_base64"])["note"].as_str().unwrap().to_owned()))
        .collect()
}

fn note(intent: &Value) -> &str {
    said(intent, "arguments")["note"].as_str().unwrap_or_else(|| panic!("{intent:#}"))
}

fn state(house: &House, id: &str) -> String {
    let shown: Value =
        serde_json::from_str(&house.casemate(&["approvals", "show", id, "--format", "json"]).done().stdout).unwrap();
    shown["state"].as_str().unwrap().to_owned()
}

fn house() -> (House, String) {
    let house = House::new(&Guest::new("errands").limit("deadline_ms", 60_000)).with(
        "[breaker]\nburst = false\ndenials = false\nvariants = false\n\
         [plugins.@.tools]\npost = { enabled = true, dry_run = false }\nstart = { enabled = true, dry_run = false, approval = 'none' }\n\
         wipe = { enabled = true, dry_run = false, approval = { mode = 'operator' } }\n\
         [grants.tester]\nprincipals = ['token:ann', 'token:ben']\nmax_effect = 'destructive'",
    );
    let key = house.folder().join("alice.key").display().to_string();
    let made = house.casemate(&["approver", "new", "alice", "--key", &key, "--no-passphrase", "--format", "json"]).done();
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let house = house.set("approvers.alice.key", made["key"].as_str().unwrap());
    house.install().done();
    for (path, ms) in [("/posts", 40), ("/wipes", 300), ("/runs", 600_000)] {
        let slow = json!({ "kind": "slow-headers", "ms": ms });
        house.upstreams().script(json!({ "path": path, "times": 1_000_000, "misbehave": slow }));
    }
    (house, key)
}

#[test]
fn what_a_killed_server_was_changing_is_on_record_and_happens_once() {
    let (house, key) = house();
    let (ann, ben, seen) = (house.token("ann"), house.token("ben"), Seen::default());
    let approve = |task: &Waiting| house.casemate(&["approvals", "approve", &task.id, "--key", &key, "--yes"]);
    let (mut approved, mut pending) = (Vec::new(), Vec::new());
    let mut moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos() as u64;
    for kill in 0..KILLS {
        let life = Life::begin(&house, &seen, &ann);
        let tasks: Vec<_> = (0..APPROVED).map(|_| life.task()).collect();
        pending.extend((0..PENDING).map(|_| life.task()));
        tasks.iter().for_each(|task| drop(approve(task).done()));
        // From before the first approved call is made to after the last one is answered.
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let lasts = Duration::from_millis((moment >> 33) % 600);
        eprintln!("kill {kill} after {lasts:?}");
        life.storm(&tasks, &ben, lasts);
        // Before anybody puts anything right: what went out was written down before it did.
        let intents: BTreeSet<_> = house.records("intent").iter().map(|intent| note(intent).to_owned()).collect();
        assert!(reached(&house).iter().all(|(_, note)| intents.contains(note)), "the upstream was sent what nobody wrote down");
        approved.extend(tasks);
    }

    // The next life: what was approved and not yet used is made now, what was used is not made again, what waits still does.
    let mut life = Life::begin(&house, &seen, &ann);
    let before = reached(&house);
    for task in &approved {
        let (was_made, was) = (before.iter().any(|(_, note)| *note == task.note), state(&house, &task.id));
        assert!(was == "used" || (was == "open" && !was_made), "{was}, and made: {was_made}");
        if was == "open" {
            let result = life.finally(task);
            assert!(result["isError"] != true, "{result:#}");
            seen.answer(&result);
        } else {
            approve(task).refused(&["is used"]);
            let answer = life.look(&task.id).unwrap();
            let status = answer["result"]["status"].as_str().unwrap();
            // Whose result nobody wrote down is still under way, as far as anybody may be told yet.
            assert!(["completed", "working"].contains(&status), "{answer:#}");
            let result = &answer["result"]["result"];
            assert!(status == "working" || result["isError"] == true || was_made, "an outcome was invented: {answer:#}");
        }
    }
    for task in &pending {
        assert_eq!(
            (state(&house, &task.id).as_str(), life.look(&task.id).unwrap()["result"]["status"].clone()),
            ("open", json!("working"))
        );
        assert!(reached(&house).iter().all(|(_, note)| *note != task.note));
        approve(task).done();
        let result = life.finally(task);
        assert!(result["isError"] != true, "{result:#}");
        seen.answer(&result);
        assert_eq!(state(&house, &task.id), "used");
    }
    // Whose they are not knows none of them.
    life.ann.speak_as(&ben);
    for task in approved.iter().chain(&pending) {
        assert_eq!(life.look(&task.id).unwrap()["error"]["code"], -32602);
    }
    tell(life.ann.id(), Signal::TERM);
    assert!(ended(life.ann.child()).success());
    what_happened_is_what_is_written(&house, &seen);
    house.casemate(&["audit", "verify"]).done();
}

/// The log against what was seen at both ends.
fn what_happened_is_what_is_written(house: &House, seen: &Seen) {
    let (intents, outcomes, reached) = (house.records("intent"), house.records("outcome"), reached(house));
    let executed = |path: &str| reached.iter().filter(|(at, _)| at == path).count();
    assert!(executed("/posts") > 0 && executed("/runs") > 0 && executed("/wipes") > 0, "{reached:?}");
    let distinct: BTreeSet<_> = reached.iter().collect();
    assert_eq!(distinct.len(), reached.len(), "nothing happens twice");

    // A destructive call is planned before it is asked about, and that is a call of its own.
    let real = intents.iter().filter(|intent| said(intent, "mode") != "dry-run");
    let real: BTreeMap<_, _> = real.map(|intent| (intent["event_id"].as_str().unwrap(), note(intent))).collect();
    let notes: BTreeSet<_> = real.values().collect();
    assert_eq!(notes.len(), real.len(), "every call was begun once");
    assert!(reached.iter().all(|(_, note)| notes.contains(&note.as_str())), "what was sent was begun");

    let mut ends = BTreeMap::new();
    for outcome in &outcomes {
        let intent = said(outcome, "intent").as_str().unwrap();
        assert!(ends.insert(intent, outcome).is_none(), "two ends of {intent}");
    }
    assert_eq!(ends.len(), intents.len(), "every call that was begun has one end");
    for (id, note) in &real {
        let end = ends[id];
        let sent = reached.iter().find(|(_, sent)| sent == note);
        match end["outcome"].as_str().unwrap() {
            "allowed" => {
                let (path, _) = sent.unwrap_or_else(|| panic!("an invented outcome: {end:#}"));
                assert_ne!(path, "/runs", "the upstream has never answered one: {end:#}");
            }
            "unknown" => assert!(["interrupted", "cancelled"].contains(&said(end, "ending").as_str().unwrap()), "{end:#}"),
            _ => assert!(sent.is_none(), "it was sent, and is said to be harmless: {end:#}"),
        }
    }
    // Who was answered was told what is on record.
    for (id, done) in seen.answered.lock().unwrap().iter() {
        let end = ends.get(id.as_str());
        assert!(!done || end.is_some_and(|end| end["outcome"] == "allowed"), "{id} was told otherwise: {end:#?}");
    }
}
