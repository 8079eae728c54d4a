//! The red team: named attacks on a host with the operator's rules, and what stops each.
//!
//! Nothing real is touched. The attacks are made on a made-up plugin, the [`range`], and on ledgers that end with the run. What is attacked
//! is what serves: the same layers, gate, ledger and verification. Where rules have a say, they are the operator's: environment, flow
//! rules, breaker and policies, trust, grants and tools. Where they have none (signatures, requests, votes, results), the range stands wide
//! open, and what is left must hold. Each attack first does the honest thing, under the defaults, and says so if that fails: what stops
//! everything stops no attack.

mod approvals;
mod budgets;
mod calls;
mod composition;
mod own;
mod packages;
mod range;
mod requests;
mod results;

use std::fmt;

use casemate_policy::Timestamp;
use casemate_signing::trust::TrustStore;

use crate::{exit::Failure, house::Rulebook};
use range::Range;

/// One attack.
pub(crate) struct Attack {
    /// A stable word.
    pub(crate) code: &'static str,
    /// What the attacker does, in one sentence.
    pub(crate) what: &'static str,
    run: Run,
}

type Run = fn(&Range<'_>) -> Result<Stop, Escape>;

impl Attack {
    const fn new(code: &'static str, what: &'static str, run: Run) -> Self {
        Self { code, what, run }
    }
}

/// What stopped an attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    /// The layer, or the room where a layer is not reached: `signature`, `egress`, `ledger`, `output`.
    pub(crate) by: &'static str,
    /// Its reason code.
    pub(crate) code: String,
    /// Layers that would have stopped it too.
    pub(crate) also: Vec<&'static str>,
    /// What is said of it.
    pub(crate) said: String,
}

impl Stop {
    fn by(by: &'static str, code: impl Into<String>, said: impl Into<String>) -> Self {
        Self { by, code: code.into(), also: Vec::new(), said: said.into() }
    }
}

/// An attack that was not stopped, or of which that cannot be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Escape {
    /// It worked: what it reached.
    Through(String),
    /// The honest step before it failed: nothing is shown by it.
    Broken(String),
}

fn broken(why: impl fmt::Display) -> Escape {
    Escape::Broken(why.to_string())
}

/// What came of an attack.
pub(crate) struct Report {
    /// Whether it met anything that the operator wrote; else it met the host alone.
    pub(crate) met_rules: bool,
    pub(crate) family: &'static str,
    pub(crate) attack: &'static Attack,
    pub(crate) result: Result<Stop, Escape>,
}

/// What came of all of them.
pub(crate) struct Findings {
    pub(crate) reports: Vec<Report>,
    /// Why the operator's own policies were not among the rules that were attacked, where they were not.
    pub(crate) left_out: Option<String>,
}

/// Attacks of one kind.
type Family = (&'static str, &'static [Attack]);

const FAMILIES: [Family; 8] = [
    ("packages and installation", packages::ATTACKS),
    ("calls", calls::ATTACKS),
    ("requests of a hostile plugin", requests::ATTACKS),
    ("dry runs and approvals", approvals::ATTACKS),
    ("budgets and conduct", budgets::ATTACKS),
    ("composition", composition::ATTACKS),
    ("results", results::ATTACKS),
    ("your own grants and tools", own::ATTACKS),
];

/// Make every attack.
///
/// # Errors
/// When the range cannot be set up at all.
pub(crate) fn attack(book: &Rulebook, trust: TrustStore, now: Timestamp) -> Result<Findings, Failure> {
    let scratch = tempfile::Builder::new().prefix("casemate-redteam-").tempdir()?;
    let range = Range::new(book, trust, scratch.path().to_owned(), now)?;
    let mut reports = Vec::new();
    for (family, attacks) in FAMILIES {
        for attack in attacks {
            range.met.set(false);
            let result = (attack.run)(&range);
            reports.push(Report { family, attack, met_rules: range.met.get(), result });
        }
    }
    Ok(Findings { reports, left_out: range.left_out })
}
