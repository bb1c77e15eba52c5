//! What the numbered streams prove.

use serde::Serialize;

use crate::connection::proof::Counts;
use crate::metrics::tally::Tally;
use crate::plan::{Mode, Plan};

/// The exactly-once proof.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// Streams (connections) that were checked.
    pub streams: u64,
    /// Streams whose sink did not say what it received: nothing is known of their way up.
    pub unanswered: u64,
    /// Messages that were sent on those: whether they arrived is not known.
    pub unproven: u64,
    /// Each direction by itself.
    pub directions: Vec<Direction>,
}

/// One direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Direction {
    /// `round_trip` with a target that echoes, `up` and `down` with a sink, `copies` in a broadcast.
    pub direction: &'static str,
    /// Messages sent; in a broadcast, copies that should have been made.
    pub sent: u64,
    /// Different ones that came intact.
    pub received: u64,
    /// Sent, and never received intact.
    pub lost: u64,
    /// Came again.
    pub doubled: u64,
    /// Came behind a later one.
    pub reordered: u64,
    /// Changed on the way, or sent by nobody.
    pub corrupted: u64,
}

impl Proof {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Proof {
        let mut directions = Vec::new();
        let sink = tally.down != Counts::default() || tally.up_sent > 0 || tally.unanswered > 0;
        if let Mode::Broadcast { .. } = plan.mode {
            directions.push(Direction::new("copies", copies(tally), &tally.echoed));
        } else if sink {
            directions.push(Direction::new("up", tally.up_sent, &tally.up));
            // What a sink sent on streams that gave no answer is unknown, so a loss there shows as `unanswered`.
            directions.push(Direction::new("down", tally.down_sent, &tally.down));
            if tally.echoed != Counts::default() {
                // Some connections reached a target that echoes: what no sink was asked about went there.
                let sent = tally.sent.saturating_sub(tally.up_sent + tally.unproven);
                directions.push(Direction::new("round_trip", sent, &tally.echoed));
            }
        } else {
            directions.push(Direction::new("round_trip", tally.sent, &tally.echoed));
        }
        Proof { streams: tally.proven, unanswered: tally.unanswered, unproven: tally.unproven, directions }
    }

    /// Every stream is proven, and nothing is lost, doubled, reordered or corrupted, or came without having been sent.
    pub fn holds(&self) -> bool {
        self.unanswered == 0 && self.directions.iter().all(Direction::is_clean)
    }

    /// Nothing that came back carries a number of ours, or one of a sink.
    pub(super) fn is_empty(&self) -> bool {
        self.unanswered == 0 && self.directions.iter().all(|direction| direction.received == 0)
    }

    /// Over all directions.
    pub(super) fn sum(&self, count: impl Fn(&Direction) -> u64) -> u64 {
        self.directions.iter().map(count).sum()
    }
}

impl Direction {
    fn new(direction: &'static str, sent: u64, counts: &Counts) -> Direction {
        let Counts { received, doubled, reordered, corrupted } = *counts;
        Direction {
            direction,
            sent,
            received,
            lost: sent.saturating_sub(received),
            doubled,
            reordered,
            corrupted,
        }
    }

    /// Nothing is lost, doubled, reordered or corrupted. More than was sent means that somebody's count is wrong.
    pub fn is_clean(&self) -> bool {
        let bad = self.lost + self.doubled + self.reordered + self.corrupted;
        bad == 0 && self.received <= self.sent
    }
}

/// Copies that a broadcast should make: one for each connection, or for each but the sender's own, whichever the target
/// does.
pub(super) fn copies(tally: &Tally) -> u64 {
    let others = tally.sent.saturating_mul(tally.opened.saturating_sub(1));
    if tally.received > others { tally.sent.saturating_mul(tally.opened) } else { others }
}
