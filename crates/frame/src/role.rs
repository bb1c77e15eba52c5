//! Which end we are, and how much we accept.

/// Our end of the connection. A server reads masked frames and writes unmasked ones, a client the reverse
/// (RFC 6455 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// We opened the connection.
    Client,
    /// We accepted the connection.
    Server,
}

/// Largest sizes accepted from the peer, in payload bytes. Beyond them: close code 1009.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One frame, as on the wire.
    pub frame: u64,
    /// All frames of one message together, as on the wire, and the message after decompression.
    pub message: u64,
}

impl Limits {
    /// No limit but that of the frame format (2^63 - 1 bytes per frame). For relays that buffer nothing.
    pub const NONE: Self = Self { frame: u64::MAX, message: u64::MAX };
}

impl Default for Limits {
    /// 64 MiB for both.
    fn default() -> Self {
        Self { frame: 64 << 20, message: 64 << 20 }
    }
}
