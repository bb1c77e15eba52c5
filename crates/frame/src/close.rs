//! The payload of a Close frame (RFC 6455 §5.5.1, §7.4).

use crate::{CloseCode, FrameError};

/// Reads the unmasked payload of a Close frame: its code and reason, or `None` when it is empty.
///
/// # Errors
/// One byte; a code that may not be on the wire; a reason that is not UTF-8.
///
/// ```
/// use undrop_frame::{CloseCode, parse_close};
/// assert_eq!(parse_close(b"\x03\xe8bye")?, Some((CloseCode::NORMAL, "bye".to_owned())));
/// assert_eq!(parse_close(b"")?, None);
/// assert!(parse_close(b"\x03").is_err());
/// # Ok::<(), undrop_frame::FrameError>(())
/// ```
pub fn parse_close(payload: &[u8]) -> Result<Option<(CloseCode, String)>, FrameError> {
    match payload {
        [] => Ok(None),
        [_] => Err(FrameError::CloseTooShort),
        &[high, low, ref reason @ ..] => {
            let code = CloseCode::new(u16::from_be_bytes([high, low]));
            if !code.is_valid_on_wire() {
                return Err(FrameError::InvalidCloseCode(code.get()));
            }
            let Ok(reason) = std::str::from_utf8(reason) else { return Err(FrameError::InvalidUtf8) };
            Ok(Some((code, reason.to_owned())))
        }
    }
}
