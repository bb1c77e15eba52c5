//! The faults of a proxy, and the part of them that each connection gets. Pure: time is an argument.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::assignment::AssignedFault;
use crate::declaration::{ClosedPeriod, FaultAdmission};
use crate::replay::Replay;
use crate::seed;
use crate::spec::FaultSpec;

/// The faults of a proxy.
#[derive(Debug, Default)]
pub(crate) struct FaultSet {
    groups: Vec<FaultGroup>,
    /// The number of tags assigned so far.
    tags: u64,
    /// The number of names generated so far.
    names: u64,
    /// A recorded log, and the start of the proxy.
    replay: Option<(Replay, Instant)>,
}

/// Faults that were added together under one name.
#[derive(Debug, Clone)]
pub(crate) struct FaultGroup {
    pub(crate) name: Arc<str>,
    pub(crate) specs: Vec<Arc<FaultSpec>>,
    /// The tag of the first fault; the others follow.
    tag: u64,
    since: Instant,
    /// Whether the faults affect only connections that were already open.
    open_only: bool,
}

/// The effect of all faults on a connection that is being accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CombinedAdmission {
    /// Whether the connection is reset at once.
    pub(crate) reset: bool,
    /// The time for which nothing happens on the connection.
    pub(crate) delay: Duration,
}

impl FaultSet {
    /// Adds faults at `since`. Returns `None` if the name is in use.
    pub(crate) fn add(
        &mut self,
        since: Instant,
        name: Option<&str>,
        specs: Vec<FaultSpec>,
        open_only: bool,
    ) -> Option<FaultGroup> {
        let name: Arc<str> = match name {
            Some(name) if self.groups.iter().any(|group| *group.name == *name) => return None,
            Some(name) => name.into(),
            None => loop {
                self.names += 1;
                let name = format!("f{}", self.names);
                if !self.groups.iter().any(|group| *group.name == name) {
                    break name.into();
                }
            },
        };
        let tag = self.tags;
        self.tags += specs.len() as u64;
        let specs = specs.into_iter().map(Arc::new).collect();
        let group = FaultGroup { name, specs, tag, since, open_only };
        self.groups.push(group.clone());
        Some(group)
    }

    /// Removes faults by name. Returns false if no faults have the name.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.groups.len();
        self.groups.retain(|group| *group.name != *name);
        self.groups.len() < before
    }

    /// Removes all faults and returns their names.
    pub(crate) fn clear(&mut self) -> Vec<Arc<str>> {
        self.replay = None;
        self.groups.drain(..).map(|group| group.name).collect()
    }

    /// Replays a log, with times counted from `start`.
    pub(crate) fn replay(&mut self, start: Instant, replay: Replay) {
        self.replay = Some((replay, start));
    }

    pub(crate) fn groups(&self) -> &[FaultGroup] {
        &self.groups
    }

    /// Returns the faults of the connection with this number. The same seed, number and faults give the same result,
    /// whatever other faults there are.
    pub(crate) fn assigned(&self, proxy_seed: u64, connection: u64, opened: Instant) -> Vec<AssignedFault> {
        let mut assigned = Vec::new();
        if let Some((replay, _)) = &self.replay {
            for (index, fault) in replay.of(connection).iter().enumerate() {
                assigned.push(AssignedFault {
                    // Distinct from the tags of groups, which count from 0.
                    tag: u64::MAX - index as u64,
                    name: fault.name.clone(),
                    spec: fault.spec.clone(),
                    since: opened + fault.from,
                    seed: fault.seed,
                });
            }
        }
        for (group, tag, spec) in self.each() {
            // Faults that were added together affect the same connections.
            let group_seed = seed::derive(proxy_seed, connection, group.tag);
            if (group.open_only && opened > group.since) || !seed::is_affected(spec.share, group_seed) {
                continue;
            }
            assigned.push(AssignedFault {
                tag,
                name: group.name.clone(),
                spec: spec.clone(),
                since: group.since,
                seed: seed::derive(proxy_seed, connection, tag),
            });
        }
        assigned
    }

    /// Returns the effect of all faults on a connection that is accepted at `now`.
    pub(crate) fn admission(&self, proxy_seed: u64, connection: u64, now: Instant) -> CombinedAdmission {
        let mut combined = CombinedAdmission::default();
        for (group, _, spec) in self.each() {
            let group_seed = seed::derive(proxy_seed, connection, group.tag);
            if group.open_only || !seed::is_affected(spec.share, group_seed) {
                continue;
            }
            match spec.fault.behavior().admission(now.saturating_duration_since(group.since)) {
                FaultAdmission::Accept => {}
                FaultAdmission::Delay(delay) => combined.delay += delay,
                // A fault that affects every connection closes the listener instead.
                FaultAdmission::Reset => combined.reset |= spec.share < 1.0,
            }
        }
        for fault in self.replay.iter().flat_map(|(replay, _)| replay.of(connection)) {
            match fault.spec.fault.behavior().admission(Duration::ZERO) {
                FaultAdmission::Accept => {}
                FaultAdmission::Delay(delay) => combined.delay += delay,
                FaultAdmission::Reset => combined.reset = true,
            }
        }
        combined
    }

    /// Returns whether the listener must be closed at `now`.
    pub(crate) fn is_closed(&self, now: Instant) -> bool {
        self.closed_periods(now).any(|(from, until)| from <= now && until.is_none_or(|until| now < until))
    }

    /// Returns the time at which the result of [`FaultSet::is_closed`] changes next.
    pub(crate) fn next_change(&self, now: Instant) -> Option<Instant> {
        let limits = self.closed_periods(now).flat_map(|(from, until)| [Some(from), until]);
        limits.flatten().filter(|at| *at > now).min()
    }

    fn each(&self) -> impl Iterator<Item = (&FaultGroup, u64, &Arc<FaultSpec>)> {
        self.groups
            .iter()
            .flat_map(|group| (group.tag..).zip(&group.specs).map(move |(tag, spec)| (group, tag, spec)))
    }

    /// Returns the periods around `now` in which the listener is closed.
    fn closed_periods(&self, now: Instant) -> impl Iterator<Item = ClosedPeriod> {
        let of_groups = self
            .each()
            .filter(|(group, ..)| !group.open_only)
            .flat_map(move |(group, _, spec)| spec.closed_periods(group.since, now))
            .flatten();
        let recorded = self.replay.iter().flat_map(|(replay, start)| {
            let period = |(from, until): &(Duration, Option<Duration>)| {
                (*start + *from, until.map(|until| *start + until))
            };
            replay.closed().iter().map(period)
        });
        of_groups.chain(recorded)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn set(faults: &[&str]) -> (FaultSet, Instant) {
        let now = tokio::time::Instant::now().into_std();
        let mut set = FaultSet::default();
        for fault in faults {
            set.add(now, None, vec![fault.parse().unwrap()], false).unwrap();
        }
        (set, now)
    }

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_share_affects_its_part_and_always_the_same() {
        let (set, now) = set(&["drop-pings share=0.25"]);
        let affected = |seed, n| !set.assigned(seed, n, now).is_empty();
        let count = (0..4000).filter(|n| affected(7, *n)).count();
        assert!((850..1150).contains(&count), "{count}");
        assert!((0..100).all(|n| affected(7, n) == affected(7, n)));
        assert!((0..100).any(|n| affected(7, n) != affected(8, n)), "another seed affects other connections");
    }

    #[test]
    fn an_additional_fault_does_not_change_the_draws_of_the_others() {
        let (mut set, now) = set(&["latency base=1 jitter=1"]);
        let before = set.assigned(1, 5, now)[0].seed;
        set.add(now, Some("x"), vec!["drop-pings".parse().unwrap()], false).unwrap();
        assert_eq!(set.assigned(1, 5, now)[0].seed, before);
        assert!(set.add(now, Some("x"), vec![], false).is_none(), "the name is in use");
        assert!(set.remove("x") && !set.remove("x"));
    }

    #[test]
    fn a_fault_of_open_connections_does_not_affect_new_ones() {
        let (mut set, now) = set(&[]);
        set.add(now + s(10), None, vec!["cut age=0".parse().unwrap()], true).unwrap();
        assert_eq!(set.assigned(1, 1, now + s(9)).len(), 1);
        assert_eq!(set.assigned(1, 2, now + s(11)).len(), 0);
    }

    #[test]
    fn the_listener_is_closed_in_its_windows_only() {
        let (set, now) = set(&["restart every=60s down=5s"]);
        let closed: Vec<u64> = (0..200).filter(|n| set.is_closed(now + s(*n))).collect();
        let expected: Vec<u64> = (60..65).chain(120..125).chain(180..185).collect();
        assert_eq!(closed, expected);
        // Every change is announced in advance.
        let (mut at, mut changes) = (now, Vec::new());
        while let Some(next) = set.next_change(at).filter(|next| *next < now + s(200)) {
            at = next;
            changes.push((at - now).as_secs());
        }
        assert_eq!(changes, [60, 65, 120, 125, 180, 185]);
    }

    #[test]
    fn refusing_is_temporary_or_permanent() {
        let (set, now) = set(&["refuse lasts=5s"]);
        assert!(set.is_closed(now) && !set.is_closed(now + s(5)));
        assert_eq!(set.next_change(now), Some(now + s(5)));
        let (set, now) = self::set(&["refuse"]);
        assert!(set.is_closed(now + s(99)));
        assert_eq!(set.next_change(now), None);
    }

    #[test]
    fn a_share_of_connections_is_reset_one_by_one() {
        let (set, now) = set(&["refuse share=0.5 lasts=10s", "accept-delay delay=2s"]);
        assert!(!set.is_closed(now));
        let refused = (0..1000).filter(|n| set.admission(3, *n, now).reset).count();
        assert!((420..580).contains(&refused), "{refused}");
        assert!((0..1000).all(|n| !set.admission(3, n, now + s(10)).reset));
        assert_eq!(set.admission(3, 1, now).delay, s(2));
    }
}
