//! The start and the end of links.

use std::time::Instant;

use super::{Gateway, GatewayEvent, GatewayState, GatewayTimer, Loss, Overflow, PeerClose};
use crate::error::Refusal;
use crate::mutate::BrokenRule;
use crate::packet::{BackendIdentity, Gap, Lost, Packet, Resumed, Started};

impl Gateway {
    /// Attaches a link whose hello was checked (owner, proof, admission). `rx`: the last server unit that the client
    /// consumed; `None` on first contact. The former link is fenced: nothing more may be fed from it. It should receive
    /// [`MOVED_FRAME`](crate::MOVED_FRAME) if it was [at a boundary](Self::at_boundary), and be closed.
    ///
    /// Queues the first packet and, after it, every unit that the client has not consumed.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing has changed then.
    pub fn attach(&mut self, now: Instant, n: u64, rx: Option<u64>) -> Result<(), Refusal> {
        self.admit(n, rx)?;
        // Admitted: rx is not beyond what was sent.
        let rx_known = rx.unwrap_or(0);
        let _ = self.replay.ack(rx_known);
        let needed = self.replay.acked().max(rx_known) + 1;
        self.start_link(now, n);
        // Its proof shows that the client knows the session.
        self.confirmed |= rx.is_some();
        let start = self.replay.first();
        let first = match rx {
            None => Packet::Started(self.started()),
            Some(rx) => Packet::Resumed(Resumed {
                att: n,
                rx: self.delivery.statement(),
                start: if self.delivery.breaks(BrokenRule::StartFromRx) { rx + 1 } else { start },
                ttl: millis(self.config.ttl),
                backend: BackendIdentity::Same,
                away: false,
            }),
        };
        self.control.push(&first);
        if start > needed {
            self.control.push(&self.gap_packet(needed, start - 1));
        }
        Ok(())
    }

    /// Attaches the first link of a session that replaces one which cannot be resumed. It is like a first contact, but the
    /// first packet is `L`.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn attach_lost(&mut self, now: Instant, n: u64, loss: Loss) -> Result<(), Refusal> {
        self.admit(n, None)?;
        self.start_link(now, n);
        let Loss { why, acc, lost } = loss;
        self.control.push(&Packet::Lost(Lost { why, acc, lost, session: self.started() }));
        Ok(())
    }

    /// Detaches the current link, which ended: the time to live of the session starts. Units that wait for their consumer
    /// remain.
    pub fn detach(&mut self, now: Instant) {
        if self.state != GatewayState::Attached {
            return;
        }
        self.state = GatewayState::Detached;
        self.unlink();
        let done = self.peer_close == PeerClose::Consumed || self.is_finished();
        let ttl = match self.page {
            _ if done => self.config.linger,
            Some(crate::packet::PageState::Unload) => self.config.unload_ttl,
            _ if !self.confirmed => self.config.unconfirmed_ttl,
            _ => return self.timers.set(GatewayTimer::Expire, now + self.config.ttl),
        };
        self.timers.set(GatewayTimer::Expire, now + ttl.min(self.config.ttl));
    }

    /// Reports that the driver lost the units that wait for their consumer; the client sends them again on the next link.
    /// Does nothing while attached.
    pub fn discard_unconsumed(&mut self) {
        if self.state == GatewayState::Detached {
            self.delivery.forget_unconsumed();
            if matches!(self.peer_close, PeerClose::Waiting(_)) {
                self.peer_close = PeerClose::None;
            }
        }
    }

    /// Asks the client to open its next link inside a slot, and starts the timer for the deadline.
    pub fn drain(&mut self, now: Instant, slot: crate::packet::GoAway) {
        if self.is_attached() {
            self.timers.set(GatewayTimer::Drain, now + std::time::Duration::from_millis(slot.until));
            self.timers.stop(GatewayTimer::LinkAge);
            self.control.push(&Packet::GoAway(slot));
        }
    }

    /// Returns whether no unit is partly sent, so another frame may follow on this link.
    pub fn at_boundary(&self) -> bool {
        self.replay.at_boundary() && !self.control.is_partly_out()
    }

    fn admit(&self, n: u64, rx: Option<u64>) -> Result<(), Refusal> {
        if n <= self.newest || (rx.is_none() && self.confirmed) {
            return Err(Refusal::Stale);
        }
        if rx.is_some_and(|rx| rx > self.replay.sent()) {
            return Err(Refusal::Skew);
        }
        match self.state {
            GatewayState::Over => Err(Refusal::Over),
            GatewayState::Overflowed => {
                let from = self.replay.acked().max(rx.unwrap_or(0)) + 1;
                Err(Refusal::Overflow { lost: (from, self.replay.last().max(from)) })
            }
            GatewayState::Detached | GatewayState::Attached => Ok(()),
        }
    }

    fn start_link(&mut self, now: Instant, n: u64) {
        self.unlink();
        self.newest = n;
        self.state = GatewayState::Attached;
        self.page = None;
        self.delivery.link(now, self.delivery.statement() + 1);
        self.heartbeat = crate::heartbeat::Heartbeat::new(now);
        self.timers.stop(GatewayTimer::Expire);
        if !self.config.heartbeat.is_zero() {
            self.timers.set(GatewayTimer::Heartbeat, now + self.config.heartbeat);
        }
        if let Some(age) = self.config.link_max_age {
            // 80–120 %, derived from session and attempt, so that links opened together do not end together.
            let spread = f64::from(spread_factor(self.sid.as_str(), n)) / f64::from(u32::MAX);
            self.timers.set(GatewayTimer::LinkAge, now + age.mul_f64(0.8 + 0.4 * spread));
        }
    }

    fn unlink(&mut self) {
        self.replay.unlink();
        self.delivery.unlink();
        self.control.clear();
        self.events.unlink();
        self.gap = (0, 0);
        self.asked = false;
        for timer in [GatewayTimer::Heartbeat, GatewayTimer::LinkAge, GatewayTimer::Drain] {
            self.timers.stop(timer);
        }
    }

    fn started(&self) -> Started {
        Started {
            sid: self.sid.clone(),
            key: self.key.clone(),
            att: self.newest,
            hb: millis(self.config.heartbeat),
            win: self.config.attached_limit as u64,
            ttl: millis(self.config.ttl),
            protocol: self.protocol.as_deref().map(str::to_owned),
        }
    }

    pub(super) fn gap_packet(&self, from: u64, to: u64) -> Packet {
        Packet::Gap(Gap { from, to, policy: self.config.overflow.name().into() })
    }

    /// Applies the policy for a replay buffer that exceeds its limit.
    #[cold]
    pub(super) fn handle_overflow(&mut self) {
        match self.config.overflow {
            Overflow::Pause => {}
            Overflow::End => {
                self.unlink();
                self.replay.clear();
                self.state = GatewayState::Overflowed;
                self.timers.stop(GatewayTimer::Expire);
                self.events.push(GatewayEvent::Overflow);
            }
            Overflow::DropOldest => {
                while self.replay.charged() > self.limit() {
                    let Some(dropped) = self.replay.drop_oldest() else {
                        if self.free_partial_unit() {
                            continue;
                        }
                        break;
                    };
                    let number = dropped.number;
                    if dropped.unsent && self.is_attached() {
                        self.gap = if self.gap.0 == 0 { (number, number) } else { (self.gap.0, number) };
                    }
                    self.events.push(GatewayEvent::Dropped { from: number, to: number });
                }
                self.announce_gap();
            }
        }
    }

    /// A stalled link may hold the oldest unit partly sent for a long time. Its rest moves in front of the control bytes,
    /// so the buffer can be trimmed as between units.
    fn free_partial_unit(&mut self) -> bool {
        if self.replay.at_boundary() || self.replay.held() < 2 {
            return false;
        }
        let (front, back) = self.replay.pending(true);
        let rest = [front, back].concat();
        self.control.prepend_rest(&rest);
        self.replay.advance(rest.len());
        true
    }

    /// Queues `G` in place of the dropped units. Until it is queued no unit is sent; while other control bytes wait, the gap
    /// may still grow.
    pub(super) fn announce_gap(&mut self) {
        if self.gap.0 != 0 && self.replay.at_boundary() && self.control.is_empty() {
            self.control.push(&self.gap_packet(self.gap.0, self.gap.1));
            self.gap = (0, 0);
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(crate::number::COUNTER_LIMIT - 1)
}

/// Derives a number that looks random from a name and an attempt (FNV-1a, then a final mix).
fn spread_factor(name: &str, n: u64) -> u32 {
    let bytes = name.bytes().chain(n.to_le_bytes());
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (mixed >> 32) as u32
}
