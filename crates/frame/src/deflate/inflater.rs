//! Decompression of received messages, with a limit against decompression bombs.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::{MAX_BITS, MIN_DEFLATE_BITS, Params, TAIL};
use crate::{FrameError, Role};

/// Smallest growth of the output, in bytes.
const MIN_STEP: usize = 512;

/// Decompresses the messages of one connection.
pub struct Inflater {
    takeover: bool,
    window_bits: u8,
    cap: u64,
    /// Carries over from message to message; only with context takeover.
    context: Option<InflateContext>,
    lent: Option<InflateContext>,
}

/// The state of a decompressor with the largest window. Without context takeover one serves any number of
/// connections, one message after the other.
pub struct InflateContext(Box<Decompress>);

impl Inflater {
    /// `role` is ours: a server decompresses what a client compressed. `cap`: largest message after decompression,
    /// in bytes; use [`Limits::message`](crate::Limits::message).
    pub fn new(params: Params, role: Role, cap: u64) -> Self {
        let (no_takeover, bits) = match role {
            Role::Server => (params.client_no_context_takeover, params.client_max_window_bits),
            Role::Client => (params.server_no_context_takeover, params.server_max_window_bits),
        };
        // A larger window than the sender's reads the same data.
        let window_bits = bits.clamp(MIN_DEFLATE_BITS, MAX_BITS);
        Self { takeover: !no_takeover, window_bits, cap, context: None, lent: None }
    }

    /// Appends the decompressed message to `out`. `compressed`: payload of all its frames.
    ///
    /// # Errors
    /// [`FrameError::CorruptDeflate`], and [`FrameError::MessageTooBig`] as soon as the output passes the cap;
    /// `out` then holds part of the message, at most twice the cap.
    pub fn inflate(&mut self, compressed: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        let (bits, cap) = (self.window_bits, self.cap);
        if self.takeover {
            let context = self.context.get_or_insert_with(|| InflateContext::with_bits(bits));
            message(&mut context.0, cap, compressed, out)
        } else if let Some(lent) = &mut self.lent {
            lent.0.reset(false);
            message(&mut lent.0, cap, compressed, out)
        } else {
            message(&mut InflateContext::with_bits(bits).0, cap, compressed, out)
        }
    }

    /// Lends a context for the next messages. Has an effect without context takeover only: each message then needs
    /// no separate context, which would be created for it and dropped after it.
    pub fn lend(&mut self, context: InflateContext) {
        self.lent = Some(context);
    }

    /// Takes back what was lent.
    pub fn reclaim(&mut self) -> Option<InflateContext> {
        self.lent.take()
    }
}

impl InflateContext {
    /// A context to lend.
    pub fn new() -> Self {
        Self::with_bits(MAX_BITS)
    }

    fn with_bits(window_bits: u8) -> Self {
        Self(Box::new(Decompress::new_with_window_bits(false, window_bits)))
    }
}

impl Default for InflateContext {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InflateContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InflateContext")
    }
}

impl fmt::Debug for Inflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflater")
            .field("takeover", &self.takeover)
            .field("window_bits", &self.window_bits)
            .field("cap", &self.cap)
            .finish_non_exhaustive()
    }
}

/// Appends a decompressed message to `out`, at most `cap` bytes of it.
fn message(context: &mut Decompress, cap: u64, input: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
    let start = out.len();
    let mut run = Run { context, cap, out, start };
    // A sender may end the deflate stream itself; then the message is complete (RFC 7692 §7.2.3.4).
    if run.feed(input)? {
        return Ok(());
    }
    run.feed(&TAIL).map(|_| ())
}

/// One message on its way through a context.
struct Run<'a> {
    context: &'a mut Decompress,
    cap: u64,
    out: &'a mut Vec<u8>,
    /// The start of the message in `out`.
    start: usize,
}

impl Run<'_> {
    /// Takes all of `input`; `true` when a deflate stream ended exactly with it.
    fn feed(&mut self, mut input: &[u8]) -> Result<bool, FrameError> {
        loop {
            self.grow(input.len());
            let (read, written) = (self.context.total_in(), self.out.len());
            let status = self
                .context
                .decompress_vec(input, self.out, FlushDecompress::Sync)
                .map_err(|_| FrameError::CorruptDeflate)?;
            let read = usize::try_from(self.context.total_in() - read).unwrap_or(usize::MAX);
            input = input.get(read..).unwrap_or_default();
            if (self.out.len() - self.start) as u64 > self.cap {
                return Err(FrameError::MessageTooBig { limit: self.cap });
            }
            if status == Status::StreamEnd {
                self.restart()?;
                if input.is_empty() {
                    return Ok(true);
                }
            } else if self.out.len() < self.out.capacity() {
                if input.is_empty() {
                    return Ok(false);
                }
                if read == 0 && self.out.len() == written {
                    return Err(FrameError::CorruptDeflate);
                }
            }
        }
    }

    /// Makes room for more output: an estimate first, then doubling, never far beyond the cap.
    fn grow(&mut self, input: usize) {
        if self.out.len() < self.out.capacity() {
            return;
        }
        let done = self.out.len() - self.start;
        let step = done.max(input.saturating_mul(3)).max(MIN_STEP);
        // One byte over the cap shows that the message is too big.
        let most = self.cap.saturating_add(1).saturating_sub(done as u64);
        self.out.reserve_exact(step.min(usize::try_from(most).unwrap_or(usize::MAX)).max(1));
    }

    /// A block was marked as the last of its stream; the next stream may refer to the data of this message
    /// (RFC 7692 §7.2.3.4). Data before this message is out of its reach: the library gives no access to its window,
    /// and no known sender both takes its context over and ends the stream.
    fn restart(&mut self) -> Result<(), FrameError> {
        self.context.reset(false);
        let message = self.out.get(self.start..).unwrap_or_default();
        let window = message.get(message.len().saturating_sub(1 << MAX_BITS)..).unwrap_or_default();
        if window.is_empty() {
            return Ok(());
        }
        self.context.set_dictionary(window).map(|_| ()).map_err(|_| FrameError::CorruptDeflate)
    }
}
