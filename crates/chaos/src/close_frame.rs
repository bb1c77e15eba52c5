//! The content of a Close frame that a fault sends.

use std::fmt;

/// The code and the reason of a Close frame. Unlike an endpoint, a fault can send any code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame {
    /// The close code: any number, including those that may not be sent (RFC 6455 §7.4.1).
    pub code: u16,
    /// The close reason, at most 123 bytes.
    pub reason: String,
}

impl CloseFrame {
    /// The maximum length of a reason in bytes: a control frame carries 125, two of which are the code (RFC 6455 §5.5).
    pub(crate) const MAX_REASON: usize = 123;
}

impl fmt::Display for CloseFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            1000 => f.write_str("clean 1000"),
            1001 => f.write_str("going away 1001"),
            code => write!(f, "close {code}"),
        }
    }
}
