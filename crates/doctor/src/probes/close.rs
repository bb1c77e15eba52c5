//! The closing handshake.

use tokio::time::{Instant, timeout};
use undrop_frame::CloseCode;

use crate::caller::Caller;
use crate::clock::between_s;
use undrop_diagnosis::observations::Close;
use undrop_frame::Ending;

/// Closes a fresh connection and sees whether the Close is answered; `None` when none could be opened.
pub(crate) async fn close(caller: &Caller<'_>) -> Option<Close> {
    let mut wire = caller.open(None, &caller.asked()).await.ok()?.wire();
    let start = Instant::now();
    wire.close(CloseCode::NORMAL);
    let ended = async {
        loop {
            if let Err(end) = wire.recv().await {
                return end;
            }
        }
    };
    let end = timeout(caller.patience(), ended).await.unwrap_or(Ending::BlackHole);
    Some(Close { end, took_s: between_s(start, Instant::now()) })
}
