//! Which known timer has a given length.

use std::time::Duration;

use crate::{Entry, Timer, all};

/// A known timer whose value is close to a measured age.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Near {
    /// Whose timer it is.
    pub entry: &'static Entry,
    /// The timer.
    pub timer: &'static Timer,
    /// Its value.
    pub value: Duration,
    /// Where it has this value, unless that is the default.
    pub place: Option<&'static str>,
    /// How far the age is from what a client would see of it, as a part of the value.
    pub off: f64,
}

/// The timers that can end an open WebSocket and whose value is within `tolerance` (a part: 0.01 is 1 %) of `age`, the
/// closest first, facts before what is unsure. A settable timer may have any value, so nothing found acquits nobody.
pub fn timers_near(age: Duration, tolerance: f64) -> Vec<Near> {
    let mut found: Vec<Near> = all()
        .iter()
        .flat_map(|entry| entry.timers.iter().map(move |timer| (entry, timer)))
        .filter(|(_, timer)| timer.ends_open_connections())
        .flat_map(|(entry, timer)| {
            timer.values().map(move |(value, place)| Near {
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

/// The distance to the range from the value to what is seen at the latest, as a part of the value.
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
        timers_near(age, 0.01).iter().map(|near| near.entry.id.as_str()).collect()
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
    fn timers_of_other_connections_are_no_suspects() {
        // nginx keeps idle HTTP connections for 75 s, as Application Gateway does; that is no WebSocket.
        assert_eq!(ids(S(75)), [""; 0]);
    }

    #[test]
    fn facts_come_before_what_is_unsure() {
        let found = timers_near(S(60), 0.0);
        let first_unsure = found.iter().position(|near| near.timer.is_unsure()).unwrap_or(found.len());
        assert!(found[first_unsure..].iter().all(|near| near.timer.is_unsure()));
        assert!(first_unsure > 0 && first_unsure < found.len(), "{first_unsure} of {}", found.len());
    }
}
