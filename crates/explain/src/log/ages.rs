//! The ages at which sessions ended: a histogram of bounded size with a resolution that shows timers.

use std::collections::BTreeMap;

/// The width of a bin in microseconds.
pub(super) const BIN_US: u64 = 10_000;

/// The width of a bin in seconds.
pub(super) const BIN_S: f64 = 0.01;

/// The number of bins that are allocated together.
const PAGE: u32 = 1024;

/// The maximum age: 30 days. Longer ages count as this one.
const LAST: u32 = 30 * 24 * 3600 * 100;

/// The maximum number of pages of all histograms of a survey: 8 MiB.
pub(super) const PAGES: usize = 2048;

/// A histogram with bins of 10 ms. Without a free page, it counts in bins of ten seconds only.
#[derive(Debug, Default)]
pub(super) struct Ages {
    pages: BTreeMap<u32, Box<[u32; PAGE as usize]>>,
    coarse: BTreeMap<u32, u32>,
    pub(super) count: u64,
}

impl Ages {
    /// Counts a session, and takes a page from the budget if necessary.
    pub(super) fn add(&mut self, us: u64, budget: &mut usize) {
        let bin = u32::try_from(us / BIN_US).unwrap_or(LAST).min(LAST);
        let (page, at) = (bin / PAGE, (bin % PAGE) as usize);
        self.count += 1;
        let bins = match self.pages.get_mut(&page) {
            Some(bins) => bins,
            None if *budget > 0 => {
                *budget -= 1;
                self.pages.entry(page).or_insert_with(|| Box::new([0; PAGE as usize]))
            }
            None => {
                let count = self.coarse.entry(page).or_default();
                *count = count.saturating_add(1);
                return;
            }
        };
        bins[at] = bins[at].saturating_add(1);
    }

    /// Returns the number of sessions that are known to 10 s only.
    pub(super) fn blurred(&self) -> u64 {
        self.coarse.values().map(|count| u64::from(*count)).sum()
    }

    /// Returns the bins that are not empty, in order.
    pub(super) fn bins(&self) -> impl Iterator<Item = (u32, u32)> {
        self.pages.iter().flat_map(|(page, bins)| {
            let first = page * PAGE;
            bins.iter().zip(first..).filter(|(count, _)| **count > 0).map(|(count, bin)| (bin, *count))
        })
    }

    /// Returns the count in a range of bins, both ends included.
    pub(super) fn within(&self, from: u32, to: u32) -> u64 {
        let pages = self.pages.range(from / PAGE..=to / PAGE);
        let bins = pages.flat_map(|(page, bins)| bins.iter().zip(page * PAGE..));
        bins.filter(|(_, bin)| (from..=to).contains(bin)).map(|(count, _)| u64::from(*count)).sum()
    }
}

/// Returns the merged bins of several histograms, in order.
pub(super) fn merged<'a>(all: impl IntoIterator<Item = &'a Ages>) -> Vec<(u32, u32)> {
    let mut bins: Vec<(u32, u32)> = all.into_iter().flat_map(Ages::bins).collect();
    bins.sort_unstable_by_key(|(bin, _)| *bin);
    bins.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 = kept.1.saturating_add(next.1);
        }
        same
    });
    bins
}

/// Returns the age in seconds below which this part of the sessions ended.
pub(super) fn quantile(bins: &[(u32, u32)], part: f64) -> f64 {
    let total: u64 = bins.iter().map(|(_, count)| u64::from(*count)).sum();
    let wanted = (total as f64 * part).ceil().max(1.0) as u64;
    let mut sum = 0;
    for (bin, count) in bins {
        sum += u64::from(*count);
        if sum >= wanted {
            return f64::from(*bin) * BIN_S;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_and_the_budget_too() {
        let mut budget = 2;
        let mut ages = Ages::default();
        for s in [60.0, 60.004, 60.01, 3600.0, 7200.0, 1e12] {
            ages.add((s * 1e6) as u64, &mut budget);
        }
        assert_eq!((budget, ages.count, ages.blurred()), (0, 6, 2));
        assert_eq!(ages.bins().collect::<Vec<_>>(), [(6000, 2), (6001, 1), (360_000, 1)]);
        assert_eq!((ages.within(6000, 6001), ages.within(6001, 360_000), ages.within(0, 5999)), (3, 2, 0));
    }

    #[test]
    fn merged_bins_and_quantiles() {
        let mut budget = 9;
        let (mut one, mut other) = (Ages::default(), Ages::default());
        one.add(10_000, &mut budget);
        other.add(10_000, &mut budget);
        other.add(500_000, &mut budget);
        let bins = merged([&one, &other]);
        assert_eq!(bins, [(1, 2), (50, 1)]);
        assert_eq!((quantile(&bins, 0.5), quantile(&bins, 1.0), quantile(&[], 0.5)), (0.01, 0.5, 0.0));
    }
}
