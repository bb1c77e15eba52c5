//! Looking up known timers by a measured age.

use std::time::Duration;

use crate::{Intermediary, Timer, all};

/// A known timer whose value is close to a measured age.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TimerMatch {
    /// The intermediary that has the timer.
    pub entry: &'static Intermediary,
    /// The timer whose value matches.
    pub timer: &'static Timer,
    /// The value of the timer that matches.
    pub value: Duration,
    /// The place where the timer has this value; `None` if the value is the default.
    pub place: Option<&'static str>,
    /// The relative distance between the age and the time at which a client would see the end: 0.01 is 1 % of the value.
    pub off: f64,
}

/// Returns the timers that can end an open WebSocket and whose value is within `tolerance` of `age`, where 0.01 is 1 % of the value.
///
/// The closest timers come first; at the same distance, confirmed facts precede unsure ones. A configurable timer can have any
/// value, so an empty result does not rule any product out.
pub fn timers_matching(age: Duration, tolerance: f64) -> Vec<TimerMatch> {
    let mut found: Vec<TimerMatch> = all()
        .iter()
        .flat_map(|entry| entry.timers.iter().map(move |timer| (entry, timer)))
        .filter(|(_, timer)| timer.ends_open_connections())
        .flat_map(|(entry, timer)| {
            timer.values().map(move |(value, place)| TimerMatch {
                entry,
                timer,
                value,
                place,
                off: off(age, value, timer.seen_after),
            })
        })
        .filter(|near| near.off <= tolerance)
        .collect();
    found.sort_by(|a, b| a.off.total_cmp(&b.off).then(a.timer.is_unsure().cmp(&b.timer.is_unsure())));
    found
}

/// Returns the relative distance of `age` to the range from `value` to the latest time at which a client sees the end.
fn off(age: Duration, value: Duration, late: Option<Duration>) -> f64 {
    let latest = value + late.unwrap_or_default();
    let distance = value.saturating_sub(age) + age.saturating_sub(latest);
    if distance.is_zero() { 0.0 } else { distance.as_secs_f64() / value.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_late_end_is_not_off() {
        assert_eq!(off(S(300), S(300), Some(S(1))), 0.0);
        assert_eq!(off(S(301), S(300), Some(S(1))), 0.0);
        assert_eq!(off(S(303), S(300), None), 0.01);
        assert_eq!(off(S(297), S(300), Some(S(1))), 0.01);
        assert!(off(S(1), Duration::ZERO, None).is_infinite());
    }

    fn ids(age: Duration) -> Vec<&'static str> {
        timers_matching(age, 0.01).iter().map(|near| near.entry.id.as_str()).collect()
    }

    #[test]
    fn ages_find_their_timers() {
        let minute = ids(Duration::from_millis(60_020));
        assert!(["nginx", "aws-alb", "apache", "kong"].iter().all(|id| minute.contains(id)), "{minute:?}");
        assert!(ids(S(55)).contains(&"heroku"));
        assert!(ids(S(350)).contains(&"aws-nlb") && ids(S(350)).contains(&"aws-sg-conntrack"));
        assert!(ids(S(7200)).contains(&"aws-apigw-ws"));
        assert!(ids(S(50)).contains(&"haproxy"));
        assert_eq!(ids(S(137)), [""; 0]);
    }

    #[test]
    fn timers_of_connections_without_a_request_do_not_match() {
        // nginx and Application Gateway keep idle HTTP connections for 75 s, which does not apply to WebSockets.
        assert_eq!(ids(S(75)), [""; 0]);
    }

    #[test]
    fn confirmed_facts_precede_unsure_ones() {
        let found = timers_matching(S(60), 0.0);
        let first_unsure = found.iter().position(|near| near.timer.is_unsure()).unwrap_or(found.len());
        assert!(found[first_unsure..].iter().all(|near| near.timer.is_unsure()));
        assert!(first_unsure > 0 && first_unsure < found.len(), "{first_unsure} of {}", found.len());
    }
}
