//! A moment, as milliseconds since the Unix epoch; handed in by the caller, never read from a clock.

use std::{fmt, str::FromStr};

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not an RFC 3339 date and time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an RFC 3339 date and time\nhelp: write it as 2026-12-31T00:00:00Z")]
pub struct InvalidTimestamp(String);

const DAY_MS: i64 = 86_400_000;

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This much later; the far end of time where it would overflow.
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add_unsigned(millis))
    }

    /// Milliseconds from `earlier` to this; zero where `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        u64::try_from(i128::from(self.0) - i128::from(earlier.0)).unwrap_or(0)
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-12-31T00:00:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(DAY_MS));
        let in_day = self.0.rem_euclid(DAY_MS);
        let (hour, minute) = (in_day / 3_600_000, in_day / 60_000 % 60);
        let (second, milli) = (in_day / 1000 % 60, in_day % 1000);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
    }
}

/// RFC 3339, with any offset; fractions beyond milliseconds are cut. A leap second (`:60`) is refused.
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        parse(text).ok_or_else(|| InvalidTimestamp(text.chars().take(40).collect()))
    }
}

fn parse(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let (clock, rest) = rest.strip_prefix(['T', 't'])?.split_at_checked(8)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?).filter(|(digits, _)| !digits.is_empty())?
        }
        None => ("", rest),
    };
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset = match zone {
        "Z" | "z" => 0,
        _ => {
            let sign = if zone.starts_with('+') { 1 } else { -1 };
            let [hours, minutes] = fields(zone.strip_prefix(['+', '-'])?, ':', [2, 2])?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            sign * (hours * 60 + minutes)
        }
    };
    let milli: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let minutes = days_from_civil(year, month, day) * 1440 + hour * 60 + minute - offset;
    Some(Timestamp(minutes * 60_000 + second * 1000 + milli))
}

/// Exactly `N` runs of digits of the given widths.
fn fields<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; N];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width && part.bytes().all(|b| b.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": days since the epoch of a proleptic Gregorian date.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::Timestamp;

    fn check(text: &str, millis: i64, shown: &str) {
        let at: Timestamp = text.parse().unwrap();
        assert_eq!((at.as_millis(), at.to_string().as_str()), (millis, shown));
        assert_eq!(shown.parse::<Timestamp>().unwrap(), at);
    }

    #[test]
    fn moments_are_read_and_written() {
        check("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00.000Z");
        check("2026-12-31T00:00:00Z", 1_798_675_200_000, "2026-12-31T00:00:00.000Z");
        check("2024-02-29T23:59:59.9999Z", 1_709_251_199_999, "2024-02-29T23:59:59.999Z");
        check("1969-12-31T23:59:59.5Z", -500, "1969-12-31T23:59:59.500Z");
        check("2026-01-01T02:00:00+02:00", 1_767_225_600_000, "2026-01-01T00:00:00.000Z");
        check("2000-03-01t00:00:00-00:30", 951_870_600_000, "2000-03-01T00:30:00.000Z");
    }

    #[test]
    fn what_is_not_a_moment_is_refused() {
        for text in [
            "",
            "2026-12-31",
            "2026-13-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2026-12-31 00:00:00Z",
            "2026-12-31T24:00:00Z",
            "2026-12-31T00:00:60Z",
            "2026-12-31T00:00:00",
            "2026-12-31T00:00:00.Z",
            "2026-12-31T00:00:00Zx",
            "2026-12-31T00:00:00+2:00",
            "+026-12-31T00:00:00Z",
            "２026-12-31T00:00:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        for millis in [i64::MIN, i64::MAX] {
            assert!(!Timestamp::from_millis(millis).to_string().is_empty());
        }
        assert_eq!(Timestamp::from_millis(i64::MAX).plus_millis(u64::MAX).as_millis(), i64::MAX);
        assert_eq!(Timestamp::from_millis(i64::MAX).since(Timestamp::from_millis(i64::MIN)), u64::MAX);
        assert_eq!(Timestamp::from_millis(0).since(Timestamp::from_millis(1)), 0);
    }
}
