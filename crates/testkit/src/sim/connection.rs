//! One connection of a run: both ends' buffers and codecs, and the faulty pair of links between them.

use std::time::{Duration, Instant};

use fastrand::Rng;
use undrop_fault::{CloseManner, Fault, Pair, Side};
use undrop_frame::{CloseCode, Decoder, Encoder, Limits, OpCode, Role};

/// The phase of one end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndpointPhase {
    /// The request, or the response to it, is incomplete.
    Handshake,
    /// Both ends exchange frames.
    Open,
    /// The end writes its remaining output and reads nothing.
    Leaving,
    /// The end is gone.
    Gone,
}

/// One end of a connection, in the role of a socket.
pub(super) struct SimulatedSide {
    pub(super) phase: EndpointPhase,
    pub(super) decoder: Decoder,
    pub(super) encoder: Encoder,
    /// Bytes of the handshake until its line is complete.
    pub(super) line: Vec<u8>,
    /// Output that the link has not accepted yet.
    pub(super) out: Vec<u8>,
    end: Side,
    /// The time at which a half-open end notices the loss.
    pub(super) notices: Option<Instant>,
}

pub(super) struct Connection {
    pub(super) n: u64,
    pub(super) pair: Pair,
    pub(super) client: SimulatedSide,
    pub(super) gateway: SimulatedSide,
    /// The owner that accepted the connection.
    pub(super) owner: usize,
}

impl SimulatedSide {
    fn new(end: Side, role: Role) -> Self {
        Self {
            phase: EndpointPhase::Handshake,
            decoder: Decoder::new(role, Limits::default()),
            encoder: Encoder::new(role),
            line: Vec::new(),
            out: Vec::new(),
            end,
            notices: None,
        }
    }

    pub(super) fn is_there(&self) -> bool {
        matches!(self.phase, EndpointPhase::Handshake | EndpointPhase::Open)
    }

    pub(super) fn write(&mut self, opcode: OpCode, payload: &[u8], key: [u8; 4]) {
        if opcode.is_control() {
            self.encoder.control(opcode, payload, key, &mut self.out);
        } else {
            self.encoder.message(opcode, payload, key, &mut self.out);
        }
    }

    /// Closes with a Close frame: the rest of the buffer is sent, then the stream ends.
    pub(super) fn close(&mut self, code: CloseCode, key: [u8; 4]) {
        if self.phase == EndpointPhase::Open {
            self.encoder.close(Some(code), "", key, &mut self.out);
        }
        if self.is_there() {
            self.phase = EndpointPhase::Leaving;
        }
    }

    /// Pushes waiting output into the link.
    pub(super) fn flush(&mut self, now: Instant, pair: &mut Pair) {
        if self.phase == EndpointPhase::Gone {
            return;
        }
        if !self.out.is_empty() {
            let taken = pair.push(now, self.end, &self.out);
            self.out.drain(..taken);
        }
        if self.phase == EndpointPhase::Leaving && self.out.is_empty() {
            pair.finish(now, self.end, CloseManner::Fin);
            self.phase = EndpointPhase::Gone;
        }
    }

    /// Ends without a Close frame: silently, or with a reset.
    pub(super) fn vanish(&mut self, now: Instant, pair: &mut Pair, how: CloseManner) {
        if self.phase != EndpointPhase::Gone {
            pair.finish(now, self.end, how);
            self.phase = EndpointPhase::Gone;
        }
    }
}

impl Connection {
    pub(super) fn new(now: Instant, n: u64, faults: (Fault, Fault), seed: u64) -> Self {
        Self {
            n,
            pair: Pair::new(now, faults.0, faults.1, seed),
            client: SimulatedSide::new(Side::A, Role::Client),
            gateway: SimulatedSide::new(Side::B, Role::Server),
            owner: usize::MAX,
        }
    }

    /// Cuts the connection. After a silent cut each end notices at a random time.
    pub(super) fn cut(&mut self, now: Instant, how: CloseManner, rng: &mut Rng) {
        self.pair.finish(now, if rng.bool() { Side::A } else { Side::B }, how);
        if how == CloseManner::Silent {
            let mut later = || rng.bool().then(|| now + Duration::from_millis(rng.u64(0..40_000)));
            self.client.notices = later();
            self.gateway.notices = later();
        }
    }

    /// Resets the connection for both ends.
    pub(super) fn reset(&mut self, now: Instant) {
        self.pair.finish(now, Side::A, CloseManner::Rst);
        self.pair.finish(now, Side::B, CloseManner::Rst);
        self.client.notices = Some(now);
        self.gateway.notices = Some(now);
    }

    pub(super) fn vanish_client(&mut self, now: Instant, rng: &mut Rng) {
        let how = [CloseManner::Rst, CloseManner::Silent, CloseManner::Fin][rng.usize(0..3)];
        self.client.vanish(now, &mut self.pair, how);
        if how == CloseManner::Silent && rng.bool() {
            self.gateway.notices = Some(now + Duration::from_millis(rng.u64(0..20_000)));
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.client.phase == EndpointPhase::Gone && self.gateway.phase == EndpointPhase::Gone
    }

    pub(super) fn next_deadline(
        &self,
        now: Instant,
        client_paused: Instant,
        gateway_paused: Instant,
    ) -> Option<Instant> {
        // Overdue deliveries wait for an end that is paused.
        let link =
            self.pair.poll_timeout().map(|at| if at <= now { now + Duration::from_millis(10) } else { at });
        let client = self.client.notices.filter(|_| self.client.is_there()).map(|at| at.max(client_paused));
        let gateway =
            self.gateway.notices.filter(|_| self.gateway.is_there()).map(|at| at.max(gateway_paused));
        [link, client, gateway].into_iter().flatten().min()
    }
}
