//! Pass-through of a client that does not support the session protocol. Frames are forwarded unchanged; only their
//! boundaries are tracked, for heartbeats, limits and an orderly close.
//!
//! The future is written by hand, so its state is small and holds no buffer while the connection is idle.

mod pipe;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use undrop_frame::{CloseCode, FrameError, Limits, OpCode, Role};
use undrop_server::{Command, close_frame, control, masked_close_frame, retire};
use undrop_transport::{Alarm, Ending, Stream};

use crate::process::RelayEntry;
use pipe::{Nonce, PipeStep, RelayPipe};

/// The time for the backend to reply to a Close frame that the gateway sent on behalf of the client.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// The options of a relay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelayOptions {
    /// The idle time after which the client gets a Ping; after twice this time without a reply, the connection is closed.
    /// Zero disables the heartbeat.
    pub(crate) heartbeat: Duration,
    pub(crate) limits: Limits,
    /// Client and backend negotiated a compression extension.
    pub(crate) compressed: bool,
}

/// One pass-through connection. It resolves when both sides are closed.
pub(crate) struct Relay {
    /// The two connections; `None` after the end.
    sides: Option<Sides>,
    /// The direction from the client to the backend.
    up: RelayPipe,
    /// The direction from the backend to the client.
    down: RelayPipe,
    heartbeat: Duration,
    alarm: Alarm,
    /// Data arrived from the client since the timer last fired.
    client_active: bool,
    /// The number of times that the timer fired since a Ping without a reply: 0 or 1.
    unanswered_ping: Option<u8>,
    /// The payload of the gateway's Pings; `None` before the first one.
    nonce: Option<Nonce>,
    phase: RelayPhase,
    entry: RelayEntry,
    waker: Option<std::task::Waker>,
    peer: SocketAddr,
}

struct Sides {
    client: Stream,
    backend: Stream,
}

#[derive(Debug)]
enum RelayPhase {
    Open,
    /// The backend got a Close frame on behalf of the client. Its reply is awaited until the timer fires.
    Closing {
        code: CloseCode,
        reason: String,
    },
    Over,
}

impl Relay {
    /// Returns a relay between two connections, each with the bytes that were read after its handshake.
    pub(crate) fn new(
        client: (Stream, Vec<u8>),
        backend: (Stream, Vec<u8>),
        peer: SocketAddr,
        options: RelayOptions,
        entry: RelayEntry,
    ) -> Relay {
        let mut relay = Relay {
            sides: Some(Sides { client: client.0, backend: backend.0 }),
            up: RelayPipe::new(Role::Server, options),
            down: RelayPipe::new(Role::Client, options),
            heartbeat: options.heartbeat,
            alarm: Alarm::new(),
            client_active: true,
            unanswered_ping: None,
            nonce: None,
            phase: RelayPhase::Open,
            entry,
            waker: None,
            peer,
        };
        if !relay.heartbeat.is_zero() {
            relay.alarm.set(Instant::now() + relay.heartbeat / 2);
        }
        if let Err(error) = relay.down.preload(backend.1) {
            relay.backend_violation(error);
        }
        if let Err(error) = relay.up.preload(client.1) {
            relay.client_violation(error);
        }
        relay
    }

    /// Returns `true` when the timer fired.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let mut fired = false;
        while self.alarm.poll(cx).is_ready() {
            fired = true;
            if let RelayPhase::Closing { code, reason } = &self.phase {
                let (code, reason) = (*code, reason.clone());
                self.end(Some((code, reason)));
                break;
            }
            // The timer fires twice per heartbeat, so a client gets its Ping before it was idle for a whole heartbeat.
            self.alarm.set(Instant::now() + self.heartbeat / 2);
            if std::mem::take(&mut self.client_active) {
                self.unanswered_ping = None;
            } else if let Some(half @ 0) = &mut self.unanswered_ping {
                // Half of the time for the reply has passed.
                *half = 1;
            } else if self.unanswered_ping.is_some() {
                tracing::info!(peer = %self.peer, ending = %Ending::BlackHole, "plain client lost: no reply to a Ping");
                self.end(None);
                break;
            } else if self.down.scanner.at_boundary()
                && self.down.pending.is_empty()
                && self.down.stashed == 0
            {
                self.unanswered_ping = Some(0);
                let nonce = self.nonce.get_or_insert_with(|| {
                    let mut nonce = *b"undrop.0000";
                    nonce[7..].copy_from_slice(&fastrand::u32(..).to_be_bytes());
                    nonce
                });
                self.down.queue(&control(OpCode::Ping, nonce, None));
            }
        }
        fired
    }

    fn poll_mailbox(&mut self, cx: &Context<'_>) {
        self.entry.mailbox.register(cx, &mut self.waker);
        for command in self.entry.mailbox.take() {
            match command {
                Command::Close { code, reason } => self.close(code, reason),
                // These commands are for sessions.
                Command::Link(_) | Command::Drain(_) | Command::Evict => {}
            }
        }
    }

    /// Closes both sides: the backend gets a Close frame, and what it sends before its reply is still forwarded to the
    /// client. The client then gets this code, whatever the reply says.
    fn close(&mut self, code: CloseCode, reason: String) {
        if !matches!(self.phase, RelayPhase::Open) {
            return;
        }
        // If one side has already sent a Close frame, the reply of the other is forwarded as usual.
        if !self.up.closed && !self.down.closed {
            self.up.done = true;
            self.down.hold_close = true;
            let mut key = [0; 4];
            if !self.up.scanner.at_boundary() || getrandom::fill(&mut key).is_err() {
                // A Close frame cannot be inserted into the middle of a frame to the backend.
                return self.end(Some((code, reason)));
            }
            self.up.queue(&masked_close_frame(Some(code), &reason, key));
        }
        self.phase = RelayPhase::Closing { code, reason };
        self.alarm.set(Instant::now() + CLOSE_DEADLINE);
    }

    fn client_violation(&mut self, error: FrameError) {
        tracing::warn!(peer = %self.peer, cause = %error, code = error.close_code().get(), "the client violated RFC 6455");
        self.close(error.close_code(), error.to_string());
    }

    fn backend_violation(&mut self, error: FrameError) {
        tracing::warn!(peer = %self.peer, cause = %error, "the backend violated RFC 6455");
        self.end(Some((CloseCode::BAD_GATEWAY, format!("the backend violated RFC 6455: {error}"))));
    }

    /// Ends the relay. A client that has not received a Close frame gets this one, unless it is in the middle of a frame.
    fn end(&mut self, close: Option<(CloseCode, String)>) {
        self.phase = RelayPhase::Over;
        if let Some((code, reason)) = close
            && !self.down.closed
            && self.down.scanner.at_boundary()
        {
            self.down.queue(&close_frame(Some(code), &reason));
        }
    }

    fn step_up(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(Sides { client, backend }) = &mut self.sides else { return false };
        match self.up.poll(cx, client, backend, self.nonce.as_ref()) {
            PipeStep::Moved => {
                self.client_active = true;
                true
            }
            PipeStep::Waiting => false,
            PipeStep::SourceEnded(ending) => {
                if !self.up.closed && !self.down.closed {
                    tracing::info!(peer = %self.peer, %ending, browser = ending.browser_view().get(), "plain client lost");
                }
                self.end(None);
                true
            }
            PipeStep::SinkEnded(ending) => self.backend_lost(&ending),
            PipeStep::Violation(error) => {
                self.client_violation(error);
                true
            }
        }
    }

    fn step_down(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(Sides { client, backend }) = &mut self.sides else { return false };
        match self.down.poll(cx, backend, client, None) {
            // This was the backend's reply to the Close frame of the gateway.
            PipeStep::Moved if self.down.done => self.backend_lost(&Ending::Fin),
            PipeStep::Moved => true,
            PipeStep::Waiting => false,
            PipeStep::SourceEnded(ending) => self.backend_lost(&ending),
            PipeStep::SinkEnded(ending) => {
                tracing::info!(peer = %self.peer, %ending, browser = ending.browser_view().get(), "plain client lost");
                self.end(None);
                true
            }
            PipeStep::Violation(error) => {
                self.backend_violation(error);
                true
            }
        }
    }

    fn backend_lost(&mut self, ending: &Ending) -> bool {
        if let RelayPhase::Closing { code, reason } = &self.phase {
            let (code, reason) = (*code, reason.clone());
            self.end(Some((code, reason)));
        } else {
            if !self.down.closed {
                tracing::warn!(peer = %self.peer, %ending, "backend connection lost");
            }
            self.end(Some((CloseCode::BAD_GATEWAY, format!("backend connection lost: {ending}"))));
        }
        true
    }
}

impl Future for Relay {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let relay = self.get_mut();
        relay.poll_mailbox(cx);
        relay.poll_timer(cx);
        let (mut up, mut down) = (true, true);
        loop {
            if matches!(relay.phase, RelayPhase::Over) {
                if let Some(Sides { client, backend }) = relay.sides.take() {
                    tokio::spawn(retire(client, relay.down.take_pending()));
                    // Closing the socket while the backend still sends would cause a RST, which may destroy the last
                    // messages of the client.
                    tokio::spawn(retire(backend, relay.up.take_pending()));
                }
                return Poll::Ready(());
            }
            // A direction that is pending wakes the task. It is polled again only if the phase changed in between.
            up = up && relay.step_up(cx);
            down = down && relay.step_down(cx);
            if !matches!(relay.phase, RelayPhase::Open) && (up || down) {
                (up, down) = (true, true);
            }
            if !up && !down {
                // The deadline may have changed.
                if relay.poll_timer(cx) {
                    (up, down) = (true, true);
                    continue;
                }
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests;
