//! Compressed payloads that arrive damaged.

use fastrand::Rng;

use super::{Concern, Piece, Verdict};

/// One bit in so many bytes is flipped, and at least one in each piece of a payload.
const BYTES_PER_BIT: usize = 512;

pub(super) fn concern(ways: [bool; 2], seed: u64) -> Box<dyn Concern> {
    Box::new(Corrupt { ways, rng: Rng::with_seed(seed) })
}

#[derive(Debug)]
struct Corrupt {
    ways: [bool; 2],
    rng: Rng,
}

impl Concern for Corrupt {
    fn piece(&mut self, piece: &mut Piece<'_>) -> Verdict {
        let hit = piece.frame.is_some_and(|frame| frame.compressed && frame.at > 0);
        if !hit || !self.ways[piece.from as usize] || piece.bytes.is_empty() {
            return Verdict::Pass;
        }
        for chunk in piece.bytes.chunks_mut(BYTES_PER_BIT) {
            let at = self.rng.usize(..chunk.len());
            chunk[at] ^= 1 << self.rng.u8(..8);
        }
        Verdict::Changed("compressed payload damaged")
    }
}
