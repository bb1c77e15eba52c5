//! Performs the closing handshake.

use tokio::time::{Instant, timeout};
use undrop_frame::CloseCode;

use crate::clock::between_s;
use crate::prober::Prober;
use undrop_diagnosis::observations::CloseTest;
use undrop_frame::Ending;

/// Closes a new connection and returns how it ended, `None` if none could be opened.
pub(crate) async fn close(prober: &Prober<'_>) -> Option<CloseTest> {
    let mut socket = prober.open(None, &prober.handshake_request()).await.ok()?.into_socket();
    let start = Instant::now();
    socket.close(CloseCode::NORMAL);
    let ended = async {
        loop {
            if let Err(end) = socket.recv().await {
                return end;
            }
        }
    };
    let end = timeout(prober.patience(), ended).await.unwrap_or(Ending::BlackHole);
    Some(CloseTest { end, took_s: between_s(start, Instant::now()) })
}
