//! The life of an approval, exhaustively: every order in which people, callers, time and crashes can come, against a model of what may follow.
//!
//! The search is breadth-first over the model's states. Each state is reached on the real ledger by replaying one way there, and everything that
//! can be seen of the ledger is compared with the model after every step, so that two ways to one state are two ways to one ledger.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    path::PathBuf,
};

use casemate_ledger::{ChargeError, Closed, Ledger, State};
use casemate_policy::{
    ApprovalMode, Call, Decision, Permit, Policy, Principal, Readings,
    approval::{ApprovalId, Said, Statement, Subject},
    decide, needs,
};
use serde_json::json;

use crate::fixture::{HOUR, House, MOST, NOW, ask, at, file, says, spent_of, who};

/// What can happen to an approval that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Event {
    Approve(&'static str),
    Deny(&'static str),
    Withdraw,
    AgreeInBand,
    Expire,
    /// A caller makes the call, in three steps: it learns what the ledger knows, decides, and charges.
    Read(usize),
    Decide(usize),
    Charge(usize),
    /// The first caller's process dies and comes back.
    Crash,
}

/// How far a caller is, as the model has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Step {
    Idle,
    /// Whether what it read was enough.
    Knows(bool),
    Permitted,
    Done,
}

/// The rules of an approval in a few lines, written from the design and not from the code.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Model {
    closed: Option<&'static str>,
    expired: bool,
    votes: BTreeMap<&'static str, &'static str>,
    in_band: bool,
    callers: [Step; 2],
    charged: u32,
    crashes: u32,
}

impl Model {
    fn new() -> Self {
        Self {
            closed: None,
            expired: false,
            votes: BTreeMap::new(),
            in_band: false,
            callers: [Step::Idle; 2],
            charged: 0,
            crashes: 0,
        }
    }

    fn open(&self) -> bool {
        self.closed.is_none() && !self.expired
    }

    /// Whether enough people agreed: Carol does not count, the caller acts for her.
    fn enough(&self, setup: &Setup) -> bool {
        let people = self.votes.iter().filter(|(person, said)| **person != "carol" && **said == "approve").count();
        let denied = self.votes.values().any(|said| *said == "deny");
        let client = self.in_band && setup.mode == ApprovalMode::InBand && setup.quorum == 1;
        !denied && (people >= setup.quorum as usize || client)
    }

    /// Whether an event can be tried now. People may try at any time.
    fn can(&self, event: Event) -> bool {
        match event {
            Event::Approve(_) | Event::Deny(_) | Event::Withdraw | Event::AgreeInBand => true,
            Event::Expire => !self.expired,
            Event::Read(caller) => self.callers[caller] == Step::Idle,
            Event::Decide(caller) => matches!(self.callers[caller], Step::Knows(_)),
            Event::Charge(caller) => self.callers[caller] == Step::Permitted,
            Event::Crash => self.crashes == 0,
        }
    }

    /// What follows, and whether it is allowed.
    fn step(&mut self, event: Event, setup: &Setup) -> bool {
        match event {
            Event::Approve(person) => {
                let allowed = self.open() && !self.votes.contains_key(person);
                if allowed {
                    self.votes.insert(person, "approve");
                }
                allowed
            }
            Event::Deny(person) => {
                let allowed = self.open();
                if allowed {
                    self.votes.insert(person, "deny");
                    self.closed = Some("denied");
                }
                allowed
            }
            Event::Withdraw => {
                let allowed = self.open();
                if allowed {
                    self.closed = Some("withdrawn");
                }
                allowed
            }
            Event::AgreeInBand => {
                self.in_band |= self.open();
                self.open()
            }
            Event::Expire => {
                self.expired = true;
                true
            }
            Event::Read(caller) => {
                self.callers[caller] = Step::Knows(self.open() && self.enough(setup));
                true
            }
            Event::Decide(caller) => {
                let permitted = self.callers[caller] == Step::Knows(true) && !self.expired;
                self.callers[caller] = if permitted { Step::Permitted } else { Step::Done };
                permitted
            }
            Event::Charge(caller) => {
                let allowed = self.open();
                if allowed {
                    self.closed = Some("used");
                    self.charged += 1;
                }
                self.callers[caller] = Step::Done;
                allowed
            }
            Event::Crash => {
                self.callers[0] = Step::Idle;
                self.crashes += 1;
                true
            }
        }
    }
}

/// One search.
struct Setup {
    mode: ApprovalMode,
    quorum: u32,
    events: Vec<Event>,
    /// Where the ledger is, with two processes on it; none: in memory, with one.
    path: Option<PathBuf>,
}

/// A caller as it is.
enum Caller {
    Idle,
    Knows(Box<Readings>),
    Permitted(Box<Permit>),
    Done,
}

/// The ledger, and where time has got to: each replay has a few hours of its own, in which nothing that was before counts.
struct Real<'a> {
    setup: &'a Setup,
    policy: Policy,
    ledgers: Vec<Ledger>,
    begins: i64,
    replays: u32,
}

/// One replay.
struct Replay {
    id: ApprovalId,
    subject: Subject,
    call: Call,
    now: i64,
    callers: [Caller; 2],
}

impl Real<'_> {
    fn open(setup: &Setup) -> Vec<Ledger> {
        match &setup.path {
            Some(path) => (0..2).map(|_| Ledger::open(path).unwrap()).collect(),
            None => vec![Ledger::in_memory().unwrap()],
        }
    }

    /// The ledger of one caller's process.
    fn of(&self, caller: usize) -> &Ledger {
        self.ledgers.get(caller).unwrap_or(&self.ledgers[0])
    }

    fn begin(&mut self) -> Replay {
        self.replays += 1;
        self.begins += 3 * HOUR;
        let arguments = json!({ "n": self.replays });
        let (id, subject) = ask(self.of(0), &self.policy, "local", arguments.clone(), self.begins);
        Replay {
            id,
            subject,
            call: Call::new("eye_look", arguments),
            now: self.begins + 10,
            callers: [Caller::Idle, Caller::Idle],
        }
    }

    /// Do it; gives whether it was allowed.
    fn step(&mut self, replay: &mut Replay, event: Event) -> bool {
        let (now, principal) = (at(replay.now), Principal::new(who("local")));
        let vote = |person, said| {
            let (statement, vote): (Statement, _) = says(person, said, &replay.subject, at(self.begins + 5));
            self.of(0).vote(&replay.id, &statement, &vote, now).is_ok()
        };
        match event {
            Event::Approve(person) => vote(person, Said::Approve),
            Event::Deny(person) => vote(person, Said::Deny),
            Event::Withdraw => self.of(0).withdraw(&replay.id, "operator", now).is_ok(),
            Event::AgreeInBand => self.of(0).agree_in_band(&replay.id, &replay.subject.digest().unwrap(), now).is_ok(),
            Event::Expire => {
                replay.now = self.begins + HOUR;
                true
            }
            Event::Read(caller) => {
                let needs = needs(&self.policy, &principal, &replay.call);
                let readings = self.of(caller).readings(&needs, self.policy.guards().session, now).unwrap();
                replay.callers[caller] = Caller::Knows(Box::new(readings));
                true
            }
            Event::Decide(caller) => {
                let Caller::Knows(readings) = std::mem::replace(&mut replay.callers[caller], Caller::Done) else { panic!() };
                match decide(&self.policy, &principal, &replay.call, &readings, now) {
                    Decision::Permit(permit) => {
                        assert_eq!(permit.agreed().unwrap().id, replay.id);
                        replay.callers[caller] = Caller::Permitted(Box::new(permit));
                        true
                    }
                    Decision::Deferred(_) | Decision::Denied(_) => false,
                }
            }
            Event::Charge(caller) => {
                let Caller::Permitted(permit) = std::mem::replace(&mut replay.callers[caller], Caller::Done) else { panic!() };
                match self.of(caller).charge(&permit, MOST, now) {
                    Ok(_) => true,
                    Err(ChargeError::Approval { id, .. }) if id == replay.id => false,
                    Err(other) => panic!("{other}"),
                }
            }
            Event::Crash => {
                drop(self.ledgers.remove(0));
                self.ledgers.insert(0, Ledger::open(self.setup.path.as_deref().unwrap()).unwrap());
                replay.callers[0] = Caller::Idle;
                true
            }
        }
    }

    /// Everything that can be seen is as the model has it.
    fn check(&self, replay: &Replay, model: &Model) {
        for ledger in &self.ledgers {
            let approval = ledger.approval(&replay.id, at(replay.now)).unwrap().unwrap();
            let expected = match model.closed {
                Some("used") => State::Closed(Closed::Taken),
                Some("denied") => State::Closed(Closed::Denied),
                Some(_) => State::Closed(Closed::Withdrawn),
                None if model.expired => State::Expired,
                None => State::Open,
            };
            assert_eq!((approval.state, approval.open.in_band), (expected, model.in_band));
            let said = |payload: &[u8]| Statement::from_payload(payload).unwrap();
            let votes: BTreeMap<String, &str> = approval
                .open
                .votes
                .iter()
                .map(|vote| said(&vote.payload))
                .map(|said| (said.approver.to_string(), said.said.as_str()))
                .collect();
            assert_eq!(votes, model.votes.iter().map(|(person, said)| ((*person).to_owned(), *said)).collect());
            // Planned, or planned and then made: the budget of one call is spent once.
            let charges = needs(&self.policy, &Principal::new(who("local")), &replay.call).charges;
            assert_eq!(spent_of(ledger, &charges[0], replay.now.min(self.begins + HOUR - 1)), 1);
        }
    }
}

/// Search everything; gives how many states there are.
fn search(setup: &Setup) -> usize {
    // One call an hour: what was spent to plan a call must not be what keeps it from being made.
    let policy = House::asking(setup.mode, setup.quorum, 1).policy();
    let mut real = Real { setup, policy, ledgers: Real::open(setup), begins: NOW, replays: 0 };
    let mut known = HashSet::from([Model::new()]);
    let mut queue = VecDeque::from([Vec::new()]);
    while let Some(way) = queue.pop_front() {
        let mut here = Model::new();
        for event in &way {
            here.step(*event, setup);
        }
        for event in setup.events.iter().copied().filter(|event| here.can(*event)) {
            let mut replay = real.begin();
            let mut model = Model::new();
            for event in way.iter().chain([&event]) {
                let before = model.clone();
                let expected = model.step(*event, setup);
                let allowed = real.step(&mut replay, *event);
                assert_eq!(allowed, expected, "{event:?} after {way:?}");
                // Said again, apart from how the model comes to it.
                assert!(model.charged <= 1, "one approval, one charge");
                if matches!(event, Event::Charge(_)) && allowed {
                    assert!(before.open() && before.enough(setup), "a charge that was not agreed to: {way:?}");
                }
                assert!(before.closed.is_none() || before.closed == model.closed, "closed is final: {way:?}");
            }
            real.check(&replay, &model);
            if known.insert(model) {
                queue.push_back(way.iter().copied().chain([event]).collect());
            }
        }
    }
    known.len()
}

/// Two calls, each in its steps.
const CALLS: [Event; 6] =
    [Event::Read(0), Event::Decide(0), Event::Charge(0), Event::Read(1), Event::Decide(1), Event::Charge(1)];

#[track_caller]
fn check(mode: ApprovalMode, quorum: u32, path: Option<PathBuf>, events: &[Event], least: usize) {
    let states = search(&Setup { mode, quorum, path, events: [events, &CALLS].concat() });
    println!("\n{mode:?}, {quorum}: {states} states");
    assert!(states > least, "a search that finds {states} states finds nothing");
}

#[test]
fn two_people_agree_and_two_callers_race() {
    use Event::{Approve, Deny, Expire, Withdraw};
    let events = [Approve("alice"), Approve("bob"), Approve("carol"), Deny("bob"), Withdraw, Expire];
    check(ApprovalMode::Operator, 2, None, &events, 300);
}

#[test]
fn the_client_agrees_and_two_callers_race() {
    use Event::{AgreeInBand, Approve, Deny, Expire, Withdraw};
    let events = [AgreeInBand, Approve("alice"), Deny("carol"), Withdraw, Expire];
    check(ApprovalMode::InBand, 1, None, &events, 200);
}

#[test]
fn the_client_agrees_where_that_is_not_enough() {
    use Event::{AgreeInBand, Approve, Deny, Expire};
    check(ApprovalMode::Operator, 1, None, &[AgreeInBand, Approve("alice"), Approve("carol"), Deny("carol"), Expire], 200);
}

/// On a file, two processes, one of which dies between any two steps.
#[test]
fn a_crash_between_any_two_steps_changes_nothing() {
    use Event::{Approve, Crash, Deny};
    let (_folder, path) = file();
    check(ApprovalMode::Operator, 1, Some(path), &[Approve("alice"), Deny("bob"), Crash], 80);
}
