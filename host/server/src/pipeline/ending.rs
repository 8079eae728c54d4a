//! How a call ends: when its grant does, and what the client is told of it and the log is.

use std::time::Duration;

use casemate_audit::{Outcome, OutcomeFacts};
use casemate_policy::{
    Permit,
    egress::RefusalReason,
    output::{CheckedPlan, Flags, OutputRules, Screen, check, check_failure, check_lines, check_plan},
    session::Values,
};
use casemate_sandbox::{Effects, Ending, Fault, LogLevel, RunFacts};
use tokio_util::sync::CancellationToken;

use super::Line;
use crate::{
    clock,
    house::{Served, Serving},
    mcp::{Content, LogLine, Reply, Weight},
    record, reply,
};

/// Cancelled when a call's grant ends: by the clock, or because the operator took it back or changed it.
pub(super) struct GrantEnds {
    token: CancellationToken,
    timer: Option<tokio::task::JoinHandle<()>>,
}

impl GrantEnds {
    pub(super) fn of(serving: &Serving, permit: &Permit) -> Self {
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

    pub(super) fn token(&self) -> CancellationToken {
        self.token.clone()
    }
}

impl Drop for GrantEnds {
    fn drop(&mut self) {
        self.timer.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// A call's end, as it is told.
pub(super) struct Examined {
    pub(super) reply: Reply,
    pub(super) outcome: OutcomeFacts,
    /// Whether words of the plugin are in the reply.
    pub(super) outside: bool,
    /// What refused it on its way, and why, where something did.
    pub(super) refused: Option<(&'static str, &'static str)>,
    /// What its words look like.
    pub(super) flags: Flags,
    /// What may be shown of the plan, where it was planned.
    pub(super) plan: CheckedPlan,
}

impl Examined {
    /// Say what the words look like, to the client and to the log.
    pub(super) fn say_flags(&mut self) {
        self.outcome.flags = self.flags.iter().map(ToString::to_string).collect();
        reply::flag(&mut self.reply, &self.flags);
    }
}

/// What the client is told of how a call ended, and what the log is.
pub(super) fn examine(
    served: &Served,
    (rules, screen): (&OutputRules, &Screen),
    line: &Line,
    ending: Ending,
    facts: &RunFacts,
    audit_id: &str,
) -> Examined {
    let plugin = served.plugin.id().to_string();
    let redactor = &*served.plugin.redactor();
    let effects = facts.effects();
    let mut outcome = record::outcome(&line.call_id, facts);
    if effects == Effects::Unknown {
        outcome.outcome = Outcome::Unknown;
    }
    let mut outside = matches!(ending, Ending::Failed(_) | Ending::Planned(_));
    let (mut flags, mut planned) = (Flags::new(), CheckedPlan::default());
    if facts.unsent > 0 {
        outcome.detail = Some(format!("{} of the requests that were approved were not sent", facts.unsent));
    }
    let mut refused = None;
    let reply = match ending {
        Ending::Returned(raw) => {
            outcome.output_bytes = record::size(&raw);
            match check(raw, rules, line.max_result, redactor, screen) {
                Ok(output) => {
                    outcome.outcome = Outcome::Allowed;
                    outcome.ending = "returned".into();
                    outcome.labels = output.labels().iter().map(ToString::to_string).collect();
                    outcome.redactions = u64::try_from(output.redactions()).unwrap_or(u64::MAX);
                    flags.clone_from(output.flags());
                    outside = true;
                    reply::result(output, &plugin, audit_id)
                }
                Err(withheld) => {
                    refused = Some(("output", withheld.reason().code()));
                    outcome.ending = "withheld".into();
                    outcome.detail = Some(withheld.for_operator().to_owned());
                    reply::withheld(&withheld, effects, audit_id)
                }
            }
        }
        Ending::Failed(raw) => {
            let failure = check_failure(raw, redactor, screen);
            outcome.ending = "failed".into();
            flags.clone_from(failure.flags());
            outcome.detail = Some(format!("{}: {}", failure.kind().as_str(), failure.message()));
            reply::failed(&failure, &plugin, effects, audit_id)
        }
        Ending::Planned(plan) => {
            outcome.outcome = Outcome::Allowed;
            outcome.ending = "planned".into();
            outcome.plan_digest = Some(plan.digest());
            planned = check_plan(&plan, redactor, screen);
            flags.clone_from(planned.flags());
            reply::planned(&planned, &plan.digest(), &plugin, audit_id)
        }
        Ending::Refused(refusal) if refusal.reason() == RefusalReason::PlanMismatch => {
            refused = Some(("egress", refusal.reason().code()));
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
            refused = Some(("egress", refusal.reason().code()));
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
    Examined { reply, outcome, outside, refused, flags, plan: planned }
}

/// The values in a reply.
pub(super) fn said_in(reply: &Reply, shown: &mut Values) {
    reply.content.iter().for_each(|content| match content {
        Content::Text(text) => shown.text(text),
        Content::Link { uri, name, .. } => [uri, name].into_iter().for_each(|text| shown.text(text)),
        Content::Embedded { uri, text, .. } => [uri, text].into_iter().for_each(|text| shown.text(text)),
        Content::Image { .. } | Content::Audio { .. } => {}
    });
    reply.structured.iter().for_each(|structured| shown.add(structured));
    reply.log.iter().for_each(|line| shown.text(&line.text));
}

/// What a plugin said meanwhile, for whoever made the call. Only where its result is given: what is refused is refused with every word.
pub(super) fn log_lines(
    served: &Served,
    lines: &[casemate_sandbox::LogLine],
    screen: &Screen,
    flags: &mut Flags,
) -> Vec<LogLine> {
    let weight = |level| match level {
        LogLevel::Debug => Weight::Debug,
        LogLevel::Info => Weight::Info,
        LogLevel::Warn => Weight::Warn,
        LogLevel::Error => Weight::Error,
    };
    let logger = served.plugin.id().name.to_string();
    let lines = lines.iter().map(|line| (weight(line.level), &line.text));
    let checked = check_lines(lines, Weight::Warn, &served.plugin.redactor(), screen, flags);
    checked.into_iter().map(|(weight, text)| LogLine { logger: logger.clone(), weight, text }).collect()
}
