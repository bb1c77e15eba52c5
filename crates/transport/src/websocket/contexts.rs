//! Compression state shared by all connections of a thread; lent for one call at a time. Without context takeover a
//! connection then keeps none of its own.

use std::cell::Cell;

use undrop_frame::deflate::{DeflateContext, InflateContext};
use undrop_frame::{Decoder, Encoder};

thread_local! {
    static INFLATE: Cell<Option<InflateContext>> = const { Cell::new(None) };
    static DEFLATE: Cell<Option<(Shape, DeflateContext)>> = const { Cell::new(None) };
}

/// What a compressor's state depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) level: u8,
    /// 9 to 15.
    pub(super) window_bits: u8,
}

/// Runs `f` with the thread's inflate context lent to the decoder, if it decompresses.
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

/// Runs `f` with a deflate context of this shape lent to the encoder. The thread keeps the one used last: most
/// connections agree on the same shape.
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
