//! Budgets: how many calls, bytes or targets a grant may spend in a sliding window, and what the ledger says is spent.

use std::{collections::BTreeSet, fmt, num::NonZeroU64, str::FromStr, sync::Arc};

use casemate_signing::manifest::{DimensionName, Effect};

use crate::{GrantName, PrincipalId, ServedName, Timestamp, ToolPattern, text::quote};

/// One budget of a grant, for each principal that holds the grant, in any window of length `per`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Which of the grant's tools it counts; empty counts all of them.
    pub tools: Vec<ToolPattern>,
    /// Counts only tools of this effect and above; absent counts all of them.
    pub effect: Option<Effect>,
    /// What it counts, and how much of it is allowed.
    pub measure: Measure,
    /// In how long.
    pub per: Window,
}

/// What a budget counts, and the most of it in one window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Measure {
    /// Calls.
    Calls(u32),
    /// Bytes that upstreams answered, after decompression.
    Bytes(u64),
    /// Different targets in a dimension.
    Distinct(DimensionName, u32),
}

impl Measure {
    /// The setting that says so.
    pub fn setting(&self) -> &'static str {
        match self {
            Self::Calls(_) => "calls",
            Self::Bytes(_) => "bytes",
            Self::Distinct(..) => "max",
        }
    }

    /// The most of it.
    pub fn limit(&self) -> u64 {
        match self {
            Self::Calls(most) | Self::Distinct(_, most) => u64::from(*most),
            Self::Bytes(most) => *most,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls(most) => write!(f, "{most} calls"),
            Self::Bytes(most) => write!(f, "{most} bytes"),
            Self::Distinct(dimension, most) => write!(f, "{most} different values of `{dimension}`"),
        }
    }
}

impl Budget {
    /// Whether a call of this tool spends it.
    pub fn counts(&self, tool: &ServedName, effect: Effect) -> bool {
        (self.tools.is_empty() || self.tools.iter().any(|pattern| pattern.matches(tool)))
            && self.effect.is_none_or(|least| effect >= least)
    }

    /// What one call by a principal spends of it, whatever its targets.
    pub fn charge(&self, principal: &PrincipalId, grant: &GrantName) -> Charge {
        Charge::new(self.key(principal, grant), self.measure.clone(), BTreeSet::new())
    }

    /// The ledger's key: stable over restarts and changes of the limit, so that neither gives back what is spent.
    pub fn key(&self, principal: &PrincipalId, grant: &GrantName) -> BudgetKey {
        let mut tools: Vec<&str> = self.tools.iter().map(ToolPattern::as_str).collect();
        tools.sort_unstable();
        tools.dedup();
        let tools = if tools.is_empty() { "*".to_owned() } else { tools.join("+") };
        let effect = self.effect.map_or_else(String::new, |effect| format!(" {effect}"));
        let measure = match &self.measure {
            Measure::Calls(_) => String::new(),
            Measure::Bytes(_) => " bytes".to_owned(),
            Measure::Distinct(dimension, _) => format!(" distinct:{dimension}"),
        };
        BudgetKey { text: format!("{principal} {grant} {tools}{effect}{measure} {}", self.per).into(), window: self.per }
    }
}

/// A length of time, not zero. Written `30s`, `15m`, `1h`, `1d`, `1w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window(NonZeroU64);

/// A text that is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a length of time\nhelp: write a whole number and a unit: `30s`, `15m`, `1h`, `1d`, `1w`")]
pub struct InvalidWindow(String);

/// Units from the longest, in milliseconds.
const UNITS: [(&str, u64); 6] = [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Window {
    /// The shortest.
    pub(crate) const MILLISECOND: Self = Self(NonZeroU64::MIN);

    /// From milliseconds; none where that is zero.
    pub fn from_millis(millis: u64) -> Option<Self> {
        NonZeroU64::new(millis).map(Self)
    }

    /// In milliseconds.
    pub fn as_millis(self) -> u64 {
        self.0.get()
    }
}

impl FromStr for Window {
    type Err = InvalidWindow;

    fn from_str(text: &str) -> Result<Self, InvalidWindow> {
        let invalid = || InvalidWindow(quote(text, 40));
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let (number, unit) = text.split_at_checked(digits).ok_or_else(invalid)?;
        let millis = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, millis)| *millis).ok_or_else(invalid)?;
        let number: u64 = number.parse().map_err(|_| invalid())?;
        number.checked_mul(millis).and_then(Self::from_millis).ok_or_else(invalid)
    }
}

/// In the longest unit that divides it.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.as_millis();
        let (unit, size) = UNITS.into_iter().find(|(_, size)| millis.is_multiple_of(*size)).unwrap_or(("ms", 1));
        write!(f, "{}{unit}", millis / size)
    }
}

/// What the ledger counts by: principal, grant, selector and window, as text, with the window also as a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetKey {
    text: Arc<str>,
    window: Window,
}

impl BudgetKey {
    /// The text; it holds everything the key means.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How far back spending counts.
    pub fn window(&self) -> Window {
        self.window
    }
}

impl fmt::Display for BudgetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What one permitted call spends of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    key: BudgetKey,
    measure: Measure,
    /// In the spelling in which they compare; empty unless targets are counted.
    targets: BTreeSet<String>,
}

impl Charge {
    pub(crate) fn new(key: BudgetKey, measure: Measure, targets: BTreeSet<String>) -> Self {
        Self { key, measure, targets }
    }

    /// Which budget.
    pub fn key(&self) -> &BudgetKey {
        &self.key
    }

    /// What is counted, and the most of it in the window; the ledger holds to it when it charges.
    pub fn measure(&self) -> &Measure {
        &self.measure
    }

    /// The targets that the call names, where targets are counted.
    pub fn targets(&self) -> &BTreeSet<String> {
        &self.targets
    }

    /// Whether what is spent leaves room for this call.
    pub fn fits(&self, reading: &Reading) -> bool {
        match &self.measure {
            // What a call will read is not known before; see `Ledger::charge`.
            Measure::Calls(_) | Measure::Bytes(_) => reading.spent < self.measure.limit(),
            Measure::Distinct(..) => reading.spent.saturating_add(u64::from(reading.fresh)) <= self.measure.limit(),
        }
    }
}

/// What the ledger says of one budget: spending at or before `now - window` no longer counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Spent in the window that ends now: calls, bytes, or different targets.
    pub spent: u64,
    /// How many of the call's targets are not among the spent ones; zero unless targets are counted.
    pub fresh: u32,
    /// The oldest of what is spent.
    pub oldest: Option<Timestamp>,
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Budget, Measure, Window};
    use casemate_signing::manifest::Effect;

    #[test]
    fn windows_are_read_and_written() {
        for (text, millis, shown) in [
            ("90s", 90_000, "90s"),
            ("60s", 60_000, "1m"),
            ("24h", 86_400_000, "1d"),
            ("7d", 604_800_000, "1w"),
            ("1ms", 1, "1ms"),
        ] {
            let window: Window = text.parse().unwrap();
            assert_eq!((window.as_millis(), window.to_string().as_str()), (millis, shown));
        }
        for text in ["", "1", "h", "0h", "-1h", "1.5h", "1 h", "1H", "1y", "99999999999999999999w", "+1h", "1h30m"] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_budget_keeps_its_key_when_its_limit_changes() {
        let budget = |calls, tools: &[&str]| Budget {
            tools: tools.iter().map(|t| t.parse().unwrap()).collect(),
            effect: Some(Effect::Execute),
            measure: Measure::Calls(calls),
            per: "60m".parse().unwrap(),
        };
        let key = |b: Budget, who: &str| b.key(&who.parse().unwrap(), &"lab".parse().unwrap());
        assert_eq!(key(budget(3, &["b_*", "a_*"]), "local").as_str(), "local lab a_*+b_* execute 1h");
        assert_eq!(key(budget(3, &["b_*", "a_*"]), "local"), key(budget(9, &["a_*", "b_*"]), "local"));
        assert_ne!(key(budget(3, &[]), "local"), key(budget(3, &[]), "token:ci"), "principals do not share");
    }
}
