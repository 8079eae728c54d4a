//! What a running server says of itself: its figures, of which the audit log has none.

use std::collections::BTreeMap;

use super::{
    Text,
    exposition::{Fault, Sample, parse},
};

/// Series of one kind that are kept; whoever has more shows no operator anything.
const MAX_SERIES: usize = 64;
/// Buckets of one series.
const MAX_BUCKETS: usize = 64;

const STAGE: &str = "casemate_stage_duration_seconds";
const UPSTREAM: &str = "casemate_upstream_duration_seconds";

/// The figures of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Figures {
    /// How long calls spend in each stage.
    pub(super) stages: BTreeMap<Text, Histogram>,
    /// How long upstreams take, by plugin, upstream and class of status.
    pub(super) upstreams: BTreeMap<(Text, Text, Text), Histogram>,
    /// Places of the sandbox in use, and calls that wait for one.
    pub(super) places: Option<u64>,
    pub(super) queue: Option<u64>,
    /// Fuel by plugin, since the server began.
    pub(super) fuel: BTreeMap<Text, u64>,
    /// How long the oldest record waits for the disk, in seconds.
    pub(super) lag: Option<f64>,
}

/// Durations, counted by what they do not exceed.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Histogram {
    /// Seconds, and how many are no longer; the last bound is infinite.
    buckets: Vec<(f64, u64)>,
}

/// An answer that says nothing of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error(transparent)]
    Text(#[from] Fault),
    #[error("`{0}` has a value that it cannot have")]
    Value(Text),
    #[error("`{0}` is there twice")]
    Twice(Text),
    #[error("the buckets of `{0}` do not add up")]
    Buckets(Text),
    #[error("`{0}` has more series or buckets than a host has")]
    Many(Text),
    #[error("there are no figures of casemate in it")]
    Stranger,
}

impl Figures {
    /// What the text says, or why nothing of it is believed.
    pub(super) fn read(text: &str) -> Result<Self, Unfit> {
        let samples = parse(text)?;
        if !samples.iter().any(|sample| sample.name.starts_with("casemate_")) {
            return Err(Unfit::Stranger);
        }
        let fuel = series(&samples, "casemate_fuel_total", |sample| Some(Text::of(sample.label("plugin")?)))?;
        Ok(Self {
            stages: histograms(&samples, STAGE, |sample| Some(Text::of(sample.label("stage")?)))?,
            upstreams: histograms(&samples, UPSTREAM, |sample| {
                let label = |name| sample.label(name).map(Text::of);
                Some((label("plugin")?, label("upstream")?, label("status_class")?))
            })?,
            places: single(&samples, "casemate_places_in_use")?.map(whole),
            queue: single(&samples, "casemate_places_waiting")?.map(whole),
            fuel: fuel.into_iter().map(|(plugin, fuel)| (plugin, whole(fuel))).collect(),
            lag: single(&samples, "casemate_audit_lag_seconds")?,
        })
    }
}

/// No figure of a host is negative, or none at all.
fn value(sample: &Sample) -> Result<f64, Unfit> {
    Some(sample.value).filter(|value| value.is_finite() && *value >= 0.0).ok_or_else(|| Unfit::Value(Text::of(&sample.name)))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "finite and not negative, and saturating besides")]
fn whole(value: f64) -> u64 {
    value as u64
}

fn single(samples: &[Sample], name: &str) -> Result<Option<f64>, Unfit> {
    Ok(series(samples, name, |_| Some(()))?.remove(&()))
}

/// Every series of this name by its key; a sample without one is left out.
fn series<K: Ord>(samples: &[Sample], name: &str, key: impl Fn(&Sample) -> Option<K>) -> Result<BTreeMap<K, f64>, Unfit> {
    let mut all = BTreeMap::new();
    for sample in samples.iter().filter(|sample| sample.name == name) {
        let Some(key) = key(sample) else { continue };
        if all.insert(key, value(sample)?).is_some() {
            return Err(Unfit::Twice(Text::of(name)));
        }
        if all.len() > MAX_SERIES {
            return Err(Unfit::Many(Text::of(name)));
        }
    }
    Ok(all)
}

fn histograms<K: Ord>(
    samples: &[Sample],
    name: &str,
    key: impl Fn(&Sample) -> Option<K>,
) -> Result<BTreeMap<K, Histogram>, Unfit> {
    let mut all: BTreeMap<K, Histogram> = BTreeMap::new();
    let buckets = format!("{name}_bucket");
    for sample in samples.iter().filter(|sample| sample.name == buckets) {
        let Some(key) = key(sample) else { continue };
        let bound = sample.label("le").and_then(|bound| if bound == "+Inf" { Some(f64::INFINITY) } else { bound.parse().ok() });
        let bound = bound.filter(|bound: &f64| *bound > 0.0).ok_or_else(|| Unfit::Buckets(Text::of(name)))?;
        let histogram = all.entry(key).or_default();
        histogram.buckets.push((bound, whole(value(sample)?)));
        if histogram.buckets.len() > MAX_BUCKETS || all.len() > MAX_SERIES {
            return Err(Unfit::Many(Text::of(name)));
        }
    }
    if all.values().all(Histogram::adds_up) { Ok(all) } else { Err(Unfit::Buckets(Text::of(name))) }
}

impl Histogram {
    /// Bounds rise to infinity, and counts do not fall.
    fn adds_up(&self) -> bool {
        let rising = |(low, high): (&(f64, u64), &(f64, u64))| low.0 < high.0 && low.1 <= high.1;
        self.buckets.iter().zip(self.buckets.iter().skip(1)).all(rising)
            && self.buckets.last().is_some_and(|(bound, _)| bound.is_infinite())
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.buckets.last().map_or(0, |(_, count)| *count)
    }

    /// What came since; none where the server began anew in between, or counts otherwise.
    pub(super) fn since(&self, before: &Self) -> Option<Self> {
        let bounds = |histogram: &Self| histogram.buckets.iter().map(|(bound, _)| *bound).collect::<Vec<_>>();
        if bounds(self) != bounds(before) {
            return None;
        }
        let bucket = |(&(bound, now), (_, then)): (&(f64, u64), &(f64, u64))| Some((bound, now.checked_sub(*then)?));
        let buckets = self.buckets.iter().zip(&before.buckets).map(bucket).collect::<Option<_>>()?;
        Some(Self { buckets }).filter(Self::adds_up)
    }

    /// The seconds that this share of them does not exceed, as `histogram_quantile` of Prometheus has it: evenly spread within a bucket.
    pub(super) fn quantile(&self, share: f64) -> Option<Quantile> {
        let rank = share * precise(self.count());
        let (mut low, mut below) = (0.0, 0);
        for &(bound, count) in &self.buckets {
            if count > below && precise(count) >= rank {
                if bound.is_infinite() {
                    return Some(Quantile::Above(low));
                }
                let within = (rank - precise(below)).max(0.0) / precise(count - below);
                return Some(Quantile::At(low + (bound - low) * within));
            }
            (low, below) = (if bound.is_infinite() { low } else { bound }, count);
        }
        None
    }
}

/// Where a share of the durations ends, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Quantile {
    At(f64),
    /// Beyond the last bound.
    Above(f64),
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls, for people")]
fn precise(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
pub(super) mod tests {
    use super::*;

    /// One stage, whose buckets have these counts.
    pub(in crate::top) fn stage(name: &str, counts: &[(&str, u64)]) -> String {
        counts.iter().map(|(bound, count)| format!("{STAGE}_bucket{{stage=\"{name}\",le=\"{bound}\"}} {count}\n")).collect()
    }

    #[test]
    fn figures_are_read_by_their_names() {
        let text = stage("policy", &[("0.001", 5), ("0.01", 9), ("+Inf", 10)])
            + "casemate_upstream_duration_seconds_bucket{plugin=\"eye\",upstream=\"api\",status_class=\"2xx\",le=\"+Inf\"} 3\n\
               casemate_places_in_use 2\ncasemate_places_waiting 1\ncasemate_fuel_total{plugin=\"acme/eye\"} 1e9\n\
               casemate_audit_lag_seconds 0.25\nsomebody_else{x=\"y\"} NaN\n";
        let figures = Figures::read(&text).unwrap();
        assert_eq!((figures.places, figures.queue, figures.lag), (Some(2), Some(1), Some(0.25)));
        assert_eq!(figures.fuel.get(&Text::of("acme/eye")), Some(&1_000_000_000));
        assert_eq!(figures.upstreams.values().map(Histogram::count).collect::<Vec<_>>(), [3]);
        let policy = figures.stages.get(&Text::of("policy")).unwrap();
        assert_eq!((policy.count(), policy.quantile(0.5)), (10, Some(Quantile::At(0.001))));
        assert_eq!(policy.quantile(0.99), Some(Quantile::Above(0.01)));
        let Some(Quantile::At(within)) = policy.quantile(0.7) else { panic!() };
        assert!((within - 0.0055).abs() < 1e-9, "{within}");
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn what_cannot_be_is_not_believed() {
        let name = || Text::of(STAGE);
        let check = |text: &str, fault: Unfit| assert_eq!(Figures::read(text), Err(fault), "{text}");
        check("", Unfit::Stranger);
        check("up 1\n", Unfit::Stranger);
        check("casemate_places_in_use -1\n", Unfit::Value(Text::of("casemate_places_in_use")));
        check("casemate_audit_lag_seconds NaN\n", Unfit::Value(Text::of("casemate_audit_lag_seconds")));
        check("casemate_places_in_use 1\ncasemate_places_in_use 2\n", Unfit::Twice(Text::of("casemate_places_in_use")));
        check(&stage("a", &[("0.1", 5), ("+Inf", 4)]), Unfit::Buckets(name()));
        check(&stage("a", &[("0.1", 5), ("0.1", 5), ("+Inf", 6)]), Unfit::Buckets(name()));
        check(&stage("a", &[("0.1", 5)]), Unfit::Buckets(name()));
        check(&stage("a", &[("wide", 5), ("+Inf", 5)]), Unfit::Buckets(name()));
        check(&stage("a", &[("NaN", 5), ("+Inf", 5)]), Unfit::Buckets(name()));
        let many: String = (0..=MAX_SERIES).map(|number| stage(&number.to_string(), &[("+Inf", 1)])).collect();
        check(&many, Unfit::Many(name()));
        let fine: Vec<String> = (1..=MAX_BUCKETS + 1).map(|number| number.to_string()).collect();
        check(&stage("a", &fine.iter().map(|bound| (bound.as_str(), 1)).collect::<Vec<_>>()), Unfit::Many(name()));
    }

    #[test]
    fn what_came_since_is_a_difference_unless_the_server_began_anew() {
        let of = |counts: &[(&str, u64)]| Figures::read(&stage("a", counts)).unwrap().stages.remove(&Text::of("a")).unwrap();
        let (before, now) = (of(&[("0.1", 5), ("+Inf", 6)]), of(&[("0.1", 5), ("+Inf", 9)]));
        assert_eq!(now.since(&before), Some(of(&[("0.1", 0), ("+Inf", 3)])));
        assert_eq!(before.since(&now), None);
        assert_eq!(now.since(&of(&[("0.2", 5), ("+Inf", 6)])), None);
    }
}
