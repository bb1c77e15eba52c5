//! Pass-through: a client that does not speak the session protocol, and its backend. Payload bytes go on as they
//! came; only the frame boundaries are tracked, for heartbeats, limits and clean endings.
//!
//! The future is polled by hand: it holds no buffer while idle, and what it holds at all is small.

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

use crate::process::Seat;
use pipe::{Nonce, Pipe, Step};

/// How long the backend has to answer the Close that we sent for the client's protocol error.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// What the relay must know besides its two sockets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelayOptions {
    /// Silence of the client after which it gets a Ping; after twice that it is gone. Zero: no heartbeat.
    pub(crate) heartbeat: Duration,
    pub(crate) limits: Limits,
    /// A compression extension was negotiated between client and backend.
    pub(crate) compressed: bool,
}

/// One pass-through connection. Ends when both sides are closed.
pub(crate) struct Relay {
    /// None once the relay is over.
    sides: Option<Sides>,
    /// Client → backend.
    up: Pipe,
    /// Backend → client.
    down: Pipe,
    heartbeat: Duration,
    alarm: Alarm,
    /// The client was heard since the timer last fired.
    heard: bool,
    /// Firings of the timer since a Ping that has no answer yet: 0 or 1.
    pinged: Option<u8>,
    /// What our Pings carry; None before the first.
    nonce: Option<Nonce>,
    phase: Phase,
    seat: Seat,
    waker: Option<std::task::Waker>,
    peer: SocketAddr,
}

struct Sides {
    client: Stream,
    backend: Stream,
}

#[derive(Debug)]
enum Phase {
    Open,
    /// The backend was told to close on the client's behalf; its answer is awaited until the timer fires.
    Closing {
        code: CloseCode,
        reason: String,
    },
    Over,
}

impl Relay {
    /// Each side comes with the bytes that were read behind its handshake.
    pub(crate) fn new(
        client: (Stream, Vec<u8>),
        backend: (Stream, Vec<u8>),
        peer: SocketAddr,
        options: RelayOptions,
        seat: Seat,
    ) -> Relay {
        let mut relay = Relay {
            sides: Some(Sides { client: client.0, backend: backend.0 }),
            up: Pipe::new(Role::Server, options),
            down: Pipe::new(Role::Client, options),
            heartbeat: options.heartbeat,
            alarm: Alarm::new(),
            heard: true,
            pinged: None,
            nonce: None,
            phase: Phase::Open,
            seat,
            waker: None,
            peer,
        };
        if !relay.heartbeat.is_zero() {
            relay.alarm.set(Instant::now() + relay.heartbeat / 2);
        }
        if let Err(error) = relay.down.preload(backend.1) {
            relay.backend_broke(error);
        }
        if let Err(error) = relay.up.preload(client.1) {
            relay.client_broke(error);
        }
        relay
    }

    /// Returns `true` when the timer fired.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        let mut fired = false;
        while self.alarm.poll(cx).is_ready() {
            fired = true;
            if let Phase::Closing { code, reason } = &self.phase {
                let (code, reason) = (*code, reason.clone());
                self.end(Some((code, reason)));
                break;
            }
            // Twice per heartbeat: a client is then pinged before it has been quiet for a whole one.
            self.alarm.set(Instant::now() + self.heartbeat / 2);
            if std::mem::take(&mut self.heard) {
                self.pinged = None;
            } else if let Some(half @ 0) = &mut self.pinged {
                // Half of the time for its answer is over.
                *half = 1;
            } else if self.pinged.is_some() {
                tracing::info!(peer = %self.peer, ending = %Ending::BlackHole, "plain client lost: no answer to a Ping");
                self.end(None);
                break;
            } else if self.down.scanner.at_boundary()
                && self.down.pending.is_empty()
                && self.down.stashed == 0
            {
                self.pinged = Some(0);
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
        self.seat.mailbox.register(cx, &mut self.waker);
        for command in self.seat.mailbox.take() {
            match command {
                Command::Close { code, reason } => self.close(code, reason),
                // Sessions only.
                Command::Link(_) | Command::Drain(_) | Command::Evict => {}
            }
        }
    }

    /// Closes both sides from here: the backend gets a Close frame, and what it sent before its answer still goes to
    /// the client; then the client gets this code, whatever the answer says.
    fn close(&mut self, code: CloseCode, reason: String) {
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        // Where one side has closed already, the other's answer is on its way and tells what is to be told.
        if !self.up.closed && !self.down.closed {
            self.up.done = true;
            self.down.hold_close = true;
            let mut key = [0; 4];
            if !self.up.scanner.at_boundary() || getrandom::fill(&mut key).is_err() {
                // The backend is in the middle of a frame: it cannot be told.
                return self.end(Some((code, reason)));
            }
            self.up.queue(&masked_close_frame(Some(code), &reason, key));
        }
        self.phase = Phase::Closing { code, reason };
        self.alarm.set(Instant::now() + CLOSE_DEADLINE);
    }

    fn client_broke(&mut self, error: FrameError) {
        tracing::warn!(peer = %self.peer, cause = %error, code = error.close_code().get(), "client broke RFC 6455");
        self.close(error.close_code(), error.to_string());
    }

    fn backend_broke(&mut self, error: FrameError) {
        tracing::warn!(peer = %self.peer, cause = %error, "backend broke RFC 6455");
        self.end(Some((CloseCode::BAD_GATEWAY, format!("backend broke RFC 6455: {error}"))));
    }

    /// Ends the relay. A client that has not seen a Close frame gets this one, where the stream allows it.
    fn end(&mut self, close: Option<(CloseCode, String)>) {
        self.phase = Phase::Over;
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
            Step::Moved => {
                self.heard = true;
                true
            }
            Step::Waiting => false,
            Step::SourceEnded(ending) => {
                if !self.up.closed && !self.down.closed {
                    tracing::info!(peer = %self.peer, %ending, browser = ending.browser_view().get(), "plain client lost");
                }
                self.end(None);
                true
            }
            Step::SinkEnded(ending) => self.backend_lost(&ending),
            Step::Violation(error) => {
                self.client_broke(error);
                true
            }
        }
    }

    fn step_down(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(Sides { client, backend }) = &mut self.sides else { return false };
        match self.down.poll(cx, backend, client, None) {
            // The backend's answer to our Close.
            Step::Moved if self.down.done => self.backend_lost(&Ending::Fin),
            Step::Moved => true,
            Step::Waiting => false,
            Step::SourceEnded(ending) => self.backend_lost(&ending),
            Step::SinkEnded(ending) => {
                tracing::info!(peer = %self.peer, %ending, browser = ending.browser_view().get(), "plain client lost");
                self.end(None);
                true
            }
            Step::Violation(error) => {
                self.backend_broke(error);
                true
            }
        }
    }

    fn backend_lost(&mut self, ending: &Ending) -> bool {
        if let Phase::Closing { code, reason } = &self.phase {
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
            if matches!(relay.phase, Phase::Over) {
                if let Some(Sides { client, backend }) = relay.sides.take() {
                    tokio::spawn(retire(client, relay.down.take_pending()));
                    // A bare drop would send a RST over what the backend still says, and with it destroy what the
                    // client said last.
                    tokio::spawn(retire(backend, relay.up.take_pending()));
                }
                return Poll::Ready(());
            }
            // A direction that had to wait will wake us: it is asked again only when something else than data happened.
            up = up && relay.step_up(cx);
            down = down && relay.step_down(cx);
            if !matches!(relay.phase, Phase::Open) && (up || down) {
                (up, down) = (true, true);
            }
            if !up && !down {
                // The deadline may be new.
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
