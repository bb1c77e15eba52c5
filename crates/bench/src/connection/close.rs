//! The end of one connection: whether the other end is still there, what it counted, and what that proves.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use undrop_transport::Ending;

use super::Connection;
use crate::connection::handshake::within;
use crate::connection::proof::Outgoing;
use crate::connection::stamp::Kind;
use crate::connection::transport::Wire;
use crate::plan::Payload;

/// Longest wait for the answer to a last Ping or question.
const LAST_WORD: Duration = Duration::from_secs(10);

impl Connection {
    /// The load is over: is the other end still there? Then good-bye.
    pub(super) async fn last_words(&mut self, mut wire: Wire) {
        // A session that is just looking for a link finds one, or is dead.
        let found = async {
            while self.lost_us.is_some() {
                self.hear(&mut wire).await?;
            }
            Ok::<(), Ending>(())
        };
        match within(LAST_WORD, found).await {
            Some(Ok(())) => {}
            Some(Err(ending)) => return self.ended(&ending),
            // Its loss was noted when it happened.
            None => return,
        }
        let asks = self.shared.plan.verify && self.out.sent() > 0 && self.shared.sink.get();
        if asks {
            self.ask(&mut wire).await;
        }
        let silent_before = self.slot.heard_us.get();
        let mut alive = asks && self.totals.is_some();
        if !alive && matches!(wire, Wire::Plain(_)) {
            if wire.ping() {
                self.pinged = true;
                self.shared.tally.borrow_mut().pings += 1;
            }
            let answered = within(LAST_WORD, self.hear(&mut wire)).await;
            match answered {
                Some(Ok(())) => alive = true,
                Some(Err(ending)) => return self.ended(&ending),
                None => {
                    self.slot.heard_us.set(silent_before);
                    return self.ended(&Ending::BlackHole);
                }
            }
        }
        if self.lost_us.is_some() {
            // A session that is still looking for a link; its loss has been noted.
            return;
        }
        let session = matches!(wire, Wire::Session(_));
        let (ending, unacked) = wire.close().await;
        if alive || (session && unacked == 0 && ending.close().is_some()) {
            let mut tally = self.shared.tally.borrow_mut();
            tally.alive_at_end += 1;
            tally.timeline.at(self.shared.clock.now_s()).closed += 1;
        } else {
            self.ended(&ending);
        }
    }

    /// Reads until anything comes.
    async fn hear(&mut self, wire: &mut Wire) -> Result<(), Ending> {
        let arrival = poll_fn(|cx| {
            wire.flush(cx);
            wire.poll(cx)
        })
        .await?;
        self.take(arrival);
        Ok(())
    }

    /// Asks a sink for its count.
    async fn ask(&mut self, wire: &mut Wire) {
        let binary = matches!(self.shared.plan.payload, Payload::Stamped { binary: true, .. });
        let mut question = Vec::new();
        let mut aside = Outgoing::new(Kind::Ask, self.shared.run, self.number);
        aside.next(&[], 0, 0).write(binary, &mut question);
        let exchange = async {
            let mut asked = false;
            while self.totals.is_none() {
                if !asked {
                    asked = poll_fn(|cx| Poll::Ready(wire.offer(cx, binary, &question))).await;
                }
                if self.hear(wire).await.is_err() {
                    return;
                }
            }
        };
        // Without an answer the streams count as unproven.
        let _ = within(LAST_WORD, exchange).await;
    }

    /// Adds what was proven about this connection's streams.
    pub(super) fn settle_proof(&mut self) {
        if !self.shared.plan.verify || self.opened_us == 0 {
            return;
        }
        let mut tally = self.shared.tally.borrow_mut();
        tally.proven += 1;
        tally.echoed.add(&self.echoed.counts());
        self.others.values().for_each(|incoming| tally.echoed.add(&incoming.counts()));
        tally.down.add(&self.down.counts());
        match &self.totals {
            Some(totals) => {
                tally.up.add(&totals.up);
                tally.up_sent += self.out.sent();
                tally.down_sent += totals.sent;
            }
            None if self.down.seen() > 0 => {
                tally.unanswered += 1;
                tally.unproven += self.out.sent();
            }
            None if self.out.sent() > 0 && self.received == 0 => {
                tally.silent_streams += 1;
                tally.silent_sent += self.out.sent();
            }
            None => {}
        }
    }
}
