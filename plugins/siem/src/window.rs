//! The span of time a search looks at.

use casemate_plugin::{Failure, Timestamp};

casemate_plugin::word! {
    /// A span of time as the host compares it with a grant: `start/end`, both RFC 3339 in UTC, to the second; the end comes later.
    pub Window, "a span of time start/end, both as 2026-11-22T06:00:00Z, the end after the start", 41..=41,
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
    |text| ends(text).is_some(), str::to_owned
}

impl Window {
    /// Its first and its last moment, if it is no longer than so many days.
    ///
    /// # Errors
    /// When it is longer.
    pub fn within(&self, days: u32) -> Result<(Timestamp, Timestamp), Failure> {
        let (start, end) = ends(self.as_str()).ok_or_else(|| Failure::internal("a window is not one"))?;
        if end.as_unix() - start.as_unix() > i64::from(days) * 86_400 {
            return Err(Failure::invalid_arguments(format!("a search looks at {days} days at most; narrow its window")));
        }
        Ok((start, end))
    }
}

fn ends(text: &str) -> Option<(Timestamp, Timestamp)> {
    let (start, end) = text.split_once('/')?;
    let (start, end) = (moment(start)?, moment(end)?);
    (start < end).then_some((start, end))
}

/// A moment as a [`Timestamp`] writes it; what it does not write back alike, such as a 30th of February, is none.
pub fn moment(text: &str) -> Option<Timestamp> {
    if !text.is_ascii() {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        digits?.parse::<i64>().ok()
    };
    let (month, day) = (number(5, 7)?, number(8, 10)?);
    // Years begin in March, so that the odd day is their last: Howard Hinnant, "chrono-compatible low-level date algorithms".
    let year = number(0, 4)? - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let second = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    let at = Timestamp::from_unix((era * 146_097 + day_of_era - 719_468) * 86_400 + second)?;
    (at.to_string() == text).then_some(at)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    #[test]
    fn moments_are_what_timestamps_write() {
        for seconds in [0, 951_782_399, 951_782_400, 1_709_208_000, 4_107_542_400, 253_402_300_799, -62_167_219_200] {
            let at = Timestamp::from_unix(seconds).unwrap();
            assert_eq!(moment(&at.to_string()), Some(at));
        }
        for bad in ["2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-13-01T00:00:00Z", "now", ""] {
            assert_eq!(moment(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn windows_have_two_ends() {
        let day = "2026-11-21T06:00:00Z/2026-11-22T06:00:00Z";
        let bad = [
            "",
            "24h",
            "2026-11-21T06:00:00Z",
            "2026-11-21/2026-11-22",
            "-24h/now",
            "2026-11-21T06:00:00+00:00/2026-11-22T06:00:00Z",
        ];
        check::<Window>(&[day], &bad, true);
        let none = [
            "2026-11-22T06:00:00Z/2026-11-21T06:00:00Z",
            "2026-11-22T06:00:00Z/2026-11-22T06:00:00Z",
            "2026-02-29T00:00:00Z/2026-11-22T06:00:00Z",
        ];
        check::<Window>(&[], &none, false);
        let window: Window = day.parse().unwrap();
        assert_eq!(window.within(1).map(|(start, end)| end.as_unix() - start.as_unix()), Ok(86_400));
        assert!(window.within(0).unwrap_err().message().contains("0 days"));
    }
}
