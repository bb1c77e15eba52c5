//! permessage-deflate (RFC 7692): negotiation, and messages compressed one by one.
//!
//! By default, neither direction uses context takeover. Each compressed message is then independent: its
//! bytes can be stored, sent again on another connection, or made once for many receivers. The compression state
//! (32 KiB and up) exists only while a message passes through it, so a connection that compresses costs as little
//! while idle as one that does not. A driver with many connections keeps one [`InflateContext`] and one
//! [`DeflateContext`] per thread and lends them around its calls, which saves their set-up for each message.

mod config;
mod deflater;
mod extension;
mod inflater;

pub use config::{Config, Params};
pub use deflater::{DeflateContext, Deflater};
pub use inflater::{InflateContext, Inflater};

/// The bytes that the sender removes from the end of every compressed message, and the receiver appends (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Smallest window that the compressor can keep to; RFC 7692 allows 8, zlib does not (it uses 9 without saying).
const MIN_DEFLATE_BITS: u8 = 9;

/// Largest window, and the one in use when nothing is negotiated.
const MAX_BITS: u8 = 15;
