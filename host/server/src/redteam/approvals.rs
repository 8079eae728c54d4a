//! Attacks on what people agreed to: other requests, more calls, other people.

use std::sync::atomic::{AtomicUsize, Ordering};

use casemate_policy::{
    Decision, Permit,
    approval::Said,
    egress::{Conduct, Verdict},
    text::visible,
};

use super::{
    Attack, Escape, Stop, broken,
    range::{Range, Setup, Stage, Whose, create, deferred, held, honest, permitted, request, sent, signed, stopped, unsent},
};

/// Its tool.
const TOOL: &str = "create_operation";
/// The request that it plans.
const PLANNED: &str = r#"{"name":"drill","group":"red-lab","state":"paused"}"#;
/// Calls that race for one approval.
const RACERS: usize = 32;

pub(super) const ATTACKS: &[Attack] = &[
    Attack::new("dry-run-write", "write in a dry run", |range| {
        let stage = dry(range, Whose::Operator)?;
        unsent(stage.run(&plan_only(&stage)?, None).check(create(PLANNED)))
    }),
    Attack::new("dry-run-detection", "tell a dry run from a real one before the first write, and behave", |range| {
        let (real, dry) = (range.stage(Whose::Default, |_| {})?, dry(range, Whose::Default)?);
        let (real, dry) = (real.run(&real.permit(TOOL)?, None), dry.run(&plan_only(&dry)?, None));
        let seen = |mut run: Conduct| -> Result<String, Escape> {
            let mut seen = String::new();
            for outgoing in [request("GET", "/agents"), request("GET", "/agents")] {
                match run.check(outgoing) {
                    Verdict::Send(checked) => {
                        seen.push_str(&format!("{} {} {:?};", checked.method().as_str(), checked.url(), checked.headers()))
                    }
                    other => return Err(broken(format!("a read is not sent: {other:?}"))),
                }
            }
            // Whatever it does next ends a dry run, and an end is not an answer that a plugin could look at.
            Ok(seen)
        };
        match seen(real)? == seen(dry)? {
            true => Ok(Stop::by(
                "dry-run",
                "indistinguishable",
                "until the first write both are sent the same answers to the same requests",
            )),
            false => Err(Escape::Through("reads differ between a dry run and a real one".to_owned())),
        }
    }),
    Attack::new("no-approval", "run without anybody's approval", |range| {
        let stage = asking(range, 1)?;
        stopped(&stage.decide(TOOL, honest(TOOL))?)
    }),
    Attack::new("plan-swap", "have one plan approved, and send another request", |range| {
        mismatch(range, r#"{"name":"something else","group":"red-lab","state":"paused"}"#)
    }),
    Attack::new("plan-edit", "change a word of the request after it was approved", |range| {
        mismatch(range, r#"{"name":"Drill","group":"red-lab","state":"paused"}"#)
    }),
    Attack::new("plan-repeat", "send the approved request twice", |range| {
        let (stage, permit) = approved(range)?;
        let mut run = stage.run(&permit, Some(held(&permit)?));
        sent(run.check(create(PLANNED)))?;
        unsent(run.check(create(PLANNED)))
    }),
    Attack::new("approval-replay", "run twice under one approval", |range| {
        let (stage, permit) = approved(range)?;
        stage.spend(&permit)?;
        let decision = stage.decide(TOOL, honest(TOOL))?;
        match stage.charge(&permit) {
            Err(error) => {
                stopped(&decision).map(|stop| Stop { said: error.lines().next().unwrap_or_default().to_owned(), ..stop })
            }
            Ok(_) => Err(Escape::Through("an approval is good for two calls".to_owned())),
        }
    }),
    Attack::new("approval-race", "use one approval in many calls at once", |range| {
        let (stage, permit) = approved(range)?;
        let (won, now) = (AtomicUsize::new(0), range.now);
        std::thread::scope(|scope| {
            for _ in 0..RACERS {
                scope.spawn(|| won.fetch_add(usize::from(stage.ledger.charge(&permit, 0, now).is_ok()), Ordering::SeqCst));
            }
        });
        match won.load(Ordering::SeqCst) {
            1 => Ok(Stop::by("ledger", "approval-used", format!("of {RACERS} calls that raced for one approval one got it"))),
            0 => Err(broken("no call got the approval")),
            won => Err(Escape::Through(format!("{won} calls ran under one approval"))),
        }
    }),
    Attack::new("other-arguments", "have one call approved, and make another", |range| {
        let (stage, _) = approved(range)?;
        stopped(&stage.decide(TOOL, serde_json::json!({ "name": "drill", "group": "blue-lab" }))?)
    }),
    Attack::new("borrowed-approval", "use an approval that somebody else asked for", |range| {
        let (stage, _) = approved(range)?;
        stopped(&stage.decide_for("token:redteam-other", "range_create_operation", honest(TOOL))?)
    }),
    Attack::new("self-approval", "approve one's own call", |range| {
        let stage = asking(range, 1)?;
        let (id, subject) = stage.request(TOOL)?;
        stage.approve("redteam-agent", &id, &subject)?;
        stopped(&stage.decide(TOOL, honest(TOOL))?)
    }),
    Attack::new("forged-vote", "sign an approval in an approver's name with another key", |range| {
        let stage = asking(range, 1)?;
        let (id, subject) = stage.request(TOOL)?;
        let (statement, vote) = signed("stranger", "redteam-ann", Said::Approve, &subject, stage.now())?;
        // Whoever can write the ledger can put it there.
        stage.ledger.vote(&id, &statement, &vote, stage.now()).map_err(broken)?;
        stopped(&stage.decide(TOOL, honest(TOOL))?)
    }),
    Attack::new("unknown-approver", "approve as somebody whom the operator never named", |range| {
        let stage = asking(range, 1)?;
        let (id, subject) = stage.request(TOOL)?;
        let (statement, vote) = signed("stranger", "redteam-stranger", Said::Approve, &subject, stage.now())?;
        stage.ledger.vote(&id, &statement, &vote, stage.now()).map_err(broken)?;
        stopped(&stage.decide(TOOL, honest(TOOL))?)
    }),
    Attack::new("bait-and-switch", "have a harmless call signed, and hand the signature in for another", |range| {
        let stage = asking(range, 1)?;
        let (id, subject) = stage.request(TOOL)?;
        let mut harmless = subject.clone();
        harmless.plan = serde_json::json!({ "requests": [] });
        let (statement, vote) = signed("redteam-ann", "redteam-ann", Said::Approve, &harmless, stage.now())?;
        match stage.ledger.vote(&id, &statement, &vote, stage.now()) {
            Err(error) => Ok(Stop::by("ledger", "approval-changed", error.to_string().lines().next().unwrap_or_default())),
            Ok(()) => Err(Escape::Through("a signature counts for another call".to_owned())),
        }
    }),
    Attack::new("one-person-quorum", "be two people with one key", |range| {
        let stage = asking(range, 2)?;
        let (id, subject) = stage.request(TOOL)?;
        stage.approve("redteam-ann", &id, &subject)?;
        // The ledger says so already; a forged row would still be one person.
        let (statement, vote) = signed("redteam-ann", "redteam-bob", Said::Approve, &subject, stage.now())?;
        stage.ledger.vote(&id, &statement, &vote, stage.now()).map_err(broken)?;
        stopped(&stage.decide(TOOL, honest(TOOL))?)
    }),
    Attack::new("late-approval", "use an approval after its time", |range| {
        let (stage, _) = approved(range)?;
        stage.later(3_600_001);
        stopped(&stage.decide(TOOL, honest(TOOL))?)
    }),
    Attack::new("deny-then-approve", "go on after one approver said no", |range| {
        let stage = asking(range, 1)?;
        let (id, subject) = stage.request(TOOL)?;
        let (statement, vote) = signed("redteam-bob", "redteam-bob", Said::Deny, &subject, stage.now())?;
        stage.ledger.vote(&id, &statement, &vote, stage.now()).map_err(broken)?;
        match stage.approve("redteam-ann", &id, &subject) {
            Err(_) => stopped(&stage.decide(TOOL, honest(TOOL))?),
            Ok(()) => Err(Escape::Through("an approver is heard after another said no".to_owned())),
        }
    }),
    Attack::new("in-band-consent", "have the client say yes where an approver must", |range| {
        let stage = asking(range, 1)?;
        let (id, subject) = stage.request(TOOL)?;
        let digest = subject.digest().ok_or_else(|| broken("a subject has no form"))?;
        stage.ledger.agree_in_band(&id, &digest, stage.now()).map_err(broken)?;
        stopped(&stage.decide(TOOL, honest(TOOL))?)
    }),
    Attack::new("hidden-text", "show an approver less than will be sent", |_| {
        let evil = "group: red-lab\u{202e}\u{2066}noitcudorp\u{2069}\u{200b}\u{1b}[2K\r";
        let shown = visible(evil);
        let hidden = shown
            .chars()
            .find(|c| c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        match hidden {
            None => Ok(Stop::by("approval", "made-visible", shown.into_owned())),
            Some(hidden) => Err(Escape::Through(format!("{hidden:?} is shown as it is"))),
        }
    }),
];

/// Under whose rules calls of the tool are only planned.
fn dry(range: &Range<'_>, whose: Whose) -> Result<Stage, Escape> {
    range.stage(whose, |setup| setup.tool(TOOL, |rule| rule.dry_run = true))
}

fn plan_only(stage: &Stage) -> Result<Permit, Escape> {
    match stage.decide(TOOL, honest(TOOL))? {
        Decision::Permit(permit) => Ok(permit),
        // It waits for somebody, and is planned meanwhile: that is a dry run too.
        Decision::Deferred(deferred) => Ok(deferred.into_permit()),
        Decision::Denied(denied) => Err(broken(format!("a dry run is denied: {}", denied.message()))),
    }
}

/// Under which calls of the tool need so many people. That with enough of them it runs is shown first.
fn asking(range: &Range<'_>, quorum: u32) -> Result<Stage, Escape> {
    let setup = |setup: &mut Setup| setup.ask(TOOL, quorum);
    let honest_stage = range.stage(Whose::Default, setup)?;
    deferred(honest_stage.decide(TOOL, honest(TOOL))?)?;
    let (id, subject) = honest_stage.request(TOOL)?;
    for who in ["redteam-ann", "redteam-bob"].into_iter().take(quorum.try_into().unwrap_or(usize::MAX)) {
        honest_stage.approve(who, &id, &subject)?;
    }
    let permit = permitted(honest_stage.decide(TOOL, honest(TOOL))?)?;
    sent(honest_stage.run(&permit, Some(held(&permit)?)).check(create(PLANNED)))?;
    range.stage(Whose::Default, setup)
}

/// A call that was approved, and may be made once.
fn approved(range: &Range<'_>) -> Result<(Stage, Permit), Escape> {
    let stage = asking(range, 1)?;
    let (id, subject) = stage.request(TOOL)?;
    stage.approve("redteam-ann", &id, &subject)?;
    let permit = permitted(stage.decide(TOOL, honest(TOOL))?)?;
    Ok((stage, permit))
}

/// A run that sends another request than was approved.
fn mismatch(range: &Range<'_>, other: &str) -> Result<Stop, Escape> {
    let (stage, permit) = approved(range)?;
    unsent(stage.run(&permit, Some(held(&permit)?)).check(create(other)))
}
