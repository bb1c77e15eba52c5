//! Connection attempts: when one is made, and how it ends.

use std::time::{Duration, Instant};

use undrop_frame::{CloseCode, Retry};

use super::{
    Client, ClientEvent, ClientState, ClientTimer, ClosedBy, CurrentLink, GapReason, LinkEnd, SessionMode,
};
use crate::hello::Hello;
use crate::packet::BackendIdentity;

/// The maximum number of attempts at a time.
const MAX_ATTEMPTS: usize = 2;
/// The age from which a link resets the backoff, even if it carried no unit.
const STABLE: Duration = Duration::from_secs(1);
/// The age from which an attempt may be overtaken by another one.
const YOUNG: Duration = Duration::from_millis(1500);

/// A connection attempt that the driver has to make now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The number of the attempt, and of the link that results from it.
    pub n: u64,
    /// The hello to offer; `None`: request no session.
    pub hello: Option<Hello>,
}

/// The mode of a link, by the server's response to the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkMode {
    /// The server speaks the session protocol; `S`, `R` or `L` follows.
    Session,
    /// The server does not speak the session protocol.
    Plain,
}

#[derive(Debug, Clone)]
pub(super) struct PendingAttempt {
    pub(super) n: u64,
    pub(super) resume: bool,
    pub(super) up: bool,
    /// The gateway sent `m`: a newer attempt was seen.
    pub(super) moved: bool,
    /// The number of consumed units that the hello stated.
    pub(super) rx: u64,
    /// The generation of the session that the hello was about.
    pub(super) generation: u64,
    started: Instant,
    pub(super) deadline: Instant,
}

impl Client {
    /// Returns an attempt that has to be made now. Attempts may overlap; report the end of each with [`handle_link_down`](Self::handle_link_down).
    pub fn poll_connect(&mut self, now: Instant) -> Option<Attempt> {
        self.tick(now);
        if !self.due
            || !self.online
            || self.state == ClientState::Closed
            || self.attempts.len() >= MAX_ATTEMPTS
        {
            return None;
        }
        self.due = false;
        self.timers.stop(ClientTimer::Connect);
        self.last_n += 1;
        let n = self.last_n;
        let hello = match (&self.session, self.config.session) {
            (_, SessionMode::Off) => None,
            (None, _) => Some(Hello::First { cid: self.cid.clone(), n }),
            (Some(session), _) => {
                Some(Hello::resume(&session.sid, &session.key, n, self.delivery.statement()))
            }
        };
        let resume = self.session.is_some();
        let deadline = now + self.config.connect_timeout;
        let rx = self.delivery.statement();
        let generation = self.generation;
        self.attempts.push(PendingAttempt {
            n,
            resume,
            up: false,
            moved: false,
            rx,
            generation,
            started: now,
            deadline,
        });
        self.watch_attempts();
        self.events.push_back(ClientEvent::Connecting { n, tries: self.tries });
        Some(Attempt { n, hello })
    }

    /// Reports that the handshake of attempt `n` succeeded.
    pub fn handle_link_up(&mut self, now: Instant, n: u64, mode: LinkMode) {
        self.tick(now);
        let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.n == n) else {
            self.close_link(n, CloseCode::NORMAL);
            return;
        };
        attempt.up = true;
        if mode == LinkMode::Plain {
            if self.config.session == SessionMode::Require {
                self.attempts.retain(|attempt| attempt.n != n);
                self.close_link(n, CloseCode::PROTOCOL_ERROR);
                let reason = "the server does not speak the session protocol".to_owned();
                self.finish(CloseCode::ABNORMAL, reason, ClosedBy::Incompatible);
                return;
            }
            self.adopt_plain(n);
        }
    }

    /// Reports that the link of attempt `n`, or the attempt itself, ended. Unknown numbers are ignored: the machine had given
    /// them up.
    pub fn handle_link_down(&mut self, now: Instant, n: u64, end: LinkEnd) {
        self.tick(now);
        if self.state == ClientState::Closed {
            return;
        }
        if let Some(at) = self.attempts.iter().position(|attempt| attempt.n == n) {
            let attempt = self.attempts.remove(at);
            self.watch_attempts();
            self.attempt_failed(attempt, Some(end));
        } else if self.link() == Some(n) {
            self.link_lost(Some(end));
        }
    }

    /// Checks the connection now, because the network changed, the page became visible, or the machine resumed from sleep.
    /// Probes the link, or cuts the backoff short if there is none.
    pub fn wake(&mut self, now: Instant) {
        self.tick(now);
        self.online = true;
        if self.state == ClientState::Closed {
            return;
        }
        if self.link.is_some() {
            self.ask();
            return;
        }
        let fresh =
            self.attempts.iter().any(|attempt| now.saturating_duration_since(attempt.started) < YOUNG);
        self.due |= !fresh && self.attempts.len() < MAX_ATTEMPTS;
    }

    /// Suspends attempts until [`wake`](Self::wake), because there is no network. An existing link is kept.
    pub fn offline(&mut self, now: Instant) {
        self.tick(now);
        self.online = false;
    }

    pub(super) fn attempt_timed_out(&mut self) {
        while let Some(at) = self.attempts.iter().position(|attempt| attempt.deadline <= self.now) {
            let attempt = self.attempts.remove(at);
            self.close_link(attempt.n, CloseCode::GOING_AWAY);
            self.attempt_failed(attempt, None);
        }
        self.watch_attempts();
    }

    fn attempt_failed(&mut self, attempt: PendingAttempt, end: Option<LinkEnd>) {
        let hint = end.as_ref().and_then(LinkEnd::hint);
        let newest = attempt.n == self.last_n;
        let current = attempt.resume && attempt.generation == self.generation;
        if attempt.moved && newest && current && self.link.is_none() {
            // This is the newest attempt of this client, so another client uses the session.
            self.start_over(GapReason::Superseded, 0, None);
        }
        let refused = end.as_ref().and_then(|end| final_refusal(end, attempt.up && !attempt.moved));
        if !attempt.moved {
            self.events.push_back(ClientEvent::Failed { n: attempt.n, end });
            self.tries = self.tries.saturating_add(1);
        }
        match refused {
            Some((code, reason)) if self.link.is_none() => self.finish(code, reason, ClosedBy::Refused),
            _ => self.schedule(hint),
        }
    }

    /// Handles the loss of the link; `None`: the client gave it up.
    pub(super) fn link_lost(&mut self, end: Option<LinkEnd>) {
        let Some(link) = self.link.take() else { return };
        self.state = ClientState::Resuming;
        self.unlink();
        let stable = self.now.saturating_duration_since(link.since) >= STABLE;
        self.tries = if stable || link.useful { 0 } else { self.tries.saturating_add(1) };
        let hint = end.as_ref().and_then(LinkEnd::hint);
        let close = end.as_ref().and_then(|end| end.close.clone());
        self.events.push_back(ClientEvent::Lost { n: link.n, end });
        if link.mode == LinkMode::Plain {
            let (code, reason) = close.unwrap_or((CloseCode::ABNORMAL, String::new()));
            if self.closing.is_some() {
                self.finish(code, reason, ClosedBy::Local);
                return;
            }
            if code.retry() == Retry::Final {
                let by = if code == CloseCode::NORMAL { ClosedBy::Peer } else { ClosedBy::Refused };
                self.finish(code, reason, by);
                return;
            }
        }
        self.schedule(hint);
    }

    /// Schedules the next attempt, unless one is in flight or none is needed.
    pub(super) fn schedule(&mut self, hint: Option<Duration>) {
        let wanted = self.link.is_none() || self.moving;
        if !wanted || !self.attempts.is_empty() || self.due || self.state == ClientState::Closed {
            return;
        }
        let random = self.random();
        let Some(drawn) = self.config.backoff.delay(self.tries, random) else {
            if self.link.is_none() {
                let reason = format!("gave up after {} tries", self.tries);
                self.finish(CloseCode::ABNORMAL, reason, ClosedBy::GaveUp);
            }
            return;
        };
        // A hint is the minimum; the random part on top spreads a crowd of clients.
        let after = hint.map_or(drawn, |hint| hint + drawn.min(hint / 4 + Duration::from_millis(100)));
        self.timers.set(ClientTimer::Connect, self.now + after);
        self.events.push_back(ClientEvent::Retry { after, tries: self.tries });
    }

    /// Requests a second link while the first one is up.
    pub(super) fn replace_link(&mut self) {
        self.moving = true;
        if self.attempts.is_empty() {
            self.due = true;
        }
    }

    pub(super) fn watch_attempts(&mut self) {
        match self.attempts.iter().map(|attempt| attempt.deadline).min() {
            Some(deadline) => self.timers.set(ClientTimer::Attempt, deadline),
            None => self.timers.stop(ClientTimer::Attempt),
        }
    }

    /// Makes the link of attempt `n` the current one, and ends older links and attempts.
    pub(super) fn adopt(&mut self, n: u64, mode: LinkMode) {
        if let Some(old) = self.link.take() {
            self.close_link(old.n, CloseCode::NORMAL);
        }
        self.unlink();
        let older: Vec<u64> = self.attempts.iter().map(|attempt| attempt.n).filter(|m| *m < n).collect();
        for m in older {
            self.close_link(m, CloseCode::NORMAL);
        }
        self.attempts.retain(|attempt| attempt.n > n);
        self.watch_attempts();
        self.timers.stop(ClientTimer::Connect);
        self.timers.stop(ClientTimer::Slot);
        self.due = false;
        self.moving = false;
        self.state = ClientState::Open;
        self.link = Some(CurrentLink { n, mode, since: self.now, useful: false });
        let allowance = match (mode, &self.session) {
            // Without heartbeats silence is not evidence.
            (LinkMode::Session, Some(session)) if !session.heartbeat.is_zero() => {
                Some(session.heartbeat + self.config.grace)
            }
            _ => None,
        };
        if let Some(at) = self.watchdog.start(self.now, allowance) {
            self.timers.set(ClientTimer::Watchdog, at);
        }
        self.outbox.unlink();
    }

    fn adopt_plain(&mut self, n: u64) {
        let seamless = self.link.is_some();
        let first = self.state == ClientState::Opening;
        if self.session.take().is_some() {
            // The server spoke the protocol before, so it is unknown which unacked units arrived.
            self.generation += 1;
            self.inbox.uncount();
            let resent = self.outbox.renumber();
            self.events.push_back(ClientEvent::Gap { reason: GapReason::Plain, lost: None, resent });
        }
        // A server in plain mode remains in it, so no second link is needed.
        for attempt in std::mem::take(&mut self.attempts) {
            if attempt.n != n {
                self.close_link(attempt.n, CloseCode::NORMAL);
            }
        }
        self.adopt(n, LinkMode::Plain);
        if let Some(heartbeat) = &self.config.plain_heartbeat {
            self.timers.set(ClientTimer::Heartbeat, self.now + heartbeat.interval);
        }
        self.events.push_back(if first {
            ClientEvent::Open { n, session: false, protocol: None }
        } else {
            ClientEvent::Resumed { n, seamless, resent: 0, backend: BackendIdentity::New }
        });
    }

    pub(super) fn close_link(&mut self, n: u64, code: CloseCode) {
        self.control.retain(|(link, _)| *link != n);
        self.events.push_back(ClientEvent::CloseLink { n, code });
    }

    fn unlink(&mut self) {
        self.delivery.unlink();
        self.outbox.unlink();
        self.probe.forget();
        self.ack_due = false;
        self.asked = false;
        self.control.clear();
        for timer in
            [ClientTimer::Watchdog, ClientTimer::Probe, ClientTimer::Heartbeat, ClientTimer::HeartbeatReply]
        {
            self.timers.stop(timer);
        }
    }
}

/// Returns code and reason if another attempt would end the same way. `answered`: the handshake had succeeded.
fn final_refusal(end: &LinkEnd, answered: bool) -> Option<(CloseCode, String)> {
    if end.is_final() {
        let reason = match (end.status, &end.close) {
            (Some(status), _) => format!("the server answered {status}"),
            (None, Some((_, reason))) => reason.clone(),
            (None, None) => "no connection is possible".to_owned(),
        };
        return Some((CloseCode::ABNORMAL, reason));
    }
    let (code, reason) = end.close.as_ref()?;
    // A link that was closed before `S`, `R` or `L` was refused, unless the code is 1000.
    (answered && *code != CloseCode::NORMAL && code.retry() == Retry::Final).then(|| (*code, reason.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_refusals() {
        let status = |status| LinkEnd { status: Some(status), ..LinkEnd::default() };
        for code in [301, 400, 401, 403, 404] {
            assert!(final_refusal(&status(code), false).is_some(), "{code}");
        }
        for code in [408, 425, 429, 500, 502, 503, 504, 200] {
            assert!(final_refusal(&status(code), false).is_none(), "{code}");
        }
        let close =
            |code| LinkEnd { close: Some((CloseCode::new(code), String::new())), ..LinkEnd::default() };
        assert!(final_refusal(&close(1008), true).is_some());
        assert!(final_refusal(&close(4401), true).is_some());
        assert!(final_refusal(&close(1013), true).is_none());
        assert!(final_refusal(&close(1000), true).is_none());
    }
}
