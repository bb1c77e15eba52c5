//! The backend's side of a session's task: reading, writing and ending its connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use undrop_frame::{CloseCode, FrameError, OpCode};
use undrop_transport::{Ending, Stream, ending_of, scratch};

use super::{Driver, DriverPhase};
use crate::closing::{control, masked_close_frame, retire};
use crate::from_backend::BackendPiece;

impl Driver {
    /// Writes waiting output; returns whether anything was written.
    pub(super) fn poll_backend_write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let backend = &mut self.backend;
        if backend.out.is_empty() {
            return backend.unflushed && self.poll_backend_flush(cx);
        }
        let Some(stream) = &mut backend.stream else {
            (backend.out, backend.written) = (Vec::new(), 0);
            return false;
        };
        match write_all(cx, stream, &backend.out, &mut backend.written) {
            Poll::Pending => {
                // A client that sends as fast as the backend reads must not make this grow.
                if backend.written > backend.out.len() / 2 {
                    backend.out.drain(..backend.written);
                    backend.written = 0;
                }
                false
            }
            Poll::Ready(Ok(())) => {
                let units = backend.units;
                backend.clear_output();
                self.machine.handle_consumed(now, units);
                true
            }
            Poll::Ready(Err(error)) => {
                self.backend_lost(&ending_of(&error));
                true
            }
        }
    }

    /// Flushes the stream; returns whether that is complete now.
    fn poll_backend_flush(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(stream) = &mut self.backend.stream else { return false };
        match Pin::new(stream).poll_flush(cx) {
            Poll::Pending => false,
            Poll::Ready(Ok(())) => {
                self.backend.unflushed = false;
                true
            }
            Poll::Ready(Err(error)) => {
                self.backend_lost(&ending_of(&error));
                true
            }
        }
    }

    /// Returns whether more bytes wait for the backend than a client may have unacked. A client that respects its window
    /// never causes this, so its acks are never stuck behind a backend that waits for them. A single message may be larger
    /// than any window; only acks follow it.
    pub(super) fn is_backend_behind(&self) -> bool {
        self.backend.waiting() > self.node.options.machine.client_window && self.backend.units > 1
    }

    pub(super) fn poll_backend_read(&mut self, cx: &mut Context<'_>) -> bool {
        if self.phase == DriverPhase::BackendClosed {
            return false;
        }
        // Discarded data needs no room.
        let room = if self.phase == DriverPhase::ClientClosed { usize::MAX } else { self.machine.room() };
        if room == 0 {
            return false;
        }
        scratch::with(|buffer| {
            let Some(stream) = &mut self.backend.stream else { return false };
            let stash = self.backend.parser.stash();
            let stashed = stash.len();
            buffer[..stashed].copy_from_slice(stash);
            // A read may exceed the remaining room a little, but not by a whole buffer.
            let end = buffer.len().min(stashed.saturating_add(room.max(4096)));
            let mut read = ReadBuf::new(&mut buffer[stashed..end]);
            match Pin::new(stream).poll_read(cx, &mut read) {
                Poll::Pending => {
                    self.backend.asleep = true;
                    return false;
                }
                Poll::Ready(Err(error)) => self.backend_lost(&ending_of(&error)),
                Poll::Ready(Ok(())) if read.filled().is_empty() => self.backend_lost(&Ending::Fin),
                Poll::Ready(Ok(())) => {
                    let got = read.filled().len();
                    self.take_from_backend(&buffer[..stashed + got]);
                }
            }
            true
        })
    }

    pub(super) fn take_from_backend(&mut self, bytes: &[u8]) {
        let mut units = 0;
        match self.take_backend_pieces(bytes, &mut units) {
            Ok(None) => {
                if self.link.is_none() && units > 0 {
                    self.update_detached();
                }
            }
            Ok(Some((code, reason))) => {
                tracing::debug!(sid = %self.entry.sid, code = code.map(CloseCode::get), "backend closed");
                self.end_backend(code, "");
                self.backend_closed(code.unwrap_or(CloseCode::NO_STATUS), &reason);
            }
            Err(fault) => {
                tracing::warn!(sid = %self.entry.sid, cause = %fault, "backend broke RFC 6455");
                self.end_backend(Some(fault.close_code()), &fault.to_string());
                self.backend_closed(CloseCode::BAD_GATEWAY, &format!("backend broke RFC 6455: {fault}"));
            }
        }
    }

    /// Passes everything in `bytes` to the machine, and counts the complete units. Returns code and reason of a Close frame.
    fn take_backend_pieces(
        &mut self,
        mut bytes: &[u8],
        units: &mut u64,
    ) -> Result<Option<(Option<CloseCode>, String)>, FrameError> {
        // After the client closed the session, nothing that the backend still sends has a receiver.
        let discard = !matches!(self.phase, DriverPhase::Open | DriverPhase::ClientRefused(_));
        while let Some(piece) = self.backend.parser.next(&mut bytes)? {
            let (bytes, ends_unit) = match &piece {
                BackendPiece::Unit(unit) => (*unit, true),
                BackendPiece::Head { head, ends_unit } => (head.as_bytes(), *ends_unit),
                BackendPiece::Payload { bytes, ends_unit } => (*bytes, *ends_unit),
                BackendPiece::Ping(payload) => {
                    self.queue_backend_control(OpCode::Pong, payload);
                    continue;
                }
                BackendPiece::Pong => continue,
                BackendPiece::Close { code, reason } => return Ok(Some((*code, reason.clone()))),
            };
            if !discard {
                self.machine.append(bytes);
                if ends_unit {
                    self.machine.end_unit();
                    *units += 1;
                }
            }
        }
        Ok(None)
    }

    /// Sends the unwritten output and a Close frame to the backend, and drops the connection.
    pub(super) fn end_backend(&mut self, code: Option<CloseCode>, reason: &str) {
        let Some(stream) = self.backend.stream.take() else { return };
        let mut last = self.backend.out.split_off(self.backend.written);
        self.backend.clear_output();
        let mut key = [0; 4];
        if getrandom::fill(&mut key).is_ok() {
            last.extend(masked_close_frame(code, reason, key));
        }
        tokio::spawn(retire(stream, last));
    }

    pub(super) fn backend_lost(&mut self, ending: &Ending) {
        self.backend.stream = None;
        self.backend.clear_output();
        if self.phase == DriverPhase::Open {
            tracing::warn!(sid = %self.entry.sid, %ending, "backend connection lost");
        }
        self.backend_closed(CloseCode::BAD_GATEWAY, &format!("backend connection lost: {ending}"));
    }

    /// Handles the end of the backend's side: the client gets the close after everything that the backend sent before.
    pub(super) fn backend_closed(&mut self, code: CloseCode, reason: &str) {
        match self.phase {
            DriverPhase::Open => {
                self.machine.close(code, reason);
                self.phase = DriverPhase::BackendClosed;
            }
            DriverPhase::ClientRefused(code) => {
                self.machine.close(code, "a message of the client was refused");
                self.phase = DriverPhase::BackendClosed;
            }
            DriverPhase::ClientClosed => self.phase = DriverPhase::Over,
            DriverPhase::BackendClosed | DriverPhase::Over => {}
        }
    }

    pub(super) fn queue_backend_control(&mut self, opcode: OpCode, payload: &[u8]) {
        let mut key = [0; 4];
        // A backend that does not read gets no further replies: this buffer is bounded, too.
        if self.backend.out.len() <= self.node.options.machine.client_window
            && getrandom::fill(&mut key).is_ok()
        {
            self.backend.out.extend(control(opcode, payload, Some(key)));
        }
    }
}

/// Writes the bytes from `*at` on; ready when all are written and flushed.
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
