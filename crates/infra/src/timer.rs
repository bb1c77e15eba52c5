//! The timers of an intermediary.

use std::time::Duration;

use serde::Deserialize;

use crate::activity::{self, Activity, Heartbeat, Tristate};
use crate::bound;
use crate::{Basis, Bound, Confidence};

/// A timer of an intermediary: an idle timeout, a maximum connection age, or another time limit.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Timer {
    /// The name in the configuration or documentation of the product; unique within the intermediary.
    pub name: String,
    /// The kind of time that the timer limits.
    pub what: TimerKind,
    /// The default value; `None` if it is not known.
    #[serde(default)]
    pub default: Option<Bound>,
    /// Other common values, each with the place where it is used.
    #[serde(default)]
    pub also: Vec<Elsewhere>,
    /// The lowest possible value; `None` if it is not known.
    #[serde(default)]
    pub min: Option<Bound>,
    /// The highest possible value; `None` if it is not known.
    #[serde(default)]
    pub max: Option<Bound>,
    /// Whether users can change the value.
    #[serde(default = "settable")]
    pub settable: bool,
    /// The activities that re-arm the timer.
    #[serde(default, deserialize_with = "activity::activities")]
    pub rearmed_by: Vec<Activity>,
    /// The activities that are known not to re-arm the timer.
    #[serde(default, deserialize_with = "activity::activities")]
    pub not_by: Vec<Activity>,
    /// Whether each direction has its own timer, so activity in one direction does not re-arm the other.
    #[serde(default)]
    pub each_direction: bool,
    /// Whether the timer applies only to the configuration that its note describes. A chain ignores it unless it is set there.
    #[serde(default)]
    pub special: bool,
    /// The names of timers of the same intermediary that no longer apply once this one is set.
    #[serde(default)]
    pub replaces: Vec<String>,
    /// The name of another timer of the same intermediary; only the larger of the two applies.
    #[serde(default)]
    pub larger_of: Option<String>,
    /// The delay after the value until the client sees the end.
    #[serde(default, deserialize_with = "bound::some_duration")]
    pub seen_after: Option<Duration>,
    /// Further facts in a sentence or two.
    #[serde(default)]
    pub note: Option<String>,
    /// The confidence, if it differs from that of the intermediary.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// The evidence, if it differs from the sources of the intermediary.
    #[serde(default)]
    pub basis: Option<Basis>,
    /// Computed when the data file is read; see [`Timer::is_unsure`].
    #[serde(skip)]
    pub(crate) unsure: bool,
}

fn settable() -> bool {
    true
}

/// The kind of time that a timer limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TimerKind {
    /// The time without activity on an open WebSocket.
    Idle,
    /// The maximum connection age of a WebSocket, regardless of activity.
    Lifetime,
    /// The time that existing connections have after a reload or before a stop.
    Drain,
    /// The time for connecting to the upstream.
    Connect,
    /// The time until the response to the handshake.
    Response,
    /// The time that a write may be blocked.
    Write,
    /// The time without activity on a connection between two requests. It does not apply to WebSockets.
    KeepAlive,
    /// The interval at which something is sent or runs.
    Interval,
}

/// A value that a timer has in a certain place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Elsewhere {
    /// The value in that place.
    #[serde(deserialize_with = "bound::duration")]
    pub at: Duration,
    /// The place: a package, a version or a kind of machine.
    pub place: String,
}

impl Timer {
    /// Creates a timer with a name and a kind and no other facts.
    pub fn named(name: impl Into<String>, what: TimerKind) -> Self {
        Self {
            name: name.into(),
            what,
            default: None,
            also: Vec::new(),
            min: None,
            max: None,
            settable: true,
            rearmed_by: Vec::new(),
            not_by: Vec::new(),
            each_direction: false,
            special: false,
            replaces: Vec::new(),
            larger_of: None,
            seen_after: None,
            note: None,
            confidence: None,
            basis: None,
            unsure: false,
        }
    }

    /// Returns whether the timer can end an open WebSocket.
    pub fn ends_open_connections(&self) -> bool {
        matches!(self.what, TimerKind::Idle | TimerKind::Lifetime | TimerKind::Drain)
    }

    /// Returns whether the figures come from memory or from a single report and must not be presented as facts.
    pub fn is_unsure(&self) -> bool {
        self.unsure
    }

    /// Returns whether `activity` re-arms the timer.
    pub fn is_rearmed_by(&self, activity: Activity) -> Tristate {
        if self.what != TimerKind::Idle || self.not_by.contains(&activity) {
            Tristate::No
        } else if self.rearmed_by.contains(&activity) {
            Tristate::Yes
        } else {
            Tristate::Unknown
        }
    }

    /// Returns whether this heartbeat alone, sent often enough, keeps a connection from being ended by the timer. No heartbeat helps
    /// against a maximum connection age.
    pub fn kept_by(&self, heartbeat: Heartbeat) -> Tristate {
        let (up, down) = heartbeat.activities();
        if self.each_direction {
            match (self.any(up), self.any(down)) {
                (Tristate::Yes, Tristate::Yes) => Tristate::Yes,
                (Tristate::No, _) | (_, Tristate::No) => Tristate::No,
                _ => Tristate::Unknown,
            }
        } else {
            match (self.any(up), self.any(down)) {
                (Tristate::Yes, _) | (_, Tristate::Yes) => Tristate::Yes,
                (Tristate::No, Tristate::No) => Tristate::No,
                _ => Tristate::Unknown,
            }
        }
    }

    /// Returns the value to expect without further information: the default, or the first of the common values. `None` if the timer is
    /// disabled by default, or if no value is known.
    pub fn expected(&self) -> Option<Duration> {
        match self.default {
            Some(bound) => bound.at(),
            None => self.also.first().map(|other| other.at),
        }
    }

    /// Returns every known value with its place, which is `None` for the default.
    pub fn values(&self) -> impl Iterator<Item = (Duration, Option<&str>)> {
        let default = self.default.and_then(Bound::at).map(|at| (at, None));
        default.into_iter().chain(self.also.iter().map(|other| (other.at, Some(other.place.as_str()))))
    }

    fn any(&self, activities: &[Activity]) -> Tristate {
        let answers = activities.iter().map(|activity| self.is_rearmed_by(*activity));
        answers.fold(Tristate::No, |so_far, answer| match (so_far, answer) {
            (Tristate::Yes, _) | (_, Tristate::Yes) => Tristate::Yes,
            (Tristate::Unknown, _) | (_, Tristate::Unknown) => Tristate::Unknown,
            (Tristate::No, Tristate::No) => Tristate::No,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn timer(more: &str) -> Timer {
        toml::from_str(&format!("name = 't'\nwhat = 'idle'\n{more}")).unwrap()
    }

    #[test]
    fn a_timer_for_both_directions_is_kept_by_either() {
        let timer = timer("rearmed-by = ['frames-up', 'frames-down']\nnot-by = ['tcp-keepalive']");
        for heartbeat in Heartbeat::ALL {
            let wanted = if heartbeat == Heartbeat::TcpKeepalive { Tristate::No } else { Tristate::Yes };
            assert_eq!(timer.kept_by(heartbeat), wanted, "{heartbeat}");
        }
    }

    #[test]
    fn a_timer_of_each_direction_needs_an_answer() {
        let timer = timer(
            "rearmed-by = ['frames-up', 'frames-down']\nnot-by = ['tcp-keepalive']\neach-direction = true",
        );
        assert_eq!(timer.kept_by(Heartbeat::ServerPing), Tristate::Yes);
        assert_eq!(timer.kept_by(Heartbeat::ClientMessageWithReply), Tristate::Yes);
        assert_eq!(timer.kept_by(Heartbeat::ClientMessage), Tristate::No);
        assert_eq!(timer.kept_by(Heartbeat::ServerMessage), Tristate::No);
        assert_eq!(timer.kept_by(Heartbeat::TcpKeepalive), Tristate::No);
    }

    #[test]
    fn a_timer_of_one_direction_is_kept_by_activity_in_that_direction() {
        let timer = timer("rearmed-by = ['frames-down']\nnot-by = ['frames-up', 'tcp-keepalive']");
        assert_eq!(timer.kept_by(Heartbeat::ClientPing), Tristate::Yes);
        assert_eq!(timer.kept_by(Heartbeat::ClientPong), Tristate::No);
        assert_eq!(timer.kept_by(Heartbeat::ClientMessage), Tristate::No);
    }

    #[test]
    fn what_is_not_known_stays_unknown() {
        let timer = timer("rearmed-by = ['data-up']");
        assert_eq!(timer.kept_by(Heartbeat::ClientMessage), Tristate::Yes);
        assert_eq!(timer.kept_by(Heartbeat::ServerPing), Tristate::Unknown);
        assert_eq!(timer.expected(), None);
    }

    #[test]
    fn nothing_helps_against_age() {
        let timer: Timer = toml::from_str("name = 't'\nwhat = 'lifetime'\ndefault = '30s'").unwrap();
        assert!(Heartbeat::ALL.iter().all(|heartbeat| timer.kept_by(*heartbeat) == Tristate::No));
    }

    #[test]
    fn off_is_not_unknown() {
        let off = timer("default = 'none'\nalso = [{ at = '300s', place = 'gateways' }]");
        assert_eq!((off.default, off.expected()), (Some(Bound::Unlimited), None));
        let unset = timer("also = [{ at = '50s', place = 'samples' }]");
        assert_eq!((unset.default, unset.expected()), (None, Some(Duration::from_secs(50))));
    }
}
