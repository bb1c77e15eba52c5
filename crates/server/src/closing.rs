//! The orderly end of a connection, without loss of the last bytes.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use undrop_frame::{CloseCode, Encoder, OpCode, Role};
use undrop_session::MOVED_FRAME;
use undrop_transport::Stream;

/// The time within which the peer must read the last bytes and close its side.
pub const LINGER: Duration = Duration::from_secs(2);

/// Sends `last`, shuts down this side and waits at most [`LINGER`] for the peer to shut down its own. Closing a socket with
/// unread input would send a RST, which may destroy the last bytes on their way.
pub async fn retire(mut stream: Stream, last: Vec<u8>) {
    let farewell = async {
        stream.write_all(&last).await?;
        stream.shutdown().await?;
        let mut ignored = [0; 512];
        while stream.read(&mut ignored).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // It makes no difference whether the peer is gone already.
    let _ = timeout(LINGER, farewell).await;
}

/// Returns a Close frame as a server sends it. Without a code, or with one that may not be sent, the frame is empty (RFC 6455
/// §5.5.1). The reason is cut at 123 bytes.
pub fn close_frame(code: Option<CloseCode>, reason: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    Encoder::new(Role::Server).close(code, reason, [0; 4], &mut frame);
    frame
}

/// Returns the last frames on a superseded link: the packet `m` and a Close frame.
pub(crate) fn moved_frames() -> Vec<u8> {
    let mut frames = MOVED_FRAME.to_vec();
    frames.extend(close_frame(Some(CloseCode::NORMAL), "moved"));
    frames
}

/// Returns a Close frame as a client sends it, masked with `key`.
pub fn masked_close_frame(code: Option<CloseCode>, reason: &str, key: [u8; 4]) -> Vec<u8> {
    let mut frame = Vec::new();
    Encoder::new(Role::Client).close(code, reason, key, &mut frame);
    frame
}

/// Returns a control frame, as a client sends it if there is a `key`; `payload` is cut at 125 bytes (RFC 6455 §5.5).
pub fn control(opcode: OpCode, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let role = if key.is_some() { Role::Client } else { Role::Server };
    let mut frame = Vec::new();
    Encoder::new(role).control(opcode, payload, key.unwrap_or_default(), &mut frame);
    frame
}
