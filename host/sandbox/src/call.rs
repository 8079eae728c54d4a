//! One call from outside: what it is given, how it can end, and what is known of it afterwards.

use std::{
    fmt,
    net::IpAddr,
    time::{Duration, Instant},
};

use casemate_policy::{
    egress::{Checked, Plan, Refusal},
    output::{RawFailure, RawOutput},
};
use casemate_signing::manifest::{ContractName, Effect, Method, UpstreamName};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::recording::Transport;

/// What a call is given besides its permit.
#[derive(Debug, Default)]
pub struct CallSettings {
    /// Ends the call, its instance and its requests when cancelled.
    pub cancel: CancellationToken,
    /// Does the same when its plugin is no longer served.
    pub unloaded: CancellationToken,
    /// Does the same when its grant ends.
    pub grant_ended: CancellationToken,
    /// The most bytes that all its upstreams together may answer, where a budget counts them.
    pub response_bytes: Option<u64>,
    /// Where progress reports go, if the client asked for them.
    pub progress: Option<mpsc::Sender<ProgressReport>>,
    /// How its requests leave.
    pub transport: Transport,
    /// The `traceparent` (W3C Trace Context) that upstreams are sent which the operator wants to have one.
    pub traceparent: Option<String>,
}

/// What ends a call from outside.
#[derive(Debug, Clone)]
pub(crate) struct Ends {
    cancel: CancellationToken,
    unloaded: CancellationToken,
    grant_ended: CancellationToken,
}

impl Ends {
    pub(crate) fn of(settings: &CallSettings) -> Self {
        Self { cancel: settings.cancel.clone(), unloaded: settings.unloaded.clone(), grant_ended: settings.grant_ended.clone() }
    }

    /// What has ended the call, if anything has. A plugin that is no longer served comes first: the operator has to know of it.
    pub(crate) fn fault(&self) -> Option<Fault> {
        let unloaded = self.unloaded.is_cancelled().then_some(Fault::Unloaded);
        let ended = || self.grant_ended.is_cancelled().then_some(Fault::GrantEnded);
        unloaded.or_else(ended).or_else(|| self.cancel.is_cancelled().then_some(Fault::Cancelled))
    }

    /// Resolves when the call shall end.
    pub(crate) async fn come(&self) -> Fault {
        tokio::select! {
            biased;
            () = self.unloaded.cancelled() => Fault::Unloaded,
            () = self.grant_ended.cancelled() => Fault::GrantEnded,
            () = self.cancel.cancelled() => Fault::Cancelled,
        }
    }
}

/// How far a call has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressReport {
    /// Units done.
    pub done: u64,
    /// Units in all, where known.
    pub total: Option<u64>,
    /// The plugin's words: unchecked.
    pub message: String,
}

/// A call that has ended. Without `Debug`: it may hold a plugin's unchecked words.
pub struct Run {
    /// How.
    pub ending: Ending,
    /// What it used and sent.
    pub facts: RunFacts,
}

/// How a call ended.
pub enum Ending {
    /// The plugin returned something. Nobody has looked at it yet.
    Returned(RawOutput),
    /// The plugin returned a failure. Nobody has looked at its text yet.
    Failed(RawFailure),
    /// A dry run came to its first request above `read`, which was not sent.
    Planned(Plan),
    /// The gate refused a request, and the call ended there.
    Refused(Refusal),
    /// The call ended in another way.
    Fault(Fault),
}

/// A call that ended without the plugin's or the gate's word.
#[derive(Debug)]
pub enum Fault {
    /// It ran into a limit.
    Limit(Limit),
    /// An upstream's address is not one that may be connected to.
    Address {
        /// For the operator: what resolved to what, and the setting that would allow it.
        detail: String,
    },
    /// The plugin trapped or broke the contract. The text is the operator's; guest backtraces are in it.
    Trap(String),
    /// The plan that was agreed to cannot be held to. The text is the operator's.
    Plan(String),
    /// The caller no longer wants it.
    Cancelled,
    /// Its plugin is no longer served.
    Unloaded,
    /// Its grant has ended.
    GrantEnded,
    /// All places were taken for as long as a call may wait.
    Busy {
        /// Whose places: the plugin's or the host's.
        whose: &'static str,
        /// How many there are.
        places: usize,
    },
}

/// A limit that a call ran into: its name, its value, and who can raise it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// As in the manifest's `[limits]` where it can be raised there.
    pub name: &'static str,
    /// With its unit.
    pub value: String,
    /// Whether the manifest can ask for more.
    pub raisable: bool,
}

impl Limit {
    pub(crate) fn memory(bytes: usize) -> Self {
        Self { name: "memory_mib", value: format!("{} MiB", bytes >> 20), raisable: true }
    }
    pub(crate) fn table(elements: usize) -> Self {
        Self { name: "table", value: format!("{elements} elements"), raisable: false }
    }
    pub(crate) fn deadline(deadline: Duration) -> Self {
        Self { name: "deadline_ms", value: format!("{} ms", deadline.as_millis()), raisable: true }
    }
    pub(crate) fn fuel(units: u64) -> Self {
        Self { name: "fuel_millions", value: format!("{} million units", units / 1_000_000), raisable: true }
    }
    pub(crate) fn stack() -> Self {
        Self { name: "stack", value: "the guest's call stack".to_owned(), raisable: false }
    }
    pub(crate) fn handles(handles: usize) -> Self {
        Self { name: "handles", value: format!("{handles} open handles"), raisable: false }
    }
    pub(crate) fn requests(requests: u64) -> Self {
        Self { name: "requests", value: format!("{requests} requests"), raisable: true }
    }
    pub(crate) fn request(bytes: usize) -> Self {
        Self { name: "request_kib", value: format!("{} KiB", bytes >> 10), raisable: true }
    }
    pub(crate) fn response(bytes: usize) -> Self {
        Self { name: "response_kib", value: format!("{} KiB", bytes >> 10), raisable: true }
    }
    pub(crate) fn budget(bytes: u64) -> Self {
        Self { name: "bytes budget", value: format!("{bytes} bytes from upstreams"), raisable: false }
    }
    pub(crate) fn host_call(bytes: usize) -> Self {
        Self { name: "output_kib", value: format!("{} KiB for one transfer to the host", bytes >> 10), raisable: true }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = if self.raisable {
            "the plugin's publisher can ask for more in its manifest, up to the operator's maximum"
        } else {
            "it is fixed by the host"
        };
        write!(f, "the call reached its limit `{}` ({}); {who}", self.name, self.value)
    }
}

/// What a call used and sent.
#[derive(Debug, Default)]
pub struct RunFacts {
    /// Resources spent.
    pub spent: Spent,
    /// Every request that passed the gate, in order.
    pub exchanges: Vec<Exchange>,
    /// Requests of the plan that was agreed to and that were not sent.
    pub unsent: usize,
    /// What the plugin logged: unchecked text.
    pub log: Vec<LogLine>,
}

impl RunFacts {
    /// The worst that its requests above `read` have come to.
    pub fn effects(&self) -> Effects {
        let above_read = self.exchanges.iter().filter(|exchange| exchange.effect > Effect::Read);
        above_read.map(|exchange| Effects::of(&exchange.status)).max().unwrap_or(Effects::None)
    }
}

/// What a run has changed at its upstreams, as far as their answers say. From the least that there is to do about it to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effects {
    /// Nothing above `read` was sent.
    None,
    /// Something above `read` was sent, and the upstream says that it did not do it.
    Declined,
    /// Something above `read` was sent and answered.
    Happened,
    /// Something above `read` was sent, and there is no answer, or one that does not say how far it came.
    Unknown,
}

impl Effects {
    /// A 4xx is the client's error and a 5xx the server's own, found out at any moment (RFC 9110, sections 15.5 and 15.6).
    fn of(status: &ExchangeStatus) -> Self {
        match status {
            ExchangeStatus::NotSent { .. } => Self::None,
            ExchangeStatus::Answered { status: 400..=499, .. } => Self::Declined,
            ExchangeStatus::Answered { status: ..=399, .. } => Self::Happened,
            ExchangeStatus::Answered { .. } | ExchangeStatus::Pending | ExchangeStatus::Broken { .. } => Self::Unknown,
        }
    }
}

/// Resources one call spent.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Units of fuel.
    pub fuel: u64,
    /// The most bytes of linear memory.
    pub memory: usize,
    /// Wall clock, waiting for a place left out.
    pub wall: Duration,
}

/// One request that passed the gate.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Which upstream.
    pub upstream: UpstreamName,
    /// Which contract it matched.
    pub contract: ContractName,
    /// Its method.
    pub method: Method,
    /// Its URL, without the credential.
    pub url: String,
    /// What it may do.
    pub effect: Effect,
    /// Bytes of its body.
    pub request_bytes: usize,
    /// Lower-case hex SHA-256 of its body.
    pub request_sha256: String,
    /// What came of it.
    pub status: ExchangeStatus,
    /// When it began.
    pub began: Instant,
    /// When its answer was whole, or it failed; none while it is under way.
    pub ended: Option<Instant>,
}

impl Exchange {
    /// A request that is about to leave.
    pub(crate) fn of(request: &Checked) -> Self {
        Self {
            began: Instant::now(),
            ended: None,
            upstream: request.upstream().clone(),
            contract: request.contract().clone(),
            method: request.method(),
            url: request.url().to_owned(),
            effect: request.effect(),
            request_bytes: request.body().len(),
            request_sha256: Sha256::digest(request.body()).iter().map(|byte| format!("{byte:02x}")).collect(),
            status: ExchangeStatus::Pending,
        }
    }

    /// This came of it, now.
    pub(crate) fn settle(&mut self, status: ExchangeStatus) {
        (self.status, self.ended) = (status, Some(Instant::now()));
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeStatus {
    /// On its way when the call ended.
    Pending,
    /// It never left: the connection could not be made.
    NotSent {
        /// Why, for the operator.
        reason: String,
    },
    /// An answer came, whole.
    Answered {
        /// HTTP status.
        status: u16,
        /// Bytes of the body after decompression.
        bytes: usize,
        /// Where it came from.
        address: Option<IpAddr>,
    },
    /// It left, and no whole answer came.
    Broken {
        /// Why, for the operator.
        reason: String,
    },
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in wit/log.wit")]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// One line a plugin logged. Its text is unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// The plugin's words.
    pub text: String,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn facts(effect: Effect, status: ExchangeStatus) -> RunFacts {
        let exchange = Exchange {
            upstream: "api".parse().unwrap(),
            contract: "change".parse().unwrap(),
            method: Method::Post,
            url: String::new(),
            effect,
            request_bytes: 0,
            request_sha256: String::new(),
            status,
            began: Instant::now(),
            ended: None,
        };
        RunFacts { exchanges: vec![exchange], ..RunFacts::default() }
    }

    #[track_caller]
    fn check(effect: Effect, status: ExchangeStatus, expected: Effects) {
        assert_eq!(facts(effect, status).effects(), expected);
    }

    fn answered(status: u16) -> ExchangeStatus {
        ExchangeStatus::Answered { status, bytes: 0, address: None }
    }

    #[test]
    fn a_change_that_never_left_has_not_happened() {
        check(Effect::Write, ExchangeStatus::NotSent { reason: "refused".into() }, Effects::None);
    }

    #[test]
    fn a_change_that_left_has_happened_or_may_have() {
        check(Effect::Write, answered(200), Effects::Happened);
        check(Effect::Write, answered(302), Effects::Happened);
        check(Effect::Write, ExchangeStatus::Broken { reason: "reset".into() }, Effects::Unknown);
        check(Effect::Execute, ExchangeStatus::Pending, Effects::Unknown);
        check(Effect::Read, ExchangeStatus::Pending, Effects::None);
    }

    #[test]
    fn a_change_that_the_upstream_failed_at_may_have_happened_and_one_that_it_declined_has_not() {
        check(Effect::Write, answered(422), Effects::Declined);
        check(Effect::Write, answered(401), Effects::Declined);
        check(Effect::Write, answered(500), Effects::Unknown);
        check(Effect::Destructive, answered(504), Effects::Unknown);
        check(Effect::Read, answered(500), Effects::None);
    }

    #[test]
    fn the_worst_of_several_changes_counts() {
        let worst = |statuses: Vec<ExchangeStatus>| {
            let exchanges = statuses.into_iter().flat_map(|status| facts(Effect::Write, status).exchanges).collect();
            RunFacts { exchanges, ..RunFacts::default() }.effects()
        };
        assert_eq!(worst(vec![answered(200), answered(404)]), Effects::Happened);
        assert_eq!(worst(vec![answered(500), answered(200)]), Effects::Unknown);
        assert_eq!(worst(vec![]), Effects::None);
    }
}
