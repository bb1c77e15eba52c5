//! An injector that drops control frames.

use undrop_frame::OpCode;

use super::{Injector, PieceVerdict, StreamPiece};

/// Returns an injector that drops every frame with this opcode from the sending `sides`; `text` is for the log.
pub(crate) fn injector(opcode: OpCode, sides: [bool; 2], text: &'static str) -> Box<dyn Injector> {
    Box::new(DropControl { opcode, sides, text })
}

#[derive(Debug)]
struct DropControl {
    opcode: OpCode,
    sides: [bool; 2],
    text: &'static str,
}

impl Injector for DropControl {
    fn on_piece(&mut self, piece: &mut StreamPiece<'_>) -> PieceVerdict {
        match piece.frame {
            Some(frame) if self.sides[piece.from as usize] && frame.header.opcode == self.opcode => {
                PieceVerdict::Drop(self.text)
            }
            _ => PieceVerdict::Pass,
        }
    }
}
