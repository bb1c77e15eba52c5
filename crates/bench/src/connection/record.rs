//! The entries that one connection makes in the metrics.

use std::time::Duration;

use undrop_frame::Ending;

use crate::connection::Connection;
use crate::connection::handshake::OpenError;
use crate::metrics::tally::EndingRecord;

impl Connection {
    /// Records that the connection is open, for the first time or again.
    pub(super) fn on_opened(&mut self) {
        let now = self.env.clock.now_us();
        self.opened_us = now;
        self.signals.liveness.last_active_us.set(now);
        self.env.metrics.tally().timeline.at(now as f64 / 1e6).opened += 1;
        self.set_alive(true);
    }

    pub(super) fn set_alive(&mut self, alive: bool) {
        if self.is_alive != alive {
            self.is_alive = alive;
            self.env.counters.change(&self.env.counters.alive, if alive { 1 } else { -1 });
        }
    }

    /// Records an unplanned ending.
    pub(super) fn record_ending(&self, ending: &Ending) {
        let now = self.env.clock.now_us();
        // A black hole started with the last sign of life, not when the time limit was reached.
        let ended =
            if *ending == Ending::BlackHole { self.signals.liveness.last_active_us.get() } else { now };
        self.env.metrics.tally().ended(EndingRecord {
            ending: ending.clone(),
            age_s: ended.saturating_sub(self.opened_us) as f64 / 1e6,
            at_s: ended as f64 / 1e6,
        });
    }

    /// Records a handshake that failed.
    pub(super) fn record_failure(&self, error: &OpenError) {
        let at = self.env.clock.now_s();
        self.env.metrics.tally().failed(error.stage, &error.ending, &error.why, at);
        self.env.counters.notify();
    }

    /// Records the loss of the link.
    pub(super) fn on_lost(&mut self) {
        let now = self.env.clock.now_us();
        self.lost_us.get_or_insert(now);
        self.set_alive(false);
        self.signals.liveness.awaits_reply.set(false);
        let storm = &self.env.storm;
        storm.start(now);
        if !self.loss_counted {
            self.loss_counted = true;
            self.env.counters.change(&storm.lost, 1);
        }
    }

    /// Records that a lost link was restored after `away`.
    pub(super) fn on_restored(&mut self, away: Duration) {
        let env = self.env.clone();
        let now = env.clock.now_us();
        let storm = &env.storm;
        let was_lost = self.lost_us.take().is_some();
        self.set_alive(true);
        {
            let mut tally = env.metrics.tally();
            tally.resumes += 1;
            tally.away.record(away);
            if let Some(started) = storm.started_us.get() {
                let since = Duration::from_micros(now.saturating_sub(started));
                tally.last_back = tally.last_back.max(Some(since));
            }
        }
        if was_lost && storm.restored.get() < storm.lost.get() {
            env.counters.change(&storm.restored, 1);
        }
    }

    /// Records that the connection will not be reopened.
    pub(super) fn on_given_up(&self) {
        if self.loss_counted {
            self.env.counters.change(&self.env.storm.given_up, 1);
        }
    }
}
