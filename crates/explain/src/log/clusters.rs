//! Finds ages at which far more sessions ended than at neighbouring ages.

use super::ages::{BIN_S, quantile};

/// An age at which many sessions ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cluster {
    /// The median in seconds.
    pub(super) value_s: f64,
    /// Half of the range that contains 90 % of the sessions, in seconds.
    pub(super) spread_s: f64,
    pub(super) count: u64,
    /// The first and the last bin.
    pub(super) from: u32,
    pub(super) to: u32,
    /// The number of sessions that lived clearly longer.
    pub(super) longer: u64,
    /// The number of sessions that were clearly shorter.
    pub(super) shorter: u64,
}

/// The maximum number of clusters.
const MOST: usize = 6;

/// The window widths in bins: for exact timers, timers with jitter, and timers that are checked every second or every few
/// seconds.
const WIDTHS: [u32; 4] = [5, 20, 120, 300];

/// The index of the first width for ages that are truncated to whole seconds.
const COARSE: usize = 2;

/// The age in bins below which nothing counts as a timer.
const YOUNGEST: u32 = 50;

/// Returns the minimum number of sessions in a cluster.
const LEAST: u64 = 5;

/// Finds clusters in sorted bins and returns them, the largest first.
pub(super) fn find(bins: &[(u32, u32)], coarse: bool) -> Vec<Cluster> {
    let all = Sums::new(bins);
    let total = all.total();
    let least = LEAST.max(total / 200);
    let mut rest: Vec<(u32, u32)> = bins.to_vec();
    let mut found = Vec::new();
    while found.len() < MOST {
        let Some((from, width)) = peak(&rest, total, least, if coarse { COARSE } else { 0 }) else { break };
        let inside: Vec<(u32, u32)> =
            rest.iter().copied().filter(|(bin, _)| (from..=from + width).contains(bin)).collect();
        let count = inside.iter().map(|(_, count)| u64::from(*count)).sum();
        let value_s = quantile(&inside, 0.5) + BIN_S / 2.0;
        let spread_s = ((quantile(&inside, 0.95) - quantile(&inside, 0.05)) / 2.0).max(BIN_S / 2.0);
        let apart = ((2.0f64.max(value_s * 0.03)) / BIN_S) as u32;
        let (first, last) =
            (inside.first().map_or(from, |bin| bin.0), inside.last().map_or(from, |bin| bin.0));
        found.push(Cluster {
            value_s,
            spread_s,
            count,
            from: first,
            to: last,
            longer: total - all.below(last.saturating_add(apart)),
            shorter: all.below(first.saturating_sub(apart)),
        });
        let (low, high) = (from.saturating_sub(width / 2), from + width + width / 2);
        rest.retain(|(bin, _)| !(low..=high).contains(bin));
    }
    found.sort_by_key(|cluster| std::cmp::Reverse(cluster.count));
    found
}

/// Returns the most significant window as first bin and width.
fn peak(bins: &[(u32, u32)], total: u64, least: u64, narrowest: usize) -> Option<(u32, u32)> {
    let sums = Sums::new(bins);
    let mut best: Option<(f64, u32, u32)> = None;
    for width in WIDTHS.into_iter().skip(narrowest) {
        let mut end = 0;
        for (start, &(from, _)) in bins.iter().enumerate() {
            while bins.get(end).is_some_and(|(bin, _)| *bin <= from + width) {
                end += 1;
            }
            let count = sums.between(start, end);
            // The window must be narrow relative to the age.
            if count < least || from < YOUNGEST || width > 5.max(from / 20) {
                continue;
            }
            let expected = sums.around(from, width);
            // Random counts reach this level in about one of a million windows; for a large part of all sessions, less is enough.
            let chance = if 5 * count >= total { 3.0 } else { 4.0 + 5.0 * (expected + 0.3).sqrt() };
            if (count as f64) < (expected + chance).max(3.0 * expected + 2.0) {
                continue;
            }
            let score = (count as f64 - expected) / (expected + 1.0).sqrt();
            // A wider window has to contain clearly more sessions.
            if best.is_none_or(|(most, _, known)| score > most * if width > known { 1.05 } else { 1.0 }) {
                best = Some((score, from, width));
            }
        }
    }
    best.map(|(_, from, width)| (from, width))
}

/// Cumulative sums over bins.
struct Sums<'a> {
    bins: &'a [(u32, u32)],
    /// The sum of all bins before each bin.
    before: Vec<u64>,
}

impl<'a> Sums<'a> {
    fn new(bins: &'a [(u32, u32)]) -> Sums<'a> {
        let mut before = Vec::with_capacity(bins.len() + 1);
        let mut sum = 0;
        before.push(0);
        for (_, count) in bins {
            sum += u64::from(*count);
            before.push(sum);
        }
        Sums { bins, before }
    }

    fn total(&self) -> u64 {
        self.before.last().copied().unwrap_or(0)
    }

    /// Returns the sum of a range of list positions, the end excluded.
    fn between(&self, start: usize, end: usize) -> u64 {
        self.before[end] - self.before[start]
    }

    fn below(&self, bin: u32) -> u64 {
        self.before[self.bins.partition_point(|(known, _)| *known < bin)]
    }

    /// Returns the expected count in a window, from its neighbourhood on the busier side.
    fn around(&self, from: u32, width: u32) -> f64 {
        let side = 10 * width;
        let (low, high) = (from.saturating_sub(width / 2), from + width + width / 2 + 1);
        let left = self.below(low) - self.below(low.saturating_sub(side));
        let right = self.below(high.saturating_add(side)) - self.below(high);
        left.max(right) as f64 / 10.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::ages::{Ages, merged};

    fn bins(ages_s: impl IntoIterator<Item = f64>) -> Vec<(u32, u32)> {
        let (mut ages, mut budget) = (Ages::default(), 1000);
        ages_s.into_iter().for_each(|s| ages.add((s * 1e6) as u64, &mut budget));
        merged([&ages])
    }

    /// Ages of people: from seconds to hours, spread smoothly. Deterministic.
    fn people(count: u32) -> impl Iterator<Item = f64> {
        (0..count).map(move |i| {
            let part = (f64::from(i) + 0.5) / f64::from(count);
            -600.0 * (1.0 - part).ln()
        })
    }

    #[test]
    fn ages_of_people_have_no_clusters() {
        for count in [3, 10, 100, 1_000, 20_000, 300_000] {
            assert_eq!(find(&bins(people(count)), false), [], "{count}");
        }
    }

    #[test]
    fn a_timer_is_found_with_its_value_and_spread() {
        let jitter = |i: u32| f64::from(i % 9) / 100.0;
        let found = find(&bins(people(1000).chain((0..400).map(|i| 60.0 + jitter(i)))), false);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!((found[0].value_s - 60.04).abs() < 0.03 && found[0].spread_s < 0.06, "{found:?}");
        assert!(
            (395..420).contains(&found[0].count) && found[0].longer > 800 && found[0].shorter > 50,
            "{found:?}"
        );
    }

    #[test]
    fn a_timer_that_is_looked_at_each_second_is_one_cluster() {
        let found = find(&bins((0..500).map(|i| 350.0 + f64::from(i % 100) / 100.0)), false);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!((found[0].value_s - 350.5).abs() < 0.1 && found[0].count == 500, "{found:?}");
    }

    #[test]
    fn two_timers_are_two_clusters() {
        let one = (0..50).map(|_| 60.0);
        let found = find(&bins(people(500).chain(one).chain((0..100).map(|_| 3600.0))), false);
        let values: Vec<f64> = found.iter().map(|cluster| cluster.value_s.round()).collect();
        assert_eq!(values, [3600.0, 60.0]);
    }

    #[test]
    fn whole_seconds_are_no_timers_by_themselves() {
        let whole = || people(5000).map(f64::floor);
        assert_eq!(find(&bins(whole()), true), []);
        let found = find(&bins(whole().chain((0..400).map(|_| 60.0))), true);
        assert_eq!(found.len(), 1, "{found:?}");
    }

    #[test]
    fn few_sessions_are_enough_when_they_agree() {
        assert_eq!(find(&bins([60.0, 60.01, 60.0, 60.02, 60.01, 13.0]), false).len(), 1);
        assert_eq!(find(&bins([60.0, 60.01, 60.0, 60.02]), false), []);
    }
}
