//! The way of data and handshakes through the faults of a connection.

use std::time::Instant;

use undrop_fault::Side;
use undrop_frame::OpCode;

use super::Tunnel;
use super::half::QueueItem;
use super::injection::InjectionSource;
use super::reader::{HeadKind, Unreadable};
use crate::assignment::AssignedFault;
use crate::direction::Direction;
use crate::injector::{FaultAction, PieceFrame, PieceVerdict, StreamPiece};

/// The number of bytes of a piece that pass, the faults to be logged, and a cut.
type Injected = (usize, Vec<(AssignedFault, &'static str)>, Option<(AssignedFault, FaultAction)>);

impl Tunnel {
    /// Forwards a piece through the faults.
    pub(super) fn forward(&mut self, now: Instant, from: Side, bytes: &mut [u8], frame: Option<PieceFrame>) {
        if bytes.is_empty() {
            return;
        }
        if frame.is_some_and(|frame| !matches!(frame.header.opcode, OpCode::Ping | OpCode::Pong)) {
            // The flow is known: a forgotten one was reset on receipt.
            self.on_activity(now, from, true);
        }
        let (passed, logs, cut) = self.inject(StreamPiece { from, bytes, frame });
        let half = &mut self.halves[from as usize];
        let offset = half.queued;
        let number = frame.map(|frame| frame.number);
        let is_new = number != half.logged_frame;
        half.push(bytes.get(..passed).unwrap_or_default());
        let (age, queued) = (now.saturating_duration_since(self.opened), half.queued);
        let direction = Direction::sent_by(from);
        let source = |fault, offset| InjectionSource { fault, direction, offset, age, by_time: false };
        if !logs.is_empty() && is_new {
            half.logged_frame = number;
            for (fault, text) in logs {
                self.apply(now, source(fault, offset), FaultAction::Log(text.to_owned()), None);
            }
        }
        if let Some((fault, action)) = cut {
            let action = QueueItem::Action(Box::new((source(fault, queued), action)));
            self.over = true;
            self.halves[from as usize].mute = true;
            self.halves[from as usize].queue.push_back(action);
        }
        let half = &mut self.halves[from as usize];
        if half.reader.accepts_close()
            && let Some((close, _)) = half.pending_close.take()
        {
            half.push(&close);
            half.close();
        }
    }

    /// Applies the faults to a piece. Returns the number of its bytes that pass, the faults to be logged, and the cut that
    /// comes after these bytes.
    fn inject(&mut self, mut piece: StreamPiece<'_>) -> Injected {
        let (mut passed, mut logs, mut cut) = (piece.bytes.len(), Vec::new(), None);
        if self.over {
            return (passed, logs, cut);
        }
        for one in &mut self.active {
            match one.injector.on_piece(&mut piece) {
                PieceVerdict::Pass => {}
                PieceVerdict::Changed(text) => logs.push((one.fault.clone(), text)),
                PieceVerdict::Drop(text) => {
                    passed = 0;
                    logs.push((one.fault.clone(), text));
                }
                // Of two cuts in one piece, the one closer to its start counts.
                PieceVerdict::Cut(before, action) => {
                    if cut.is_none() || before < passed {
                        passed = passed.min(before);
                        cut = Some((one.fault.clone(), action));
                    }
                }
            }
        }
        (passed, logs, cut)
    }

    /// Forwards a head of the handshake through the faults.
    pub(super) fn forward_head(&mut self, now: Instant, from: Side, mut head: Vec<u8>, kind: HeadKind) {
        let mut actions = Vec::new();
        if !self.over && kind != HeadKind::Interim {
            for one in &mut self.active {
                actions
                    .extend(one.injector.on_head(from, &mut head).map(|action| (one.fault.clone(), action)));
            }
        }
        let age = now.saturating_duration_since(self.opened);
        for (fault, action) in actions {
            let source = InjectionSource {
                fault,
                direction: Direction::sent_by(from),
                offset: self.halves[from as usize].queued,
                age,
                by_time: false,
            };
            let responded = matches!(action, FaultAction::Respond { .. });
            self.apply(now, source, action, None);
            if responded {
                return;
            }
        }
        match kind {
            HeadKind::Interim => {}
            HeadKind::WebSocket => self.halves[from as usize].reader.start_frames(),
            HeadKind::Other => {
                self.forward(now, from, &mut head, None);
                return self.stop_reading(now, from, Unreadable::NotUpgraded);
            }
        }
        self.forward(now, from, &mut head, None);
    }

    /// Forwards the stream unread from here on.
    pub(super) fn stop_reading(&mut self, now: Instant, from: Side, why: Unreadable) {
        self.unreadable.get_or_insert(why);
        self.halves[from as usize].reader.give_up();
        // A failed handshake affects both directions; invalid frames only that of their sender.
        if why != Unreadable::NotFrames {
            let other = from.other();
            if !self.halves[other as usize].mute {
                let mut buffered = self.halves[other as usize].reader.give_up();
                self.forward(now, other, &mut buffered, None);
            }
        }
    }
}
