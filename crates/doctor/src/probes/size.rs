//! Messages of growing size: where does somebody say no, and where does the path swallow them?

use tokio::time::Instant;
use undrop_transport::tcp_info;

use super::compression::text;
use super::trip::trip;
use crate::caller::Caller;
use crate::socket::Wire;
use crate::stop::Stop;
use undrop_diagnosis::observations::{Size, Trip};
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
pub(crate) async fn size(caller: &Caller<'_>, limit: u64, steps: u32, stop: &Stop) -> Vec<Size> {
    let mut seen = Vec::new();
    let mut open = None;
    let (mut good, mut bad) = (0, None);
    let end = Instant::now() + caller.patience() * BUDGET;
    let (mut trip, mut pace) = (f64::INFINITY, 0.0);
    for size in LADDER.into_iter().filter(|size| *size <= limit) {
        if stop.is_set()
            || Instant::now() >= end
            || pace * size as f64 > caller.patience().as_secs_f64() / 2.0
        {
            return seen;
        }
        let began = Instant::now();
        let one = one(caller, &mut open, size).await;
        let arrived = one.trip.arrived();
        // What a small message takes is the round trip; the rest is the path's speed.
        let took = began.elapsed().as_secs_f64();
        trip = trip.min(took);
        pace = (took - trip) / size as f64;
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
        if bad - good <= 1 || stop.is_set() || Instant::now() >= end {
            break;
        }
        let middle = good + (bad - good) / 2;
        let one = one(caller, &mut open, middle).await;
        if one.trip.arrived() {
            good = middle
        } else {
            bad = middle
        }
        seen.push(one);
    }
    seen
}

async fn one(caller: &Caller<'_>, open: &mut Option<Wire>, size: u64) -> Size {
    if open.is_none() {
        match caller.open(None, &caller.asked()).await {
            Ok(opened) => *open = Some(opened.wire()),
            Err(end) => return Size { size, trip: Trip::NotOpened(end), retransmits: None, segment: None },
        }
    }
    let Some(wire) = open else {
        let end = Ending::Fin;
        return Size { size, trip: Trip::NotOpened(end), retransmits: None, segment: None };
    };
    // Nothing that a compressing hop could shrink under a limit.
    let text = text(usize::try_from(size).unwrap_or(usize::MAX), false);
    let trip = trip(wire, &text, caller.patience()).await;
    let info = wire.stream().tcp().and_then(|tcp| tcp_info(tcp).ok());
    let seen = Size {
        size,
        retransmits: info.map(|info| info.total_retransmits),
        segment: info.map(|info| info.segment),
        trip,
    };
    if !seen.trip.arrived() {
        *open = None;
    }
    seen
}
