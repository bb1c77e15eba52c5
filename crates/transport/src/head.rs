//! Reading one HTTP head, bounded, with what came behind it.

use std::future::poll_fn;
use std::io;

use undrop_frame::handshake::HandshakeError;

use crate::Stream;

/// Why no head came.
pub(crate) enum HeadError {
    /// End of the stream after this many bytes.
    Closed(usize),
    Malformed(HandshakeError),
    Io(io::Error),
}

/// Reads until `parse` finds a head (`Some((head, its length))`) or fails. `parse` must fail once it is given `limit`
/// bytes. `start`: bytes that were already read. Returns the head and the bytes behind it.
pub(crate) async fn read_head<T>(
    stream: &mut Stream,
    start: Vec<u8>,
    parse: impl Fn(&[u8]) -> Result<Option<(T, usize)>, HandshakeError>,
    limit: usize,
) -> Result<(T, Vec<u8>), HeadError> {
    let mut bytes = start;
    let mut fresh = true;
    loop {
        // A peer that sends byte by byte must not make us parse the whole head each time: only the first bytes (to
        // refuse what is no HTTP at once) and a possible end are worth a look.
        if !bytes.is_empty()
            && (fresh || bytes.len() >= limit)
            && let Some((head, len)) = parse(&bytes).map_err(HeadError::Malformed)?
        {
            return Ok((head, bytes.split_off(len)));
        }
        let before = bytes.len();
        let read = poll_fn(|cx| {
            stream.poll_read_shared(cx, |chunk| {
                bytes.extend_from_slice(chunk);
                chunk.len()
            })
        })
        .await
        .map_err(HeadError::Io)?;
        if read == 0 {
            return Err(HeadError::Closed(before));
        }
        fresh =
            before == 0 || bytes[before.saturating_sub(3)..].windows(4).any(|window| window == b"\r\n\r\n");
    }
}
