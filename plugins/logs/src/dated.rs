//! When a line was written, as it says itself: RFC 3339 and its looser relatives, syslog's RFC 3164 and RFC 5424, the common log format of
//! Apache and nginx, and seconds or milliseconds since 1970. All as seconds since 1970.

mod civil;

use civil::{Civil, month};

/// Bytes of a line in which its time is looked for. In the common log format a user's name stands before it.
const HEAD: usize = 512;
/// How far ahead of this host's clock a line may be before its year is taken to be another: the clocks of a day's time zones.
const AHEAD: i64 = 86_400;
/// Years back in which a date without one is looked for: a 29th of February has to be in one of them.
const YEARS: i64 = 8;

/// What is not in a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Now.
    pub(crate) now: i64,
    /// Seconds east of Greenwich, where a line does not say.
    pub(crate) offset: i64,
}

impl Clock {
    /// The time of a line, if it has one that is read here.
    pub(crate) fn time_of(self, line: &[u8]) -> Option<i64> {
        let head = line.get(..HEAD).unwrap_or(line);
        let rest = after_priority(head);
        self.internet(rest)
            .or_else(|| self.syslog(rest))
            .or_else(|| epoch(rest))
            .or_else(|| common_log(head))
            .or_else(|| audit(head))
    }

    /// RFC 3339, also with a space, slashes, a comma before the fraction, or no zone; in brackets, too.
    fn internet(self, line: &[u8]) -> Option<i64> {
        let mut text = Text(line.strip_prefix(b"[").unwrap_or(line));
        let year = text.number(4)?;
        let dash = text.one_of(b"-/")?;
        let month = text.number(2)?;
        text.one_of(&[dash])?;
        let day = text.number(2)?;
        text.one_of(b"Tt ")?;
        let at = Civil { year, month, day, second: text.time()? }.seconds()?;
        if text.one_of(b".,").is_some() {
            text.digits();
        }
        Some(at - text.zone().unwrap_or(self.offset))
    }

    /// RFC 3164, `Nov  2 06:13:21`: without year and zone. The year is the last in which that was not in the future.
    fn syslog(self, line: &[u8]) -> Option<i64> {
        let mut text = Text(line);
        let month = month(text.take(3)?)?;
        text.one_of(b" ")?;
        let day = if text.one_of(b" ").is_some() { text.number(1)? } else { text.number(2)? };
        text.one_of(b" ")?;
        let second = text.time()?;
        let this = Civil::year_of(self.now + AHEAD + self.offset);
        (0..YEARS).find_map(|back| {
            let at = Civil { year: this - back, month, day, second }.seconds()? - self.offset;
            (at <= self.now + AHEAD).then_some(at)
        })
    }
}

casemate_plugin::word!(
    /// An RFC 3339 time that a caller gives.
    pub Moment, "an RFC 3339 time with its zone, such as 2026-11-22T06:00:00Z", 20..=35,
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
    |text| moment(text).is_some(), str::to_owned);

impl Moment {
    /// Seconds since 1970; what is less than a second is left out.
    pub(crate) fn seconds(&self) -> Option<i64> {
        moment(self.as_str())
    }
}

fn moment(text: &str) -> Option<i64> {
    let mut rest = Text(text.as_bytes());
    let year = rest.number(4)?;
    rest.one_of(b"-")?;
    let month = rest.number(2)?;
    rest.one_of(b"-")?;
    let day = rest.number(2)?;
    rest.one_of(b"T")?;
    let at = Civil { year, month, day, second: rest.time()? }.seconds()?;
    if rest.one_of(b".").is_some() && !(1..=9).contains(&rest.digits()) {
        return None;
    }
    let is_zone = rest.0 == b"Z" || (rest.0.len() == 6 && rest.0.get(3) == Some(&b':'));
    let zone = rest.zone().filter(|_| is_zone)?;
    rest.0.is_empty().then_some(at - zone)
}

/// What follows syslog's priority, and RFC 5424's version.
fn after_priority(line: &[u8]) -> &[u8] {
    let mut text = Text(line);
    if text.one_of(b"<").is_none() || !(1..=3).contains(&text.digits()) || text.one_of(b">").is_none() {
        return line;
    }
    text.0.strip_prefix(b"1 ").unwrap_or(text.0)
}

/// `1732255999`, with or without a fraction, or `1732255999123`.
fn epoch(line: &[u8]) -> Option<i64> {
    let mut text = Text(line);
    let number: i64 = std::str::from_utf8(line.get(..text.digits())?).ok()?.parse().ok()?;
    let seconds = match line.len() - text.0.len() {
        10 => number,
        13 => number / 1_000,
        _ => return None,
    };
    if text.one_of(b".").is_some() {
        text.digits();
    }
    matches!(text.0.first(), None | Some(b' ' | b'\t' | b':' | b',' | b']')).then_some(seconds)
}

/// `host ident user [22/Nov/2026:06:13:21 +0000] "GET …`. A user's name may hold brackets and a date, but no quote: servers escape those.
fn common_log(line: &[u8]) -> Option<i64> {
    let end = line.windows(3).position(|three| three == b"] \"")?;
    let begin = line.get(..end)?.iter().rposition(|byte| *byte == b'[')?;
    let mut text = Text(line.get(begin + 1..end)?);
    let day = text.number(2)?;
    text.one_of(b"/")?;
    let month = month(text.take(3)?)?;
    text.one_of(b"/")?;
    let year = text.number(4)?;
    text.one_of(b":")?;
    let at = Civil { year, month, day, second: text.time()? }.seconds()?;
    let zone = text.zone()?;
    text.0.is_empty().then_some(at - zone)
}

/// Linux's audit log: `type=USER_LOGIN msg=audit(1364481363.243:24287): …`.
fn audit(line: &[u8]) -> Option<i64> {
    if !line.starts_with(b"type=") && !line.starts_with(b"node=") {
        return None;
    }
    const BEFORE: &[u8] = b" msg=audit(";
    let at = line.windows(BEFORE.len()).position(|window| window == BEFORE)?;
    epoch(line.get(at + BEFORE.len()..)?)
}

/// What is left of a text.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next byte, if it is one of these.
    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        if !bytes.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(*first)
    }

    /// A number of so many digits.
    fn number(&mut self, digits: usize) -> Option<i64> {
        let taken = self.0.get(..digits).filter(|taken| taken.iter().all(u8::is_ascii_digit))?;
        self.0 = self.0.get(digits..)?;
        Some(taken.iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0')))
    }

    /// Passes over digits, and says how many.
    fn digits(&mut self) -> usize {
        let count = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.0 = self.0.get(count..).unwrap_or_default();
        count
    }

    /// `06:13:21` as the second of a day. A leap second is the one before it.
    fn time(&mut self) -> Option<i64> {
        let hour = self.number(2).filter(|hour| *hour < 24)?;
        self.one_of(b":")?;
        let minute = self.number(2).filter(|minute| *minute < 60)?;
        self.one_of(b":")?;
        let second = self.number(2).filter(|second| *second <= 60)?;
        Some(hour * 3_600 + minute * 60 + second.min(59))
    }

    /// `Z`; or `+02:00` or `+0200`, also after a space; in seconds east of Greenwich.
    fn zone(&mut self) -> Option<i64> {
        if self.one_of(b"Zz").is_some() {
            return Some(0);
        }
        let before = self.0;
        self.one_of(b" ");
        let zone = (|| {
            let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
            let hours = self.number(2).filter(|hours| *hours < 24)?;
            self.one_of(b":");
            let minutes = self.number(2).filter(|minutes| *minutes < 60)?;
            Some(sign * (hours * 3_600 + minutes * 60))
        })();
        if zone.is_none() {
            self.0 = before;
        }
        zone
    }
}

/// `+02:00` as seconds east of Greenwich.
pub(crate) fn zone(text: &str) -> Option<i64> {
    Text(text.as_bytes()).zone()
}

#[cfg(test)]
mod tests {
    use casemate_plugin::Timestamp;

    use super::*;

    /// 2026-11-22T06:13:21Z
    const NOW: i64 = 1_795_328_001;

    fn time(line: &str, offset: i64) -> Option<String> {
        let at = Clock { now: NOW, offset }.time_of(line.as_bytes())?;
        Timestamp::from_unix(at).map(|at| at.to_string())
    }

    #[track_caller]
    fn check(line: &str, expected: &str) {
        assert_eq!(time(line, 0).as_deref(), Some(expected), "{line:?}");
    }

    #[test]
    fn every_format_is_read() {
        for (line, expected) in [
            ("2026-11-22T06:13:21Z up", "2026-11-22T06:13:21Z"),
            ("2026-11-22T06:13:21.123456+02:00 host sshd[1]: x", "2026-11-22T04:13:21Z"),
            ("2026-11-22t06:13:21-0530 x", "2026-11-22T11:43:21Z"),
            ("2026-11-22 06:13:21,123 INFO x", "2026-11-22T06:13:21Z"),
            ("2026-11-22 06:13:21 +0100 x", "2026-11-22T05:13:21Z"),
            ("[2026-11-22 06:13:21] x", "2026-11-22T06:13:21Z"),
            ("2026/11/22 06:13:21 [error] 7#7: *1 open()", "2026-11-22T06:13:21Z"),
            ("<34>1 2026-11-22T06:13:21.003Z host su - ID47 - x", "2026-11-22T06:13:21Z"),
            ("Nov 22 06:13:21 host sshd[1]: x", "2026-11-22T06:13:21Z"),
            ("<34>Nov  2 06:13:21 host su: x", "2026-11-02T06:13:21Z"),
            ("Dec 31 23:59:60 host x", "2025-12-31T23:59:59Z"),
            ("Feb 29 00:00:00 host x", "2024-02-29T00:00:00Z"),
            ("10.0.0.1 - - [22/Nov/2026:06:13:21 +0000] \"GET / HTTP/1.1\" 200 1", "2026-11-22T06:13:21Z"),
            ("::1 - ann [22/Nov/2026:06:13:21 -0800] \"-\" 400 0", "2026-11-22T14:13:21Z"),
            ("1795328001 x", "2026-11-22T06:13:21Z"),
            ("1795328001.250    345 10.0.0.1 TCP_MISS/200", "2026-11-22T06:13:21Z"),
            ("1795328001999\tx", "2026-11-22T06:13:21Z"),
            ("1795328001", "2026-11-22T06:13:21Z"),
            ("type=USER_LOGIN msg=audit(1795328001.243:24287): pid=1", "2026-11-22T06:13:21Z"),
        ] {
            check(line, expected);
        }
    }

    #[test]
    fn a_line_without_a_zone_is_in_the_operators() {
        assert_eq!(time("2026-11-22 06:13:21 x", 7_200).as_deref(), Some("2026-11-22T04:13:21Z"));
        assert_eq!(time("Jan  1 00:30:00 h x", 3_600).as_deref(), Some("2025-12-31T23:30:00Z"));
        assert_eq!(time("2026-11-22 06:13:21Z x", 7_200).as_deref(), Some("2026-11-22T06:13:21Z"));
        assert_eq!(time("2026-11-22 06:13:21 Zookeeper is up", 7_200).as_deref(), Some("2026-11-22T04:13:21Z"));
    }

    #[test]
    fn a_date_without_a_year_is_not_in_the_future() {
        check("Nov 23 06:13:21 h x", "2026-11-23T06:13:21Z");
        check("Nov 23 06:13:22 h x", "2025-11-23T06:13:22Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for line in [
            "",
            "    at com.example.Main(Main.java:1)",
            "2026-13-22T06:13:21Z",
            "2026-02-29T06:13:21Z",
            "2026-11-22",
            "2026-11/22 06:13:21",
            "2026-11-22T24:00:00Z",
            "Nov 31 06:13:21 x",
            "nov 22 06:13:21 x",
            "Nov 22 6:13:21 x",
            "123456789 x",
            "17953280010 x",
            "1795328001x",
            "x [22/Nov/2026:06:13:21 +0000] x",
            "x [22/Nov/2026:06:13:21] \"GET\"",
            "msg=audit(1795328001.243:1)",
            "<1234>Nov 22 06:13:21 x",
            "\u{ff12}026-11-22T06:13:21Z",
        ] {
            assert_eq!(time(line, 0), None, "{line:?}");
        }
    }

    /// The name of a user of HTTP's basic authentication is whatever a client sends.
    #[test]
    fn a_forged_time_in_a_users_name_does_not_move_a_line() {
        check(
            "10.0.0.1 - x [01/Jan/2020:00:00:00 +0000] [22/Nov/2026:06:13:21 +0000] \"GET / HTTP/1.1\" 401 1",
            "2026-11-22T06:13:21Z",
        );
        check("10.0.0.1 - - [22/Nov/2026:06:13:21 +0000] \"GET /[01/Jan/2020:00:00:00 +0000] \"x\"", "2026-11-22T06:13:21Z");
    }

    #[test]
    fn a_callers_time_is_exact() {
        casemate_plugin::testing::check_field::<Moment>(
            &["2026-11-22T06:13:21Z", "2026-11-22T07:13:21.5+01:00", "2024-02-29T23:59:60.123456789-08:00"],
            &[
                "",
                "2026-11-22",
                "2026-11-22 06:13:21Z",
                "2026-11-22T06:13:21",
                "2026-11-22T06:13:21.Z",
                "2026-11-22T06:13:21Zx",
                "2026-11-22T06:13:21+0100",
                "2026-11-22t06:13:21z",
                "2026-11-22T06:13:21 +0100",
                "-2h",
            ],
            true,
        );
        // Their form is right, and there is no such time.
        casemate_plugin::testing::check_field::<Moment>(&[], &["2026-02-29T06:13:21Z", "2026-11-22T24:00:00Z"], false);
        assert_eq!((moment("2026-11-22T06:13:21Z"), moment("2026-11-22T07:13:21.5+01:00")), (Some(NOW), Some(NOW)));
    }
}
