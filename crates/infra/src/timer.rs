//! One timer of an intermediary.

use std::time::Duration;

use serde::Deserialize;

use crate::activity::{self, Activity, Answer, Heartbeat};
use crate::span;
use crate::{Basis, Bound, Confidence};

/// A timer, or a cap that is reached with age.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Timer {
    /// Its name in the configuration or the documentation of the product; unique within the entry.
    pub name: String,
    /// What it limits.
    pub what: TimerKind,
    /// How it stands when nobody sets it; `None` when that is not known.
    #[serde(default)]
    pub default: Option<Bound>,
    /// Other values that it often has, and where.
    #[serde(default)]
    pub also: Vec<Elsewhere>,
    /// The lowest value it can have; `None` when that is not known.
    #[serde(default)]
    pub min: Option<Bound>,
    /// The highest value it can have; `None` when that is not known.
    #[serde(default)]
    pub max: Option<Bound>,
    /// Whether its user can change it.
    #[serde(default = "settable")]
    pub settable: bool,
    /// What starts it anew.
    #[serde(default, deserialize_with = "activity::activities")]
    pub rearmed_by: Vec<Activity>,
    /// What is known not to start it anew.
    #[serde(default, deserialize_with = "activity::activities")]
    pub not_by: Vec<Activity>,
    /// Whether each direction has the timer for itself, so that activity in one does not save the other.
    #[serde(default)]
    pub each_direction: bool,
    /// Whether it counts only in a setting that its note names, so that a chain leaves it out unless it is set there.
    #[serde(default)]
    pub special: bool,
    /// The names of timers of the entry that do not count any more once this one is set.
    #[serde(default)]
    pub replaces: Vec<String>,
    /// The name of another timer of the entry: only the larger of the two counts.
    #[serde(default)]
    pub larger_of: Option<String>,
    /// How much later than the value the client sees the end.
    #[serde(default, deserialize_with = "span::some_duration")]
    pub seen_after: Option<Duration>,
    /// What else there is to know.
    #[serde(default)]
    pub note: Option<String>,
    /// How sure this is, where it differs from the entry.
    #[serde(default)]
    pub confidence: Option<Confidence>,
    /// How it is known, where that differs from the sources of the entry.
    #[serde(default)]
    pub basis: Option<Basis>,
    /// Filled in when the entry is read.
    #[serde(skip)]
    pub(crate) unsure: bool,
}

fn settable() -> bool {
    true
}

/// What a timer limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TimerKind {
    /// Silence on an open WebSocket.
    Idle,
    /// The age of a WebSocket, whatever it carries.
    Lifetime,
    /// How long old connections may go on after a reload or before a stop.
    Drain,
    /// The time to connect to the upstream.
    Connect,
    /// The time until the answer to the handshake.
    Response,
    /// The time that a write may be stuck.
    Write,
    /// Silence on a connection without a request: not on a WebSocket.
    KeepAlive,
    /// How often something is sent or may run.
    Interval,
}

/// A value of a timer that is common in some place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Elsewhere {
    /// The value.
    #[serde(deserialize_with = "span::duration")]
    pub at: Duration,
    /// The place: a packaging, a version, a kind of machine.
    pub place: String,
}

impl Timer {
    /// A timer of which nothing is known but its name and kind.
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

    /// Whether it can end a WebSocket that is open.
    pub fn ends_open_connections(&self) -> bool {
        matches!(self.what, TimerKind::Idle | TimerKind::Lifetime | TimerKind::Drain)
    }

    /// Whether its figures come from memory or from a single report, so that they are not to be stated as facts.
    pub fn is_unsure(&self) -> bool {
        self.unsure
    }

    /// Whether `activity` starts it anew.
    pub fn is_rearmed_by(&self, activity: Activity) -> Answer {
        if self.what != TimerKind::Idle || self.not_by.contains(&activity) {
            Answer::No
        } else if self.rearmed_by.contains(&activity) {
            Answer::Yes
        } else {
            Answer::Unknown
        }
    }

    /// Whether a connection outlives it that carries nothing but this heartbeat, often enough. No heartbeat helps
    /// against a lifetime.
    pub fn kept_by(&self, heartbeat: Heartbeat) -> Answer {
        let (up, down) = heartbeat.activities();
        if self.each_direction {
            match (self.any(up), self.any(down)) {
                (Answer::Yes, Answer::Yes) => Answer::Yes,
                (Answer::No, _) | (_, Answer::No) => Answer::No,
                _ => Answer::Unknown,
            }
        } else {
            match (self.any(up), self.any(down)) {
                (Answer::Yes, _) | (_, Answer::Yes) => Answer::Yes,
                (Answer::No, Answer::No) => Answer::No,
                _ => Answer::Unknown,
            }
        }
    }

    /// The value to reckon with when nobody says how it is set: the default, or else the first value that is common
    /// somewhere. `None` when it is off as delivered, or when nothing is known.
    pub fn expected(&self) -> Option<Duration> {
        match self.default {
            Some(bound) => bound.at(),
            None => self.also.first().map(|other| other.at),
        }
    }

    /// Every value that it is known to have somewhere, with the place unless it is the default.
    pub fn values(&self) -> impl Iterator<Item = (Duration, Option<&str>)> {
        let default = self.default.and_then(Bound::at).map(|at| (at, None));
        default.into_iter().chain(self.also.iter().map(|other| (other.at, Some(other.place.as_str()))))
    }

    fn any(&self, activities: &[Activity]) -> Answer {
        let answers = activities.iter().map(|activity| self.is_rearmed_by(*activity));
        answers.fold(Answer::No, |so_far, answer| match (so_far, answer) {
            (Answer::Yes, _) | (_, Answer::Yes) => Answer::Yes,
            (Answer::Unknown, _) | (_, Answer::Unknown) => Answer::Unknown,
            (Answer::No, Answer::No) => Answer::No,
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
            let wanted = if heartbeat == Heartbeat::TcpKeepalive { Answer::No } else { Answer::Yes };
            assert_eq!(timer.kept_by(heartbeat), wanted, "{heartbeat}");
        }
    }

    #[test]
    fn a_timer_of_each_direction_needs_an_answer() {
        let timer = timer(
            "rearmed-by = ['frames-up', 'frames-down']\nnot-by = ['tcp-keepalive']\neach-direction = true",
        );
        assert_eq!(timer.kept_by(Heartbeat::ServerPing), Answer::Yes);
        assert_eq!(timer.kept_by(Heartbeat::ClientMessageWithReply), Answer::Yes);
        assert_eq!(timer.kept_by(Heartbeat::ClientMessage), Answer::No);
        assert_eq!(timer.kept_by(Heartbeat::ServerMessage), Answer::No);
        assert_eq!(timer.kept_by(Heartbeat::TcpKeepalive), Answer::No);
    }

    #[test]
    fn a_timer_that_hears_one_side_is_kept_by_what_that_side_sends() {
        let timer = timer("rearmed-by = ['frames-down']\nnot-by = ['frames-up', 'tcp-keepalive']");
        assert_eq!(timer.kept_by(Heartbeat::ClientPing), Answer::Yes);
        assert_eq!(timer.kept_by(Heartbeat::ClientPong), Answer::No);
        assert_eq!(timer.kept_by(Heartbeat::ClientMessage), Answer::No);
    }

    #[test]
    fn what_is_not_known_stays_unknown() {
        let timer = timer("rearmed-by = ['data-up']");
        assert_eq!(timer.kept_by(Heartbeat::ClientMessage), Answer::Yes);
        assert_eq!(timer.kept_by(Heartbeat::ServerPing), Answer::Unknown);
        assert_eq!(timer.expected(), None);
    }

    #[test]
    fn nothing_helps_against_age() {
        let timer: Timer = toml::from_str("name = 't'\nwhat = 'lifetime'\ndefault = '30s'").unwrap();
        assert!(Heartbeat::ALL.iter().all(|heartbeat| timer.kept_by(*heartbeat) == Answer::No));
    }

    #[test]
    fn off_is_not_unknown() {
        let off = timer("default = 'none'\nalso = [{ at = '300s', place = 'gateways' }]");
        assert_eq!((off.default, off.expected()), (Some(Bound::Unlimited), None));
        let unset = timer("also = [{ at = '50s', place = 'samples' }]");
        assert_eq!((unset.default, unset.expected()), (None, Some(Duration::from_secs(50))));
    }
}
