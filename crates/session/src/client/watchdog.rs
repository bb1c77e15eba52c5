//! Liveness of a link: the watchdog detects silence, the probe checks a link on demand.

use std::time::{Duration, Instant};

/// The delay of a timer from which this process counts as paused, so its deadlines are not evidence about the link.
pub(super) const STALL: Duration = Duration::from_secs(1);

/// Compares the time with the last receipt. The timer is lazy: it fires when silence would be too long as of its setting,
/// and the check sets it again.
#[derive(Debug, Clone)]
pub(super) struct Watchdog {
    received: Instant,
    allowance: Option<Duration>,
    suspected: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchdogVerdict {
    /// Bytes arrived in time; check again at this time.
    Fine(Instant),
    /// The link was silent for too long: probe it, open a second link, and check again at this time.
    Suspect(Instant),
    /// The link is still silent: give it up.
    Dead,
}

impl Watchdog {
    pub(super) const fn new(now: Instant) -> Self {
        Self { received: now, allowance: None, suspected: false }
    }

    /// Starts to watch a link. `allowance`: the longest accepted silence; `None`: the link is not watched. Returns the time of
    /// the first check.
    pub(super) fn start(&mut self, now: Instant, allowance: Option<Duration>) -> Option<Instant> {
        *self = Self { received: now, allowance, suspected: false };
        allowance.map(|allowance| now + allowance)
    }

    pub(super) fn on_received(&mut self, now: Instant) {
        self.received = self.received.max(now);
        self.suspected = false;
    }

    /// Checks the link. `grace`: the time that a silent link has to reply.
    pub(super) fn look(&mut self, now: Instant, grace: Duration) -> Option<WatchdogVerdict> {
        let deadline = self.received + self.allowance?;
        Some(if now < deadline {
            WatchdogVerdict::Fine(deadline)
        } else if self.suspected {
            WatchdogVerdict::Dead
        } else {
            self.suspected = true;
            WatchdogVerdict::Suspect(now + grace)
        })
    }
}

/// One probe at a time, and the round-trip time that was measured with them.
#[derive(Debug, Clone, Default)]
pub(super) struct Probe {
    asked: Option<(u64, Instant)>,
    count: u64,
    rtt: Option<Duration>,
}

impl Probe {
    /// Starts a probe and returns its nonce; `None` while another one is in flight.
    pub(super) fn ask(&mut self, now: Instant) -> Option<String> {
        if self.asked.is_some() {
            return None;
        }
        self.count += 1;
        self.asked = Some((self.count, now));
        Some(self.count.to_string())
    }

    /// Returns the time to wait for the reply. `least`: the minimum.
    pub(super) fn patience(&self, least: Duration) -> Duration {
        self.rtt.map_or(least, |rtt| least.max(rtt * 4))
    }

    /// Handles a reply; returns whether it belongs to the current probe.
    pub(super) fn answered(&mut self, now: Instant, nonce: &str) -> bool {
        match self.asked {
            Some((count, at)) if nonce == count.to_string() => {
                let sample = now.saturating_duration_since(at);
                self.rtt = Some(self.rtt.map_or(sample, |rtt| (rtt * 7 + sample) / 8));
                self.asked = None;
                true
            }
            _ => false,
        }
    }

    /// Forgets the probe: its link is gone, or the reply is too late.
    pub(super) const fn forget(&mut self) {
        self.asked = None;
    }

    /// Restarts the time of the probe, because this process was paused. Returns whether a probe is in flight.
    pub(super) fn restart(&mut self, now: Instant) -> bool {
        match &mut self.asked {
            Some((_, at)) => {
                *at = now;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn silence_is_asked_about_before_it_is_death() {
        let now = Instant::now();
        let mut w = Watchdog::new(now);
        assert_eq!(w.start(now, Some(35 * S)), Some(now + 35 * S));
        w.on_received(now + 10 * S);
        assert_eq!(w.look(now + 35 * S, 10 * S), Some(WatchdogVerdict::Fine(now + 45 * S)));
        assert_eq!(w.look(now + 45 * S, 10 * S), Some(WatchdogVerdict::Suspect(now + 55 * S)));
        assert_eq!(w.look(now + 55 * S, 10 * S), Some(WatchdogVerdict::Dead));
        w.on_received(now + 56 * S);
        assert!(matches!(w.look(now + 57 * S, 10 * S), Some(WatchdogVerdict::Fine(_))));
        w.start(now, None);
        assert_eq!(w.look(now + 100 * S, S), None);
    }

    #[test]
    fn probe_learns_the_round_trip() {
        let now = Instant::now();
        let mut p = Probe::default();
        assert_eq!(p.patience(S), S);
        let nonce = p.ask(now).expect("first");
        assert_eq!(p.ask(now), None);
        assert!(!p.answered(now, "other"));
        assert!(p.answered(now + 2 * S, &nonce));
        assert_eq!(p.patience(S), 8 * S);
        assert!(!p.answered(now + 2 * S, &nonce));
        assert!(p.ask(now).is_some());
        p.forget();
        assert!(p.ask(now).is_some());
    }
}
