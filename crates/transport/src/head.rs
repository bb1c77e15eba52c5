//! Reading an HTTP head of limited size, and the bytes after it.

use std::future::poll_fn;
use std::io;

use undrop_frame::handshake::HandshakeError;

use crate::Stream;

/// The reason why no head was read.
pub(crate) enum ReadHeadError {
    /// The stream ended after this number of bytes.
    Closed(usize),
    Malformed(HandshakeError),
    Io(io::Error),
}

/// Reads until `parse` returns a head and its length, or fails. `parse` must fail when it gets `limit` bytes. `start`: the
/// bytes that were already read. Returns the head and the bytes after it.
pub(crate) async fn read_head<T>(
    stream: &mut Stream,
    start: Vec<u8>,
    parse: impl Fn(&[u8]) -> Result<Option<(T, usize)>, HandshakeError>,
    limit: usize,
) -> Result<(T, Vec<u8>), ReadHeadError> {
    let mut bytes = start;
    let mut fresh = true;
    loop {
        // To keep the cost low for a peer that sends single bytes, the head is parsed only at the first read (to refuse
        // other protocols immediately) and when its end may have arrived.
        if !bytes.is_empty()
            && (fresh || bytes.len() >= limit)
            && let Some((head, len)) = parse(&bytes).map_err(ReadHeadError::Malformed)?
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
        .map_err(ReadHeadError::Io)?;
        if read == 0 {
            return Err(ReadHeadError::Closed(before));
        }
        fresh =
            before == 0 || bytes[before.saturating_sub(3)..].windows(4).any(|window| window == b"\r\n\r\n");
    }
}
