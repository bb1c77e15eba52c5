//! Random bytes for the handshake and for masking keys.

use std::cell::RefCell;
use std::io;

/// The number of masking keys that one system call provides.
const POOL: usize = 256;

thread_local! {
    static MASKS: RefCell<Masks> = const { RefCell::new(Masks { pool: [[0; 4]; POOL], used: POOL }) };
}

struct Masks {
    pool: [[u8; 4]; POOL],
    used: usize,
}

/// Returns an unpredictable masking key. Each frame needs a new one (RFC 6455 §5.3).
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

/// Returns a new value for `Sec-WebSocket-Key` (RFC 6455 §4.1).
///
/// # Errors
/// The operating system provided no random bytes.
pub fn random_key() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(undrop_frame::handshake::key(bytes))
}
