//! What was read, how a caller behaves, how long it has been at it, and what people agreed to: each layer's no beside its yes.

use std::sync::Arc;

use casemate_policy::{
    ApprovalMode, ApprovalRule, BudgetKey, Decision, Deferred, Denied, Layer, Mode, Outcome, Permit, Reading, Readings,
    Timestamp,
    approval::{OpenApproval, Subject},
    breaker::{BreakerReading, BreakerRules, Pause, Rate},
    decide,
    flow::FlowWhen,
    needs,
    session::SessionReading,
    visible,
};
use casemate_signing::{Environment, manifest::Effect};
use serde_json::json;

use crate::{
    fixture::{House, NOW, budget, code, good_arguments, principal},
    people::flow,
};

/// The tools of every effect: read, write, execute, destructive.
const TOOLS: [&str; 4] = ["lab_read_file", "lab_tag", "lab_replay", "lab_operate"];

fn denied(decision: Decision) -> Denied {
    match decision {
        Decision::Denied(denied) => denied,
        other => panic!("should be denied: {other:?}"),
    }
}

fn deferred(decision: Decision) -> Deferred {
    match decision {
        Decision::Deferred(deferred) => deferred,
        other => panic!("should wait: {other:?}"),
    }
}

/// Why each of the tools is not permitted.
fn codes(house: &House) -> [Option<&'static str>; 4] {
    TOOLS.map(|tool| house.code(tool))
}

const WAITS: Option<&str> = Some("flow-needs-approval");
const NEVER: Option<&str> = Some("flow-forbidden");

#[test]
fn what_was_read_forbids_what_the_built_in_rules_say() {
    let house = House::open().with_approvers();
    assert_eq!(codes(&house), [None; 4]);
    assert_eq!(codes(&house.clone().has_read(&["untrusted"])), [None, None, WAITS, WAITS]);
    assert_eq!(codes(&house.clone().has_read(&["secret"])), [None, WAITS, WAITS, WAITS]);
    assert_eq!(codes(&house.clone().has_read(&["inventory"])), [None; 4], "another label is another thing");
    let off = house.guard(|guards| guards.flows.clear());
    assert_eq!(codes(&off.has_read(&["untrusted", "secret"])), [None; 4]);
}

#[test]
fn a_value_that_a_result_named_is_not_acted_on() {
    let house = House::open().with_approvers();
    assert_eq!(house.clone().carries("/group", "untrusted").code("lab_tag"), WAITS);
    assert_eq!(house.clone().carries("/group", "untrusted").code("lab_read_file"), None);
    assert_eq!(house.clone().carries("/group", "inventory").code("lab_tag"), None);
    let told = deferred(house.carries("/group", "untrusted").call("lab_tag"));
    assert!(told.message().contains("`red-lab` at `/group` was seen first in a `untrusted` result of `lab_read_file`"));
    assert!(told.for_operator().contains("flow rule `untrusted-value-into-write`"));
}

#[test]
fn a_tool_refuses_what_its_manifest_says() {
    let refusing = |tool: &str| {
        House::open().with_approvers().guard(|guards| guards.flows.clear()).rule(tool, |rule| {
            let mut tool = (*rule.manifest_tool).clone();
            tool.labels.refuses = ["untrusted".parse().unwrap()].into();
            rule.manifest_tool = tool.into();
        })
    };
    for tool in TOOLS {
        assert_eq!(refusing(tool).code(tool), None);
        assert_eq!(refusing(tool).has_read(&["secret"]).code(tool), None);
        let waits = refusing(tool).has_read(&["untrusted"]);
        assert_eq!(waits.code(tool), WAITS);
        assert!(deferred(waits.call(tool)).for_operator().contains("the plugin's manifest says so"));
        assert_eq!(waits.clone().agreed(tool, &["alice"]).code(tool), None);
    }
}

#[test]
fn a_plan_sends_nothing_that_matters() {
    let house = House::open().with_approvers().has_read(&["untrusted", "secret"]).carries("/group", "untrusted");
    for tool in ["lab_tag", "lab_replay", "lab_operate"] {
        let permit = house.clone().rule(tool, |rule| rule.dry_run = true).permit(tool);
        assert_eq!((permit.mode(), permit.ceiling()), (Mode::DryRun, Effect::Read));
    }
    // A rule about reading holds in a dry run, which reads.
    let strict = house.guard(|guards| guards.flows.push(flow(FlowWhen::Carries, "untrusted", Effect::Read, true)));
    assert_eq!(strict.rule("lab_tag", |rule| rule.dry_run = true).code("lab_tag"), WAITS);
}

#[test]
fn only_a_valid_approval_lifts_a_rule_and_only_one_that_can_be_lifted() {
    let house = House::open().with_approvers().has_read(&["untrusted"]);
    let permit = house.clone().agreed("lab_operate", &["alice"]).permit("lab_operate");
    assert_eq!((permit.mode(), permit.agreed().unwrap().by.as_slice()), (Mode::Real, ["alice".to_owned()].as_slice()));
    let flow_verdict = permit.verdicts().iter().find(|verdict| verdict.layer == Layer::Flow).unwrap();
    assert!(flow_verdict.outcome == Outcome::Pass && flow_verdict.note.contains("by alice"), "{}", flow_verdict.note);

    // Nobody, the caller's own, an approval of another call: nothing else lifts it.
    for people in [[].as_slice(), &["carol"]] {
        assert_eq!(house.clone().agreed("lab_operate", people).code("lab_operate"), WAITS);
    }
    assert_eq!(house.clone().agreed("lab_replay", &["alice"]).code("lab_operate"), WAITS);
    let client = OpenApproval { in_band: true, ..house.approval("lab_operate", &[]) };
    let client = house.clone().knows(move |readings| readings.approval(client.clone()));
    assert_eq!(client.code("lab_operate"), WAITS, "the client's word is not an approver's");
    // Nor do switches of the tool.
    let switched = house.clone().rule("lab_operate", |rule| rule.approval = ApprovalRule::of(ApprovalMode::None));
    assert_eq!(switched.code("lab_operate"), WAITS);

    let hard = House::open()
        .with_approvers()
        .guard(|guards| guards.flows = vec![flow(FlowWhen::After, "untrusted", Effect::Write, false)]);
    let asked = hard
        .clone()
        .rule("lab_operate", |rule| rule.approval.mode = ApprovalMode::Operator)
        .agreed("lab_operate", &["alice", "bob"]);
    assert_eq!(asked.code("lab_operate"), None, "nothing was read");
    let forbidden = asked.has_read(&["untrusted"]);
    assert_eq!(forbidden.code("lab_operate"), NEVER);
    assert!(denied(forbidden.call("lab_operate")).for_model().contains("do not try to reach the same another way"));
}

#[test]
fn a_rule_that_nothing_lifts_outweighs_one_that_a_person_lifts() {
    let (soft, hard) =
        (flow(FlowWhen::After, "untrusted", Effect::Write, true), flow(FlowWhen::After, "secret", Effect::Write, false));
    for flows in [vec![soft.clone(), hard.clone()], vec![hard, soft]] {
        let house = House::open().with_approvers().guard(|guards| guards.flows = flows);
        assert_eq!(house.clone().has_read(&["untrusted"]).code("lab_tag"), WAITS);
        assert_eq!(house.clone().has_read(&["untrusted", "secret"]).code("lab_tag"), NEVER, "nobody is asked in vain");
        // Also where the plugin's own manifest would ask a person.
        let refusing = house.rule("lab_tag", |rule| {
            let mut tool = (*rule.manifest_tool).clone();
            tool.labels.refuses = ["untrusted".parse().unwrap()].into();
            rule.manifest_tool = tool.into();
        });
        assert_eq!(refusing.has_read(&["untrusted", "secret"]).code("lab_tag"), NEVER);
    }
}

#[test]
fn a_session_that_is_not_known_is_no_clean_one() {
    let decided = |house: &House, tool: &str| {
        let (policy, call) = (house.policy(), casemate_policy::Call::new(tool, good_arguments(tool)));
        let mut readings = Readings::none();
        readings.breaker(BreakerReading::default());
        code(&decide(&policy, &principal("local"), &call, &readings, NOW))
    };
    let house = House::open();
    assert_eq!(decided(&house, "lab_read_file"), None, "no rule is about reading");
    assert_eq!(decided(&house, "lab_tag"), Some("session-unknown"));
    let timed = house.grant(|grant| grant.session = Some("1h".parse().unwrap()));
    assert_eq!(decided(&timed, "lab_read_file"), Some("session-unknown"));
}

/// They are refused in any case; looking for their values first must not cost the host its stack.
#[test]
fn arguments_too_deep_are_not_walked_through() {
    let asked = |depth: usize| {
        let deep = (0..depth).fold(json!("evil.example"), |inner, _| json!([inner]));
        let call = casemate_policy::Call::new("lab_tag", json!({ "group": "red-lab", "a": deep }));
        needs(&House::open().policy(), &principal("local"), &call).sessions.values().map(Vec::len).sum::<usize>()
    };
    assert_eq!((asked(30), asked(31), asked(32), asked(500)), (1, 1, 0, 0));
}

#[test]
fn a_session_lasts_as_long_as_the_grant_says() {
    let timed = House::open().grant(|grant| grant.session = Some("1h".parse().unwrap()));
    let began = |ago: i64| {
        let since = Some(Timestamp::from_millis(NOW.as_millis() - ago));
        let grant = timed.grants[0].name.clone();
        timed
            .clone()
            .knows(move |readings| readings.session(grant.clone(), SessionReading { since, ..SessionReading::default() }))
    };
    assert_eq!(timed.permit("lab_read_file").ends(), Some(NOW.plus_millis(3_600_000)), "its first use begins it");
    assert_eq!(began(3_599_999).permit("lab_read_file").ends(), Some(NOW.plus_millis(1)));
    for ago in [3_600_000, 3_600_001, i64::MAX / 2] {
        let ended = denied(began(ago).call("lab_read_file"));
        assert_eq!((ended.layer(), ended.reason().code()), (Layer::Identity, "session-ended"));
        assert!(ended.for_operator().contains("casemate sessions clear local a-red-team"));
    }
    assert_eq!(began(-1000).code("lab_read_file"), None, "a clock that ran back");
    let sooner = began(0).grant(|grant| grant.expires = Some(NOW.plus_millis(5)));
    assert_eq!(sooner.permit("lab_read_file").ends(), Some(NOW.plus_millis(5)), "the grant's end comes first");
    assert_eq!(House::open().permit("lab_read_file").ends(), None);
}

#[test]
fn a_tool_is_for_the_roles_that_a_grant_confers() {
    let roles = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
    let asking = House::open().rule("lab_tag", |rule| rule.roles = roles(&["red_team", "commander"]));
    let refused = denied(asking.call("lab_tag"));
    assert_eq!((refused.layer(), refused.reason().code()), (Layer::Enable, "role-missing"));
    assert!(
        refused.message().contains("commander, red_team")
            && refused.for_operator().contains("`roles` under `[grants.a-red-team]`")
    );
    assert_eq!(asking.code("lab_replay"), None);
    assert_eq!(asking.clone().grant(|grant| grant.roles = roles(&["blue_team"])).code("lab_tag"), Some("role-missing"));
    assert_eq!(asking.clone().grant(|grant| grant.roles = roles(&["blue_team", "red_team"])).code("lab_tag"), None);
    let shown =
        |house: &House| visible(&house.policy(), &principal("local"), NOW).iter().any(|rule| rule.served.as_str() == "lab_tag");
    assert!(!shown(&asking), "nor is it shown");
    assert!(shown(&asking.clone().grant(|grant| grant.roles = roles(&["red_team"]))));
    // An approver's roles are no caller's.
    let house = asking.with_approvers().rule("lab_tag", |rule| rule.approval.mode = ApprovalMode::Operator);
    assert_eq!(house.code("lab_tag"), Some("role-missing"));
}

#[test]
fn the_breaker_says_no_to_whoever_is_paused_or_has_just_gone_too_far() {
    let conduct = |reading: BreakerReading| House::open().knows(move |readings| readings.breaker(reading.clone()));
    let check = |reading: BreakerReading, expected: Option<&str>, said: &str| {
        let house = conduct(reading);
        for tool in TOOLS {
            assert_eq!(house.code(tool), expected, "{tool}");
        }
        if expected.is_some() {
            let denied = denied(house.call("lab_read_file"));
            assert_eq!(denied.layer(), Layer::Breaker);
            assert!(denied.message().contains(said), "{}", denied.message());
            assert!(denied.for_operator().contains("casemate breaker resume local") && denied.for_model().contains("stop"));
        }
    };
    let of = |denials, variants, calls| BreakerReading { paused: None, denials, variants, calls };
    check(of(29, 19, 1199), None, "");
    check(of(100, 0, 0), Some("breaker-opened"), "100 refused calls within 5m");
    check(of(0, 20, 0), Some("breaker-opened"), "20 different payloads within 10m");
    check(of(0, 0, 1200), Some("breaker-opened"), "1200 calls within 1m");
    let pause = Pause { since: NOW, trip: "something else".to_owned() };
    check(BreakerReading { paused: Some(pause.clone()), ..of(0, 0, 0) }, Some("paused"), "for something else");
    // Switched off, a pause that a person has not ended is still one.
    let off = House::open().guard(|guards| guards.breaker = BreakerRules::OFF);
    let off =
        off.knows(move |readings| readings.breaker(BreakerReading { paused: Some(pause.clone()), ..BreakerReading::default() }));
    assert_eq!(off.code("lab_read_file"), Some("paused"));
}

#[test]
fn a_budget_that_is_not_known_is_spent() {
    let house = House::open().grant(|grant| grant.budgets = vec![budget(&[], 4, "1m")]);
    let (policy, call) = (house.policy(), casemate_policy::Call::new("lab_read_file", good_arguments("lab_read_file")));
    let mut readings = Readings::none();
    readings.breaker(BreakerReading::default());
    let unknown = denied(decide(&policy, &principal("local"), &call, &readings, NOW));
    assert_eq!((unknown.layer(), unknown.reason().code()), (Layer::Budget, "budget-unknown"));
    assert!(unknown.for_operator().contains("the ledger gave no reading"));
    readings.budget(needs(&policy, &principal("local"), &call).charges[0].key().clone(), Reading::default());
    assert_eq!(code(&decide(&policy, &principal("local"), &call, &readings, NOW)), None);
}

#[test]
fn conduct_that_is_not_known_is_not_good() {
    let house = House::open();
    let (policy, call) = (house.policy(), casemate_policy::Call::new("lab_read_file", good_arguments("lab_read_file")));
    let unknown = decide(&policy, &principal("local"), &call, &Readings::none(), NOW);
    assert_eq!(denied(unknown).reason().code(), "breaker-unknown");
    assert!(needs(&policy, &principal("local"), &call).breaker.burst.is_some());
}

#[test]
fn no_approval_resumes_a_caller() {
    let house = House::open().with_approvers().rule("lab_operate", |rule| rule.approval.mode = ApprovalMode::Operator);
    let tripped = BreakerReading { denials: 100, ..BreakerReading::default() };
    let house = house.agreed("lab_operate", &["alice", "bob"]).knows(move |readings| readings.breaker(tripped.clone()));
    assert_eq!(house.code("lab_operate"), Some("breaker-opened"));
}

/// A house in which one call asks so many people.
fn asking(mode: ApprovalMode, quorum: u32) -> House {
    House::open().with_approvers().rule("lab_operate", |rule| rule.approval = ApprovalRule { quorum, ..ApprovalRule::of(mode) })
}

#[test]
fn a_call_that_people_agreed_to_is_permitted_with_their_agreement() {
    let house = asking(ApprovalMode::Operator, 2);
    assert_eq!(house.code("lab_operate"), Some("approval-required"));
    assert_eq!(house.clone().agreed("lab_operate", &["alice"]).code("lab_operate"), Some("approval-required"));
    assert_eq!(house.clone().agreed("lab_operate", &["alice", "alice", "carol"]).code("lab_operate"), Some("approval-required"));
    let permit = house.clone().agreed("lab_operate", &["bob", "alice"]).permit("lab_operate");
    let agreed = permit.agreed().unwrap();
    assert_eq!((permit.mode(), agreed.by.join(" ")), (Mode::Real, "alice bob".to_owned()));
    assert_eq!(agreed.id, house.approval("lab_operate", &[]).id);
    let other = house.agreed("lab_operate", &["bob", "alice"]).ask("local", "lab_operate", json!({ "group": "blue-lab" }));
    assert_eq!(code(&other), Some("approval-required"));
}

#[test]
fn an_approval_that_nobody_asks_for_is_not_used_up() {
    let approval = asking(ApprovalMode::Operator, 1).approval("lab_operate", &["alice"]);
    let with = |house: House| {
        house.knows({
            let approval = approval.clone();
            move |readings| readings.approval(approval.clone())
        })
    };
    let used = |permit: Permit| permit.agreed().is_some();
    assert!(used(with(asking(ApprovalMode::Operator, 1)).permit("lab_operate")));
    assert!(!used(with(asking(ApprovalMode::None, 1)).permit("lab_operate")));
    assert!(!used(with(asking(ApprovalMode::Operator, 1)).rule("lab_operate", |rule| rule.dry_run = true).permit("lab_operate")));
}

#[test]
fn what_was_shown_and_what_the_rule_says_now_both_hold() {
    let (two, one) = (asking(ApprovalMode::Operator, 2), asking(ApprovalMode::Operator, 1));
    let under = |asked: &House, people: &[&str], now: &House| {
        let approval = asked.approval("lab_operate", people);
        now.clone().knows(move |readings| readings.approval(approval.clone())).code("lab_operate")
    };
    assert_eq!(under(&two, &["alice"], &one), Some("approval-required"), "lowered later: two were asked for");
    assert_eq!(under(&one, &["alice"], &two), Some("approval-required"), "raised later: two are asked for now");
    assert_eq!(under(&one, &["alice", "bob"], &two), None);
    // Approvers come and go, and so do their roles.
    let commanders = one.clone().rule("lab_operate", |rule| rule.approval.roles = ["commander".parse().unwrap()].into());
    assert_eq!(under(&one, &["bob"], &commanders), Some("approval-required"));
    assert_eq!(under(&one, &["alice"], &commanders), None);
    let nobody = one.clone().guard(|guards| guards.approvers = Default::default());
    assert_eq!(under(&one, &["alice"], &nobody), Some("approval-required"));
    // Another plugin's build, another environment.
    let rebuilt = one.clone().rule("lab_operate", |rule| rule.digest = "bb".repeat(32));
    assert_eq!(under(&one, &["alice"], &rebuilt), Some("approval-required"));
    let stage = House { environment: Environment::Stage, ..one.clone() };
    assert_eq!(under(&one, &["alice"], &stage), Some("approval-required"));
    let late = House { now: NOW.plus_millis(3_600_000), ..one.clone() };
    assert_eq!(under(&one, &["alice"], &late), Some("approval-required"));
    let in_time = House { now: NOW.plus_millis(3_599_999), ..one.clone() };
    assert_eq!(under(&one, &["alice"], &in_time), None);
}

#[test]
fn the_person_at_the_client_is_enough_where_the_rule_says_so() {
    let by_client = |house: House| {
        let approval = OpenApproval { in_band: true, ..house.approval("lab_operate", &[]) };
        house.knows(move |readings| readings.approval(approval.clone()))
    };
    let permit = by_client(asking(ApprovalMode::InBand, 1)).permit("lab_operate");
    assert_eq!(permit.agreed().unwrap().by, ["in-band:local"]);
    assert_eq!(by_client(asking(ApprovalMode::Operator, 1)).code("lab_operate"), Some("approval-required"));
    assert_eq!(by_client(asking(ApprovalMode::InBand, 2)).code("lab_operate"), Some("approval-required"));
    // Whoever sits there has no role that anybody knows of.
    let commanders =
        asking(ApprovalMode::InBand, 1).rule("lab_operate", |rule| rule.approval.roles = ["commander".parse().unwrap()].into());
    assert_eq!(by_client(commanders.clone()).code("lab_operate"), Some("approval-required"));
    assert_eq!(commanders.agreed("lab_operate", &["alice"]).code("lab_operate"), None);
}

#[test]
fn a_call_that_waits_already_says_so() {
    let house = asking(ApprovalMode::Operator, 2);
    assert_eq!(deferred(house.call("lab_operate")).waiting(), None);
    let waiting = house.clone().agreed("lab_operate", &["alice"]);
    let found = deferred(waiting.call("lab_operate"));
    assert_eq!(found.waiting(), Some(&house.approval("lab_operate", &[]).id));
    assert_eq!((found.permit().mode(), found.permit().ceiling(), found.permit().agreed()), (Mode::DryRun, Effect::Read, None));
    let other = waiting.ask("local", "lab_operate", json!({ "group": "blue-lab" }));
    assert_eq!(deferred(other).waiting(), None, "another call");
    let late = House { now: NOW.plus_millis(3_600_000), ..waiting };
    assert_eq!(deferred(late.call("lab_operate")).waiting(), None, "it has expired");
}

#[test]
fn a_row_that_names_another_plan_than_it_shows_is_not_agreed_to() {
    let house = asking(ApprovalMode::Operator, 1);
    let mut approval = house.approval("lab_operate", &["alice"]);
    approval.subject = Arc::new(Subject { plan: json!({ "requests": [] , "more": 1 }), ..(*approval.subject).clone() });
    assert_eq!(house.knows(move |readings| readings.approval(approval.clone())).code("lab_operate"), Some("approval-required"));
}

/// The budget of an approved call has been spent by its own plan, and by nothing else.
#[test]
fn a_plan_does_not_spend_what_its_call_needs() {
    let house = asking(ApprovalMode::Operator, 1).grant(|grant| grant.budgets = vec![budget(&[], 1, "1h")]);
    let asked = house.agreed("lab_operate", &["alice"]);
    let spent = asked.clone().spent("lab_operate", 1, NOW);
    assert_eq!(spent.code("lab_operate"), Some("budget-exhausted"), "by others");
    let planned = |house: &House, approval: &House, calls: u64| {
        let id = approval.approval_id();
        let key: BudgetKey = needs(
            &house.policy(),
            &principal("local"),
            &casemate_policy::Call::new("lab_operate", good_arguments("lab_operate")),
        )
        .charges[0]
            .key()
            .clone();
        house.clone().knows(move |readings| readings.planned(id.clone(), key.clone(), calls))
    };
    assert_eq!(planned(&spent, &asked, 1).code("lab_operate"), None);
    assert_eq!(planned(&asked.clone().spent("lab_operate", 2, NOW), &asked, 1).code("lab_operate"), Some("budget-exhausted"));
    // Without the agreement there is nothing to give back.
    let alone = asking(ApprovalMode::Operator, 1).grant(|grant| grant.budgets = vec![budget(&[], 1, "1h")]);
    assert_eq!(planned(&alone.spent("lab_operate", 1, NOW), &asked, 1).code("lab_operate"), Some("budget-exhausted"));
}

impl House {
    fn approval_id(&self) -> casemate_policy::approval::ApprovalId {
        self.permit("lab_operate").agreed().unwrap().id.clone()
    }
}

#[test]
fn lowering_a_rate_is_enough() {
    let conduct = BreakerReading { denials: 3, ..BreakerReading::default() };
    let house = House::open().knows(move |readings| readings.breaker(conduct.clone()));
    assert_eq!(house.code("lab_tag"), None);
    let lower = |count| house.clone().guard(|guards| guards.breaker.denials = Some(Rate { count, per: "1m".parse().unwrap() }));
    assert_eq!(
        (lower(4).code("lab_tag"), lower(3).code("lab_tag"), lower(0).code("lab_tag")),
        (None, Some("breaker-opened"), Some("breaker-opened"))
    );
}
