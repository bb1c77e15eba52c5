//! The driver of the client's machine, the counterpart of `undrop-client`.

use undrop_fault::{CloseManner, Delivery, Side};
use undrop_frame::{Incoming, OpCode};
use undrop_session::{
    ClientEvent, ClientState, GapReason, LinkEnd, LinkMode, Transmit, is_session_protocol, offer,
};

use super::applications::{HURRIED, message};
use super::connection::{Connection, EndpointPhase};
use super::schedule::Closes;
use super::{World, trace};

/// The number of bytes in the client's socket from which its driver no longer polls the machine for output.
const SOCKET: usize = 1500;

impl World {
    pub(super) fn client_turn(&mut self) -> Result<(), String> {
        let now = self.now;
        if self.client.poll_timeout().is_some_and(|at| at <= now) {
            self.client.handle_timeout(now);
        }
        self.drain_client_events();
        self.dial();
        for at in 0..self.connections.len() {
            self.client_reads(at)?;
        }
        self.page_acts()?;
        self.client_writes();
        self.drain_client_events();
        self.dial();
        for connection in &mut self.connections {
            connection.client.flush(now, &mut connection.pair);
        }
        match self.page.wrong.take() {
            Some(wrong) => Err(wrong),
            None => Ok(()),
        }
    }

    fn dial(&mut self) {
        while let Some(attempt) = self.client.poll_connect(self.now) {
            let Some(hello) = &attempt.hello else { return };
            let faults = match self.healed {
                true => Default::default(),
                false => self.schedule.faults(&mut self.rng),
            };
            trace!(self, "client dials attempt {}: {hello:?}; {faults:?}", attempt.n);
            let mut connection = Connection::new(self.now, attempt.n, faults, self.rng.u64(..));
            let line = format!("{}\n", offer(&["chat".to_owned()], hello).join(", "));
            connection.client.out.extend(line.as_bytes());
            // Faults apply to the request, too; some attempts never reach the gateway.
            if !self.healed && self.rng.f64() < 0.03 {
                connection.cut(self.now, CloseManner::Silent, &mut self.rng);
            }
            self.connections.push(connection);
            self.report.attempts += 1;
            self.drain_client_events();
        }
    }

    fn client_reads(&mut self, at: usize) -> Result<(), String> {
        let now = self.now;
        let connection = &mut self.connections[at];
        if connection.client.notices.is_some_and(|notices| notices <= now) && connection.client.is_there() {
            connection.client.vanish(now, &mut connection.pair, CloseManner::Rst);
            let n = connection.n;
            self.client.handle_link_down(now, n, LinkEnd::default());
            return Ok(());
        }
        loop {
            let connection = &mut self.connections[at];
            if connection.client.is_there() && !self.client.wants_read() {
                return Ok(());
            }
            let Some(delivery) = connection.pair.poll_deliver(now, Side::A) else { return Ok(()) };
            if !connection.client.is_there() {
                continue;
            }
            match delivery {
                Delivery::Bytes(bytes) => self.client_bytes(at, bytes)?,
                Delivery::Fin | Delivery::Rst => {
                    connection.client.vanish(now, &mut connection.pair, CloseManner::Rst);
                    let n = connection.n;
                    trace!(self, "client: link {n} ended");
                    self.client.handle_link_down(now, n, LinkEnd::default());
                }
            }
        }
    }

    fn client_bytes(&mut self, at: usize, mut bytes: Vec<u8>) -> Result<(), String> {
        let now = self.now;
        let n = self.connections[at].n;
        let mut from = 0;
        if self.connections[at].client.phase == EndpointPhase::Handshake {
            let side = &mut self.connections[at].client;
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                side.line.extend(bytes);
                return Ok(());
            };
            side.line.extend(&bytes[..end]);
            let answer = String::from_utf8_lossy(&side.line).into_owned();
            side.phase = EndpointPhase::Open;
            let mode = if is_session_protocol(&answer) { LinkMode::Session } else { LinkMode::Plain };
            self.client.handle_link_up(now, n, mode);
            from = end + 1;
        }
        self.client.handle_traffic(now, n);
        let mut input = &mut bytes[from..];
        loop {
            let side = &mut self.connections[at].client;
            if side.phase != EndpointPhase::Open {
                return Ok(());
            }
            let incoming = match side.decoder.decode(&mut input) {
                Ok(Some(incoming)) => incoming,
                Ok(None) => return Ok(()),
                Err(error) => return Err(format!("the client received invalid frames: {error}")),
            };
            match incoming {
                Incoming::Ping(payload) => {
                    let payload = payload.to_vec();
                    side.write(OpCode::Pong, &payload, [7; 4]);
                }
                Incoming::Pong(_) => self.client.handle_pong(now, n),
                Incoming::Close(close) => {
                    side.close(undrop_frame::CloseCode::NORMAL, [7; 4]);
                    trace!(self, "client: link {n} closed {close:?}");
                    self.client.handle_link_down(now, n, LinkEnd { close, ..LinkEnd::default() });
                }
                data => {
                    let Ok(message) = data.into_message() else { continue };
                    trace!(self, "client: on {n} got {message:?}");
                    if let Err(error) = self.client.handle_message(now, n, message) {
                        return Err(format!("the client reports a violation by the gateway: {error}"));
                    }
                    self.drain_client_events();
                }
            }
        }
    }

    fn client_writes(&mut self) {
        loop {
            let full = match self.client.link() {
                Some(n) => self.connections.iter().any(|c| c.n == n && c.client.out.len() >= SOCKET),
                None => false,
            };
            if full {
                return;
            }
            let key = self.rng.u32(..).to_be_bytes();
            let Some((n, transmit)) = self.client.poll_transmit() else { return };
            let side = self.connections.iter_mut().find(|connection| connection.n == n);
            let Some(side) = side.map(|connection| &mut connection.client).filter(|side| side.is_there())
            else {
                continue;
            };
            match transmit {
                Transmit::Message(opcode, bytes) => side.write(opcode, &bytes, key),
                Transmit::Packet(text) => side.write(OpCode::Text, text.as_bytes(), key),
                Transmit::Ping(payload) => side.write(OpCode::Ping, &payload, key),
                Transmit::Close(code, _) => side.close(code, key),
            }
        }
    }

    fn page_acts(&mut self) -> Result<(), String> {
        let now = self.now;
        if self.page.next_take <= now {
            let slow = self.schedule.client_takes.filter(|_| !self.page.hurry);
            let mut left = if slow.is_some() { self.rng.usize(1..4) } else { usize::MAX };
            while left > 0 {
                self.drain_client_events();
                let Some(message) = self.client.poll_message(now) else { break };
                // Events that precede the message in the stream are handled before it.
                self.drain_client_events();
                self.page.see(&self.schedule, &message)?;
                left -= 1;
            }
            self.drain_client_events();
            self.page.next_take = match slow {
                Some(mean) => now + self.draw(mean),
                None => now,
            };
        }
        let all = u64::from(self.schedule.client_messages);
        if self.page.next <= now {
            let mut burst = if self.rng.u32(0..8) == 0 { 10 } else { 1 };
            while burst > 0 && self.page.sent < all && self.page.closed.is_none() {
                let message = message(&self.schedule, 'c', 0, self.page.sent + 1);
                if self.client.send(now, message, None).is_err() {
                    break;
                }
                self.page.sent += 1;
                burst -= 1;
            }
            if self.page.sent == all && self.schedule.closes == Closes::Client && !self.page.close_sent {
                self.page.close_sent = true;
                trace!(self, "client closes");
                self.client.close(now, undrop_frame::CloseCode::new(4001), "done");
            }
            let mean = if self.page.hurry { HURRIED } else { self.schedule.send_every };
            self.page.next = now + self.draw(mean);
        }
        if self.page.sent < all || self.client.poll_timeout().is_none() {
            return Ok(());
        }
        // Nothing is left to send, so only the next check of the inbox matters.
        let closing_is_due = self.schedule.closes == Closes::Client && !self.page.close_sent;
        if !closing_is_due {
            let idle = now + std::time::Duration::from_millis(500);
            self.page.next =
                self.page.next.max(self.page.next_take.max(now)).min(idle.max(self.page.next_take));
        }
        Ok(())
    }
}

pub(super) fn on_event(world: &mut World, event: ClientEvent) {
    match event {
        ClientEvent::CloseLink { n, code } => {
            let key = world.rng.u32(..).to_be_bytes();
            let polite = world.rng.bool();
            let now = world.now;
            if let Some(connection) = world.connections.iter_mut().find(|connection| connection.n == n) {
                if polite {
                    connection.client.close(code, key);
                } else {
                    connection.vanish_client(now, &mut world.rng);
                }
            }
        }
        ClientEvent::Open { .. } => {
            let epoch = world.client.sid().and_then(|sid| sid.as_str().split_once('.')?.1.parse().ok());
            world.page.epoch = epoch.unwrap_or(0);
        }
        ClientEvent::Acked(_) => world.page.acked += 1,
        ClientEvent::Gap { reason: GapReason::Dropped, lost, .. } => {
            let (from, to) = lost.unwrap_or((0, 0));
            if let Err(wrong) = world.page.gap(from, to) {
                world.page.wrong.get_or_insert(wrong);
            }
        }
        ClientEvent::Gap { lost: Some((from, to)), .. } => {
            world.page.announced.push((world.page.epoch, from, to));
        }
        ClientEvent::Resumed { .. } => world.report.resumes += 1,
        ClientEvent::Closed { code, by, .. } => {
            trace!(world, "client closed by {by:?}");
            world.page.closed = Some(code);
        }
        _ => {}
    }
    debug_assert!(world.client.state() != ClientState::Opening || world.page.epoch <= 1);
}
