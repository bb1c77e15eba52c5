//! What a worker counted. Tallies of workers add up.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::connection::proof::Counts;
use crate::metrics::histogram::Times;

/// Endings and failures that are kept one by one, with their age; beyond that they are only counted.
pub const RECORDS: usize = 100_000;
/// Longest timeline, entries.
const SLOTS: usize = 4096;

/// Everything that was counted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Connections that were to be opened.
    pub asked: u64,
    /// Connections that were opened at least once.
    pub opened: u64,
    /// Handshakes begun: first ones and those of lost connections that come back.
    pub attempts: u64,
    /// Connections that were still there at the end and answered.
    pub alive_at_end: u64,
    /// Connections that had a session.
    pub sessions: u64,
    /// How connections that were open ended, against our will.
    pub endings: Vec<EndingRecord>,
    /// Endings beyond [`RECORDS`].
    pub more_endings: u64,
    /// Connections that could not be opened.
    pub failures: BTreeMap<String, Failures>,
    /// Lost links that came back, by resume or by a new connection.
    pub resumes: u64,
    /// Sessions that could not be resumed, and stated a gap.
    pub gaps: u64,
    /// Messages that the schedule wanted sent.
    pub intended: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Pings of ours, and their answers.
    pub pings: u64,
    /// Pongs received.
    pub pongs: u64,
    /// From the first handshake until every connection was tried, of the worker that took longest.
    pub opening: Duration,
    /// Time that messages were sent in, of the worker that took longest.
    pub sending: Duration,
    /// From when a message should have been sent to its answer.
    pub corrected: Times,
    /// From when it was sent to its answer.
    pub uncorrected: Times,
    /// From when a message should have been sent to when it was.
    pub lag: Times,
    /// TCP (and proxy) phase of handshakes.
    pub connect: Times,
    /// TLS phase.
    pub tls: Times,
    /// From the request to the 101.
    pub upgrade: Times,
    /// All phases together.
    pub handshake: Times,
    /// From the loss of a link until messages can flow again.
    pub away: Times,
    /// Streams whose proof counts are in `echoed`, `down` and `up`.
    pub proven: u64,
    /// Messages of ours that an echoing target returned: both directions together.
    pub echoed: Counts,
    /// Messages of a sink, as we received them.
    pub down: Counts,
    /// Messages of a sink that were sent: it says so itself.
    pub down_sent: u64,
    /// Messages of ours, as a sink received them.
    pub up: Counts,
    /// Messages of ours that a sink was asked about.
    pub up_sent: u64,
    /// Streams whose sink did not answer the last question.
    pub unanswered: u64,
    /// Messages that were sent on those: whether they arrived is not known.
    pub unproven: u64,
    /// Streams on which nothing at all came back.
    pub silent_streams: u64,
    /// Messages that were sent on those.
    pub silent_sent: u64,
    /// Storm: when the last one was back, since the cut.
    pub last_back: Option<Duration>,
    /// Scenario: virtual users that ended as their flow says, and those that did not, with the reason.
    pub users: Users,
    /// Ramp: connections that were open when the target first refused one.
    pub plateau: Option<u64>,
    /// What happened when.
    pub timeline: Timeline,
    /// Processor time of the process while the load was on, where known.
    pub cpu: Duration,
    /// Messages sent in that time.
    pub cpu_messages: u64,
    /// Memory of the process above what it had before the first connection, bytes, where known.
    pub memory: u64,
    /// The run was ended early by the user.
    pub interrupted: bool,
}

/// How one connection ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndingRecord {
    /// In the shared vocabulary.
    pub ending: String,
    /// What a browser would have shown.
    pub browser: u16,
    /// A close reason, if there was one.
    pub reason: String,
    /// Age of the connection, seconds.
    pub age_s: f64,
    /// Since the begin of the run, seconds.
    pub at_s: f64,
}

/// Connections that failed in the same way.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Failures {
    /// How many.
    pub count: u64,
    /// How far they got: connect, tls, handshake or session.
    pub stage: String,
    /// In the shared vocabulary.
    pub ending: String,
    /// One of them in words.
    pub example: String,
    /// The first one, seconds since the begin of the run.
    pub first_s: f64,
}

/// Virtual users of a scenario.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Users {
    /// Arrived.
    pub arrived: u64,
    /// Not started, since as many as allowed were there already.
    pub skipped: u64,
    /// Did all that their flow says.
    pub completed: u64,
    /// Did not, by reason.
    pub failed: BTreeMap<String, u64>,
}

/// Counters per slot of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// Seconds per slot.
    pub step: f64,
    /// Slots from the begin of the run.
    pub slots: Vec<Slot>,
}

/// What happened within one slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Connections opened (or open again).
    pub opened: u64,
    /// Connections lost.
    pub lost: u64,
    /// Connections closed on purpose.
    pub closed: u64,
    /// Handshakes that failed.
    pub failed: u64,
    /// Handshakes begun.
    pub attempts: u64,
    /// Messages intended.
    pub intended: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Timeline { step: 0.1, slots: Vec::new() }
    }
}

impl Slot {
    fn add(&mut self, other: &Slot) {
        self.opened += other.opened;
        self.lost += other.lost;
        self.closed += other.closed;
        self.failed += other.failed;
        self.attempts += other.attempts;
        self.intended += other.intended;
        self.sent += other.sent;
        self.received += other.received;
    }
}

impl Timeline {
    /// The slot of this time, seconds since the begin of the run. Slots get twice as long when there are too many.
    pub fn at(&mut self, seconds: f64) -> &mut Slot {
        let seconds = if seconds.is_finite() { seconds.max(0.0) } else { 0.0 };
        while seconds / self.step >= SLOTS as f64 {
            self.halve();
        }
        let index = (seconds / self.step) as usize;
        if index >= self.slots.len() {
            self.slots.resize(index + 1, Slot::default());
        }
        &mut self.slots[index]
    }

    /// Adds another worker's.
    pub fn merge(&mut self, other: &Timeline) {
        let mut other = other.clone();
        while self.step < other.step * 0.99 {
            self.halve();
        }
        while other.step < self.step * 0.99 {
            other.halve();
        }
        if self.slots.len() < other.slots.len() {
            self.slots.resize(other.slots.len(), Slot::default());
        }
        for (mine, its) in self.slots.iter_mut().zip(&other.slots) {
            mine.add(its);
        }
    }

    fn halve(&mut self) {
        let merged = self.slots.chunks(2).map(|pair| {
            let mut slot = pair[0];
            if let Some(second) = pair.get(1) {
                slot.add(second);
            }
            slot
        });
        self.slots = merged.collect();
        self.step *= 2.0;
    }
}

impl Tally {
    /// Notes how an open connection ended against our will.
    pub fn ended(&mut self, record: EndingRecord) {
        self.timeline.at(record.at_s).lost += 1;
        if self.endings.len() < RECORDS {
            self.endings.push(record);
        } else {
            self.more_endings += 1;
        }
    }

    /// Notes the phases of a handshake that was done.
    pub fn note_handshake(&mut self, connect: Duration, tls: Option<Duration>, upgrade: Duration) {
        self.connect.record(connect);
        if let Some(tls) = tls {
            self.tls.record(tls);
        }
        self.upgrade.record(upgrade);
        self.handshake.record(connect + tls.unwrap_or_default() + upgrade);
    }

    /// Notes a handshake that failed.
    pub fn failed(&mut self, stage: &str, ending: &str, example: &str, at_s: f64) {
        self.timeline.at(at_s).failed += 1;
        let key = format!("{stage}: {ending}");
        // A server may word every refusal differently; the table stays readable and bounded.
        let key = if self.failures.contains_key(&key) || self.failures.len() < 64 {
            key
        } else {
            "others".to_owned()
        };
        let entry = self.failures.entry(key).or_insert_with(|| Failures {
            count: 0,
            stage: stage.to_owned(),
            ending: ending.to_owned(),
            example: example.chars().take(300).collect(),
            first_s: at_s,
        });
        entry.count += 1;
    }

    /// Takes the memory that does not depend on the number of connections.
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

    /// Adds another worker's.
    pub fn merge(&mut self, other: Tally) {
        self.asked += other.asked;
        self.opened += other.opened;
        self.attempts += other.attempts;
        self.alive_at_end += other.alive_at_end;
        self.sessions += other.sessions;
        self.more_endings += other.more_endings;
        for record in other.endings {
            if self.endings.len() < RECORDS {
                self.endings.push(record);
            } else {
                self.more_endings += 1;
            }
        }
        for (key, failures) in other.failures {
            match self.failures.get_mut(&key) {
                Some(mine) => {
                    mine.count += failures.count;
                    mine.first_s = mine.first_s.min(failures.first_s);
                }
                None => drop(self.failures.insert(key, failures)),
            }
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

    /// Once all is added up: where one stream showed that the target is a sink, a stream on which nothing came back is one that
    /// the sink did not answer for.
    pub fn judge_silence(&mut self) {
        if self.up_sent > 0 || self.down.received > 0 || self.unanswered > 0 {
            self.unanswered += std::mem::take(&mut self.silent_streams);
            self.unproven += std::mem::take(&mut self.silent_sent);
        }
    }

    /// Endings of all kinds.
    pub fn ended_count(&self) -> u64 {
        self.endings.len() as u64 + self.more_endings
    }

    /// Connections that could not be opened.
    pub fn failed_count(&self) -> u64 {
        self.failures.values().map(|failures| failures.count).sum()
    }
}

/// What a run looks like now: for a live view. Snapshots of workers add up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// Since the begin of the run, seconds.
    pub at_s: f64,
    /// What is going on.
    pub phase: Phase,
    /// Connections to be opened.
    pub asked: u64,
    /// Connections open now.
    pub alive: u64,
    /// Handshakes under way.
    pub opening: u64,
    /// Connections that could not be opened so far.
    pub failed: u64,
    /// Endings so far, by kind.
    pub endings: BTreeMap<String, u64>,
    /// Failures so far, by kind.
    pub failures: BTreeMap<String, u64>,
    /// Messages so far.
    pub intended: u64,
    /// Messages sent so far.
    pub sent: u64,
    /// Messages received so far.
    pub received: u64,
    /// Bytes received so far.
    pub bytes_received: u64,
    /// Bytes sent so far.
    pub bytes_sent: u64,
    /// Lost links that came back so far.
    pub resumes: u64,
    /// Latency since the snapshot before (corrected where there is a schedule).
    pub recent: Times,
}

/// What is going on in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Connections are being opened.
    #[default]
    Opening,
    /// The load is on.
    Running,
    /// Nothing is sent any more; answers are awaited.
    Settling,
    /// What is still open is asked whether it is alive, and closed.
    Closing,
}

impl Snapshot {
    /// Adds another worker's.
    pub fn merge(&mut self, other: Snapshot) {
        self.at_s = self.at_s.max(other.at_s);
        self.phase = self.phase.min(other.phase);
        self.asked += other.asked;
        self.alive += other.alive;
        self.opening += other.opening;
        self.failed += other.failed;
        for (mine, its) in [(&mut self.endings, other.endings), (&mut self.failures, other.failures)] {
            for (kind, count) in its {
                *mine.entry(kind).or_default() += count;
            }
        }
        self.intended += other.intended;
        self.sent += other.sent;
        self.received += other.received;
        self.bytes_received += other.bytes_received;
        self.bytes_sent += other.bytes_sent;
        self.resumes += other.resumes;
        self.recent.merge(&other.recent);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_timeline_stays_bounded_and_loses_nothing() {
        let mut timeline = Timeline::default();
        for second in 0..10_000 {
            timeline.at(f64::from(second)).sent += 1;
        }
        assert!(timeline.slots.len() <= SLOTS);
        assert_eq!(timeline.slots.iter().map(|slot| slot.sent).sum::<u64>(), 10_000);
        let mut short = Timeline::default();
        short.at(3.0).sent += 5;
        short.merge(&timeline);
        assert_eq!(short.step, timeline.step);
        assert_eq!(short.slots.iter().map(|slot| slot.sent).sum::<u64>(), 10_005);
    }

    #[test]
    fn tallies_travel_as_json_and_add_up() {
        let mut tally = Tally { asked: 3, opened: 2, sent: 10, ..Tally::default() };
        tally.corrected.record(Duration::from_micros(1500));
        tally.failed("connect", "refused", "cannot connect", 0.5);
        let record = EndingRecord {
            ending: "RST".into(),
            browser: 1006,
            reason: String::new(),
            age_s: 3.0,
            at_s: 3.5,
        };
        tally.ended(record);
        let back: Tally = serde_json::from_str(&serde_json::to_string(&tally).unwrap()).unwrap();
        let mut sum = tally.clone();
        sum.merge(back);
        assert_eq!(
            (sum.asked, sum.sent, sum.corrected.len(), sum.ended_count(), sum.failed_count()),
            (6, 20, 2, 2, 2)
        );
        assert_eq!(sum.timeline.at(3.5).lost, 2);
    }
}
