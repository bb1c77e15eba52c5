//! Which faults are on a proxy now, and which of them a connection gets. Pure: time is an argument.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::replay::Replay;
use crate::spec::{Kind, Schedule, Spec};
use crate::wire::Assigned;

/// The faults of a proxy.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    groups: Vec<Group>,
    /// Tags and names given out so far.
    tags: u64,
    names: u64,
    /// What a log recorded, instead of groups.
    replay: Option<(Replay, Instant)>,
}

/// Faults that were added together, under one name.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) name: Arc<str>,
    pub(crate) specs: Vec<Arc<Spec>>,
    /// Tag of the first; the others follow.
    tag: u64,
    pub(crate) since: Instant,
    /// Only connections that were open already.
    open_only: bool,
}

/// What happens to a connection that is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Admission {
    pub(crate) refused: bool,
    pub(crate) delay: Duration,
}

impl Plan {
    /// Adds faults from `since` on. `None`: the name is taken.
    pub(crate) fn add(
        &mut self,
        since: Instant,
        name: Option<&str>,
        specs: Vec<Spec>,
        open_only: bool,
    ) -> Option<Group> {
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
        let group = Group { name, specs, tag, since, open_only };
        self.groups.push(group.clone());
        Some(group)
    }

    /// Takes faults away by name. False: there are none of that name.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let before = self.groups.len();
        self.groups.retain(|group| *group.name != *name);
        self.groups.len() < before
    }

    /// Takes all away; their names.
    pub(crate) fn clear(&mut self) -> Vec<Arc<str>> {
        self.replay = None;
        self.groups.drain(..).map(|group| group.name).collect()
    }

    /// Does what a log recorded, counted from `start`.
    pub(crate) fn replay(&mut self, start: Instant, replay: Replay) {
        self.replay = Some((replay, start));
    }

    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The faults of the connection with this number. The same seed, number and faults give the same, whatever other
    /// faults there are.
    pub(crate) fn assigned(&self, seed_of_proxy: u64, connection: u64, opened: Instant) -> Vec<Assigned> {
        let mut assigned = Vec::new();
        if let Some((replay, _)) = &self.replay {
            for (index, fault) in replay.of(connection).iter().enumerate() {
                assigned.push(Assigned {
                    // Apart from those of groups, which count from 0.
                    tag: u64::MAX - index as u64,
                    name: fault.name.clone(),
                    spec: fault.spec.clone(),
                    since: opened + fault.from,
                    seed: fault.seed,
                });
            }
        }
        for (group, tag, spec) in self.each() {
            let seed = mix(seed_of_proxy, connection, tag);
            // Faults that were added together hit the same connections.
            let lot = mix(seed_of_proxy, connection, group.tag);
            if (group.open_only && opened > group.since) || !hits(spec.share, lot) {
                continue;
            }
            assigned.push(Assigned {
                tag,
                name: group.name.clone(),
                spec: spec.clone(),
                since: group.since,
                seed,
            });
        }
        assigned
    }

    /// What happens to a connection that is accepted at `now`.
    pub(crate) fn admission(&self, seed: u64, connection: u64, now: Instant) -> Admission {
        let mut admission = Admission::default();
        for (group, _, spec) in self.each() {
            if group.open_only || !hits(spec.share, mix(seed, connection, group.tag)) {
                continue;
            }
            match spec.fault {
                Kind::AcceptDelay { delay } => admission.delay += delay,
                // The rest is refused by closing the listener.
                Kind::Refuse { lasts } if spec.share < 1.0 => {
                    admission.refused |= lasts.is_none_or(|lasts| now < group.since + lasts);
                }
                _ => {}
            }
        }
        if let Some((replay, _)) = &self.replay {
            for fault in replay.of(connection) {
                match fault.spec.fault {
                    Kind::AcceptDelay { delay } => admission.delay += delay,
                    Kind::Refuse { .. } => admission.refused = true,
                    _ => {}
                }
            }
        }
        admission
    }

    /// Nobody listens at `now`.
    pub(crate) fn is_closed(&self, now: Instant) -> bool {
        self.windows(now).any(|(from, until)| from <= now && until.is_none_or(|until| now < until))
    }

    /// When [`Plan::is_closed`] changes next by itself.
    pub(crate) fn next_change(&self, now: Instant) -> Option<Instant> {
        self.windows(now).flat_map(|(from, until)| [Some(from), until]).flatten().filter(|at| *at > now).min()
    }

    fn each(&self) -> impl Iterator<Item = (&Group, u64, &Arc<Spec>)> {
        self.groups
            .iter()
            .flat_map(|group| (group.tag..).zip(&group.specs).map(move |(tag, spec)| (group, tag, spec)))
    }

    /// When nobody listens: the windows around `now`.
    fn windows(&self, now: Instant) -> impl Iterator<Item = (Instant, Option<Instant>)> {
        let groups = self.each().filter(|(group, ..)| !group.open_only).flat_map(move |(group, _, spec)| {
            let since = group.since;
            match spec.fault {
                Kind::Refuse { lasts } if spec.share >= 1.0 => {
                    [Some((since, lasts.map(|lasts| since + lasts))), None]
                }
                Kind::Restart { when: Schedule::At(at), down, .. } => {
                    [Some((since + at, Some(since + at + down))), None]
                }
                Kind::Restart { when: Schedule::Every(every), down, .. } => {
                    let past = now.saturating_duration_since(since);
                    let periods =
                        u32::try_from(past.as_nanos() / every.as_nanos().max(1)).unwrap_or(u32::MAX - 1);
                    let window = |n: u32| {
                        let from = since.checked_add(every.checked_mul(n)?)?;
                        Some((from, Some(from + down)))
                    };
                    // The start is no restart.
                    [(periods > 0).then(|| window(periods)).flatten(), window(periods + 1)]
                }
                _ => [None, None],
            }
        });
        let recorded = self.replay.iter().flat_map(|(replay, start)| {
            replay
                .closed()
                .iter()
                .map(move |(from, until)| (*start + *from, until.map(|until| *start + until)))
        });
        groups.flatten().chain(recorded)
    }
}

/// A seed for one fault on one connection (the finalizer of splitmix64, three times).
pub(crate) fn mix(seed: u64, connection: u64, tag: u64) -> u64 {
    [seed, connection, tag].into_iter().fold(0x9e37_79b9_7f4a_7c15, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

fn hits(share: f64, seed: u64) -> bool {
    share >= 1.0 || Rng::with_seed(!seed).f64() < share
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn plan(faults: &[&str]) -> (Plan, Instant) {
        let now = tokio::time::Instant::now().into_std();
        let mut plan = Plan::default();
        for fault in faults {
            plan.add(now, None, vec![fault.parse().unwrap()], false).unwrap();
        }
        (plan, now)
    }

    fn s(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_share_hits_its_part_and_always_the_same() {
        let (plan, now) = plan(&["drop-pings share=0.25"]);
        let hit = |seed, n| !plan.assigned(seed, n, now).is_empty();
        let count = (0..4000).filter(|n| hit(7, *n)).count();
        assert!((850..1150).contains(&count), "{count}");
        assert!((0..100).all(|n| hit(7, n) == hit(7, n)));
        assert!((0..100).any(|n| hit(7, n) != hit(8, n)), "another seed, another choice");
    }

    #[test]
    fn one_more_fault_leaves_the_draws_of_the_others_alone() {
        let (mut plan, now) = plan(&["latency base=1 jitter=1"]);
        let before = plan.assigned(1, 5, now)[0].seed;
        plan.add(now, Some("x"), vec!["drop-pings".parse().unwrap()], false).unwrap();
        assert_eq!(plan.assigned(1, 5, now)[0].seed, before);
        assert!(plan.add(now, Some("x"), vec![], false).is_none(), "the name is taken");
        assert!(plan.remove("x") && !plan.remove("x"));
    }

    #[test]
    fn what_is_for_open_connections_leaves_new_ones_alone() {
        let (mut plan, now) = plan(&[]);
        plan.add(now + s(10), None, vec!["cut age=0".parse().unwrap()], true).unwrap();
        assert_eq!(plan.assigned(1, 1, now + s(9)).len(), 1);
        assert_eq!(plan.assigned(1, 2, now + s(11)).len(), 0);
    }

    #[test]
    fn the_listener_is_closed_in_its_windows_only() {
        let (plan, now) = plan(&["restart every=60s down=5s"]);
        let closed: Vec<u64> = (0..200).filter(|n| plan.is_closed(now + s(*n))).collect();
        let expected: Vec<u64> = (60..65).chain(120..125).chain(180..185).collect();
        assert_eq!(closed, expected);
        // It wakes for every change, and never later.
        let (mut at, mut changes) = (now, Vec::new());
        while let Some(next) = plan.next_change(at).filter(|next| *next < now + s(200)) {
            at = next;
            changes.push((at - now).as_secs());
        }
        assert_eq!(changes, [60, 65, 120, 125, 180, 185]);
    }

    #[test]
    fn refusing_ends_or_does_not() {
        let (plan, now) = plan(&["refuse lasts=5s"]);
        assert!(plan.is_closed(now) && !plan.is_closed(now + s(5)));
        assert_eq!(plan.next_change(now), Some(now + s(5)));
        let (plan, now) = self::plan(&["refuse"]);
        assert!(plan.is_closed(now + s(99)));
        assert_eq!(plan.next_change(now), None);
    }

    #[test]
    fn a_part_is_refused_one_by_one() {
        let (plan, now) = plan(&["refuse share=0.5 lasts=10s", "accept-delay delay=2s"]);
        assert!(!plan.is_closed(now));
        let refused = (0..1000).filter(|n| plan.admission(3, *n, now).refused).count();
        assert!((420..580).contains(&refused), "{refused}");
        assert!((0..1000).all(|n| !plan.admission(3, n, now + s(10)).refused));
        assert_eq!(plan.admission(3, 1, now).delay, s(2));
    }
}
