//! Groups drops by what they have in common: the moment, the age, the idle time, or an end without notice.

use crate::observations::{Endpoint, Traffic, WatchedConnection};

/// Values of the same timer differ by at most this part of the value …
const PART: f64 = 0.03;

/// … or by this time, in seconds: timers with a resolution of a second are up to one second late.
const SLACK_S: f64 = 1.2;

/// The drops of one endpoint, grouped by what they have in common. Each ended connection is in one group only.
#[derive(Debug, Default)]
pub(crate) struct Drops<'a> {
    /// Connections that ended at the same moment, whatever their age and traffic.
    pub(crate) aligned: Option<Alignment<'a>>,
    /// Connections that ended at the same age although they were busy.
    pub(crate) capped: Vec<&'a WatchedConnection>,
    /// Quiet connections that ended visibly after the same idle time.
    pub(crate) idle: Vec<&'a WatchedConnection>,
    /// Connections that were gone when they were probed after an idle time.
    pub(crate) silent: Vec<&'a WatchedConnection>,
    /// Connections that ended without a pattern.
    pub(crate) other: Vec<&'a WatchedConnection>,
}

/// Connections that ended at the same moment.
#[derive(Debug)]
pub(crate) struct Alignment<'a> {
    /// The time since the start of the run, in seconds.
    pub(crate) at_s: f64,
    pub(crate) connections: Vec<&'a WatchedConnection>,
}

impl<'a> Drops<'a> {
    pub(crate) fn of(endpoint: &'a Endpoint) -> Drops<'a> {
        let mut drops = Drops::default();
        let mut ended: Vec<&WatchedConnection> =
            endpoint.connections.iter().filter(|connection| connection.end.is_some()).collect();
        // Silent drops come first: the age of such a connection does not show when it was dropped.
        take(&mut ended, &mut drops.silent, |connection| {
            connection.traffic.is_quiet() && connection.probe_failed()
        });
        drops.aligned = aligned(&mut ended, endpoint);
        drops.capped = capped(&mut ended);
        drops.idle = idle(&mut ended);
        // A probe that was sent when a known timer expired found that timer, not a silent drop.
        if let Some(shortest) =
            drops.idle.iter().map(|connection| connection.quiet_s()).min_by(f64::total_cmp)
        {
            let asked =
                |connection: &&WatchedConnection| connection.probe.as_ref().map_or(0.0, |probe| probe.sent_s);
            drops.silent.retain(|connection| asked(connection) < shortest - SLACK_S);
        }
        if let Some(oldest) = drops.capped.iter().map(|connection| connection.age_s).max_by(f64::total_cmp) {
            let asked =
                |connection: &&WatchedConnection| connection.probe.as_ref().map_or(0.0, |probe| probe.sent_s);
            drops.silent.retain(|connection| asked(connection) < oldest - 2.0 * SLACK_S);
        }
        drops.other = ended;
        drops
    }

    /// Returns the idle times after which quiet connections ended, in seconds.
    pub(crate) fn idle_s(&self) -> Vec<f64> {
        self.idle.iter().map(|connection| connection.quiet_s()).collect()
    }

    /// Returns the ages at which busy connections ended, in seconds.
    pub(crate) fn capped_s(&self) -> Vec<f64> {
        self.capped.iter().map(|connection| connection.age_s).collect()
    }
}

fn take<'a>(
    from: &mut Vec<&'a WatchedConnection>,
    to: &mut Vec<&'a WatchedConnection>,
    wanted: impl Fn(&WatchedConnection) -> bool,
) {
    from.retain(|connection| {
        let fits = wanted(connection);
        if fits {
            to.push(connection);
        }
        !fits
    });
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= (a.abs().max(b.abs()) * PART).max(SLACK_S)
}

/// Takes the connections that ended at the same moment: at least three that were opened at clearly different times, with at
/// least one busy connection, and more than twice as many busy ones as lived on.
fn aligned<'a>(ended: &mut Vec<&'a WatchedConnection>, endpoint: &Endpoint) -> Option<Alignment<'a>> {
    let moment = |connection: &WatchedConnection| connection.at_s + connection.age_s;
    let busy = ended.iter().filter(|connection| connection.traffic.is_busy() && connection.ended_visibly());
    for candidate in busy {
        let at_s = moment(candidate);
        let same: Vec<&WatchedConnection> =
            ended.iter().copied().filter(|connection| (moment(connection) - at_s).abs() <= SLACK_S).collect();
        let opened =
            same.iter().filter(|connection| connection.traffic.is_busy()).map(|connection| connection.at_s);
        let (first, last) = opened.fold((f64::MAX, f64::MIN), |(a, b), at| (a.min(at), b.max(at)));
        // For connections that were opened together, an equal age is also an equal moment, which proves nothing.
        if same.len() < 3 || last - first <= 2.0 * SLACK_S {
            continue;
        }
        let survivors = endpoint
            .connections
            .iter()
            .filter(|connection| {
                connection.traffic.is_busy() && connection.opened() && connection.at_s < at_s - SLACK_S
            })
            .filter(|connection| moment(connection) > at_s + SLACK_S)
            .count();
        let busy_ones = same.iter().filter(|connection| connection.traffic.is_busy()).count();
        if busy_ones > 2 * survivors {
            ended.retain(|connection| (moment(connection) - at_s).abs() > SLACK_S);
            return Some(Alignment { at_s, connections: same });
        }
    }
    None
}

/// Takes the connections that ended at the same age: busy connections with at least two kinds of traffic, and the quiet ones
/// that ended at that age as well.
fn capped<'a>(ended: &mut Vec<&'a WatchedConnection>) -> Vec<&'a WatchedConnection> {
    let mut best: Vec<&WatchedConnection> = Vec::new();
    let busy: Vec<&WatchedConnection> = ended
        .iter()
        .copied()
        .filter(|connection| keeps(&connection.traffic) && connection.ended_visibly())
        .collect();
    for candidate in &busy {
        let same: Vec<&WatchedConnection> =
            busy.iter().copied().filter(|connection| near(connection.age_s, candidate.age_s)).collect();
        if same.len() > best.len() {
            best = same;
        }
    }
    let kinds = {
        let mut kinds: Vec<String> = best.iter().map(|connection| connection.traffic.name()).collect();
        kinds.sort();
        kinds.dedup();
        kinds.len()
    };
    if kinds < 2 {
        return Vec::new();
    }
    let age = best.iter().map(|connection| connection.age_s).sum::<f64>() / best.len() as f64;
    let mut capped = Vec::new();
    take(ended, &mut capped, |connection| connection.ended_visibly() && near(connection.age_s, age));
    capped
}

/// Returns whether the traffic resets every known idle timeout: frames in both directions.
fn keeps(traffic: &Traffic) -> bool {
    matches!(traffic, Traffic::Data | Traffic::Ping | Traffic::Staggered)
}

/// Takes the quiet connections that ended after the same idle time.
fn idle<'a>(ended: &mut Vec<&'a WatchedConnection>) -> Vec<&'a WatchedConnection> {
    let quiet: Vec<&WatchedConnection> = ended
        .iter()
        .copied()
        .filter(|connection| connection.traffic.is_quiet() && connection.ended_visibly())
        .collect();
    let mut best: Vec<&WatchedConnection> = Vec::new();
    for candidate in &quiet {
        let same: Vec<&WatchedConnection> = quiet
            .iter()
            .copied()
            .filter(|connection| near(connection.quiet_s(), candidate.quiet_s()))
            .collect();
        if same.len() > best.len() {
            best = same;
        }
    }
    ended.retain(|connection| !best.iter().any(|known| std::ptr::eq(*known, *connection)));
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::sample::{connections, dropped, endpoint, hole, staggered};
    use undrop_frame::Ending;

    fn counts(drops: &Drops<'_>) -> (usize, usize, usize, usize, usize) {
        let aligned = drops.aligned.as_ref().map_or(0, |aligned| aligned.connections.len());
        (aligned, drops.capped.len(), drops.idle.len(), drops.silent.len(), drops.other.len())
    }

    #[test]
    fn a_healthy_endpoint_has_no_drops() {
        assert_eq!(counts(&Drops::of(&endpoint())), (0, 0, 0, 0, 0));
    }

    #[test]
    fn an_idle_timer_ends_quiet_ones_after_one_silence() {
        let seen = connections(|connection| {
            if connection.traffic.is_quiet() { dropped(connection, 60.0, Ending::Fin) } else { connection }
        });
        let drops = Drops::of(&seen);
        assert!(drops.capped.is_empty() && drops.aligned.is_none() && drops.idle.len() >= 5, "{drops:?}");
    }

    #[test]
    fn a_cap_ends_all_at_one_age_and_a_reload_at_one_moment() {
        let capped = connections(|connection| dropped(connection, 30.0, Ending::Fin));
        let drops = Drops::of(&capped);
        assert!(drops.aligned.is_none() && drops.capped.len() >= 8 && drops.idle.is_empty(), "{drops:?}");
        let reloaded = connections(|connection| {
            let age = 40.0 - connection.at_s;
            dropped(connection, age, Ending::Fin)
        });
        let drops = Drops::of(&reloaded);
        assert!(drops.aligned.is_some_and(|aligned| aligned.connections.len() >= 8 && aligned.at_s == 40.0));
    }

    #[test]
    fn a_hole_is_silent() {
        let seen =
            connections(
                |connection| if connection.traffic.is_quiet() { hole(connection, 60.0) } else { connection },
            );
        let drops = Drops::of(&seen);
        assert!(drops.silent.len() >= 3 && drops.idle.is_empty(), "{drops:?}");
        assert!(staggered(&seen).iter().all(|connection| connection.alive()));
    }
}
