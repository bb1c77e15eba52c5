//! Sends messages of increasing size, to find limits of servers and of the path.

use tokio::time::Instant;
use undrop_transport::tcp_info;

use super::compression::text;
use super::message::exchange;
use crate::prober::Prober;
use crate::socket::FrameSocket;
use tokio_util::sync::CancellationToken;
use undrop_diagnosis::observations::{MessageOutcome, SizeTest};
use undrop_frame::Ending;

/// The sizes, close to those of packets and to common limits of servers.
const LADDER: [u64; 14] = [
    125,
    500,
    1_200,
    1_400,
    1_500,
    4_000,
    16 << 10,
    64 << 10,
    (64 << 10) + 1,
    128 << 10,
    1 << 20,
    (1 << 20) + 1,
    4 << 20,
    16 << 20,
];

/// The time limit for all sizes, as a multiple of the time limit for one message.
const BUDGET: u32 = 3;

/// Increases the size up to `limit` bytes or to the first message that does not arrive, and then bisects the limit with at most
/// `steps` more messages. Sizes that would take too long on a slow path are not tried.
pub(crate) async fn size(
    prober: &Prober<'_>,
    limit: u64,
    steps: u32,
    stop: &CancellationToken,
) -> Vec<SizeTest> {
    let mut seen = Vec::new();
    let mut open = None;
    let (mut good, mut bad) = (0, None);
    let end = Instant::now() + prober.patience() * BUDGET;
    let (mut result, mut pace) = (f64::INFINITY, 0.0);
    for size in LADDER.into_iter().filter(|size| *size <= limit) {
        if stop.is_cancelled()
            || Instant::now() >= end
            || pace * size as f64 > prober.patience().as_secs_f64() / 2.0
        {
            return seen;
        }
        let began = Instant::now();
        let one = one(prober, &mut open, size).await;
        let arrived = one.result.arrived();
        // The time of a small message is the round trip; the rest depends on the bandwidth.
        let took = began.elapsed().as_secs_f64();
        result = result.min(took);
        pace = (took - result) / size as f64;
        seen.push(one);
        if arrived {
            good = size;
        } else {
            bad = Some(size);
            break;
        }
    }
    let Some(mut bad) = bad.filter(|_| good > 0) else { return seen };
    for _ in 0..steps {
        if bad - good <= 1 || stop.is_cancelled() || Instant::now() >= end {
            break;
        }
        let middle = good + (bad - good) / 2;
        let one = one(prober, &mut open, middle).await;
        if one.result.arrived() {
            good = middle
        } else {
            bad = middle
        }
        seen.push(one);
    }
    seen
}

async fn one(prober: &Prober<'_>, open: &mut Option<FrameSocket>, size: u64) -> SizeTest {
    if open.is_none() {
        match prober.open(None, &prober.handshake_request()).await {
            Ok(opened) => *open = Some(opened.into_socket()),
            Err(end) => {
                return SizeTest {
                    size,
                    result: MessageOutcome::NotOpened(end),
                    retransmits: None,
                    segment: None,
                };
            }
        }
    }
    let Some(socket) = open else {
        let end = Ending::Fin;
        return SizeTest { size, result: MessageOutcome::NotOpened(end), retransmits: None, segment: None };
    };
    // The text is random, so that a hop cannot compress it below a limit.
    let text = text(usize::try_from(size).unwrap_or(usize::MAX), false);
    let result = exchange(socket, &text, prober.patience()).await;
    let info = socket.stream().tcp().and_then(|tcp| tcp_info(tcp).ok());
    let seen = SizeTest {
        size,
        retransmits: info.map(|info| info.total_retransmits),
        segment: info.map(|info| info.segment),
        result,
    };
    if !seen.result.arrived() {
        *open = None;
    }
    seen
}
