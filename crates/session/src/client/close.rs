//! The end.

use std::time::Instant;

use undrop_frame::CloseCode;

use super::output::QueuedControl;
use super::{Client, ClientEvent, ClientState, ClientTimer, ClosedBy};
use crate::packet::{Close, Packet};

impl Client {
    /// The application closes. What is queued goes out first and is waited for; [`ClientEvent::Closed`] tells the end.
    /// Messages may still arrive until then. A second call changes nothing.
    pub fn close(&mut self, now: Instant, code: CloseCode, reason: &str) {
        self.tick(now);
        if self.state == ClientState::Closed || self.closing.is_some() {
            return;
        }
        let close = Close::new(code, reason);
        self.closing = Some(close.clone());
        let nothing_waits = self.outbox.len() == 0;
        if self.link.is_none() && self.session.is_none() && nothing_waits {
            self.finish(close.code, close.reason, ClosedBy::Local);
            return;
        }
        self.outbox.push_close(close);
        self.timers.set(ClientTimer::Close, now + self.config.close_timeout);
    }

    /// Our sequenced close was acked, and everything before it.
    pub(super) fn check_closed(&mut self) {
        if self.closing.is_some() && self.outbox.unacked_units().next().is_none() {
            self.close_over();
        }
    }

    /// Nothing more to wait for, or no more time to.
    pub(super) fn close_over(&mut self) {
        if let Some(close) = self.closing.clone() {
            self.finish(close.code, close.reason, ClosedBy::Local);
        }
    }

    /// Ends everything and tells so, once. The link gets its last ack and a Close frame.
    pub(super) fn finish(&mut self, code: CloseCode, reason: String, by: ClosedBy) {
        if self.state == ClientState::Closed {
            return;
        }
        self.state = ClientState::Closed;
        let unacked =
            self.outbox.unacked_units().filter(|unit| matches!(unit, super::outbox::UnitContent::Data(_)));
        let unacked = unacked.count() as u64;
        self.control.clear();
        for attempt in std::mem::take(&mut self.attempts) {
            self.close_link(attempt.n, CloseCode::NORMAL);
        }
        if let Some(link) = self.link.take() {
            if link.mode == super::LinkMode::Session {
                let ack = Packet::Ack(self.delivery.statement());
                self.control.push_back((link.n, QueuedControl::Packet(ack)));
            }
            // In a session the code has travelled in `x`; on a plain link this is the answer to it, or the code itself.
            let sent = if link.mode == super::LinkMode::Plain && code.may_be_sent() {
                code
            } else {
                CloseCode::NORMAL
            };
            self.control.push_back((link.n, QueuedControl::Close(sent, String::new())));
        }
        self.ack_due = false;
        self.due = false;
        self.inbox.uncount();
        for timer in ClientTimer::all() {
            self.timers.stop(*timer);
        }
        self.events.push_back(ClientEvent::Closed { code, reason, by, unacked });
    }
}
