//! Buffers that belong to the thread and are used only between two awaits, so an idle connection needs no buffer.

use std::cell::Cell;

/// The size of the read buffer, which holds the content of a default socket buffer.
const READ: usize = 128 * 1024;
/// The capacity above which a write buffer is freed after use.
const KEEP: usize = 256 * 1024;

thread_local! {
    static READ_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static WRITE_BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Runs `f` with the read buffer of the thread (128 KiB, unspecified content). A nested call gets a new buffer.
pub fn with<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = READ_BUFFER.take();
    if buffer.is_empty() {
        buffer = vec![0; READ];
    }
    let result = f(&mut buffer);
    READ_BUFFER.set(buffer);
    result
}

/// Runs `f` with the write buffer of the thread, which is empty. Its content is discarded afterwards.
pub(crate) fn with_write<R>(f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = WRITE_BUFFER.take();
    buffer.clear();
    let result = f(&mut buffer);
    if buffer.capacity() <= KEEP {
        WRITE_BUFFER.set(buffer);
    }
    result
}
