//! What the numbered streams prove.

use serde::Serialize;

use crate::plan::{Mode, Plan};
use crate::proof::Counts;
use crate::tally::Tally;

/// The exactly-once proof.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// Streams (connections) that were checked.
    pub streams: u64,
    /// Streams whose sink did not say what it received: nothing is known of their way up.
    pub unanswered: u64,
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
                directions.push(Direction::new("round_trip", 0, &tally.echoed));
            }
        } else {
            directions.push(Direction::new("round_trip", tally.sent, &tally.echoed));
        }
        Proof { streams: tally.proven, unanswered: tally.unanswered, directions }
    }

    /// Every stream is proven, and nothing is lost, doubled, reordered or corrupted.
    pub fn holds(&self) -> bool {
        let clean = |d: &Direction| d.lost == 0 && d.doubled == 0 && d.reordered == 0 && d.corrupted == 0;
        self.unanswered == 0 && self.directions.iter().all(clean)
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
}

/// Copies that a broadcast should make: one for each connection, or for each but the sender's own, whichever the target
/// does.
pub(super) fn copies(tally: &Tally) -> u64 {
    let others = tally.sent.saturating_mul(tally.opened.saturating_sub(1));
    if tally.received > others { tally.sent.saturating_mul(tally.opened) } else { others }
}
