//! Moments and intervals, as the data lake takes them: whole seconds, in UTC.

use casemate_plugin::{Failure, Timestamp, word};

/// Seconds in seven days: what one query looks at, at most, whatever is granted.
const LONGEST: i64 = 7 * 86_400;

word! {
    /// A second, in UTC.
    pub(crate) Moment, "a moment such as 2026-11-20T00:00:00Z, in UTC", 20..=20,
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", is_shaped, str::to_owned
}

word! {
    /// From one moment to another.
    pub(crate) Interval, "start/end, such as 2026-11-20T00:00:00Z/2026-11-21T00:00:00Z, in UTC", 41..=41,
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
    |text| text.split_once('/').is_some_and(|(start, end)| is_shaped(start) && is_shaped(end)), str::to_owned
}

fn is_shaped(text: &str) -> bool {
    text.len() == 20
        && text
            .bytes()
            .zip(*b"0000-00-00T00:00:00Z")
            .all(|(byte, shape)| if shape == b'0' { byte.is_ascii_digit() } else { byte == shape })
}

impl Interval {
    /// Its start and end.
    ///
    /// # Errors
    /// When one is no moment, they are in the wrong order, or it is longer than seven days.
    pub(crate) fn ends(&self) -> Result<(&str, &str), Failure> {
        let refused = |why: &str| Failure::invalid_arguments(format!("the query was not sent: the interval {why}"));
        let (start, end) = self.as_str().split_once('/').unwrap_or_default();
        let (Some(from), Some(to)) = (seconds(start), seconds(end)) else {
            return Err(refused("has a day or a time that does not exist"));
        };
        match to - from {
            ..=0 => Err(refused("ends before it begins, or at once")),
            1..=LONGEST => Ok((start, end)),
            _ => Err(refused("is longer than 7 days; ask for a shorter one, or in parts")),
        }
    }
}

/// Seconds since 1970; none where there is no such moment.
fn seconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    // Civil date to days: Howard Hinnant, "chrono-compatible low-level date algorithms".
    let shifted = year - i64::from(month <= 2);
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let seconds = days * 86_400 + number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    // What is written back is another text where a day or an hour does not exist.
    Timestamp::from_unix(seconds).filter(|written| written.to_string() == text).map(Timestamp::as_unix)
}

#[cfg(test)]
mod tests {
    use casemate_plugin::testing::check_field as check;

    use super::*;

    fn length(text: &str) -> Result<(), String> {
        let interval: Interval = text.parse().map_err(|error: casemate_plugin::field::InvalidField| error.to_string())?;
        interval.ends().map(|_| ()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn shapes() {
        let other = [
            "",
            "2026-11-20",
            "2026-11-20T00:00:00",
            "2026-11-20T00:00:00+01:00",
            "2026-11-20t00:00:00z",
            "now",
            "2026-11-2٠T00:00:0Z",
        ];
        check::<Moment>(&["2026-11-20T00:00:00Z"], &other, true);
        check::<Interval>(
            &["2026-11-20T00:00:00Z/2026-11-21T00:00:00Z"],
            &["", "2026-11-20T00:00:00Z", "2026-11-20T00:00:00Z-2026-11-21T00:00:00Z"],
            true,
        );
    }

    #[test]
    fn seven_days_and_no_second_more() {
        assert_eq!(length("2026-11-20T00:00:00Z/2026-11-27T00:00:00Z"), Ok(()));
        assert_eq!(length("2024-02-28T00:00:00Z/2024-03-06T00:00:00Z"), Ok(()), "the 29th is one of the seven");
        for (text, part) in [
            ("2026-11-20T00:00:00Z/2026-11-27T00:00:01Z", "longer than 7 days"),
            ("2023-02-28T00:00:00Z/2024-03-07T00:00:00Z", "longer than 7 days"),
            ("0000-01-01T00:00:00Z/9999-12-31T23:59:59Z", "longer than 7 days"),
            ("2026-11-20T00:00:00Z/2026-11-20T00:00:00Z", "ends before"),
            ("2026-11-21T00:00:00Z/2026-11-20T00:00:00Z", "ends before"),
            ("2026-02-30T00:00:00Z/2026-03-01T00:00:00Z", "does not exist"),
            ("2026-11-20T24:00:00Z/2026-11-21T00:00:00Z", "does not exist"),
            ("2026-11-20T00:60:00Z/2026-11-21T00:00:00Z", "does not exist"),
            ("2026-00-20T00:00:00Z/2026-11-21T00:00:00Z", "does not exist"),
            ("2026-13-20T00:00:00Z/2026-11-21T00:00:00Z", "does not exist"),
            ("2026-11-00T00:00:00Z/2026-11-21T00:00:00Z", "does not exist"),
        ] {
            assert!(length(text).is_err_and(|why| why.contains(part)), "{text}");
        }
    }
}
