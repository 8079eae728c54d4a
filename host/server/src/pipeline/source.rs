//! A read of a log source: the steps of every call, with a file of the operator's where the sandbox is for a tool.

use std::path::PathBuf;

use casemate_audit::{CallFacts, Outcome, OutcomeFacts};
use casemate_policy::{
    Deferred, Permit,
    output::{OutputRules, RawContent, RawOutput, check, of_bytes},
};
use casemate_sandbox::Effects;
use serde_json::json;
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{Line, Way, cost::give_back, ending::said_in, told, unavailable};
use crate::{
    clock,
    config::SourceConfig,
    house::source::{Part, Slice, read},
    mcp::Reply,
    record,
    reply::{self, Refused},
    telemetry::Stage,
};

/// The `_meta` key of where in the file a part stands.
const RANGE: &str = "casemate.dev/range";
/// Bytes that a result counts beside its text.
const BESIDE: usize = 64;

impl Way<'_> {
    /// Nobody is asked whether a file may be read: the operator's grant says so, or nothing does.
    pub(super) async fn refused_source(&self, deferred: &Deferred, facts: CallFacts) -> Reply {
        self.watch.denied("approval", deferred.reason().code());
        let recorded = self.house.log.deferred(deferred, None, facts, clock::now()).await;
        told(recorded, |id| {
            Refused {
                decision: "denied",
                reason: deferred.reason().code(),
                message: deferred.message(),
                remedy: "Sources are not approved one by one. Tell the user what you wanted to read and why.",
                effects: Effects::None,
                retry_after_ms: None,
            }
            .reply(id)
        })
    }

    /// Everything behind the decision. No part of the file goes out before the session holds it and the log says how the read ended.
    pub(super) async fn read_source(&self, permit: Permit, facts: CallFacts, cancel: CancellationToken) -> Reply {
        let Self { house, serving, .. } = *self;
        let Some((name, source)) = serving.source(permit.served()) else { return unavailable("the source is not configured") };
        // A byte that is no text becomes a character of three.
        let rules = match source.rule.output(source.max_bytes.saturating_mul(3).saturating_add(BESIDE)) {
            Ok(rules) => rules,
            Err(reason) => return unavailable(&reason),
        };
        let most = permit.max_result().map_or(source.max_bytes, |most| most.saturating_sub(BESIDE).min(source.max_bytes));

        // ledger: what the read costs
        let receipt = match self.charge_up_to(&permit, u64::try_from(most).unwrap_or(u64::MAX)) {
            Ok(receipt) => receipt,
            Err(error) => return self.not_charged(&permit, facts, error).await,
        };
        let most = receipt.bytes().map_or(most, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX).min(most));

        // audit: the intent
        let line = Line::of(&permit, &facts.call_id, &rules);
        self.watch.permitted(line.mode);
        let stage = self.watch.stage(Stage::Intent);
        let begun = house.log.begin(permit, facts, clock::now()).await;
        drop(stage);
        let recorded = match begun {
            Ok(recorded) => recorded,
            Err(reason) => {
                give_back(house, receipt);
                return unavailable(&reason);
            }
        };
        let (id, audit_id) = (recorded.id(), recorded.id().to_string());

        // the file, in place of the sandbox
        let began = std::time::Instant::now();
        let stage = self.watch.stage(Stage::Sandbox);
        let part = if source.is_text() { Part::of(self.call.arguments()) } else { Part::Whole };
        let read = match source.file(self.call.arguments()) {
            Some(path) => read_part(path, part, most, cancel).await,
            None => Err(("source-unreadable", "the read does not say which file".to_owned())),
        };
        drop(stage);
        let mut outcome = ended(&line, began);
        let reply = match read {
            Ok(slice) => {
                let bytes = u64::try_from(slice.bytes.len()).unwrap_or(u64::MAX);
                if let Err(reason) = block_in_place(|| house.ledger.settle(&receipt, bytes)) {
                    tracing::warn!(%reason, "a budget of bytes could not be settled");
                }
                outcome.output_bytes = bytes;
                self.shown(slice, source, &rules, &line, &mut outcome, &audit_id)
            }
            Err((ending, detail)) => {
                give_back(house, receipt);
                (outcome.ending, outcome.detail) = (ending.into(), Some(detail));
                let remedy = "The file may come back; the operator has to look if it does not.";
                let message = if ending == "cancelled" { "the read was cancelled" } else { "the source cannot be read now" };
                Refused { decision: "error", reason: ending, message, remedy, effects: Effects::None, retry_after_ms: None }
                    .reply(&audit_id)
            }
        };

        // ledger: what the session has read, before it has
        let mut reply = reply;
        if !reply.is_error
            && let Err(reason) = self.remember(&line, &rules, |shown| said_in(&reply, shown), &audit_id)
        {
            error!(audit_id, %reason, "what was read could not be remembered; it was withheld");
            (outcome.ending, outcome.outcome) = ("unremembered".into(), Outcome::Error);
            reply = reply::unrecorded(Effects::None, &audit_id);
        }

        // audit: the outcome
        self.watch.ended(&outcome, None);
        let _stage = self.watch.stage(Stage::Outcome);
        match house.log.outcome(id, outcome, clock::now()).await {
            Ok(_) => {
                info!(audit_id, source = %name, principal = %line.principal, "read");
                reply
            }
            Err(reason) => {
                error!(audit_id, %reason, "how a read ended could not be recorded; it was withheld");
                reply::unrecorded(Effects::None, &audit_id)
            }
        }
    }

    /// What was read, as a result: without secrets that this host holds, with hidden characters visible, and marked as data.
    fn shown(
        &self,
        slice: Slice,
        source: &SourceConfig,
        rules: &OutputRules,
        line: &Line,
        outcome: &mut OutcomeFacts,
        audit_id: &str,
    ) -> Reply {
        let length = slice.bytes.len();
        let content =
            if source.is_text() { self.text(&slice.bytes, outcome) } else { of_bytes(source.media_type.clone(), slice.bytes) };
        // Nothing can be taken out of bytes: where a secret is in them, they are withheld.
        let secret = |content: &RawContent| match content {
            RawContent::Image { data, .. } | RawContent::Audio { data, .. } => {
                self.serving.redactors().find(|one| one.is_in(data))
            }
            _ => None,
        };
        let redactor = secret(&content).unwrap_or_default();
        let raw = RawOutput { content: vec![content], structured: None };
        match check(raw, rules, line.max_result, &redactor, &self.serving.screen(&line.served)) {
            Ok(output) => {
                (outcome.outcome, outcome.ending) = (Outcome::Allowed, "returned".into());
                outcome.labels = output.labels().iter().map(ToString::to_string).collect();
                outcome.flags = output.flags().iter().map(ToString::to_string).collect();
                let flags = output.flags().clone();
                let mut reply = reply::result(output, &format!("source {}", source.rule.name()), audit_id);
                let range = json!({ "offset": slice.offset, "length": length, "size": slice.size });
                reply.meta.insert(RANGE.to_owned(), range);
                reply::flag(&mut reply, &flags);
                reply
            }
            Err(withheld) => {
                (outcome.ending, outcome.detail) = ("withheld".into(), Some(withheld.for_operator().to_owned()));
                reply::withheld(&withheld, Effects::None, audit_id)
            }
        }
    }
}

impl Way<'_> {
    /// Text, without secrets that this host holds.
    fn text(&self, bytes: &[u8], outcome: &mut OutcomeFacts) -> RawContent {
        let (mut text, mut redactions) = (String::from_utf8_lossy(bytes).into_owned(), 0);
        for redactor in self.serving.redactors() {
            let (clean, found) = redactor.redact(&text);
            redactions += found;
            text = clean.into_owned();
        }
        outcome.redactions = u64::try_from(redactions).unwrap_or(u64::MAX);
        RawContent::Text(text)
    }
}

/// The part of the file, or how the read ended and why.
async fn read_part(path: PathBuf, part: Part, most: usize, cancel: CancellationToken) -> Result<Slice, (&'static str, String)> {
    let reading = tokio::task::spawn_blocking(move || read(&path, part, most));
    tokio::select! {
        () = cancel.cancelled() => Err(("cancelled", "the caller no longer wanted it".to_owned())),
        read = reading => match read {
            Ok(Ok(slice)) => Ok(slice),
            Ok(Err(error)) => Err(("source-unreadable", error.to_string())),
            Err(error) => Err(("source-unreadable", error.to_string())),
        },
    }
}

fn ended(line: &Line, began: std::time::Instant) -> OutcomeFacts {
    let mut outcome = record::nothing_sent(&line.call_id);
    outcome.duration_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    outcome
}
