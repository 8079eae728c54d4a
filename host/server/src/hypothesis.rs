//! A call that is asked about and not made: who would make it, and what would be known of them.

use casemate_ledger::Ledger;
use casemate_policy::{
    Call, Decision, Explained, Mode, Needs, Policy, Principal, PrincipalId, Reading, Readings, Timestamp,
    breaker::{BreakerReading, Pause},
    decide, explain, needs,
    session::{Carried, Read, SessionReading},
};
use casemate_signing::manifest::Label;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::Value;

use crate::{exit::Failure, identity};

/// What stands where an audit id would.
const NO_CALL: &str = "hypothetical";

/// A call and its circumstances. What is said of these is taken for what the ledger knows; of the rest the ledger is asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hypothesis {
    /// Who; default: the local principal.
    #[serde(default, deserialize_with = "parsed")]
    principal: Option<PrincipalId>,
    /// The served name of a tool.
    pub(crate) tool: String,
    /// Any value, as a caller could send any.
    #[serde(default = "nothing")]
    arguments: Value,
    /// When; default: now.
    #[serde(default, deserialize_with = "moment")]
    at: Option<Timestamp>,
    /// The labels of what the session has read.
    #[serde(default, deserialize_with = "all_parsed")]
    labels: Option<Vec<Label>>,
    /// Pointers (RFC 6901) to arguments whose values were seen first in a result that carries all of `labels`, or else in an untrusted one.
    #[serde(default)]
    tainted: Option<Vec<String>>,
    /// How much of every budget is spent.
    #[serde(default)]
    spent: Option<u64>,
    /// Whether the breaker has paused the principal.
    #[serde(default)]
    paused: Option<bool>,
}

/// What would follow.
pub(crate) struct Foretold {
    pub(crate) decision: Decision,
    /// Every layer's word, under every grant that covers the call.
    pub(crate) under: Vec<Explained>,
}

impl Foretold {
    /// One word: `allowed`, `planned`, `deferred` or `denied`.
    pub(crate) fn word(&self) -> &'static str {
        match &self.decision {
            Decision::Permit(permit) if permit.mode() == Mode::DryRun => "planned",
            Decision::Permit(_) => "allowed",
            Decision::Deferred(_) => "deferred",
            Decision::Denied(_) => "denied",
        }
    }
}

impl Hypothesis {
    /// Ask every layer. Without a ledger nothing has happened yet but what is said here.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub(crate) fn ask(&self, policy: &Policy, ledger: Option<&Ledger>, now: Timestamp) -> Result<Foretold, Failure> {
        let now = self.at.unwrap_or(now);
        let principal = self.principal.clone().map_or_else(identity::local, Principal::standing_for);
        let call = Call::new(self.tool.clone(), self.arguments.clone());
        let needs = needs(policy, &principal, &call);
        let mut readings = match ledger {
            Some(ledger) => ledger.readings(&needs, policy.guards().session, now)?,
            None => Readings::fresh(&needs),
        };
        self.suppose(&needs, &mut readings, now);
        Ok(Foretold {
            decision: decide(policy, &principal, &call, &readings, now),
            under: explain(policy, &principal, &call, &readings, now),
        })
    }

    fn suppose(&self, needs: &Needs, readings: &mut Readings, now: Timestamp) {
        if let (Some(tool), true) = (&needs.tool, self.labels.is_some() || self.tainted.is_some()) {
            let read = Read { tool: tool.clone(), at: now, audit_id: NO_CALL.to_owned() };
            let labels = self.labels.iter().flatten();
            let of = || self.labels.clone().filter(|labels| !labels.is_empty()).unwrap_or_else(|| untrusted().collect());
            let carried = |argument: &String| {
                of().into_iter()
                    .map(|label| Carried { argument: argument.clone(), label, from: NO_CALL.to_owned(), audit_id: None })
                    .collect()
            };
            let session = SessionReading {
                since: None,
                labels: labels.map(|label| (label.clone(), read.clone())).collect(),
                carried: self.tainted.iter().flatten().flat_map(|argument| -> Vec<Carried> { carried(argument) }).collect(),
            };
            needs.sessions.keys().for_each(|grant| readings.session(grant.clone(), session.clone()));
        }
        if let Some(spent) = self.spent {
            for charge in &needs.charges {
                let fresh = u32::try_from(charge.targets().len()).unwrap_or(u32::MAX);
                readings.budget(charge.key().clone(), Reading { spent, fresh, oldest: Some(now) });
            }
        }
        if let Some(paused) = self.paused {
            let pause = Pause { since: now, trip: NO_CALL.to_owned() };
            readings.breaker(BreakerReading { paused: paused.then_some(pause), ..BreakerReading::default() });
        }
    }
}

fn untrusted() -> impl Iterator<Item = Label> {
    casemate_policy::output::untrusted().into_iter()
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

fn parsed<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: std::fmt::Display>>(from: D) -> Result<Option<T>, D::Error> {
    String::deserialize(from)?.parse().map(Some).map_err(D::Error::custom)
}

fn all_parsed<'de, D: Deserializer<'de>, T: std::str::FromStr<Err: std::fmt::Display>>(
    from: D,
) -> Result<Option<Vec<T>>, D::Error> {
    Vec::<String>::deserialize(from)?
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>()
        .map(Some)
        .map_err(D::Error::custom)
}

/// RFC 3339, as a text or, in TOML, as a date.
fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Moment {
        Text(String),
        Date(toml::value::Datetime),
    }
    let text = match Moment::deserialize(from)? {
        Moment::Text(text) => text,
        Moment::Date(date) => date.to_string(),
    };
    text.parse().map(Some).map_err(D::Error::custom)
}
