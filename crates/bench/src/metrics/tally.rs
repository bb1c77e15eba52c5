//! The counters of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use undrop_frame::Ending;
use undrop_transport::ConnectStage;

use crate::connection::proof::StreamCounts;
use crate::metrics::failure::{FailureCount, FailureKind, KindCounts, MAX_FAILURE_KINDS, ending_kind};
use crate::metrics::histogram::Times;
use crate::metrics::timeline::Timeline;

/// The maximum number of endings that are kept one by one, with their age; more are only counted.
pub const RECORDS: usize = 100_000;

/// The counters and histograms of a worker, or of a whole run once the tallies of its workers are merged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tally {
    // Connections.
    /// The number of connections to open.
    pub asked: u64,
    /// The number of connections that were opened at least once.
    pub opened: u64,
    /// The number of handshakes started, including those of lost connections that reconnect.
    pub attempts: u64,
    /// The number of connections that were open and responsive at the end, or were closed by the load as planned.
    pub alive_at_end: u64,
    /// The number of connections that had a session.
    pub sessions: u64,
    /// The unplanned endings of open connections, at most [`RECORDS`].
    pub endings: Vec<EndingRecord>,
    /// The number of unplanned endings beyond [`RECORDS`].
    pub more_endings: u64,
    /// The numbers of unplanned endings, by kind.
    pub ending_kinds: KindCounts<Ending>,
    /// The connections that could not be opened, by kind.
    pub failures: Vec<FailureCount>,
    /// The number of lost links that were restored, by a resume or by a new connection.
    pub resumes: u64,
    /// The number of sessions that could not be resumed without a gap.
    pub gaps: u64,

    // Messages.
    /// The number of messages that the schedule wanted sent.
    pub intended: u64,
    /// The number of messages sent.
    pub sent: u64,
    /// The number of messages received.
    pub received: u64,
    /// The number of payload bytes sent.
    pub bytes_sent: u64,
    /// The number of payload bytes received.
    pub bytes_received: u64,
    /// The number of Pings sent.
    pub pings: u64,
    /// The number of Pongs received.
    pub pongs: u64,

    // Times.
    /// From the first handshake until every connection was attempted; of several workers, the longest.
    pub opening: Duration,
    /// The time during which messages were sent; of several workers, the longest.
    pub sending: Duration,
    /// Latency of replies, from the time when the message should have been sent.
    pub corrected: Times,
    /// Latency of replies, from the time when the message was sent.
    pub uncorrected: Times,
    /// The delay between the time when a message should have been sent and the time when it was.
    pub lag: Times,
    /// The duration of the TCP phase of handshakes, including a forward proxy.
    pub connect: Times,
    /// The duration of the TLS phase of handshakes.
    pub tls: Times,
    /// From the upgrade request to its 101 response.
    pub upgrade: Times,
    /// The duration of whole handshakes.
    pub handshake: Times,
    /// From the loss of a link until messages could flow again.
    pub away: Times,

    // Proof (`--verify`).
    /// The number of connections whose streams were verified.
    pub proven: u64,
    /// The findings in our own messages that an echoing target returned, so for both directions together.
    pub echoed: StreamCounts,
    /// The findings in the messages of a sink, as received here.
    pub down: StreamCounts,
    /// The number of messages that sinks say they sent.
    pub down_sent: u64,
    /// The findings in our messages, as received by a sink.
    pub up: StreamCounts,
    /// The number of messages sent on streams whose sink reported its findings.
    pub up_sent: u64,
    /// The number of streams whose sink did not report its findings.
    pub unanswered: u64,
    /// The number of messages sent on those streams; whether they arrived is unknown.
    pub unproven: u64,
    /// The number of streams on which nothing was received.
    pub silent_streams: u64,
    /// The number of messages sent on those streams.
    pub silent_sent: u64,

    // Modes.
    /// Mode `storm`: the time between the start of the storm and the return of the last connection.
    pub last_back: Option<Duration>,
    /// Mode `scenario`: the virtual users.
    pub users: UserCounts,
    /// Mode `ramp`: the number of open connections when the target refused one for the first time.
    pub plateau: Option<u64>,

    /// All counters over time.
    pub timeline: Timeline,
    /// Processor time of the process while the load was on; zero where it is not available.
    pub cpu: Duration,
    /// The number of messages sent in that time.
    pub cpu_messages: u64,
    /// Resident memory of the process in bytes, beyond what it had before the first connection; zero where it is not available.
    pub memory: u64,
    /// Whether the user ended the run early.
    pub interrupted: bool,
}

/// The ending of one open connection, with its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndingRecord {
    /// The ending of the connection.
    pub ending: Ending,
    /// The age of the connection in seconds.
    pub age_s: f64,
    /// The time of the end, in seconds since the start of the run.
    pub at_s: f64,
}

/// The virtual users of a scenario.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UserCounts {
    /// The number of users that arrived.
    pub arrived: u64,
    /// The number of users that were not started, because the maximum number of users was active.
    pub skipped: u64,
    /// The number of users that completed their flow.
    pub completed: u64,
    /// The number of users that did not, by reason.
    pub failed: BTreeMap<String, u64>,
}

impl Tally {
    /// Records the unplanned ending of an open connection.
    pub fn ended(&mut self, record: EndingRecord) {
        self.timeline.at(record.at_s).lost += 1;
        self.ending_kinds.add(ending_kind(&record.ending), 1);
        if self.endings.len() < RECORDS {
            self.endings.push(record);
        } else {
            self.more_endings += 1;
        }
    }

    /// Records the phases of a completed handshake.
    pub fn record_handshake(&mut self, connect: Duration, tls: Option<Duration>, upgrade: Duration) {
        self.connect.record(connect);
        if let Some(tls) = tls {
            self.tls.record(tls);
        }
        self.upgrade.record(upgrade);
        self.handshake.record(connect + tls.unwrap_or_default() + upgrade);
    }

    /// Counts a handshake that failed at `stage`. `example` explains it; at most 300 characters are kept.
    pub fn failed(&mut self, stage: ConnectStage, ending: &Ending, example: &str, at_s: f64) {
        self.timeline.at(at_s).failed += 1;
        let kind = Some(FailureKind { stage, ending: ending_kind(ending) });
        let example = example.chars().take(300).collect();
        self.add_failures(FailureCount { kind, count: 1, example, first_s: at_s });
    }

    fn add_failures(&mut self, group: FailureCount) {
        let position =
            |kind: &Option<FailureKind>| self.failures.iter().position(|known| known.kind == *kind);
        let known = position(&group.kind);
        let is_full = self.failures.len() >= MAX_FAILURE_KINDS;
        let known = if is_full { known.or_else(|| position(&None)) } else { known };
        match known.and_then(|index| self.failures.get_mut(index)) {
            Some(known) => {
                known.count += group.count;
                known.first_s = known.first_s.min(group.first_s);
            }
            None if is_full => self.failures.push(FailureCount { kind: None, ..group }),
            None => self.failures.push(group),
        }
    }

    /// Allocates the memory that does not depend on the number of connections, before memory is measured.
    pub fn prepare(&mut self) {
        for times in [
            &mut self.corrected,
            &mut self.uncorrected,
            &mut self.lag,
            &mut self.connect,
            &mut self.upgrade,
            &mut self.handshake,
        ] {
            times.prepare();
        }
    }

    /// Adds the tally of another worker.
    pub fn merge(&mut self, other: Tally) {
        self.asked += other.asked;
        self.opened += other.opened;
        self.attempts += other.attempts;
        self.alive_at_end += other.alive_at_end;
        self.sessions += other.sessions;
        self.more_endings += other.more_endings;
        self.ending_kinds.merge(other.ending_kinds);
        for record in other.endings {
            if self.endings.len() < RECORDS {
                self.endings.push(record);
            } else {
                self.more_endings += 1;
            }
        }
        for group in other.failures {
            self.add_failures(group);
        }
        self.resumes += other.resumes;
        self.gaps += other.gaps;
        self.intended += other.intended;
        self.sent += other.sent;
        self.received += other.received;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.pings += other.pings;
        self.pongs += other.pongs;
        self.opening = self.opening.max(other.opening);
        self.sending = self.sending.max(other.sending);
        for (mine, its) in [
            (&mut self.corrected, &other.corrected),
            (&mut self.uncorrected, &other.uncorrected),
            (&mut self.lag, &other.lag),
            (&mut self.connect, &other.connect),
            (&mut self.tls, &other.tls),
            (&mut self.upgrade, &other.upgrade),
            (&mut self.handshake, &other.handshake),
            (&mut self.away, &other.away),
        ] {
            mine.merge(its);
        }
        self.proven += other.proven;
        self.echoed.add(&other.echoed);
        self.down.add(&other.down);
        self.down_sent += other.down_sent;
        self.up.add(&other.up);
        self.up_sent += other.up_sent;
        self.unanswered += other.unanswered;
        self.unproven += other.unproven;
        self.silent_streams += other.silent_streams;
        self.silent_sent += other.silent_sent;
        self.last_back = self.last_back.max(other.last_back);
        self.users.arrived += other.users.arrived;
        self.users.skipped += other.users.skipped;
        self.users.completed += other.users.completed;
        for (reason, count) in other.users.failed {
            *self.users.failed.entry(reason).or_default() += count;
        }
        self.plateau = match (self.plateau, other.plateau) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        self.timeline.merge(&other.timeline);
        self.cpu += other.cpu;
        self.cpu_messages += other.cpu_messages;
        self.memory += other.memory;
        self.interrupted |= other.interrupted;
    }

    /// Reclassifies silent streams after all tallies are merged: if any stream showed that the target is a sink, then a stream on
    /// which nothing was received is one whose sink did not report.
    pub fn classify_silent_streams(&mut self) {
        if self.up_sent > 0 || self.down.received > 0 || self.unanswered > 0 {
            self.unanswered += std::mem::take(&mut self.silent_streams);
            self.unproven += std::mem::take(&mut self.silent_sent);
        }
    }

    /// Returns the number of unplanned endings.
    pub fn ended_count(&self) -> u64 {
        self.endings.len() as u64 + self.more_endings
    }

    /// Returns the number of connections that could not be opened.
    pub fn failed_count(&self) -> u64 {
        self.failures.iter().map(|group| group.count).sum()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use undrop_frame::{CloseCode, LocalFault};

    use super::*;

    #[test]
    fn tallies_travel_as_json_and_add_up() {
        let mut tally = Tally { asked: 3, opened: 2, sent: 10, ..Tally::default() };
        tally.corrected.record(Duration::from_micros(1500));
        tally.failed(ConnectStage::Connect, &Ending::Refused, "cannot connect", 0.5);
        tally.ended(EndingRecord { ending: Ending::Reset, age_s: 3.0, at_s: 3.5 });
        let back: Tally = serde_json::from_str(&serde_json::to_string(&tally).unwrap()).unwrap();
        let mut sum = tally.clone();
        sum.merge(back);
        assert_eq!(
            (sum.asked, sum.sent, sum.corrected.len(), sum.ended_count(), sum.failed_count()),
            (6, 20, 2, 2, 2)
        );
        assert_eq!(sum.failures.len(), 1);
        assert_eq!(sum.timeline.at(3.5).lost, 2);
    }

    #[test]
    fn failures_are_grouped_by_stage_and_ending_but_not_by_close_reason() {
        let mut tally = Tally::default();
        let close = |reason: &str| Ending::Close { code: CloseCode::new(1008), reason: reason.to_owned() };
        tally.failed(ConnectStage::Session, &close("one"), "one", 1.0);
        tally.failed(ConnectStage::Session, &close("two"), "two", 0.5);
        tally.failed(ConnectStage::Connect, &LocalFault::ConnectionLimit.into(), "no room", 2.0);
        let groups: Vec<_> = tally.failures.iter().map(|group| (group.count, group.is_own_limit())).collect();
        assert_eq!(groups, [(2, false), (1, true)]);
        assert_eq!((tally.failures[0].first_s, tally.failures[0].example.as_str()), (0.5, "one"));
    }

    #[test]
    fn kinds_of_failures_are_bounded() {
        let mut tally = Tally::default();
        for number in 0..1000 {
            let ending = LocalFault::Configuration(number.to_string()).into();
            tally.failed(ConnectStage::Connect, &ending, "why", 1.0);
        }
        assert_eq!(tally.failures.len(), MAX_FAILURE_KINDS + 1);
        assert_eq!(tally.failed_count(), 1000);
        assert_eq!(tally.failures.iter().filter(|group| group.kind.is_none()).count(), 1);
    }
}
