//! The one way through. Every call, from every entry point, is one call of [`pass`].

mod answer;

use std::{ops::ControlFlow, time::Duration};

use casemate_audit::{AuditError, CallFacts, EventFacts, EventId, EventKind, Outcome, OutcomeFacts};
use casemate_ledger::{ApprovalError, ChargeError, Observation, Receipt};
use casemate_policy::{
    Call, Decision, Deferred, Denied, GrantName, Layer, Mode, Permit, Principal, ServedName,
    approval::{ApprovalId, Subject},
    breaker::Trip,
    decide,
    egress::{Plan, RefusalReason},
    needs,
    output::{OutputRules, check, check_failure},
    session::Values,
};
use casemate_sandbox::{CallSettings, Effects, Ending, Exchange, ExchangeStatus, Fault, ProgressReport, Run, RunFacts};
use casemate_signing::manifest::Effect;
use serde_json::Value;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::block_in_place,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::{
    clock,
    house::{House, Served, Serving},
    mcp::{Answer, Content, Reply},
    record,
    reply::{self, Refused},
};

/// Reports of one call that wait to be remembered; more are lost.
const REPORTS: usize = 16;

/// How a call came in.
#[derive(Debug)]
pub struct Entry {
    /// The entry point's name, for the log.
    pub via: &'static str,
    /// What the person at the client said, where the call brings an answer with it.
    pub answer: Option<Answer>,
    /// Where the call is made because of this approval: then no other is asked for.
    pub awaits: Option<ApprovalId>,
}

/// One call, from the moment its caller is known to the answer.
///
/// catalog → policy → ledger → audit (intent) → sandbox (with egress inside) → output → ledger (what was read) → audit (outcome). Each step
/// takes what only the step before can make; a step that fails ends the call with an answer that says so.
///
/// A call that waits for a person goes the same way, as a dry run, and its plan is what the person is asked about. Where they may agree at the
/// client, the reply brings the question; the same call with the answer goes the same way again.
pub async fn pass(house: &House, principal: &Principal, call: Call, entry: Entry, settings: CallSettings) -> Reply {
    // catalog: what is served as this call begins, and stays so for it
    let serving = house.serving();
    // Whoever has answered is not asked again.
    let way = Way { house, serving: &serving, principal, call: &call, asks: entry.answer.is_none() };
    let facts = record::call(&serving, &call, entry.via);
    house.ledger.count_call(principal.id(), clock::now());

    // approval: an answer that the call brings is believed, or the call ends
    if let Some(answer) = &entry.answer
        && let ControlFlow::Break(reply) = way.hear(answer, &facts).await
    {
        return reply;
    }

    // policy: every layer looks at the call, and one no is enough
    match way.judge() {
        Ok(Decision::Permit(permit)) => match &entry.awaits {
            Some(awaited) if permit.agreed().is_none_or(|agreed| agreed.id != *awaited) => way.not_awaited(awaited, facts).await,
            _ => way.walk(permit, facts, settings, None).await,
        },
        Ok(Decision::Denied(denied)) => way.refused(&denied, facts).await,
        Ok(Decision::Deferred(deferred)) => match (&entry.awaits, deferred.waiting()) {
            (Some(awaited), _) => way.awaits(&deferred, awaited, facts).await,
            // It was planned when it was asked for: nothing has to be read again to say that it still waits.
            (None, Some(id)) => way.waits(&deferred, id, None, facts).await,
            // What only reads has no plan that it could be held up by: nothing of it is run before somebody agrees.
            (None, None) if deferred.effect() == Effect::Read => way.ask_first(&deferred, facts).await,
            (None, None) => way.walk(deferred.permit().clone(), facts, settings, Some(&deferred)).await,
        },
        Err(reason) => unavailable(&reason),
    }
}

/// One call and what it passes through.
struct Way<'a> {
    house: &'a House,
    serving: &'a Serving,
    principal: &'a Principal,
    call: &'a Call,
    /// Whether the person at the client may be asked something.
    asks: bool,
}

impl Way<'_> {
    /// The layers' word on the call, with the ledger's readings of this moment.
    fn judge(&self) -> Result<Decision, String> {
        let (policy, now) = (self.serving.policy(), clock::now());
        let needs = needs(policy, self.principal, self.call);
        // It waits for no writer, and so for no disk.
        let readings = self.house.ledger.readings(&needs, policy.guards().session, now).map_err(|error| error.to_string())?;
        Ok(decide(policy, self.principal, self.call, &readings, now))
    }

    /// Everything behind the decision. `deferred` is what waits for a person, and then the permit is for its dry run.
    async fn walk(&self, permit: Permit, facts: CallFacts, settings: CallSettings, deferred: Option<&Deferred>) -> Reply {
        let Self { house, serving, .. } = *self;
        let Some(served) = serving.plugin(permit.plugin()) else { return unavailable("the plugin is not loaded") };
        let Some(rules) = served.rules(permit.served().as_str()) else { return unavailable("the tool has no output rules") };
        // What was taken out of service since is not called; what is from here on is stopped by its token.
        if let Some(why) = served.life.ended() {
            let recorded = house.log.withdrawn(&permit, facts, record::unloaded(why), clock::now()).await;
            return told(recorded, reply::unloaded);
        }

        // ledger: what the call costs, and the approval that it uses up, taken whole or not at all
        let receipt = match self.charge(&permit, served) {
            Ok(receipt) => receipt,
            Err(error) => return self.not_charged(&permit, facts, error).await,
        };

        // audit: the intent is written, and from `write` up it is on disk, before anything happens
        let arguments = facts.arguments.clone();
        let line = Line::of(&permit, &facts.call_id, rules);
        let ends = GrantEnds::of(serving, &permit);
        let recorded = match house.log.begin(permit, facts.clone(), clock::now()).await {
            Ok(recorded) => recorded,
            Err(reason) => {
                give_back(house, receipt);
                return unavailable(&reason);
            }
        };
        let id = recorded.id();

        // sandbox: a fresh instance, whose every request goes through the egress gate
        let audit_id = id.to_string();
        let (progress, reports) = overheard(settings.progress.is_some());
        let settings = CallSettings {
            unloaded: served.life.token(),
            grant_ended: ends.token(),
            response_bytes: receipt.bytes(),
            ..settings
        };
        let (sink, settings) = (settings.progress, CallSettings { progress, ..settings });
        let (run, ()) = tokio::join!(
            house.runtime.run(&served.plugin, recorded, settings),
            self.pass_on(reports, sink, &line, rules, &audit_id)
        );
        let Run { ending, facts: spent } = run;
        served.log(&line.call_id, &spent.log);
        let receipt = settle(house, receipt, &ending, &spent);

        // output: what the plugin says is checked before anybody sees it
        let planned = match (&ending, deferred) {
            (Ending::Planned(plan), Some(deferred)) => Some((deferred, deferred.subject(arguments, plan, clock::now()))),
            // This time it would change nothing. What it has read is for after somebody agreed.
            (Ending::Returned(_), Some(deferred)) => {
                Some((deferred, deferred.subject(arguments, &Plan::default(), clock::now())))
            }
            _ => None,
        };
        let overstepped = matches!(&ending, Ending::Refused(refusal) if refusal.reason() != RefusalReason::PlanMismatch);
        let Examined { mut reply, mut outcome, outside } = examine(served, rules, &line, ending, &spent, &id.to_string());

        // ledger: what the session has read, before it has
        if outside && let Err(reason) = self.remember(&line, rules, |shown| said_in(&reply, shown), &audit_id) {
            error!(audit_id = %id, %reason, "what a call returned could not be remembered; its result was withheld");
            outcome.ending = "unremembered".into();
            reply = reply::unrecorded(spent.effects(), &id.to_string());
        }

        // audit: the outcome, chained to the intent
        let ended = outcome.ending.clone();
        match house.log.outcome(id, outcome, clock::now()).await {
            Ok(_) => {
                info!(audit_id = %id, tool = %line.tool, principal = %line.principal, mode = line.mode, ended = %ended, ms = spent.spent.wall.as_millis(), "call");
            }
            Err(reason) => {
                error!(audit_id = %id, %reason, "how a call ended could not be recorded; its result was withheld");
                return reply::unrecorded(spent.effects(), &id.to_string());
            }
        }
        if overstepped {
            self.count_denial(line.served.as_str());
        }
        match (planned, receipt) {
            (Some((deferred, subject)), Some(receipt)) => self.request(deferred, &subject, receipt, facts).await,
            (Some(_), None) => unavailable("a call that waits for a person was given back what it cost"),
            (None, _) => reply,
        }
    }

    /// Ask a person about a call that only reads, before anything of it is run.
    async fn ask_first(&self, deferred: &Deferred, facts: CallFacts) -> Reply {
        let permit = deferred.permit();
        let Some(served) = self.serving.plugin(permit.plugin()) else { return unavailable("the plugin is not loaded") };
        let receipt = match self.charge(permit, served) {
            Ok(receipt) => receipt,
            Err(error) => return self.not_charged(permit, facts, error).await,
        };
        let subject = deferred.subject(facts.arguments.clone(), &Plan::default(), clock::now());
        self.request(deferred, &subject, receipt, facts).await
    }

    fn charge(&self, permit: &Permit, served: &Served) -> Result<Receipt, ChargeError> {
        let now = clock::now();
        let ledger = &self.house.ledger;
        let limits = served.plugin.limits();
        let most = u64::try_from(limits.response_bytes).unwrap_or(u64::MAX).saturating_mul(limits.requests);
        let writes = permit.effect() > Effect::Read && permit.mode() == Mode::Real;
        // Where there is nothing to write there is nothing to wait for, and the thread keeps its work.
        if permit.charges().is_empty()
            && permit.agreed().is_none()
            && !writes
            && !self.serving.policy().counts_sessions(permit.grant())
        {
            return ledger.charge(permit, most, now);
        }
        block_in_place(|| {
            if self.serving.policy().counts_sessions(permit.grant()) {
                ledger.begin_session(self.principal.id(), permit.grant(), now)?;
            }
            if writes
                && let Some(rate) = self.serving.policy().guards().breaker.variants
                && !ledger.note_variant(self.principal.id(), permit.served(), permit.arguments_digest(), rate, now)?
            {
                return Err(ChargeError::Variants { tool: permit.served().clone() });
            }
            ledger.charge(permit, most, now)
        })
    }

    async fn refused(&self, denied: &Denied, facts: CallFacts) -> Reply {
        let recorded = self.house.log.denied(denied, facts, clock::now()).await;
        info!(tool = %denied.tool().escape_debug(), reason = denied.reason().code(), layer = denied.layer().as_str(), "denied");
        self.misconduct(denied).await;
        told(recorded, |id| reply::denied(denied, id))
    }

    /// What a refusal does to its caller's standing.
    async fn misconduct(&self, denied: &Denied) {
        match (denied.trip(), denied.layer()) {
            (Some(trip), _) => self.pause(trip).await,
            // Whoever waits for a budget or is paused already does what it was told, or nothing new; and what is not there for a caller
            // any more is the operator's doing.
            (None, Layer::Budget | Layer::Breaker | Layer::Catalog | Layer::Identity) => {}
            (None, _) => self.count_denial(denied.tool()),
        }
    }

    async fn pause(&self, trip: Trip) {
        let who = self.principal.id();
        match block_in_place(|| self.house.ledger.pause(who, trip, clock::now())) {
            Ok(true) => {
                tracing::warn!(principal = %who, why = %trip, "a caller was paused");
                let event = EventFacts {
                    kind: EventKind::BreakerOpened,
                    principal: who.to_string(),
                    outcome: Outcome::Denied,
                    fields: serde_json::json!({ "limit": trip.as_str(), "why": trip.to_string() }),
                };
                self.house.note(event).await;
            }
            Ok(false) => {}
            Err(reason) => error!(%reason, principal = %who, "a caller could not be paused"),
        }
    }

    fn count_denial(&self, tool: &str) {
        if self.serving.policy().guards().breaker.denials.is_none() {
            return;
        }
        let who = self.principal.id();
        if let Err(reason) = block_in_place(|| self.house.ledger.note_denial(who, tool, clock::now())) {
            error!(%reason, principal = %who, "a refusal could not be counted");
        }
    }

    /// Another call took the last of the budget, of the payloads or the approval between the reading and the charge, or the ledger is out
    /// of order.
    async fn not_charged(&self, permit: &Permit, facts: CallFacts, error: ChargeError) -> Reply {
        // The layers say it best: asked again, with the readings of now, they deny for the budget or the breaker.
        if matches!(error, ChargeError::Exhausted { .. } | ChargeError::Variants { .. })
            && let Ok(Decision::Denied(denied)) = self.judge()
        {
            return self.refused(&denied, facts).await;
        }
        let withdrawal = record::withdrawal(&error);
        let (reason, retry_after_ms) = (withdrawal.reason.clone(), withdrawal.retry_after_ms);
        let recorded = self.house.log.withdrawn(permit, facts, withdrawal, clock::now()).await;
        let message = error.to_string();
        let remedy = match (&error, retry_after_ms) {
            (ChargeError::Approval { .. }, _) => {
                "An approval is good for one call. If this one has not been made, ask for another approval by calling again."
            }
            (_, Some(_)) => "Wait before calling again.",
            _ => "",
        };
        told(recorded, |id| {
            Refused {
                decision: "denied",
                reason: &reason,
                message: message.lines().next().unwrap_or_default(),
                effects: Effects::None,
                remedy,
                retry_after_ms,
            }
            .reply(id)
        })
    }

    /// The call was planned: ask for the approval of exactly that.
    async fn request(&self, deferred: &Deferred, subject: &Subject, receipt: Receipt, facts: CallFacts) -> Reply {
        let house = self.house;
        match block_in_place(|| house.ledger.request(subject, receipt)) {
            Ok(id) => {
                info!(approval = %id, tool = %deferred.served(), principal = %self.principal.id(), "a call waits for approval");
                self.waits(deferred, &id, Some(&subject.plan), facts).await
            }
            Err(error @ ApprovalError::TooMany { .. }) => {
                let recorded = house.log.deferred(deferred, None, facts, clock::now()).await;
                let message = error.to_string();
                told(recorded, |audit_id| reply::too_many(message.lines().next().unwrap_or_default(), audit_id))
            }
            Err(error) => unavailable(&error),
        }
    }

    /// The call waits for this approval. `plan` is what it would send, where it was planned just now.
    async fn waits(&self, deferred: &Deferred, id: &ApprovalId, plan: Option<&Value>, facts: CallFacts) -> Reply {
        let recorded = self.house.log.deferred(deferred, Some(id), facts, clock::now()).await;
        let question = if self.asks { self.question(deferred, id) } else { None };
        told(recorded, |audit_id| Reply { question, ..reply::waiting(deferred, id, plan, audit_id) })
    }

    /// Pass on what a plugin says while it runs. It is read like a result: no word goes out before the session holds it.
    async fn pass_on(
        &self,
        reports: Option<Receiver<ProgressReport>>,
        sink: Option<Sender<ProgressReport>>,
        line: &Line,
        rules: &OutputRules,
        audit_id: &str,
    ) {
        let (Some(mut reports), Some(sink)) = (reports, sink) else { return };
        while let Some(report) = reports.recv().await {
            match self.remember(line, rules, |shown| shown.text(&report.message), audit_id) {
                // A full channel means a slow client.
                Ok(()) => drop(sink.try_send(report)),
                Err(reason) => error!(audit_id, %reason, "what a call reported could not be remembered; it was not passed on"),
            }
        }
    }

    /// What a plugin's words brought into the session: their labels, and where flow rules ask for it, their values.
    fn remember(&self, line: &Line, rules: &OutputRules, shows: impl FnOnce(&mut Values), audit_id: &str) -> Result<(), String> {
        let labels: Vec<_> = rules.labels().iter().collect();
        if labels.is_empty() {
            return Ok(());
        }
        let (mut said, mut shown) = (Values::default(), Values::default());
        if self.serving.policy().remembers(self.principal) {
            said.add(self.call.arguments());
            shows(&mut shown);
        }
        let seen = Observation {
            principal: self.principal.id(),
            grant: &line.grant,
            tool: &line.served,
            labels: &labels,
            said: &said,
            shown: &shown,
            audit_id,
        };
        self.house.ledger.observe(&seen, self.serving.policy().guards().session, clock::now()).map_err(|error| error.to_string())
    }
}

/// The values in a reply.
fn said_in(reply: &Reply, shown: &mut Values) {
    reply.content.iter().for_each(|content| match content {
        Content::Text(text) => shown.text(text),
        Content::Link { uri, name, .. } => [uri, name].into_iter().for_each(|text| shown.text(text)),
        Content::Image { .. } => {}
    });
    reply.structured.iter().for_each(|structured| shown.add(structured));
}

/// Where a plugin's progress is heard before the client that `asked` for it hears it.
fn overheard(asked: bool) -> (Option<Sender<ProgressReport>>, Option<Receiver<ProgressReport>>) {
    asked.then(|| channel(REPORTS)).unzip()
}

/// What is said of a call after its permit has gone on.
struct Line {
    call_id: String,
    served: ServedName,
    grant: GrantName,
    tool: String,
    principal: String,
    mode: &'static str,
    /// Bytes of the result.
    max_result: usize,
}

impl Line {
    fn of(permit: &Permit, call_id: &str, rules: &OutputRules) -> Self {
        Self {
            call_id: call_id.to_owned(),
            served: permit.served().clone(),
            grant: permit.grant().clone(),
            tool: permit.served().to_string(),
            principal: permit.principal().id().to_string(),
            mode: permit.mode().as_str(),
            max_result: permit.max_result().unwrap_or(usize::MAX).min(rules.max_bytes()),
        }
    }
}

/// Cancelled when a call's grant ends: by the clock, or because the operator took it back or changed it.
struct GrantEnds {
    token: CancellationToken,
    timer: Option<tokio::task::JoinHandle<()>>,
}

impl GrantEnds {
    fn of(serving: &Serving, permit: &Permit) -> Self {
        let token = serving.grant(permit.grant()).child_token();
        let timer = permit.ends().map(|end| {
            let (token, left) = (token.clone(), Duration::from_millis(end.since(clock::now())));
            tokio::spawn(async move {
                tokio::time::sleep(left).await;
                token.cancel();
            })
        });
        Self { token, timer }
    }

    fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

impl Drop for GrantEnds {
    fn drop(&mut self) {
        self.timer.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// What a call costs in the end. Gives the receipt of what stays spent.
fn settle(house: &House, receipt: Receipt, ending: &Ending, facts: &RunFacts) -> Option<Receipt> {
    if is_free(ending, facts) {
        give_back(house, receipt);
        return None;
    }
    if receipt.bytes().is_some() {
        let answered = facts.exchanges.iter().map(|exchange| match exchange.status {
            ExchangeStatus::Answered { bytes, .. } => u64::try_from(bytes).unwrap_or(u64::MAX),
            ExchangeStatus::NotSent { .. } => 0,
            // How much came is not known: all that was reserved counts.
            ExchangeStatus::Pending | ExchangeStatus::Broken { .. } => u64::MAX,
        });
        let bytes = answered.fold(0_u64, u64::saturating_add);
        if let Err(reason) = block_in_place(|| house.ledger.settle(&receipt, bytes)) {
            tracing::warn!(%reason, "a budget of bytes could not be settled");
        }
    }
    Some(receipt)
}

/// Whether a call costs nothing: it never ran, or it failed and all it tried was to reach an upstream that could not be reached. What
/// ran and returned, was refused, planned, or stopped at a limit is paid for: a budget also bounds trying.
fn is_free(ending: &Ending, facts: &RunFacts) -> bool {
    let never_ran = matches!(ending, Ending::Fault(Fault::Busy { .. } | Fault::Cancelled | Fault::Unloaded | Fault::GrantEnded))
        && facts.spent.fuel == 0;
    let unreachable = |exchange: &Exchange| matches!(exchange.status, ExchangeStatus::NotSent { .. });
    let failed = matches!(ending, Ending::Failed(_) | Ending::Fault(_));
    never_ran || (failed && !facts.exchanges.is_empty() && facts.exchanges.iter().all(unreachable))
}

fn give_back(house: &House, receipt: Receipt) {
    if let Err(reason) = block_in_place(|| house.ledger.refund(receipt)) {
        // Spent although nothing was sent: wrong on the safe side, and worth knowing.
        tracing::warn!(%reason, "a budget could not be given back");
    }
}

/// A call's end, as it is told.
struct Examined {
    reply: Reply,
    outcome: OutcomeFacts,
    /// Whether words of the plugin are in the reply.
    outside: bool,
}

/// What the client is told of how a call ended, and what the log is.
fn examine(served: &Served, rules: &OutputRules, line: &Line, ending: Ending, facts: &RunFacts, audit_id: &str) -> Examined {
    let plugin = served.plugin.id().to_string();
    let redactor = served.plugin.redactor();
    let effects = facts.effects();
    let mut outcome = record::outcome(&line.call_id, facts);
    if effects == Effects::Unknown {
        outcome.outcome = Outcome::Unknown;
    }
    let mut outside = matches!(ending, Ending::Failed(_) | Ending::Planned(_));
    if facts.unsent > 0 {
        outcome.detail = Some(format!("{} of the requests that were approved were not sent", facts.unsent));
    }
    let reply = match ending {
        Ending::Returned(raw) => {
            outcome.output_bytes = record::size(&raw);
            match check(raw, rules, line.max_result, redactor) {
                Ok(output) => {
                    outcome.outcome = Outcome::Allowed;
                    outcome.ending = "returned".into();
                    outcome.labels = output.labels().iter().map(ToString::to_string).collect();
                    outcome.redactions = u64::try_from(output.redactions()).unwrap_or(u64::MAX);
                    outside = true;
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
        Ending::Refused(refusal) if refusal.reason() == RefusalReason::PlanMismatch => {
            if effects != Effects::Unknown {
                outcome.outcome = Outcome::Denied;
            }
            outcome.ending = "plan-mismatch".into();
            outcome.detail = Some(refusal.for_operator().to_owned());
            tracing::warn!(
                audit_id,
                tool = line.tool,
                detail = refusal.for_operator(),
                "an approved call deviated from its plan"
            );
            reply::plan_mismatch(effects, audit_id)
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
    Examined { reply, outcome, outside }
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
