//! The breaker: a principal that is refused again and again, tries one tool with ever other payloads, or calls in a burst, is paused
//! until a person resumes it.

use std::fmt;

use crate::{Timestamp, Window};

/// So many in any window of that length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u32,
    /// In how long.
    pub per: Window,
}

/// `[breaker]` of the operator's configuration. What is absent is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// Refused calls, whatever refused them; not those whose budget is spent or that wait for a person.
    pub denials: Option<Rate>,
    /// Calls of one tool above `read`, each with arguments of its own.
    pub variants: Option<Rate>,
    /// Calls of any kind.
    pub burst: Option<Rate>,
}

impl Default for BreakerRules {
    fn default() -> Self {
        let rate = |count, millis| Window::from_millis(millis).map(|per| Rate { count, per });
        Self { denials: rate(100, 300_000), variants: rate(20, 600_000), burst: rate(1200, 60_000) }
    }
}

/// The longest window that is watched: what is older is forgotten.
pub const LONGEST_MS: u64 = 7 * 86_400_000;
/// The most calls in a window that are counted.
pub const MOST: u32 = 100_000;

impl BreakerRules {
    /// Nothing is watched.
    pub const OFF: Self = Self { denials: None, variants: None, burst: None };

    /// A rate that could never be reached, because less is remembered: its setting, and why.
    pub(crate) fn fault(&self) -> Option<(&'static str, String)> {
        let rates = [("denials", self.denials), ("variants", self.variants), ("burst", self.burst)];
        rates.into_iter().find_map(|(setting, rate)| match rate? {
            rate if rate.per.as_millis() > LONGEST_MS => Some((
                setting,
                format!("looks back {}, and conduct is remembered for a week\nhelp: `per` is at most `1w`", rate.per),
            )),
            rate if rate.count > MOST => {
                Some((setting, format!("is {}, and so many are not counted\nhelp: `count` is at most {MOST}", rate.count)))
            }
            _ => None,
        })
    }
}

/// What is known of a principal's conduct. The counts are of the windows that end now, and leave out the call that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BreakerReading {
    /// The pause that a person has not ended.
    pub paused: Option<Pause>,
    /// Refused calls.
    pub denials: u32,
    /// Different arguments this tool was called with, those of this call left out.
    pub variants: u32,
    /// Calls.
    pub calls: u32,
}

/// A principal that was paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// When.
    pub since: Timestamp,
    /// By what.
    pub trip: String,
}

/// What makes the breaker open now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trip {
    /// Too many refused calls.
    Denials(Rate),
    /// One tool with too many payloads.
    Variants(Rate),
    /// Too many calls.
    Burst(Rate),
}

impl Trip {
    /// The setting's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denials(_) => "denials",
            Self::Variants(_) => "variants",
            Self::Burst(_) => "burst",
        }
    }
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denials(rate) => write!(f, "{} refused calls within {}", rate.count, rate.per),
            Self::Variants(rate) => write!(f, "one tool called with {} different payloads within {}", rate.count, rate.per),
            Self::Burst(rate) => write!(f, "{} calls within {}", rate.count, rate.per),
        }
    }
}

impl BreakerRules {
    /// What opens the breaker, if one more call is too much.
    pub fn trip(&self, reading: &BreakerReading) -> Option<Trip> {
        let over = |rate: Option<Rate>, count: u32| rate.filter(|rate| count >= rate.count);
        over(self.denials, reading.denials)
            .map(Trip::Denials)
            .or_else(|| over(self.variants, reading.variants).map(Trip::Variants))
            .or_else(|| over(self.burst, reading.calls).map(Trip::Burst))
    }
}

#[cfg(test)]
mod tests {
    use super::{BreakerReading, BreakerRules, Trip};

    #[test]
    fn each_count_opens_it_alone_and_none_below_its_rate() {
        let rules = BreakerRules::default();
        let trip = |denials, variants, calls| rules.trip(&BreakerReading { paused: None, denials, variants, calls });
        assert_eq!(trip(99, 19, 1199), None);
        assert!(matches!(trip(100, 0, 0), Some(Trip::Denials(_))));
        assert!(matches!(trip(0, 20, 0), Some(Trip::Variants(_))));
        assert!(matches!(trip(0, 0, 1200), Some(Trip::Burst(_))));
    }

    #[test]
    fn what_is_off_is_not_watched() {
        let reading = BreakerReading { paused: None, denials: u32::MAX, variants: u32::MAX, calls: u32::MAX };
        assert_eq!(BreakerRules::OFF.trip(&reading), None);
    }
}
