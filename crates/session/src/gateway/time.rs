//! The timers of a gateway session.

use std::time::Instant;

use super::{Gateway, GatewayEvent, GatewayState};
use crate::packet::Packet;
use crate::timers::TimerSet;

/// The timers of a gateway session, except the ack delay, which `Delivery` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GatewayTimer {
    /// The next check for silence on the link.
    Heartbeat,
    /// The end of a detached session's time to live.
    Expire,
    /// The maximum age of the link.
    LinkAge,
    /// The deadline of the drain slot.
    Drain,
}

impl GatewayTimer {
    pub(super) const COUNT: usize = 4;
}

impl TimerSet for GatewayTimer {
    const ALL: &'static [Self] = &[Self::Heartbeat, Self::Expire, Self::LinkAge, Self::Drain];

    fn index(self) -> usize {
        self as usize
    }
}

impl Gateway {
    /// Returns when [`handle_timeout`](Self::handle_timeout) must be called next; possibly a time in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.delivery.deadline()].into_iter().flatten().min()
    }

    /// Handles every timer that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.delivery.handle_timeout(now) && self.is_attached() {
            self.push_ack(now);
        }
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                GatewayTimer::Heartbeat => self.handle_heartbeat(now),
                GatewayTimer::Expire => {
                    self.state = GatewayState::Over;
                    self.replay.clear();
                    self.events.push(GatewayEvent::Expired);
                }
                GatewayTimer::LinkAge => self.events.push(GatewayEvent::LinkTooOld),
                GatewayTimer::Drain => self.events.push(GatewayEvent::DrainOver),
            }
        }
    }

    fn handle_heartbeat(&mut self, now: Instant) {
        let check = self.heartbeat.check(now, self.config.heartbeat);
        if check.packet && self.control.has_soft_room() {
            self.control.push(&Packet::Heartbeat);
        }
        if check.suspect {
            self.events.push(GatewayEvent::SuspectDead);
        }
        if check.ping {
            self.events.push(GatewayEvent::SendPing);
        }
        self.timers.set(GatewayTimer::Heartbeat, check.next);
    }
}
