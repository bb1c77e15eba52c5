//! The end of one connection: whether the peer still responds, what it counted, and what that proves.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use undrop_frame::Ending;

use crate::connection::Connection;
use crate::connection::handshake::within;
use crate::connection::proof::OutgoingStream;
use crate::connection::stamp::StampKind;
use crate::connection::transport::Transport;
use crate::plan::Payload;

/// The maximum time to wait for the reply to the last Ping or query.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);

impl Connection {
    /// Checks, after the load, whether the peer still responds, and closes the connection.
    pub(super) async fn finish(&mut self, mut transport: Transport) {
        // A session without a link either finds one in time or is dead.
        let restored = async {
            while self.lost_us.is_some() {
                self.receive(&mut transport).await?;
            }
            Ok::<(), Ending>(())
        };
        match within(REPLY_TIMEOUT, restored).await {
            Some(Ok(())) => {}
            Some(Err(ending)) => return self.record_ending(&ending),
            // The loss was recorded when it happened.
            None => return,
        }
        let queries_sink = self.env.plan.verify && self.outgoing.sent() > 0 && self.env.is_sink.get();
        if queries_sink {
            self.query_sink(&mut transport).await;
        }
        let silent_since = self.signals.liveness.last_active_us.get();
        let mut is_alive = queries_sink && self.sink_totals.is_some();
        if !is_alive && matches!(transport, Transport::Plain(_)) {
            if transport.ping() {
                self.awaits_pong = true;
                self.env.metrics.tally().pings += 1;
            }
            match within(REPLY_TIMEOUT, self.receive(&mut transport)).await {
                Some(Ok(())) => is_alive = true,
                Some(Err(ending)) => return self.record_ending(&ending),
                None => {
                    self.signals.liveness.last_active_us.set(silent_since);
                    return self.record_ending(&Ending::BlackHole);
                }
            }
        }
        if self.lost_us.is_some() {
            // The session lost its link again; the loss was recorded.
            return;
        }
        let is_session = matches!(transport, Transport::Session(_));
        let (ending, unacked) = transport.close().await;
        if is_alive || (is_session && unacked == 0 && ending.close().is_some()) {
            let mut tally = self.env.metrics.tally();
            tally.alive_at_end += 1;
            tally.timeline.at(self.env.clock.now_s()).closed += 1;
        } else {
            self.record_ending(&ending);
        }
    }

    /// Waits for the next event of the transport and handles it.
    async fn receive(&mut self, transport: &mut Transport) -> Result<(), Ending> {
        let event = poll_fn(|cx| {
            transport.flush(cx);
            transport.poll(cx)
        })
        .await?;
        self.on_event(event);
        Ok(())
    }

    /// Asks a sink for its findings. Without a reply in time the streams count as unproven.
    async fn query_sink(&mut self, transport: &mut Transport) {
        let binary = matches!(self.env.plan.payload, Payload::Stamped { binary: true, .. });
        let mut query = Vec::new();
        let mut stream = OutgoingStream::new(StampKind::Query, self.env.run_id, self.number);
        stream.next(&[], 0, 0).write(binary, &mut query);
        let exchange = async {
            let mut is_sent = false;
            while self.sink_totals.is_none() {
                if !is_sent {
                    is_sent = poll_fn(|cx| Poll::Ready(transport.offer(cx, binary, &query))).await;
                }
                if self.receive(transport).await.is_err() {
                    return;
                }
            }
        };
        let _ = within(REPLY_TIMEOUT, exchange).await;
    }

    /// Adds the findings in the streams of this connection to the tally.
    pub(super) fn record_proof(&mut self) {
        if !self.env.plan.verify || self.opened_us == 0 {
            return;
        }
        let mut tally = self.env.metrics.tally();
        tally.proven += 1;
        tally.echoed.add(&self.echoed.counts());
        self.from_others.values().for_each(|stream| tally.echoed.add(&stream.counts()));
        tally.down.add(&self.from_sink.counts());
        match &self.sink_totals {
            Some(totals) => {
                tally.up.add(&totals.up);
                tally.up_sent += self.outgoing.sent();
                tally.down_sent += totals.sent;
            }
            None if self.from_sink.highest() > 0 => {
                tally.unanswered += 1;
                tally.unproven += self.outgoing.sent();
            }
            None if self.outgoing.sent() > 0 && self.received == 0 => {
                tally.silent_streams += 1;
                tally.silent_sent += self.outgoing.sent();
            }
            None => {}
        }
    }
}
