//! The timers of a client.

use std::time::Instant;

use super::watchdog::{STALL, WatchdogVerdict};
use super::{Client, ClientEvent, ClientState};
use crate::timers::TimerSet;
use undrop_frame::CloseCode;

/// The timers of a client, except the ack delay, which `Delivery` holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientTimer {
    /// The start of the next attempt.
    Connect,
    /// The timeout of the oldest attempt in flight.
    Attempt,
    /// The next check for silence on a session link.
    Watchdog,
    /// The timeout of a probe.
    Probe,
    /// The next heartbeat on a plain link.
    Heartbeat,
    /// The timeout of a heartbeat on a plain link.
    HeartbeatReply,
    /// The earliest expiry of a message.
    Expiry,
    /// The random moment inside the drain slot.
    Slot,
    /// The timeout of the close.
    Close,
}

impl ClientTimer {
    pub(super) const COUNT: usize = 9;

    pub(super) const fn all() -> &'static [Self] {
        Self::ALL
    }
}

impl TimerSet for ClientTimer {
    const ALL: &'static [Self] = &[
        Self::Connect,
        Self::Attempt,
        Self::Watchdog,
        Self::Probe,
        Self::Heartbeat,
        Self::HeartbeatReply,
        Self::Expiry,
        Self::Slot,
        Self::Close,
    ];

    fn index(self) -> usize {
        self as usize
    }
}

impl Client {
    /// Returns when [`handle_timeout`](Self::handle_timeout) must be called next; possibly a time in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.state == ClientState::Closed {
            return None;
        }
        [self.timers.next(), self.delivery.deadline()].into_iter().flatten().min()
    }

    /// Handles every timer that is due. A call that is more than a second late means that this process was paused: deadlines
    /// that wait for the peer start again, and the link is probed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tick(now);
        if self.state == ClientState::Closed {
            return;
        }
        if self.poll_timeout().is_some_and(|due| now.saturating_duration_since(due) > STALL) {
            self.after_stall();
        }
        if self.delivery.handle_timeout(now) {
            self.ack_due = true;
        }
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                ClientTimer::Connect => self.due = true,
                ClientTimer::Attempt => self.attempt_timed_out(),
                ClientTimer::Watchdog => self.check_watchdog(),
                ClientTimer::Probe => {
                    self.probe.forget();
                    self.replace_link();
                }
                ClientTimer::Heartbeat => self.send_heartbeat(),
                ClientTimer::HeartbeatReply => self.give_up_link(),
                ClientTimer::Expiry => {
                    let events = &mut self.events;
                    self.outbox.expire(now, |receipt| events.push_back(ClientEvent::Expired(receipt)));
                    self.watch_expiry();
                }
                ClientTimer::Slot => self.replace_link(),
                ClientTimer::Close => self.close_over(),
            }
        }
    }

    fn after_stall(&mut self) {
        let now = self.now;
        for attempt in &mut self.attempts {
            attempt.deadline = attempt.deadline.max(now + self.config.connect_timeout / 2);
        }
        self.watch_attempts();
        self.watchdog.on_received(now);
        if self.probe.restart(now) {
            self.timers.set(ClientTimer::Probe, now + self.probe.patience(self.config.probe_timeout));
        } else if self.in_session() {
            self.ask();
        }
        if self.timers.is_set(ClientTimer::HeartbeatReply)
            && let Some(heartbeat) = &self.config.plain_heartbeat
        {
            self.timers.set(ClientTimer::HeartbeatReply, now + heartbeat.answer);
        }
    }

    fn check_watchdog(&mut self) {
        if !self.wants_read() {
            // This end does not read, so silence is not evidence.
            self.watchdog.on_received(self.now);
        }
        match self.watchdog.look(self.now, self.config.grace) {
            None => {}
            Some(WatchdogVerdict::Fine(next)) => self.timers.set(ClientTimer::Watchdog, next),
            Some(WatchdogVerdict::Suspect(next)) => {
                self.timers.set(ClientTimer::Watchdog, next);
                self.ask();
                self.replace_link();
            }
            Some(WatchdogVerdict::Dead) => self.give_up_link(),
        }
    }

    fn give_up_link(&mut self) {
        if let Some(n) = self.link() {
            self.close_link(n, CloseCode::GOING_AWAY);
            self.link_lost(None);
        }
    }
}
