//! Numbers as people read them at a glance.

use super::super::figures::Quantile;

/// A count: exact while it is small, and short when it is not.
pub(super) fn count(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1_000_000_000_000, "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];
    match UNITS.into_iter().find(|(size, _)| count >= *size) {
        Some((size, unit)) if count >= 10_000 => match count % size * 10 / size {
            0 => format!("{}{unit}", count / size),
            tenths => format!("{}.{tenths}{unit}", count / size),
        },
        _ => count.to_string(),
    }
}

/// A duration in seconds.
pub(super) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 0.000_999_5 => format!("{:.0} µs", s * 1e6),
        s if s < 0.009_995 => format!("{:.2} ms", s * 1e3),
        s if s < 0.099_95 => format!("{:.1} ms", s * 1e3),
        s if s < 0.999_5 => format!("{:.0} ms", s * 1e3),
        s if s < 9.995 => format!("{s:.2} s"),
        s => format!("{s:.0} s"),
    }
}

/// A duration in microseconds.
#[expect(clippy::cast_precision_loss, reason = "for people")]
pub(super) fn micros(micros: u64) -> String {
    seconds(micros as f64 / 1e6)
}

/// Where a share of durations ends.
pub(super) fn quantile(quantile: Option<Quantile>) -> String {
    match quantile {
        None => "-".to_owned(),
        Some(Quantile::At(at)) => seconds(at),
        Some(Quantile::Above(above)) => format!(">{}", seconds(above)),
    }
}

/// A part of a whole, from 0 to 1.
#[expect(clippy::cast_precision_loss, reason = "it becomes a bar of some columns")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { (part as f64 / whole as f64).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, shown) in
            [(0, "0"), (9_999, "9999"), (10_000, "10k"), (12_345, "12.3k"), (999_999, "999.9k"), (1_500_000, "1.5M")]
        {
            assert_eq!(count(number), shown);
        }
        for (number, shown) in [
            (0.000_012, "12 µs"),
            (0.001_234, "1.23 ms"),
            (0.012_34, "12.3 ms"),
            (0.123_4, "123 ms"),
            (1.234, "1.23 s"),
            (61.0, "61 s"),
        ] {
            assert_eq!(seconds(number), shown);
        }
        assert_eq!((share(1, 2), share(3, 2), share(0, 0)), (0.5, 1.0, 1.0));
    }
}
