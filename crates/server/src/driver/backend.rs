//! The backend's side of a session's task: reading, writing and ending its connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use undrop_frame::{CloseCode, OpCode};
use undrop_session::Gateway;
use undrop_transport::{Ending, Stream, ending_of, scratch};

use super::{Driver, Phase};
use crate::closing::{control, masked_close_frame, retire};
use crate::from_backend;

impl Driver {
    /// True when something moved.
    pub(super) fn poll_backend_write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.to_backend.is_empty() {
            return self.backend_unflushed && self.poll_backend_flush(cx, now);
        }
        let Some(backend) = &mut self.backend else {
            (self.to_backend, self.written) = (Vec::new(), 0);
            return false;
        };
        match write_all(cx, backend, &self.to_backend, &mut self.written) {
            Poll::Pending => {
                // A client that sends as fast as the backend takes must not make this grow.
                if self.written > self.to_backend.len() / 2 {
                    self.to_backend.drain(..self.written);
                    self.written = 0;
                }
                false
            }
            Poll::Ready(Ok(())) => {
                (self.to_backend, self.written) = (Vec::new(), 0);
                self.backend_unflushed = false;
                let units = std::mem::take(&mut self.waiting_units);
                self.machine.taken(now, units);
                true
            }
            Poll::Ready(Err(error)) => {
                self.backend_lost(&ending_of(&error), now);
                true
            }
        }
    }

    /// True when something moved.
    fn poll_backend_flush(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some(backend) = &mut self.backend else { return false };
        match Pin::new(backend).poll_flush(cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => {
                self.backend_unflushed = false;
                true
            }
            Poll::Ready(Err(error)) => {
                self.backend_lost(&ending_of(&error), now);
                true
            }
        }
    }

    /// More waits for the backend than a client may have un-acked. A client that keeps to its window never gets there:
    /// then its acks are never stuck behind a backend that waits for them. A single message may be larger than any
    /// window, and nothing but acks comes behind it.
    pub(super) fn is_backend_behind(&self) -> bool {
        let waiting = self.to_backend.len() - self.written;
        waiting > self.shared.options.machine.client_window && self.waiting_units > 1
    }

    pub(super) fn poll_backend_read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        if self.phase == Phase::BackendClosed {
            return false;
        }
        // What is discarded needs no room.
        let room = if self.phase == Phase::ClientClosed { usize::MAX } else { self.machine.room() };
        if room == 0 {
            return false;
        }
        scratch::with(|buffer| {
            let Some(backend) = &mut self.backend else { return false };
            let stashed = self.from_backend.stash().len();
            buffer[..stashed].copy_from_slice(self.from_backend.stash());
            // A read may go over what is left by a little, never by a whole buffer.
            let end = buffer.len().min(stashed.saturating_add(room.max(4096)));
            let mut read = ReadBuf::new(&mut buffer[stashed..end]);
            match Pin::new(backend).poll_read(cx, &mut read) {
                Poll::Pending => {
                    self.backend_asleep = true;
                    return false;
                }
                Poll::Ready(Err(error)) => self.backend_lost(&ending_of(&error), now),
                Poll::Ready(Ok(())) if read.filled().is_empty() => self.backend_lost(&Ending::Fin, now),
                Poll::Ready(Ok(())) => {
                    let got = read.filled().len();
                    self.take_from_backend(&buffer[..stashed + got], now);
                }
            }
            true
        })
    }

    pub(super) fn take_from_backend(&mut self, bytes: &[u8], now: Instant) {
        let mut sink = BackendSink {
            machine: &mut self.machine,
            now,
            discard: !matches!(self.phase, Phase::Open | Phase::ClientRefused(_)),
            units: 0,
            pings: Vec::new(),
            closed: None,
        };
        let result = self.from_backend.take(bytes, &mut sink);
        let BackendSink { units, pings, closed, .. } = sink;
        for payload in pings {
            self.queue_control(OpCode::Pong, &payload);
        }
        match (result, closed) {
            (Err(fault), _) => {
                tracing::warn!(sid = %self.entry.sid, cause = %fault, "backend broke RFC 6455");
                self.end_backend(Some(fault.close_code()), &fault.to_string());
                self.backend_closed(CloseCode::BAD_GATEWAY, &format!("backend broke RFC 6455: {fault}"), now);
            }
            (Ok(_), Some((code, reason))) => {
                tracing::debug!(sid = %self.entry.sid, code = code.map(CloseCode::get), "backend closed");
                self.end_backend(code, "");
                self.backend_closed(code.unwrap_or(CloseCode::NO_STATUS), &reason, now);
            }
            (Ok(_), None) => {
                if self.link.is_none() && units > 0 {
                    self.note_parked();
                }
            }
        }
    }

    /// Sends the backend its Close frame behind what is still unwritten, and lets go of it.
    pub(super) fn end_backend(&mut self, code: Option<CloseCode>, reason: &str) {
        let Some(backend) = self.backend.take() else { return };
        let mut last = self.to_backend.split_off(self.written);
        (self.to_backend, self.written, self.waiting_units) = (Vec::new(), 0, 0);
        self.backend_unflushed = false;
        let mut key = [0; 4];
        if getrandom::fill(&mut key).is_ok() {
            last.extend(masked_close_frame(code, reason, key));
        }
        tokio::spawn(retire(backend, last));
    }

    pub(super) fn backend_lost(&mut self, ending: &Ending, now: Instant) {
        self.backend = None;
        (self.to_backend, self.written, self.waiting_units) = (Vec::new(), 0, 0);
        self.backend_unflushed = false;
        if self.phase == Phase::Open {
            tracing::warn!(sid = %self.entry.sid, %ending, "backend connection lost");
        }
        self.backend_closed(CloseCode::BAD_GATEWAY, &format!("backend connection lost: {ending}"), now);
    }

    /// The backend's side is over: the client learns it behind everything that the backend sent before.
    pub(super) fn backend_closed(&mut self, code: CloseCode, reason: &str, now: Instant) {
        match self.phase {
            Phase::Open => {
                self.machine.close(now, code, reason);
                self.phase = Phase::BackendClosed;
            }
            Phase::ClientRefused(code) => {
                self.machine.close(now, code, "a message of the client was refused");
                self.phase = Phase::BackendClosed;
            }
            Phase::ClientClosed => self.phase = Phase::Over,
            Phase::BackendClosed | Phase::Over => {}
        }
    }

    pub(super) fn queue_control(&mut self, opcode: OpCode, payload: &[u8]) {
        let mut key = [0; 4];
        // A backend that does not read gets no further answers: this buffer is bounded like the rest.
        if self.to_backend.len() <= self.shared.options.machine.client_window
            && getrandom::fill(&mut key).is_ok()
        {
            self.to_backend.extend(control(opcode, payload, Some(key)));
        }
    }
}

/// Writes from `*at` on; Ready when all is written and flushed.
fn write_all(
    cx: &mut Context<'_>,
    stream: &mut Stream,
    bytes: &[u8],
    at: &mut usize,
) -> Poll<io::Result<()>> {
    while *at < bytes.len() {
        match Pin::new(&mut *stream).poll_write(cx, &bytes[*at..])? {
            Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            Poll::Ready(n) => *at += n,
            Poll::Pending => return Poll::Pending,
        }
    }
    Pin::new(stream).poll_flush(cx)
}

struct BackendSink<'a> {
    machine: &'a mut Gateway,
    now: Instant,
    /// The client closed the session: nobody wants what the backend still says.
    discard: bool,
    units: u64,
    pings: Vec<Vec<u8>>,
    closed: Option<(Option<CloseCode>, String)>,
}

impl from_backend::Sink for BackendSink<'_> {
    fn append(&mut self, bytes: &[u8]) {
        if !self.discard {
            self.machine.append(bytes);
        }
    }

    fn end_unit(&mut self) {
        if !self.discard {
            self.machine.end_unit(self.now);
            self.units += 1;
        }
    }

    fn ping(&mut self, payload: &[u8]) {
        self.pings.push(payload.to_vec());
    }

    fn pong(&mut self) {}

    fn close(&mut self, code: Option<CloseCode>, reason: &str) {
        self.closed = Some((code, reason.to_owned()));
    }
}
