//! The writing half, which converts messages to bytes of the stream.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use undrop_frame::{CloseCode, Encoder, Header, OpCode, Role};

use super::SendError;
use super::contexts::{Shape, with_deflate};
use crate::io_ending::io_ending;
use crate::{Ending, Stream, random, scratch};

/// The size of a payload from which a server writes it without a copy, together with the header.
const VECTORED: usize = 4 * 1024;

#[derive(Debug)]
pub(super) struct Writer {
    encoder: Encoder,
    role: Role,
    /// The shape of the thread's compression context; `None` with context takeover or without compression.
    shared: Option<Shape>,
    limit: usize,
    /// The output buffer; bytes before `at` are written. Freed when everything is written.
    out: Vec<u8>,
    at: usize,
    /// The Pong to the newest Ping, while more than `limit` bytes are pending. Older Pings need no Pong (RFC 6455 §5.5.3).
    late_pong: Option<Box<[u8]>>,
    /// Bytes were written since the stream was last flushed. A TLS layer may hold them back.
    unflushed: bool,
    failed: Option<Failed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    Reset,
    Other,
}

impl Writer {
    pub(super) fn new(encoder: Encoder, role: Role, shared: Option<Shape>, limit: usize) -> Writer {
        Writer {
            encoder,
            role,
            shared,
            limit,
            out: Vec::new(),
            at: 0,
            late_pong: None,
            unflushed: false,
            failed: None,
        }
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    pub(super) fn pending(&self) -> usize {
        self.out.len() - self.at
    }

    /// Returns `true` if a write failed because the connection was reset.
    pub(super) fn was_reset(&self) -> bool {
        self.failed == Some(Failed::Reset)
    }

    /// Queues a message, compressed if that was negotiated.
    pub(super) fn message(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), SendError> {
        let key = self.key()?;
        encode(&mut self.encoder, self.shared, opcode, payload, key, &mut self.out);
        Ok(())
    }

    /// Queues a message without compression.
    pub(super) fn plain(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), SendError> {
        let key = self.key()?;
        self.encoder.plain(opcode, payload, key, &mut self.out);
        Ok(())
    }

    pub(super) fn control(&mut self, opcode: OpCode, payload: &[u8]) -> Result<(), SendError> {
        let key = self.key()?;
        self.encoder.control(opcode, payload, key, &mut self.out);
        Ok(())
    }

    pub(super) fn close(&mut self, code: Option<CloseCode>, reason: &str) {
        if let Ok(key) = self.key() {
            self.encoder.close(code, reason, key, &mut self.out);
        }
    }

    pub(super) fn pong(&mut self, payload: &[u8]) {
        if self.pending() > self.limit {
            self.late_pong = Some(payload.into());
        } else {
            // The next read or write reports a failure.
            let _ = self.control(OpCode::Pong, payload);
        }
    }

    /// Queues a message and writes as much as the socket accepts immediately.
    pub(super) fn send(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        opcode: OpCode,
        payload: &[u8],
    ) -> Result<(), SendError> {
        if self.pending() > 0 {
            self.message(opcode, payload)?;
        } else if self.role == Role::Server && self.encoder.deflater().is_none() && payload.len() >= VECTORED
        {
            self.write_vectored(stream, cx, opcode, payload)?;
        } else {
            let key = self.key()?;
            let written = scratch::with_write(|cork| {
                encode(&mut self.encoder, self.shared, opcode, payload, key, cork);
                let written = write_once(stream, cx, cork)?;
                self.out.extend_from_slice(&cork[written..]);
                Ok(written)
            });
            self.note(written)?;
        }
        match self.poll_flush(stream, cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    /// Writes header and payload with one system call and without a copy, and keeps what the socket does not accept.
    fn write_vectored(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        opcode: OpCode,
        payload: &[u8],
    ) -> Result<(), SendError> {
        let mut head = [0; Header::MAX_LEN];
        let len = self.encoder.header(opcode, payload.len() as u64, [0; 4], &mut head);
        let head = &head[..len];
        let slices = [IoSlice::new(head), IoSlice::new(payload)];
        let written = match Pin::new(stream).poll_write_vectored(cx, &slices) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(0),
        };
        let written = self.note(written)?;
        self.out.extend_from_slice(head.get(written..).unwrap_or_default());
        self.out.extend_from_slice(payload.get(written.saturating_sub(len)..).unwrap_or_default());
        Ok(())
    }

    /// Waits until at most `limit` bytes are pending.
    pub(super) fn poll_ready(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        while self.pending() > self.limit {
            ready!(self.poll_write(stream, cx))?;
        }
        Poll::Ready(if self.failed.is_some() { Err(SendError) } else { Ok(()) })
    }

    /// Writes and flushes all output.
    pub(super) fn poll_flush(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        while self.pending() > 0 {
            ready!(self.poll_write(stream, cx))?;
        }
        if self.unflushed {
            let flushed = ready!(Pin::new(stream).poll_flush(cx)).map(|()| 0);
            self.note(flushed)?;
            self.unflushed = false;
        }
        Poll::Ready(if self.failed.is_some() { Err(SendError) } else { Ok(()) })
    }

    /// Frees the output buffer after the connection has ended.
    pub(super) fn discard(&mut self) {
        self.out = Vec::new();
        self.at = 0;
        self.late_pong = None;
    }

    fn poll_write(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let written = ready!(Pin::new(stream).poll_write(cx, &self.out[self.at..]));
        let written = match written {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            other => other,
        };
        self.at += self.note(written)?;
        if self.pending() <= self.limit
            && let Some(payload) = self.late_pong.take()
        {
            self.control(OpCode::Pong, &payload)?;
        }
        if self.at == self.out.len() {
            self.out = Vec::new();
            self.at = 0;
        } else if self.at > self.limit.max(VECTORED) && self.at > self.out.len() / 2 {
            self.out.drain(..self.at);
            self.at = 0;
        }
        Poll::Ready(Ok(()))
    }

    /// Records the result of a write.
    fn note(&mut self, written: io::Result<usize>) -> Result<usize, SendError> {
        match written {
            Ok(n) => {
                self.unflushed |= n > 0;
                Ok(n)
            }
            Err(error) => {
                let reset = io_ending(&error) == Ending::Reset;
                self.failed = Some(if reset { Failed::Reset } else { Failed::Other });
                self.discard();
                Err(SendError)
            }
        }
    }

    fn key(&self) -> Result<[u8; 4], SendError> {
        if self.failed.is_some() {
            return Err(SendError);
        }
        match self.role {
            Role::Client => random::mask_key().map_err(|_| SendError),
            Role::Server => Ok([0; 4]),
        }
    }
}

fn encode(
    encoder: &mut Encoder,
    shared: Option<Shape>,
    opcode: OpCode,
    payload: &[u8],
    key: [u8; 4],
    out: &mut Vec<u8>,
) {
    match shared {
        Some(shape) => with_deflate(encoder, shape, |encoder| encoder.message(opcode, payload, key, out)),
        None => encoder.message(opcode, payload, key, out),
    }
}

fn write_once(stream: &mut Stream, cx: &mut Context<'_>, bytes: &[u8]) -> io::Result<usize> {
    match Pin::new(stream).poll_write(cx, bytes) {
        Poll::Ready(result) => result,
        Poll::Pending => Ok(0),
    }
}
