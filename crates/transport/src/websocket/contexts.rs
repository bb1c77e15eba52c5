//! Compression state that all connections of a thread share. It is lent for one call at a time, so a connection without
//! context takeover holds no compression state.

use std::cell::Cell;

use undrop_frame::deflate::{DeflateContext, InflateContext};
use undrop_frame::{Decoder, Encoder};

thread_local! {
    static INFLATE: Cell<Option<InflateContext>> = const { Cell::new(None) };
    static DEFLATE: Cell<Option<(Shape, DeflateContext)>> = const { Cell::new(None) };
}

/// The parameters that the state of a compressor depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) level: u8,
    /// The base-2 logarithm of the window size, 9 to 15.
    pub(super) window_bits: u8,
}

/// Runs `f` while the inflate context of the thread is lent to the decoder, if the decoder decompresses.
pub(super) fn with_inflate<R>(decoder: &mut Decoder, f: impl FnOnce(&mut Decoder) -> R) -> R {
    if let Some(inflater) = decoder.inflater() {
        inflater.lend(INFLATE.take().unwrap_or_default());
    }
    let result = f(decoder);
    if let Some(context) = decoder.inflater().and_then(|inflater| inflater.reclaim()) {
        INFLATE.set(Some(context));
    }
    result
}

/// Runs `f` while a deflate context of this shape is lent to the encoder. The thread keeps the last one, because most
/// connections use the same shape.
pub(super) fn with_deflate<R>(encoder: &mut Encoder, shape: Shape, f: impl FnOnce(&mut Encoder) -> R) -> R {
    if let Some(deflater) = encoder.deflater() {
        let kept = DEFLATE.take().filter(|(kept, _)| *kept == shape).map(|(_, context)| context);
        deflater.lend(kept.unwrap_or_else(|| DeflateContext::new(shape.level, shape.window_bits)));
    }
    let result = f(encoder);
    if let Some(context) = encoder.deflater().and_then(|deflater| deflater.reclaim()) {
        DEFLATE.set(Some((shape, context)));
    }
    result
}
