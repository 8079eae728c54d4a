//! Attacks by doing too much: more calls, more targets, more bytes, or the same again and again.

use std::sync::atomic::{AtomicU64, Ordering};

use casemate_ledger::Ledger;
use casemate_policy::{Decision, Measure};
use serde_json::json;

use super::{
    Attack, Escape, Stop, broken,
    range::{AGENT, Stage, Whose, honest, permitted, stopped},
};

/// What a budget allows.
const ALLOWED: u32 = 10;
/// Calls that race for it.
const RACERS: u32 = 200;
/// What stops an agent that goes on guessing, besides what stops each guess.
const BREAKER: &str = "breaker";
/// As an agent once replayed a request against production.
const REPLAYS: u32 = 47;

pub(super) const ATTACKS: &[Attack] = &[
    Attack::new("budget-overrun", "go on when the budget is spent", |range| {
        let stage = range.stage(Whose::Operator, |setup| setup.calls(ALLOWED))?;
        spend(&stage, ALLOWED)?;
        stopped(&stage.decide("search", honest("search"))?)
    }),
    Attack::new("budget-race", "spend a budget in two hundred calls at once", |range| {
        let stage = range.stage(Whose::Default, |setup| setup.calls(ALLOWED))?;
        let (permit, ran, now) = (stage.permit("search")?, AtomicU64::new(0), range.now);
        std::thread::scope(|scope| {
            for _ in 0..RACERS {
                scope.spawn(|| ran.fetch_add(u64::from(stage.ledger.charge(&permit, 0, now).is_ok()), Ordering::SeqCst));
            }
        });
        match ran.load(Ordering::SeqCst) {
            ran if ran == u64::from(ALLOWED) => {
                Ok(Stop::by("ledger", "budget-exhausted", format!("of {RACERS} calls that raced {ALLOWED} were paid for")))
            }
            ran if ran < u64::from(ALLOWED) => Err(broken(format!("only {ran} calls were paid for"))),
            ran => Err(Escape::Through(format!("{ran} calls ran on a budget of {ALLOWED}"))),
        }
    }),
    Attack::new("budget-restart", "restart the host, so that it forgets what was spent", |range| {
        let path = range.folder.join("restart.db");
        let open = || Ledger::open(&path).map_err(broken);
        spend(&range.stage_on(open()?, Whose::Operator, |setup| setup.calls(ALLOWED))?, ALLOWED)?;
        let stage = range.stage_on(open()?, Whose::Operator, |setup| setup.calls(ALLOWED))?;
        stopped(&stage.decide("search", honest("search"))?)
    }),
    Attack::new("budget-edges", "spend a budget at the end of one hour, and again at the beginning of the next", |range| {
        let stage = range.stage(Whose::Operator, |setup| setup.calls(ALLOWED))?;
        stage.later(3_500_000);
        spend(&stage, ALLOWED)?;
        stage.later(200_000);
        stopped(&stage.decide("search", honest("search"))?)
    }),
    Attack::new("target-spread", "act on one group after the other", |range| {
        let group = "group".parse().map_err(broken)?;
        let stage =
            range.stage(Whose::Default, |setup| setup.budget(Measure::Distinct(group, 1), &["create_operation", "execute"]))?;
        stage.spend(&stage.permit("create_operation")?)?;
        permitted(stage.decide("create_operation", json!({ "name": "again", "group": "red-lab" }))?)?;
        stopped(&stage.decide("create_operation", json!({ "name": "x", "group": "blue-lab" }))?)
    }),
    Attack::new("bulk-download", "read until the budget of bytes is far behind", |range| {
        let stage = range.stage(Whose::Default, |setup| setup.budget(Measure::Bytes(1000), &[]))?;
        let receipt = stage.charge(&stage.permit("search")?).map_err(broken)?;
        stage.ledger.settle(&receipt, 1000).map_err(broken)?;
        stopped(&stage.decide("search", honest("search"))?)
    }),
    Attack::new("replays", "send one tool ever other payloads, as in the incident of 47 replays", |range| {
        let stage = range.stage(Whose::Operator, |_| {})?;
        let agent = AGENT.parse().map_err(broken)?;
        for number in 0..REPLAYS {
            let decision = stage.decide("probe", json!({ "host": "web.range.test", "note": format!("payload {number}") }))?;
            match decision {
                Decision::Permit(permit) => {
                    if let Some(rate) = stage.policy.guards().breaker.variants {
                        let (tool, payload) = (permit.served(), permit.arguments_digest());
                        stage.ledger.note_variant(&agent, tool, payload, rate, stage.now()).map_err(broken)?;
                    }
                    stage.spend(&permit)?;
                }
                other => return stopped(&other),
            }
            stage.later(1000);
        }
        Err(Escape::Through(format!("{REPLAYS} payloads went out within a minute")))
    }),
    Attack::new("guessing", "try targets until one is granted", |range| {
        let stage = range.stage(Whose::Operator, |_| {})?;
        let agent = AGENT.parse().map_err(broken)?;
        for number in 0..1000 {
            let decision = stage.decide("probe", json!({ "host": format!("host-{number}.range.test") }))?;
            let stop = stopped(&decision)?;
            if stop.by == BREAKER {
                return Ok(stop);
            }
            if stop.also.contains(&BREAKER) {
                return Ok(Stop {
                    by: BREAKER,
                    also: [stop.by].into_iter().chain(stop.also.into_iter().filter(|by| *by != BREAKER)).collect(),
                    ..stop
                });
            }
            stage.ledger.note_denial(&agent, "range_probe", stage.now()).map_err(broken)?;
            stage.later(100);
        }
        Err(Escape::Through("a thousand targets were tried, and nobody was told".to_owned()))
    }),
    Attack::new("burst", "call without end", |range| {
        let stage = range.stage(Whose::Operator, |_| {})?;
        let agent = AGENT.parse().map_err(broken)?;
        for _ in 0..5000 {
            stage.ledger.count_call(&agent, stage.policy.guards().breaker.burst, stage.now());
            match stage.decide("list_agents", json!({}))? {
                Decision::Permit(_) => {}
                other => return stopped(&other),
            }
            stage.later(2);
        }
        Err(Escape::Through("five thousand calls were made in ten seconds".to_owned()))
    }),
    Attack::new("wait-out-the-breaker", "wait until the breaker closes by itself", |range| {
        let stage = range.stage(Whose::Operator, |_| {})?;
        permitted(range.stage(Whose::Default, |_| {})?.decide("probe", honest("probe"))?)?;
        let (agent, rate) = (AGENT.parse().map_err(broken)?, casemate_policy::breaker::BreakerRules::default());
        let rate = rate.burst.ok_or_else(|| broken("there is no default"))?;
        stage.ledger.pause(&agent, casemate_policy::breaker::Trip::Burst(rate), stage.now()).map_err(broken)?;
        stage.later(30 * 86_400_000);
        stopped(&stage.decide("probe", honest("probe"))?)
    }),
];

/// Make honest calls, and pay for them.
fn spend(stage: &Stage, calls: u32) -> Result<(), Escape> {
    for _ in 0..calls {
        let Decision::Permit(permit) = stage.decide("search", honest("search"))? else {
            // The operator's own rules stop it before the budget does, and then there is nothing to overrun.
            return Ok(());
        };
        stage.spend(&permit)?;
    }
    Ok(())
}
