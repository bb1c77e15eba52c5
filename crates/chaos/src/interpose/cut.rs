//! Cuts at a place in the stream: behind bytes or frames, inside of a frame or a message.

use fastrand::Rng;
use undrop_fault::Side;

use super::{Act, Concern, Frame, Piece, Verdict};
use crate::spec::{How, When};

pub(super) fn concern(when: When, how: How, ways: [bool; 2], seed: u64) -> Box<dyn Concern> {
    Box::new(Cut { when, how, ways, rng: Rng::with_seed(seed), seen: [0; 2], inside: [None; 2], done: false })
}

#[derive(Debug)]
struct Cut {
    when: When,
    how: How,
    ways: [bool; 2],
    rng: Rng,
    /// Bytes, frames or messages of each direction since the fault began.
    seen: [u64; 2],
    /// Where in the present frame the cut is.
    inside: [Option<u64>; 2],
    done: bool,
}

impl Concern for Cut {
    fn piece(&mut self, piece: &mut Piece<'_>) -> Verdict {
        if self.done || !self.ways[piece.from as usize] {
            return Verdict::Pass;
        }
        match self.place(piece) {
            Some(behind) => {
                self.done = true;
                Verdict::Cut(behind, Act::End(self.how.clone()))
            }
            None => Verdict::Pass,
        }
    }
}

impl Cut {
    /// How many bytes of the piece pass before the cut; `None`: the cut is not in it.
    fn place(&mut self, piece: &Piece<'_>) -> Option<usize> {
        let seen = &mut self.seen[piece.from as usize];
        let len = piece.bytes.len();
        match self.when {
            When::Age(_) => None,
            When::Bytes(limit) => {
                let before = *seen;
                *seen += len as u64;
                (*seen >= limit).then(|| (limit - before.min(limit)) as usize)
            }
            When::Frames(limit) => {
                let frame = piece.frame?;
                if frame.at == 0 {
                    *seen += 1;
                }
                (*seen == limit && ends(&frame, len)).then_some(len)
            }
            When::MidFrame(limit) => {
                let frame = piece.frame?;
                if frame.at == 0 {
                    *seen += 1;
                    self.inside[piece.from as usize] =
                        (*seen == limit).then(|| within(&mut self.rng, &frame));
                }
                self.inside(piece.from, &frame, len)
            }
            When::MidMessage(limit) => {
                let frame = piece.frame.filter(|frame| !frame.header.opcode.is_control())?;
                if frame.at == 0 {
                    let first = frame.header.opcode != undrop_frame::OpCode::Continuation;
                    *seen += u64::from(first);
                    let here = first && *seen == limit;
                    let place = if frame.header.fin { within(&mut self.rng, &frame) } else { frame.len };
                    self.inside[piece.from as usize] = here.then_some(place);
                }
                self.inside(piece.from, &frame, len)
            }
        }
    }

    fn inside(&self, from: Side, frame: &Frame, len: usize) -> Option<usize> {
        let place = self.inside[from as usize]?;
        (place <= frame.at + len as u64).then(|| place.saturating_sub(frame.at) as usize)
    }
}

/// The frame ends with a piece of this length.
fn ends(frame: &Frame, len: usize) -> bool {
    frame.at + len as u64 == frame.len
}

/// A place inside of the frame, behind its header if there is room.
fn within(rng: &mut Rng, frame: &Frame) -> u64 {
    let head = frame.header.encoded_len() as u64;
    let payload = frame.len - head;
    if payload > 1 { head + rng.u64(1..payload) } else { rng.u64(1..frame.len) }
}
