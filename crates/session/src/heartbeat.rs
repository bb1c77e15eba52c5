//! The heartbeat of the gateway: it sends before an intermediary's idle timeout, and notices missing replies.

use std::time::{Duration, Instant};

/// The times at which bytes last went each way on a link, and whether a reply to a Ping is due.
#[derive(Debug, Clone)]
pub(crate) struct Heartbeat {
    sent: Instant,
    received: Instant,
    /// A Ping was sent and nothing was received since.
    pinged: bool,
    /// A Ping was sent on this link.
    asked: bool,
}

/// The actions that are due at one check of the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeartbeatCheck {
    /// Send the packet `h`: nothing was sent for the interval.
    pub(crate) packet: bool,
    /// Send a WebSocket Ping: nothing was sent, or nothing was received, for the interval.
    pub(crate) ping: bool,
    /// A Ping has had no reply of any kind for the whole interval.
    pub(crate) suspect: bool,
    /// The time of the next check.
    pub(crate) next: Instant,
}

impl Heartbeat {
    pub(crate) const fn new(now: Instant) -> Self {
        Self { sent: now, received: now, pinged: false, asked: false }
    }

    #[inline]
    pub(crate) const fn on_sent(&mut self, now: Instant) {
        self.sent = now;
    }

    #[inline]
    pub(crate) const fn on_received(&mut self, now: Instant) {
        self.received = now;
        self.pinged = false;
    }

    /// Returns whether a Ping was sent on this link.
    pub(crate) const fn has_asked(&self) -> bool {
        self.asked
    }

    pub(crate) fn check(&mut self, now: Instant, every: Duration) -> HeartbeatCheck {
        // The next check is after `every`: a reply that has not arrived by then is late.
        let suspect = self.pinged;
        let packet = now >= self.sent + every;
        let ping = packet || now >= self.received + every;
        self.pinged |= ping;
        self.asked |= ping;
        let next = if ping { now } else { self.sent.min(self.received) };
        HeartbeatCheck { packet, ping, suspect, next: next + every }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    const HB: Duration = Duration::from_secs(25);

    #[test]
    fn idle_link_is_beaten_and_a_silent_one_suspected() {
        let start = Instant::now();
        let mut h = Heartbeat::new(start);
        let check = h.check(start + HB, HB);
        assert_eq!(check, HeartbeatCheck { packet: true, ping: true, suspect: false, next: start + HB * 2 });
        h.on_sent(start + HB);
        assert!(h.check(start + HB * 2, HB).suspect);
        h.on_received(start + HB * 2 + HB / 2);
        assert!(!h.check(start + HB * 3, HB).suspect);
    }

    #[test]
    fn busy_sender_still_pings_a_silent_peer() {
        let start = Instant::now();
        let mut h = Heartbeat::new(start);
        h.on_sent(start + HB - HB / 10);
        let check = h.check(start + HB, HB);
        assert!(!check.packet && check.ping && !check.suspect);
    }

    #[test]
    fn traffic_both_ways_needs_no_heartbeat() {
        let start = Instant::now();
        let mut h = Heartbeat::new(start);
        h.on_sent(start + HB / 2);
        h.on_received(start + HB / 5);
        let check = h.check(start + HB, HB);
        assert_eq!(
            check,
            HeartbeatCheck { packet: false, ping: false, suspect: false, next: start + HB / 5 + HB }
        );
    }
}
