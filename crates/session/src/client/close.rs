//! The end of a client.

use std::time::Instant;

use undrop_frame::CloseCode;

use super::output::QueuedControl;
use super::{Client, ClientEvent, ClientState, ClientTimer, ClosedBy};
use crate::packet::{Close, Packet};

impl Client {
    /// Closes the session. Queued messages are sent first and their acks awaited; [`ClientEvent::Closed`] reports the end.
    /// Messages may still arrive until then. A second call has no effect.
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

    /// Ends the client if its sequenced close and everything before it were acked.
    pub(super) fn check_closed(&mut self) {
        if self.closing.is_some() && self.outbox.unacked_units().next().is_none() {
            self.close_over();
        }
    }

    /// Ends the client after its close was acked, or after the timeout.
    pub(super) fn close_over(&mut self) {
        if let Some(close) = self.closing.clone() {
            self.finish(close.code, close.reason, ClosedBy::Local);
        }
    }

    /// Ends the client and reports the end once. The link gets a last ack and a Close frame.
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
            // In a session `x` carried the code; on a plain link this is the reply to the Close frame, or the code itself.
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
