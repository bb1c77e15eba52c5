//! Messages of growing size: where does somebody say no, and where does the path swallow them?

use tokio::time::Instant;
use undrop_transport::tcp_info;

use super::compression::text;
use super::message::exchange;
use crate::prober::Prober;
use crate::socket::FrameSocket;
use tokio_util::sync::CancellationToken;
use undrop_diagnosis::observations::{MessageOutcome, SizeTest};
use undrop_frame::Ending;

/// Around what packets hold, then around the limits that servers have.
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

/// What all sizes together may take, in units of what one message may.
const BUDGET: u32 = 3;

/// Climbs to `limit` bytes or the first message that does not arrive, then narrows down to where it begins, in at most
/// `steps` more messages. A path that is merely slow ends the climb: a size that would take longer than is waited for is not tried.
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
        // What a small message takes is the round trip; the rest is the path's speed.
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
    // Nothing that a compressing hop could shrink under a limit.
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
