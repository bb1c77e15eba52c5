//! What time does to a gateway session.

use std::time::Instant;

use super::{Event, Gateway, State};
use crate::packet::Packet;
use crate::timers::TimerSet;

/// The ack delay has its deadline in `Delivery`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// Look for silence on the link.
    Heartbeat,
    /// The parked session's time to live.
    Expire,
    /// The link's maximum age.
    LinkAge,
    /// The deadline of `g`.
    Drain,
}

impl Timer {
    pub(super) const COUNT: usize = 4;
}

impl TimerSet for Timer {
    const ALL: &'static [Self] = &[Self::Heartbeat, Self::Expire, Self::LinkAge, Self::Drain];

    fn index(self) -> usize {
        self as usize
    }
}

impl Gateway {
    /// When [`handle_timeout`](Self::handle_timeout) is to be called next. May lie in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.timers.next(), self.delivery.deadline()].into_iter().flatten().min()
    }

    /// Lets happen what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.delivery.handle_timeout(now) && self.is_attached() {
            self.push_ack(now);
        }
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                Timer::Heartbeat => self.beat(now),
                Timer::Expire => {
                    self.state = State::Over;
                    self.replay.clear();
                    self.events.push(Event::Expired);
                }
                Timer::LinkAge => self.events.push(Event::LinkTooOld),
                Timer::Drain => self.events.push(Event::DrainOver),
            }
        }
    }

    fn beat(&mut self, now: Instant) {
        let beat = self.heartbeat.look(now, self.config.heartbeat);
        if beat.packet && self.control.has_soft_room() {
            self.control.push(&Packet::Heartbeat);
        }
        if beat.suspect {
            self.events.push(Event::SuspectDead);
        }
        if beat.ping {
            self.events.push(Event::SendPing);
        }
        self.timers.set(Timer::Heartbeat, beat.next);
    }
}
