//! Finds moments at which many sessions ended.

use std::collections::BTreeMap;

/// The time in seconds for which lines can be out of order.
const OPEN: usize = 128;

/// The maximum number of moments that are kept; those with the most sessions stay.
const KEPT: usize = 64;

/// The maximum duration of one moment in seconds.
const TOGETHER_S: i64 = 3;

/// The time in seconds below which two moments are merged: some hops end their connections over a period.
const BETWEEN_S: i64 = 3;

/// The duration in seconds above which it does not count as one moment.
const LONGEST_S: i64 = 15;

/// The number of age buckets: four for each factor of two, from 0.1 s on.
const BUCKETS: usize = 80;

/// A moment at which sessions ended.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    /// The first second of the moment, since 1970.
    pub(super) at_s: i64,
    /// The duration of the moment in seconds.
    pub(super) seconds: i64,
    pub(super) count: u64,
    ages: [u32; BUCKETS],
}

/// Collects the ends of sessions over time.
#[derive(Debug, Default)]
pub(super) struct Moments {
    open: BTreeMap<i64, Crowd>,
    kept: Vec<Crowd>,
    first_s: Option<i64>,
    last_s: Option<i64>,
    count: u64,
}

impl Moments {
    pub(super) fn add(&mut self, unix_s: i64, age_us: u64) {
        self.count += 1;
        self.first_s = Some(self.first_s.map_or(unix_s, |first| first.min(unix_s)));
        self.last_s = Some(self.last_s.map_or(unix_s, |last| last.max(unix_s)));
        let crowd = self.open.entry(unix_s).or_insert_with(|| Crowd {
            at_s: unix_s,
            seconds: 1,
            count: 0,
            ages: [0; BUCKETS],
        });
        crowd.count += 1;
        let bucket = &mut crowd.ages[bucket(age_us)];
        *bucket = bucket.saturating_add(1);
        if self.open.len() > OPEN {
            // The oldest second is complete, unless time goes backwards, as at the start of the next file.
            let oldest = if unix_s < self.first_open() + OPEN as i64 / 2 {
                self.open.pop_last()
            } else {
                self.open.pop_first()
            };
            self.keep(oldest.map(|(_, crowd)| crowd));
        }
    }

    fn first_open(&self) -> i64 {
        self.open.first_key_value().map_or(0, |(second, _)| *second)
    }

    fn keep(&mut self, crowd: Option<Crowd>) {
        // A single session is not a moment.
        let Some(crowd) = crowd.filter(|crowd| crowd.count > 1) else { return };
        let near = self.kept.iter_mut().find(|kept| {
            let (first, last) = (kept.at_s.min(crowd.at_s), (kept.at_s + kept.seconds).max(crowd.at_s + 1));
            last - first <= TOGETHER_S
        });
        match near {
            Some(kept) => kept.join(&crowd),
            None => self.kept.push(crowd),
        }
        if self.kept.len() > KEPT {
            let least = self.kept.iter().enumerate().min_by_key(|(_, kept)| kept.count).map(|(at, _)| at);
            least.map(|at| self.kept.swap_remove(at));
        }
    }

    /// Returns the moments with far more ends than others, in order of time.
    pub(super) fn crowds(mut self) -> Vec<Crowd> {
        while let Some((_, crowd)) = self.open.pop_first() {
            self.keep(Some(crowd));
        }
        let span = self.last_s.zip(self.first_s).map_or(1, |(last, first)| (last - first).max(1));
        let (total, mut crowds) = (self.count, self.kept);
        crowds.retain(|crowd| {
            // The threshold is eight deviations above the random level, and a relevant part of all sessions.
            let rate = (total - crowd.count.min(total)) as f64 / span as f64;
            let expected = rate * crowd.seconds as f64;
            let chance = expected + 8.0 * expected.sqrt();
            crowd.count as f64 > chance.max(4.0) && (crowd.count >= 50 || crowd.count * 50 >= total)
        });
        crowds.sort_by_key(|crowd| crowd.at_s);
        crowds.dedup_by(|next, before| {
            let near = next.at_s - (before.at_s + before.seconds) < BETWEEN_S
                && next.at_s + next.seconds - before.at_s <= LONGEST_S;
            if near {
                before.join(next);
            }
            near
        });
        crowds
    }

    /// Returns the time from the first end to the last, in seconds.
    pub(super) fn span_s(&self) -> i64 {
        self.last_s.zip(self.first_s).map_or(0, |(last, first)| last - first)
    }
}

impl Crowd {
    fn join(&mut self, other: &Crowd) {
        let end = (self.at_s + self.seconds).max(other.at_s + other.seconds);
        self.at_s = self.at_s.min(other.at_s);
        self.seconds = end - self.at_s;
        self.count += other.count;
        self.ages.iter_mut().zip(other.ages).for_each(|(to, from)| *to = to.saturating_add(from));
    }

    /// Returns whether the ages differ, so that a timer that starts with each session cannot explain the moment.
    pub(super) fn is_mixed(&self) -> bool {
        let most =
            self.ages.windows(3).map(|near| near.iter().map(|count| u64::from(*count)).sum::<u64>()).max();
        most.is_some_and(|most| most * 10 <= self.count * 7)
    }

    /// Returns the number of sessions of about this age.
    pub(super) fn about(&self, age_us: u64) -> u64 {
        let middle = bucket(age_us);
        let near = &self.ages[middle.saturating_sub(1)..(middle + 2).min(BUCKETS)];
        near.iter().map(|count| u64::from(*count)).sum()
    }

    /// Returns the approximate lowest and highest age, in seconds.
    pub(super) fn range_s(&self) -> (f64, f64) {
        let some = |at: Option<usize>| at.map_or(0.0, |at| 0.1 * 2f64.powf(at as f64 / 4.0));
        let first = self.ages.iter().position(|count| *count > 0);
        let last = self.ages.iter().rposition(|count| *count > 0);
        (some(first), some(last.map(|last| last + 1)))
    }
}

fn bucket(age_us: u64) -> usize {
    let place = (age_us as f64 / 1e5).max(1.0).log2() * 4.0;
    (place as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One session a second for an hour, of every age.
    fn steady() -> Moments {
        let mut moments = Moments::default();
        (0..3600).for_each(|s| moments.add(s, 1_000_000 * (1 + s as u64 % 500)));
        moments
    }

    #[test]
    fn steady_ends_are_no_crowd() {
        assert!(steady().crowds().is_empty());
    }

    #[test]
    fn a_reload_is_a_crowd_of_mixed_ages_and_a_timer_is_not() {
        let mut moments = Moments::default();
        for s in 0..3600 {
            moments.add(s, 1_000_000 * (1 + s as u64 % 500));
            if s == 1800 || s == 1801 {
                (1..200).for_each(|age| moments.add(s, age * 7_000_000));
            }
            if s == 2700 {
                (1..200).for_each(|_| moments.add(s, 60_010_000));
            }
        }
        let crowds = moments.crowds();
        assert_eq!(crowds.iter().map(|crowd| crowd.at_s / 10).collect::<Vec<_>>(), [180, 270]);
        assert!(crowds[0].is_mixed() && crowds[0].count >= 398);
        assert!(!crowds[1].is_mixed() && crowds[1].about(60_000_000) >= 199);
    }

    #[test]
    fn memory_is_bounded_whatever_the_order() {
        let mut moments = Moments::default();
        for i in 0..200_000i64 {
            let at = i.wrapping_mul(7_919) % 100_000;
            moments.add(at, 1);
            moments.add(at, 1);
        }
        assert!(moments.open.len() <= OPEN && moments.kept.len() <= KEPT);
    }
}
