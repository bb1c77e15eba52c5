//! Every fault on one connection, in virtual time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod anything;
mod cuts;
mod handshakes;
mod paths;
mod silences;

use std::sync::Arc;
use std::time::{Duration, Instant};

use undrop_fault::{CloseManner, Delivery, Side};
use undrop_frame::{Encoder, OpCode, Role};

use super::{Injection, Tunnel};
use crate::assignment::AssignedFault;
use crate::faults::Faults;
use crate::spec::FaultSpec;

pub(super) const REQUEST: &[u8] = b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
pub(super) const RESPONSE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

pub(super) fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A connection with faults, and the deliveries at each side: the bytes in one buffer, the ends with their time in ms.
pub(super) struct Run {
    pub(super) tunnel: Tunnel,
    start: Instant,
    now: Instant,
    pub(super) bytes: [Vec<u8>; 2],
    pub(super) ends: [Vec<(u64, Delivery)>; 2],
    pub(super) arrivals: [Vec<u64>; 2],
    pub(super) injected: Vec<Injection>,
}

impl Run {
    pub(super) fn new(faults: &[&str]) -> Run {
        Run::with_seed(faults, 1)
    }

    pub(super) fn with_seed(faults: &[&str], seed: u64) -> Run {
        let start = tokio::time::Instant::now().into_std();
        let mut run = Run {
            tunnel: Tunnel::new(start, Faults::default(), seed),
            start,
            now: start,
            bytes: [Vec::new(), Vec::new()],
            ends: [Vec::new(), Vec::new()],
            arrivals: [Vec::new(), Vec::new()],
            injected: Vec::new(),
        };
        let assigned: Vec<AssignedFault> = faults
            .iter()
            .enumerate()
            .map(|(tag, fault)| assigned(tag as u64, fault.parse().unwrap(), start, seed))
            .collect();
        run.tunnel.assign(start, &assigned);
        run.settle();
        run
    }

    /// Opens a WebSocket. The handshake takes no time and is not recorded.
    pub(super) fn open(faults: &[&str]) -> Run {
        let mut run = Run::new(faults);
        run.handshake();
        run
    }

    pub(super) fn handshake(&mut self) {
        self.send(Side::A, REQUEST);
        self.send(Side::B, RESPONSE);
        self.bytes = [Vec::new(), Vec::new()];
        self.arrivals = [Vec::new(), Vec::new()];
    }

    pub(super) fn assign(&mut self, faults: &[(u64, &str)]) {
        let assigned: Vec<AssignedFault> =
            faults.iter().map(|(tag, fault)| assigned(*tag, fault.parse().unwrap(), self.now, 1)).collect();
        self.tunnel.assign(self.now, &assigned);
        self.settle();
    }

    pub(super) fn send(&mut self, from: Side, bytes: &[u8]) {
        self.tunnel.receive(self.now, from, bytes);
        self.settle();
    }

    pub(super) fn finish(&mut self, from: Side, how: CloseManner) {
        self.tunnel.finish(self.now, from, how);
        self.settle();
    }

    pub(super) fn text(&mut self, from: Side, text: &str) {
        self.send(from, &frame(from, OpCode::Text, text.as_bytes()));
    }

    /// Advances the time to `at` milliseconds after the start.
    pub(super) fn until(&mut self, at: u64) {
        let end = self.start + ms(at);
        let mut idle = 0;
        while let Some(next) = self.tunnel.poll_timeout().filter(|next| *next <= end) {
            let before = (self.now.max(next) > self.now, self.progress());
            self.now = self.now.max(next);
            self.tunnel.advance(self.now);
            self.settle();
            // Data for a side that was reset is discarded silently, in a few turns.
            idle = if before == (false, self.progress()) { idle + 1 } else { 0 };
            assert!(idle < 20, "a deadline in the past at which nothing happens");
        }
        self.now = self.now.max(end);
        self.tunnel.advance(self.now);
        self.settle();
    }

    pub(super) fn time(&self) -> u64 {
        (self.now - self.start).as_millis() as u64
    }

    /// Returns the kind, the description and the age in ms of each injected fault.
    pub(super) fn log(&self) -> Vec<(&str, &str, u64)> {
        self.injected.iter().map(|one| (one.kind, one.what.as_str(), one.age.as_millis() as u64)).collect()
    }

    fn progress(&self) -> (usize, usize, usize, usize, usize) {
        (
            self.bytes[0].len(),
            self.bytes[1].len(),
            self.ends[0].len(),
            self.ends[1].len(),
            self.injected.len(),
        )
    }

    fn settle(&mut self) {
        let at = self.time();
        for end in [Side::A, Side::B] {
            while let Some(delivery) = self.tunnel.poll_deliver(self.now, end) {
                match delivery {
                    Delivery::Bytes(bytes) => {
                        self.bytes[end as usize].extend(bytes);
                        self.arrivals[end as usize].push(at);
                    }
                    other => self.ends[end as usize].push((at, other)),
                }
            }
        }
        while let Some(injected) = self.tunnel.poll_injection() {
            self.injected.push(injected);
        }
    }
}

pub(super) fn assigned(tag: u64, spec: FaultSpec, since: Instant, seed: u64) -> AssignedFault {
    AssignedFault {
        tag,
        name: format!("f{tag}").into(),
        spec: Arc::new(spec),
        since,
        seed: seed.wrapping_mul(31) + tag,
    }
}

/// Encodes a frame as this side writes it.
pub(super) fn frame(from: Side, opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let role = if from == Side::A { Role::Client } else { Role::Server };
    let mut out = Vec::new();
    Encoder::new(role).message(opcode, payload, [1, 2, 3, 4], &mut out);
    out
}

/// Encodes a fragmented message as the upstream writes it.
pub(super) fn fragments(payload: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(Role::Server).message_fragmented(OpCode::Text, payload, size, || [0; 4], &mut out);
    out
}
