//! Durations, and what a server said of its own over the last minutes.

use std::collections::{BTreeMap, VecDeque};

use casemate_policy::Timestamp;

use super::super::{
    Text,
    figures::{Figures, Histogram, Quantile},
};

/// What is told is of so long.
const WINDOW_MS: u64 = 300_000;
/// Answers are kept so far apart.
const APART_MS: u64 = 5_000;

/// The order of the call path; what is not in it comes after.
const ORDER: [&str; 8] = ["approval", "policy", "place", "ledger", "intent", "sandbox", "output", "outcome"];

/// How long something takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Latency {
    pub(crate) name: Text,
    pub(crate) count: u64,
    pub(crate) p50: Option<Quantile>,
    pub(crate) p95: Option<Quantile>,
    pub(crate) p99: Option<Quantile>,
}

impl Latency {
    fn of(name: Text, histogram: &Histogram) -> Self {
        let quantile = |share| histogram.quantile(share);
        Self { name, count: histogram.count(), p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) }
    }

    /// Of single durations.
    pub(super) fn of_micros(name: &str, mut durations: Vec<u64>) -> Self {
        durations.sort_unstable();
        // The smallest that so many of a hundred do not exceed.
        let quantile = |share: usize| {
            let at = (durations.len() * share).div_ceil(100).checked_sub(1)?;
            let micros = durations.get(at).copied().and_then(|micros| u32::try_from(micros).ok())?;
            Some(Quantile::At(f64::from(micros) / 1e6))
        };
        let count = u64::try_from(durations.len()).unwrap_or(u64::MAX);
        Self { name: Text::of(name), count, p50: quantile(50), p95: quantile(95), p99: quantile(99) }
    }
}

/// What a server said, a while back.
#[derive(Debug, Clone, Default)]
pub(super) struct History(VecDeque<(Timestamp, Figures)>);

impl History {
    /// Remember an answer.
    pub(super) fn note(&mut self, figures: &Figures, now: Timestamp) {
        if self.0.back().is_none_or(|(at, _)| now.since(*at) >= APART_MS) {
            self.0.push_back((now, figures.clone()));
        }
        while self.0.front().is_some_and(|(at, _)| now.since(*at) > WINDOW_MS) {
            self.0.pop_front();
        }
    }

    fn oldest(&self) -> Option<&Figures> {
        self.0.front().map(|(_, figures)| figures)
    }

    /// Every stage in the order of the call path: of the last minutes, or where nothing was called then, of all.
    pub(super) fn stages(&self, now: &Figures) -> (bool, Vec<Latency>) {
        let (of_late, stages) = lately(&now.stages, self.oldest().map(|oldest| &oldest.stages));
        let mut rows: Vec<Latency> = stages.iter().map(|(name, histogram)| Latency::of((*name).clone(), histogram)).collect();
        rows.sort_by_key(|row| ORDER.iter().position(|name| *name == row.name.as_str()).unwrap_or(ORDER.len()));
        (of_late, rows)
    }

    /// Every upstream, by plugin and class of status.
    pub(super) fn upstreams(&self, now: &Figures) -> Vec<Latency> {
        let (_, upstreams) = lately(&now.upstreams, self.oldest().map(|oldest| &oldest.upstreams));
        // Most plugins have one upstream, of their own name.
        let name = |(plugin, upstream, class): &(Text, Text, Text)| match plugin == upstream {
            true => Text::of(&format!("→ {upstream} {class}")),
            false => Text::of(&format!("→ {plugin}/{upstream} {class}")),
        };
        upstreams.iter().map(|(of, histogram)| Latency::of(name(of), histogram)).collect()
    }
}

/// What came since; all of it where nothing did, or where the server began anew.
fn lately<'a, K: Ord>(
    now: &'a BTreeMap<K, Histogram>,
    before: Option<&BTreeMap<K, Histogram>>,
) -> (bool, Vec<(&'a K, Histogram)>) {
    let since = before.and_then(|before| {
        let one = |(key, histogram): (&'a K, &Histogram)| match before.get(key) {
            Some(before) => Some((key, histogram.since(before)?)),
            None => Some((key, histogram.clone())),
        };
        now.iter().map(one).collect::<Option<Vec<_>>>()
    });
    match since.filter(|since| since.iter().any(|(_, histogram)| histogram.count() > 0)) {
        Some(since) => (true, since),
        None => (false, now.iter().map(|(key, histogram)| (key, histogram.clone())).collect()),
    }
}
