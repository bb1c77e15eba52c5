//! Cuts at an age, or at a position in the stream.

use std::time::Duration;

use fastrand::Rng;
use undrop_fault::{CloseManner, Side};
use undrop_frame::OpCode;

use crate::close_frame::CloseFrame;
use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::{FaultAction, Injector, StreamPiece, PieceFrame, PieceVerdict, FaultStart, timed};
use crate::parameters::{DURATION, FRACTION, POSITIVE_COUNT, Parameters, SIZE};
use crate::spec_error::FaultSpecError;

/// Ends a connection at an age, or at a position in the stream.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CutFault {
    /// The age or the position.
    pub when: CutPoint,
    /// For an age: the largest random deviation from it per connection, as a fraction from 0 to 1.
    pub spread: f64,
    /// The manner of the end.
    pub how: CloseManner<CloseFrame>,
}

/// The age of a connection, or a position in a direction of its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutPoint {
    /// At an age of the connection.
    Age(Duration),
    /// After this many bytes of a direction.
    Bytes(u64),
    /// After this many frames of a direction.
    Frames(u64),
    /// Inside the frame with this number, counted from 1.
    MidFrame(u64),
    /// Inside the message with this number, counted from 1: after its first frame if it has several.
    MidMessage(u64),
}

impl Default for CutPoint {
    fn default() -> CutPoint {
        CutPoint::Age(Duration::ZERO)
    }
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "cut",
    summary: "The connection ends at an age, or at a position in the stream.",
    description: "The connection ends at an age (`age`), after a number of bytes or frames of a direction (`bytes`, `frames`), inside the nth frame (`mid-frame`), or inside the nth message (`mid-message`: after its first fragment if it has several). With `spread`, the age differs per connection, by up to that fraction of it.",
    examples: &[
        "cut age=7200s how=silent spread=0.1",
        "cut age=60s code=4000 how=close reason=\"going down\"",
        "cut bytes=10000 how=fin",
        "cut frames=7 how=rst",
        "cut direction=down how=rst mid-frame=7",
        "cut how=rst mid-message=2",
    ],
};

impl FaultBehavior for CutFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        let variants = [
            ("age", DURATION.name, CutPoint::Age(Duration::ZERO)),
            ("bytes", SIZE.name, CutPoint::Bytes(0)),
            ("frames", POSITIVE_COUNT.name, CutPoint::Frames(1)),
            ("mid-frame", POSITIVE_COUNT.name, CutPoint::MidFrame(1)),
            ("mid-message", POSITIVE_COUNT.name, CutPoint::MidMessage(1)),
        ];
        parameters.one_of(&mut self.when, &variants)?;
        match &mut self.when {
            CutPoint::Age(age) => parameters.required("age", &DURATION, age)?,
            CutPoint::Bytes(n) => parameters.required("bytes", &SIZE, n)?,
            CutPoint::Frames(n) => parameters.required("frames", &POSITIVE_COUNT, n)?,
            CutPoint::MidFrame(n) => parameters.required("mid-frame", &POSITIVE_COUNT, n)?,
            CutPoint::MidMessage(n) => parameters.required("mid-message", &POSITIVE_COUNT, n)?,
        }
        parameters.with_default("spread", &FRACTION, &mut self.spread, 0.0)?;
        let has_age = matches!(self.when, CutPoint::Age(_));
        parameters.ensure(self.spread == 0.0 || has_age, "spread", "requires `age`")?;
        parameters.close_manner(&mut self.how, CloseManner::Rst, 1011)?;
        let is_inside = matches!(self.when, CutPoint::MidFrame(_) | CutPoint::MidMessage(_));
        parameters.ensure(
            !(is_inside && matches!(self.how, CloseManner::Close(_))),
            "how",
            "a Close frame cannot be sent there; use rst, fin or silent",
        )
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        if let CutPoint::Age(age) = self.when {
            let at = start.active_from() + deviate(age, self.spread, start.seed);
            return Some(timed::at(Some(at), FaultAction::End(self.how.clone())));
        }
        Some(Box::new(StreamCut {
            when: self.when,
            how: self.how.clone(),
            sides: start.direction.senders(),
            rng: Rng::with_seed(start.seed),
            seen: [0; 2],
            inside: [None; 2],
            done: false,
        }))
    }

    fn needs_websocket(&self) -> bool {
        match self.when {
            CutPoint::Age(_) | CutPoint::Bytes(_) => matches!(self.how, CloseManner::Close(_)),
            CutPoint::Frames(_) | CutPoint::MidFrame(_) | CutPoint::MidMessage(_) => true,
        }
    }
}

/// Returns `age`, changed at random by up to `spread` of it.
fn deviate(age: Duration, spread: f64, seed: u64) -> Duration {
    let draw = Rng::with_seed(seed).f64() * 2.0 - 1.0;
    age.mul_f64((1.0 + draw * spread).max(0.0))
}

#[derive(Debug)]
struct StreamCut {
    when: CutPoint,
    how: CloseManner<CloseFrame>,
    sides: [bool; 2],
    rng: Rng,
    /// The bytes, frames or messages of each direction since the fault became active.
    seen: [u64; 2],
    /// The position of the cut in the current frame of each direction.
    inside: [Option<u64>; 2],
    done: bool,
}

impl Injector for StreamCut {
    fn on_piece(&mut self, piece: &mut StreamPiece<'_>) -> PieceVerdict {
        if self.done || !self.sides[piece.from as usize] {
            return PieceVerdict::Pass;
        }
        match self.position(piece) {
            Some(passed) => {
                self.done = true;
                PieceVerdict::Cut(passed, FaultAction::End(self.how.clone()))
            }
            None => PieceVerdict::Pass,
        }
    }
}

impl StreamCut {
    /// Returns the number of bytes of the piece that pass before the cut, or `None` if the cut is not in the piece.
    fn position(&mut self, piece: &StreamPiece<'_>) -> Option<usize> {
        let seen = &mut self.seen[piece.from as usize];
        let len = piece.bytes.len();
        match self.when {
            CutPoint::Age(_) => None,
            CutPoint::Bytes(limit) => {
                let before = *seen;
                *seen += len as u64;
                (*seen >= limit).then(|| (limit - before.min(limit)) as usize)
            }
            CutPoint::Frames(limit) => {
                let frame = piece.frame?;
                if frame.at == 0 {
                    *seen += 1;
                }
                (*seen == limit && ends(&frame, len)).then_some(len)
            }
            CutPoint::MidFrame(limit) => {
                let frame = piece.frame?;
                if frame.at == 0 {
                    *seen += 1;
                    self.inside[piece.from as usize] =
                        (*seen == limit).then(|| within(&mut self.rng, &frame));
                }
                self.inside(piece.from, &frame, len)
            }
            CutPoint::MidMessage(limit) => {
                let frame = piece.frame.filter(|frame| !frame.header.opcode.is_control())?;
                if frame.at == 0 {
                    let first = frame.header.opcode != OpCode::Continuation;
                    *seen += u64::from(first);
                    let here = first && *seen == limit;
                    let position = if frame.header.fin { within(&mut self.rng, &frame) } else { frame.len };
                    self.inside[piece.from as usize] = here.then_some(position);
                }
                self.inside(piece.from, &frame, len)
            }
        }
    }

    fn inside(&self, from: Side, frame: &PieceFrame, len: usize) -> Option<usize> {
        let position = self.inside[from as usize]?;
        (position <= frame.at + len as u64).then(|| position.saturating_sub(frame.at) as usize)
    }
}

/// Returns whether the frame ends with a piece of this length.
fn ends(frame: &PieceFrame, len: usize) -> bool {
    frame.at + len as u64 == frame.len
}

/// Draws a position inside the frame, after its header if it has at least two bytes of payload.
fn within(rng: &mut Rng, frame: &PieceFrame) -> u64 {
    let head = frame.header.encoded_len() as u64;
    let payload = frame.len - head;
    if payload > 1 { head + rng.u64(1..payload) } else { rng.u64(1..frame.len) }
}
