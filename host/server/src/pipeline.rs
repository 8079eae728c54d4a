//! The one way through. Every call, from every entry point, is one call of [`pass`].

mod answer;
mod conduct;
mod cost;
mod details;
mod ending;
mod place;
mod source;

use std::ops::ControlFlow;

use casemate_audit::{AuditError, CallFacts, EventId, Withdrawal};
use casemate_ledger::{ApprovalError, Observation, Receipt};
use casemate_policy::{
    Call, Decision, Deferred, Denied, GrantName, Permit, Principal, ServedName,
    approval::{ApprovalId, Subject},
    decide,
    egress::{Plan, RefusalReason},
    needs,
    output::{CheckedPlan, Flags, OutputRules, check_progress},
    session::Values,
};
use casemate_sandbox::{CallSettings, Effects, Ending, Place, ProgressReport, Run};
use casemate_signing::manifest::Effect;
use serde_json::Value;
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::block_in_place,
};
use tracing::{error, info};

use crate::{
    clock,
    house::{House, Serving},
    mcp::{Answer, Reply},
    record,
    reply::{self, Refused},
    telemetry::{Stage, Watch},
    trace::{Lineage, TraceParent},
};
use cost::{give_back, settle};
use details::Listening;
use ending::{Examined, GrantEnds, examine, log_lines, said_in};

/// Reports of one call that wait to be remembered; more are lost.
const REPORTS: usize = 16;

/// The `_meta` key of an answer to a call that is in no log.
const UNRECORDED: &str = "casemate.dev/unrecorded";

/// How a call came in.
#[derive(Debug)]
pub struct Entry {
    /// The entry point's name, for the log.
    pub via: &'static str,
    /// What the person at the client said, where the call brings an answer with it.
    pub answer: Option<Answer>,
    /// Where the call is made because of this approval: then no other is asked for.
    pub awaits: Option<ApprovalId>,
    /// Under which trace the client makes it.
    pub trace: Option<TraceParent>,
}

impl Entry {
    /// A call that brings nothing with it.
    pub fn plain(via: &'static str) -> Self {
        Self { via, answer: None, awaits: None, trace: None }
    }
}

/// One call, from the moment its caller is known to the answer.
///
/// catalog → policy → a place → ledger → audit (intent) → sandbox (with egress inside) → output → ledger (what was read) → audit (outcome). Each step
/// takes what only the step before can make; a step that fails ends the call with an answer that says so.
///
/// A call that waits for a person goes the same way, as a dry run, and its plan is what the person is asked about. Where they may agree at the
/// client, the reply brings the question; the same call with the answer goes the same way again.
pub async fn pass(house: &House, principal: &Principal, call: Call, entry: Entry, settings: CallSettings) -> Reply {
    // catalog: what is served as this call begins, and stays so for it
    let serving = house.serving();
    // Whoever has answered is not asked again.
    let facts = record::call(&serving, &call, entry.via, entry.trace);
    let lineage = house.telemetry.lineage(entry.trace, &facts.call_id);
    let watch = &house.telemetry.watch(&serving, principal, &call, (&facts.call_id, entry.via), lineage);
    let way = Way { house, serving: &serving, principal, call: &call, asks: entry.answer.is_none(), watch, lineage };

    // approval: an answer that the call brings is believed, or the call ends
    let heard = match &entry.answer {
        None => ControlFlow::Continue(false),
        Some(answer) => {
            let _stage = watch.stage(Stage::Approval);
            way.hear(answer, &facts).await
        }
    };
    // What was asked about is one call with what is made of it, and it was counted when it came in.
    if entry.awaits.is_none() && heard != ControlFlow::Continue(true) {
        house.ledger.count_call(principal.id(), serving.policy().guards().breaker.burst, clock::now());
    }
    if let ControlFlow::Break(reply) = heard {
        return reply;
    }

    // policy: every layer looks at the call, and one no is enough
    let mut judged = way.judged();
    // sandbox: what would run has its place before it costs anything, and before an approval is used for it. Whoever had to wait for one
    // is judged again: what the session has read, and what is paused or spent, may be another by then.
    let place = match judged
        .as_ref()
        .ok()
        .and_then(|decision| place::runs(decision, entry.awaits.as_ref()))
        .filter(|_| !call.reads_source())
    {
        None => None,
        Some(permit) => match way.place(permit, &settings).await {
            Ok(place) => Some(place),
            Err(fault) => return way.placeless(permit, &fault, facts).await,
        },
    };
    if place.as_ref().is_some_and(Place::waited) {
        judged = way.judged();
    }
    match judged {
        // A log source: the same steps, and a file in place of the sandbox.
        Ok(Decision::Permit(permit)) if call.reads_source() => way.read_source(permit, facts, settings.cancel).await,
        Ok(Decision::Deferred(deferred)) if call.reads_source() => way.refused_source(&deferred, facts).await,
        Ok(Decision::Permit(permit)) => match &entry.awaits {
            Some(awaited) if permit.agreed().is_none_or(|agreed| agreed.id != *awaited) => way.not_awaited(awaited, facts).await,
            _ => way.walk(permit, facts, settings, place, None).await,
        },
        Ok(Decision::Denied(denied)) => way.refused(&denied, facts).await,
        Ok(Decision::Deferred(deferred)) => match (&entry.awaits, deferred.waiting()) {
            (Some(awaited), _) => way.awaits(&deferred, awaited, facts).await,
            // It was planned when it was asked for: nothing has to be read again to say that it still waits.
            (None, Some(id)) => way.waits(&deferred, id, None, facts).await,
            // What only reads has no plan that it could be held up by: nothing of it is run before somebody agrees.
            (None, None) if deferred.effect() == Effect::Read => way.ask_first(&deferred, facts).await,
            (None, None) => way.walk(deferred.permit().clone(), facts, settings, place, Some(&deferred)).await,
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
    /// Who is told how it goes, if anybody is.
    watch: &'a Watch<'a>,
    /// Under which trace it is made.
    lineage: Lineage,
}

impl Way<'_> {
    /// The layers' word, as a stage of the call.
    fn judged(&self) -> Result<Decision, String> {
        let _stage = self.watch.stage(Stage::Policy);
        self.judge()
    }

    /// The layers' word on the call, with the ledger's readings of this moment.
    fn judge(&self) -> Result<Decision, String> {
        let (policy, now) = (self.serving.policy(), clock::now());
        let needs = needs(policy, self.principal, self.call);
        // It waits for no writer, and so for no disk.
        let readings = self.house.ledger.readings(&needs, policy.guards().session, now).map_err(|error| error.to_string())?;
        Ok(decide(policy, self.principal, self.call, &readings, now))
    }

    /// Everything behind the decision. `deferred` is what waits for a person, and then the permit is for its dry run.
    async fn walk(
        &self,
        permit: Permit,
        facts: CallFacts,
        settings: CallSettings,
        place: Option<Place>,
        deferred: Option<&Deferred>,
    ) -> Reply {
        let Self { house, serving, .. } = *self;
        let Some(place) = place else { return unavailable("a call that is to run has no place to run in") };
        let Some(served) = serving.plugin(permit.plugin()) else { return unavailable("the plugin is not loaded") };
        let Some(rules) = served.rules(permit.served().as_str()) else { return unavailable("the tool has no output rules") };
        // What was taken out of service since is not called; what is from here on is stopped by its token.
        if let Some(why) = served.life.ended() {
            let recorded = self.withdrawn(&permit, facts, record::unloaded(why)).await;
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
        let mut settings = settings;
        let listening = Listening::to(&permit, self.call.arguments(), &facts.arguments, &mut settings.transport);
        self.watch.permitted(line.mode);
        let stage = self.watch.stage(Stage::Intent);
        let begun = house.log.begin(permit, facts.clone(), clock::now()).await;
        drop(stage);
        let recorded = match begun {
            Ok(recorded) => recorded,
            Err(reason) => {
                give_back(house, receipt);
                return unavailable(&reason);
            }
        };
        let (id, written) = (recorded.id(), recorded.is_written());
        if !written {
            error!(audit_id = %id, tool = %line.tool, principal = %line.principal, "a call that only reads is made, and nothing of it is recorded: the audit log cannot be written");
        }

        // sandbox: a fresh instance, whose every request goes through the egress gate
        let audit_id = id.to_string();
        let (progress, reports) = overheard(settings.progress.is_some());
        let settings = CallSettings {
            unloaded: served.life.token(),
            grant_ended: ends.token(),
            response_bytes: receipt.bytes(),
            traceparent: served.plugin.is_traced().then(|| self.lineage.traceparent()),
            ..settings
        };
        let (sink, settings) = (settings.progress, CallSettings { progress, ..settings });
        let screen = serving.screen(&line.served);
        let heard = |message: &str, flags: &mut Flags| check_progress(message, &served.plugin.redactor(), &screen, flags);
        let stage = self.watch.stage(Stage::Sandbox);
        let (run, said) = tokio::join!(
            house.runtime.run(&served.plugin, recorded, settings, place),
            self.pass_on(reports, sink, heard, &line, rules, &audit_id)
        );
        drop(stage);
        let Run { ending, facts: spent } = run;
        self.watch.ran(&spent);
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
        let stage = self.watch.stage(Stage::Output);
        let mut examined = examine(served, (rules, &screen), &line, ending, &spent, &id.to_string());
        examined.flags.extend(said);
        if examined.outside && planned.is_none() && serving.config().log_lines {
            examined.reply.log = log_lines(served, &spent.log, &screen, &mut examined.flags);
        }
        examined.say_flags();
        let Examined { mut reply, mut outcome, outside, refused, plan, .. } = examined;
        drop(stage);

        // ledger: what the session has read, before it has
        let stage = outside.then(|| self.watch.stage(Stage::Ledger));
        let held = if outside { self.remember(&line, rules, |shown| said_in(&reply, shown), &audit_id) } else { Ok(()) };
        drop(stage);
        if let Err(reason) = held {
            error!(audit_id = %id, %reason, "what a call returned could not be remembered; its result was withheld");
            outcome.ending = "unremembered".into();
            reply = reply::unrecorded(spent.effects(), &id.to_string());
        }

        // audit: what a call that executes or destroys sent and got, on disk before the outcome that names it
        if let Some(listening) = listening {
            match listening.keep(house, id, &served.plugin.redactor()) {
                Ok(kept) => outcome.details = kept,
                Err(reason) => {
                    error!(audit_id = %id, %reason, "what a call sent and got could not be kept; its result was withheld");
                    return reply::unrecorded(spent.effects(), &id.to_string());
                }
            }
        }

        // audit: the outcome, chained to the intent
        let ended = outcome.ending.clone();
        self.watch.ended(&outcome, refused);
        let stage = self.watch.stage(Stage::Outcome);
        let recorded = house.log.outcome(id, outcome, clock::now()).await;
        drop(stage);
        match recorded {
            Ok(_) => {
                info!(audit_id = %id, tool = %line.tool, principal = %line.principal, mode = line.mode, ended = %ended, ms = spent.spent.wall.as_millis(), "call");
            }
            Err(reason) => {
                error!(audit_id = %id, %reason, "how a call ended could not be recorded; its result was withheld");
                return reply::unrecorded(spent.effects(), &id.to_string());
            }
        }
        if !written {
            reply.meta.insert(UNRECORDED.to_owned(), Value::Bool(true));
        }
        if overstepped {
            self.count_denial(line.served.as_str());
        }
        match (planned, receipt) {
            (Some((deferred, subject)), Some(receipt)) => self.request(deferred, &subject, &plan, receipt, facts).await,
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
        self.request(deferred, &subject, &CheckedPlan::default(), receipt, facts).await
    }

    async fn refused(&self, denied: &Denied, facts: CallFacts) -> Reply {
        self.watch.denied(denied.layer().as_str(), denied.reason().code());
        let stage = self.watch.stage(Stage::Outcome);
        let recorded = self.house.log.denied(denied, facts, clock::now()).await;
        drop(stage);
        info!(tool = %denied.tool().escape_debug(), reason = denied.reason().code(), layer = denied.layer().as_str(), "denied");
        self.misconduct(denied).await;
        told(recorded, |id| reply::denied(denied, id))
    }

    /// The call was planned: ask for the approval of exactly that. `plan` is what the model may see of it.
    async fn request(
        &self,
        deferred: &Deferred,
        subject: &Subject,
        plan: &CheckedPlan,
        receipt: Receipt,
        facts: CallFacts,
    ) -> Reply {
        let house = self.house;
        match block_in_place(|| house.ledger.request(subject, receipt)) {
            Ok(id) => {
                info!(approval = %id, tool = %deferred.served(), principal = %self.principal.id(), "a call waits for approval");
                self.waits(deferred, &id, Some(plan), facts).await
            }
            Err(error @ ApprovalError::TooMany { .. }) => {
                self.watch.denied("approval", "too-many-waiting");
                let recorded = house.log.deferred(deferred, None, facts, clock::now()).await;
                let message = error.to_string();
                told(recorded, |audit_id| reply::too_many(message.lines().next().unwrap_or_default(), audit_id))
            }
            Err(error) => unavailable(&error),
        }
    }

    /// The call waits for this approval. `plan` is what it would send, where it was planned just now. The question is about all of it.
    async fn waits(&self, deferred: &Deferred, id: &ApprovalId, plan: Option<&CheckedPlan>, facts: CallFacts) -> Reply {
        self.watch.deferred();
        let stage = self.watch.stage(Stage::Outcome);
        let recorded = self.house.log.deferred(deferred, Some(id), facts, clock::now()).await;
        drop(stage);
        let question = if self.asks { self.question(deferred, id) } else { None };
        told(recorded, |audit_id| Reply { question, ..reply::waiting(deferred, id, plan, audit_id) })
    }

    /// A permitted call is not made after all: on record.
    async fn withdrawn(&self, permit: &Permit, facts: CallFacts, why: Withdrawal) -> Result<EventId, AuditError> {
        self.watch.denied(why.layer.clone(), why.reason.clone());
        let _stage = self.watch.stage(Stage::Outcome);
        self.house.log.withdrawn(permit, facts, why, clock::now()).await
    }

    /// Pass on what a plugin says while it runs. It is `checked` and read like a result: no word goes out before the session holds it.
    /// Gives what the words look like.
    async fn pass_on(
        &self,
        reports: Option<Receiver<ProgressReport>>,
        sink: Option<Sender<ProgressReport>>,
        checked: impl Fn(&str, &mut Flags) -> String,
        line: &Line,
        rules: &OutputRules,
        audit_id: &str,
    ) -> Flags {
        let mut flags = Flags::new();
        let (Some(mut reports), Some(sink)) = (reports, sink) else { return flags };
        while let Some(mut report) = reports.recv().await {
            report.message = checked(&report.message, &mut flags);
            match self.remember(line, rules, |shown| shown.text(&report.message), audit_id) {
                // A full channel means a slow client.
                Ok(()) => drop(sink.try_send(report)),
                Err(reason) => error!(audit_id, %reason, "what a call reported could not be remembered; it was not passed on"),
            }
        }
        flags
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
