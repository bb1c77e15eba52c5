//! Is the link alive? The watchdog for silence, the probe for a doubt.

use std::time::{Duration, Instant};

/// A pause of the own process longer than this says nothing about the link.
pub(super) const STALL: Duration = Duration::from_secs(1);

/// Compares the time with the last receipt. The timer is lazy: it is set to when silence would be too long as seen at
/// setting, and looked at again.
#[derive(Debug, Clone)]
pub(super) struct Watchdog {
    heard: Instant,
    allowance: Option<Duration>,
    suspected: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchdogVerdict {
    /// Heard of in time; look again then.
    Fine(Instant),
    /// Silent for too long: ask, open a second link, look again then.
    Suspect(Instant),
    /// Still silent: give the link up.
    Dead,
}

impl Watchdog {
    pub(super) const fn new(now: Instant) -> Self {
        Self { heard: now, allowance: None, suspected: false }
    }

    /// A link begins; `None`: it is not watched.
    pub(super) fn start(&mut self, now: Instant, allowance: Option<Duration>) -> Option<Instant> {
        *self = Self { heard: now, allowance, suspected: false };
        allowance.map(|allowance| now + allowance)
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = self.heard.max(now);
        self.suspected = false;
    }

    /// `grace`: how long a suspect has.
    pub(super) fn look(&mut self, now: Instant, grace: Duration) -> Option<WatchdogVerdict> {
        let deadline = self.heard + self.allowance?;
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

/// One question at a time, and the round-trip time learned from the answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Probe {
    asked: Option<(u64, Instant)>,
    count: u64,
    rtt: Option<Duration>,
}

impl Probe {
    /// The nonce of a new probe; `None` while one is under way.
    pub(super) fn ask(&mut self, now: Instant) -> Option<String> {
        if self.asked.is_some() {
            return None;
        }
        self.count += 1;
        self.asked = Some((self.count, now));
        Some(self.count.to_string())
    }

    /// How long to wait for its answer.
    pub(super) fn patience(&self, least: Duration) -> Duration {
        self.rtt.map_or(least, |rtt| least.max(rtt * 4))
    }

    /// An answer came; true when it is the one that was waited for.
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

    /// The link that was asked is gone, or the answer is too late to matter.
    pub(super) const fn forget(&mut self) {
        self.asked = None;
    }

    /// The own process paused: the time so far does not count.
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
        w.heard(now + 10 * S);
        assert_eq!(w.look(now + 35 * S, 10 * S), Some(WatchdogVerdict::Fine(now + 45 * S)));
        assert_eq!(w.look(now + 45 * S, 10 * S), Some(WatchdogVerdict::Suspect(now + 55 * S)));
        assert_eq!(w.look(now + 55 * S, 10 * S), Some(WatchdogVerdict::Dead));
        w.heard(now + 56 * S);
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
