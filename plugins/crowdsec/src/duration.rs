//! Lengths of time as Go writes them: `1h29m59.5s`, `-50.4ms`.

/// Whole seconds, towards zero; nothing where the text is no length of time. One that is over is negative.
pub fn seconds(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let mut milliseconds = 0_i64;
    if rest.is_empty() || rest.len() > 64 {
        return None;
    }
    while !rest.is_empty() {
        let (whole, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.find(|c: char| !c.is_ascii_digit())?),
            None => ("", after),
        };
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        let whole: i64 = whole.parse().ok()?;
        // Of a fraction, milliseconds of a second are enough: no unit above it has one.
        let of_second = || format!("{fraction:0<3}").get(..3)?.parse::<i64>().ok();
        let part = match unit {
            "h" if fraction.is_empty() => whole.checked_mul(3_600_000)?,
            "m" if fraction.is_empty() => whole.checked_mul(60_000)?,
            "s" => whole.checked_mul(1_000)?.checked_add(of_second()?)?,
            "ms" => whole,
            "µs" | "us" | "ns" => 0,
            _ => return None,
        };
        milliseconds = milliseconds.checked_add(part)?;
        rest = after;
    }
    Some(sign * (milliseconds / 1_000))
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn what_go_writes_is_read() {
        for (text, expected) in [
            ("29m59.05s", 1_799),
            ("3h59m59.913237508s", 14_399),
            ("4m0s", 240),
            ("240m", 14_400),
            ("0s", 0),
            ("999ms", 0),
            ("12.5µs", 0),
            ("-50.467821ms", 0),
            ("-1h0m1.9s", -3_601),
            ("8759h59m59s", 31_535_999),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_it_does_not_write_is_not() {
        for text in
            ["", "-", "s", "1", "1d", "1.5h", "1h ", "+1h", "--1h", "1.s5", "9223372036854775807h", "1h2", "h1", &"1s".repeat(40)]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
