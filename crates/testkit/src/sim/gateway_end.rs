//! The driver of the gateway's machine, the counterpart of `undrop-server`: handshake, owners, backend.

use std::time::Duration;

use undrop_fault::{CloseManner, Delivery, Side};
use undrop_frame::{CloseCode, Encoder, Incoming, OpCode, Role};
use undrop_session::{
    Gateway, GatewayEvent, GoAway, Hello, Loss, LossReason, MOVED_FRAME, Packet, Progress, Refusal,
    SessionId, TextKind, escape, parse_offer, response_protocol,
};

use super::applications::{HURRIED, Pipe, message};
use super::connection::EndpointPhase;
use super::schedule::Closes;
use super::{World, trace};

/// A process that owns, or owned, a session.
pub(super) struct Owner {
    pub(super) gateway: Gateway,
    /// Received messages that the backend has not consumed.
    pub(super) pipe: Pipe,
    cid: String,
    /// The session that this one replaces.
    replaces: Option<SessionId>,
    /// The number of its link.
    link: Option<u64>,
    /// The number of the session, which the messages of the backend carry.
    pub(super) epoch: u64,
    pub(super) state: OwnerState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnerState {
    Owning,
    /// Another owner has the lease.
    Fenced,
    /// The session expired or overflowed; it is kept to reply `L`.
    Lost(LossReason, Progress),
    Finished,
}

impl World {
    pub(super) fn gateway_turn(&mut self) -> Result<(), String> {
        let now = self.now;
        for owner in &mut self.owners {
            if owner.gateway.poll_timeout().is_some_and(|at| at <= now) {
                owner.gateway.handle_timeout(now);
            }
        }
        self.gateway_events()?;
        for at in 0..self.connections.len() {
            self.gateway_reads(at)?;
        }
        self.backend_acts()?;
        self.gateway_events()?;
        self.gateway_writes();
        Ok(())
    }

    fn gateway_reads(&mut self, at: usize) -> Result<(), String> {
        let now = self.now;
        let connection = &mut self.connections[at];
        if connection.gateway.notices.is_some_and(|notices| notices <= now) && connection.gateway.is_there() {
            self.gateway_lost(at, CloseManner::Rst);
            return Ok(());
        }
        while let Some(delivery) = self.connections[at].pair.poll_deliver(now, Side::B) {
            if !self.connections[at].gateway.is_there() {
                continue;
            }
            match delivery {
                Delivery::Bytes(bytes) => self.gateway_bytes(at, bytes)?,
                Delivery::Fin | Delivery::Rst => self.gateway_lost(at, CloseManner::Rst),
            }
        }
        Ok(())
    }

    /// Handles the loss of the gateway's end of a connection.
    fn gateway_lost(&mut self, at: usize, how: CloseManner) {
        let now = self.now;
        let connection = &mut self.connections[at];
        connection.gateway.vanish(now, &mut connection.pair, how);
        let (n, owner) = (connection.n, connection.owner);
        self.detach(n, owner);
    }

    fn detach(&mut self, n: u64, owner: usize) {
        let Some(owner) = self.owners.get_mut(owner) else { return };
        if owner.link != Some(n) {
            return;
        }
        owner.link = None;
        owner.gateway.detach(self.now);
        if self.schedule.discards && owner.state == OwnerState::Owning {
            owner.pipe.clear();
            owner.gateway.discard_unconsumed();
        }
        trace!(self, "gateway: link {n} detached");
    }

    fn gateway_bytes(&mut self, at: usize, mut bytes: Vec<u8>) -> Result<(), String> {
        let now = self.now;
        let mut from = 0;
        if self.connections[at].gateway.phase == EndpointPhase::Handshake {
            let side = &mut self.connections[at].gateway;
            let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
                side.line.extend(bytes);
                return Ok(());
            };
            side.line.extend(&bytes[..end]);
            let line = String::from_utf8_lossy(&side.line).into_owned();
            side.phase = EndpointPhase::Open;
            self.accept(at, &line)?;
            from = end + 1;
        }
        let mut input = &mut bytes[from..];
        loop {
            let connection = &mut self.connections[at];
            let owner = connection.owner;
            let n = connection.n;
            if connection.gateway.phase != EndpointPhase::Open {
                return Ok(());
            }
            let incoming = match connection.gateway.decoder.decode(&mut input) {
                Ok(Some(incoming)) => incoming,
                Ok(None) => return Ok(()),
                Err(error) => return Err(format!("the gateway received invalid frames: {error}")),
            };
            let Some(owner) = self.owners.get_mut(owner) else {
                return Err("a link without an owner".to_owned());
            };
            if owner.link != Some(n) {
                // The link is fenced: nothing more is read from it.
                continue;
            }
            owner.gateway.handle_traffic(now);
            let message = match incoming {
                Incoming::Ping(payload) => {
                    let mut frame = Vec::new();
                    Encoder::new(Role::Server).control(OpCode::Pong, &payload, [0; 4], &mut frame);
                    owner.gateway.queue_control_frame(&frame);
                    continue;
                }
                Incoming::Pong(_) => continue,
                Incoming::Close(_) => {
                    connection.gateway.close(CloseCode::NORMAL, [0; 4]);
                    self.detach(n, self.connections[at].owner);
                    continue;
                }
                data => match data.into_message() {
                    Ok(message) => message,
                    Err(_) => continue,
                },
            };
            let len = message.len();
            let mut deliver = |message| {
                if owner.gateway.handle_data(now, len) == undrop_session::UnitStatus::Deliver {
                    owner.pipe.push_back(message);
                }
            };
            match message {
                undrop_frame::Message::Text(mut text) => match TextKind::of(text.as_bytes(), true) {
                    Some(TextKind::Packet) => {
                        trace!(self, "gateway: on {n} got {text:?}");
                        let packet = Packet::parse(&text[1..]);
                        let done = packet.and_then(|packet| owner.gateway.handle_packet(now, &packet));
                        if let Err(error) = done {
                            return Err(format!(
                                "the gateway reports a violation by the client: {error} ({text:?})"
                            ));
                        }
                    }
                    Some(TextKind::EscapedData) => {
                        text.remove(0);
                        deliver(text.into());
                    }
                    _ => deliver(text.into()),
                },
                binary => deliver(binary),
            }
        }
    }

    /// Handles a complete request.
    fn accept(&mut self, at: usize, line: &str) -> Result<(), String> {
        let tokens: Vec<String> = line.split(", ").map(str::to_owned).collect();
        let offer = parse_offer(&tokens);
        let Some(Ok(hello)) = offer.hello.clone() else { return Err(format!("no hello in {line}")) };
        let n = hello.attempt();
        let chosen = response_protocol(&offer, Some("chat"));
        self.connections[at].gateway.out.extend(format!("{chosen}\n").as_bytes());
        let outcome = match &hello {
            Hello::First { cid, .. } => {
                let known = self.owners.iter().rposition(|o| o.cid == *cid && !is_lost(o.state));
                let owner = known.unwrap_or_else(|| self.open(cid.clone(), None));
                (owner, self.attach(at, owner, n, None, None))
            }
            Hello::Resume { sid, rx, mac, .. } => {
                let Some(owner) = self.owners.iter().rposition(|o| *o.gateway.sid() == *sid) else {
                    return Err(format!("resume of an unknown session {sid}"));
                };
                if !self.owners[owner].gateway.key().verify(sid, n, *rx, mac) {
                    return Err("a wrong proof".to_owned());
                }
                if let OwnerState::Lost(why, progress) = self.owners[owner].state {
                    self.replace(at, owner, n, *rx, why, progress)
                } else {
                    let owner = self.maybe_move(owner);
                    (owner, self.attach(at, owner, n, Some(*rx), None))
                }
            }
        };
        match outcome {
            (_, Ok(())) => Ok(()),
            (_, Err(Refusal::Stale)) => {
                trace!(self, "gateway: attempt {n} is stale");
                let side = &mut self.connections[at].gateway;
                side.out.extend(MOVED_FRAME);
                side.close(CloseCode::NORMAL, [0; 4]);
                Ok(())
            }
            (owner, Err(Refusal::Overflow { lost })) => {
                let progress = self.owners[owner].gateway.progress();
                trace!(self, "gateway: overflowed, {lost:?} gone");
                self.owners[owner].state = OwnerState::Lost(LossReason::Overflow, progress);
                let Hello::Resume { rx, .. } = hello else {
                    return Err("overflow without a session".to_owned());
                };
                let (_, replaced) = self.replace(at, owner, n, rx, LossReason::Overflow, progress);
                replaced.map_err(|refusal| format!("a new session refused its first link: {refusal}"))
            }
            (_, Err(refusal)) => Err(format!("the gateway refused attempt {n}: {refusal}")),
        }
    }

    /// Creates a session with a new backend connection.
    fn open(&mut self, cid: String, replaces: Option<SessionId>) -> usize {
        self.sessions += 1;
        self.backend.sent.push(0);
        let sid = SessionId::parse(&format!("sim.{}", self.sessions)).unwrap_or_else(|_| unreachable!());
        let mut gateway =
            Gateway::new(self.now, self.schedule.gateway.clone(), sid, self.key(), Some("chat".into()));
        if let Some(rule) = self.harness.broken {
            gateway.break_rule(rule);
        }
        let epoch = self.sessions;
        let (pipe, link, state) = (Pipe::new(), None, OwnerState::Owning);
        self.owners.push(Owner { gateway, pipe, cid, replaces, link, epoch, state });
        self.owners.len() - 1
    }

    /// Replaces a lost session by a new one in the same response. A client that missed that response gets the same session
    /// again.
    fn replace(
        &mut self,
        at: usize,
        gone: usize,
        n: u64,
        rx: u64,
        why: LossReason,
        progress: Progress,
    ) -> (usize, Result<(), Refusal>) {
        let sid = self.owners[gone].gateway.sid().clone();
        let known = self.owners.iter().rposition(|o| o.replaces.as_ref() == Some(&sid) && !is_lost(o.state));
        let owner = known.unwrap_or_else(|| self.open(String::new(), Some(sid)));
        let from = rx.max(progress.acked) + 1;
        let lost = (from <= progress.appended).then_some((from, progress.appended));
        self.report.losses += 1;
        (owner, self.attach(at, owner, n, None, Some(Loss { why, acc: progress.consumed, lost })))
    }

    fn attach(
        &mut self,
        at: usize,
        index: usize,
        n: u64,
        rx: Option<u64>,
        loss: Option<Loss>,
    ) -> Result<(), Refusal> {
        let now = self.now;
        let owner = &mut self.owners[index];
        let fenced = owner.link.filter(|_| owner.gateway.is_attached());
        let at_boundary = owner.gateway.at_boundary();
        match loss {
            Some(loss) => owner.gateway.attach_lost(now, n, loss)?,
            None => owner.gateway.attach(now, n, rx)?,
        }
        owner.link = Some(n);
        trace!(self, "gateway: attempt {n} is the link of owner {index}");
        self.connections[at].owner = index;
        if let Some(old) = fenced {
            self.leave_old(old, at_boundary);
        }
        Ok(())
    }

    /// Ends a superseded link, with `m` if it may still be written.
    fn leave_old(&mut self, n: u64, at_boundary: bool) {
        let now = self.now;
        let polite = at_boundary && self.rng.bool();
        let how = [CloseManner::Rst, CloseManner::Silent][self.rng.usize(0..2)];
        let Some(old) = self.connections.iter_mut().find(|connection| connection.n == n) else { return };
        if polite {
            old.gateway.out.extend(MOVED_FRAME);
            old.gateway.close(CloseCode::NORMAL, [0; 4]);
        } else {
            old.gateway.vanish(now, &mut old.pair, how);
        }
    }

    /// Moves the session to another owner, which loads the stored state: positions and replay buffer, but not units that
    /// were only received.
    fn maybe_move(&mut self, from: usize) -> usize {
        if !self.schedule.moves
            || self.healed
            || !self.rng.bool()
            || self.owners[from].state != OwnerState::Owning
        {
            return from;
        }
        let now = self.now;
        let old = &mut self.owners[from];
        let mut gateway = old.gateway.clone();
        while gateway.poll_event().is_some() {}
        gateway.detach(now);
        gateway.discard_unconsumed();
        let mut next = Owner {
            gateway,
            pipe: Pipe::new(),
            cid: old.cid.clone(),
            replaces: old.replaces.clone(),
            link: None,
            epoch: old.epoch,
            state: old.state,
        };
        next.link = None;
        old.state = OwnerState::Fenced;
        self.report.moves += 1;
        trace!(self, "the session moves to owner {}", self.owners.len());
        if !self.harness.no_fence {
            let old = &mut self.owners[from];
            old.pipe.clear();
            old.gateway.detach(now);
            if let Some(link) = old.link.take() {
                self.leave_old(link, false);
            }
        }
        self.owners.push(next);
        self.owners.len() - 1
    }

    fn gateway_writes(&mut self) {
        let now = self.now;
        for connection in &mut self.connections {
            let owner = connection.owner;
            // The line of the response is sent first; the bytes of the machine go to the link without another copy.
            if !connection.gateway.out.is_empty() || connection.gateway.phase == EndpointPhase::Leaving {
                connection.gateway.flush(now, &mut connection.pair);
            }
            let Some(owner) = self.owners.get_mut(owner) else { continue };
            let current = owner.link == Some(connection.n) && connection.gateway.phase == EndpointPhase::Open;
            while current && connection.gateway.out.is_empty() {
                let mut slices = [&b""[..]; 3];
                let count = owner.gateway.poll_transmit(&mut slices);
                let mut taken = 0;
                for slice in &slices[..count] {
                    let took = connection.pair.push(now, Side::B, slice);
                    taken += took;
                    if took < slice.len() {
                        break;
                    }
                }
                if taken == 0 {
                    break;
                }
                owner.gateway.handle_transmitted(now, taken);
            }
        }
        // A session that is over closes its link after the last byte.
        for index in 0..self.owners.len() {
            let owner = &self.owners[index];
            let Some(n) = owner.link.filter(|_| {
                owner.state == OwnerState::Finished && owner.gateway.poll_transmit(&mut [&[]; 3]) == 0
            }) else {
                continue;
            };
            if let Some(connection) = self.connections.iter_mut().find(|connection| connection.n == n) {
                connection.gateway.close(CloseCode::NORMAL, [0; 4]);
                connection.gateway.flush(now, &mut connection.pair);
            }
            self.detach(n, index);
        }
    }

    fn gateway_events(&mut self) -> Result<(), String> {
        for index in 0..self.owners.len() {
            while let Some(event) = self.owners[index].gateway.poll_event() {
                trace!(self, "gateway {index}: {event:?}");
                self.on_gateway_event(index, event)?;
            }
        }
        Ok(())
    }

    fn on_gateway_event(&mut self, index: usize, event: GatewayEvent) -> Result<(), String> {
        let now = self.now;
        let owner = &mut self.owners[index];
        match event {
            GatewayEvent::SendPing => {
                let mut frame = Vec::new();
                Encoder::new(Role::Server).control(OpCode::Ping, b"hb", [0; 4], &mut frame);
                owner.gateway.queue_control_frame(&frame);
            }
            GatewayEvent::SuspectDead if self.rng.bool() => self.drop_link(index, CloseManner::Rst),
            GatewayEvent::LinkTooOld => {
                let slot = self.slot();
                self.owners[index].gateway.drain(now, slot);
            }
            GatewayEvent::DrainOver => self.drop_link(index, CloseManner::Fin),
            GatewayEvent::Expired | GatewayEvent::Overflow => {
                let why =
                    if event == GatewayEvent::Expired { LossReason::Expired } else { LossReason::Overflow };
                owner.pipe.clear();
                if matches!(owner.state, OwnerState::Owning | OwnerState::Finished) {
                    owner.state = OwnerState::Lost(why, owner.gateway.progress());
                }
                self.drop_link(index, CloseManner::Rst);
            }
            GatewayEvent::Dropped { from, to } => self.backend.dropped += to - from + 1,
            GatewayEvent::Close { code, .. } => {
                if self.backend.closed.replace(code).is_some() {
                    return Err("the backend was closed twice".to_owned());
                }
                if self.backend.seen != self.page.sent {
                    return Err(format!("closed after {} of {}", self.backend.seen, self.page.sent));
                }
                owner.state = OwnerState::Finished;
            }
            GatewayEvent::Finished => owner.state = OwnerState::Finished,
            _ => {}
        }
        Ok(())
    }

    fn drop_link(&mut self, index: usize, how: CloseManner) {
        let Some(n) = self.owners[index].link else { return };
        if let Some(at) = self.connections.iter().position(|connection| connection.n == n) {
            self.gateway_lost(at, how);
        }
    }

    fn slot(&mut self) -> GoAway {
        GoAway {
            wait: self.rng.u64(0..2000),
            slot: self.rng.u64(0..3000),
            until: self.rng.u64(500..12_000),
            why: "drain".to_owned(),
        }
    }

    pub(super) fn drain(&mut self) {
        let slot = self.slot();
        let now = self.now;
        if let Some(owner) = self.owners.last_mut() {
            trace!(self, "gateway: drain {slot:?}");
            owner.gateway.drain(now, slot);
        }
    }

    pub(super) fn cut_something(&mut self) {
        if self.connections.is_empty() {
            return;
        }
        let at = self.rng.usize(0..self.connections.len());
        let how = [CloseManner::Fin, CloseManner::Rst, CloseManner::Silent][self.rng.usize(0..3)];
        let now = self.now;
        let n = self.connections[at].n;
        trace!(self, "link {n} is cut: {how:?}");
        self.connections[at].cut(now, how, &mut self.rng);
    }

    /// Returns the current owner.
    pub(super) fn live(&self) -> Option<&Owner> {
        self.owners
            .iter()
            .rev()
            .find(|owner| matches!(owner.state, OwnerState::Owning | OwnerState::Finished))
    }

    fn backend_acts(&mut self) -> Result<(), String> {
        let now = self.now;
        if self.backend.next_take <= now {
            let slow = self.schedule.backend_takes.filter(|_| !self.backend.hurry);
            for index in 0..self.owners.len() {
                let mut left = if slow.is_some() { self.rng.u64(1..4) } else { u64::MAX };
                let owner = &mut self.owners[index];
                let mut took = 0;
                while left > 0 {
                    let Some(message) = owner.pipe.pop_front() else { break };
                    self.backend.see(&self.schedule, &message)?;
                    took += 1;
                    left -= 1;
                }
                if took > 0 {
                    owner.gateway.handle_consumed(now, took);
                }
            }
            self.backend.next_take = match slow {
                Some(mean) => now + self.draw(mean),
                None => now,
            };
        }
        if self.backend.next <= now {
            self.backend_sends()?;
            let mean = if self.backend.hurry { HURRIED } else { self.schedule.send_every };
            self.backend.next = now + self.draw(mean);
        }
        if self.backend.total == u64::from(self.schedule.backend_messages) && !self.backend_wants_to_close() {
            let idle = now + Duration::from_millis(500);
            self.backend.next = if self.schedule.backend_takes.is_some() && !self.backend.hurry {
                self.backend.next_take.min(idle).max(now)
            } else {
                idle
            };
        }
        Ok(())
    }

    fn backend_wants_to_close(&self) -> bool {
        self.schedule.closes == Closes::Backend && !self.backend.close_sent
    }

    fn backend_sends(&mut self) -> Result<(), String> {
        let all = u64::from(self.schedule.backend_messages);
        let Some(index) = self.owners.iter().rposition(|owner| owner.state == OwnerState::Owning) else {
            return Ok(());
        };
        let mut burst = if self.rng.u32(0..8) == 0 { 10 } else { 1 };
        let wants_to_close = self.backend_wants_to_close();
        let owner = &mut self.owners[index];
        let sent = &mut self.backend.sent[owner.epoch as usize - 1];
        while burst > 0
            && self.backend.total < all
            && owner.gateway.room() > 0
            && owner.state == OwnerState::Owning
        {
            let message = message(&self.schedule, 'g', owner.epoch, *sent + 1);
            let payload = match message.opcode() {
                OpCode::Text => escape(message.as_bytes()),
                _ => message.as_bytes().into(),
            };
            let mut frame = Vec::new();
            Encoder::new(Role::Server).message(message.opcode(), &payload, [0; 4], &mut frame);
            let (front, back) = frame.split_at(frame.len() / 2);
            owner.gateway.append(front);
            owner.gateway.append(back);
            owner.gateway.end_unit();
            *sent += 1;
            self.backend.total += 1;
            burst -= 1;
            if self.schedule.kind == super::ScheduleKind::Expiring {
                break;
            }
        }
        if self.backend.total == all && wants_to_close && owner.gateway.room() > 0 {
            self.backend.close_sent = true;
            owner.gateway.close(CloseCode::new(4002), "backend done");
            trace!(self, "backend closes");
        }
        Ok(())
    }
}

fn is_lost(state: OwnerState) -> bool {
    matches!(state, OwnerState::Lost(..))
}
