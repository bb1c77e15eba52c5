//! Seeds of random draws.

use fastrand::Rng;

/// Derives a seed for one fault on one connection (the finalizer of splitmix64, three times).
pub(crate) fn derive(seed: u64, connection: u64, tag: u64) -> u64 {
    [seed, connection, tag].into_iter().fold(0x9e37_79b9_7f4a_7c15, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// Draws whether a fault with this share affects a connection.
pub(crate) fn is_affected(share: f64, seed: u64) -> bool {
    share >= 1.0 || Rng::with_seed(!seed).f64() < share
}
