//! The role of an endpoint, and the sizes that it accepts.

/// The role of this end. A server reads masked frames and writes unmasked ones, a client the reverse
/// (RFC 6455 §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// This end opened the connection.
    Client,
    /// This end accepted the connection.
    Server,
}

/// The largest sizes that are accepted from the peer, in payload bytes. A larger frame or message is answered with close
/// code 1009.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The payload of one frame, as on the wire.
    pub frame: u64,
    /// The payloads of all frames of a message, as on the wire, and the message after decompression.
    pub message: u64,
}

impl Limits {
    /// No limits except that of the frame format (2^63 - 1 bytes per frame), for relays that buffer nothing.
    pub const NONE: Self = Self { frame: u64::MAX, message: u64::MAX };
}

impl Default for Limits {
    /// 64 MiB for both.
    fn default() -> Self {
        Self { frame: 64 << 20, message: 64 << 20 }
    }
}
