//! The verdict on a run: whether every message arrived exactly once.

use std::fmt;
use std::time::Duration;

use undrop_frame::CloseCode;

use super::World;
use super::schedule::{Closes, ScheduleKind};

/// The counters of a run.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The number of turns of the loop.
    pub steps: u64,
    /// The number of attempted links.
    pub attempts: u64,
    /// The number of links that resumed a session.
    pub resumes: u64,
    /// The number of sessions that were replaced by new ones.
    pub losses: u64,
    /// The number of moves of a session to another owner.
    pub moves: u64,
    /// The number of messages that arrived, both ways.
    pub delivered: u64,
    /// The duration of the run in virtual time.
    pub virtual_time: Duration,
}

/// A run in which a message was lost, doubled or reordered.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed that reproduces the run.
    pub seed: u64,
    /// A description of the failure.
    pub what: String,
    /// The log of the run, if it was requested.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "{line}")?;
        }
        write!(
            f,
            "seed {}: {}\nagain: cargo run -p undrop-testkit --release --bin simulate -- --seed {} --trace",
            self.seed, self.what, self.seed
        )
    }
}

impl std::error::Error for Failure {}

impl World {
    /// Returns whether everything has arrived and both ends know it.
    pub(super) fn is_complete(&self) -> bool {
        match self.schedule.closes {
            // A client that never had a link and sent nothing closes alone.
            Closes::Client => {
                self.page.closed.is_some() && (self.backend.closed.is_some() || self.page.sent == 0)
            }
            Closes::Backend => {
                // The client cannot know whether its last ack arrives.
                self.page.closed.is_some()
            }
            Closes::Neither => {
                let Some(owner) = self.live() else { return false };
                let progress = owner.gateway.progress();
                self.page.sent == u64::from(self.schedule.client_messages)
                    && self.backend.total == u64::from(self.schedule.backend_messages)
                    && self.backend.seen == self.page.sent
                    && self.client.queued() == 0
                    && progress.acked == progress.appended
                    && owner.pipe.is_empty()
                    && self.page.epoch == owner.epoch
            }
        }
    }

    pub(super) fn describe_missing(&self) -> String {
        let progress = self.live().map(|owner| owner.gateway.progress());
        format!(
            "incomplete at the deadline: client sent {} of {}, backend saw {}, client queue {}; backend sent {} of {}, client saw {:?}; \
             closes {:?}, client {:?}, backend {:?}; client is {:?} with session {}, gateway {progress:?}",
            self.page.sent,
            self.schedule.client_messages,
            self.backend.seen,
            self.client.queued(),
            self.backend.total,
            self.schedule.backend_messages,
            self.page.seen,
            self.schedule.closes,
            self.page.closed,
            self.backend.closed,
            self.client.state(),
            self.page.epoch,
        )
    }

    /// Checks the end state. Order, contents and duplicates were checked as the messages arrived.
    pub(super) fn check_end_state(&mut self) -> Result<(), String> {
        self.report.delivered = self.page.received + self.backend.received;
        let closes = self.schedule.closes;
        if closes != Closes::Client {
            // Every message of each session that the client had was seen or reported as lost.
            let opened = if self.schedule.kind == ScheduleKind::Exact { 1..=1 } else { 1..=self.sessions };
            for epoch in opened {
                self.is_accounted_for(epoch)?;
            }
        }
        match closes {
            Closes::Client if self.page.closed != Some(CloseCode::new(4001)) => {
                return Err(format!("the client closed with {:?}", self.page.closed));
            }
            Closes::Client if self.page.sent > 0 && self.backend.closed != Some(CloseCode::new(4001)) => {
                return Err(format!("the backend was closed with {:?}", self.backend.closed));
            }
            Closes::Backend if self.page.closed != Some(CloseCode::new(4002)) => {
                return Err(format!("the client was closed with {:?}", self.page.closed));
            }
            _ => {}
        }
        if closes == Closes::Neither && self.page.acked != self.page.sent {
            return Err(format!("{} receipts for {} messages", self.page.acked, self.page.sent));
        }
        let announced: u64 = match self.schedule.kind {
            ScheduleKind::DropOldest => self.page.announced.iter().map(|(_, from, to)| to - from + 1).sum(),
            _ => 0,
        };
        if announced > self.backend.dropped {
            return Err(format!("{announced} announced as dropped, {} were", self.backend.dropped));
        }
        if self.schedule.kind == ScheduleKind::Exact && !self.page.announced.is_empty() {
            return Err(format!("loss stated where nothing was lost: {:?}", self.page.announced));
        }
        Ok(())
    }

    fn is_accounted_for(&self, epoch: u64) -> Result<(), String> {
        let sent = self.backend.sent.get(epoch as usize - 1).copied().unwrap_or(0);
        let seen = match self.page.seen {
            (at, last) if at == epoch => last,
            (at, _) if at > epoch => return self.is_tail_announced(epoch, sent),
            _ => 0,
        };
        let stated =
            self.page.announced.iter().any(|(e, from, to)| *e == epoch && *from <= seen + 1 && *to >= sent);
        let never_opened = self.page.epoch != epoch && seen == 0 && !stated;
        if seen < sent && !stated && !never_opened {
            return Err(format!("session {epoch}: {seen} of {sent} seen, and the rest not stated as lost"));
        }
        Ok(())
    }

    /// Checks a session that was followed by another one: its reported losses show the last unit that was seen.
    fn is_tail_announced(&self, epoch: u64, sent: u64) -> Result<(), String> {
        let last = self.page.last_of(epoch);
        let stated =
            self.page.announced.iter().any(|(e, from, to)| *e == epoch && *from <= last + 1 && *to >= sent);
        let never_opened = last == 0 && !self.page.announced.iter().any(|(e, ..)| *e == epoch);
        if last < sent && !stated && !never_opened {
            return Err(format!("session {epoch}: {last} of {sent} seen, and the rest not stated as lost"));
        }
        Ok(())
    }
}
