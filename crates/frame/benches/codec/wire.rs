//! A connection in memory: endless frames to read, and a hole to write into.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use undrop_frame::{Encoder, OpCode, Role};

/// Repeats the same frames for ever, as many bytes per read as the reader takes.
pub(crate) struct Wire {
    frames: Vec<u8>,
    at: usize,
}

/// Messages per iteration: about 1 MiB of them, 16,384 at most.
pub(crate) fn batch(size: usize) -> usize {
    (1 << 20) / size
}

/// Returns the bytes that the peer of `role` sends: frames of `size` bytes each, one key for each.
pub(crate) fn stream(role: Role, opcode: OpCode, size: usize) -> Wire {
    let peer = match role {
        Role::Server => Role::Client,
        Role::Client => Role::Server,
    };
    let payload: Vec<u8> = (0..size).map(|i| b'a' + (i % 26) as u8).collect();
    let mut encoder = Encoder::new(peer);
    let mut frames = Vec::new();
    let count = ((1 << 20) / size).max(4) as u32;
    for i in 0..count {
        encoder.message(opcode, &payload, i.wrapping_mul(0x9e37_79b9).to_le_bytes(), &mut frames);
    }
    Wire { frames, at: 0 }
}

impl Wire {
    /// Fills `out` as one read from a busy socket does.
    pub(crate) fn read(&mut self, out: &mut [u8]) -> usize {
        let n = out.len().min(self.frames.len() - self.at);
        out[..n].copy_from_slice(&self.frames[self.at..self.at + n]);
        self.at += n;
        if self.at == self.frames.len() {
            self.at = 0;
        }
        n
    }
}

impl io::Read for Wire {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        Ok(Wire::read(self, out))
    }
}

impl io::Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        std::hint::black_box(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let n = buf.remaining().min(self.frames.len() - self.at);
        buf.put_slice(&self.frames[self.at..self.at + n]);
        self.at = (self.at + n) % self.frames.len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        std::hint::black_box(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        std::hint::black_box(slices);
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
