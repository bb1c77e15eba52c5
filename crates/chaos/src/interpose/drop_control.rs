//! Pings or Pongs that vanish.

use undrop_frame::OpCode;

use super::{Concern, Piece, Verdict};

pub(super) fn pings(ways: [bool; 2]) -> Box<dyn Concern> {
    Box::new(Dropping { opcode: OpCode::Ping, ways })
}

pub(super) fn pongs(ways: [bool; 2]) -> Box<dyn Concern> {
    Box::new(Dropping { opcode: OpCode::Pong, ways })
}

#[derive(Debug)]
struct Dropping {
    opcode: OpCode,
    ways: [bool; 2],
}

impl Concern for Dropping {
    fn piece(&mut self, piece: &mut Piece<'_>) -> Verdict {
        match piece.frame {
            Some(frame) if self.ways[piece.from as usize] && frame.header.opcode == self.opcode => {
                Verdict::Drop(if self.opcode == OpCode::Ping { "Ping dropped" } else { "Pong dropped" })
            }
            _ => Verdict::Pass,
        }
    }
}
