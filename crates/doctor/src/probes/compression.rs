//! Sends the same messages with and without permessage-deflate: small and large, compressible and random.

use super::message::exchange;
use crate::prober::{HandshakeRequest, Prober};
use tokio_util::sync::CancellationToken;
use undrop_diagnosis::observations::{CompressionTest, MessageOutcome};

/// The sizes of the messages in bytes. Libraries compress messages from about 1 KiB on, so small ones prove nothing.
const SIZES: [usize; 3] = [20, 2 << 10, 100 << 10];

/// Tries all combinations with messages of up to `limit` bytes.
pub(crate) async fn compression(
    prober: &Prober<'_>,
    limit: usize,
    stop: &CancellationToken,
) -> Vec<CompressionTest> {
    let mut seen = Vec::new();
    for offered in [false, true] {
        let mut open = None;
        for size in SIZES.into_iter().filter(|size| *size <= limit) {
            for compressible in [true, false] {
                if stop.is_cancelled() {
                    return seen;
                }
                if open.is_none() {
                    let ask = HandshakeRequest { deflate: offered, ..prober.handshake_request() };
                    open = Some(prober.open(None, &ask).await.map(|open| {
                        let agreed = open.deflate.map(|params| format!("{params:?}"));
                        (open.into_socket(), agreed)
                    }));
                }
                let (result, agreed) = match &mut open {
                    Some(Ok((socket, agreed))) => {
                        let text = text(size, compressible);
                        (exchange(socket, &text, prober.patience()).await, agreed.clone())
                    }
                    Some(Err(end)) => (MessageOutcome::NotOpened(end.clone()), None),
                    None => continue,
                };
                if !result.arrived() {
                    open = None;
                }
                // If compression was not accepted, the remaining messages would repeat those without it.
                let pointless = offered && agreed.is_none() && result.arrived();
                let size = size as u64;
                seen.push(CompressionTest { offered, agreed, size, compressible, result });
                if pointless {
                    return seen;
                }
            }
        }
    }
    seen
}

/// Returns a text of this size: a repeated word, or random characters.
pub(crate) fn text(size: usize, compressible: bool) -> String {
    if compressible {
        "undrop ".chars().cycle().take(size).collect()
    } else {
        (0..size).map(|_| char::from(fastrand::u8(b' '..=b'~'))).collect()
    }
}
