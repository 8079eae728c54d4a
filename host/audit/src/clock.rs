//! A clock that goes back: ids go on, and the log says that it happened.

use casemate_policy::Timestamp;

use crate::EventId;

/// Threads that ask for the time and then wait for one another are apart by less; so are clocks that are put right by little.
const TOLERATED_MILLIS: i64 = 2_000;

/// The latest moment that a record was written at.
#[derive(Debug)]
pub(crate) struct Clock(Timestamp);

impl Clock {
    /// Of a log that ends with this id.
    pub(crate) fn after(last: Option<EventId>) -> Self {
        let millis = last.and_then(|id| i64::try_from(id.millis()).ok());
        Self(Timestamp::from_millis(millis.unwrap_or(i64::MIN)))
    }

    /// From where the clock went back to this moment, if it did. From then on, this moment counts.
    pub(crate) fn went_back(&mut self, now: Timestamp) -> Option<Timestamp> {
        let before = self.0;
        if before.as_millis().saturating_sub(now.as_millis()) > TOLERATED_MILLIS {
            self.0 = now;
            return Some(before);
        }
        self.0 = before.max(now);
        None
    }
}

#[cfg(test)]
mod tests {
    use casemate_policy::Timestamp;

    use super::Clock;

    #[test]
    fn going_back_is_noted_once_and_slack_is_none() {
        let at = Timestamp::from_millis;
        let mut clock = Clock::after(None);
        assert_eq!(clock.went_back(at(10_000)), None);
        assert_eq!(clock.went_back(at(8_500)), None);
        assert_eq!(clock.went_back(at(7_000)), Some(at(10_000)));
        assert_eq!(clock.went_back(at(7_100)), None);
        assert_eq!(clock.went_back(at(20_000)), None);
        assert_eq!(clock.went_back(at(17_000)), Some(at(20_000)));
    }
}
