//! The client's side of a session's task: reading, writing and ending its links.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use undrop_frame::{CloseCode, OpCode};
use undrop_session::{Packet, UnitStatus};
use undrop_transport::{Ending, ending_of, scratch};

use super::{Driver, DriverPhase};
use crate::closing::{close_frame, control, retire};
use crate::from_link::{LinkFault, LinkInput, LinkPiece, Span, encode_masked};

/// The close code and the reason of a Close frame.
type CloseFrame = (Option<CloseCode>, String);

impl Driver {
    /// Returns whether all that could be written is an ack that may still wait (PROTOCOL §5).
    fn delays_ack(&mut self, now: Instant) -> bool {
        if !self.machine.has_only_ack() {
            self.delayed_ack.reset();
            return false;
        }
        self.delayed_ack.may_wait(now, self.node.options.machine.client_window)
    }

    pub(super) fn poll_link_read(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        // Data beyond the client's window waits in its socket. After the end of the backend, acks are still read; data is
        // dropped and not acked.
        if self.is_backend_behind() || self.link.as_ref().is_none_or(|link| link.asleep) {
            return false;
        }
        scratch::with(|buffer| {
            let Some(link) = &mut self.link else { return false };
            let mut read = ReadBuf::new(buffer);
            match Pin::new(&mut link.stream).poll_read(cx, &mut read) {
                Poll::Pending => {
                    link.asleep = true;
                    return false;
                }
                Poll::Ready(Err(error)) => self.link_lost(&ending_of(&error), now),
                Poll::Ready(Ok(())) if read.filled().is_empty() => self.link_lost(&Ending::Fin, now),
                Poll::Ready(Ok(())) => {
                    self.machine.handle_traffic(now);
                    self.take_from_link(read.filled_mut(), now, Some(cx));
                }
            }
            true
        })
    }

    /// Passes bytes of the link to the machine and to the backend. Without `cx` (outside a poll) nothing is written yet.
    pub(super) fn take_from_link(
        &mut self,
        bytes: &mut [u8],
        now: Instant,
        mut cx: Option<&mut Context<'_>>,
    ) {
        let mut input = LinkInput::new(bytes);
        let result = self.take_link_pieces(&mut input, now, &mut cx);
        // Units that arrived before a fault are delivered nevertheless.
        self.flush_run(&mut input, now, &mut cx);
        match result {
            Ok(None) => {}
            Ok(Some((code, reason))) => {
                self.retire_link(close_frame(code, ""), now);
                let ending = Ending::Close { code: code.unwrap_or(CloseCode::NO_STATUS), reason };
                self.detached(&ending, now);
            }
            Err(fault) => self.link_broken(&fault, now),
        }
    }

    /// Handles everything in `input`, and leaves the last run of units there. Returns the content of a Close frame.
    fn take_link_pieces(
        &mut self,
        input: &mut LinkInput<'_>,
        now: Instant,
        cx: &mut Option<&mut Context<'_>>,
    ) -> Result<Option<CloseFrame>, LinkFault> {
        while let Some(link) = &mut self.link
            && let Some(piece) = link.parser.next(input)?
        {
            match piece {
                LinkPiece::Unit { frame, len } => {
                    if self.is_new_unit(now, len) {
                        match frame {
                            Span::Input(range) => input.keep(range),
                            Span::Owned { bytes, .. } => {
                                self.flush_run(input, now, cx);
                                self.deliver(&bytes, 1, now, cx);
                            }
                        }
                    }
                }
                LinkPiece::Rebuilt { opcode, payload } => {
                    if self.is_new_unit(now, payload.len()) {
                        let frame = encode_masked(opcode, input.get(&payload))?;
                        self.flush_run(input, now, cx);
                        self.deliver(&frame, 1, now, cx);
                    }
                }
                LinkPiece::Packet(packet) => {
                    // Before the packet is acted on, everything that came before it is delivered.
                    self.flush_run(input, now, cx);
                    if !matches!(packet, Packet::Ack(_)) {
                        self.delayed_ack.on_request();
                    }
                    self.machine.handle_packet(now, &packet)?;
                }
                LinkPiece::Ping(payload) => {
                    self.machine.queue_control_frame(&control(OpCode::Pong, input.get(&payload), None));
                }
                LinkPiece::Pong => self.machine.handle_pong(),
                LinkPiece::Close { code, reason } => return Ok(Some((code, reason))),
            }
        }
        Ok(None)
    }

    /// Counts a unit of the client; returns whether the backend has to get it.
    #[inline]
    fn is_new_unit(&mut self, now: Instant, len: usize) -> bool {
        self.delayed_ack.on_unit(len);
        matches!(self.machine.handle_data(now, len), UnitStatus::Deliver)
    }

    fn flush_run(&mut self, input: &mut LinkInput<'_>, now: Instant, cx: &mut Option<&mut Context<'_>>) {
        let (frames, units) = input.take_run();
        if units > 0 {
            self.deliver(frames, units, now, cx);
        }
    }

    /// Delivers whole frames with `units` units in them: written at once if nothing waits before them, queued otherwise.
    fn deliver(&mut self, mut frames: &[u8], units: u64, now: Instant, cx: &mut Option<&mut Context<'_>>) {
        let backend = &mut self.backend;
        // Without a backend these units have no consumer; the client will learn of it.
        let Some(stream) = &mut backend.stream else { return };
        if backend.out.is_empty()
            && let Some(cx) = cx
        {
            // An error shows again at the next write of the backend.
            while let Poll::Ready(Ok(n @ 1..)) = Pin::new(&mut *stream).poll_write(cx, frames) {
                frames = &frames[n..];
                if frames.is_empty() {
                    backend.unflushed = !matches!(Pin::new(stream).poll_flush(cx), Poll::Ready(Ok(())));
                    self.machine.handle_consumed(now, units);
                    return;
                }
            }
        }
        backend.out.extend_from_slice(frames);
        backend.units += units;
    }

    fn link_broken(&mut self, fault: &LinkFault, now: Instant) {
        let peer = self.link.as_ref().map(|link| link.peer);
        tracing::warn!(sid = %self.entry.sid, ?peer, cause = %fault, "client broke the protocol");
        if fault.close_code() == CloseCode::MESSAGE_TOO_BIG {
            let (phase, why) = (DriverPhase::ClientRefused(fault.close_code()), fault.to_string());
            self.close_backend_for_client(phase, fault.close_code(), &why, now);
        }
        self.retire_link(close_frame(Some(fault.close_code()), &fault.to_string()), now);
        self.detached(&fault.ending(), now);
    }

    /// Ends the link, if there is one: sends the output that is ready (at least the rest of a partly sent unit), then `last`.
    /// If the rest of that unit is lost, `last` is left out: the client would read it as the rest.
    pub(super) fn retire_link(&mut self, last: Vec<u8>, now: Instant) {
        let Some(link) = self.link.take() else { return };
        let mut bytes = link.response;
        let mut ready: [&[u8]; 3] = [&[]; 3];
        let filled = self.machine.poll_transmit(&mut ready);
        for slice in &ready[..filled] {
            bytes.extend_from_slice(slice);
        }
        // The client may consume these units, and then states that in its next hello.
        let sent = ready[..filled].iter().map(|slice| slice.len()).sum();
        if filled > 0 || !link.inside {
            bytes.extend(last);
        }
        self.machine.handle_transmitted(now, sent);
        tokio::spawn(retire(link.stream, bytes));
    }

    pub(super) fn link_lost(&mut self, ending: &Ending, now: Instant) {
        self.link = None;
        self.detached(ending, now);
    }

    pub(super) fn detached(&mut self, ending: &Ending, now: Instant) {
        self.machine.detach(now);
        let browser = ending.browser_view().get();
        if self.phase == DriverPhase::Open {
            tracing::info!(sid = %self.entry.sid, %ending, browser, "link lost");
        } else {
            tracing::debug!(sid = %self.entry.sid, %ending, browser, "link ended with its session");
        }
        self.update_detached();
    }

    /// Reports the memory of a detached session to the registry.
    pub(super) fn update_detached(&self) {
        if self.link.is_none() && self.phase != DriverPhase::Over {
            let bytes = self.machine.progress().buffered + self.backend.out.len();
            let budget = self.node.options.detached_budget;
            if self.node.registry.set_detached(&self.entry, bytes, budget) {
                self.node.registry.evict_down_to(budget);
            }
        }
    }

    pub(super) fn poll_link_write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut moved = false;
        while !self.delays_ack(now) {
            let Some(link) = &mut self.link else { return moved };
            let mut units: [&[u8]; 3] = [&[]; 3];
            let filled = self.machine.poll_transmit(&mut units);
            if filled == 0 && link.response.is_empty() {
                break;
            }
            let slices = [&link.response, units[0], units[1], units[2]].map(io::IoSlice::new);
            // Once the response is sent, its empty slice is left out.
            let slices = if link.response.is_empty() { &slices[1..=filled] } else { &slices[..=filled] };
            match Pin::new(&mut link.stream).poll_write_vectored(cx, slices) {
                Poll::Pending => return moved,
                Poll::Ready(Ok(0)) => {
                    self.link_lost(&Ending::Fin, now);
                    return true;
                }
                Poll::Ready(Ok(mut n)) => {
                    let head = n.min(link.response.len());
                    if head > 0 {
                        link.response.drain(..head);
                        if link.response.is_empty() {
                            link.response = Vec::new();
                        }
                        n -= head;
                    }
                    self.machine.handle_transmitted(now, n);
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
