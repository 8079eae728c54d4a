//! What is known of an address, whoever knows it.

use std::fmt::{self, Write as _};

use casemate_plugin::{Readable, field::IpAddress};
use schemars::JsonSchema;
use serde::Serialize;

use crate::source::Source;

/// What a service thinks of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reputation {
    /// It attacks.
    Malicious,
    /// There is something against it.
    Suspicious,
    /// The service vouches for it.
    Clean,
    /// Nothing is known against it, and nobody vouches for it.
    Unknown,
}

impl fmt::Display for Reputation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malicious => "malicious",
            Self::Suspicious => "suspicious",
            Self::Clean => "clean",
            Self::Unknown => "unknown",
        })
    }
}

/// What a service thinks of an address.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Check {
    ip: IpAddress,
    /// unknown where the service knows nothing against it, and does not vouch for it either
    reputation: Reputation,
    /// What it is known for, in the service's words; the first 20
    categories: Vec<String>,
    /// When it was last reported, where that is said
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<String>,
    /// Who says so
    source: Source,
}

/// All that a service knows of an address.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Scan {
    ip: IpAddress,
    /// unknown where the service knows nothing against it, and does not vouch for it either
    reputation: Reputation,
    /// What it is known for, in the service's words; the first 20
    pub(crate) categories: Vec<String>,
    /// When it was last reported, where that is said
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_seen: Option<String>,
    /// Who says so
    source: Source,
    /// Scores, network and owner, as the service has them
    pub(crate) facts: Vec<Fact>,
    /// What your CrowdSec does about it now; empty for other sources
    pub(crate) decisions: Vec<InForce>,
    /// What was reported of it, newest first; the first 50, where it was asked for
    pub(crate) history: Vec<Event>,
}

/// Something that is known.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Fact {
    name: &'static str,
    value: String,
}

/// A decision that is in force.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct InForce {
    pub(crate) id: i64,
    /// Such as ban or captcha
    pub(crate) kind: String,
    /// The address, or a network that it is in
    pub(crate) value: String,
    pub(crate) scenario: String,
    /// Who decided: crowdsec, cscli, CAPI, lists, or another name
    pub(crate) origin: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seconds_left: Option<i64>,
}

/// Something that was reported.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Event {
    /// As the service writes it
    pub(crate) at: String,
    pub(crate) what: String,
    /// What a reporter wrote, cut at 200 characters: by a stranger, or by an attacker into a log
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// Categories that are listed.
pub(crate) const CATEGORIES: usize = 20;
/// Decisions that are listed.
pub(crate) const DECISIONS: usize = 50;
/// Events that are listed.
pub(crate) const EVENTS: usize = 50;

impl Scan {
    /// A verdict with nothing behind it yet.
    pub(crate) fn new(ip: IpAddress, reputation: Reputation, source: Source) -> Self {
        let (categories, facts, decisions, history) = Default::default();
        Self { ip, reputation, categories, last_seen: None, source, facts, decisions, history }
    }

    /// With something that is known, if it is.
    pub(crate) fn fact(&mut self, name: &'static str, value: Option<String>) {
        self.facts.extend(value.filter(|value| !value.is_empty()).map(|value| Fact { name, value }));
    }
}

impl From<Scan> for Check {
    fn from(Scan { ip, reputation, categories, last_seen, source, .. }: Scan) -> Self {
        Self { ip, reputation, categories, last_seen, source }
    }
}

/// What both begin with.
fn verdict(ip: IpAddress, reputation: Reputation, source: Source, categories: &[String], last_seen: Option<&String>) -> String {
    let mut text = format!("{ip}: {reputation}, says {source}");
    if reputation == Reputation::Unknown {
        text.push_str("; nothing is known against it, which is no proof that there is nothing");
    }
    if !categories.is_empty() {
        let _ = write!(text, "\nknown for: {}", categories.join(", "));
    }
    if let Some(last_seen) = last_seen {
        let _ = write!(text, "\nlast reported: {last_seen}");
    }
    text
}

impl Readable for Check {
    fn text(&self) -> String {
        verdict(self.ip, self.reputation, self.source, &self.categories, self.last_seen.as_ref())
    }
}

impl Readable for Scan {
    fn text(&self) -> String {
        let mut text = verdict(self.ip, self.reputation, self.source, &self.categories, self.last_seen.as_ref());
        for Fact { name, value } in &self.facts {
            let _ = write!(text, "\n{name}: {value}");
        }
        for InForce { id, kind, value, scenario, origin, seconds_left } in &self.decisions {
            let left = seconds_left.map(|left| format!(", {left} seconds left")).unwrap_or_default();
            let _ = write!(text, "\n- decision {id}: {kind} of {value} by {origin}, for {scenario}{left}");
        }
        for Event { at, what, note } in &self.history {
            let _ = write!(text, "\n- {at} {what}");
            if let Some(note) = note {
                let _ = write!(text, ": {note}");
            }
        }
        text
    }
}
