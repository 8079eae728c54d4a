//! The one way through. Every call, from every entry point, is one call of [`pass`].

use casemate_audit::{AuditError, CallFacts, EventId, Outcome, OutcomeFacts};
use casemate_ledger::{ChargeError, Receipt};
use casemate_policy::{
    Call, Decision, Denied, Permit, Principal, charges, decide,
    output::{OutputRules, check, check_failure},
};
use casemate_sandbox::{CallSettings, Ending, Exchange, ExchangeStatus, Fault, Run, RunFacts};
use tokio::task::block_in_place;
use tracing::{error, info};

use crate::{
    clock,
    house::{House, Served, Serving},
    mcp::Reply,
    record,
    reply::{self, Effects, Refused},
};

/// One call, from the moment its caller is known to the answer.
///
/// catalog → policy → ledger → audit (intent) → sandbox (with egress inside) → output → audit (outcome). Each step takes what only the
/// step before can make; a step that fails ends the call with an answer that says so. `via` is the entry point's name.
pub async fn pass(house: &House, principal: &Principal, call: Call, via: &'static str, settings: CallSettings) -> Reply {
    // catalog: what is served as this call begins, and stays so for it
    let serving = house.serving();
    let facts = record::call(&serving, &call, via);

    // policy: every layer looks at the call, and one no is enough
    let permit = match judge(house, &serving, principal, &call) {
        Ok(Decision::Permit(permit)) => permit,
        Ok(Decision::Denied(denied)) => return refused(house, &denied, facts).await,
        Ok(Decision::Deferred(deferred)) => {
            let recorded = house.log.deferred(&deferred, facts, clock::now()).await;
            return told(recorded, |id| reply::deferred(&deferred, id));
        }
        Err(reason) => return unavailable(&reason),
    };
    let Some(served) = serving.plugin(permit.plugin()) else { return unavailable("the plugin is not loaded") };
    let Some(rules) = served.rules(permit.served().as_str()) else { return unavailable("the tool has no output rules") };
    // What was taken out of service since is not called; what is from here on is stopped by its token.
    if let Some(why) = served.life.ended() {
        let recorded = house.log.withdrawn(&permit, facts, record::unloaded(why), clock::now()).await;
        return told(recorded, reply::unloaded);
    }

    // ledger: what the call costs, taken whole or not at all
    let receipt = match ask(permit.charges(), |_| house.ledger.charge(&permit, clock::now())) {
        Ok(receipt) => receipt,
        Err(error) => return not_charged(house, &serving, principal, &call, &permit, facts, error).await,
    };

    // audit: the intent is written, and from `write` up it is on disk, before anything happens
    let call_id = facts.call_id.clone();
    let line = Line {
        call_id: &call_id,
        tool: permit.served().to_string(),
        principal: principal.id().to_string(),
        mode: permit.mode().as_str(),
    };
    let recorded = match house.log.begin(permit, facts, clock::now()).await {
        Ok(recorded) => recorded,
        Err(reason) => {
            give_back(house, receipt);
            return unavailable(&reason);
        }
    };
    let id = recorded.id();

    // sandbox: a fresh instance, whose every request goes through the egress gate
    let settings = CallSettings { unloaded: served.life.token(), ..settings };
    let Run { ending, facts: spent } = house.runtime.run(&served.plugin, recorded, settings).await;
    served.log(&call_id, &spent.log);
    if is_free(&ending, &spent) {
        give_back(house, receipt);
    }

    // output: what the plugin says is checked before anybody sees it
    let (reply, outcome) = examine(served, rules, &line, ending, &spent, &id.to_string());

    // audit: the outcome, chained to the intent
    let ended = outcome.ending.clone();
    match house.log.outcome(id, outcome, clock::now()).await {
        Ok(_) => {
            info!(audit_id = %id, tool = %line.tool, principal = %line.principal, mode = line.mode, ended = %ended, ms = spent.spent.wall.as_millis(), "call");
            reply
        }
        Err(reason) => {
            error!(audit_id = %id, %reason, "how a call ended could not be recorded; its result was withheld");
            reply::unrecorded(Effects::of(&spent), &id.to_string())
        }
    }
}

/// What the log line of a call says.
struct Line<'a> {
    call_id: &'a str,
    tool: String,
    principal: String,
    mode: &'static str,
}

/// The layers' word on a call, with the ledger's readings of this moment.
fn judge(house: &House, serving: &Serving, principal: &Principal, call: &Call) -> Result<Decision, String> {
    let now = clock::now();
    let keys = charges(serving.policy(), principal, call.tool());
    let readings = ask(&keys, |keys| house.ledger.readings(keys, now)).map_err(|error| error.to_string())?;
    Ok(decide(serving.policy(), principal, call, &readings, now))
}

/// Ask the ledger about budgets. It waits for the disk, so this thread's other work moves to another one meanwhile, which costs more
/// than most calls do. Where there are no budgets there is nothing to wait for, and the thread keeps its work.
fn ask<B, T>(budgets: &[B], question: impl FnOnce(&[B]) -> T) -> T {
    if budgets.is_empty() { question(budgets) } else { block_in_place(|| question(budgets)) }
}

async fn refused(house: &House, denied: &Denied, facts: CallFacts) -> Reply {
    let recorded = house.log.denied(denied, facts, clock::now()).await;
    info!(tool = %denied.tool().escape_debug(), reason = denied.reason().code(), layer = denied.layer().as_str(), "denied");
    told(recorded, |id| reply::denied(denied, id))
}

/// Another call took the last of the budget between the reading and the charge, or the ledger is out of order.
async fn not_charged(
    house: &House,
    serving: &Serving,
    principal: &Principal,
    call: &Call,
    permit: &Permit,
    facts: CallFacts,
    error: ChargeError,
) -> Reply {
    // The layers say it best: asked again, with the readings of now, they deny for the budget.
    if matches!(error, ChargeError::Exhausted { .. })
        && let Ok(Decision::Denied(denied)) = judge(house, serving, principal, call)
    {
        return refused(house, &denied, facts).await;
    }
    let withdrawal = record::withdrawal(&error);
    let (reason, retry_after_ms) = (withdrawal.reason.clone(), withdrawal.retry_after_ms);
    let recorded = house.log.withdrawn(permit, facts, withdrawal, clock::now()).await;
    let message = error.to_string();
    told(recorded, |id| {
        Refused {
            decision: "denied",
            reason: &reason,
            message: message.lines().next().unwrap_or_default(),
            effects: Effects::None,
            remedy: if retry_after_ms.is_some() { "Wait before calling again." } else { "" },
            retry_after_ms,
        }
        .reply(id)
    })
}

/// Whether a call costs nothing: it never ran, or all it tried was to reach an upstream that could not be reached. What ran
/// and was refused, planned, or stopped at a limit is paid for: a budget also bounds trying.
fn is_free(ending: &Ending, facts: &RunFacts) -> bool {
    let never_ran =
        matches!(ending, Ending::Fault(Fault::Busy { .. } | Fault::Cancelled | Fault::Unloaded)) && facts.spent.fuel == 0;
    let unreachable = |exchange: &Exchange| matches!(exchange.status, ExchangeStatus::NotSent { .. });
    never_ran || (!facts.exchanges.is_empty() && facts.exchanges.iter().all(unreachable))
}

fn give_back(house: &House, receipt: Receipt) {
    if let Err(reason) = block_in_place(|| house.ledger.refund(receipt)) {
        // Spent although nothing was sent: wrong on the safe side, and worth knowing.
        tracing::warn!(%reason, "a budget could not be given back");
    }
}

/// What the client is told of how a call ended, and what the log is.
fn examine(
    served: &Served,
    rules: &OutputRules,
    line: &Line<'_>,
    ending: Ending,
    facts: &RunFacts,
    audit_id: &str,
) -> (Reply, OutcomeFacts) {
    let plugin = served.plugin.id().to_string();
    let redactor = served.plugin.redactor();
    let effects = Effects::of(facts);
    let mut outcome = record::outcome(line.call_id, facts);
    if effects == Effects::Unknown {
        outcome.outcome = Outcome::Unknown;
    }
    let reply = match ending {
        Ending::Returned(raw) => {
            outcome.output_bytes = record::size(&raw);
            match check(raw, rules, redactor) {
                Ok(output) => {
                    outcome.outcome = Outcome::Allowed;
                    outcome.ending = "returned".into();
                    outcome.labels = output.labels().iter().map(ToString::to_string).collect();
                    outcome.redactions = u64::try_from(output.redactions()).unwrap_or(u64::MAX);
                    reply::result(output, &plugin, audit_id)
                }
                Err(withheld) => {
                    outcome.ending = "withheld".into();
                    outcome.detail = Some(withheld.for_operator().to_owned());
                    reply::withheld(&withheld, effects, audit_id)
                }
            }
        }
        Ending::Failed(raw) => {
            let failure = check_failure(raw, redactor);
            outcome.ending = "failed".into();
            outcome.detail = Some(format!("{}: {}", failure.kind().as_str(), failure.message()));
            reply::failed(&failure, &plugin, effects, audit_id)
        }
        Ending::Planned(plan) => {
            outcome.outcome = Outcome::Allowed;
            outcome.ending = "planned".into();
            outcome.plan_digest = Some(plan.digest());
            reply::planned(&plan, redactor, &plugin, audit_id)
        }
        Ending::Refused(refusal) => {
            if effects != Effects::Unknown {
                outcome.outcome = Outcome::Denied;
            }
            outcome.ending = "egress-refused".into();
            outcome.detail = Some(format!("{}: {}", refusal.reason().code(), refusal.for_operator()));
            let (reason, detail) = (refusal.reason().code(), refusal.for_operator());
            tracing::warn!(audit_id, tool = line.tool, reason, detail, "a plugin's request was refused");
            reply::gate(&refusal, effects, audit_id)
        }
        Ending::Fault(fault) => {
            let (ending, detail) = record::fault(&fault, served.life.ended());
            outcome.ending = ending.into();
            if !matches!(fault, Fault::Cancelled) {
                tracing::warn!(audit_id, tool = line.tool, ending, detail = %detail.escape_debug(), "a call ended in a fault");
            }
            outcome.detail = Some(detail);
            reply::fault(&fault, effects, audit_id)
        }
    };
    (reply, outcome)
}

/// An answer, if what it is about could be written down.
fn told(recorded: Result<EventId, AuditError>, reply: impl FnOnce(&str) -> Reply) -> Reply {
    match recorded {
        Ok(id) => reply(&id.to_string()),
        Err(reason) => unavailable(&reason),
    }
}

/// The host cannot keep its own rules, so it does nothing. The cause is the operator's.
fn unavailable(reason: &(impl std::fmt::Display + ?Sized)) -> Reply {
    error!(%reason, "a call was refused because the host cannot record or account for it");
    Refused {
        decision: "denied",
        reason: "unavailable",
        message: "the host cannot record or account for calls, so it makes none",
        remedy: "Nothing you can do helps. The operator has to look at the host's log.",
        effects: Effects::None,
        retry_after_ms: None,
    }
    .reply("none")
}
