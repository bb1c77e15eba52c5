//! Unpredictable numbers for handshake and masks.

use std::cell::RefCell;
use std::io;

/// One system call pays for this many masks.
const POOL: usize = 256;

thread_local! {
    static MASKS: RefCell<Masks> = const { RefCell::new(Masks { pool: [[0; 4]; POOL], used: POOL }) };
}

struct Masks {
    pool: [[u8; 4]; POOL],
    used: usize,
}

/// A masking key (RFC 6455 5.3: unpredictable, fresh for every frame).
pub(crate) fn mask_key() -> io::Result<[u8; 4]> {
    MASKS.with_borrow_mut(|masks| {
        if masks.used == POOL {
            getrandom::fill(masks.pool.as_flattened_mut()).map_err(io::Error::other)?;
            masks.used = 0;
        }
        masks.used += 1;
        Ok(masks.pool[masks.used - 1])
    })
}

/// A fresh `Sec-WebSocket-Key` (RFC 6455 4.1).
///
/// # Errors
/// The operating system has no random numbers to give.
pub fn random_key() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(undrop_frame::handshake::key(bytes))
}
