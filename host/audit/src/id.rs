//! Event ids: UUID version 7 (RFC 9562), strictly increasing within a log, also while the clock stands still or goes back.

use std::{fmt, str::FromStr};

use casemate_policy::Timestamp;

/// The id of one record: unique, and ordered as the log is. Written as 36 lower-case characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(u128);

/// A text that is not an event id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an event id\nhelp: it is a UUID of version 7, written in lower case, as `casemate audit show` prints it")]
pub struct InvalidEventId;

const VERSION: u128 = 7 << 76;
const VARIANT: u128 = 0b10 << 62;
const TAG: u64 = (1 << 62) - 1;

impl EventId {
    /// The moment it was made, as far as the clock had not gone back.
    pub fn millis(self) -> u64 {
        // 48 bits.
        u64::try_from(self.0 >> 80).unwrap_or_default()
    }

    /// The twelve bits that count within a millisecond.
    fn count(self) -> u16 {
        u16::try_from((self.0 >> 64) & 0xfff).unwrap_or_default()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        let (a, b, c, d, e) =
            (bits >> 96, (bits >> 80) & 0xffff, (bits >> 64) & 0xffff, (bits >> 48) & 0xffff, bits & 0xffff_ffff_ffff);
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}")
    }
}

impl FromStr for EventId {
    type Err = InvalidEventId;

    fn from_str(text: &str) -> Result<Self, InvalidEventId> {
        let mut bits = 0_u128;
        if text.len() != 36 {
            return Err(InvalidEventId);
        }
        for (place, byte) in text.bytes().enumerate() {
            let value = match byte {
                b'-' if matches!(place, 8 | 13 | 18 | 23) => continue,
                _ if matches!(place, 8 | 13 | 18 | 23) => return Err(InvalidEventId),
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'f' => byte - b'a' + 10,
                _ => return Err(InvalidEventId),
            };
            bits = (bits << 4) | u128::from(value);
        }
        let fixed = (0xf << 76) | (0b11 << 62);
        if bits & fixed != VERSION | VARIANT {
            return Err(InvalidEventId);
        }
        Ok(Self(bits))
    }
}

/// Makes the ids of one log. The random tag, new at each opening, keeps the ids of different logs apart.
#[derive(Debug)]
pub(crate) struct IdSource {
    tag: u64,
    last: Option<EventId>,
}

impl IdSource {
    /// Ids after `last`.
    pub(crate) fn after(last: Option<EventId>, tag: u64) -> Self {
        Self { tag: tag & TAG, last }
    }

    /// The next one.
    pub(crate) fn next(&mut self, now: Timestamp) -> EventId {
        let now = u64::try_from(now.as_millis()).unwrap_or_default();
        let (millis, count) = match self.last {
            Some(last) if now <= last.millis() => match last.count() {
                // 4096 in one millisecond: borrow from the next.
                0xfff => (last.millis() + 1, 0),
                count => (last.millis(), count + 1),
            },
            _ => (now, 0),
        };
        let millis = millis & 0xffff_ffff_ffff;
        let id = EventId((u128::from(millis) << 80) | VERSION | (u128::from(count) << 64) | VARIANT | u128::from(self.tag));
        self.last = Some(id);
        id
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use casemate_policy::Timestamp;

    use super::{EventId, IdSource};

    #[test]
    fn ids_increase_whatever_the_clock_does() {
        let mut ids = IdSource::after(None, u64::MAX);
        let mut last = ids.next(Timestamp::from_millis(1_000));
        for millis in [1_000, 999, -5, 1_001, 1_000].into_iter().chain([1_001; 10_000]).chain([2_000]) {
            let next = ids.next(Timestamp::from_millis(millis));
            assert!(next > last, "{next} after {last}");
            last = next;
        }
        assert_eq!(last.millis(), 2_000);
        let mut reopened = IdSource::after(Some(last), 0);
        assert!(reopened.next(Timestamp::from_millis(0)) > last, "also over a restart");
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7() {
        let id = IdSource::after(None, 0x0123_4567_89ab_cdef).next(Timestamp::from_millis(0x0123_4567_89ab));
        assert_eq!(id.to_string(), "01234567-89ab-7000-8123-456789abcdef");
        assert_eq!(id.to_string().parse::<EventId>().unwrap(), id);
        for wrong in [
            "01234567-89ab-4000-8123-456789abcdef",
            "01234567-89ab-7000-c123-456789abcdef",
            "01234567-89AB-7000-8123-456789abcdef",
            "0123456789ab-7000-8123-456789abcdef-",
            "01234567-89ab-7000-8123-456789abcde",
            "",
        ] {
            assert!(wrong.parse::<EventId>().is_err(), "{wrong}");
        }
    }
}
