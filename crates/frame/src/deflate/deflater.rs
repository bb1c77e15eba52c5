//! Compression of messages to send.

use std::fmt;

use flate2::{Compress, Compression, FlushCompress};

use super::{Config, MAX_BITS, MIN_DEFLATE_BITS, Params, TAIL};
use crate::Role;

/// Compresses the messages of one connection.
pub struct Deflater {
    takeover: bool,
    window_bits: u8,
    threshold: usize,
    level: u8,
    /// Carries over from message to message; only with context takeover.
    context: Option<DeflateContext>,
    lent: Option<DeflateContext>,
}

/// The state of a compressor. Without context takeover one serves any number of connections with the same level
/// and window, one message after the other.
pub struct DeflateContext {
    window_bits: u8,
    level: u8,
    inner: Box<Compress>,
}

impl Deflater {
    /// `role` is ours: a server compresses by the server's parameters. `threshold`: messages below this size, in
    /// bytes, are sent as they are. `level`: 1 (fast) to 9 (small).
    pub fn new(params: Params, role: Role, threshold: usize, level: u8) -> Self {
        let (no_takeover, window_bits) = match role {
            Role::Server => (params.server_no_context_takeover, params.server_max_window_bits),
            Role::Client => (params.client_no_context_takeover, params.client_max_window_bits),
        };
        Self {
            takeover: !no_takeover,
            window_bits: window_bits.min(MAX_BITS),
            threshold,
            level: level.clamp(1, 9),
            context: None,
            lent: None,
        }
    }

    /// Appends the compressed message to `out`, to be sent with RSV1. `false`: nothing is appended and the message
    /// is to be sent as it is, because it is small, or because compression would not make it smaller.
    pub fn deflate(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        // A window of 2^8 can be asked of a client; sending nothing compressed always keeps to it.
        if payload.is_empty() || payload.len() < self.threshold || self.window_bits < MIN_DEFLATE_BITS {
            return false;
        }
        let start = out.len();
        let (window_bits, level) = (self.window_bits, self.level);
        let fits = |lent: &DeflateContext| lent.window_bits == window_bits && lent.level == level;
        let done = if self.takeover {
            let context = self.context.get_or_insert_with(|| DeflateContext::new(level, window_bits));
            run(&mut context.inner, payload, out)
        } else if let Some(lent) = self.lent.as_mut().filter(|lent| fits(lent)) {
            lent.inner.reset();
            run(&mut lent.inner, payload, out)
        } else {
            run(&mut DeflateContext::new(level, window_bits).inner, payload, out)
        };
        if !done {
            // A new context refers to nothing before it, so the peer's stays good for what follows.
            self.context = None;
        }
        let worse = !self.takeover && out.len() - start >= payload.len();
        if !done || worse {
            out.truncate(start);
            return false;
        }
        true
    }

    /// Lends a context for the next messages. Has an effect without context takeover only, and when level and
    /// window are the same: a message then needs no separate context, which would be created for it and dropped
    /// after it.
    pub fn lend(&mut self, context: DeflateContext) {
        self.lent = Some(context);
    }

    /// Takes back what was lent.
    pub fn reclaim(&mut self) -> Option<DeflateContext> {
        self.lent.take()
    }
}

impl DeflateContext {
    /// A context to lend. `level`: 1 to 9. `window_bits`: 9 to 15.
    pub fn new(level: u8, window_bits: u8) -> Self {
        let level = level.clamp(1, 9);
        let window_bits = window_bits.clamp(MIN_DEFLATE_BITS, MAX_BITS);
        let inner = Compress::new_with_window_bits(Compression::new(level.into()), false, window_bits);
        let inner = Box::new(inner);
        Self { window_bits, level, inner }
    }

    /// A context for connections that agreed on nothing but the defaults of `config`.
    pub fn for_config(config: &Config, role: Role) -> Self {
        let bits = match role {
            Role::Server => config.server_max_window_bits,
            Role::Client => config.client_max_window_bits,
        };
        Self::new(config.level, bits)
    }
}

impl fmt::Debug for DeflateContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeflateContext")
            .field("window_bits", &self.window_bits)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Deflater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflater")
            .field("takeover", &self.takeover)
            .field("window_bits", &self.window_bits)
            .field("threshold", &self.threshold)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// Compresses all of `input` up to a byte boundary and takes the tail off (RFC 7692 §7.2.1). `false` when the
/// library fails.
fn run(context: &mut Compress, mut input: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    out.reserve(input.len() / 2 + 64);
    loop {
        let read = context.total_in();
        if context.compress_vec(input, out, FlushCompress::Sync).is_err() {
            return false;
        }
        let read = usize::try_from(context.total_in() - read).unwrap_or(usize::MAX);
        input = input.get(read..).unwrap_or_default();
        // Room left over means that everything is out.
        if out.len() < out.capacity() {
            break;
        }
        out.reserve(input.len() / 2 + 64);
    }
    if !input.is_empty() || !out.get(start..).is_some_and(|message| message.ends_with(&TAIL)) {
        return false;
    }
    out.truncate(out.len() - TAIL.len());
    true
}
