//! The fault `compression`: compression that fails.

use fastrand::Rng;

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::injector::{Injector, StreamPiece, PieceVerdict, FaultStart, head};
use crate::parameters::Parameters;
use crate::spec_error::FaultSpecError;

/// One bit is flipped in every stretch of this many bytes, and at least one in each piece of a payload.
const BYTES_PER_BIT: usize = 512;

/// Makes the compression of messages fail.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CompressionFault {
    /// The way in which compression fails.
    pub mode: CompressionFailure,
}

/// A way in which compression fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum CompressionFailure {
    /// `Sec-WebSocket-Extensions` is removed from the request (direction up), from the response (down), or from both.
    #[default]
    Strip,
    /// Bits of compressed payloads are flipped.
    Corrupt,
}

const DECLARATION: FaultDeclaration = FaultDeclaration {
    kind: "compression",
    summary: "Compression is not negotiated, or compressed payloads are damaged.",
    description: "With `strip`, the offer of compression (`direction=up`), its acceptance (`direction=down`) or both are removed from the handshake. With `corrupt`, bits of compressed payloads are flipped.",
    examples: &["compression mode=strip", "compression direction=down mode=corrupt"],
};

impl FaultBehavior for CompressionFault {
    fn declaration(&self) -> &'static FaultDeclaration {
        &DECLARATION
    }

    fn parameters(&mut self, parameters: &mut Parameters<'_>) -> Result<(), FaultSpecError> {
        let modes = [("strip", CompressionFailure::Strip), ("corrupt", CompressionFailure::Corrupt)];
        parameters.required_choice("mode", &mut self.mode, &modes)
    }

    fn injector(&self, start: &FaultStart<'_>) -> Option<Box<dyn Injector>> {
        let sides = start.direction.senders();
        Some(match self.mode {
            CompressionFailure::Strip => head::edit_field("Sec-WebSocket-Extensions", None, sides),
            CompressionFailure::Corrupt => {
                Box::new(CorruptPayload { sides, rng: Rng::with_seed(start.seed) })
            }
        })
    }

    fn needs_websocket(&self) -> bool {
        true
    }

    fn concerns_opening_only(&self) -> bool {
        self.mode == CompressionFailure::Strip
    }
}

#[derive(Debug)]
struct CorruptPayload {
    sides: [bool; 2],
    rng: Rng,
}

impl Injector for CorruptPayload {
    fn on_piece(&mut self, piece: &mut StreamPiece<'_>) -> PieceVerdict {
        let is_payload = piece.frame.is_some_and(|frame| frame.compressed && frame.at > 0);
        if !is_payload || !self.sides[piece.from as usize] || piece.bytes.is_empty() {
            return PieceVerdict::Pass;
        }
        for chunk in piece.bytes.chunks_mut(BYTES_PER_BIT) {
            let at = self.rng.usize(..chunk.len());
            chunk[at] ^= 1 << self.rng.u8(..8);
        }
        PieceVerdict::Changed("compressed payload damaged")
    }
}
