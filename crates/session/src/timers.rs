//! The deadlines of a machine: one enum, one array.

use std::marker::PhantomData;
use std::time::Instant;

/// An enum of timers, whose variants index the array from 0.
pub(crate) trait TimerSet: Copy + 'static {
    /// Every timer, in the order of `index`.
    const ALL: &'static [Self];
    /// Returns the position in the array.
    fn index(self) -> usize;
}

/// One optional deadline per timer of `T`. `N` must be `T::ALL.len()`.
#[derive(Debug, Clone)]
pub(crate) struct Timers<T, const N: usize> {
    deadlines: [Option<Instant>; N],
    set: PhantomData<T>,
}

impl<T: TimerSet, const N: usize> Timers<T, N> {
    pub(crate) const fn new() -> Self {
        Self { deadlines: [None; N], set: PhantomData }
    }

    pub(crate) fn set(&mut self, timer: T, at: Instant) {
        self.deadlines[timer.index()] = Some(at);
    }

    pub(crate) fn stop(&mut self, timer: T) {
        self.deadlines[timer.index()] = None;
    }

    pub(crate) fn is_set(&self, timer: T) -> bool {
        self.deadlines[timer.index()].is_some()
    }

    /// Returns the earliest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.deadlines.iter().flatten().min().copied()
    }

    /// Stops and returns a timer that is due, the earliest first.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<T> {
        let due = T::ALL
            .iter()
            .filter_map(|timer| self.deadlines[timer.index()].map(|at| (at, *timer)))
            .filter(|(at, _)| *at <= now)
            .min_by_key(|(at, _)| *at)?
            .1;
        self.stop(due);
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Two {
        A,
        B,
    }

    impl TimerSet for Two {
        const ALL: &'static [Self] = &[Self::A, Self::B];
        fn index(self) -> usize {
            self as usize
        }
    }

    #[test]
    #[allow(clippy::disallowed_methods)]
    fn earliest_first_and_each_once() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut timers = Timers::<Two, 2>::new();
        assert_eq!(timers.next(), None);
        timers.set(Two::A, at(5));
        timers.set(Two::B, at(2));
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.expired(at(1)), None);
        assert_eq!(timers.expired(at(9)), Some(Two::B));
        assert_eq!(timers.expired(at(9)), Some(Two::A));
        assert_eq!(timers.expired(at(9)), None);
        timers.set(Two::A, at(5));
        timers.stop(Two::A);
        assert!(!timers.is_set(Two::A));
        assert!(!timers.is_set(Two::B));
    }
}
