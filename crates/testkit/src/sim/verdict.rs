//! Whether a run kept its promise.

use std::fmt;
use std::time::Duration;

use undrop_frame::CloseCode;

use super::World;
use super::schedule::{Closes, Kind};

/// What a run went through.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Turns of the loop.
    pub steps: u64,
    /// Links that were tried.
    pub attempts: u64,
    /// Links that took over a session.
    pub resumes: u64,
    /// Sessions that were replaced by new ones.
    pub losses: u64,
    /// Sessions that moved to another owner.
    pub moves: u64,
    /// Messages that arrived, both ways.
    pub delivered: u64,
    /// How long the run took in its own time.
    pub virtual_time: Duration,
}

/// A run that broke its promise.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The seed that shows it again.
    pub seed: u64,
    /// What happened.
    pub what: String,
    /// The log of the run, when one was asked for.
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
    /// Everything that has to arrive has arrived, and both ends know it.
    pub(super) fn is_home(&self) -> bool {
        match self.schedule.closes {
            // A client that never had a link and has nothing to say closes alone.
            Closes::Client => {
                self.page.closed.is_some() && (self.backend.closed.is_some() || self.page.sent == 0)
            }
            Closes::Backend => {
                // Whether the last ack arrives is not for the client to know.
                self.page.closed.is_some()
            }
            Closes::Nobody => {
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

    pub(super) fn whats_missing(&self) -> String {
        let progress = self.live().map(|owner| owner.gateway.progress());
        format!(
            "not home in time: client sent {} of {}, backend saw {}, client queue {}; backend sent {} of {}, client saw {:?}; \
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

    /// The last look. Order, contents and doubles were judged as they happened.
    pub(super) fn judge(&mut self) -> Result<(), String> {
        self.report.delivered = self.page.received + self.backend.received;
        let closes = self.schedule.closes;
        if closes != Closes::Client {
            // Every message of every session the client was in is seen or stated as lost.
            let opened = if self.schedule.kind == Kind::Exact { 1..=1 } else { 1..=self.sessions };
            for epoch in opened {
                self.is_accounted_for(epoch)?;
            }
        }
        match closes {
            Closes::Client if self.page.closed != Some(CloseCode::new(4001)) => {
                return Err(format!("the client closed with {:?}", self.page.closed));
            }
            Closes::Client if self.page.sent > 0 && self.backend.closed != Some(CloseCode::new(4001)) => {
                return Err(format!("the backend heard {:?}", self.backend.closed));
            }
            Closes::Backend if self.page.closed != Some(CloseCode::new(4002)) => {
                return Err(format!("the client heard {:?}", self.page.closed));
            }
            _ => {}
        }
        if closes == Closes::Nobody && self.page.acked != self.page.sent {
            return Err(format!("{} receipts for {} messages", self.page.acked, self.page.sent));
        }
        let announced: u64 = match self.schedule.kind {
            Kind::DropOldest => self.page.announced.iter().map(|(_, from, to)| to - from + 1).sum(),
            _ => 0,
        };
        if announced > self.backend.dropped {
            return Err(format!("{announced} announced as dropped, {} were", self.backend.dropped));
        }
        if self.schedule.kind == Kind::Exact && !self.page.announced.is_empty() {
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

    /// A session that was followed by another one: what was seen of it last is known from its announcements.
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
