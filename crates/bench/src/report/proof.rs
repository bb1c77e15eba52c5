//! The exactly-once proof, which the numbered streams of messages allow.

use serde::Serialize;

use crate::connection::proof::StreamCounts;
use crate::metrics::tally::Tally;
use crate::plan::{Mode, Plan};

/// The result of the exactly-once proof.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    /// The number of streams (connections) that were verified.
    pub streams: u64,
    /// The number of streams whose sink did not report what it received.
    pub unanswered: u64,
    /// The number of messages that were sent on those streams. It is unknown whether they arrived.
    pub unproven: u64,
    /// The counts of each direction.
    pub directions: Vec<DirectionCounts>,
}

/// The direction of the messages of a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageDirection {
    /// To a target that echoes, and back.
    RoundTrip,
    /// From the client to a sink.
    Up,
    /// From a sink to the client.
    Down,
    /// From the senders of a broadcast to all connections.
    Copies,
}

/// The counts of one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DirectionCounts {
    /// The direction of the messages.
    pub direction: MessageDirection,
    /// The number of messages sent; in a broadcast, the number of copies expected.
    pub sent: u64,
    /// The number of different messages that arrived intact.
    pub received: u64,
    /// The number of messages that were sent and never received intact.
    pub lost: u64,
    /// The number of messages that arrived again.
    pub doubled: u64,
    /// The number of messages that arrived after a later one.
    pub reordered: u64,
    /// The number of messages that were changed on the way or never sent.
    pub corrupted: u64,
}

impl Proof {
    pub(super) fn new(plan: &Plan, tally: &Tally) -> Proof {
        let mut directions = Vec::new();
        let sink = tally.down != StreamCounts::default() || tally.up_sent > 0 || tally.unanswered > 0;
        if let Mode::Broadcast { .. } = plan.mode {
            directions.push(DirectionCounts::new(MessageDirection::Copies, copies(tally), &tally.echoed));
        } else if sink {
            directions.push(DirectionCounts::new(MessageDirection::Up, tally.up_sent, &tally.up));
            // It is unknown what a sink sent on streams without a report, so a loss there is counted in `unanswered`.
            directions.push(DirectionCounts::new(MessageDirection::Down, tally.down_sent, &tally.down));
            if tally.echoed != StreamCounts::default() {
                // Some connections reached a target that echoes: they sent the messages that are in no sink's report.
                let sent = tally.sent.saturating_sub(tally.up_sent + tally.unproven);
                directions.push(DirectionCounts::new(MessageDirection::RoundTrip, sent, &tally.echoed));
            }
        } else {
            directions.push(DirectionCounts::new(MessageDirection::RoundTrip, tally.sent, &tally.echoed));
        }
        Proof { streams: tally.proven, unanswered: tally.unanswered, unproven: tally.unproven, directions }
    }

    /// Returns whether every stream was verified and no message was lost, duplicated, reordered, corrupted or made up.
    pub fn holds(&self) -> bool {
        self.unanswered == 0 && self.directions.iter().all(DirectionCounts::is_clean)
    }

    /// Returns whether no received message carries a number of the client or of a sink.
    pub(super) fn is_empty(&self) -> bool {
        self.unanswered == 0 && self.directions.iter().all(|direction| direction.received == 0)
    }

    /// Returns the sum of a count over all directions.
    pub(super) fn sum(&self, count: impl Fn(&DirectionCounts) -> u64) -> u64 {
        self.directions.iter().map(count).sum()
    }
}

impl DirectionCounts {
    fn new(direction: MessageDirection, sent: u64, counts: &StreamCounts) -> DirectionCounts {
        let StreamCounts { received, doubled, reordered, corrupted } = *counts;
        DirectionCounts {
            direction,
            sent,
            received,
            lost: sent.saturating_sub(received),
            doubled,
            reordered,
            corrupted,
        }
    }

    /// Returns whether no message was lost, duplicated, reordered or corrupted. If more arrived than were sent, a count is wrong.
    pub fn is_clean(&self) -> bool {
        let bad = self.lost + self.doubled + self.reordered + self.corrupted;
        bad == 0 && self.received <= self.sent
    }
}

/// Returns the number of copies that a broadcast should make: one for each connection, or one for each but the sender's,
/// depending on the target.
pub(super) fn copies(tally: &Tally) -> u64 {
    let others = tally.sent.saturating_mul(tally.opened.saturating_sub(1));
    if tally.received > others { tally.sent.saturating_mul(tally.opened) } else { others }
}
