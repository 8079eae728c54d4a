//! Dates of the Gregorian calendar as seconds since 1970, by Howard Hinnant's "chrono-compatible low-level date algorithms".

/// A point in time as a calendar and a clock show it, in no zone.
pub(super) struct Civil {
    pub(super) year: i64,
    pub(super) month: i64,
    pub(super) day: i64,
    /// Of the day.
    pub(super) second: i64,
}

impl Civil {
    /// Seconds since 1970-01-01T00:00:00, if there is such a day.
    pub(super) fn seconds(&self) -> Option<i64> {
        let Self { year, month, day, second } = *self;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=days).contains(&day) {
            return None;
        }
        // Years begin in March, so that the odd day is their last.
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Some((era * 146_097 + day_of_era - 719_468) * 86_400 + second)
    }

    /// The year in which so many seconds since 1970 have passed.
    pub(super) fn year_of(seconds: i64) -> i64 {
        let guess = 1970 + seconds.div_euclid(31_556_952);
        let begins = |year| Self { year, month: 1, day: 1, second: 0 }.seconds().is_some_and(|begin| begin <= seconds);
        // The mean year is off by a day at most.
        if begins(guess + 1) {
            guess + 1
        } else if begins(guess) {
            guess
        } else {
            guess - 1
        }
    }
}

/// A month by its English abbreviation.
pub(super) fn month(name: &[u8]) -> Option<i64> {
    let at = b"JanFebMarAprMayJunJulAugSepOctNovDec".chunks(3).position(|month| month == name)?;
    i64::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use casemate_plugin::Timestamp;

    use super::*;

    #[test]
    fn it_is_what_timestamps_write() {
        for seconds in (-62_000_000_000..250_000_000_000).step_by(86_400 * 97 + 12_345) {
            let text = Timestamp::from_unix(seconds).map(|at| at.to_string()).unwrap_or_default();
            let number =
                |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<i64>().ok()).unwrap_or_default();
            let second = number(11, 13) * 3_600 + number(14, 16) * 60 + number(17, 19);
            let civil = Civil { year: number(0, 4), month: number(5, 7), day: number(8, 10), second };
            assert_eq!(civil.seconds(), Some(seconds), "{text}");
            assert_eq!(Civil::year_of(seconds), civil.year, "{text}");
        }
    }

    #[test]
    fn a_day_that_there_is_not_is_none() {
        for (year, month, day) in [(2026, 2, 29), (2100, 2, 29), (2026, 4, 31), (2026, 0, 1), (2026, 13, 1), (2026, 1, 0)] {
            assert_eq!(Civil { year, month, day, second: 0 }.seconds(), None);
        }
        assert!(Civil { year: 2000, month: 2, day: 29, second: 0 }.seconds().is_some());
    }

    #[test]
    fn months_are_in_their_order() {
        assert_eq!((month(b"Jan"), month(b"Dec"), month(b"jan"), month(b"anF")), (Some(1), Some(12), None, None));
    }
}
