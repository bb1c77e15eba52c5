//! The client's side of a session's task: reading, writing and ending its links.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use undrop_frame::{CloseCode, OpCode};
use undrop_session::{MOVED_FRAME, Packet, Received};
use undrop_transport::{Ending, ending_of, scratch};

use super::{Driver, Link, Phase};
use crate::closing::{close_frame, control, retire};
use crate::from_link::{self, LinkFault};

/// How long an ack may wait for data to travel with. Alone it costs a write, a packet and a wake-up at both ends; an
/// answer of the backend, on whose heels it goes for nothing, mostly follows within a millisecond.
pub(super) const ACK_COMPANY: Duration = Duration::from_millis(50);

/// Units that an ack may stand for while it waits.
const HELD_UNITS: u64 = 128;

/// What waits behind an ack that waits for company.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) since: Option<Instant>,
    units: u64,
    bytes: usize,
    /// The client asked for the ack.
    wanted: bool,
}

impl Driver {
    /// All that could be written is an ack that may still wait (PROTOCOL §4).
    fn holds_ack(&mut self, now: Instant) -> bool {
        if !self.machine.only_ack_waits() {
            if self.held.since.is_some() || self.held.units > 0 {
                self.held = Held::default();
            }
            return false;
        }
        let since = *self.held.since.get_or_insert(now);
        let few =
            self.held.units < HELD_UNITS && self.held.bytes < self.shared.options.machine.client_window / 4;
        few && !self.held.wanted && now < since + ACK_COMPANY
    }

    pub(super) fn poll_link_read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        // What a client sends beyond its window waits in its socket. When the backend is gone, acks are still read; data
        // goes nowhere and is not acked.
        if self.is_backend_behind() {
            return false;
        }
        scratch::with(|buffer| {
            let Some(link) = &mut self.link else { return false };
            let mut read = ReadBuf::new(buffer);
            match Pin::new(&mut link.stream).poll_read(cx, &mut read) {
                Poll::Pending => {
                    self.link_asleep = true;
                    return false;
                }
                Poll::Ready(Err(error)) => self.link_lost(&ending_of(&error), now),
                Poll::Ready(Ok(())) if read.filled().is_empty() => self.link_lost(&Ending::Fin, now),
                Poll::Ready(Ok(())) => {
                    self.machine.on_traffic(now);
                    self.take_from_link(read.filled_mut(), now, Some(cx));
                }
            }
            true
        })
    }

    /// Hands what a link brought to the machine and to the backend. Without `cx` (outside a poll) nothing is written yet.
    pub(super) fn take_from_link(&mut self, bytes: &mut [u8], now: Instant, cx: Option<&mut Context<'_>>) {
        let Some(mut link) = self.link.take() else { return };
        let mut sink = LinkSink { driver: self, now, cx, closed: None };
        let result = link.input.take(bytes, &mut sink);
        let closed = sink.closed;
        match (result, closed) {
            (Ok(()), None) => self.link = Some(link),
            (Ok(()), Some((code, reason))) => {
                self.retire_link(link, close_frame(code, ""), now);
                let ending = Ending::Close { code: code.unwrap_or(CloseCode::NO_STATUS), reason };
                self.detached(&ending, now);
            }
            (Err(fault), _) => {
                tracing::warn!(sid = %self.entry.sid, peer = %link.peer, cause = %fault, "client broke the protocol");
                if fault.close_code() == CloseCode::MESSAGE_TOO_BIG {
                    let (phase, why) = (Phase::ClientRefused(fault.close_code()), fault.to_string());
                    self.close_backend_for_client(phase, fault.close_code(), &why, now);
                }
                self.retire_link(link, close_frame(Some(fault.close_code()), &fault.to_string()), now);
                self.detached(&fault.ending(), now);
            }
        }
    }

    /// Ends a link from our side: what is ready for it (at least the rest of a unit that is partly out), then `last`.
    /// When the rest of that unit is gone, nothing: a client would take it for the rest.
    pub(super) fn retire_link(&mut self, link: Link, last: Vec<u8>, now: Instant) {
        let mut bytes = link.answer;
        let mut ready: [&[u8]; 3] = [&[]; 3];
        let filled = self.machine.transmit(&mut ready);
        for slice in &ready[..filled] {
            bytes.extend_from_slice(slice);
        }
        // The client may take these units, and then says so in its next hello.
        let sent = ready[..filled].iter().map(|slice| slice.len()).sum();
        if filled > 0 || !link.inside {
            bytes.extend(last);
        }
        self.machine.transmitted(now, sent);
        tokio::spawn(retire(link.stream, bytes));
    }

    pub(super) fn link_lost(&mut self, ending: &Ending, now: Instant) {
        self.link = None;
        self.detached(ending, now);
    }

    pub(super) fn detached(&mut self, ending: &Ending, now: Instant) {
        self.machine.detach(now);
        let browser = ending.browser_view().get();
        if self.phase == Phase::Open {
            tracing::info!(sid = %self.entry.sid, %ending, browser, "link lost");
        } else {
            tracing::debug!(sid = %self.entry.sid, %ending, browser, "link ended with its session");
        }
        self.note_parked();
    }

    /// Tells the registry what this session holds while it has no link.
    pub(super) fn note_parked(&self) {
        if self.link.is_none() && self.phase != Phase::Over {
            let bytes = self.machine.progress().buffered + self.to_backend.len();
            let budget = self.shared.options.parked_budget;
            if self.shared.registry.park(&self.entry, bytes, budget) {
                self.shared.registry.evict_down_to(budget);
            }
        }
    }

    pub(super) fn poll_link_write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut moved = false;
        while !self.holds_ack(now) {
            let Some(link) = &mut self.link else { return moved };
            let mut units: [&[u8]; 3] = [&[]; 3];
            let filled = self.machine.transmit(&mut units);
            if filled == 0 && link.answer.is_empty() {
                break;
            }
            let slices = [&link.answer, units[0], units[1], units[2]].map(io::IoSlice::new);
            // Without an answer to send, its slice is empty and left out: writev takes fewer.
            let slices = if link.answer.is_empty() { &slices[1..=filled] } else { &slices[..=filled] };
            match Pin::new(&mut link.stream).poll_write_vectored(cx, slices) {
                Poll::Pending => return moved,
                Poll::Ready(Ok(0)) => {
                    self.link_lost(&Ending::Fin, now);
                    return true;
                }
                Poll::Ready(Ok(mut n)) => {
                    let head = n.min(link.answer.len());
                    if head > 0 {
                        link.answer.drain(..head);
                        if link.answer.is_empty() {
                            link.answer = Vec::new();
                        }
                        n -= head;
                    }
                    self.machine.transmitted(now, n);
                    link.inside = !self.machine.at_boundary();
                    link.unflushed = true;
                    moved = true;
                }
                Poll::Ready(Err(error)) => {
                    self.link_lost(&ending_of(&error), now);
                    return true;
                }
            }
        }
        if let Some(link) = &mut self.link
            && link.unflushed
        {
            match Pin::new(&mut link.stream).poll_flush(cx) {
                Poll::Ready(Ok(())) => link.unflushed = false,
                Poll::Ready(Err(error)) => {
                    self.link_lost(&ending_of(&error), now);
                    return true;
                }
                Poll::Pending => {}
            }
        }
        moved
    }
}

/// The last words on a superseded link.
pub(super) fn moved() -> Vec<u8> {
    let mut bytes = MOVED_FRAME.to_vec();
    bytes.extend(close_frame(Some(CloseCode::NORMAL), "moved"));
    bytes
}

struct LinkSink<'a, 'b, 'c> {
    driver: &'a mut Driver,
    now: Instant,
    cx: Option<&'b mut Context<'c>>,
    closed: Option<(Option<CloseCode>, String)>,
}

impl from_link::Sink for LinkSink<'_, '_, '_> {
    fn data(&mut self, len: usize) -> bool {
        self.driver.held.units += 1;
        self.driver.held.bytes += len;
        matches!(self.driver.machine.on_data(self.now, len), Received::Deliver)
    }

    fn packet(&mut self, packet: Packet) -> Result<(), LinkFault> {
        self.driver.held.wanted |= !matches!(packet, Packet::Ack(_));
        self.driver.machine.on_packet(self.now, &packet).map_err(LinkFault::Misbehaviour)
    }

    fn deliver(&mut self, mut frames: &[u8], units: u64) {
        let driver = &mut *self.driver;
        let Some(backend) = &mut driver.backend else {
            // The backend is gone, the client will learn it; nobody takes these units.
            return;
        };
        if driver.to_backend.is_empty()
            && let Some(cx) = &mut self.cx
        {
            // An error shows again at the next write of the backend.
            while let Poll::Ready(Ok(n @ 1..)) = Pin::new(&mut *backend).poll_write(cx, frames) {
                frames = &frames[n..];
                if frames.is_empty() {
                    driver.backend_unflushed =
                        !matches!(Pin::new(backend).poll_flush(cx), Poll::Ready(Ok(())));
                    driver.machine.taken(self.now, units);
                    return;
                }
            }
        }
        driver.to_backend.extend_from_slice(frames);
        driver.waiting_units += units;
    }

    fn ping(&mut self, payload: &[u8]) {
        self.driver.machine.control_frame(&control(OpCode::Pong, payload, None));
    }

    fn pong(&mut self) {
        self.driver.machine.on_pong();
    }

    fn close(&mut self, code: Option<CloseCode>, reason: &str) {
        self.closed = Some((code, reason.to_owned()));
    }
}
